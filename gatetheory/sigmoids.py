"""Sigmoids in a form that neither overflows nor cancels.

* :class:`logistic`, whose derivatives stay finite and accurate for any argument.
* :func:`canonical`, which writes hand-made sigmoids in such functions.
* :func:`differentiate`, which keeps them so.
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Add, Expr, Mul, Pow, Symbol, cosh, exp, log, sech, sinh, tanh


class logistic(sympy.Function):  # noqa: N801  (functions of SymPy are lower case)
    """The logistic function 1/(1 + e^{-x}).

    Its derivative is kept as logistic(x) logistic(-x), which loses no digits in either tail.
    """

    nargs = 1

    @classmethod
    def eval(cls, x: Expr) -> Expr | None:
        """Fold the constants and the limits."""
        if x is sympy.S.Infinity:
            return sympy.S.One
        if x is sympy.S.NegativeInfinity:
            return sympy.S.Zero
        if x.is_zero:
            return sympy.S.Half
        return None

    def fdiff(self, argindex: int = 1) -> Expr:
        """First derivative."""
        (x,) = self.args
        return logistic(x) * logistic(-x)

    def _eval_rewrite_as_exp(self, x: Expr, **_: Any) -> Expr:
        return 1 / (1 + exp(-x))

    def _eval_evalf(self, prec: int) -> Expr:
        return (1 / (1 + exp(-self.args[0])))._eval_evalf(prec)

    def _eval_is_positive(self) -> bool | None:
        return self.args[0].is_real

    def _eval_is_real(self) -> bool | None:
        return self.args[0].is_real

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        name = r"\operatorname{logistic}" + (f"^{{{exp}}}" if exp else "")
        return rf"{name}\left({printer._print(self.args[0])}\right)"


def differentiate(expression: Expr, x: Symbol) -> Expr:
    """Derivative by a symbol, written without cancelling or overflowing terms.

    SymPy's ``1 - tanh²`` loses every digit in the tails; here it is ``sech²`` from the start.
    """
    safe = expression.replace(tanh, _Tanh).diff(x)
    return canonical(safe.replace(_Tanh, tanh))


class _Tanh(sympy.Function):
    """Stands for tanh while it is differentiated."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return sech(self.args[0]) ** 2


def canonical(expression: Expr) -> Expr:
    """The same expression with its sigmoids in functions whose derivatives never overflow.

    ``1/(1 + e^u)`` becomes ``logistic(-u)``, a ratio of sums of two exponentials becomes
    logistics or sech, ``1/cosh`` becomes sech. Written out, each of them is ∞/∞ or ∞ · 0 in
    doubles as soon as |u| exceeds 710.
    """
    powers = expression.replace(lambda node: isinstance(node, Pow), _canonical_power)
    return powers.replace(lambda node: isinstance(node, Mul), _canonical_product)


def _canonical_power(power: Pow) -> Expr:
    base, exponent = power.args
    if not exponent.is_negative:
        return power
    if isinstance(base, cosh):
        return sech(base.args[0]) ** -exponent
    if not isinstance(base, Add) or len(base.args) != 2:
        return power
    (k, a), (m, b) = (_split_exponential(term) for term in base.args)
    if not (k.is_positive and m.is_positive) or a == b:
        return power
    if a.is_zero or b.is_zero:
        if b.is_zero:
            (k, a), (m, b) = (m, b), (k, a)
        return k**exponent * logistic(log(k / m) - b) ** -exponent
    half = (a - b + log(k / m)) / 2
    return (4 * k * m) ** (exponent / 2) * exp(exponent * (a + b) / 2) * sech(half) ** -exponent


def _canonical_product(product: Mul) -> Expr:
    """Let logistic and sech take up what grows beside them: e^u logistic(-u) = logistic(u)."""
    factors = list(Mul.make_args(product))
    for i, factor in enumerate(factors):
        base, power = factor.as_base_exp()
        if not isinstance(base, logistic | sech) or not (power.is_Integer and power > 0):
            continue
        others = factors[:i] + factors[i + 1 :]
        for k, other in enumerate(others):
            if isinstance(other, Add) and other.has(exp):
                rest = Mul(*others[:k], *others[k + 1 :])
                return Add(*(_canonical_product(t * factor * rest) for t in other.args))
        taken = _take_up(base, int(power), Mul(*others))
        if taken is not None:
            return _canonical_product(taken)
    return product


def _take_up(base: Expr, power: int, rest: Expr) -> Expr | None:
    """``base**power * rest`` with a growing factor of the rest taken up, None if there is none."""
    (u,) = base.args
    if isinstance(base, sech) and sinh(u) in (f.as_base_exp()[0] for f in Mul.make_args(rest)):
        return tanh(u) * base ** (power - 1) * (rest / sinh(u))
    coefficient, growth = _split_exponential(rest)
    for j in range(1, power + 1):
        for sign in (-1,) if isinstance(base, logistic) else (-1, 1):
            left = sympy.expand(growth - sign * j * u)
            if left.free_symbols < growth.free_symbols:
                bounded = logistic(-u) if isinstance(base, logistic) else 2 * logistic(2 * sign * u)
                return coefficient * exp(left) * bounded**j * base ** (power - j)
    return None


def _split_exponential(term: Expr) -> tuple[Expr, Expr]:
    """``k e^a`` as the pair (k, a)."""
    factors = Mul.make_args(term)
    exponent = Add(*(f.args[0] for f in factors if isinstance(f, exp)))
    return Mul(*(f for f in factors if not isinstance(f, exp))), exponent

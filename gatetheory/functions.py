"""The symbolic functions that models are written in.

* :class:`Nonlinear`, an abstract nonlinearity applied to an argument. Equations are derived with
  φ and σ left open; a definition is put in only when numbers are wanted.
* :class:`logistic`, whose derivatives stay finite and accurate for any argument.
* :class:`Next`, the updated value of a field of a map.
* :func:`canonical`, which writes hand-made sigmoids in functions that do not overflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sympy
from sympy import Add, Expr, Integer, Lambda, Mul, Pow, Symbol, cosh, exp, log, sech, sinh, tanh
from sympy.core.symbol import Str
from sympy.printing.pretty.stringpict import prettyForm

from gatetheory.errors import ModelError


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


class Nonlinear(Expr):
    """The n-th derivative of an abstract nonlinearity, applied: φ⁽ⁿ⁾(x).

    Args are the name, the order of the derivative and the argument, so that differentiation,
    substitution and printing need no knowledge of the definition. What the definition contains,
    its parameters above all, is invisible here: differentiate by a parameter after
    :func:`instantiate`.
    """

    is_commutative = True

    def __new__(cls, name: str | Str, order: int | Integer, argument: Expr) -> Nonlinear:
        """Build the node; ``name`` is the name of the nonlinearity."""
        label = name if isinstance(name, Str) else Str(name)
        return Expr.__new__(cls, label, Integer(order), sympy.sympify(argument, strict=True))

    @property
    def name(self) -> str:
        """Name of the nonlinearity."""
        return str(self.args[0].name)

    @property
    def order(self) -> int:
        """Order of the derivative."""
        return int(self.args[1])

    @property
    def argument(self) -> Expr:
        """What the nonlinearity is applied to."""
        return self.args[2]

    @property
    def free_symbols(self) -> set[Symbol]:
        """Symbols of the argument (the definition's parameters are not known here)."""
        return set(self.argument.free_symbols)

    def _eval_is_real(self) -> bool | None:
        return self.argument.is_real

    def _eval_derivative(self, symbol: Symbol) -> Expr:
        return Nonlinear(self.args[0], self.order + 1, self.argument) * self.argument.diff(symbol)

    def _eval_subs(self, old: Expr, new: Expr) -> Expr | None:
        if old == self:
            return new
        return Nonlinear(self.args[0], self.order, self.argument._subs(old, new))

    def _sympystr(self, printer: Any) -> str:
        marks = "'" * self.order if self.order <= 3 else f"^({self.order})"
        return f"{self.name}{marks}({printer._print(self.argument)})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        head = printer._print(Symbol(self.name))
        marks = "'" * self.order if self.order <= 3 else f"^{{({self.order})}}"
        body = rf"\left({printer._print(self.argument)}\right)"
        if exp is None:
            return head + marks + body
        if marks:
            return rf"{head}{marks}{body}^{{{exp}}}"
        return rf"{head}^{{{exp}}}{body}"

    def _pretty(self, printer: Any) -> Any:
        head = printer._print(Symbol(self.name))
        marks = "′" * self.order if self.order <= 3 else f"⁽{self.order}⁾"
        body = prettyForm(*printer._print(self.argument).parens())
        form = prettyForm(*head.right(marks)) if marks else head
        form = prettyForm(*form.right(body))
        return form

    def _mathml_presentation(self, printer: Any) -> Any:
        row = printer.dom.createElement("mrow")
        row.appendChild(printer._print(Symbol(self.name)))
        if self.order:
            marks = printer.dom.createElement("mo")
            primes = "′" * self.order if self.order <= 3 else f"({self.order})"
            marks.appendChild(printer.dom.createTextNode(primes))
            row.appendChild(marks)
        opening, closing = (printer.dom.createElement("mo") for _ in range(2))
        opening.appendChild(printer.dom.createTextNode("("))
        closing.appendChild(printer.dom.createTextNode(")"))
        for piece in (opening, printer._print(self.argument), closing):
            row.appendChild(piece)
        return row


class Next(Expr):
    """The value of a field after the update, as another field of the same map may read it."""

    is_commutative = True

    def __new__(cls, field: Symbol) -> Next:
        """Wrap the symbol of a field."""
        return Expr.__new__(cls, sympy.sympify(field, strict=True))

    def _eval_is_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        text = printer._print(self.args[0]) + r"^{+}"
        return rf"\left({text}\right)^{{{exp}}}" if exp else text

    def _sympystr(self, printer: Any) -> str:
        return f"next({printer._print(self.args[0])})"


def instantiate(expression: Any, definitions: Mapping[str, Lambda]) -> Any:
    """Put the definitions of the nonlinearities into an expression.

    Works on any SymPy object, averages included. Derivatives are taken of the definition, and a
    definition may use other nonlinearities, so no abstract node is left.

    Raises:
        ModelError: If a nonlinearity has no definition.
    """

    def define(name: Str, order: Integer, argument: Expr) -> Expr:
        if name.name not in definitions:
            raise ModelError(
                f"nonlinearity {name.name} has no definition; "
                f"there are {', '.join(definitions) or 'none'}"
            )
        value = derivative_of_definition(definitions[name.name], int(order))(argument)
        return instantiate(value, definitions)

    return expression.replace(Nonlinear, define)


@lru_cache(maxsize=1024)
def derivative_of_definition(definition: Lambda, order: int) -> Lambda:
    """The n-th derivative of a definition, written without cancelling or overflowing terms.

    ``1 - tanh²`` is kept as ``sech²``: the difference would lose every digit in the tails.
    """
    (x,) = definition.variables
    body = definition.expr
    w = sympy.Wild("w")
    for _ in range(order):
        body = canonical(sympy.diff(body, x).replace(1 - tanh(w) ** 2, sech(w) ** 2))
    return Lambda(x, body)


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

"""Rewrites expressions so that their evaluation loses no digits and cannot overflow.

The rules are identities; what changes is the rounding:

* ``1 - tanh(w)²`` becomes ``sech(w)²``, ``1 - logistic(w)`` becomes ``logistic(-w)``,
  ``1 ± tanh(w)`` becomes ``2 logistic(±2w)``;
* ``1/(1 + exp(w))`` becomes ``logistic(-w)``, ``log(1 + exp(w))`` becomes ``softplus(w)``;
* products of exponentially large and small factors become the exponential of a sum.
"""

from __future__ import annotations

import sympy
from sympy import Add, Expr, Function, Mul, Pow, S

from gatetheory.functions import logistic


class softplus(Function):  # noqa: N801
    """log(1 + e^x)."""

    nargs = 1


class logcosh(Function):  # noqa: N801
    """log cosh x."""

    nargs = 1


def stable(expression: Expr) -> Expr:
    """The same function, safe to evaluate at arguments of any size."""
    if not expression.args:
        return expression
    if isinstance(expression, sympy.Piecewise | sympy.logic.boolalg.Boolean):
        return expression.func(*(stable(a) for a in expression.args))
    rebuilt = expression.func(*(stable(a) for a in expression.args))
    if isinstance(rebuilt, Add):
        return _complements(rebuilt)
    if isinstance(rebuilt, Pow):
        return _power(rebuilt)
    if isinstance(rebuilt, sympy.log):
        return _logarithm(rebuilt)
    if isinstance(rebuilt, Mul):
        return _product(rebuilt)
    return rebuilt


# ---- sums ------------------------------------------------------------------------------------


def _complements(total: Add) -> Expr:
    """Replace differences that vanish in a tail by the small function itself."""
    terms = list(total.args)
    for term in total.args:
        scale, rest = term.as_coeff_Mul()
        if isinstance(rest, Pow) and isinstance(rest.base, sympy.tanh) and rest.exp == 2:
            partner, small = -scale, sympy.sech(rest.base.args[0]) ** 2
        elif isinstance(rest, logistic):
            partner, small = -scale, logistic(-rest.args[0])
        elif isinstance(rest, sympy.tanh):
            same = any(_covers(t, scale) for t in terms)
            partner = scale if same else -scale
            small = 2 * logistic((2 if same else -2) * rest.args[0])
        else:
            continue
        covering = next((t for t in terms if t == partner or _covers(t, partner)), None)
        if covering is not None and term in terms:
            terms.remove(covering)
            terms.remove(term)
            terms += [covering - partner, partner * small]
    return Add(*terms)


def _covers(term: Expr, number: Expr) -> bool:
    """Whether both are numbers of one sign and the first is larger: ``number`` can be split off."""
    return bool(
        term.is_Rational and number.is_Rational and (term / number).is_positive
        and abs(term) >= abs(number)
    )  # fmt: skip


# ---- powers and logarithms -------------------------------------------------------------------


def _one_plus_exponential(expression: Expr) -> Expr | None:
    """The w of 1 + exp(w), if that is what the expression is."""
    if isinstance(expression, Add) and len(expression.args) == 2 and S.One in expression.args:
        (other,) = (a for a in expression.args if a != 1)
        if isinstance(other, sympy.exp):
            return other.args[0]
    return None


def _power(power: Pow) -> Expr:
    w = _one_plus_exponential(power.base)
    if w is not None and power.exp.is_negative:
        return logistic(-w) ** (-power.exp)
    return power


def _logarithm(value: Expr) -> Expr:
    (argument,) = value.args
    w = _one_plus_exponential(argument)
    if w is not None:
        return softplus(w)
    if isinstance(argument, sympy.cosh):
        return logcosh(argument.args[0])
    if isinstance(argument, logistic):
        return -softplus(-argument.args[0])
    return value


# ---- products --------------------------------------------------------------------------------


def _logarithm_of_factor(base: Expr) -> tuple[Expr, int] | None:
    """(log of the factor, +1 if it grows, -1 if it decays, 0 if unknown) of an exponential."""
    if isinstance(base, sympy.exp):
        return base.args[0], 0
    if isinstance(base, logistic):
        return -softplus(-base.args[0]), -1
    if isinstance(base, sympy.sech):
        return -logcosh(base.args[0]), -1
    if isinstance(base, sympy.cosh):
        return logcosh(base.args[0]), 1
    return None


def _product(product: Mul) -> Expr:
    """Join exponentials when at least one of several may overflow."""
    factors = [
        f
        for a in product.args
        for f in (
            (sympy.tanh(a.args[0]), sympy.cosh(a.args[0])) if isinstance(a, sympy.sinh) else (a,)
        )
    ]
    logs, rest, may_grow = [], [], False
    for factor in factors:
        base, exponent = factor.as_base_exp()
        if isinstance(factor, sympy.exp):
            base, exponent = factor, S.One
        known = _logarithm_of_factor(base)
        if known is None or not exponent.is_real:
            rest.append(factor)
            continue
        log, growth = known
        may_grow = may_grow or growth == 0 or bool((exponent * growth).is_positive)
        logs.append(exponent * log)
    if len(logs) < 2 or not may_grow:
        return product
    return Mul(*rest, sympy.exp(Add(*logs)))

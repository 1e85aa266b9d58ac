"""Bounds of an expression over all real values of its free variables.

Interval arithmetic on the expression tree. Bounds are safe, not sharp: a variable that occurs twice
is treated as two.
"""

from __future__ import annotations

from itertools import product

import sympy
from sympy import Expr, S

from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import logistic

Bounds = tuple[Expr, Expr]

_MONOTONE = (sympy.tanh, logistic, sympy.erf, sympy.exp, sympy.atan, sympy.sinh, sympy.asinh)
_RANGES: dict[type, Bounds] = {
    sympy.sin: (S.NegativeOne, S.One),
    sympy.cos: (S.NegativeOne, S.One),
    sympy.sign: (S.NegativeOne, S.One),
    sympy.Heaviside: (S.Zero, S.One),
    sympy.sech: (S.Zero, S.One),
}
_EVERYTHING: Bounds = (-sympy.oo, sympy.oo)


def bounds(expression: Expr) -> Bounds:
    """Lower and upper bound; ±∞ where nothing better is known.

    Numbers stay exact; symbols count as free real variables (non-negative ones from 0 on).
    """
    if expression.is_number:
        return expression, expression
    if expression.is_Symbol:
        return (S.Zero if expression.is_nonnegative else -sympy.oo), sympy.oo
    if isinstance(expression, GaussianAverage):
        return bounds(expression.integrand)
    if expression.is_Add:
        parts = [bounds(a) for a in expression.args]
        return sympy.Add(*(p[0] for p in parts)), sympy.Add(*(p[1] for p in parts))
    if expression.is_Mul:
        result: Bounds = (S.One, S.One)
        for a in expression.args:
            corners = [_times(u, v) for u, v in product(result, bounds(a))]
            result = sympy.Min(*corners), sympy.Max(*corners)
        return result
    if expression.is_Pow:
        return _power(expression)
    if isinstance(expression, _MONOTONE):
        low, high = bounds(expression.args[0])
        return expression.func(low), expression.func(high)
    if isinstance(expression, sympy.Max | sympy.Min):
        parts = [bounds(a) for a in expression.args]
        return expression.func(*(p[0] for p in parts)), expression.func(*(p[1] for p in parts))
    if isinstance(expression, sympy.Abs):
        low, high = bounds(expression.args[0])
        return (S.Zero if low < 0 < high else sympy.Min(abs(low), abs(high))), sympy.Max(
            abs(low), abs(high)
        )
    return _RANGES.get(type(expression), _EVERYTHING)


def _power(expression: Expr) -> Bounds:
    base, exponent = expression.as_base_exp()
    low, high = bounds(base)
    if exponent.is_integer and exponent.is_positive:
        ends = low**exponent, high**exponent
        if exponent.is_even:
            return (S.Zero if low < 0 < high else sympy.Min(*ends)), sympy.Max(*ends)
        return ends
    if exponent.is_number and exponent.is_real and low > 0:
        ends = low**exponent, high**exponent
        return sympy.Min(*ends), sympy.Max(*ends)
    if exponent.is_number and exponent.is_positive and low >= 0:
        return low**exponent, high**exponent
    return (S.Zero, sympy.oo) if exponent.is_even else _EVERYTHING


def _times(a: Expr, b: Expr) -> Expr:
    return S.Zero if a == 0 or b == 0 else a * b

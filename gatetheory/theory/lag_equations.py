r"""Lag equations as people read them, from the linear system of the fields.

A field that follows a local field through a transfer function G(s) = n(s)/d(s), s = ∂_t, has

    d(∂_t) d(∂_t') C_x = n(∂_t) n(∂_t') C_η,

and in the stationary state ∂_t = ∂_τ, ∂_t' = −∂_τ. Between two replicas that separate at rate κ,
C¹²(t, t') = C(τ) + ε χ(τ) e^{κ(t+t')}, it is ∂_t = κ + ∂_τ and ∂_t' = κ − ∂_τ. For a map a factor z
shifts time by one step, and κ is the logarithm of the multiplier's.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy
from sympy import Expr, Function, Poly, S, Symbol

from gatetheory.equations.lag_system import KAPPA
from gatetheory.theory.gaussian_fields import GaussianFields

LAG = Symbol("tau", real=True)
SHIFT = Symbol("s", real=True)


def transfer(fields: GaussianFields, field: int, drive: int) -> Expr:
    """G(s) of a field and a local field, a rational function of s."""
    pencil = SHIFT * sympy.diag(*fields.mass) - fields.drift
    if pencil.rows == 1:
        return sympy.cancel(fields.drives[0, drive] / pencil[0, 0])
    column = pencil.adjugate() * fields.drives[:, drive]
    return sympy.cancel(column[field] / pencil.det(method="berkowitz"))


def fraction(g: Expr) -> tuple[Expr, Expr]:
    """Numerator and denominator, scaled so that the denominator's constant term is 1 if it can."""
    n, d = sympy.fraction(sympy.together(g))
    constant = d.subs(SHIFT, 0)
    scale = constant if constant != 0 else S.One
    return sympy.expand(sympy.cancel(n / scale)), sympy.expand(sympy.cancel(d / scale))


def at_both_times(polynomial: Expr, discrete: bool, rate: Expr = S.Zero) -> Expr:
    """p(∂_t) p(∂_t') as a polynomial in s = ∂_τ (Laurent in the shift z for a map)."""
    if discrete:
        factor = sympy.exp(rate)
        earlier = polynomial.subs(SHIFT, factor / SHIFT)
        return sympy.expand(polynomial.subs(SHIFT, factor * SHIFT) * earlier)
    first = polynomial.subs(SHIFT, rate + SHIFT)
    return sympy.expand(first * polynomial.subs(SHIFT, rate - SHIFT))


def applied(operator: Expr, function: Callable[[Expr], Expr], discrete: bool) -> Expr:
    """The operator applied to a function of the lag, derivatives taken or shifts made."""
    total = S.Zero
    if discrete:
        for term in sympy.Add.make_args(sympy.expand(operator)):
            constant, rest = term.as_independent(SHIFT, as_Add=False)
            power = rest.as_base_exp()[1] if rest != 1 else S.Zero
            total += constant * function(LAG + power)
        return total
    for (order,), coefficient in Poly(operator, SHIFT).terms():
        c = sympy.factor(coefficient)
        value = function(LAG)
        total += c * (sympy.Derivative(value, (LAG, order)) if order else value)
    return total


def field_equation(
    fields: GaussianFields,
    index: int,
    covariance: Callable[[Expr], Expr],
    sources: dict[int, Callable[[Expr], Expr]],
    rate: Expr = S.Zero,
) -> tuple[Expr, Expr]:
    """Both sides of the equation of a field's covariance.

    Args:
        fields: The linear system.
        index: The field.
        covariance: Its covariance (or χ) as a function of the lag.
        sources: Covariance (or its variation) of every local field, by its index.
        rate: κ between two replicas, 0 for correlations.
    """
    parts = {a: fraction(transfer(fields, index, a)) for a in sources}
    parts = {a: p for a, p in parts.items() if p[0] != 0}
    common = sympy.S.One
    for _, d in parts.values():
        common = sympy.lcm(common, d)
    left = applied(at_both_times(common, fields.discrete, rate), covariance, fields.discrete)
    right = S.Zero
    for a, (n, d) in parts.items():
        numerator = sympy.expand(n * sympy.cancel(common / d))
        operator = at_both_times(numerator, fields.discrete, rate)
        right += applied(operator, sources[a], fields.discrete)
    return left, right


def named(name: str) -> Callable[[Expr], Expr]:
    """A function of the lag by its name."""
    function = Function(name, real=True)

    def value(lag: Expr) -> Expr:
        return function(lag)

    return value


def rate_symbol(two_replicas: bool) -> Expr:
    """κ between two replicas, else 0."""
    return KAPPA if two_replicas else S.Zero

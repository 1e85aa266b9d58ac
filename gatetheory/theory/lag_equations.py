r"""Lag equations as people read them, from the linear system of the fields.

A field that follows a local field through a transfer function G(s) = n(s)/d(s), s = ∂_t, has

    d(∂_t) d(∂_t') C_x = n(∂_t) n(∂_t') C_η,

and in the stationary state ∂_t = ∂_τ, ∂_t' = −∂_τ. Between two replicas that separate at rate κ,
C¹²(t, t') = C(τ) + ε χ(τ) e^{κ(t+t')}, it is ∂_t = κ + ∂_τ and ∂_t' = κ − ∂_τ. For a map a factor z
shifts time by one step, and κ is the logarithm of the multiplier's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy
from sympy import Expr, Function, ImmutableDenseMatrix, Poly, S, Symbol

from gatetheory.theory.gaussian_fields import GaussianFields

LAG = Symbol("tau", real=True)
SHIFT = Symbol("s", real=True)


def responses(fields: GaussianFields, columns: ImmutableDenseMatrix) -> ImmutableDenseMatrix:
    """G(s) of every field to every column of a driving matrix, rational functions of s."""
    pencil = SHIFT * sympy.diag(*fields.mass) - fields.drift
    determinant = pencil.det(method="berkowitz")
    return ImmutableDenseMatrix(
        (pencil.adjugate() * columns).applyfunc(lambda e: sympy.cancel(e / determinant))
    )


def fraction(g: Expr, discrete: bool) -> tuple[Expr, Expr]:
    """Numerator and denominator as polynomials in s.

    In continuous time the denominator's constant term is made 1, if it is not 0: d(0) = 1 says
    that a constant drive is followed with the gain n(0).
    """
    n, d = sympy.fraction(sympy.together(g))
    constant = d.subs(SHIFT, 0)
    scale = S.One if discrete or constant == 0 else constant
    return sympy.expand(sympy.cancel(n / scale)), sympy.expand(sympy.cancel(d / scale))


def at_both_times(first: Expr, second: Expr, discrete: bool, rate: Expr = S.Zero) -> Expr:
    """p(∂_t) q(∂_t') as a polynomial in s = ∂_τ (Laurent in the shift z for a map)."""
    if discrete:
        factor = sympy.exp(rate)
        later = first.subs(SHIFT, factor * SHIFT)
        return sympy.expand(later * second.subs(SHIFT, factor / SHIFT))
    later = first.subs(SHIFT, rate + SHIFT)
    return sympy.expand(later * second.subs(SHIFT, rate - SHIFT))


def applied(operator: Expr, function: Callable[[Expr], Expr], discrete: bool) -> Expr:
    """The operator applied to a function of the lag, derivatives taken or shifts made."""
    total = S.Zero
    if discrete:
        numerator, denominator = sympy.fraction(sympy.together(operator))
        power = Poly(denominator, SHIFT).degree()
        scale = sympy.cancel(denominator / SHIFT**power)
        for (order,), coefficient in Poly(numerator, SHIFT).terms():
            total += sympy.factor(coefficient / scale) * function(LAG + order - power)
        return total
    for (order,), coefficient in Poly(operator, SHIFT).terms():
        c = sympy.factor(coefficient)
        value = function(LAG)
        total += c * (sympy.Derivative(value, (LAG, order)) if order else value)
    return total


def covariance_equation(
    fields: GaussianFields,
    first: Sequence[Expr],
    second: Sequence[Expr],
    covariance: Callable[[Expr], Expr],
    sources: Sequence[Callable[[Expr], Expr]],
    rate: Expr = S.Zero,
) -> tuple[Expr, Expr]:
    """Both sides of the equation of a covariance C_kl.

    Args:
        fields: The linear system.
        first: u_k as coefficients of the fields.
        second: u_l.
        covariance: C_kl (or χ_kl) as a function of the lag.
        sources: Covariance (or its variation) of every local field.
        rate: κ between two replicas, 0 for correlations; inputs are the same in both replicas and
            are left out then.
    """
    given = rate == 0
    driving = fields.drives
    if given:
        driving = driving.row_join(fields.noises).row_join(fields.statics)
    table = responses(fields, ImmutableDenseMatrix(driving))
    rows = [ImmutableDenseMatrix([list(u)]) * table for u in (first, second)]
    parts = [[fraction(sympy.cancel(g), fields.discrete) for g in row] for row in rows]
    denominators = []
    for side in parts:
        common = S.One
        for n, d in side:
            common = common if n == 0 else sympy.lcm(common, d)
        denominators.append(common)
    discrete = fields.discrete
    operator = at_both_times(denominators[0], denominators[1], discrete, rate)
    left = applied(operator, covariance, discrete)
    right = S.Zero
    count, noises = len(fields.local_fields), len(fields.intensities)
    for a in range(driving.cols):
        numerators = [
            sympy.expand(side[a][0] * sympy.cancel(common / side[a][1]))
            for side, common in zip(parts, denominators, strict=True)
        ]
        if 0 in numerators:
            continue
        operator = at_both_times(numerators[0], numerators[1], discrete, rate)
        if a < count:
            right += applied(operator, sources[a], discrete)
        elif a < count + noises:
            strength = 2 * fields.intensities[a - count]
            right += strength * applied(operator, _pulse(discrete), discrete)
        else:
            still = operator.subs(SHIFT, 1 if discrete else 0)
            right += still * fields.variances[a - count - noises]
    return left, right


def _pulse(discrete: bool) -> Callable[[Expr], Expr]:
    """Covariance of white noise of unit intensity: δ(τ), or δ_τ0 in a map."""

    def value(lag: Expr) -> Expr:
        return sympy.KroneckerDelta(lag, 0) if discrete else sympy.DiracDelta(lag)

    return value


def named(name: str) -> Callable[[Expr], Expr]:
    """A function of the lag by its name."""
    function = Function(name, real=True)

    def value(lag: Expr) -> Expr:
        return function(lag)

    return value

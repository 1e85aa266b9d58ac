r"""The decaying state near the onset: amplitude, profile, correlation time and Lyapunov exponent.

The amplitude equation (:mod:`gatetheory.theory.amplitude`)

    c₁ A'' + (μ + m A₀) A + q A² + p A₀ A² + γ A³ = 0

has two generic balances. With q ≠ 0, A'' ~ εA ~ A²: the amplitude is ∝ ε, the lag ∝ ε^-1/2, and
A = A₀ sech²(kτ/2). With q = 0, μ + m A₀ = 0 to leading order fixes A₀, and what is left of it balances
the cube: A ∝ ε, lag ∝ 1/ε, A = A₀ sech(kτ). In two replicas A₀ does not vary, and κ enters through the
damping −bκ.

Source: Sompolinsky, Crisanti and Sommers (1988); Krishnamurthy, Can and Schwab (2022), Sec. VI.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy import Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.lag_system import LagSystem
from gatetheory.equations.onset import EPSILON, OnsetExpansion
from gatetheory.errors import DerivationError
from gatetheory.theory.exact_values import sign_of, tidy, vanishes
from gatetheory.theory.lag_equations import LAG
from gatetheory.theory.onset_equations import onset_equations
from gatetheory.theory.reduction import NAMES, Reduced, mixed_square, reduce_to_amplitude
from gatetheory.theory.solitary_profile import SolitaryProfile, solitary_profile


def weakly_nonlinear(
    system: LagSystem,
    along: Symbol,
    at: Mapping[Symbol, Expr],
    critical: Expr | None = None,
) -> OnsetExpansion:
    """Expand a lag system about the onset of activity.

    Args:
        system: Derived stationary correlations under the closure ``constant`` or ``factorized``.
        along: The parameter that crosses the onset.
        at: Exact values of parameters; those not named stay open.
        critical: The critical value, where there are several.

    Raises:
        DerivationError: If zero is no fixed point, the onset has no closed form or is not unique,
            or no decaying state branches off.
    """
    known = {s: sympy.sympify(v) for s, v in at.items() if s != along}
    reduced = reduce_to_amplitude(system, along, known, critical)
    values = reduced.values
    order = 3 if vanishes(values["quadratic"]) else 2
    profile = solitary_profile(order)
    criterion = decisive_coefficient(values)
    if vanishes(criterion):
        raise DerivationError(
            "the onset is tricritical at these parameters: the leading balance leaves the "
            "amplitude open; change a parameter"
        )
    unit = _unit(reduced.critical)
    size = tidy(values["growth"] * unit / criterion)
    amplitude = size * EPSILON
    strength = values["quadratic"] if order == 2 else values["cubic"]
    _require_decay(strength)
    if order == 3 and not vanishes(mixed_square(reduced)):
        raise DerivationError(
            "the square of the amplitude vanishes at the onset alone, so that square and cube "
            "balance together; there is no sech or sech² profile"
        )
    squared = tidy(strength / values["inertia"] * profile.rate_squared)
    rate = sympy.sqrt(tidy(squared * size) * EPSILON) if order == 2 else (
        sympy.sqrt(squared) * amplitude
    )  # fmt: skip
    growth = tidy(strength / values["damping"] * profile.growth * size ** (order - 1))
    result = {
        "along": along,
        "critical": reduced.critical,
        "unit": unit,
        "amplitudes": _leading(reduced, reduced.equation.covariances, amplitude, [
            c.name for c in system.covariances]),
        "rate": rate,
        "profile": profile.at(LAG, rate),
        "lambda_max": growth * EPSILON ** (order - 1),
    }  # fmt: skip
    direction = sign_of(criterion)
    return OnsetExpansion(
        equations=onset_equations(system, reduced, profile, known, result),
        case="sech2" if order == 2 else "sech",
        general={n: getattr(reduced.equation, n) for n in (*NAMES, "growth")},
        coefficients={**values, "growth": tidy(values["growth"] * unit)},
        source_amplitudes=_leading(
            reduced, reduced.equation.sources, amplitude, list(system.sources)
        ),
        correlation_time=1 / rate,
        half_width=_half_width(profile) / rate,
        criterion=criterion,
        continuous=None if direction is None else direction > 0,
        side=sign_of(size),
        **result,
    )


def decisive_coefficient(values: Mapping[str, Expr]) -> Expr:
    """What μ is divided by to give A₀; its zero is the tricritical point.

    With q ≠ 0 the solitary solution demands μ + m A₀ = E with E = −⅔ q A₀; with q = 0, E is of higher
    order. One expression holds for both.
    """
    return tidy(solitary_profile(2).energy * values["quadratic"] - values["feedback"])


def _half_width(profile: SolitaryProfile) -> Expr:
    """k τ where the profile has fallen to half."""
    return profile.power * sympy.acosh(S(2) ** (1 / profile.power))


def _unit(critical: Expr) -> Expr:
    """What ε counts: the critical value where its sign is known, else 1."""
    sign = sign_of(critical)
    return critical * sign if sign in (-1, 1) else S.One


def _require_decay(strength: Expr) -> None:
    if sign_of(strength) in (-1, 0):
        raise DerivationError(
            f"no decaying state branches off: the nonlinearity {strength} does not hold a bump "
            "of correlations together"
        )


def _leading(
    reduced: Reduced, direction: ImmutableDenseMatrix, amplitude: Expr, names: list[str]
) -> dict[str, Expr]:
    """Amplitudes of covariances or sources at lag 0, to leading order."""
    shares = (reduced.at_onset(e) for e in direction)
    return {n: tidy(s * amplitude) for n, s in zip(names, shares, strict=True)}

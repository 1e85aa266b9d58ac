r"""A lag system reduced to one amplitude at its onset, definitions and parameters put in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sympy import Dummy, Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.lag_system import LagSystem
from gatetheory.errors import DerivationError
from gatetheory.theory.amplitude import (
    AmplitudeEquation,
    SourceExpansion,
    amplitude_equation,
    coefficients_of,
    expand_sources,
)
from gatetheory.theory.critical_mode import CriticalMode, critical_mode, critical_values
from gatetheory.theory.exact_values import defined, sign_of, tidy, vanishes
from gatetheory.theory.slow_response import slow_response

NAMES = ("inertia", "damping", "feedback", "quadratic", "cubic")


@dataclass(frozen=True)
class Reduced:
    """A lag system at its onset along one parameter.

    Args:
        expansion: The expanded sources.
        mode: The critical mode.
        equation: The amplitude equation, abstract.
        along: The parameter that crosses the onset.
        critical: Its critical value.
        define: Puts definitions and known parameters in.
        values: Coefficients at the onset by name; ``growth`` is dμ by the parameter.
    """

    expansion: SourceExpansion
    mode: CriticalMode
    equation: AmplitudeEquation
    along: Symbol
    critical: Expr
    define: Callable[[Expr], Expr]
    values: Mapping[str, Expr]

    def at_onset(self, expression: Expr) -> Expr:
        """Value of an abstract expression at the onset."""
        return tidy(self.define(expression).subs(self.along, self.critical))

    def rise(self, expression: Expr) -> Expr:
        """Its derivative by the parameter."""
        return tidy(self.define(expression).diff(self.along).subs(self.along, self.critical))


def reduce_to_amplitude(
    system: LagSystem,
    along: Symbol,
    at: Mapping[Symbol, Expr],
    critical: Expr | None = None,
) -> Reduced:
    """The amplitude equation at the onset along a parameter.

    Args:
        system: The lag system.
        along: The parameter.
        at: Values of others.
        critical: Critical value, where there are several.

    Raises:
        DerivationError: If zero is no fixed point, the onset has no closed form or is not unique,
            or the zero state is not first unstable against static perturbations.
    """
    expansion = expand_sources(system, slow_response(system), at)

    def define(e: Expr) -> Expr:
        return defined(e, system.definitions, at)

    if critical is None:
        found = critical_values(expansion.gain.applyfunc(define), along, at, system.bind)
        if len(found) > 1:
            listed = ", ".join(map(str, found))
            raise DerivationError(
                f"the zero state may lose stability at {along} = {listed}; give one as critical="
            )
        (critical,) = found
    value = critical

    def at_onset(e: Expr) -> Expr:
        return tidy(define(e).subs(along, value))

    mode, equation = one_amplitude(expansion, at_onset)
    values = {name: at_onset(getattr(equation, name)) for name in NAMES}
    values["growth"] = tidy(define(equation.growth).diff(along).subs(along, critical))
    if vanishes(values["growth"]):
        raise DerivationError(f"the zero state does not change its stability along {along}")
    if sign_of(values["inertia"]) in (-1, 0):
        raise DerivationError(
            "the response of a unit rises with frequency, so that the zero state first loses "
            "stability at a finite frequency; the expansion in slow functions does not apply"
        )
    return Reduced(expansion, mode, equation, along, critical, define, values)


def one_amplitude(
    expansion: SourceExpansion, at_onset: Callable[[Expr], Expr]
) -> tuple[CriticalMode, AmplitudeEquation]:
    """Critical mode and amplitude equation; the amplitude is C_main(τ) if it takes part."""
    system = expansion.system
    mode = critical_mode(expansion.gain, at_onset)
    left = expansion.response.static * mode.right
    names = [c.name for c in system.covariances]
    order = sorted(range(len(names)), key=lambda k: names[k] != system.main)
    active = [k for k in order if not vanishes(at_onset(left[k]))]
    return mode, amplitude_equation(expansion, mode, active[0])


def mixed_square(reduced: Reduced) -> Expr:
    """p, the coefficient of A₀A² where q = 0 at the onset and μ + m A₀ = 0.

    It contains the slaved parts y_Q A² and y₁ A₀A (driven by products and by the change of B with
    the parameter) and the change of q with the parameter, whose distance is −m A₀/μ'.
    """
    expansion, mode, equation = reduced.expansion, reduced.mode, reduced.equation
    distance = -reduced.values["feedback"] / reduced.values["growth"]
    response = expansion.response.static

    def frozen(vector: ImmutableDenseMatrix) -> ImmutableDenseMatrix:
        return vector.applyfunc(reduced.at_onset)

    v, u = frozen(equation.sources), frozen(equation.covariances)
    drift = expansion.gain.applyfunc(reduced.rise)
    at_onset = CriticalMode(
        gain=frozen(mode.gain),
        right=frozen(mode.right),
        left=frozen(mode.left),
        overlap=reduced.at_onset(mode.overlap),
        drop=mode.drop,
        growth=S.Zero,
    )
    A, A0 = Dummy("A"), Dummy("A_0")
    products = expansion.along(u * A, u * A0, (A, A0))
    squared = at_onset.slaved(frozen(coefficients_of(products, (2, 0))))
    forcing = frozen(coefficients_of(products, (1, 1))) + distance * drift * v
    first = at_onset.slaved(forcing)
    static = frozen(response)
    lagged = u * A + static * (first * A * A0 + squared * A**2)
    equal = u * A0 + static * (first + squared) * A0**2
    cubic = frozen(coefficients_of(expansion.along(lagged, equal, (A, A0)), (2, 1)))
    moving = response * v  # v stays, the response moves with the parameter
    square = coefficients_of(expansion.along(moving * A, moving * A0, (A, A0)), (2, 0))
    change = square.applyfunc(reduced.rise) + drift * squared
    total = at_onset.project(cubic + distance * change) / at_onset.project(v)
    return tidy(total)

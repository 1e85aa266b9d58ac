"""The expansion near the onset as equations that people read, with where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy
from sympy import Expr, Function, S, Symbol

from gatetheory.equations.lag_system import LagSystem
from gatetheory.equations.onset import EPSILON
from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.equations.stationary import is_exact
from gatetheory.references import POSCHL_TELLER, PRICE, SCS
from gatetheory.theory.lag_equations import LAG
from gatetheory.theory.lyapunov import TWO_REPLICAS
from gatetheory.theory.reduction import Reduced
from gatetheory.theory.solitary_profile import SolitaryProfile

NEAR_ONSET = Assumption(
    "near the onset",
    "leading order in the distance ε from the onset; ε small against every other small parameter",
)
SLOW_ONSET = Assumption(
    "slow onset",
    "the zero state is first unstable against perturbations that do not depend on time",
)


def closure_assumptions(system: LagSystem, at: Mapping[Symbol, Expr]) -> tuple[Assumption, ...]:
    """Assumptions of a lag system; that of its closure only where it leaves something out."""
    assumptions = system.equations.assumptions
    if is_exact(system, at):
        return tuple(a for a in assumptions if not a.name.endswith(" gate"))
    return assumptions


def reduction_steps(system: LagSystem, reduced: Reduced) -> tuple[Step, ...]:
    """How an amplitude equation was arrived at."""
    equation = reduced.equation
    quadratic = [e.of_degree(1) + e.of_degree(2) for e in reduced.expansion.sources]
    sources = [
        Step("Price's theorem", f"{name} at small covariances, to second order", value)
        for name, value in zip(system.sources, quadratic, strict=True)
    ]
    return (
        *sources,
        Step("critical mode", "what it leaves of the covariances", equation.covariances),
        Step("slaved parts", "second order off the critical mode, ∝ A(τ)²", equation.squared),
    )


def onset_equations(
    system: LagSystem,
    reduced: Reduced,
    profile: SolitaryProfile,
    at: Mapping[Symbol, Expr],
    result: Mapping[str, Any],
) -> EquationSet:
    """Every equation of the expansion."""
    equation = reduced.equation
    name = system.covariances[equation.measured].name
    amplitude = Function(name, real=True)
    value, equal = amplitude(LAG), amplitude(S.Zero)
    assumptions = (*closure_assumptions(system, at), SLOW_ONSET, NEAR_ONSET)
    references = tuple(dict.fromkeys((*system.equations.references, SCS, PRICE)))
    steps = reduction_steps(system, reduced)
    mu = Symbol("mu", real=True)
    balance = equation.quadratic * value**2
    if result["lambda_max"].has(EPSILON**2):
        balance = equation.cubic * value**3
    onset = Step("onset", "the zero state is at the border of stability", equation.growth)
    shape = Step(
        "profile", f"a power {profile.power} of sech, by comparing powers", result["profile"]
    )

    def equation_of(tag: str, lhs: Expr, rhs: Expr, meaning: str, *trace: Step) -> Equation:
        replicas = (TWO_REPLICAS,) if tag == "lambda_max" else ()
        further = (POSCHL_TELLER,) if tag == "lambda_max" else ()
        return Equation(
            tag, lhs, rhs, meaning, trace, (*assumptions, *replicas), (*references, *further)
        )

    found = [
        equation_of(
            "onset", mu, equation.growth,
            "growth of the zero state, which vanishes at the onset", *steps[:-2],
        ),
        equation_of(
            "critical", result["along"], result["critical"] + result["unit"] * EPSILON,
            "the onset, and the distance ε from it", onset,
        ),
        equation_of(
            "amplitude", equation.inertia * sympy.Derivative(value, (LAG, 2)),
            -(mu + equation.feedback * equal) * value - balance,
            f"amplitude equation of {name} near the onset", *steps,
        ),
    ]  # fmt: skip
    for label, size in result["amplitudes"].items():
        if size != 0:
            found.append(
                equation_of(
                    label, Function(label, real=True)(LAG), size * result["profile"],
                    f"{label} near the onset", *steps, onset, shape,
                )
            )  # fmt: skip
    mode = Step(
        "two replicas",
        f"A(0) held, the growing mode is the power {profile.mode} of the same sech: it has no node",
    )
    found += [
        equation_of(
            "correlation_time", Symbol("tau_c", positive=True), 1 / result["rate"],
            "time in which covariances fall by e at large lag", *steps, onset, shape,
        ),
        equation_of(
            "lambda_max", Symbol("lambda_max", real=True), result["lambda_max"],
            "largest Lyapunov exponent near the onset", *steps, onset, shape, mode,
        ),
    ]  # fmt: skip
    return EquationSet("onset", tuple(found))

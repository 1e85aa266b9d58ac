r"""Stationary correlations of one covariance from energy conservation, to many digits.

Where a lag system is one equation C − τ² C'' = S(C; C(0)), C(0) solves E(C₀) = 0 for the energy E
of :mod:`gatetheory.solvers.potential_energy`, and two chaotic states merge where E = ∂E/∂C₀ = 0. No
grid of lags is needed. Starts come from doubles. The unknowns are found by Newton's method whose
Jacobian, computed once at few digits, is updated after Broyden's rule.

Every result is computed twice, the second time with more nodes and at a higher precision. Digits
are those in which the two agree.

*Assumptions*: those of the lag system. The digits are an agreement of two evaluations, no proof.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import Any

import flint
from sympy import Expr, Symbol

from gatetheory.codegen import pairs_ball
from gatetheory.codegen.precision_ball import midpoint
from gatetheory.equations.lag_system import LagSystem
from gatetheory.errors import ConvergenceError, DerivationError
from gatetheory.solvers.lag_elimination import SingleEquation, single_equation
from gatetheory.solvers.potential_energy import Accuracy, EnergyProgram, first_accuracy
from gatetheory.solvers.potential_equations import APPROACHED, PotentialEquations
from gatetheory.solvers.potential_landscape import Orbit, amplitudes, rests
from gatetheory.solvers.potential_values import SourceProgram, in_doubles

_ROUNDS = 4
_MANY = 1_000_000  # digits of what does not differ


@dataclass(frozen=True)
class Potential:
    """A lag system that is one equation for one covariance.

    Args:
        equation: The equation.
        doubles: S in doubles.
        balls: E in balls.
    """

    equation: SingleEquation
    doubles: SourceProgram
    balls: EnergyProgram


@dataclass(frozen=True)
class PotentialState:
    """A solution, or a fold at which two merge.

    Args:
        equal: C(0), ``mpf``.
        plateau: C(∞).
        value: The parameter at a fold; None for a solution at given parameters.
        values: Equal-time covariances and observables by name.
        digits: Digits in which two evaluations of the value (of C(0), without one) agree, at most
            those asked for.
        digits_of_values: The same of C(0).
        error: Their difference, relative.
        residual: Largest equation left: |E|/C₀², at a fold also |∂E/∂C₀|/C₀.
    """

    equal: Any
    plateau: Any
    value: Any
    values: Mapping[str, Any]
    digits: int
    digits_of_values: int
    error: Any
    residual: Any


def potential_of(
    system: LagSystem, parameters: Mapping[Symbol, Expr], along: Symbol | None = None
) -> Potential | None:
    """The potential of a lag system at parameters; None where it has none.

    Args:
        system: The lag system.
        parameters: Values of all parameters.
        along: A parameter that stays open.
    """
    equation = single_equation(system, parameters, along)
    if equation is None:
        return None
    try:
        return _compiled(equation)
    except DerivationError:  # averages that are not to be had to many digits
        return None


@lru_cache(maxsize=16)
def _compiled(equation: SingleEquation) -> Potential:
    return Potential(equation, SourceProgram(equation, in_doubles), EnergyProgram(equation))


def solve_amplitudes(potential: Potential, digits: int) -> list[PotentialState]:
    """All C(0) that a scan finds, ascending.

    Args:
        potential: A potential without an open parameter.
        digits: Digits wanted.

    Raises:
        ConvergenceError: If Newton's method does not settle.
    """
    if potential.equation.along is not None:
        raise DerivationError(f"{potential.equation.along} is open; give it a value")
    return [
        _evaluated_twice(potential, [orbit.equal], orbit.plateau, digits)
        for orbit in amplitudes(potential.doubles, 0.0)
    ]


def fold_in_parameter(
    system: LagSystem,
    parameters: Mapping[Symbol, Expr],
    along: Symbol,
    start: tuple[float, float],
    digits: int,
) -> PotentialState:
    """Where two solutions merge along a parameter.

    Args:
        system: The lag system.
        parameters: Values of all other parameters.
        along: The parameter.
        start: C(0) and the parameter in doubles.
        digits: Digits wanted.

    Raises:
        DerivationError: If the system has no potential.
        ConvergenceError: If Newton's method does not settle.
    """
    potential = potential_of(system, parameters, along)
    if potential is None:
        raise DerivationError(
            f"the lag equations with {along} open are not one equation C − τ²C'' = S(C; C(0)) at "
            "these parameters; the potential method does not apply"
        )
    orbit = _nearest(potential, *start)
    return _evaluated_twice(potential, [orbit.equal, start[1]], orbit.plateau, digits)


def _nearest(potential: Potential, equal: float, value: float) -> Orbit:
    """The root C∞ that belongs to a solution given by C(0) alone."""
    found = [r for r in rests(potential.doubles, equal, value) if r.is_reached]
    if not found:
        raise ConvergenceError(f"nothing decays from C(0) = {equal:.12g} at these parameters")
    return Orbit(equal, min(found, key=lambda r: abs(r.energy)).plateau)


def _evaluated_twice(
    potential: Potential, start: Sequence[float], plateau: float, digits: int
) -> PotentialState:
    """Solve for C₀ (and p) twice, with more effort if the two do not agree."""
    equations = PotentialEquations(potential.balls, plateau)
    unknowns, inverse = equations.approach([flint.arb(v) for v in start])
    accuracy, known = first_accuracy(digits), APPROACHED
    for _ in range(_ROUNDS):
        first, inverse, _ = equations.solve(unknowns, inverse, accuracy, digits + 4, known)
        finer = accuracy.refined(8)
        second, inverse, last = equations.solve(first, inverse, finer, digits + 4, 0.0)
        with finer.precision():
            errors = [abs((a - b) / b) for a, b in zip(first, second, strict=True)]
            agreed = [min(_digits_of(e), digits) for e in errors]
            state = PotentialState(
                equal=midpoint(second[0]),
                plateau=midpoint(last.plateau),
                value=midpoint(second[1]) if len(second) > 1 else None,
                values=_values(potential, second, finer),
                digits=agreed[-1],
                digits_of_values=agreed[0],
                error=midpoint(errors[-1]),
                residual=midpoint(equations.residual),
            )
        if min(agreed) == digits:
            break
        unknowns, known = second, 0.0
        accuracy = accuracy.refined(8 + digits - min(agreed))
    return state


def _digits_of(error: flint.arb) -> int:
    return max(int(-float(error.log()) / log(10)), 0) if error > 0 else _MANY


def _values(potential: Potential, unknowns: list[flint.arb], accuracy: Accuracy) -> dict[str, Any]:
    """Equal-time values of covariances and observables by name."""
    equation = potential.equation
    equal, parameter = unknowns[0], (unknowns[1:] or [flint.arb(0)])[0]
    found = potential.balls.source.eliminated(equal, parameter, digits=accuracy.digits)
    stages = [s.covariance for s in equation.stages]
    arguments = [*(c.symbol for c in stages), *(c.equal for c in stages)]
    given = [found[c.name] for c in stages] * 2
    if equation.along is not None:
        arguments.append(equation.along)
        given.append(parameter)
    program = pairs_ball.compile_pairs(list(equation.observables.values()), arguments)
    more = program(*given, digits=accuracy.digits).tolist()
    values = found | {n: row[0] for n, row in zip(equation.observables, more, strict=True)}
    return {n: midpoint(v) for n, v in values.items()}

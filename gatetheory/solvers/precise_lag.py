"""Stationary correlations to many digits at given parameters.

A solution in doubles is the start. Two evaluations follow, on grids without a common node, the
second at more nodes per element and at higher working precision; what they agree on is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from flint import arb
from sympy import Expr, Symbol

from gatetheory.codegen.precision_ball import midpoint
from gatetheory.equations.lag_system import LagSystem
from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.solvers.lag_problem import LagPoint, LagProblem, LagProgram
from gatetheory.solvers.precise_agreement import advice, agreed, difference, insist, verify
from gatetheory.solvers.precise_chord import largest
from gatetheory.solvers.precise_grid import magnitude
from gatetheory.solvers.precise_problem import PreciseProblem, PreciseProgram
from gatetheory.solvers.precise_records import PreciseState
from gatetheory.solvers.precise_resolution import (
    better_grid,
    confirming,
    degree,
    first_grid,
    moved,
    sampled,
    tail,
)  # fmt: skip
from gatetheory.solvers.precise_solution import solve_at_parameters
from gatetheory.solvers.precise_values import every_value

Progress = Callable[[str], None]

FEWEST = 5  # digits that are worth this way of computing
GRIDS = 8  # most grids tried
MORE = 5  # digits by which the second evaluation is computed more accurately
MARGIN = 3  # digits by which equations are solved more accurately than asked for
_NEAR = -3.0  # log10 of the largest distance of a solution from a start in doubles, relative


def solve_precisely(
    system: LagSystem,
    parameters: Mapping[Symbol, Expr],
    start: LagPoint,
    digits: int,
    progress: Progress | None = None,
) -> PreciseState:
    """Correlations at given parameters.

    Args:
        system: The lag system.
        parameters: Exact values.
        start: A solution in doubles at these parameters.
        digits: Significant digits wanted.
        progress: Told what is being done.

    Raises:
        ParameterError: If the system is a map, or a parameter has no value.
        ConvergenceError: If the start is no solution, or the solution cannot be resolved.
    """
    check(system, parameters, start, digits)
    program = precise_program(system)

    def evaluate(working: int) -> PreciseState:
        return _evaluated(program, parameters, start, digits, working, progress or silent)

    return insist(evaluate, digits)


def _evaluated(
    program: PreciseProgram,
    parameters: Mapping[Symbol, Expr],
    start: LagPoint,
    digits: int,
    working: int,
    tell: Progress,
) -> PreciseState:
    """Two evaluations with ``working`` digits, of which ``digits`` are wanted."""
    grid = first_grid(start, tail(working), degree(working), memory(program, parameters))
    vector = sampled(start, grid)
    for _ in range(GRIDS):
        problem = PreciseProblem(program, parameters, grid, working + MARGIN)
        tell(f"{working} digits on {grid.size} nodes")
        guess, vector = vector, solve_at_parameters(problem, vector, -working - MARGIN).unknowns
        _require_near(problem, guess, vector)
        better = better_grid(problem, vector, tail(working))
        if better is None:
            break
        vector, grid = moved(problem, vector, better), better
    else:
        raise ConvergenceError("the grid did not settle; ask for fewer digits")
    verify(problem, vector)
    first, other = every_value(problem, vector), confirming(grid)
    tell(f"confirming on {other.size} nodes")
    vector = moved(problem, vector, other)
    problem = PreciseProblem(program, parameters, other, working + MARGIN + MORE)
    solved = solve_at_parameters(problem, vector, -working - MARGIN - MORE)
    second = every_value(problem, solved.unknowns)
    error = difference(first, second, problem)
    rounding = -working - MARGIN  # smaller plateaus are what is left of a zero
    return PreciseState(
        {k: midpoint(v) for k, v in second.equal.items()},
        {k: midpoint(v if magnitude(v) > rounding else arb(0)) for k, v in second.plateau.items()},
        agreed(error, digits), 10.0**error, 10.0**solved.residual, other.size,
        advice(error, digits),
    )  # fmt: skip


def _require_near(problem: PreciseProblem, guess: Sequence[arb], found: Sequence[arb]) -> None:
    with problem.precision():
        distance = largest([a - b for a, b in zip(guess, found, strict=True)]) - largest(found)
    if distance > _NEAR:
        raise ConvergenceError(
            "the start is no solution at these parameters: the next one is "
            f"{10**distance:.1e} away, relative to its size"
        )


# ---- what the fold shares ------------------------------------------------------------------------


def silent(message: str) -> None:
    """Progress that nobody wants to hear of."""


@lru_cache(maxsize=16)
def precise_program(system: LagSystem) -> PreciseProgram:
    """A system compiled for any number of digits."""
    return PreciseProgram(LagProgram(system))


def check(
    system: LagSystem, parameters: Mapping[Symbol, Expr], start: LagPoint, digits: int
) -> None:
    """Refuse what cannot be computed.

    Raises:
        ParameterError: If digits are too few, or a parameter is missing.
        ConvergenceError: If the start is of another problem.
    """
    if digits < FEWEST:
        raise ParameterError(f"digits must be at least {FEWEST}, not {digits}")
    for p in system.parameters:
        if p not in parameters:
            raise ParameterError(f"the parameter {p} has no value")
    if start.scale != 1:
        raise ConvergenceError("the start belongs to sources of another scale than 1")


def memory(program: PreciseProgram, parameters: Mapping[Symbol, Expr]) -> float:
    """Memory of the slowest mode of a unit."""
    return LagProblem(program.program, parameters).filter.slowest

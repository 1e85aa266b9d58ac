"""Stationary correlations to many digits at given parameters.

A solution in doubles is the start. Two evaluations follow, on grids without a common node, the
second at more nodes per element and at higher working precision; what they agree on is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from flint import arb
from sympy import Expr, Symbol

from gatetheory.codegen.precision_ball import midpoint
from gatetheory.equations.lag_system import LagSystem
from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.solvers.lag_grid import ElementGrid
from gatetheory.solvers.lag_problem import LagPoint, LagProblem, LagProgram
from gatetheory.solvers.precise_grid import PreciseGrid, magnitude
from gatetheory.solvers.precise_problem import PreciseProblem, PreciseProgram
from gatetheory.solvers.precise_records import PreciseState
from gatetheory.solvers.precise_resolution import confirming, first_grid, improved
from gatetheory.solvers.precise_solution import solve_at_parameters
from gatetheory.solvers.precise_values import Values, every_value

Progress = Callable[[str], None]

FEWEST = 5  # digits that are worth this way of computing
GRIDS = 8  # most grids tried
MORE = 5  # digits by which the second evaluation is computed more accurately
MARGIN = 3  # digits by which equations are solved more accurately than asked for
_TAIL = 0.75  # share of the digits to which functions are resolved: C(0) converges twice as fast
_FOUND = 1e-3  # largest relative residual of a start in doubles


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
        ParameterError: If the system is a map, or a parameter has no exact value.
        ConvergenceError: If the solution cannot be resolved, or steps stop helping.
    """
    check(system, parameters, digits)
    tell = progress or silent
    program = precise_program(system)
    grid = first_grid(start, tail(digits), degree(digits), memory(program, parameters))
    vector = start_on(start, grid)
    for _ in range(GRIDS):
        problem = PreciseProblem(program, parameters, grid, digits + MARGIN)
        tell(f"{digits} digits on {grid.size} nodes")
        solved = solve_at_parameters(problem, vector, -digits - MARGIN)
        vector = solved.unknowns
        better = better_grid(problem, vector, digits)
        if better is None:
            break
        vector, grid = moved(problem, vector, better), better
    else:
        raise ConvergenceError("the grid did not settle; ask for fewer digits")
    first = every_value(problem, vector)
    grid = confirming(grid)
    tell(f"confirming on {grid.size} nodes")
    vector = moved(problem, vector, grid)
    problem = PreciseProblem(program, parameters, grid, digits + MARGIN + MORE)
    solved = solve_at_parameters(problem, vector, -digits - MARGIN - MORE)
    second = every_value(problem, solved.unknowns)
    error = difference(first, second, problem)
    return PreciseState(
        {k: midpoint(v) for k, v in second.equal.items()},
        {k: midpoint(v if magnitude(v) > -digits - MARGIN else arb(0)) for k, v in second.plateau.items()},
        agreed(error, digits), 10.0**error, 10.0**solved.residual, grid.size, advice(error, digits),
    )  # fmt: skip


# ---- what the fold shares ------------------------------------------------------------------------


def silent(message: str) -> None:
    """Progress that nobody wants to hear of."""


@lru_cache(maxsize=16)
def precise_program(system: LagSystem) -> PreciseProgram:
    """A system compiled for any number of digits."""
    return PreciseProgram(LagProgram(system))


def check(system: LagSystem, parameters: Mapping[Symbol, Expr], digits: int) -> None:
    """Refuse what cannot be computed.

    Raises:
        ParameterError: If digits are too few, or a parameter is missing or rounded.
    """
    if digits < FEWEST:
        raise ParameterError(f"digits must be at least {FEWEST}, not {digits}")
    for p in system.parameters:
        if p not in parameters:
            raise ParameterError(f"the parameter {p} has no value")


def degree(digits: int) -> int:
    """Nodes per element."""
    return 8 + round(0.8 * digits)


def tail(digits: int) -> float:
    """Digits to which functions of the lag are resolved."""
    return _TAIL * digits + MARGIN


def memory(program: PreciseProgram, parameters: Mapping[Symbol, Expr]) -> float:
    """Memory of the slowest mode of a unit."""
    return LagProblem(program.program, parameters).filter.slowest


def start_on(start: LagPoint, grid: PreciseGrid) -> list[arb]:
    """Unknowns on a grid from a solution in doubles.

    Raises:
        ConvergenceError: If it is no solution on elements at μ = 1.
    """
    if not isinstance(start.grid, ElementGrid):
        raise ConvergenceError("a solution on elements is needed to start from")
    nodes = np.array([float(x) for x in grid.nodes()])
    rows = [start.grid.interpolate(row, nodes) for row in start.decay]
    return [arb(float(x)) for row in (start.plateau, *rows) for x in row]


def better_grid(problem: PreciseProblem, vector: Sequence[arb], digits: int) -> PreciseGrid | None:
    """A grid that resolves the decays of a solution; None if its own does."""
    with problem.precision():
        return improved(problem.grid, problem.split(vector)[1], tail(digits))


def moved(problem: PreciseProblem, vector: Sequence[arb], grid: PreciseGrid) -> list[arb]:
    """Unknowns on another grid."""
    with problem.precision():
        plateaus, decays = problem.split(vector)
        rows = [problem.grid.moved(decay, grid) for decay in decays]
        return [*plateaus, *(x for row in rows for x in row)]


def difference(first: Values, second: Values, problem: PreciseProblem) -> float:
    """log10 of the largest relative difference of an equal-time value."""
    with problem.precision():
        found = [-1e9]
        for name, value in second.equal.items():
            found.append(magnitude(first.equal[name] - value) - max(magnitude(value), -300.0))
        return max(found)


def agreed(error: float, digits: int) -> int:
    """Digits that a relative difference (its log10) leaves, at most those asked for."""
    return max(min(int(np.floor(-error)), digits), 0)


def advice(error: float, digits: int) -> str:
    """What to do about fewer digits than asked for."""
    if agreed(error, digits) >= digits:
        return ""
    return (
        f"two evaluations agree on {agreed(error, digits)} digits only: ask for a few digits more "
        "than are needed; close to an onset or a fold digits are lost to the condition"
    )

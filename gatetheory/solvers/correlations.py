"""Stationary correlation functions, from lag equations to what people read.

The search (:mod:`gatetheory.solvers.lag_search`) finds the decaying solutions, Newton's method on
elements (:mod:`gatetheory.solvers.lag_newton`) makes them exact to about 1e-12, and every one is
checked (:mod:`gatetheory.solvers.lag_checks`) before it is handed out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from sympy import Expr, Symbol

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.correlation_records import CorrelationBranch, Correlations
from gatetheory.solvers.lag_checks import least_power, zero_mode_error
from gatetheory.solvers.lag_grid import ElementGrid
from gatetheory.solvers.lag_newton import Refined, refine
from gatetheory.solvers.lag_problem import LagPoint, LagProblem, LagProgram
from gatetheory.solvers.lag_search import search
from gatetheory.solvers.records import Provenance, by_name

Array = NDArray[np.float64]

TOLERANCE = 1e-9  # relative error of C(0) beyond which a solution is not handed out
_NEGATIVE = 1e-8  # power below zero, relative to the largest, that rounding may leave
_ZERO_MODE = 1e-6


def stationary_points(problem: LagProblem) -> tuple[list[Refined], float | None, str]:
    """All decaying solutions, refined and checked; the quiet state's response; what was searched.

    Raises:
        ConvergenceError: If solutions exist but none could be verified.
    """
    found = search(problem)
    good, trouble = [], ""
    for point in found.points:
        try:
            refined = refine(problem, point, found.quiet)
            _verify(problem, refined)
        except ConvergenceError as error:
            trouble = str(error)
            continue
        good.append(refined)
    if found.points and not good:
        raise ConvergenceError(trouble)
    return _distinct(problem, good), found.quiet, found.searched


def _verify(problem: LagProblem, refined: Refined) -> None:
    if not refined.error < TOLERANCE:
        raise ConvergenceError(
            f"C(0) is known to {refined.error:.1e} only; the state may lie next to a fold"
        )
    power = least_power(problem, refined.point)
    if power < -_NEGATIVE:
        raise ConvergenceError(
            f"the solution found is no covariance: its power falls to {power:.1e} of its largest"
        )
    if not problem.program.system.discrete:
        zero = zero_mode_error(problem, refined.point)
        if zero > _ZERO_MODE:
            raise ConvergenceError(f"the zero mode C' is missed by {zero:.1e}")


def _distinct(problem: LagProblem, found: list[Refined]) -> list[Refined]:
    row = problem.program.main
    result: list[Refined] = []
    for refined in sorted(found, key=lambda r: problem.covariances_at(r.point).equal[row]):
        size = problem.covariances_at(refined.point).equal[row]
        known = [problem.covariances_at(r.point).equal[row] for r in result]
        if all(abs(size - k) > 1e-7 * abs(size) for k in known):
            result.append(refined)
    return result


def solve_correlations(
    program: LagProgram,
    parameters: Mapping[Symbol, Expr],
    reason: str,
    exact: bool,
) -> Correlations:
    """Stationary correlations from lag equations.

    Args:
        program: The compiled lag system.
        parameters: Exact values.
        reason: Why its closure was used.
        exact: Whether the closure leaves nothing out at these values.

    Raises:
        ConvergenceError: If the search fails, or a solution cannot be verified.
    """
    system = program.system
    problem = LagProblem(program, parameters)
    points, quiet, searched = stationary_points(problem)
    branches = tuple(branch(problem, p) for p in points)
    assumptions = system.equations.assumptions
    if exact:
        assumptions = tuple(a for a in assumptions if not a.name.endswith(" gate"))
    return Correlations(
        status="ok" if branches else "no_chaotic_state",
        branches=branches,
        closure=system.closure,
        reason=reason,
        exact=exact,
        quiet_response=quiet,
        searched=searched,
        provenance=Provenance(by_name(parameters), 15, assumptions, system.equations.references),
    )


def branch(problem: LagProblem, refined: Refined) -> CorrelationBranch:
    """Everything that follows from the sources of one solution."""
    point = refined.point
    lagged, equal, plateau = every_covariance(problem, point)
    system = problem.program.system
    names = [c.name for c in system.covariances]
    further = [*system.observables, *system.sources]
    values = observed(problem, np.hstack([lagged, equal[:, None], plateau[:, None]]), equal)
    functions = dict(zip(names, lagged, strict=True))
    at_zero = dict(zip(names, equal.tolist(), strict=True))
    at_infinity = dict(zip(names, plateau.tolist(), strict=True))
    for name, row in zip(further, values, strict=True):
        if name.startswith("S_"):
            continue  # auxiliary source of a factorized field
        functions[name], at_zero[name] = row[:-2], float(row[-2])
        at_infinity[name] = float(row[-1])
    return CorrelationBranch(
        values=at_zero,
        plateaus={k: 0.0 if abs(v) < 1e-12 else v for k, v in at_infinity.items()},
        half_width=half_width(point, functions[system.main], at_zero[system.main],
                              at_infinity[system.main]),
        error=max(refined.error, 1e-14),
        residual=refined.residual,
        lags=point.grid.nodes,
        functions=functions,
        point=point,
        main=system.main,
    )  # fmt: skip


def every_covariance(problem: LagProblem, point: LagPoint) -> tuple[Array, Array, Array]:
    """All covariances at the nodes, at lag 0 and at infinite lag, those nobody reads included."""
    program = problem.program
    count, n = len(problem.covariances), len(point.grid.nodes)
    core = problem.covariances_at(point)
    table = np.zeros((count, n + 2))  # nodes, lag 0, infinity
    table[program.read] = np.column_stack([core.lagged, core.equal, core.plateau])
    decays = np.zeros((len(program.system.sources), n))
    plateaus = np.zeros(len(program.system.sources))
    decays[program.sources], plateaus[program.sources] = point.decay, point.plateau
    responses = [problem.response(point.grid, k) for k in range(count)]
    given = [problem.given(point.grid, k) for k in range(count)]
    for _ in range(len(plateaus) - len(program.sources) + 1):
        values = observed(problem, table, positive(table[:, -2]))
        sources = values[len(program.system.observables) :]
        for s in range(len(plateaus)):
            if s not in program.sources:
                plateaus[s] = sources[s, -1]
                decays[s] = sources[s, :n] - sources[s, -1]
        for k in range(count):
            matrices, totals = responses[k]
            white, static = given[k]
            full = np.einsum("sij,sj->i", matrices, decays) + totals @ plateaus + white + static
            table[k] = np.append(full, totals @ plateaus + static)
    return table[:, :n], table[:, n], table[:, n + 1]


def positive(equal: Array) -> Array:
    """Variances that may stand in averages: 1 where there is none."""
    return np.where(equal > 0, equal, 1.0)


def observed(problem: LagProblem, table: Array, equal: Array) -> Array:
    """Observables and sources at given covariances, shape (outputs, columns)."""
    arguments = [*table, *(float(e) for e in equal), 0.0, *problem.values]
    return problem.program.outputs(*arguments, tolerance=1e-13)


def half_width(point: LagPoint, values: Array, equal: float, plateau: float) -> float:
    """Lag at which C(τ) − C(∞) has fallen to half of C(0) − C(∞), the first time."""
    target = (equal + plateau) / 2
    below = np.flatnonzero(values < target)
    if not len(below):
        return float("inf")
    first = int(below[0])
    nodes = point.grid.nodes
    low, high = (nodes[first - 1] if first else 0.0), nodes[first]
    if isinstance(point.grid, ElementGrid):
        excess = values - target

        def difference(lag: float) -> float:
            return float(point.grid.interpolate(excess, np.array([lag]))[0])

        if difference(low) * difference(high) < 0:
            return float(brentq(difference, low, high, xtol=1e-13, rtol=1e-13))
    start = values[first - 1] if first else equal
    return float(low + (high - low) * (start - target) / (start - values[first]))

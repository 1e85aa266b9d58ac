"""Solve equations of gradients: which state there is decides how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sympy import Expr

from gatetheory.equations.gradient_problem import GradientProblem
from gatetheory.equations.stationary import is_exact
from gatetheory.errors import ParameterError
from gatetheory.pipeline.dynamics import refuse_sampling_options, warn_of_closure
from gatetheory.pipeline.programs import DOUBLE, lag_program, require_doubles
from gatetheory.pipeline.solving import Values, solve
from gatetheory.pipeline.states import state_values
from gatetheory.solvers.closed_gradients import solve_closed_gradients
from gatetheory.solvers.correlations import solve_correlations
from gatetheory.solvers.fixed_point_gradients import (
    adjoint_covariance,
    solve_fixed_point_gradients,
)
from gatetheory.solvers.gradient_records import (
    Gradients,
    adjoint_times,
    checked_horizons,
    checked_names,
    no_gradients,
)
from gatetheory.solvers.lag_problem import LagProblem
from gatetheory.solvers.sampled_gradients import solve_sampled_gradients

AT_REST = 1e-8  # relative error of gradients at a fixed point


@solve.register
def _(
    problem: GradientProblem,
    at: Values | None = None,
    *,
    horizon: Any = 10,
    loss: str | Expr | None = None,
    running: bool = False,
    by: str | Sequence[str] | None = None,
    closure: str | None = None,
    branch: int = -1,
    fixed_point: int | None = None,
    tolerance: float | None = None,
    adjoint: bool = False,
    digits: int = DOUBLE,
    **sampling: Any,
) -> Gradients:
    require_doubles(digits, "gradients")
    parameters = problem.bind(at)
    external = problem.loss(loss, running)
    horizons = checked_horizons(horizon, problem.process.discrete)
    names = checked_names(problem, by)

    def at_rest(number: int, why: str) -> Gradients:
        refuse_sampling_options(sampling, "exact")
        condition = problem.spectrum()
        unknowns = state_values(condition.state, condition.law, at, DOUBLE, number, None)
        place = problem, parameters, unknowns, external
        allowed = AT_REST if tolerance is None else tolerance
        found = solve_fixed_point_gradients(*place, horizons, names=names, tolerance=allowed)
        if not adjoint:
            return replace(found, reason=why)
        times = adjoint_times(horizons[-1], problem.process.discrete)
        table = adjoint_covariance(*place, times, times)
        return replace(found, reason=why, times=times, adjoint=table)

    if fixed_point is not None:
        if closure is not None:
            raise ParameterError("nothing is closed at a fixed point: leave out the closure")
        return at_rest(fixed_point, "asked for")
    if closure == "factorized":
        raise ParameterError("gradients have the closures 'constant' and 'sampled'")
    name, reason = problem.state.closure(parameters, closure)
    if name == "constant" and problem.closed is None:
        name, reason = "sampled", problem.refusal
    if name == "sampled":
        resting = _stable_fixed_point(problem, at) if closure is None else None
        if resting is not None:
            return at_rest(
                resting,
                "a fixed point is stable; whether there is a chaotic state beside it was not "
                'asked: closure="sampled" starts from that',
            )
        found = solve_sampled_gradients(
            problem, parameters, external, horizons, names=names or (), **sampling
        )
        return replace(found, reason=reason)
    refuse_sampling_options(sampling, name)
    system = problem.state.lag_system(name)
    exact = is_exact(system, parameters)
    warn_of_closure(name, exact)
    program = lag_program(system)
    correlations = solve_correlations(program, parameters, reason, exact)
    if len(correlations):
        if not -len(correlations) <= branch < len(correlations):
            raise ParameterError(
                f"there is no branch {branch}: {len(correlations)} found, counted from 0"
            )
        return solve_closed_gradients(
            problem, parameters, correlations, LagProblem(program, parameters), external, horizons,
            branch=branch, names=names, tolerance=tolerance,
        )  # fmt: skip
    resting = _stable_fixed_point(problem, at)
    if resting is None:
        return no_gradients(problem, parameters, external, horizons)
    return at_rest(resting, "there is no chaotic state; a fixed point is stable")


def _stable_fixed_point(problem: GradientProblem, at: Values | None) -> int | None:
    """Number of the last stable fixed point, if there is one."""
    fixed_points = problem.state.fixed_points
    if fixed_points is None:
        return None
    stable = [k for k, point in enumerate(solve(fixed_points, at)) if point.stable]
    return stable[-1] if stable else None

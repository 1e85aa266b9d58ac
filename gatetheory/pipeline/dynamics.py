"""Solve equations of what happens in time: correlations, growth of perturbations, transients."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

from gatetheory.equations.stationary import ReplicaGrowth, StationaryState, is_exact
from gatetheory.equations.two_time_system import TwoTimeProblem
from gatetheory.errors import AssumptionWarning, ParameterError
from gatetheory.pipeline.programs import DOUBLE, lag_program, require_doubles
from gatetheory.pipeline.solving import Values, solve
from gatetheory.pipeline.states import quiet_abscissa
from gatetheory.solvers.correlation_records import Correlations, Lyapunov
from gatetheory.solvers.correlations import solve_correlations
from gatetheory.solvers.lyapunov import solve_lyapunov
from gatetheory.solvers.sampled_correlations import solve_sampled_correlations
from gatetheory.solvers.sampled_lyapunov import solve_sampled_lyapunov
from gatetheory.solvers.sampled_records import SampledCorrelations, SampledLyapunov, SampledTwoTime
from gatetheory.solvers.sampled_two_time import solve_sampled_two_time
from gatetheory.solvers.two_time import solve_two_time
from gatetheory.solvers.two_time_record import TwoTime

_OF_SAMPLING = ("paths", "replicas", "seed")


@solve.register
def _(
    problem: StationaryState,
    at: Values | None = None,
    *,
    closure: str | None = None,
    digits: int = DOUBLE,
    **sampling: Any,
) -> Correlations | SampledCorrelations:
    require_doubles(digits, "correlations")
    parameters = problem.bind(at)
    name, reason = problem.closure(parameters, closure)
    if name == "sampled":
        return solve_sampled_correlations(problem.process, parameters, **sampling)
    refuse_sampling_options(sampling, name)
    system = problem.lag_system(name)
    exact = is_exact(system, parameters)
    warn_of_closure(name, exact)
    return solve_correlations(lag_program(system), parameters, reason, exact)


@solve.register
def _(
    problem: ReplicaGrowth,
    at: Values | None = None,
    *,
    closure: str | None = None,
    branch: int = -1,
    digits: int = DOUBLE,
    **sampling: Any,
) -> Lyapunov | SampledLyapunov:
    require_doubles(digits, "the Lyapunov exponent")
    state = problem.state
    parameters = state.bind(at)
    name, reason = state.closure(parameters, closure)
    if name == "sampled":
        sampled = solve_sampled_lyapunov(state.process, parameters, **sampling)
        if sampled.status != "no_chaotic_state":
            return sampled
        return replace(sampled, abscissa=quiet_abscissa(state.fixed_points, at))
    refuse_sampling_options(sampling, name)
    system = state.lag_system(name)
    exact = is_exact(system, parameters)
    warn_of_closure(name, exact)
    program = lag_program(system)
    correlations = solve_correlations(program, parameters, reason, exact)
    return solve_lyapunov(
        program, parameters, correlations, branch, lambda: quiet_abscissa(state.fixed_points, at)
    )


@solve.register
def _(
    problem: TwoTimeProblem,
    at: Values | None = None,
    *,
    times: Any = None,
    closure: str | None = None,
    digits: int = DOUBLE,
    **options: Any,
) -> TwoTime | SampledTwoTime:
    require_doubles(digits, "two-time covariances")
    parameters = problem.bind(at)
    name, reason = problem.closure(parameters, closure)
    if times is None:
        times = (20, 1) if problem.process.discrete else (20, 0.25)
    if name == "sampled" or problem.system is None:
        sampled = solve_sampled_two_time(problem.process, parameters, times, **options)
        return replace(sampled, reason=reason)
    refuse_sampling_options({n: options[n] for n in options if n in _OF_SAMPLING}, name)
    found = solve_two_time(problem.system, parameters, times, **options)
    return replace(found, closure=name, reason=reason)


def refuse_sampling_options(options: Values, closure: str) -> None:
    """Refuse options that only sampling has.

    Raises:
        ParameterError: If there are any.
    """
    if options:
        raise ParameterError(
            f"{', '.join(options)}: options of the closure 'sampled'; this is {closure!r}"
        )


def warn_of_closure(name: str, exact: bool) -> None:
    """Warn where a closure leaves something out."""
    if not exact:
        warnings.warn(
            f"the closure {name!r} is an approximation where a gate fluctuates; "
            "compare with closure='sampled'",
            AssumptionWarning,
            stacklevel=4,
        )

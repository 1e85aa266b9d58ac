"""The whole flow on one page: derive, compile, solve, simulate.

    Model ──derive──▶ Theory ──compile──▶ programs ──solve──▶ solution
      └──────────────────────simulate─────────────────────▶ observation

Validation compares the last two (:mod:`gatetheory.validation`), the report shows everything
(:mod:`gatetheory.presentation`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache, singledispatch
from typing import Any

import sympy
from sympy import Expr, Symbol

from gatetheory.codegen import mpmath_backend, numpy_backend
from gatetheory.codegen.program import Backend, Program
from gatetheory.equations.gradient_problem import GradientProblem
from gatetheory.equations.lag_system import LagSystem
from gatetheory.equations.provenance import Equation
from gatetheory.equations.shapes import (
    MatrixMoments,
    SelfConsistency,
    SpectralCondition,
    StateLaw,
)
from gatetheory.equations.stationary import ReplicaGrowth, StationaryState, is_exact
from gatetheory.equations.two_time_system import TwoTimeProblem
from gatetheory.errors import AssumptionWarning, DerivationError, ParameterError
from gatetheory.model import exact
from gatetheory.simulation import simulate
from gatetheory.solvers.closed_gradients import solve_closed_gradients
from gatetheory.solvers.core_problem import CoreProblem, Root
from gatetheory.solvers.correlation_records import Correlations, Lyapunov
from gatetheory.solvers.correlations import solve_correlations
from gatetheory.solvers.fixed_point_gradients import (
    adjoint_covariance,
    solve_fixed_point_gradients,
)
from gatetheory.solvers.fixed_points import solve_fixed_points
from gatetheory.solvers.gradient_records import (
    Gradients,
    adjoint_times,
    checked_horizons,
    checked_names,
    no_gradients,
)
from gatetheory.solvers.lag_problem import LagProblem, LagProgram
from gatetheory.solvers.lyapunov import solve_lyapunov
from gatetheory.solvers.moments import MomentProgram, solve_moments
from gatetheory.solvers.records import FixedPoints, Moments, Spectrum
from gatetheory.solvers.sampled_correlations import solve_sampled_correlations
from gatetheory.solvers.sampled_gradients import solve_sampled_gradients
from gatetheory.solvers.sampled_lyapunov import solve_sampled_lyapunov
from gatetheory.solvers.sampled_records import SampledCorrelations, SampledLyapunov, SampledTwoTime
from gatetheory.solvers.sampled_two_time import solve_sampled_two_time
from gatetheory.solvers.spectrum import SpectralProblem, solve_spectrum, with_boundary
from gatetheory.solvers.transfer import State, TransferMatrix
from gatetheory.solvers.two_time import solve_two_time
from gatetheory.solvers.two_time_record import TwoTime
from gatetheory.theory.derive import Theory, derive

__all__ = ["boundary", "derive", "eq", "simulate", "solve", "spectral_problem"]

DOUBLE = 15
MOST_DIGITS = 10_000
_OF_SAMPLING = ("paths", "replicas", "seed")
AT_REST = 1e-8  # relative error of gradients at a fixed point
GUARD = 10  # digits of the state beyond those asked of the spectrum

Values = Mapping[str, Any]


def eq(theory: Theory, tag: str) -> Equation:
    """An equation by its stable tag, ``"fixed_points.Delta_h"`` or ``"spectrum.boundary"``.

    Raises:
        ParameterError: If there is no such result or equation; the nearest are named.
    """
    result, _, name = tag.partition(".")
    return theory.equations(result)[name]


# ---- compile -------------------------------------------------------------------------------------


def backend(digits: int) -> Backend:
    """The arithmetic for a number of digits: doubles up to 15, mpmath beyond.

    Raises:
        ParameterError: If the number of digits makes no sense.
    """
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= MOST_DIGITS:
        raise ParameterError(f"digits must be a whole number from 1 to {MOST_DIGITS}, got {digits}")
    return Doubles() if digits <= DOUBLE else Arithmetic(digits)


@dataclass(frozen=True)
class Doubles:
    """NumPy, as a backend."""

    name: str = "numpy"

    def compile(self, outputs: Sequence[Expr], arguments: Sequence[Symbol]) -> Program:
        """Compile to programs in doubles."""
        return numpy_backend.compile(outputs, arguments)


@dataclass(frozen=True)
class Arithmetic:
    """mpmath at a fixed number of digits, as a backend."""

    digits: int
    name: str = "mpmath"

    def compile(self, outputs: Sequence[Expr], arguments: Sequence[Symbol]) -> Program:
        """Compile to programs of this many digits."""
        return mpmath_backend.compile(outputs, arguments, self.digits)


@lru_cache(maxsize=32)
def fixed_point_programs(problem: SelfConsistency, digits: int) -> CoreProblem:
    """Programs for the search of fixed points."""
    return CoreProblem(problem, backend(digits))


@lru_cache(maxsize=32)
def spectral_problem(condition: SpectralCondition) -> SpectralProblem:
    """Programs for the spectrum's support, in doubles."""
    return SpectralProblem(condition, backend(DOUBLE))


@lru_cache(maxsize=32)
def exact_transfer(condition: SpectralCondition, digits: int) -> TransferMatrix:
    """Programs for the transfer matrix to many digits."""
    return TransferMatrix(condition, backend(digits))


@lru_cache(maxsize=32)
def moment_programs(problem: MatrixMoments, digits: int) -> MomentProgram:
    """Programs for the moments of the Jacobian."""
    return MomentProgram(problem, backend(digits))


@lru_cache(maxsize=32)
def lag_program(system: LagSystem) -> LagProgram:
    """Programs for stationary correlations and for the growth between replicas."""
    return LagProgram(system)


# ---- solve ---------------------------------------------------------------------------------------


@singledispatch
def solve(problem: Any, at: Values | None = None, **options: Any) -> Any:
    """Solve derived equations at given parameters.

    Args:
        problem: ``theory.fixed_points``, ``theory.spectrum``, ``theory.moments``, or one of their
            ``synthetic_`` versions; ``theory.correlations``, ``theory.lyapunov``,
            ``theory.two_time``, ``theory.gradients``.
        at: Parameters by name; the rest take their defaults. Decimals are exact (0.1 = 1/10).
        **options: ``digits`` (15 stands for doubles); for spectrum and moments ``branch``, the
            number of the fixed point (default the last), or, for the synthetic versions, ``state``,
            variances by name; for the spectrum ``trace=True`` to trace the boundary curves. For
            gradients ``horizon`` (T or several), ``loss`` (``"c*h"``), ``running``, ``by`` (names
            of parameters, or ``"all"``), ``closure``, ``branch`` of the chaotic states, or
            ``fixed_point``, the number of a fixed point, there with ``adjoint=True`` for
            ⟨λ(s) λ(s')⟩ too. For
            correlations and the Lyapunov exponent ``closure`` (``"constant"``, ``"factorized"``,
            ``"sampled"``; by default ``constant`` where it is exact, else ``sampled``), with
            ``"sampled"`` also ``seed``, ``accuracy`` and what
            :func:`~gatetheory.solvers.sampled_correlations.solve_sampled_correlations` takes. For
            two times ``times``, (duration, step), ``initial_std`` and ``closure`` (``"constant"``,
            ``"sampled"``, the default as above), with ``"sampled"`` also ``seed``, ``paths`` and
            ``replicas``.

    Returns:
        A record of the result, such as :class:`~gatetheory.solvers.records.FixedPoints` or
        :class:`~gatetheory.solvers.correlation_records.Correlations`; what was sampled has a record
        of its own, with standard errors.

    Raises:
        ParameterError: For names and values that make no sense.
        ConvergenceError: If a solver stopped early; the message says what to try.
    """
    raise ParameterError(
        f"cannot solve {type(problem).__name__}; give derived equations such as "
        "derive(model).fixed_points"
    )


@solve.register
def _(problem: SelfConsistency, at: Values | None = None, *, digits: int = DOUBLE) -> FixedPoints:
    backend(digits)  # refuses a number of digits that makes no sense
    parameters = problem.bind(at)
    stable = _stability(problem, parameters)
    precise = fixed_point_programs(problem, digits) if digits > DOUBLE else None
    programs = fixed_point_programs(problem, DOUBLE)
    return solve_fixed_points(problem, parameters, programs, precise, stable, digits)


def _stability(
    problem: SelfConsistency, parameters: Mapping[Symbol, Expr]
) -> Callable[[Root], bool] | None:
    """Decides on the stability of a fixed point; None where the Jacobian does not exist."""
    if problem.linearization is None:
        return None
    try:
        spectral = spectral_problem(problem.linearization())
    except DerivationError:
        return None

    def stable(root: Root) -> bool:
        rounded = {u: float(v) for u, v in root.values.items()}  # type: ignore[arg-type]
        return spectral.border(State(parameters, rounded))[0].stable

    return stable


@solve.register
def _(
    problem: SpectralCondition,
    at: Values | None = None,
    *,
    digits: int = DOUBLE,
    branch: int = -1,
    state: Values | None = None,
    trace: bool = False,
) -> Spectrum:
    backend(digits)
    parameters = problem.bind(at)
    unknowns = _state(problem.state, problem.law, at, digits, branch, state)
    precise = exact_transfer(problem, digits) if digits > DOUBLE else None
    programs = spectral_problem(problem)
    return solve_spectrum(programs, parameters, unknowns, precise, digits, trace=trace)


@solve.register
def _(
    problem: MatrixMoments,
    at: Values | None = None,
    *,
    digits: int = DOUBLE,
    branch: int = -1,
    state: Values | None = None,
) -> Moments:
    backend(digits)
    parameters = problem.bind(at)
    unknowns = _state(problem.state, problem.law, at, digits, branch, state)
    return solve_moments(moment_programs(problem, digits), parameters, unknowns, digits)


@solve.register
def _(
    problem: StationaryState,
    at: Values | None = None,
    *,
    closure: str | None = None,
    digits: int = DOUBLE,
    **sampling: Any,
) -> Correlations | SampledCorrelations:
    _require_doubles(digits, "correlations")
    parameters = problem.bind(at)
    name, reason = problem.closure(parameters, closure)
    if name == "sampled":
        return solve_sampled_correlations(problem.process, parameters, **sampling)
    _refuse_sampling_options(sampling, name)
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
    _require_doubles(digits, "the Lyapunov exponent")
    state = problem.state
    parameters = state.bind(at)
    name, reason = state.closure(parameters, closure)
    if name == "sampled":
        sampled = solve_sampled_lyapunov(state.process, parameters, **sampling)
        if sampled.status != "no_chaotic_state":
            return sampled
        return replace(sampled, abscissa=quiet_abscissa(state.fixed_points, at))
    _refuse_sampling_options(sampling, name)
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
    _require_doubles(digits, "two-time covariances")
    parameters = problem.bind(at)
    name, reason = problem.closure(parameters, closure)
    if times is None:
        times = (20, 1) if problem.process.discrete else (20, 0.25)
    if name == "sampled" or problem.system is None:
        sampled = solve_sampled_two_time(problem.process, parameters, times, **options)
        return replace(sampled, reason=reason)
    _refuse_sampling_options({n: options[n] for n in options if n in _OF_SAMPLING}, name)
    found = solve_two_time(problem.system, parameters, times, **options)
    return replace(found, closure=name, reason=reason)


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
    _require_doubles(digits, "gradients")
    parameters = problem.bind(at)
    external = problem.loss(loss, running)
    horizons = checked_horizons(horizon, problem.process.discrete)
    names = checked_names(problem, by)

    def at_rest(number: int, why: str) -> Gradients:
        _refuse_sampling_options(sampling, "exact")
        condition = problem.spectrum()
        unknowns = _state(condition.state, condition.law, at, DOUBLE, number, None)
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
    _refuse_sampling_options(sampling, name)
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


def quiet_abscissa(fixed_points: SelfConsistency | None, at: Values | None) -> float | None:
    """Spectral abscissa (ln radius of a map) of the stable fixed point, if there is one."""
    if fixed_points is None or fixed_points.linearization is None:
        return None
    for number, point in enumerate(solve(fixed_points, at)):
        if point.stable:
            spectrum = solve(fixed_points.linearization(), at, branch=number)
            value = float(spectrum.value)
            return value if spectrum.quantity == "abscissa" else math.log(value)
    return None


def _require_doubles(digits: int, what: str) -> None:
    backend(digits)
    if digits > DOUBLE:
        raise ParameterError(
            f"no more than doubles for {what} so far; leave digits at {DOUBLE} or below"
        )


def _refuse_sampling_options(options: Values, closure: str) -> None:
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


def boundary(condition: SpectralCondition, solution: Spectrum) -> Spectrum:
    """A solved spectrum with its boundary curves traced."""
    return with_boundary(solution, spectral_problem(condition))


def _state(
    equations: SelfConsistency | None,
    law: StateLaw,
    at: Values | None,
    digits: int,
    branch: int,
    state: Values | None,
) -> dict[Symbol, Any]:
    """Values of a law's unknowns: those of a fixed point, or those given."""
    if equations is None:
        return _given_state(law, state or {})
    if state is not None:
        raise ParameterError(
            "a state was given to equations at a fixed point; use theory.synthetic_spectrum or "
            "theory.synthetic_moments, or leave it out"
        )
    if isinstance(branch, bool) or not isinstance(branch, int):
        raise ParameterError(f"branch must be the whole number of a fixed point, got {branch!r}")
    more = digits + GUARD if digits > DOUBLE else DOUBLE
    parameters = equations.bind(at)
    precise = fixed_point_programs(equations, more) if digits > DOUBLE else None
    programs = fixed_point_programs(equations, DOUBLE)
    points = solve_fixed_points(equations, parameters, programs, precise, None, more)
    if not -len(points) <= branch < len(points):
        raise ParameterError(
            f"there is no fixed point number {branch}: {len(points)} found, counted from 0"
        )
    return {u: points[branch][u.name] for u in law.unknowns}


def _given_state(law: StateLaw, state: Values) -> dict[Symbol, Expr]:
    known = {u.name: u for u in law.unknowns}
    for name in state:
        if name not in known:
            near = get_close_matches(name, known, n=2, cutoff=0.4) or list(known)
            raise ParameterError(f"the state has no variance {name!r}; it has {', '.join(near)}")
    values = {}
    for name, symbol in known.items():
        if name not in state and not name.startswith("Delta_d"):
            raise ParameterError(f"the state needs {name}; it is made of {', '.join(known)}")
        value = exact(state.get(name, 0))
        if value.is_negative:
            raise ParameterError(f"{name} = {value} is a variance and cannot be negative")
        values[symbol] = sympy.sympify(value)
    return values

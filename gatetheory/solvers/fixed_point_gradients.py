"""Gradients at a fixed point: closed in frequency for any model, and refined until they agree.

The unit's averages are refined first, then the contour; the last change of each, and what rounding
the contour magnifies, is the error. As an independent check the transfer matrix on the contour and
the order parameters are compared with those of the averages with a proven error estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray
from sympy import Expr, Symbol

from gatetheory.codegen import numpy_backend
from gatetheory.equations.gradient_problem import ExternalLoss, GradientProblem, ParameterSlopes
from gatetheory.errors import ConvergenceError, DerivationError, ParameterError
from gatetheory.solvers.fixed_point_adjoint import loss_reads_algebraic
from gatetheory.solvers.fixed_point_growth import Growth, adjoint_growth
from gatetheory.solvers.fixed_point_numbers import FixedPointNumbers
from gatetheory.solvers.fixed_point_refinement import Refinement, Table
from gatetheory.solvers.fixed_point_sensitivities import Sources, explicit_sources
from gatetheory.solvers.gradient_records import Gradients
from gatetheory.solvers.records import Provenance, Status, by_name
from gatetheory.solvers.spectrum import SpectralProblem
from gatetheory.solvers.transfer import State
from gatetheory.solvers.unit_responses import UnitResponses

Array = NDArray[np.float64]

BAND = 40.0  # ratio of horizons that are solved for together
UNSOUND = 1e-7  # largest residual that is believed
REASON = "a fixed point is closed in frequency, for any model"


@dataclass(frozen=True)
class FixedPointProgram:
    """What is compiled once for a model.

    Args:
        responses: Responses of a unit.
        adjoint: Condition for the spectrum of the transposed Jacobian.
    """

    responses: UnitResponses
    adjoint: SpectralProblem


@lru_cache(maxsize=16)
def fixed_point_program(problem: GradientProblem) -> FixedPointProgram:
    """Programs for the gradients of a model at its fixed points."""
    adjoint = SpectralProblem(problem.adjoint_spectrum(), numpy_backend)
    return FixedPointProgram(UnitResponses(problem), adjoint)


def solve_fixed_point_gradients(
    problem: GradientProblem,
    parameters: Mapping[Symbol, Expr],
    unknowns: Mapping[Symbol, object],
    loss: ExternalLoss,
    horizons: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    tolerance: float = 1e-8,
) -> Gradients:
    """Second moments of gradients at a fixed point.

    Args:
        problem: The derived equations.
        parameters: Exact values.
        unknowns: Order parameters of the fixed point.
        loss: The loss.
        horizons: T, whole numbers in a map.
        names: Parameters whose sensitivities are wanted; all by default.
        tolerance: Relative error accepted.

    Raises:
        ParameterError: For horizons, names or a loss that make no sense here.
        DerivationError: If the model has no fixed point in closed form, or a nonlinearity jumps.
        ConvergenceError: If the border of the spectrum could not be found.
    """
    program = fixed_point_program(problem)
    times = _checked(horizons, problem.process.discrete)
    numbers = FixedPointNumbers(program.responses, parameters, unknowns)
    _refuse_loss(loss, numbers, problem.process.discrete)
    state = State(parameters, {s: float(v) for s, v in unknowns.items()})  # type: ignore[arg-type]
    growth = adjoint_growth(program.adjoint, state, loss, numbers.numbers.mass)
    sources, left_out = _sources(problem, program.responses, numbers, loss, names)
    values: Table = {}
    errors: Table = {}
    advice, residual = "", 0.0
    try:
        for band in _bands(times):
            with np.errstate(over="ignore", invalid="ignore"):  # found out by its values
                search = Refinement(numbers, loss, times[band], growth, sources)
                found = search.refined(tolerance)
            for table, part in ((values, found.values), (errors, found.errors)):
                for kind, v in part.items():
                    table.setdefault(kind, np.zeros_like(times))[band] = v
            advice = advice or found.advice
            longest = float(times[band].max())
            missed = numbers.residual(program.adjoint.transfer, state, growth, longest, found.steps)
            residual = max(residual, missed)
    except ConvergenceError as error:
        return _record(problem, parameters, loss, times, growth, left_out, str(error))
    if not advice and not residual <= max(UNSOUND, tolerance):
        advice = f"averages over the unit disagree by {residual:.1e}; the gates are too steep"
    return _record(
        problem, parameters, loss, times, growth, left_out, advice, values, errors,
        residual, numbers.sent,
    )  # fmt: skip


def adjoint_covariance(
    problem: GradientProblem,
    parameters: Mapping[Symbol, Expr],
    unknowns: Mapping[Symbol, object],
    loss: ExternalLoss,
    first: ArrayLike,
    second: ArrayLike,
) -> dict[str, Array]:
    """C_λ(s, s') of every field with dynamics, times counted backward from the horizon.

    Args:
        problem: The derived equations.
        parameters: Exact values.
        unknowns: Order parameters of the fixed point.
        loss: The loss.
        first: Times s.
        second: Times s'.

    Returns:
        By field's name, an array of shape (first, second).
    """
    program = fixed_point_program(problem)
    discrete = problem.process.discrete
    both = [np.atleast_1d(np.asarray(t, float)) for t in (first, second)]
    times = _checked(np.concatenate(both), discrete)
    numbers = FixedPointNumbers(program.responses, parameters, unknowns)
    _refuse_loss(loss, numbers, discrete)
    state = State(parameters, {s: float(v) for s, v in unknowns.items()})  # type: ignore[arg-type]
    growth = adjoint_growth(program.adjoint, state, loss, numbers.numbers.mass)
    search = Refinement(numbers, loss, times, growth, {})
    found = search.refined(1e-8)
    if found.advice:
        raise ConvergenceError(found.advice)
    assert search.adjoint is not None
    names = [x.name for x in problem.process.fields]
    return {names[f]: c for f, c in search.adjoint.covariance(*both).items()}


def _bands(times: Array) -> list[NDArray[np.bool_]]:
    """Horizons that one contour serves well; the longest ones first."""
    left = np.ones(times.shape, bool)
    found = []
    while left.any():
        band = left & ((times >= times[left].max() / BAND) | (times == 0))
        found.append(band)
        left &= ~band
    return found


def _checked(horizons: ArrayLike, discrete: bool) -> Array:
    times = np.atleast_1d(np.asarray(horizons, float))
    if times.ndim != 1 or not times.size or not np.isfinite(times).all() or times.min() < 0:
        raise ParameterError(f"horizons must be times of at least 0, got {times.tolist()}")
    if times.max() == 0:
        raise ParameterError("the longest horizon must be larger than 0")
    if discrete and not np.array_equal(times, np.round(times)):
        raise ParameterError(f"horizons of a map count steps: whole numbers, got {times.tolist()}")
    return times


def _refuse_loss(loss: ExternalLoss, numbers: FixedPointNumbers, discrete: bool) -> None:
    if loss.running == discrete and loss_reads_algebraic(loss, list(numbers.numbers.mass)):
        kind = "adds up" if discrete else "reads at the horizon"
        raise ParameterError(
            f"the loss {loss.text} {kind} a field without dynamics, which is a pulse of its own "
            "there; let it read a field with dynamics"
        )


def _sources(
    problem: GradientProblem,
    responses: UnitResponses,
    numbers: FixedPointNumbers,
    loss: ExternalLoss,
    names: Sequence[str] | None,
) -> tuple[dict[str, Sources], dict[str, str]]:
    wanted = list(problem.slopes) if names is None else list(names)
    found: dict[str, Sources] = {}
    left_out: dict[str, str] = {}
    for name in wanted:
        if name not in problem.slopes:
            near = get_close_matches(name, list(problem.slopes), n=2, cutoff=0.4)
            known = ", ".join(near or problem.slopes)
            raise ParameterError(f"no parameter {name!r}; there are {known}")
        slopes = problem.slopes[name]
        reason = _reason_against(slopes, numbers)
        if reason:
            left_out[name] = reason
            continue
        try:
            found[name] = explicit_sources(responses, slopes, loss)
        except DerivationError as error:
            left_out[name] = str(error)
    return found, left_out


def _reason_against(slopes: ParameterSlopes, numbers: FixedPointNumbers) -> str:
    for mass, m in zip(slopes.mass, numbers.numbers.mass, strict=True):
        if mass != 0 and m == 0:
            return "the time constant is 0, where the field follows at once"
    explicit = (*slopes.laws, *slopes.signals, *slopes.scales)
    if any(e.has(sympy.Derivative, sympy.Subs) for e in explicit):
        return "the explicit derivative by it has no closed form"
    if any(e.has(sympy.DiracDelta) for e in explicit):
        return "the explicit derivative by it jumps to infinity"
    return ""


def _record(
    problem: GradientProblem,
    parameters: Mapping[Symbol, Expr],
    loss: ExternalLoss,
    times: Array,
    growth: Growth,
    left_out: Mapping[str, str],
    advice: str,
    values: Table | None = None,
    errors: Table | None = None,
    residual: float | None = None,
    sent: Array | None = None,
) -> Gradients:
    status: Status = "not_converged" if advice else "ok"
    known = values if values is not None and status == "ok" else {}
    noise = errors if errors is not None and status == "ok" else {}

    def named(table: Table, kind: str) -> dict[str, Array]:
        return {name: v for (k, name), v in table.items() if k == kind}

    nothing = np.full(times.shape, np.nan)[:0]
    if status == "ok" and sent is not None and not sent.any():
        advice = "signals vanish at this fixed point, and with them every gradient by a coupling"
    return Gradients(
        status=status,
        horizons=times,
        couplings=named(known, "coupling"),
        coupling_errors=named(noise, "coupling"),
        parameters=named(known, "parameter"),
        parameter_errors=named(noise, "parameter"),
        left_out=dict(left_out),
        norm=known.get(("norm", ""), nothing),
        norm_errors=noise.get(("norm", ""), nothing),
        growth_exponent=growth.rate if np.isfinite(growth.rate) else None,
        growth_error=growth.error if np.isfinite(growth.rate) else None,
        residual=residual,
        sampled=False,
        state="fixed point",
        closure="exact",
        reason=REASON,
        loss=loss.text,
        advice=advice,
        provenance=Provenance(
            by_name(parameters), 15, problem.equations.assumptions, problem.equations.references
        ),
    )

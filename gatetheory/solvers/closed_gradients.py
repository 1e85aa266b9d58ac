"""Gradients on a stationary state whose equations are closed: adjoint, growth, sensitivities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.equations.adjoint_system import AdjointSystem, SensitivitySystem
from gatetheory.equations.gradient_problem import ExternalLoss, GradientProblem
from gatetheory.errors import ConvergenceError, DerivationError, ParameterError
from gatetheory.solvers.adjoint_growth import AdjointGrowth, AdjointMode
from gatetheory.solvers.closed_moments import RefinedMoments
from gatetheory.solvers.correlation_records import Correlations
from gatetheory.solvers.gradient_records import Gradients
from gatetheory.solvers.lag_problem import LagProblem
from gatetheory.solvers.records import Provenance, by_name
from gatetheory.solvers.stationary_pairs import StationaryPairs

Array = NDArray[np.float64]

_TOLERANCE, _UNDER_NOISE = 1e-7, 1e-3


def solve_closed_gradients(
    problem: GradientProblem,
    parameters: Mapping[Symbol, Expr],
    correlations: Correlations,
    lag_problem: LagProblem,
    loss: ExternalLoss,
    horizons: Sequence[float],
    *,
    branch: int = -1,
    names: Sequence[str] | None = None,
    tolerance: float | None = None,
    report: Callable[[str], None] | None = None,
) -> Gradients:
    """Second moments of gradients on a stationary state, closure ``constant``.

    Args:
        problem: The equations.
        parameters: Exact values.
        correlations: Stationary states at these parameters.
        lag_problem: Their lag problem.
        loss: The loss.
        horizons: T, increasing, positive (whole numbers in a map).
        branch: Which of the states.
        names: Parameters whose sensitivities are wanted; by default all.
        tolerance: Error allowed, relative to each moment; by default 1e-7, and 1e-3 under white
            noise, where covariances have a kink at equal times.
        report: Called with what is being computed.

    Raises:
        DerivationError: If the loss is not linear in the fields, or reads one whose adjoint is not
            in the closed equations.
        ConvergenceError: If a moment grows beyond the numbers.
    """
    system = problem.closed
    if system is None:
        raise DerivationError(problem.refusal)
    weights = _weights(system, loss)
    pairs = StationaryPairs(system, parameters, lag_problem, correlations[branch].point)
    wanted, left_out = _available(system, parameters, pairs, names, problem)
    if tolerance is None:
        tolerance = _UNDER_NOISE if pairs.is_noisy and not pairs.discrete else _TOLERANCE
    if not 0 < tolerance < 1:
        raise ParameterError(f"tolerance must lie between 0 and 1, got {tolerance!r}")
    solver = RefinedMoments(pairs, weights, loss.running, list(horizons), wanted, report)
    status, advice, found, errors = solver.run(correlations[branch], tolerance)
    growing, note = _growth(pairs)
    advice = "; ".join(t for t in (advice, note) if t)
    labels = system.couplings
    return Gradients(
        status=status,
        horizons=np.asarray(horizons, dtype=float),
        couplings=dict(zip(labels, found.couplings, strict=True)),
        coupling_errors=dict(zip(labels, errors.couplings, strict=True)),
        parameters=found.parameters,
        parameter_errors=errors.parameters,
        left_out=left_out,
        norm=found.norm,
        norm_errors=errors.norm,
        growth_exponent=None if growing is None else 2 * growing.rate,
        growth_error=None if growing is None else 2 * growing.error,
        residual=None if growing is None else 2 * growing.residual,
        sampled=False,
        state="chaotic",
        closure="constant",
        reason=correlations.reason,
        loss=loss.text,
        advice=advice,
        provenance=Provenance(
            by_name(parameters),
            15,
            tuple(dict.fromkeys(
                (*problem.equations.assumptions, *correlations.provenance.assumptions)
            )),
            problem.equations.references,
        ),
        times=found.adjoint.grid.nodes,
        adjoint=_by_field(problem, system, found.adjoint.own),
        mode_lags=np.empty(0) if growing is None else growing.mode.grid.nodes,
        mode={} if growing is None else growing.by_coupling(labels),
    )  # fmt: skip


def _weights(system: AdjointSystem, loss: ExternalLoss) -> Array:
    """∂f/∂x in the fields of the closed equations, shape (F,)."""
    if not loss.is_linear:
        raise DerivationError(
            f"the loss {loss.text} is not linear in the fields, and ties the adjoint to the state "
            'at the horizon; use closure="sampled"'
        )
    weights = np.zeros(len(system.linear.fields))
    for place, slope in zip(system.places, loss.slopes, strict=True):
        if slope == 0:
            continue
        if place is None:
            raise DerivationError(
                f"the loss {loss.text} reads a field that no signal depends on; use "
                'closure="sampled"'
            )
        weights[place] = float(slope)
    return weights


def _available(
    system: AdjointSystem,
    parameters: Mapping[Symbol, Expr],
    pairs: StationaryPairs,
    names: Sequence[str] | None,
    problem: GradientProblem,
) -> tuple[dict[str, SensitivitySystem], dict[str, str]]:
    """Sensitivities the closed equations have, and why the others are left out."""
    symbols = {p.name: p for p in system.parameters}
    found, left_out = {}, {}
    for name in problem.slopes if names is None else names:
        one = system.sensitivity(symbols[name])
        vanishing = [system.vanishes(f, parameters) for f in one.fluctuations]
        mass = pairs.row(one.mass)
        if system.is_exact(parameters) and not all(vanishing):
            left_out[name] = 'acts through a gate that would fluctuate; use closure="sampled"'
        elif one.noisy:
            left_out[name] = "sets the strength of a white noise, whose paths are not resolved"
        elif ((mass != 0) & (pairs.mass == 0)).any():
            left_out[name] = "is a time constant that is 0, where the derivative is singular"
        else:
            found[name] = one
    return found, left_out


def _growth(pairs: StationaryPairs) -> tuple[AdjointMode | None, str]:
    """The growing mode, and what to say if there is none."""
    try:
        return AdjointGrowth(pairs).solve(), ""
    except ConvergenceError as error:
        return None, f"no growth exponent: {error}"


def _by_field(problem: GradientProblem, system: AdjointSystem, own: Array) -> dict[str, Array]:
    """Tables of the fields with dynamics, by name."""
    fields = zip(problem.process.fields, problem.process.mass, system.places, strict=True)
    return {x.name: own[p] for x, mass, p in fields if p is not None and mass != 0}

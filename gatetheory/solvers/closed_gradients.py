"""Gradients on a stationary state whose equations are closed: adjoint, growth, sensitivities.

Everything is computed twice, the second time with polynomials of a higher degree; elements are
halved until the two agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.equations.adjoint_system import AdjointSystem, SensitivitySystem
from gatetheory.equations.gradient_problem import ExternalLoss, GradientProblem
from gatetheory.errors import ConvergenceError, DerivationError, ParameterError
from gatetheory.solvers.adjoint_growth import AdjointGrowth, AdjointMode
from gatetheory.solvers.adjoint_moments import AdjointMoments, adjoint_moments
from gatetheory.solvers.correlation_records import CorrelationBranch, Correlations
from gatetheory.solvers.gradient_records import Gradients
from gatetheory.solvers.lag_problem import LagProblem
from gatetheory.solvers.records import Provenance, Status, by_name
from gatetheory.solvers.sensitivity_coefficients import source_polynomials
from gatetheory.solvers.sensitivity_moments import sensitivity
from gatetheory.solvers.stationary_pairs import StationaryPairs
from gatetheory.solvers.time_grid import TimeGrid, time_edges

Array = NDArray[np.float64]

_DEGREES = (8, 12)
_HALVINGS, _LARGEST = 4, 520
_FORGOTTEN = 1e-11  # part of C(0) − C(∞) at which the past is cut
_PAST_GROWTH = 1.6  # ratio of lengths of elements, into the past
_ROUNDING = 1e-11
_TOLERANCE, _UNDER_NOISE = 1e-7, 1e-3


@dataclass(frozen=True)
class _Table:
    """Second moments at the horizons: couplings (A, H), norm (H,), parameters by name (H,)."""

    couplings: Array
    norm: Array
    parameters: dict[str, Array]
    adjoint: AdjointMoments


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
    solver = _Solver(pairs, weights, loss.running, list(horizons), wanted, report)
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


class _Solver:
    """Computes all second moments on one set of grids."""

    def __init__(
        self,
        pairs: StationaryPairs,
        weights: Array,
        running: bool,
        horizons: list[float],
        wanted: dict[str, SensitivitySystem],
        report: Callable[[str], None] | None,
    ) -> None:
        self.pairs, self.weights, self.running = pairs, weights, running
        self.horizons, self.wanted = horizons, wanted
        self.report = report or (lambda _: None)
        self.sources = source_polynomials(pairs, wanted)

    def run(
        self, branch: CorrelationBranch, tolerance: float
    ) -> tuple[Status, str, _Table, _Table]:
        """Refine until the error is below the tolerance; moments and their errors."""
        if self.pairs.discrete:
            whole = (-float(self._memory()), self.horizons[-1])
            found = self._table(TimeGrid((0.0, self.horizons[-1]), 0), TimeGrid(whole, 0))
            return "ok", "", found, self._errors(found, found)
        slowest, fastest = self._times()
        longest = min(branch.half_width / 3, 2 * slowest, self.horizons[-1])
        coarse, fine = None, None
        for _ in range(_HALVINGS + 1):
            edges = _graded(time_edges(self.horizons, longest), fastest)
            if fine is not None and (len(edges) - 1) * _DEGREES[1] > _LARGEST:
                break
            past = self._past(edges)
            coarse, fine = (
                self._table(TimeGrid(edges, d), TimeGrid(past + edges, d)) for d in _DEGREES
            )
            if _worst(fine, _differences(coarse, fine)) <= tolerance / 2:
                break
            longest /= 2
        assert coarse is not None
        assert fine is not None
        errors = self._errors(coarse, fine)
        worst = _worst(fine, errors)
        if worst <= tolerance:
            return "ok", "", fine, errors
        advice = f"moments agree to {worst:.1g} only: allow a larger tolerance or shorter horizons"
        return "not_converged", advice, fine, errors

    def _table(self, grid: TimeGrid, whole: TimeGrid) -> _Table:
        self.report(f"adjoint on {len(grid.nodes)} times")
        adjoint = adjoint_moments(self.pairs, self.weights, self.running, self.horizons, grid)
        found = {}
        for name, system in self.wanted.items():
            self.report(f"sensitivity to {name}")
            sources = self.sources[name]
            moments = sensitivity(self.pairs, system, sources, grid, whole).moments
            own = np.einsum("ikjl,k,l->ij", moments, self.weights, self.weights)
            found[name] = np.array([self._by_parameter(own, grid, t) for t in self.horizons])
        return _Table(adjoint.couplings, adjoint.norm, found, adjoint)

    def _by_parameter(self, own: Array, grid: TimeGrid, horizon: float) -> float:
        if not self.running:
            end = grid.index(horizon)
            return float(own[end, end])
        weights = grid.weights(horizon)
        if grid.discrete:  # a running loss of a map is summed over steps 1 … T
            weights = np.where((grid.nodes >= 1) & (grid.nodes <= horizon), 1.0, 0.0)
        return float(weights @ own @ weights)

    def _errors(self, coarse: _Table, fine: _Table) -> _Table:
        """Differences, and what rounding and interpolation in the lag may do."""
        pairs, apart = self.pairs, _differences(coarse, fine)
        own = _ROUNDING + 2 * max(pairs.readouts[1].error, pairs.signals.error)
        return _Table(
            apart.couplings + own * np.abs(fine.couplings),
            apart.norm + own * fine.norm,
            {
                n: d + (_ROUNDING + 2 * self.sources[n].error) * fine.parameters[n]
                for n, d in apart.parameters.items()
            },
            fine.adjoint,
        )

    def _times(self) -> tuple[float, float]:
        forward = self.pairs.filter(np.eye(self.pairs.fields))
        return forward.slowest, forward.fastest

    def _memory(self) -> float:
        """Lag from which on local fields keep to their plateaus."""
        nodes = self.pairs.point.grid.nodes
        values = self.pairs.local_covariances(nodes)
        decay = np.abs(values - values[:, -1:]).max(axis=0)
        lasting = np.flatnonzero(decay > _FORGOTTEN * max(decay.max(), 1e-300))
        last = nodes[lasting[-1]] if len(lasting) else nodes[0]
        return float(np.ceil(last + 30 * self._times()[0]))

    def _past(self, edges: tuple[float, ...]) -> tuple[float, ...]:
        """Edges before 0, longer and longer into the past."""
        memory, length = self._memory(), max(edges[-1] - edges[-2], 1e-3)
        past = [0.0]
        while past[-1] > -memory:
            past.append(past[-1] - length)
            length *= _PAST_GROWTH
        return tuple(past[:0:-1])


def _graded(edges: tuple[float, ...], fastest: float) -> tuple[float, ...]:
    """Shorter elements behind 0, where fast modes start."""
    first, length = [], 2 * fastest
    while length < edges[1] / 2:
        first.append(length)
        length *= 3
    return (0.0, *first, *edges[1:])


def _differences(coarse: _Table, fine: _Table) -> _Table:
    """What the higher degree changes."""
    return _Table(
        np.abs(coarse.couplings - fine.couplings),
        np.abs(coarse.norm - fine.norm),
        {n: np.abs(coarse.parameters[n] - v) for n, v in fine.parameters.items()},
        fine.adjoint,
    )


def _worst(found: _Table, errors: _Table) -> float:
    """Largest error relative to the moment at its longest horizon."""

    def relative(values: Array, error: Array) -> float:
        size = np.abs(values).max(axis=-1, keepdims=True)
        return float((error / np.where(size > 1e-300, size, 1.0)).max())

    pairs = [(found.couplings, errors.couplings), (found.norm, errors.norm)]
    pairs += [(v, errors.parameters[n]) for n, v in found.parameters.items()]
    return max(relative(v, e) for v, e in pairs)

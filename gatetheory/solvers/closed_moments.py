"""Second moments of adjoint and sensitivities on grids that are refined until two agree.

Everything is computed twice, the second time with polynomials of a higher degree; elements are
halved until the two agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.equations.adjoint_system import SensitivitySystem
from gatetheory.solvers.adjoint_moments import AdjointMoments, adjoint_moments
from gatetheory.solvers.correlation_records import CorrelationBranch
from gatetheory.solvers.records import Status
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


@dataclass(frozen=True)
class Moments:
    """Second moments at the horizons.

    Args:
        couplings: Q_a, shape (A, H).
        norm: Σ_f ⟨λ_f²⟩, shape (H,).
        parameters: E[(dL/dθ)²] by name, shape (H,).
        adjoint: The adjoint they come from.
    """

    couplings: Array
    norm: Array
    parameters: dict[str, Array]
    adjoint: AdjointMoments


class RefinedMoments:
    """Computes all second moments, and refines.

    Args:
        pairs: The stationary state.
        weights: ∂f/∂x of the loss c f(x), shape (F,).
        running: Whether the loss is integrated over time.
        horizons: T, increasing.
        wanted: Derivatives by the parameters whose sensitivities are wanted.
        report: Called with what is being computed.
    """

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
    ) -> tuple[Status, str, Moments, Moments]:
        """Refine until the error is below the tolerance; moments and their errors."""
        if self.pairs.discrete:
            whole = (-float(self._memory()), self.horizons[-1])
            found = self._moments(TimeGrid((0.0, self.horizons[-1]), 0), TimeGrid(whole, 0))
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
                self._moments(TimeGrid(edges, d), TimeGrid(past + edges, d)) for d in _DEGREES
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

    def _moments(self, grid: TimeGrid, whole: TimeGrid) -> Moments:
        self.report(f"adjoint on {len(grid.nodes)} times")
        adjoint = adjoint_moments(self.pairs, self.weights, self.running, self.horizons, grid)
        found = {}
        for name, system in self.wanted.items():
            self.report(f"sensitivity to {name}")
            sources = self.sources[name]
            moments = sensitivity(self.pairs, system, sources, grid, whole).moments
            own = np.einsum("ikjl,k,l->ij", moments, self.weights, self.weights)
            found[name] = np.array([self._by_parameter(own, grid, t) for t in self.horizons])
        return Moments(adjoint.couplings, adjoint.norm, found, adjoint)

    def _by_parameter(self, own: Array, grid: TimeGrid, horizon: float) -> float:
        if not self.running:
            end = grid.index(horizon)
            return float(own[end, end])
        weights = grid.weights(horizon)
        if grid.discrete:  # a running loss of a map is summed over steps 1 … T
            weights = np.where((grid.nodes >= 1) & (grid.nodes <= horizon), 1.0, 0.0)
        return float(weights @ own @ weights)

    def _errors(self, coarse: Moments, fine: Moments) -> Moments:
        """Differences, and what rounding and interpolation in the lag may do."""
        pairs, apart = self.pairs, _differences(coarse, fine)
        own = _ROUNDING + 2 * max(pairs.readouts[1].error, pairs.signals.error)
        return Moments(
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


def _differences(coarse: Moments, fine: Moments) -> Moments:
    """What the higher degree changes."""
    return Moments(
        np.abs(coarse.couplings - fine.couplings),
        np.abs(coarse.norm - fine.norm),
        {n: np.abs(coarse.parameters[n] - v) for n, v in fine.parameters.items()},
        fine.adjoint,
    )


def _worst(found: Moments, errors: Moments) -> float:
    """Largest error relative to the moment at its longest horizon."""

    def relative(values: Array, error: Array) -> float:
        size = np.abs(values).max(axis=-1, keepdims=True)
        return float((error / np.where(size > 1e-300, size, 1.0)).max())

    pairs = [(found.couplings, errors.couplings), (found.norm, errors.norm)]
    pairs += [(v, errors.parameters[n]) for n, v in found.parameters.items()]
    return max(relative(v, e) for v, e in pairs)

r"""Sensitivities to parameters at a fixed point, closed in the Laplace variables of two times.

E v̇ = A v + Σ_a L_a δη_a + ∂_θF with v(0) = 0 and u_a = R_a v + ∂_θψ_a + ψ_a ∂_θ ln s_a (a time
constant does not matter at rest). The local field is static, δη is jointly Gaussian with it:
δη_a = κ_a(t) η_a + ξ_a, with ξ independent of the state. Transformed, 1/p standing for a step,

    û_a = Σ_b G_ab (κ_b η_b + ξ_b) + S_a/p,     S_a = R_a (pE − A)⁻¹ ∂_θF + ∂_θψ_a + ψ_a ∂_θ ln s_a,
    Δ_a κ_a = s_a² ⟨ψ_a û_a⟩                                       linear in κ,
    ⟨ξ_a ξ_a'⟩ + Δ_a κ_a κ_a' = s_a² ⟨û_a û_a'⟩                     linear in ⟨ξξ'⟩,

and ⟨(∂f/∂x v)(∂f/∂x v)'⟩ follows alike. A coupling with Δ_a = 0 has no κ_a.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gatetheory.equations.gradient_problem import ExternalLoss, ParameterSlopes
from gatetheory.solvers.fixed_point_adjoint import Numbers, require_outside, second_moments
from gatetheory.solvers.laplace_contour import Contour
from gatetheory.solvers.unit_averages import UnitAverages
from gatetheory.solvers.unit_products import Products, plus, times
from gatetheory.solvers.unit_responses import UnitResponses

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Sources:
    """What a parameter adds by itself.

    Args:
        signals: S_a, one per coupling.
        loss: ∂f/∂x (pE − A)⁻¹ ∂_θF.
    """

    signals: tuple[Products, ...]
    loss: Products

    @property
    def vanish(self) -> bool:
        """Whether the parameter changes nothing."""
        return not self.loss and not any(self.signals)


def explicit_sources(
    responses: UnitResponses, slopes: ParameterSlopes, loss: ExternalLoss
) -> Sources:
    """The explicit part of a sensitivity."""
    laws = [responses.split(e) for e in slopes.laws]
    signals = []
    for a, sent in enumerate(responses.sent):
        own = responses.split(slopes.signals[a])
        scaled = times(responses.signals[a], responses.split(slopes.scales[a]))
        signals.append(plus([responses.to_source(sent, laws), own, scaled]))
    return Sources(tuple(signals), responses.to_source(responses.read(loss), laws))


class FixedPointSensitivities:
    """Sensitivities at given numbers, on one contour.

    Args:
        responses: Responses of the unit.
        averages: Their averages on the contour.
        contour: The contour.
        loss: The loss.
        numbers: Numbers of the fixed point.
    """

    def __init__(
        self,
        responses: UnitResponses,
        averages: UnitAverages,
        contour: Contour,
        loss: ExternalLoss,
        numbers: Numbers,
    ) -> None:
        self.responses, self.averages, self.contour = responses, averages, contour
        self.numbers = numbers
        self.alive = [int(a) for a in np.flatnonzero(numbers.order > 0)]
        size = range(len(numbers.order))
        self._row = responses.read(loss)
        self._read = tuple(responses.to_local_field(self._row, b) for b in size)
        self._tied = tuple(self._with_field(row) for row in responses.transfers)
        self._read_tied = self._with_field(self._read)

    def _with_field(self, row: Sequence[Products]) -> tuple[Products, ...]:
        """G_ab η_b."""
        return tuple(times(g, eta) for g, eta in zip(row, self.responses.local_fields, strict=True))

    @cached_property
    def _squares(self) -> Complex:
        squares = second_moments(self.responses, self.averages)
        require_outside(squares, self.numbers.variances)
        return squares

    def second_moment(self, sources: Sources) -> Array:
        """⟨(∂f/∂x v)(∂f/∂x v)'⟩, coefficients over the contour's functions of time."""
        n, count = self.numbers, len(self.numbers.order)
        kappa = self._kappa(sources)
        total = np.stack(
            [
                n.variances[a] * self._explicit(self._tied[a], sources.signals[a], kappa)
                - n.order[a] * np.outer(kappa[:, a], kappa[:, a])
                for a in range(count)
            ],
            axis=-1,
        )
        kernel = self._squares * n.variances[:, None]
        free = np.linalg.solve(np.eye(count) - kernel, total[..., None])[..., 0]
        result = self._explicit(self._read_tied, sources.loss, kappa)
        for b, g in enumerate(self._read):
            if g:
                result = result + self.averages.pair(g, g) * free[..., b]
        return self.contour.coefficients(result)

    def _kappa(self, sources: Sources) -> Complex:
        """κ_a at all points, shape (points, couplings)."""
        n, signals = self.numbers, self.responses.signals
        found = np.zeros((len(self.contour.points), len(n.order)), complex)
        if not len(self.alive):
            return found
        right = [
            n.variances[a] * self.averages.mean(times(signals[a], sources.signals[a]))
            for a in self.alive
        ]
        given = np.stack(right, axis=-1) * self.contour.step[:, None]
        found[:, self.alive] = np.linalg.solve(self.mean_matrix, given[..., None])[..., 0]
        return found

    @cached_property
    def mean_matrix(self) -> Complex:
        """See :func:`mean_matrix`."""
        return mean_matrix(self.responses, self.averages, self.numbers)

    def _explicit(self, tied: Sequence[Products], own: Products, kappa: Complex) -> Complex:
        """⟨(Σ_b G_b κ_b η_b + S/p)(…)'⟩."""
        parts = [(tied[b], kappa[:, b]) for b in self.alive if tied[b]]
        if own:
            parts.append((own, self.contour.step))
        size = len(self.contour.points)
        total = np.zeros((size, size), complex)
        for first, left in parts:
            for second, right in parts:
                total += self.averages.pair(first, second) * np.outer(left, right)
        return total


def mean_matrix(responses: UnitResponses, averages: UnitAverages, numbers: Numbers) -> Complex:
    """Δ_a δ_ab − s_a² ⟨ψ_a G_ab η_b⟩ among couplings with Δ > 0, shape (points, alive, alive).

    Where it is singular units move together: given its fixed point, the network's couplings are
    J^a = J̃^a + η_a ψ_aᵀ / (N⟨ψ_a²⟩), and the Jacobian has an eigenvalue of its own there.
    """
    alive = [int(a) for a in np.flatnonzero(numbers.order > 0)]
    signals, fields = responses.signals, responses.local_fields
    rows = [
        [
            numbers.order[a] * (a == b)
            - numbers.variances[a]
            * averages.mean(times(signals[a], responses.transfers[a][b], fields[b]))
            for b in alive
        ]
        for a in alive
    ]
    return np.moveaxis(np.array(rows), (0, 1), (1, 2))

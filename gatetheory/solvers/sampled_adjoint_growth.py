"""How fast the adjoint grows backward in time on a sampled state.

With λ(t) = e^{κ(T−t)} m(t) far from the horizon, m obeys the adjoint's law with κ taken out and is
driven by ζ e^{−κ(T−t)}, whose covariance Γ_a = s_a² ⟨y_a y_a'⟩ reproduces itself. This is the same
kind of problem as for perturbations (:mod:`gatetheory.solvers.sampled_growth`), with the transposed
laws, along paths that are followed backward, and with fields of its own for every coupling.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gatetheory.solvers.sampled_growth import Growth, grow
from gatetheory.solvers.sampled_linear_unit import LinearUnit
from gatetheory.solvers.sampled_noise import GaussianPaths, power
from gatetheory.solvers.sampled_paths import Drives, integrate
from gatetheory.solvers.sampled_replica import Grid, Pool, Replica
from gatetheory.solvers.sampled_stretches import Stretches, make_circle

Array = NDArray[np.float64]


class AdjointReplica(Replica):
    """A replica whose perturbations are those of the adjoint.

    Args:
        replica: The paths.
        unit: The adjoint unit.
        spectra: Spectra of the local fields.
        grid: The times.
        rng: Random numbers of the backward fields.
    """

    def __init__(
        self,
        replica: Replica,
        unit: LinearUnit,
        spectra: Array,
        grid: Grid,
        rng: np.random.Generator,
    ) -> None:
        self.sampler, self.paths = replica.sampler, replica.paths
        self.linear = unit.linear
        self.scales = self.sampler.scale[list(self.sampler.reads)]
        self._back = [GaussianPaths(grid.modes, self.paths, rng) for _ in self.scales]
        self._coefficients = _along(replica, unit, spectra, grid)
        self._adjoint: Array | None = None
        self.seam, self.tangent_seam = replica.seam, np.inf

    def tangent_map(self, spectra: Array, gains: Array, growth: float, grid: Grid) -> Array:
        """Spectra of s_a² ⟨y_a y_a'⟩ for backward fields of given spectra, one per coupling.

        Args:
            spectra: Not used: the paths are given.
            gains: Spectra of ζ e^{−κ(T−t)}, shape (couplings, n/2 + 1).
            growth: κ.
            grid: The times.
        """
        kicks = [
            self._periodic(back, gains[a], grid.points) for a, back in enumerate(self._back)
        ]
        silent = np.zeros(self.paths)
        # coefficients vary along the path as local fields do, and come before them
        drives = Drives([*self._coefficients, *kicks], [], [silent])
        if self._adjoint is None:
            empty = np.zeros((len(self.linear.dynamic), self.paths))
            self._adjoint = integrate(
                self.linear, drives, empty, grid.points, grid.step, growth
            ).end
        found = integrate(self.linear, drives, self._adjoint, grid.points, grid.step, growth)
        spread = np.sqrt(np.mean(found.end**2, axis=1)) + 1e-300
        moved = np.sqrt(np.mean((found.end - self._adjoint) ** 2, axis=1))
        self.tangent_seam = float(np.max(moved / spread, initial=0.0))
        self._adjoint = found.end
        return np.array([s * power(y) for s, y in zip(self.scales, found.outputs, strict=False)])

    def rescale_tangent(self, factor: float) -> None:
        """Multiply the adjoint by a factor."""
        if self._adjoint is not None:
            self._adjoint *= factor

    def forget_tangent(self) -> None:
        """Start from no adjoint the next time."""
        self._adjoint = None


def grow_backward(replica: AdjointReplica | Pool, grid: Grid, guess: Growth | None) -> Growth:
    """The rate κ and the covariances of the backward fields.

    Args:
        replica: The paths, in one replica or in several.
        grid: The times.
        guess: Where to start; by default noise that is correlated over a sixteenth of the window.

    Raises:
        ConvergenceError: If no rate is found at which the adjoint neither grows nor dies.
    """
    shape = np.exp(-((16 * np.arange(grid.modes + 1) / grid.points) ** 2))
    return grow(replica, np.tile(shape, (len(replica.sampler.reads), 1)), grid, guess)


def _along(replica: Replica, unit: LinearUnit, spectra: Array, grid: Grid) -> list[Array]:
    """Coefficients on half steps of a flow (steps of a map), backward in time, the first again."""
    parts = 1 if unit.linear.discrete else 2
    circle = make_circle(replica, spectra, grid, parts)
    stretches = Stretches(circle, unit.path, np.zeros(1, dtype=np.int64))
    count = circle.points
    found = np.empty((len(unit.path.outputs), count + 1, replica.paths))
    for n in range(count + 1):
        for row, value in zip(found, stretches.at(-n), strict=True):
            row[n] = value
    return list(found)

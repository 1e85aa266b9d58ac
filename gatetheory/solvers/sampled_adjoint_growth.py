"""How fast the adjoint grows backward in time on a sampled state.

With λ(t) = e^{κ(T−t)} m(t) far from the horizon, m obeys the adjoint's law with κ taken out and is
driven by ζ e^{−κ(T−t)}, whose covariance Γ_a = s_a² ⟨y_a y_a'⟩ reproduces itself. This is the same
kind of problem as for perturbations (:mod:`gatetheory.solvers.sampled_growth`), with the transposed
laws, along paths that are followed backward, and with fields of its own for every coupling.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.sampled_gradient_paths import STAGE, Paths, State
from gatetheory.solvers.sampled_growth import Growth, grow, steepness
from gatetheory.solvers.sampled_linear_unit import LinearUnit
from gatetheory.solvers.sampled_noise import GaussianPaths, power
from gatetheory.solvers.sampled_paths import Drives, integrate
from gatetheory.solvers.sampled_replica import Grid, Replica, spawn
from gatetheory.solvers.sampled_stretches import Stretches

Array = NDArray[np.float64]

_VALUES, _DRAWS = 1_000_000, 4
"""Path-steps that are cheap enough to draw backward fields anew, and how often at most."""


class AdjointReplica(Replica):
    """A replica whose perturbations are those of the adjoint.

    Args:
        paths: The paths.
        unit: The adjoint unit.
        parts: How often their step is divided.
        rng: Random numbers of the backward fields.
    """

    def __init__(
        self, paths: Paths, unit: LinearUnit, parts: int, rng: np.random.Generator
    ) -> None:
        replica, modes = paths.replica, 2 * paths.grid.modes
        self.sampler, self.paths = replica.sampler, replica.paths
        self.linear = unit.linear
        self.scales = self.sampler.scale[list(self.sampler.reads)]
        self._back = [GaussianPaths(modes, self.paths, rng) for _ in self.scales]
        self._coefficients = _along(paths, unit, parts)
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
        kicks = [self._periodic(back, gains[a], grid.points) for a, back in enumerate(self._back)]
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


@dataclass(frozen=True)
class Rate:
    """How fast |λ|² grows backward.

    Args:
        value: 2κ, per unit of time or per step; None where none was found.
        error: Its standard error over replicas, the change with the step included.
        advice: Why not.
    """

    value: float | None
    error: float | None
    advice: str = ""


def backward_growth(state: State, unit: LinearUnit, seed: int) -> Rate:
    """The growth exponent of |λ|² at long times before the horizon.

    Args:
        state: The state.
        unit: The adjoint unit.
        seed: Seed of the random numbers.
    """
    size = state.grid.points * state.paths[0].replica.paths
    draws = int(np.clip(_VALUES // size, 1, _DRAWS))
    rates: list[float] = []
    missed, guess = 0.0, None
    try:
        for paths, child in zip(state.paths, spawn(seed, STAGE + 2, len(state.paths)), strict=True):
            found = []
            for draw in child.spawn(draws):
                guess = _rate(paths, unit, draw, 1, guess)
                found.append(guess)
                if not guess.settled:
                    return Rate(None, None, "the growth of the adjoint did not settle; raise paths")
            if not rates and not unit.linear.discrete:
                finer = _rate(paths, unit, draw, 2, None)
                missed = abs(2 * (finer.rate - found[-1].rate))
            rates.append(2 * float(np.mean([g.rate for g in found])))
    except ConvergenceError as error:
        return Rate(None, None, f"no growth exponent: {error}")
    spread = float(np.std(rates, ddof=1) / np.sqrt(len(rates)))
    return Rate(float(np.mean(rates)), float(np.hypot(spread, missed)))


def _rate(
    paths: Paths, unit: LinearUnit, seed: np.random.SeedSequence, parts: int, guess: Growth | None
) -> Growth:
    """Growth on steps ``parts`` times as short, the same random numbers for any."""
    grid = Grid(parts * paths.grid.points, paths.grid.step / parts)
    replica = AdjointReplica(paths, unit, parts, np.random.default_rng(seed))
    shape = np.zeros((len(replica.scales), grid.modes + 1))
    low = max(grid.points // (16 * parts), 1)
    shape[:, :low] = 1.0
    if guess is not None and parts == 1:
        return grow(replica, shape, grid, guess)
    found = grow(replica, shape, grid, None)
    return replace(found, steepness=steepness(replica, shape, grid, found))


def _along(paths: Paths, unit: LinearUnit, parts: int) -> list[Array]:
    """Coefficients on half steps of a flow (steps of a map), backward in time, the first again."""
    circle = paths.circle(parts if unit.linear.discrete else 2 * parts)
    stretches = Stretches(circle, unit.path, np.zeros(1, dtype=np.int64))
    count = circle.points
    found = np.empty((len(unit.path.outputs), count + 1, stretches.paths))
    for n in range(count + 1):
        for row, value in zip(found, stretches.at(-n), strict=True):
            row[n] = value
    return list(found)

"""The stationary paths that gradients are sampled along: windows, steps and numbers of columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.sampled_records import SampledCorrelations
from gatetheory.solvers.sampled_replica import Grid, Replica, Sampler, spawn
from gatetheory.solvers.sampled_settling import QUIET, decay_lag, lengthen, settle
from gatetheory.solvers.sampled_stretches import Circle, make_circle

Array = NDArray[np.float64]

STAGE = 20
"""Stages of random numbers from here on are those of gradients."""
REST_PATHS = 2048
_TOLERANCE, _MOST, _MOST_AT_REST = 3e-5, 100, 400
_LEFT = 0.01
"""Part of a decay after which signals count as uncorrelated."""
_LONGEST = 16
_REST = 16
"""Times on the circle for a state at rest."""
MOST_VALUES = 3e7
"""Values of one kind kept in memory at once."""


@dataclass(eq=False)
class Paths:
    """One replica of a stationary state.

    Args:
        replica: Its random numbers.
        spectra: Spectra of its local fields.
        grid: The times.
    """

    replica: Replica
    spectra: Array
    grid: Grid

    def circle(self, parts: int) -> Circle:
        """The paths on steps ``parts`` times as short."""
        return make_circle(self.replica, self.spectra, self.grid, parts)


@dataclass(frozen=True, eq=False)
class State:
    """A stationary state in several replicas.

    Args:
        sampler: What is sampled.
        paths: The replicas.
        memory: Lag after which signals are uncorrelated, in steps of the grid; 0 at rest.
        resting: Whether nothing fluctuates.
        scales: s_a² of every coupling.
    """

    sampler: Sampler
    paths: tuple[Paths, ...]
    memory: int
    resting: bool
    scales: Array

    @property
    def grid(self) -> Grid:
        """The times."""
        return self.paths[0].grid


def stationary_state(
    sampler: Sampler, correlations: SampledCorrelations, horizon: float, replicas: int
) -> State:
    """Replicas of a solved stationary state, on a window long enough for a horizon.

    Args:
        sampler: What is sampled.
        correlations: The state, fluctuating or at rest.
        horizon: The longest horizon.
        replicas: Number of replicas for a state at rest.

    Raises:
        ConvergenceError: If the state cannot be reproduced on the window it needs.
    """
    grid = Grid(2 * (len(correlations.lags) - 1), correlations.step)
    scales = sampler.scale[list(sampler.reads)]
    if correlations.status != "ok":
        found = _at_rest(sampler, correlations, replicas)
        return State(sampler, found, 0, True, scales)
    memory = max(decay_lag(s, _LEFT) for s in correlations.pooled)
    need = horizon / grid.step + 2 * memory
    factor = 1
    while factor * grid.points < need:
        factor *= 2
    if factor > _LONGEST:
        raise ConvergenceError(
            f"a horizon of {horizon:g} needs paths over {need * grid.step:.3g}, but correlations "
            f"were solved over {grid.window:g} only; solve them with a longer window, or ask for "
            "a shorter horizon"
        )
    count = correlations.paths // correlations.replicas
    seeds = spawn(correlations.seed, correlations.stage, correlations.replicas)
    if factor == 1:
        replicas_known = [Replica(sampler, count, grid.modes, s) for s in seeds]
        given = zip(replicas_known, correlations.spectra, strict=True)
        return State(sampler, tuple(Paths(r, s, grid) for r, s in given), memory, False, scales)
    longer = Grid(factor * grid.points, grid.step)
    fewer = max(count // factor // 2 * 2, 32)
    paths = []
    for seed, spectra in zip(seeds, correlations.spectra, strict=True):
        replica = Replica(sampler, fewer, longer.modes, seed)
        settled = settle(replica, lengthen(spectra, factor), longer, _TOLERANCE, _MOST)
        if settled.kind != "chaotic":
            raise ConvergenceError(
                f"the state did not become self-consistent on the window {longer.window:g} that "
                "the horizon needs; solve the correlations with a longer window"
            )
        paths.append(Paths(replica, settled.spectra, longer))
    return State(sampler, tuple(paths), memory, False, scales)


def _at_rest(
    sampler: Sampler, correlations: SampledCorrelations, replicas: int
) -> tuple[Paths, ...]:
    grid = Grid(_REST, correlations.step)
    found = []
    for seed in spawn(correlations.seed, STAGE, replicas):
        replica = Replica(sampler, REST_PATHS, grid.modes, seed)
        found.append(Paths(replica, _rest(replica, correlations.pooled[:, 0], grid), grid))
    return tuple(found)


def _rest(replica: Replica, power: Array, grid: Grid) -> Array:
    """Spectra of constant local fields that reproduce themselves."""
    static = np.zeros((len(power), grid.modes + 1))
    if power.sum() <= QUIET * replica.sampler.scale.sum():
        return static
    static[:, 0] = power
    for _ in range(_MOST_AT_REST):
        image = replica.map(static, grid)[:, 0]
        moved = float(np.abs(image - static[:, 0]).max() / image.max())
        static[:, 0] = image
        if moved <= _TOLERANCE and replica.seam <= _TOLERANCE:
            return static
    raise ConvergenceError("units do not come to rest along constant local fields")


def first_parts(state: State, horizons: Array) -> int:
    """How often to divide the grid's step at first; 1 in a map."""
    if state.sampler.unit.discrete:
        return 1
    positive = horizons[horizons > 0]
    wanted = min(state.sampler.times()[1] / 4, positive.min() / 4, positive.max() / 16)
    parts = 2
    while state.grid.step / parts > wanted * (1 + 1e-9):
        parts *= 2
    return parts


def check_size(state: State, parts: int, steps: int, columns: int) -> None:
    """Refuse what does not fit in memory.

    Raises:
        ConvergenceError: If it does not.
    """
    points = max(p.grid.points * p.replica.paths for p in state.paths) * parts
    if max(points, steps * columns) > 4 * MOST_VALUES:
        raise ConvergenceError(
            f"steps of {state.grid.step / parts:.3g} do not fit in memory; ask for longer horizons "
            "that lie closer together, or fewer paths"
        )

"""Stationary paths of the unit, cut into many stretches that start at different times.

A replica's paths are periodic with their window, and its local fields have exactly the covariance
of its signals when both are averaged over the start of a stretch. Every start makes as good a
stationary path as any other, so that few paths over a long window serve as many over a short time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.sampled_noise import covariance, power
from gatetheory.solvers.sampled_paths import Drives, integrate
from gatetheory.solvers.sampled_replica import Grid, Replica
from gatetheory.solvers.sampled_unit import Unit

Array = NDArray[np.float64]

_SEAM, _ROUNDS = 1e-3, 6


@dataclass(frozen=True, eq=False)
class Circle:
    """Periodic paths of the unit and of what drives it, n times on the circle.

    Args:
        states: Fields with dynamics, shape (fields, n, M).
        fields: Local fields, shape (couplings, n, M).
        signals: ψ of every coupling, shape (couplings, n, M).
        noises: White noise, shape (noises, n, M).
        statics: Static inputs, (M,) each.
        step: Time between points; 1 in a map.
    """

    states: Array
    fields: Array
    signals: Array
    noises: Array
    statics: Sequence[Array]
    step: float

    @property
    def points(self) -> int:
        """Number of times n."""
        return int(self.fields.shape[1])

    def signal_covariance(self, coupling: int, lags: int) -> Array:
        """⟨ψψ'⟩ at so many lags, the mean not subtracted."""
        c = covariance(power(self.signals[coupling]))
        around = np.concatenate([c, c[-2:0:-1]])
        return np.asarray(np.resize(around, lags))


def make_circle(replica: Replica, spectra: Array, grid: Grid, parts: int) -> Circle:
    """The replica's paths on steps ``parts`` times as short as the grid's.

    Raises:
        ConvergenceError: If paths grow without bound, or never become periodic.
    """
    unit, discrete = replica.sampler.unit, replica.sampler.unit.discrete
    for _ in range(_ROUNDS):
        replica.run(spectra, grid)
        if replica.seam <= _SEAM:
            break
    else:
        raise ConvergenceError(
            f"paths are not periodic after {_ROUNDS + 1} windows of {grid.window:g}: the unit "
            "forgets too slowly; solve the correlations with a longer window"
        )
    assert replica.state is not None
    points, step = grid.points * parts, grid.step / parts
    drives = replica.drives(spectra, grid, points)
    held = [np.repeat(w, parts, axis=0) for w in drives.noises]
    names = [f"psi_{c}" for c in replica.sampler.process.couplings]
    moving = {x.name: x for x in unit.dynamic}
    watched: Unit = replace(unit, outputs=moving | {n: unit.outputs[n] for n in names})
    found = integrate(watched, Drives(drives.smooth, held, drives.statics), replica.state,
                      points, step).outputs  # fmt: skip
    stride = 1 if discrete else 2
    shape = (-1, points, replica.paths)
    return Circle(
        states=found[: len(moving)],
        fields=np.array([s[: stride * points : stride] for s in drives.smooth]).reshape(shape),
        signals=found[len(moving) :],
        noises=np.array(held).reshape(shape),
        statics=drives.statics,
        step=step,
    )


class Stretches:
    """Stretches of a circle as columns of one array.

    Args:
        circle: The paths.
        unit: Whose outputs are evaluated along them.
        starts: Index of the time that counts as 0, one per set of M columns.
    """

    def __init__(self, circle: Circle, unit: Unit, starts: NDArray[np.int64]) -> None:
        self.circle, self.unit, self.starts = circle, unit, starts
        sets = len(starts)
        self.paths = sets * circle.fields.shape[2]
        self._statics = [np.tile(s, sets) for s in circle.statics]

    def at(self, index: int) -> list[Array]:
        """Outputs of the unit at a time counted from the start of each stretch, (columns,) each."""
        if not self.unit.outputs:
            return []
        drives = [
            *self.pick(self.circle.fields, index),
            *self.pick(self.circle.noises, index),
            *self._statics,
        ]
        with np.errstate(all="ignore"):
            return list(self.unit.record(self.pick(self.circle.states, index), drives, 0.0))

    def pick(self, values: Array, index: int) -> Array:
        """Values at a time counted from the start of each stretch; (k, n, M) → (k, columns)."""
        chosen = values[:, (self.starts + index) % self.circle.points]
        return np.ascontiguousarray(chosen).reshape(len(values), self.paths)


def spread_starts(points: int, sets: int, stride: int) -> NDArray[np.int64]:
    """Starts spread evenly over the circle, on multiples of a stride; they repeat if need be."""
    places = points // stride
    return np.asarray((np.arange(sets) * places // sets) % places * stride, dtype=np.int64)

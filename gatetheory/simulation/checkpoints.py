"""A forward run that can be read backward: checkpoints, and segments that are run again.

Every K-th point of S steps is kept, and on the way back one segment of K steps at a time is run
again and kept in full. With K = √S, the default, memory grows like √S at the price of a second
forward run. Steps are repeated exactly, white noise included, so that no result depends on K.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from gatetheory.errors import ConvergenceError
from gatetheory.simulation.adjoint_steps import Point, Scheme, Step
from gatetheory.simulation.draw import check_count
from gatetheory.simulation.lowering import Array


class Tape:
    """A run forward, then step by step from its end.

    Args:
        scheme: The scheme.
        start: Where to start.
        times: Time of every point of the grid, shape (S + 1,).
        spacing: K, steps between two checkpoints; √S by default.

    Raises:
        ConvergenceError: If the state is no longer finite.
    """

    def __init__(self, scheme: Scheme, start: Point, times: Array, spacing: int | None) -> None:
        if spacing is not None:
            check_count("spacing", spacing)
        self.scheme, self.times = scheme, times
        self.steps = len(times) - 1
        self.spacing = spacing or max(1, math.isqrt(self.steps))
        self.kept: list[Point] = []
        self._last: list[tuple[int, Step]] = []  # the segment the way back begins with
        point = start
        for n in range(self.steps):
            if n % self.spacing == 0:
                self.kept.append(point)
            point, step = self._step(point, n)
            if n // self.spacing == (self.steps - 1) // self.spacing:
                self._last.append((n, step))
            if not np.isfinite(point.state).all():
                raise ConvergenceError(
                    f"the state is no longer finite at t = {times[n + 1]:g}; "
                    "take a shorter step, or the model blows up"
                )
        self.end = point

    def backward(self) -> Iterator[tuple[int, Step]]:
        """Every step with its number, the last one first; to be read once."""
        for k, point in reversed(list(enumerate(self.kept))):
            segment, self._last = self._last, []
            if not segment:
                for n in range(k * self.spacing, (k + 1) * self.spacing):
                    point, step = self._step(point, n)
                    segment.append((n, step))
            while segment:
                yield segment.pop()

    def _step(self, point: Point, n: int) -> tuple[Point, Step]:
        start, stop = float(self.times[n]), float(self.times[n + 1])
        return self.scheme.step(point, start, stop - start)

"""The fold of the chaotic branch followed in two parameters.

A step along the curve's tangent in the plane of both parameters is corrected on the line through
the predicted point perpendicular to it: on that line the chaotic branch is a curve in amplitude and
position, and its turning point is the next point. Turning points of the fold curve itself in either
parameter are no obstacle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.chaos_curve import predicted, settled
from gatetheory.solvers.chaos_path import LagPath, Line, PathPoint
from gatetheory.solvers.lag_problem import LagProgram
from gatetheory.solvers.transition_curve import TransitionCurve

Array = NDArray[np.float64]

ENOUGH = 1e-7  # position left in the fold, in units of the ranges
NUDGE = 0.03  # relative change of the amplitude that shows the bend
TURNS = 6
SMALLEST = 1e-3  # of a step, relative to the largest
FADED = 0.02  # amplitudes so small beside the largest one end the curve: it has met the onset
TURN = 0.5  # most angle between successive steps
MOST = 400


@dataclass(frozen=True)
class _Vertex:
    """A point of the curve: place in units of the ranges, and the state there."""

    place: Array
    state: PathPoint
    bend: float


class _Plane:
    """The lag system over the plane of two parameters, in units of their ranges."""

    def __init__(
        self,
        program: LagProgram,
        parameters: Mapping[Symbol, Expr],
        symbols: tuple[Symbol, Symbol],
        windows: Sequence[tuple[float, float]],
    ) -> None:
        self.program, self.parameters, self.symbols = program, parameters, symbols
        self.widths = np.array([high - low for low, high in windows])
        self.low = np.array([w[0] for w in windows]) / self.widths
        self.high = np.array([w[1] for w in windows]) / self.widths

    def path(self, place: Array, direction: Array) -> LagPath:
        """The system on a line through a place."""
        base = dict(zip(self.symbols, map(float, place * self.widths), strict=True))
        moves = dict(zip(self.symbols, map(float, direction * self.widths), strict=True))
        used = {s: m for s, m in moves.items() if m}
        fixed = {s: v for s, v in base.items() if s not in used}
        exact = {**self.parameters, **{s: sympy.Float(v, 17) for s, v in fixed.items()}}
        return LagPath(self.program, exact, Line({s: base[s] for s in used}, used))

    def fold(self, guess: _Vertex, place: Array, direction: Array) -> _Vertex:
        """The turning point of the chaotic branch on a line through a place.

        Raises:
            ConvergenceError: If there is none near the guess.
        """
        path = self.path(place, direction)
        target, bend = guess.state.amplitude, guess.bend
        state = settled(path, guess.state.point, 0.0, target)
        nudged = settled(path, *predicted(path, state, target * (1 - NUDGE)), target * (1 - NUDGE))
        for _ in range(TURNS):
            change = state.amplitude - nudged.amplitude
            bend = (state.slope - nudged.slope) / change if change else bend
            if not bend or state.slope**2 / (2 * abs(bend)) < ENOUGH:
                break
            target = state.amplitude - state.slope / bend
            if not 0.3 * state.amplitude < target < 3 * state.amplitude:
                raise ConvergenceError("the turning point of the chaotic branch was lost")
            nudged, state = state, settled(path, *predicted(path, state, target), target)
        else:
            raise ConvergenceError("the turning point of the chaotic branch was not reached")
        value = state.value - (state.slope**2 / (2 * bend) if bend else 0.0)
        return _Vertex(place + value * direction, state, bend)


def follow_fold(
    program: LagProgram,
    parameters: Mapping[Symbol, Expr],
    symbols: tuple[Symbol, Symbol],
    start: PathPoint,
    second: float,
    windows: Sequence[tuple[float, float]],
    points: int = 30,
) -> TransitionCurve:
    """The whole fold curve through a fold, within a rectangle.

    Args:
        program: The compiled lag system.
        parameters: Exact values of the other parameters.
        symbols: Both parameters.
        start: The fold along the first one …
        second: … at this value of the second.
        windows: Ranges of both parameters.
        points: About how many points the curve shall have across the rectangle.

    Raises:
        ConvergenceError: If the start is no fold.
    """
    plane = _Plane(program, parameters, symbols, windows)
    place = np.array([start.value, second]) / plane.widths
    upright = np.array([1.0, 0.0])
    first = plane.fold(_Vertex(place, start, 0.0), place, upright)
    step = 1.0 / max(points, 2)
    onwards, end = _one_way(plane, first, np.array([0.0, 1.0]), step)
    back, beginning = _one_way(plane, first, np.array([0.0, -1.0]), step)
    every = [*reversed(back), first, *onwards]
    table = np.array([v.place * plane.widths for v in every])
    amplitudes = np.array([[v.state.amplitude for v in every]])
    return TransitionCurve(table[:, 0], table[:, 1], amplitudes, (beginning, end))


def _one_way(
    plane: _Plane, first: _Vertex, tangent: Array, largest: float
) -> tuple[list[_Vertex], str]:
    """Points beyond the first one, and why they end."""
    found: list[_Vertex] = []
    here, step = first, largest / 2
    top = first.state.amplitude
    while len(found) < MOST:
        normal = np.array([tangent[1], -tangent[0]])
        try:
            new = plane.fold(here, here.place + step * tangent, normal)
        except ConvergenceError:
            step /= 2
            if step < SMALLEST * largest:
                return found, "stopped"
            continue
        way = new.place - here.place
        turned = way / np.linalg.norm(way)
        # The first direction is a guess: its angle says nothing.
        if found and float(np.arccos(np.clip(turned @ tangent, -1, 1))) > TURN:
            step /= 2
            if step < SMALLEST * largest:
                return found, "stopped"
            continue
        if ((new.place < plane.low) | (new.place > plane.high)).any():
            found.append(_clipped(plane, here, new))
            return found, "range"
        found.append(new)
        top = max(top, new.state.amplitude)
        if new.state.amplitude < FADED * top:
            return found, "zero"
        here, tangent = new, turned
        step = min(1.5 * step, largest)
    return found, "stopped"


def _clipped(plane: _Plane, inside: _Vertex, outside: _Vertex) -> _Vertex:
    """Where the step to a point outside leaves the rectangle."""
    way = outside.place - inside.place
    edge = np.where(way > 0, plane.high, plane.low)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(way != 0, (edge - inside.place) / way, np.inf)
    share = float(min(shares.min(), 1.0))
    return _Vertex(inside.place + share * way, inside.state, inside.bend)

"""The chaotic branch as a curve in the plane of amplitude and parameter, and its folds.

From a chaotic state the curve p(a) is followed to smaller amplitudes, down to the onset a → 0, and
to larger ones, as far as the range of the parameter reaches. Its turning points, dp/da = 0, are
where chaotic states appear in pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.chaos_path import LagPath, PathPoint
from gatetheory.solvers.lag_checks import least_power, zero_mode_error
from gatetheory.solvers.lag_grid import ElementGrid
from gatetheory.solvers.lag_newton import CURVE, FINE, amplitude, improved_grid
from gatetheory.solvers.lag_problem import LagPoint

_FACTOR = 0.75  # between successive amplitudes
_LEAST = 0.995  # steps smaller than this give up
_SMALLEST = 1e-4  # last amplitude, relative to the first
_LARGEST = 1e4
_ARRIVED = 2e-3  # distance from an onset, relative, at which the curve has reached it
_BOUND = 0.1  # or ten times as far, where its tangent meets the onset to this share of the distance
_STRIDE = 0.08  # most of the range that the parameter may move in a step
_MOST = 120
_TAIL, _END = 1e-6, 1e-8
_FINE_TAIL, _FINE_END = 3e-11, 1e-12
_DEGREE = 16
_GRIDS = 8
_NEGATIVE, _ZERO_MODE = 1e-8, 1e-6
_TURNS = 12
_FLAT = 1e-7  # |d ln p/d ln a| at which p no longer feels the amplitude


@dataclass(frozen=True)
class Curve:
    """A piece of the chaotic branch, by ascending amplitude.

    Args:
        points: Solutions on it.
        onset: The onset at which its lower end arrives, None if it ends elsewhere.
        end: Why its lower end is there: ``"onset"``, ``"range"`` (the parameter leaves it),
            ``"faint"`` (the amplitude is but a small share of the first) or ``"lost"``.
    """

    points: tuple[PathPoint, ...]
    onset: float | None
    end: str

    @property
    def low(self) -> float:
        """Smallest value of the parameter on it, the onset included."""
        return min([p.value for p in self.points] + ([] if self.onset is None else [self.onset]))

    @property
    def high(self) -> float:
        """Largest value of the parameter on it, the onset included."""
        return max([p.value for p in self.points] + ([] if self.onset is None else [self.onset]))


@dataclass(frozen=True)
class Fold:
    """A turning point of the curve.

    Args:
        at: The solution.
        error: What p changes by on a richer grid, absolute.
    """

    at: PathPoint
    error: float


def trace(
    path: LagPath,
    start: LagPoint,
    value: float,
    window: tuple[float, float],
    onsets: Sequence[float],
    *,
    upwards: bool,
) -> Curve:
    """The curve through a solution.

    Args:
        path: The system along the parameter.
        start: A chaotic state.
        value: Where it was found.
        window: Range of the parameter.
        onsets: Values at which the quiet state's response is 1.
        upwards: Whether larger amplitudes are of interest too.

    Raises:
        ConvergenceError: If the start is no solution.
    """
    first = settled(path, start, value, amplitude(path.problem(value), start))
    down, end, onset = _follow(path, first, window, onsets, growing=False)
    up: list[PathPoint] = []
    if upwards:
        up, _, _ = _follow(path, first, window, (), growing=True)
    return Curve((*reversed(down), first, *up), onset, end)


def _follow(
    path: LagPath,
    first: PathPoint,
    window: tuple[float, float],
    onsets: Sequence[float],
    *,
    growing: bool,
) -> tuple[list[PathPoint], str, float | None]:
    """Points beyond the first one, why they end, and the onset that is reached."""
    low, high = window
    found = [first]
    factor = 0.97
    limit = first.amplitude * (_LARGEST if growing else _SMALLEST)
    while len(found) < _MOST:
        here = found[-1]
        target = here.amplitude * (1 / factor if growing else factor)
        moved = abs(here.slope * (target - here.amplitude))
        if moved > _STRIDE * (high - low) and factor < _LEAST:
            factor = factor**0.5
            continue
        if (target > limit) is growing:
            return found[1:], "faint", None
        try:
            point = settled(path, *predicted(path, here, target), target)
        except ConvergenceError:
            factor = factor**0.5
            if factor > _LEAST:
                break
            continue
        found.append(point)
        if not low <= point.value <= high:
            return found[1:], "range", None
        near = _arrived(found, onsets)
        if near is not None:
            return found[1:], "onset", near
        factor = max(factor**1.5, _FACTOR)
    return found[1:], "lost", None


def _arrived(points: Sequence[PathPoint], onsets: Sequence[float]) -> float | None:
    """The onset that the curve approaches in proportion to its amplitude or faster."""
    if len(points) < 4:
        return None
    a, b = points[-2:]
    for onset in onsets:
        scale = max(abs(onset), 1e-3)
        gaps = [abs(p.value - onset) for p in (a, b)]
        miss = abs(onset - (b.value - b.slope * b.amplitude))  # of the tangent, at a = 0
        near = gaps[1] < _ARRIVED * scale and miss < gaps[1]
        bound = gaps[1] < 10 * _ARRIVED * scale and miss < _BOUND * gaps[1]
        if gaps[1] < gaps[0] and (near or bound):
            return onset
    return None


def predicted(path: LagPath, here: PathPoint, target: float) -> tuple[LagPoint, float]:
    """A guess at another amplitude: the tangent, or the same shape stretched as near an onset."""
    step = target - here.amplitude
    value = here.value + here.slope * step
    try:
        problem = path.problem(value)
    except ConvergenceError:  # the linear law has no stationary state there
        value = here.value
        problem = path.problem(value)
    ratio = target / here.amplitude
    guesses = [here.point.moved(here.point.vector + step * here.motion)]
    for power in (0.5, 1.0):
        lags = here.point.grid.nodes * ratio**power
        rows = [ratio * here.point.grid.interpolate(row, lags) for row in here.point.decay]
        guesses.append(here.point.moved(np.concatenate([here.point.plateau, np.concatenate(rows)])))

    def miss(guess: LagPoint) -> float:
        try:
            return float(np.abs(problem.residual(guess, CURVE)).max())
        except ConvergenceError:
            return np.inf

    return min(guesses, key=miss), value


def settled(path: LagPath, point: LagPoint, value: float, target: float) -> PathPoint:
    """The solution of an amplitude on a grid that resolves it."""
    for _ in range(_GRIDS):
        found = path.solve(point, value, target, CURVE, 1e-9)
        if not isinstance(found.point.grid, ElementGrid):
            return found
        better = improved_grid(found.point, _TAIL, _END)
        if better is None:
            return found
        point, value = found.point.on(better), found.value
    raise ConvergenceError("the grid did not settle")


# ---- folds ---------------------------------------------------------------------------------------


def folds(path: LagPath, curve: Curve) -> list[Fold]:
    """Every turning point of a curve, to full accuracy.

    Raises:
        ConvergenceError: If a bracketed one could not be refined or verified.
    """
    found = []
    for a, b in zip(curve.points, curve.points[1:], strict=False):
        flat = [abs(p.slope * p.amplitude / max(abs(p.value), 1e-3)) for p in (a, b)]
        if a.slope * b.slope < 0 and max(flat) > _FLAT:
            found.append(_refined(path, _turning_point(path, a, b)))
    return found


def _turning_point(path: LagPath, a: PathPoint, b: PathPoint) -> tuple[PathPoint, float]:
    """Where dp/da vanishes, and d²p/da² there, on coarse grids: regula falsi (Illinois)."""
    ends, sides = [a, b], [a.slope, b.slope]
    last = 0
    middle = a
    for _ in range(_TURNS):
        weight = sides[0] / (sides[0] - sides[1])
        target = ends[0].amplitude + weight * (ends[1].amplitude - ends[0].amplitude)
        middle = settled(path, *predicted(path, min(ends, key=lambda e: abs(e.slope)), target),
                          target)  # fmt: skip
        side = 0 if middle.slope * sides[0] > 0 else 1
        if side == last - 1:
            sides[1 - side] /= 2
        ends[side], sides[side], last = middle, middle.slope, side + 1
        if abs(middle.slope) < 1e-6 * max(abs(a.slope), abs(b.slope)):
            break
    bend = (b.slope - a.slope) / (b.amplitude - a.amplitude)
    others = [e for e in ends if e.amplitude != middle.amplitude]
    if others and abs(others[0].amplitude - middle.amplitude) > 1e-6 * middle.amplitude:
        bend = (others[0].slope - middle.slope) / (others[0].amplitude - middle.amplitude)
    return middle, bend


def _refined(path: LagPath, rough: tuple[PathPoint, float]) -> Fold:
    """A turning point on fine grids; the slope that is left costs slope²/(2 bend)."""
    at, bend = rough
    point, value, target = at.point, at.value, at.amplitude
    grid = point.grid
    tail, end = _FINE_TAIL, _FINE_END
    if isinstance(grid, ElementGrid):
        point = point.on(ElementGrid(grid.edges, _DEGREE))
    for _ in range(_GRIDS):
        at = path.solve(point, value, target, FINE, 1e-12)
        target = at.amplitude - at.slope / bend
        point, value = at.point, at.value
        better = improved_grid(point, tail, end) if isinstance(grid, ElementGrid) else None
        if better is None:
            break
        point = point.on(better)
    at = path.solve(at.point, at.value, target, FINE, 1e-12)
    before = at.value - at.slope**2 / (2 * bend)
    after = before
    if isinstance(at.point.grid, ElementGrid):
        rich = at.point.on(ElementGrid(at.point.grid.edges, _DEGREE + 4))
        at = path.solve(rich, at.value, target, FINE, 1e-12)
        after = at.value - at.slope**2 / (2 * bend)
    problem = path.problem(at.value)
    power = least_power(problem, at.point)
    if power < -_NEGATIVE:
        raise ConvergenceError(
            f"the state at the fold is no covariance: its power falls to {power:.1e} of its largest"
        )
    if not path.program.system.discrete:
        miss = zero_mode_error(problem, at.point)
        if miss > _ZERO_MODE:
            raise ConvergenceError(f"the zero mode C' is missed by {miss:.1e} at the fold")
    return Fold(PathPoint(at.point, at.amplitude, after, at.slope, at.motion),
                abs(after - before) + 4e-16 * abs(after))  # fmt: skip

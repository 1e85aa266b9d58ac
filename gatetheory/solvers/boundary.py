"""Boundary curves of the spectral support: the level ρ(K(λ)) = 1 in the complex plane.

The Perron root is evaluated on a grid of the upper half-plane, graded geometrically towards every
special point of the real axis (poles of K, ends of ranges of poles, the outermost points), so that
necks and gaps many orders of magnitude thinner than the support are seen. The level line through
the grid is then moved onto the curve along the grid's edges, to the accuracy of the averages.
"""

from __future__ import annotations

from dataclasses import dataclass

import contourpy
import numpy as np
from matplotlib.path import Path
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.local_modes import LocalModes
from gatetheory.solvers.transfer import State, TransferMatrix

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

LINEAR_POINTS = 60
GRADED_POINTS = 24
CLOSEST = 1e-9  # of the support's size: the finest grid next to a special point
REFINEMENTS = 40
FARTHEST = 1e8


@dataclass(frozen=True)
class Boundary:
    """Boundary of the spectral support, without atoms.

    Args:
        curves: Closed curves (first point repeated), counter-clockwise around components of the
            support and clockwise around holes. Real-axis segments where K is infinite without an
            area around them are degenerate curves of two points there and back.
        error: Largest |ρ − 1| left on the curves.
        holes: Whether each curve bounds a hole.
    """

    curves: tuple[Complex, ...]
    holes: tuple[bool, ...]
    error: float

    def contains(self, points: Complex) -> NDArray[np.bool_]:
        """Whether points lie inside the support (even-odd rule over the curves)."""
        inside = np.zeros(np.shape(points), bool)
        for curve in self.curves:
            path = Path(np.column_stack([curve.real, curve.imag]))
            flat = np.column_stack([np.ravel(points).real, np.ravel(points).imag])
            inside ^= path.contains_points(flat).reshape(np.shape(points))
        return inside

    def distance(self, points: Complex) -> Array:
        """Distance of points from the nearest boundary curve."""
        nearest = np.full(np.shape(points), np.inf)
        for curve in self.curves:
            start, step = curve[:-1], np.diff(curve)
            length = np.maximum(np.abs(step) ** 2, 1e-300)
            for k, p in enumerate(np.ravel(points)):
                along = np.clip(((p - start) * step.conj()).real / length, 0, 1)
                gap = np.abs(p - start - along * step).min()
                nearest.ravel()[k] = min(nearest.ravel()[k], gap)
        return nearest


def trace_boundary(transfer: TransferMatrix, state: State, modes: LocalModes) -> Boundary:
    """All boundary curves of the support at a state, in doubles."""
    origin = 1.0 if transfer.condition.discrete else 0.0
    special = _special_points(modes) - origin
    reach = _reach(transfer, state, special)
    x_line, y_line, level = _level_on_grid(transfer, state, special, reach)
    crossed = _with_crossings(special, x_line, level[0])
    if len(crossed) > len(special):  # refine the grid where the boundary crosses the real axis
        x_line, y_line, level = _level_on_grid(transfer, state, crossed, reach)
    lines = contourpy.contour_generator(x_line, y_line, level).lines(0.0)
    curves: list[Complex] = []
    worst = 0.0
    for line in lines:
        points, error = _polish(transfer, state, np.asarray(line), x_line, y_line)
        worst = max(worst, error)
        curves.append(points)
    closed = [whole for c in curves if len(c) > 1 for whole in _reflected(c)]
    holes = tuple(_signed_area(c) < 0 for c in closed)
    return Boundary(tuple(c + origin for c in closed), holes, worst)


def _level_on_grid(
    transfer: TransferMatrix, state: State, special: Complex, reach: float
) -> tuple[Array, Array, Array]:
    """Grid lines in x and y, and ln ρ on the grid, shape (lines in y, lines in x)."""
    x_line, y_line = _grid_lines(special, reach)
    x, y = np.meshgrid(x_line, y_line)
    return x_line, y_line, _excess(transfer, state, x, y, 1e-4)


def _special_points(modes: LocalModes) -> Complex:
    """Poles of K in the closed upper half-plane, and the ends of ranges of poles."""
    points = [modes.fixed_poles]
    for row in modes.moving_poles:
        ends = [np.argmin(row.real), np.argmax(row.real), np.argmin(row.imag), np.argmax(row.imag)]
        points.append(row[ends])
    found = np.concatenate(points)
    return np.unique(np.round(found.real + 1j * np.abs(found.imag), 14))


def _reach(transfer: TransferMatrix, state: State, special: Complex) -> float:
    """Half the side of a square around the centre outside which there is no support."""
    angles = np.linspace(0.0, np.pi, 65)
    centre = _centre(special)
    radius = 1.1 * float(np.max(np.abs(special - centre), initial=0.0)) + 1e-3
    while radius < FARTHEST:
        x, y = centre + radius * np.cos(angles), radius * np.abs(np.sin(angles)) + 1e-9
        if np.all(transfer.spectral_radius(x, y, state, tolerance=1e-3)[0] < 1):
            return 1.1 * radius
        radius *= 1.2
    raise ConvergenceError(
        "the transfer matrix stays above one at large λ, so that the spectrum has no boundary; "
        "algebraic fields form an unstable loop"
    )


def _centre(special: Complex) -> float:
    return float(np.mean(special.real)) if len(special) else 0.0


def _grid_lines(special: Complex, reach: float) -> tuple[Array, Array]:
    """Grid lines in x and in y ≥ 0, linear overall and geometric towards the special points."""
    graded = reach * np.geomspace(CLOSEST, 1.0, GRADED_POINTS)
    centre = _centre(special)
    x = [np.linspace(centre - reach, centre + reach, LINEAR_POINTS)]
    y = [np.linspace(0.0, reach, LINEAR_POINTS)[1:], graded]
    for p in special:
        x += [p.real + graded, p.real - graded]
        if p.imag > 0:
            y += [p.imag + graded, p.imag - graded]
    lines = _separated(np.concatenate(x), 0.1 * graded[0])
    heights = _separated(np.concatenate(y), 0.1 * graded[0])
    lines = lines[np.abs(lines - centre) <= reach]
    heights = heights[(heights > 0) & (heights <= reach)]
    return lines, np.concatenate([[1e-3 * graded[0]], heights[heights > 1e-2 * graded[0]]])


def _separated(values: Array, gap: float) -> Array:
    """Sorted values, without those that nearly coincide with the one before."""
    ordered = np.unique(values)
    return np.asarray(ordered[np.concatenate([[True], np.diff(ordered) > gap])])


def _with_crossings(special: Complex, x: Array, level: Array) -> Complex:
    """The special points, and where the boundary crosses the real axis."""
    change = np.flatnonzero(level[:-1] * level[1:] < 0)
    crossing = 0.5 * (x[change] + x[change + 1])
    far = [c for c in crossing if np.all(np.abs(special - c) > 1e-3)]
    return np.unique(np.concatenate([special, np.array(far, complex)]))


def _excess(
    transfer: TransferMatrix, state: State, x: Array, y: Array, tolerance: float | None
) -> Array:
    """Logarithm of ρ, cut off at ±50 so that it can be interpolated."""
    rho, _ = transfer.spectral_radius(x, y, state, tolerance=tolerance)
    rho = np.where(np.isfinite(rho), rho, np.exp(50))
    return np.asarray(np.clip(np.log(np.maximum(rho, 1e-300)), -50, 50))


def _polish(
    transfer: TransferMatrix, state: State, line: Array, x_line: Array, y_line: Array
) -> tuple[Complex, float]:
    """Move points of a level line along the grid edges they lie on, onto the curve.

    Bisection and false position (Illinois) on all points at once.
    """
    start, stop = _edges(line, x_line, y_line)
    low = np.zeros(len(line))
    high = np.ones(len(line))

    def level(t: Array) -> Array:
        p = start + t[:, None] * (stop - start)
        return _excess(transfer, state, p[:, 0], p[:, 1], None)

    f_low, f_high = level(low), level(high)
    t = np.full(len(line), 0.5)
    f_t = level(t)
    for k in range(REFINEMENTS):
        same = np.sign(f_t) == np.sign(f_low)
        low, f_high = np.where(same, t, low), np.where(same, f_high, f_t)
        high, f_low = np.where(same, high, t), np.where(same, f_t, f_low)
        gap = f_high - f_low
        secant = low - f_low * (high - low) / np.where(gap == 0, 1.0, gap)
        inside = (secant > low) & (secant < high) & (k % 3 != 2)
        t = np.where(inside, secant, 0.5 * (low + high))
        f_t = level(t)
        if np.max(np.abs(f_t)) < 1e-11 or np.max(high - low) < 1e-15:
            break
    points = start + t[:, None] * (stop - start)
    return points[:, 0] + 1j * points[:, 1], float(np.max(np.abs(f_t)))


def _edges(line: Array, x_line: Array, y_line: Array) -> tuple[Array, Array]:
    """End points of the grid edge that each point of a level line lies on."""
    start, stop = line.copy(), line.copy()
    for column, grid in enumerate((x_line, y_line)):
        value = line[:, column]
        right = np.clip(np.searchsorted(grid, value), 1, len(grid) - 1)
        left = right - 1
        tiny = 1e-13 * np.maximum(np.abs(grid[left]), np.abs(grid[right]))
        between = (value - grid[left] > tiny) & (grid[right] - value > tiny)
        start[between, column] = grid[left][between]
        stop[between, column] = grid[right][between]
    return start, stop


def _reflected(curve: Complex) -> list[Complex]:
    """The whole curve, or pair of curves, that a level line of the upper half-plane stands for."""
    mirror = curve[::-1].conj()
    if curve[0] == curve[-1]:
        return [curve, mirror]
    return [np.concatenate([curve, mirror, curve[:1]])]


def _signed_area(curve: Complex) -> float:
    return float(0.5 * np.sum((curve[:-1].conj() * curve[1:]).imag))

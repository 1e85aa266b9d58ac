"""Finds the decaying solutions of a lag system from nothing but its parameters.

1. *Relaxation.* Starting from a wide bump the sources are recomputed from themselves with damping,
   on a coarse grid and with coarse averages. A chaotic state that attracts is approached; Newton's
   method finishes.
2. *The curve of amplitudes.* Where relaxation dies out, the sources are multiplied by μ > 1 until
   it does not, and the curve μ(amplitude) is followed down to small amplitudes. Every crossing of
   μ = 1 is a solution. Where the quiet state is stable although a solution was found, the curve
   must come back: the second solution is on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.lag_checks import least_power
from gatetheory.solvers.lag_grid import ElementGrid, Grid, StepGrid, doubling_edges
from gatetheory.solvers.lag_newton import (
    COARSE,
    CURVE,
    amplitude,
    improved_grid,
    newton,
    newton_at_amplitude,
)
from gatetheory.solvers.lag_problem import LagPoint, LagProblem

Array = NDArray[np.float64]

_DEGREE = 8
_REACH = 25.0  # first range of lags, in units of the slowest mode
_DAMPING = 0.7
_MOST_STEPS = 60
_SETTLED = 3e-3
_DEAD = 1e-5
_STRONGER = 1.6
_FACTOR = 0.6  # between successive amplitudes on the curve
_ONSET = 1e-10  # responses of the quiet state this close to 1 are at the onset
_AT_ONSET = 1e-3
_SETTLING = 0.85  # ratio of successive changes of μ that counts as settling
_SMALLEST = 1e-7  # last amplitude, relative to the first
_COARSE_TAIL, _COARSE_END = 1e-4, 1e-4
_CURVE_TAIL, _CURVE_END = 1e-6, 1e-8  # what is cut off must not outweigh the nonlinearity
_NEGATIVE = 1e-2  # power that coarse errors may leave below zero


@dataclass(frozen=True)
class Found:
    """Coarse solutions, ascending in amplitude.

    Args:
        points: The solutions.
        quiet: Largest eigenvalue of the response of the quiet state to slow perturbations; above 1
            the quiet state is unstable. None if noise leaves no quiet state.
        searched: What was done, in words.
    """

    points: tuple[LagPoint, ...]
    quiet: float | None
    searched: str


def search(problem: LagProblem) -> Found:
    """All decaying solutions that are found, on coarse grids.

    Raises:
        ConvergenceError: If the quiet state is unstable and yet no solution was found.
    """
    quiet = None if problem.is_noisy else quiet_response(problem)
    start = bump(problem, 1.0)
    relaxed = relax(problem, start)
    if problem.is_noisy:
        if relaxed is None:
            raise ConvergenceError("no stationary state was found under noise")
        return Found((relaxed,), None, "relaxation from a wide bump")
    unstable = quiet is not None and quiet > 1 + _ONSET
    if relaxed is not None and unstable:
        return Found((relaxed,), quiet, "relaxation from a wide bump, Newton's method")
    curve_start = relaxed
    scale = 1.0
    while curve_start is None and scale < 1e3:
        scale *= _STRONGER
        curve_start = relax(problem, bump(problem, scale))
    if curve_start is None:
        return Found((), quiet, f"relaxation with sources up to {scale:.3g} times as strong")
    points = [] if relaxed is None else [relaxed]
    points += crossings(problem, curve_start, quiet, first_is_solution=relaxed is not None)
    if not points and unstable:
        raise ConvergenceError(
            "the quiet state is unstable, but no decaying solution was found; the state may "
            "oscillate, or lie too close to the onset for doubles"
        )
    points.sort(key=lambda p: amplitude(problem, p))
    return Found(tuple(points), quiet, "relaxation, and the curve of amplitudes down to onset")


def first_grid(problem: LagProblem) -> Grid:
    """A coarse grid that covers the memory of a unit."""
    slow = max(problem.filter.slowest, 1e-3)
    if problem.filter.discrete:
        return StepGrid(int(np.ceil(8 * slow)) + 12)
    fast = max(problem.filter.fastest, slow / 200)
    return ElementGrid(doubling_edges(0.4 * fast, _REACH * slow), _DEGREE)


def bump(problem: LagProblem, scale: float) -> LagPoint:
    """Sources that covariances in the shape of a wide bump leave."""
    grid = first_grid(problem)
    width = 3 * max(problem.filter.slowest, 0.3)
    shape = 1 / np.cosh(np.minimum(grid.nodes / width, 300.0))
    sources = problem.sources_of(shape, 1e-4)
    plateau = sources[:, -1]
    return LagPoint(grid, plateau, sources[:, :-1] - plateau[:, None], scale)


def relax(problem: LagProblem, point: LagPoint) -> LagPoint | None:
    """Damped iteration followed by Newton's method; None if the solution dies out."""
    first = amplitude(problem, point)
    previous = np.inf
    for step in range(_MOST_STEPS):
        residual = problem.residual(point, 1e-4)
        point = point.moved(point.vector + _DAMPING * residual)
        size = amplitude(problem, point)
        if not size > _DEAD * first:
            return None
        change = float(np.abs(residual).max()) / float(np.abs(point.decay).max())
        if change < _SETTLED or (step > 12 and step % 12 == 0 and change < 0.1):
            found = _attempt(problem, point)
            if found is not None:
                return found
        if step % 10 == 9:
            point = _adapted(point)
        previous = min(previous, change)
    return _attempt(problem, point)


def _attempt(problem: LagProblem, point: LagPoint) -> LagPoint | None:
    """Newton from here, accepted if it stays a bump of similar size."""
    size = amplitude(problem, point)
    for _ in range(4):
        try:
            found = newton(problem, point, COARSE, 1e-4, steps=10)
        except ConvergenceError:
            return None
        if not 0.2 * size < amplitude(problem, found) < 5 * size:
            return None
        point = _adapted(found)
        if point.grid == found.grid:
            break
    return found if least_power(problem, found) > -_NEGATIVE else None


def _adapted(point: LagPoint, tail: float = _COARSE_TAIL, end: float = _COARSE_END) -> LagPoint:
    if isinstance(point.grid, StepGrid):
        left = np.abs(point.decay[:, -2:]).max() / np.abs(point.decay).max()
        if left > end and point.grid.length < 700:
            return point.on(StepGrid(2 * point.grid.length))
        return point
    better = improved_grid(point, tail, end)
    return point if better is None else point.on(better)


def curve(problem: LagProblem, start: LagPoint) -> Iterator[LagPoint]:
    """Points at falling amplitudes."""
    first = amplitude(problem, start)
    value, factor = first, _FACTOR
    point = start
    while value > _SMALLEST * first:
        target = value * factor
        try:
            found = newton_at_amplitude(
                problem, _shrunk(problem, point, factor), target, CURVE, 1e-9
            )
            found = _settled(problem, found, target)
        except ConvergenceError:
            factor = factor**0.5
            if factor > 0.97:
                return
            continue
        yield found
        point, value = found, target
        factor = max(factor * 0.9, _FACTOR)


def _shrunk(problem: LagProblem, point: LagPoint, factor: float) -> LagPoint:
    """A guess at a smaller amplitude: near an onset correlation times grow like a power of it."""
    guesses = []
    for power in (0.0, 0.5, 1.0):
        lags = point.grid.nodes * factor**power
        rows = [factor * point.grid.interpolate(row, lags) for row in point.decay]
        guesses.append(point.moved(np.concatenate([point.plateau, np.concatenate(rows)])))
    return min(guesses, key=lambda g: float(np.abs(problem.residual(g, CURVE)).max()))


def _settled(problem: LagProblem, point: LagPoint, target: float) -> LagPoint:
    for _ in range(6):
        better = _adapted(point, _CURVE_TAIL, _CURVE_END)
        if better.grid == point.grid:
            return point
        point = newton_at_amplitude(problem, better, target, CURVE, 1e-9)
    return point


def crossings(
    problem: LagProblem, start: LagPoint, quiet: float | None, *, first_is_solution: bool
) -> list[LagPoint]:
    """Solutions at μ = 1 on the curve below a start."""
    found = []
    points = [start]
    for point in curve(problem, start):
        points.append(point)
        high, low = points[-2:]
        first = len(points) == 2 and first_is_solution
        if not first and (high.scale - 1) * (low.scale - 1) < 0:
            found.append(_crossing(problem, high, low))
        if quiet is not None and abs(quiet - 1) <= _ONSET and abs(point.scale - 1) < _AT_ONSET:
            break  # the curve ends at μ = 1: exactly at the onset there is nothing to cross
        # The quiet state's response says on which side of 1 the curve ends.
        at_end = quiet is None or (point.scale - 1) * (1 - quiet) > 0
        if at_end and _has_settled([p.scale for p in points]):
            break
    return found


def _has_settled(scales: list[float]) -> bool:
    """Whether μ approaches its limit at zero amplitude without coming near 1 again.

    The last changes fall geometrically, and what is left of them is less than half the distance.
    """
    if len(scales) < 4:
        return False
    before, last = abs(scales[-2] - scales[-3]), abs(scales[-1] - scales[-2])
    ratio = last / before if before > 0 else 1.0
    return ratio < _SETTLING and last * ratio / (1 - ratio) < abs(scales[-1] - 1) / 2


def _crossing(problem: LagProblem, high: LagPoint, low: LagPoint) -> LagPoint:
    """Regula falsi in the logarithm of the amplitude, then Newton at μ = 1."""
    ends = [(np.log(amplitude(problem, p)), p) for p in (high, low)]
    for _ in range(30):
        (xa, a), (xb, b) = ends
        fa, fb = a.scale - 1, b.scale - 1
        weight = min(max(fa / (fa - fb), 0.05), 0.95)
        x = xa + weight * (xb - xa)
        guess = low.on(low.grid)
        guess = guess.moved(guess.vector * np.exp(x - xb), b.scale)
        try:
            point = newton_at_amplitude(problem, guess, float(np.exp(x)), CURVE, 1e-9)
        except ConvergenceError:
            break
        ends = [(x, point), (xb, b)] if (point.scale - 1) * fa > 0 else [(xa, a), (x, point)]
        if abs(point.scale - 1) < 1e-9:
            break
    best = min((p for _, p in ends), key=lambda p: abs(p.scale - 1))
    solved = best.moved(best.vector, 1.0)
    try:
        return newton(problem, solved, CURVE, 1e-10)
    except ConvergenceError:
        return solved


def quiet_response(problem: LagProblem) -> float:
    """Largest eigenvalue of ∂S/∂C · t at the quiet state, where nothing decays."""
    grid = StepGrid(0) if problem.filter.discrete else ElementGrid((0.0, 1.0), 2)
    n = len(grid.nodes)
    point = LagPoint(grid, np.zeros(problem.sources), np.zeros((problem.sources, n)))
    for _ in range(2000):
        values = problem.evaluate(point, 1e-12, slopes=False)[0][:, -1]
        change = np.abs(values - point.plateau).max()
        point = point.moved(np.concatenate([values, np.zeros(problem.sources * n)]))
        if change < 1e-12:
            break
    _, at_lag, _ = problem.evaluate(point, 1e-12)
    assert at_lag is not None
    _, totals = problem.operators(grid)
    response = at_lag[:, :, -1] @ totals
    return float(np.abs(np.linalg.eigvals(response)).max())

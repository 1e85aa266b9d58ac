"""Finds the decaying solutions of a lag system from nothing but its parameters.

1. *Relaxation.* Starting from a wide bump the sources are recomputed from themselves with damping,
   on a coarse grid and with coarse averages. A chaotic state that attracts is approached; Newton's
   method finishes.
2. *The curve of amplitudes.* Where relaxation dies out, the sources are multiplied by μ > 1 until
   it does not. Where the quiet state is stable although a solution was found, there must be
   another one, and beside a quiet state that is not zero there may be two more. All are where the
   curve (:mod:`gatetheory.solvers.lag_curve`) crosses μ = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.lag_checks import least_power
from gatetheory.solvers.lag_curve import ONSET, adapted, crossings
from gatetheory.solvers.lag_grid import ElementGrid, Grid, StepGrid, doubling_edges
from gatetheory.solvers.lag_newton import COARSE, amplitude, newton
from gatetheory.solvers.lag_problem import LagPoint, LagProblem

Array = NDArray[np.float64]

_DEGREE = 8
_REACH = 25.0  # first range of lags, in units of the slowest mode
_DAMPING = 0.7
_MOST_STEPS = 60
_SETTLED = 3e-3
_DEAD = 1e-5
_FAINT, _WATCHED = 0.03, 8  # share of the first amplitude, and steps, by which a decay shows
_STRONGER = 1.6
_COARSE_TAIL, _COARSE_END = 1e-4, 1e-4
_PLATEAU = 1e-6
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
    unstable = quiet is not None and quiet > 1 + ONSET
    if relaxed is not None and unstable:
        if not _has_plateau(relaxed):
            return Found((relaxed,), quiet, "relaxation from a wide bump, Newton's method")
        return Found(_with_smaller(problem, relaxed, quiet), quiet,
                     "relaxation, and the curve of amplitudes down to onset")  # fmt: skip
    curve_start = relaxed
    scale = 1.0
    while curve_start is None and scale < 1e3:
        scale *= _STRONGER
        curve_start = relax(problem, bump(problem, scale))
    if curve_start is None:
        return Found((), quiet, f"relaxation with sources up to {scale:.3g} times as strong")
    points = crossings(problem, curve_start, quiet, is_solution=relaxed is not None)
    if not points and unstable:
        raise ConvergenceError(
            "the quiet state is unstable, but no decaying solution was found; the state may "
            "oscillate, or lie too close to the onset for doubles"
        )
    points.sort(key=lambda p: amplitude(problem, p))
    return Found(tuple(points), quiet, "relaxation, and the curve of amplitudes down to onset")


def _has_plateau(point: LagPoint) -> bool:
    """Whether local fields are correlated for ever: then the quiet state is not the zero state."""
    return bool(np.abs(point.plateau).max() > _PLATEAU * np.abs(point.decay).max())


def _with_smaller(
    problem: LagProblem, relaxed: LagPoint, quiet: float | None
) -> tuple[LagPoint, ...]:
    """A state and those of smaller amplitude: beside a bias a state may begin small and fold."""
    try:
        points = crossings(problem, relaxed, quiet, is_solution=True)
    except ConvergenceError:
        points = []
    return tuple(sorted(points or [relaxed], key=lambda p: amplitude(problem, p)))


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
    sizes, changes = [amplitude(problem, point)], list[float]()
    for step in range(_MOST_STEPS):
        residual = problem.residual(point, 1e-4)
        point = point.moved(point.vector + _DAMPING * residual)
        sizes.append(amplitude(problem, point))
        changes.append(float(np.abs(residual).max()) / float(np.abs(point.decay).max()))
        if not sizes[-1] > _DEAD * sizes[0] or _dies(sizes, changes):
            return None
        if changes[-1] < _SETTLED or (step > 12 and step % 12 == 0 and changes[-1] < 0.1):
            found = _attempt(problem, point)
            if found is not None:
                return found
        if step % 10 == 9:
            point = adapted(point, _COARSE_TAIL, _COARSE_END)
    return _attempt(problem, point)


def _dies(sizes: list[float], changes: list[float]) -> bool:
    """Whether amplitudes fall geometrically: relative changes would fall on the way to a state."""
    if len(changes) <= _WATCHED or not sizes[-1] < _FAINT * sizes[0]:
        return False
    return sizes[-1] < sizes[-1 - _WATCHED] / 2 and changes[-1] > 0.95 * changes[-1 - _WATCHED]


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
        point = adapted(found, _COARSE_TAIL, _COARSE_END)
        if point.grid == found.grid:
            break
    return found if least_power(problem, found) > -_NEGATIVE else None


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

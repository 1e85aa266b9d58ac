"""Newton's method on a discretised lag system, and its refinement to full accuracy.

Two problems: the system itself, and the system at a prescribed *amplitude* C(0) − C(∞) of the main
covariance, with a factor μ on all sources as the additional unknown. Along the amplitude the
solutions form a curve without folds in all cases met, and the solutions of the system itself are
where μ = 1: this is how branches are found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.lag_grid import ElementGrid, StepGrid, split
from gatetheory.solvers.lag_problem import LagPoint, LagProblem

Array = NDArray[np.float64]

FINE = 1e-15  # accuracy of the averages for final results
COARSE = 1e-7  # and while searching
CURVE = 1e-14  # near the onset the nonlinearity is a small difference
_FINE_DEGREE = 16
_TAIL = 3e-11  # Legendre coefficients that a resolved element may end with, relative to the sources
_END = 1e-11  # what may be left at the last lag
_NEAR = 10.0  # |quiet − 1| below 1/10 counts as close to the onset
_FLOOR = 1e-12
_SAME = 1e-11  # amplitudes on successive grids that agree to this leave nothing to refine
_LARGEST = 1500  # unknowns
_HALVINGS = 8
_LOST = 50.0  # a residual that has grown by this is not coming back …
_FAR = 1.5  # … nor are covariances that exceed the variance by this
_ROUNDED = 1e-8  # steps below this that stop falling are rounding


def amplitude_row(problem: LagProblem, point: LagPoint) -> Array:
    """C(0) − C(∞) of the main covariance as a linear form of the decays, shape (S, n)."""
    matrices, _ = problem.operators(point.grid)
    row = problem.program.main
    return np.asarray(matrices[row, :, -1], dtype=float)


def amplitude(problem: LagProblem, point: LagPoint) -> float:
    """C(0) − C(∞) of the main covariance, white noise left out."""
    return float((amplitude_row(problem, point) * point.decay).sum())


def newton(
    problem: LagProblem, point: LagPoint, tolerance: float, target: float, steps: int = 25
) -> LagPoint:
    """Solve the system.

    Args:
        problem: The system.
        point: Start.
        tolerance: Accuracy of averages.
        target: Largest last step, relative to the sources; next to an onset, where rounding is
            magnified, the steps may stop falling earlier.
        steps: Most steps.

    Raises:
        ConvergenceError: If the steps do not become small.
    """
    point = admissible(problem, point)
    continuity = problem.continuity(point.grid)
    size = _size(point)
    last = np.inf
    for _ in range(steps):
        residual, jacobian, _ = problem.linearized(point, tolerance)
        norm = float(np.abs(residual).max())
        change = continuity.solve(jacobian, residual)
        ratio = float(np.abs(change).max()) / size
        at_floor = ratio < _ROUNDED and ratio > last / 4
        if ratio <= target or at_floor:
            return point.moved(point.vector - change) if ratio <= last else point
        last = ratio
        point = _backtracked(problem, point, change, norm, tolerance, ratio)
        size = _size(point)
    raise ConvergenceError(f"Newton's method still moves by {last:.1e} of the solution")


def newton_at_amplitude(
    problem: LagProblem, point: LagPoint, value: float, tolerance: float, target: float
) -> LagPoint:
    """Solve the system at a prescribed amplitude, the scale μ being unknown.

    Raises:
        ConvergenceError: If it does not converge.
    """
    point = admissible(problem, point)
    continuity = problem.continuity(point.grid)
    norm = best = np.inf
    for _ in range(20):
        residual, jacobian, by_scale = problem.linearized(point, tolerance)
        row = np.concatenate([np.zeros(problem.sources), amplitude_row(problem, point).ravel()])
        miss = float(row @ point.vector) - value
        residual = continuity.project(residual)
        norm = max(float(np.abs(residual).max()) / _size(point), abs(miss) / value)
        if norm <= target:
            return point
        best = min(best, norm)
        if norm > _LOST * best or _excess(problem, point) > _FAR:
            break
        bordered = np.block([[jacobian, by_scale[:, None]], [row[None], np.zeros((1, 1))]])
        change = continuity.solve(bordered, np.append(residual, miss))
        ratio = abs(change[-1]) / (0.5 * point.scale)
        step = 1.0 if ratio <= 1 else 1 / ratio
        point = point.moved(point.vector - step * change[:-1], point.scale - step * change[-1])
        if point.scale <= 0:
            break
    raise ConvergenceError(f"no solution of amplitude {value:.3g} found (residual {norm:.1e})")


def _excess(problem: LagProblem, point: LagPoint) -> float:
    """Largest |C(τ)|/C(0) of an autocovariance: at most 1 of a true one."""
    c, own = problem.covariances_at(point), problem.program.variances_read
    with np.errstate(all="ignore"):
        return float(np.max(np.abs(c.lagged[own]) / c.equal[own, None]))


def admissible(problem: LagProblem, point: LagPoint) -> LagPoint:
    """The nearest point whose functions are smooth across the elements' edges."""
    return point.moved(problem.continuity(point.grid).project(point.vector))


def _backtracked(
    problem: LagProblem,
    point: LagPoint,
    change: Array,
    norm: float,
    tolerance: float,
    ratio: float,
) -> LagPoint:
    if ratio < 1e-3:  # the region of quadratic convergence
        return point.moved(point.vector - change)
    step = 1.0
    for _ in range(_HALVINGS):
        trial = point.moved(point.vector - step * change)
        equal = problem.covariances_at(trial).equal
        own = problem.program.variances_read
        if (equal[own] > 0).all():
            try:
                found = float(np.abs(problem.residual(trial, tolerance)).max())
            except ConvergenceError:
                found = np.inf
            if found < norm * (1 - 0.1 * step) or found < 1e-13:
                return trial
        step /= 2
    return trial


def _size(point: LagPoint) -> float:
    return float(np.abs(point.plateau[:, None] + point.decay).max())


@dataclass(frozen=True)
class Refined:
    """A solution to full accuracy.

    Args:
        point: The solution.
        error: Change of C(0) of the main covariance, relative, on an enriched grid.
        residual: Largest residual, relative, with averages computed by a finer rule and the
            sources compared between the nodes.
    """

    point: LagPoint
    error: float
    residual: float


def refine(problem: LagProblem, point: LagPoint, quiet: float | None = None) -> Refined:
    """Solve to full accuracy on a grid that follows the solution.

    Args:
        problem: The system.
        point: A coarse solution.
        quiet: Response of the quiet state. Close to 1 (the onset) the solution hangs on
            differences as small as (quiet − 1)², and what is cut off must be smaller still.

    Raises:
        ConvergenceError: If the solution cannot be resolved within a bounded number of nodes.
    """
    if isinstance(point.grid, StepGrid):
        return _refine_map(problem, point)
    grid = point.grid
    assert isinstance(grid, ElementGrid)
    share = 1.0 if quiet is None else min(1.0, (_NEAR * (quiet - 1)) ** 2)
    tail, end = max(share * _TAIL, _FLOOR), max(share * _END, _FLOOR / 100)
    point = point.on(ElementGrid(grid.edges, _FINE_DEGREE))
    before = np.inf
    for _ in range(12):
        point = newton(problem, point, FINE, 1e-12)
        better = improved_grid(point, tail, end)
        now = amplitude(problem, point)
        drift = abs(now - before) / now
        if better is None or drift < _SAME / np.sqrt(share):
            break
        before = now
        if len(better.nodes) * problem.sources > _LARGEST:
            raise ConvergenceError("the correlation functions need too many nodes to be resolved")
        point = point.on(better)
    else:
        raise ConvergenceError("the grid did not settle")
    assert isinstance(point.grid, ElementGrid)
    rich = admissible(problem, point.on(ElementGrid(point.grid.edges, _FINE_DEGREE + 4)))
    residual, jacobian, _ = problem.linearized(rich, FINE * 1e-3)
    change = problem.continuity(rich.grid).solve(jacobian, residual)
    corrected = rich.moved(rich.vector - change)
    before, after = amplitude(problem, rich), amplitude(problem, corrected)
    return Refined(
        corrected,
        max(abs(after - before) / abs(after), drift if better is not None else 0.0),
        float(np.abs(residual).max()) / _size(rich),
    )


def _refine_map(problem: LagProblem, point: LagPoint) -> Refined:
    for _ in range(8):
        point = newton(problem, point, FINE, 1e-14)
        left = np.abs(point.decay[:, -3:]).max() / np.abs(point.decay).max()
        if left < _END:
            residual = problem.residual(point, FINE * 1e-3)
            relative = float(np.abs(residual).max()) / _size(point)
            return Refined(point, max(relative, float(left)), relative)
        length = 2 * len(point.grid.nodes)
        if length * problem.sources > 2 * _LARGEST:
            break
        point = point.on(StepGrid(length))
    raise ConvergenceError("correlations decay too slowly for a map's lags to be listed one by one")


def improved_grid(point: LagPoint, tail: float, end: float) -> ElementGrid | None:
    """A grid with unresolved elements halved and the range extended; None if all is well."""
    grid = point.grid
    assert isinstance(grid, ElementGrid)
    size = np.abs(point.decay).max(axis=1, keepdims=True)
    size = np.where(size > 0, size, 1.0)
    tails = np.zeros(grid.elements)
    last = 0.0
    for row, s in zip(point.decay, size, strict=True):
        coefficients = np.abs(grid.coefficients(row)) / s
        tails = np.maximum(tails, coefficients[:, -2:].max(axis=1))
        last = max(last, float(coefficients[-1].max()))
    marked = np.flatnonzero(tails > tail)
    better = split(grid, marked.tolist())
    if last > end:
        edges = better.edges
        better = replace(better, edges=(*edges, edges[-1] * 2))
    return better if better != grid else None

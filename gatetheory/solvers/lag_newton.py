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

FINE = 1e-13  # accuracy of the averages for final results
COARSE = 1e-7  # and while searching
_FINE_DEGREE = 16
_TAIL = 3e-11  # Legendre coefficients that a resolved element may end with, relative to the sources
_END = 1e-11  # what may be left at the last lag
_LARGEST = 1500  # unknowns
_HALVINGS = 8


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
        target: Largest residual, relative to the sources.
        steps: Most steps.

    Raises:
        ConvergenceError: If the residual does not fall below the target.
    """
    size = _size(point)
    best = np.inf
    for _ in range(steps):
        residual, jacobian, _ = problem.linearized(point, tolerance)
        norm = float(np.abs(residual).max())
        if norm <= target * size or (norm <= 20 * target * size and norm > best / 2):
            return point
        best = min(best, norm)
        change = _solve(jacobian, residual)
        point = _backtracked(problem, point, change, norm, tolerance)
        size = _size(point)
    raise ConvergenceError(f"Newton's method left a residual of {best / size:.1e}")


def newton_at_amplitude(
    problem: LagProblem, point: LagPoint, value: float, tolerance: float, target: float
) -> LagPoint:
    """Solve the system at a prescribed amplitude, the scale μ being unknown.

    Raises:
        ConvergenceError: If it does not converge.
    """
    norm = np.inf
    for _ in range(20):
        residual, jacobian, by_scale = problem.linearized(point, tolerance)
        row = np.concatenate([np.zeros(problem.sources), amplitude_row(problem, point).ravel()])
        miss = float(row @ point.vector) - value
        norm = max(float(np.abs(residual).max()) / _size(point), abs(miss) / value)
        if norm <= target:
            return point
        bordered = np.block([[jacobian, by_scale[:, None]], [row[None], np.zeros((1, 1))]])
        change = _solve(bordered, np.append(residual, miss))
        ratio = abs(change[-1]) / (0.5 * point.scale)
        step = 1.0 if ratio <= 1 else 1 / ratio
        point = point.moved(point.vector - step * change[:-1], point.scale - step * change[-1])
        if point.scale <= 0:
            break
    raise ConvergenceError(f"no solution of amplitude {value:.3g} found (residual {norm:.1e})")


def _solve(matrix: Array, right: Array) -> Array:
    try:
        return np.asarray(np.linalg.solve(matrix, right), dtype=float)
    except np.linalg.LinAlgError as error:
        raise ConvergenceError("the linearised lag system is singular") from error


def _backtracked(
    problem: LagProblem, point: LagPoint, change: Array, norm: float, tolerance: float
) -> LagPoint:
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
    return point.moved(point.vector - change) if norm < 1e-9 else trial


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


def refine(problem: LagProblem, point: LagPoint) -> Refined:
    """Solve to full accuracy on a grid that follows the solution.

    Raises:
        ConvergenceError: If the solution cannot be resolved within a bounded number of nodes.
    """
    if isinstance(point.grid, StepGrid):
        return _refine_map(problem, point)
    grid = point.grid
    assert isinstance(grid, ElementGrid)
    point = point.on(ElementGrid(grid.edges, _FINE_DEGREE))
    for _ in range(12):
        point = newton(problem, point, FINE, 1e-13)
        better = improved_grid(point, _TAIL, _END)
        if better is None:
            break
        if len(better.nodes) * problem.sources > _LARGEST:
            raise ConvergenceError("the correlation functions need too many nodes to be resolved")
        point = point.on(better)
    else:
        raise ConvergenceError("the grid did not settle")
    assert isinstance(point.grid, ElementGrid)
    rich = point.on(ElementGrid(point.grid.edges, _FINE_DEGREE + 4))
    residual, jacobian, _ = problem.linearized(rich, FINE * 1e-3)
    corrected = rich.moved(rich.vector - _solve(jacobian, residual))
    before, after = amplitude(problem, rich), amplitude(problem, corrected)
    return Refined(
        corrected,
        abs(after - before) / abs(after),
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

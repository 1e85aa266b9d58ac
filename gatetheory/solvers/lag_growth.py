"""The growth rate of the difference between two replicas: a nonlinear eigenproblem in κ.

The variation of the cross-replica covariances obeys χ = K_κ * δS with δS = (∂S/∂C) χ, variances
fixed and every mode of K decaying faster by κ. λ_max is the largest κ at which this has a decaying
even solution: where the largest eigenvalue of (∂S/∂C) K_κ, which falls with κ, is one. It is found
by secants in κ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.lag_grid import ElementGrid, StepGrid
from gatetheory.solvers.lag_newton import FINE, admissible, improved_grid
from gatetheory.solvers.lag_problem import LagPoint, LagProblem

Array = NDArray[np.float64]

_TAIL, _END = 1e-10, 1e-10
_STEPS = 60
_LARGEST = 2200
_POWER, _INVERSE = 5, 12  # steps of power and of inverse iteration
_ABOVE = 0.05  # relative distance of the shift above the eigenvalue
_ROUNDING = 1e-12  # of the eigenvalue: averages and covariances in doubles
_SIGN = 1e-6  # what rounding may leave below zero in a positive eigenvector


@dataclass(frozen=True)
class Growth:
    """λ_max and its eigenfunction.

    Args:
        rate: κ per unit of time (step).
        error: Its change on an enriched grid.
        residual: |eigenvalue − 1| on the enriched grid, times |dκ/d eigenvalue|.
        mode: Variation of the sources, normalised to 1 at its largest, on a grid.
        decays: Whether the eigenfunction decays; if not, κ is the edge of a continuum.
    """

    rate: float
    error: float
    residual: float
    mode: LagPoint
    decays: bool


def replica_operator(problem: LagProblem, point: LagPoint, rate: float) -> Array:
    """(∂S/∂C) K_κ on the decays of the sources, shape (S n, S n)."""
    slopes = problem.replica_slopes(point, FINE, rate)
    matrices, _ = problem.operators(point.grid, rate)
    s, n = problem.sources, len(point.grid.nodes)
    product = np.einsum("aki,kbij->aibj", slopes, matrices[:, :, :-1]).reshape(s * n, s * n)
    return point.grid.continuity(problem.filter.slowest).repeated(s).within(product)


def leading(operator: Array, start: Array) -> tuple[float, Array]:
    """Largest real eigenvalue and its eigenvector, by inverse iteration.

    An eigenvector without a change of sign is the leading one of an operator that keeps signs
    (Perron); where it changes sign, all eigenvalues are computed instead.
    """
    v = start / np.abs(start).max()
    for _ in range(_POWER):
        v = operator @ v
        v /= np.abs(v).max()
    value = float(v @ (operator @ v) / (v @ v))
    identity = np.eye(len(v))
    factors = lu_factor(operator - (value + _ABOVE * abs(value)) * identity)
    for _ in range(_INVERSE):
        v = np.asarray(lu_solve(factors, v), dtype=float)
        v /= v[np.argmax(np.abs(v))]
    for _ in range(4):
        image = operator @ v
        value = float(v @ image / (v @ v))
        if np.abs(image - value * v).max() < 1e-13 * abs(value):
            break
        try:
            v = np.linalg.solve(operator - value * identity, v)
        except np.linalg.LinAlgError:
            break
        v /= v[np.argmax(np.abs(v))]
    if np.isfinite(v).all() and v.min() > -_SIGN:
        return value, v
    values, vectors = np.linalg.eig(operator)
    real = np.abs(values.imag) < 1e-9 * np.abs(values).max()
    if not real.any():
        raise ConvergenceError("the two-replica problem has no real mode")
    k = np.flatnonzero(real)[np.argmax(values.real[real])]
    vector = vectors[:, k].real
    return float(values.real[k]), vector / vector[np.argmax(np.abs(vector))]


Operator = Callable[[LagProblem, LagPoint, float], Array]
"""A matrix on functions at the nodes whose largest eigenvalue is 1 at the rate of growth."""


def growth(
    problem: LagProblem,
    point: LagPoint,
    operator: Operator = replica_operator,
    start: Array | None = None,
) -> Growth:
    """The rate of growth on a stationary state given to full accuracy: λ_max of two replicas.

    Args:
        problem: The lag problem.
        point: Its solution.
        operator: Acts on r functions at the n nodes, shape (r n, r n), at a rate.
        start: Where the search for the eigenfunction begins, shape (r, n).

    Raises:
        ConvergenceError: If the eigenproblem cannot be solved or resolved.
    """
    first = np.abs(point.decay) if start is None else start
    count = len(first)
    rate, vector, slope = _root(problem, point, operator, 0.0, first.ravel())
    decays = True
    for _ in range(10):
        if isinstance(point.grid, StepGrid):
            break
        better = _better_grid(point, vector, count)
        if better is None:
            break
        if len(better.nodes) * count > _LARGEST:
            decays = False
            break
        old = point
        point = on_wider_grid(problem, point, better)
        guess = np.array(
            [old.grid.interpolate(row, better.nodes) for row in vector.reshape(count, -1)]
        ).ravel()
        rate, vector, slope = _root(problem, point, operator, rate, guess)
    rich = _enriched(problem, point)
    guess = np.array(
        [point.grid.interpolate(row, rich.grid.nodes) for row in vector.reshape(count, -1)]
    ).ravel()
    value, vector = leading(operator(problem, rich, rate), guess)
    change = (1 - value) / slope
    mode = LagPoint(rich.grid, np.zeros(count), vector.reshape(count, -1))
    rounding = _ROUNDING / abs(slope)
    return Growth(rate + change, abs(change) + rounding, abs(change), mode, decays)


def _better_grid(point: LagPoint, vector: Array, count: int) -> ElementGrid | None:
    shape = LagPoint(point.grid, np.zeros(count), vector.reshape(count, -1))
    return improved_grid(shape, _TAIL, _END)


def _enriched(problem: LagProblem, point: LagPoint) -> LagPoint:
    if isinstance(point.grid, StepGrid):
        return on_wider_grid(problem, point, StepGrid(point.grid.length + point.grid.length // 2))
    assert isinstance(point.grid, ElementGrid)
    return on_wider_grid(problem, point, ElementGrid(point.grid.edges, point.grid.degree + 4))


def on_wider_grid(problem: LagProblem, point: LagPoint, grid: ElementGrid | StepGrid) -> LagPoint:
    """The solution on another grid, brought up to date by one step of Newton's method."""
    moved = admissible(problem, point.on(grid))
    residual, jacobian, _ = problem.linearized(moved, FINE)
    change = problem.continuity(grid).solve(jacobian, residual)
    return moved.moved(moved.vector - change)


def _root(
    problem: LagProblem, point: LagPoint, operator: Operator, rate: float, start: Array
) -> tuple[float, Array, float]:
    """The κ at which the leading eigenvalue is 1, its eigenvector, and d eigenvalue/dκ.

    The eigenvalue falls with κ; regula falsi on secants within a bracket that shrinks.
    """
    value, vector = leading(operator(problem, point, rate), start)
    low, high = -problem.slowest_rate, np.inf
    slope = -2 * value / (problem.slowest_rate + rate)  # that of a single mode
    moved = np.inf
    for _ in range(_STEPS):
        if value > 1:
            low = max(low, rate)
        else:
            high = min(high, rate)
        new = rate + (1 - value) / slope
        if not low < new < high:
            new = (low + high) / 2 if np.isfinite(high) else 2 * rate + problem.slowest_rate
        moved = abs(new - rate)
        if moved <= 1e-14 * max(abs(rate), 1e-2 * problem.slowest_rate):
            return rate, vector, slope
        there, vector = leading(operator(problem, point, new), vector)
        if moved > 1e-9 * problem.slowest_rate and there != value:
            slope = min((there - value) / (new - rate), -1e-12)
        rate, value = new, there
        if abs(value - 1) < 1e-15:
            return rate, vector, slope
    if moved < 1e-9 * max(abs(rate), 1e-3 * problem.slowest_rate):
        return rate, vector, slope
    raise ConvergenceError("the growth rate between replicas was not found")

"""What a solution of a lag system must satisfy beyond its equations.

* A covariance has no negative power at any frequency. The equations have decaying solutions that
  oscillate and fail this.
* The equations do not change under a shift of time, so the derivative of a solution is a zero mode
  of the linearised problem in the odd sector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gatetheory.solvers.lag_grid import ElementGrid
from gatetheory.solvers.lag_problem import LagPoint, LagProblem

Array = NDArray[np.float64]

_FREQUENCIES = 160


def least_power(problem: LagProblem, point: LagPoint) -> float:
    """Least power of a source over frequencies, relative to its largest (0 if none is negative)."""
    if isinstance(point.grid, ElementGrid):
        width = float(point.grid.edges[-1])
        frequencies = np.geomspace(0.3 / width, 6 / max(problem.filter.fastest, 1e-2), _FREQUENCIES)
        frequencies = np.append(0.0, frequencies)
    else:
        frequencies = np.linspace(0.0, np.pi, 2 * _FREQUENCIES)
    rows = point.decay[np.abs(point.decay).max(axis=1) > 0]
    if not len(rows):
        return 0.0
    power = point.grid.power(rows, frequencies)
    return min(0.0, float((power.min(axis=1) / np.abs(power).max(axis=1)).min()))


def zero_mode_error(problem: LagProblem, point: LagPoint) -> float:
    """How far C' is from a solution of the linearised problem, relative to its size.

    y' = (∂S/∂C) C' with C' = K * y' extended oddly; what white noise adds to C' is given.
    """
    grid = point.grid
    assert isinstance(grid, ElementGrid)
    slopes = problem.replica_slopes(point, 1e-13, 0.0)
    rate = np.array([grid.derivative(row) for row in point.decay])
    fields = problem.odd_response(grid, rate) + problem.given_derivative(grid)
    image = np.einsum("ski,ki->si", slopes, fields)
    weight = grid.weights
    miss = np.sqrt((weight * (image - rate) ** 2).sum())
    return float(miss / np.sqrt((weight * rate**2).sum()))

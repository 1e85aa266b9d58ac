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
    """Least power of a source over frequencies, relative to its largest; negative: no covariance."""
    if isinstance(point.grid, ElementGrid):
        width = float(point.grid.edges[-1])
        frequencies = np.geomspace(0.3 / width, 6 / max(problem.filter.fastest, 1e-2), _FREQUENCIES)
        frequencies = np.append(0.0, frequencies)
    else:
        frequencies = np.linspace(0.0, np.pi, 2 * _FREQUENCIES)
    lowest = 0.0
    for row in point.decay:
        if np.abs(row).max() > 0:
            power = point.grid.power(row, frequencies)
            lowest = min(lowest, float(power.min() / np.abs(power).max()))
    return lowest

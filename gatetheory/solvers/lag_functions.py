"""Functions of a lag of either sign, by the interpolation of the grid of lags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.solvers.lag_grid import Grid

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LagFunctions:
    """Functions of the lag, of either sign.

    Args:
        grid: The grid of lags ≥ 0.
        ahead: At its nodes, shape (functions, n).
        behind: At the opposite lags.
        far: At infinity, shape (functions,).
        error: Of interpolation, relative to the size of each function, seen between the nodes.
    """

    grid: Grid
    ahead: Array
    behind: Array
    far: Array
    error: float

    def __call__(self, lags: Array) -> Array:
        """Values at lags of any shape, shape (functions, *shape)."""
        flat = lags.ravel()
        table = np.empty((len(self.far), len(flat)))
        for rows, chosen in ((self.ahead, flat >= 0), (self.behind, flat < 0)):
            decay = rows - self.far[:, None]
            table[:, chosen] = self.grid.interpolate(decay, np.abs(flat[chosen]))
        return (table + self.far[:, None]).reshape(-1, *lags.shape)

"""Conditions that functions on elements must meet where kernels do not tie the elements together.

A kernel that is short beside an element does not reach from the last node of one element to the
first of the next. Continuity at the edges, C y = 0 with orthonormal rows C, then has to be asked
for, and equations A y = b are to hold but for a combination of the rows:

    A y + Cᵀ λ = b,   C y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Continuity:
    """Conditions C y = 0.

    Args:
        rows: C, orthonormal, shape (conditions, unknowns); no rows if all is allowed.
    """

    rows: Array

    def repeated(self, times: int, before: int = 0) -> Continuity:
        """The same for several functions in turn, after unknowns that are free."""
        blocks = scipy.linalg.block_diag(*([self.rows] * times))
        return Continuity(np.hstack([np.zeros((len(blocks), before)), blocks]))

    def project(self, values: Array) -> Array:
        """The nearest vector, or columns, that meet the conditions."""
        if not len(self.rows):
            return values
        return np.asarray(values - self.rows.T @ (self.rows @ values))

    def within(self, operator: Array) -> Array:
        """A linear operator on what meets the conditions, projected: P A P."""
        return self.project(self.project(operator).T).T

    def solve(self, matrix: Array, right: Array) -> Array:
        """Solve a linear system; unknowns beyond those of the conditions are free.

        Raises:
            ConvergenceError: If it is singular.
        """
        count, size = len(self.rows), len(matrix)
        rows = np.pad(self.rows, ((0, 0), (0, size - self.rows.shape[1])))
        whole = np.block([[matrix, rows.T], [rows, np.zeros((count, count))]]) if count else matrix
        try:
            found = np.linalg.solve(whole, np.append(right, np.zeros(count)))
        except np.linalg.LinAlgError as error:
            raise ConvergenceError("the linearised lag system is singular") from error
        return np.asarray(found[:size], dtype=float)

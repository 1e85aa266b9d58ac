"""Chord steps: residuals to many digits, corrections from one factorised matrix of doubles.

A step gains as many digits as the matrix is right to, about ten next to a solution, whatever the
precision: the classical iterative refinement, for a nonlinear system. Midpoints are taken after
every step, so that radii tell the rounding of the last evaluation and nothing else.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import scipy.linalg
from flint import arb
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.precise_grid import magnitude

Array = NDArray[np.float64]


_POOR = -4.0  # a step that gains less (in powers of ten) asks for a fresh matrix
_MOST = 40
_GROWTH = 1e4  # of entries, largest 1 before, beyond which elimination is not trusted


class Chord:
    """A factorised matrix of doubles.

    Linked elements are the classical case in which Gaussian elimination with partial pivoting may
    lose all digits (Wright, SIAM J. Sci. Comput. 14, 231 (1993)): where its entries grow, an
    orthogonal factorisation takes its place.

    Raises:
        ConvergenceError: If the matrix is singular.
    """

    def __init__(self, matrix: Array) -> None:
        if not np.isfinite(matrix).all():
            raise ConvergenceError("the linearised lag system is not finite at this point")
        # Rows and columns of very different size (plateaus, a parameter) are balanced first.
        rows = 1 / np.maximum(np.abs(matrix).max(axis=1), 1e-300)
        scaled = rows[:, None] * matrix
        columns = 1 / np.maximum(np.abs(scaled).max(axis=0), 1e-300)
        scaled *= columns
        self._rows, self._columns = rows, columns
        self._solve, diagonal = _factorised(scaled)
        if not np.abs(diagonal).min() > 0:
            raise ConvergenceError("the linearised lag system is singular")

    def solve(self, right: Sequence[arb]) -> list[arb]:
        """The solution, right to about as many digits as doubles allow, of any magnitude."""
        top = largest(right)
        if top < -1e8:
            return [arb(0)] * len(right)
        power = round(top / np.log10(2))
        scale = arb((1, power))
        numbers = np.array([float((x / scale).mid()) for x in right])
        found = self._columns * self._solve(self._rows * numbers)
        return [arb(float(x)) * scale for x in found]


def _factorised(matrix: Array) -> tuple[Callable[[Array], Array], Array]:
    """Solves with a balanced matrix, and the diagonal of its triangular factor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.linalg.LinAlgWarning)  # the caller looks itself
        factors = scipy.linalg.lu_factor(matrix, check_finite=False)
    if np.abs(np.triu(factors[0])).max() < _GROWTH:
        diagonal = np.diag(factors[0])
        return lambda b: scipy.linalg.lu_solve(factors, b, check_finite=False), diagonal
    q, r = scipy.linalg.qr(matrix, check_finite=False)
    return lambda b: scipy.linalg.solve_triangular(r, q.T @ b, check_finite=False), np.diag(r)


def largest(vector: Sequence[arb]) -> float:
    """log10 of the largest modulus of a vector."""
    return max(map(magnitude, vector))


@dataclass(frozen=True)
class Solved:
    """The end of chord steps.

    Args:
        unknowns: The solution, midpoints.
        residual: log10 of the largest residual left, before the last correction.
        step: log10 of the last correction.
        chord: The matrix in use.
    """

    unknowns: list[arb]
    residual: float
    step: float
    chord: Chord


def chord_steps(
    residual: Callable[[Sequence[arb]], list[arb]],
    fresh: Callable[[Sequence[arb]], Chord],
    unknowns: Sequence[arb],
    target: float,
    chord: Chord | None = None,
) -> Solved:
    """Solve residual = 0.

    Args:
        residual: Its value, in balls.
        fresh: Makes a matrix at a point.
        unknowns: Start.
        target: log10 of the largest residual that counts as solved.
        chord: A matrix to begin with.

    Raises:
        ConvergenceError: If steps stop gaining digits before the target is met.
    """
    point = [x.mid() for x in unknowns]
    is_fresh = chord is None
    chord = fresh(point) if chord is None else chord
    last = inf
    for _ in range(_MOST):
        rest = residual(point)
        size = largest(rest)
        if not all(x.is_finite() for x in rest):
            raise ConvergenceError("averages over the pair are not finite at these covariances")
        if size > last + _POOR and size > target:
            if size > last and is_fresh:
                raise ConvergenceError(
                    f"corrections stop helping at a residual of 1e{size:.1f}; start nearer to the "
                    "solution, or ask for fewer digits"
                )
            chord, is_fresh = fresh(point), True
        else:
            is_fresh = False
        change = chord.solve(rest)
        point = [(x - c).mid() for x, c in zip(point, change, strict=True)]
        if size <= target:
            return Solved(point, size, largest(change), chord)
        last = size
    raise ConvergenceError(f"no solution found; the residual stays at 1e{last:.1f}")

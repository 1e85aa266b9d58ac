"""Convolution of piecewise polynomials with kernels made of exponentials, exact up to rounding.

What a kernel does on an element is known (:mod:`gatetheory.solvers.precise_element`). Elements are
linked through the states at their ends alone, so that a convolution costs as much as its elements
do, not the square of their number: one sweep up and one down.

The same code runs over balls (results) and over doubles (the Jacobian of chord steps).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from gatetheory.solvers.precise_element import Piece, piece_of, rounded
from gatetheory.solvers.precise_filter import PreciseKernel, Side
from gatetheory.solvers.precise_grid import PreciseGrid, legendre

Array = NDArray[np.float64]


class Convolution:
    """y ↦ ∫_0^∞ [K(τ − τ') + K(τ + τ')] y(τ') dτ' on a grid, at flint's precision on creation.

    Args:
        grid: The grid.
        kernel: K.
    """

    def __init__(self, grid: PreciseGrid, kernel: PreciseKernel) -> None:
        self.grid, self.kernel = grid, kernel
        self.ahead = _pieces(grid, kernel.ahead)
        same = kernel.behind is kernel.ahead
        self.behind = self.ahead if same else _pieces(grid, kernel.behind)

    def __call__(self, values: Sequence[arb]) -> list[arb]:
        """At the nodes and, last, at lag 0."""
        columns = self.grid.columns(values)
        found, zero = [arb_mat(self.grid.degree, 1)] * self.grid.elements, arb(0)
        if self.kernel.ahead.order:
            start = arb_mat(self.kernel.ahead.order, 1)
            rows = self.kernel.ahead.row, self.kernel.behind.row
            found, end = _swept(self.ahead, self.behind, rows, columns, start, operator.mul)
            zero = end[0, 0]
        result = [block[i, 0] for block in found for i in range(self.grid.degree)]
        if not self.kernel.instant.is_zero():
            result = [r + self.kernel.instant * y for r, y in zip(result, values, strict=True)]
            zero += self.kernel.instant * self.grid.start(values)
        return [*result, zero]

    @cached_property
    def matrix(self) -> Array:
        """The same as a matrix of doubles, shape (n + 1, n)."""
        p, n = self.grid.degree, self.grid.size
        result = np.zeros((n + 1, n))
        if self.kernel.ahead.order:
            ahead = _each(self.ahead)
            behind = ahead if self.behind is self.ahead else _each(self.behind)
            rows = rounded(self.kernel.ahead.row), rounded(self.kernel.behind.row)
            identity = np.eye(n)
            columns = [identity[j * p : (j + 1) * p] for j in range(self.grid.elements)]
            start = np.zeros((self.kernel.ahead.order, n))
            blocks, zero = _swept(ahead, behind, rows, columns, start, operator.matmul)
            result = np.vstack([*blocks, zero])
        instant = float(self.kernel.instant)
        if instant:
            inverse = rounded(legendre(p).inverse)
            result[:n] += instant * np.eye(n)
            result[n, :p] += instant * ((-1.0) ** np.arange(p) @ inverse)
        return result


def _swept(
    ahead: Sequence[Piece],
    behind: Sequence[Piece],
    kernel: tuple[Any, Any],
    columns: Sequence[Any],
    zero_state: Any,
    times: Callable[[Any, Any], Any],
) -> tuple[list[Any], Any]:
    """One sweep up and one down over the elements.

    Args:
        ahead: Elements at positive lags.
        behind: Elements at negative lags.
        kernel: q at positive and at negative lags.
        columns: y at the nodes, element by element.
        zero_state: A state of zeros.
        times: The matrix product.

    Returns:
        The convolution at the nodes of every element, and at lag 0.
    """
    last = len(columns) - 1
    # Σ_j e^{A low_j} to_start_j y_j by Horner's rule: what the mirror image leaves at lag 0.
    image = zero_state
    for j in range(last, -1, -1):
        image = times(ahead[j].to_start, columns[j]) + times(ahead[j].over, image)
    state, found = image, []
    for piece, column in zip(ahead, columns, strict=True):
        found.append(times(piece.inside, column) + times(piece.rows, state))
        state = times(piece.to_end, column) + times(piece.over, state)
    state = zero_state
    for j in range(last, -1, -1):
        piece = behind[j]
        found[j] = found[j] + times(piece.mirrored, columns[j]) + times(piece.mirrored_rows, state)
        state = times(piece.to_start, columns[j]) + times(piece.over, state)
    return found, times(kernel[0], image) + times(kernel[1], state)


def _each(pieces: Sequence[Piece]) -> list[Piece]:
    known = {id(piece): piece for piece in pieces}
    found = {key: piece.doubles() for key, piece in known.items()}
    return [found[id(piece)] for piece in pieces]


def _pieces(grid: PreciseGrid, side: Side) -> list[Piece]:
    if not side.order:
        return []
    known: dict[float, Piece] = {}
    result = []
    for low, high in pairwise(grid.edges):
        width = high - low  # exact: edges have few bits
        if width not in known:
            known[width] = piece_of(grid.degree, side, width)
        result.append(known[width])
    return result

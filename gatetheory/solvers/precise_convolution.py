"""Convolution of piecewise polynomials with kernels made of exponentials, exact up to rounding.

With K(τ) = q e^{Aτ} v for τ ≥ 0, z(τ) = ∫_0^τ e^{A(τ−τ')} v y(τ') dτ' obeys ż = A z + v y. Where y is
a polynomial, z is a polynomial plus a multiple of e^{Aτ}; in Legendre coefficients

    (DZ)_k = h (A Z_k + v y_k),   (DZ)_k = (2k+1) Σ_{j>k, j−k odd} Z_j,   h the half width,

which is solved from the highest coefficient down. Polynomial and exponential nearly cancel when the
element is short beside the kernel: this is done once for every element, at as many more digits as
it takes, and balls say how many. What is left are matrices of moderate size: inside an element, from
an element to its end, and over an element. Elements are linked through their ends alone, so that a
convolution costs as much as its elements do, not the square of their number.

The same code runs over balls (results) and over doubles (the Jacobian of chord steps).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flint
import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from gatetheory.codegen.precision_ball import working_precision
from gatetheory.errors import PrecisionError
from gatetheory.solvers.precise_filter import PreciseKernel, Side
from gatetheory.solvers.precise_grid import PreciseGrid, legendre

Array = NDArray[np.float64]

_SPARE = 64  # bits beyond those that cancellation is expected to take
_TRIES = 5


@dataclass(frozen=True)
class Piece:
    """What a kernel does on elements of one width; matrices of balls or of doubles.

    Args:
        inside: y at the nodes → ∫_low^{τ_i} K(τ_i − τ) y(τ) dτ, p × p.
        mirrored: y at the nodes → ∫_{τ_i}^high K(τ − τ_i) y(τ) dτ, p × p.
        to_end: y → ∫_low^high e^{A(high − τ)} v y(τ) dτ, d × p.
        to_start: y → ∫_low^high e^{A(τ − low)} v y(τ) dτ, d × p.
        rows: q e^{A(τ_i − low)}, p × d.
        mirrored_rows: q e^{A(high − τ_i)}, p × d.
        over: e^{A(high − low)}, d × d.
    """

    inside: Any
    mirrored: Any
    to_end: Any
    to_start: Any
    rows: Any
    mirrored_rows: Any
    over: Any

    def doubles(self) -> Piece:
        """Rounded."""
        return Piece(*(rounded(m) for m in self.__dict__.values()))


@dataclass(frozen=True)
class Convolution:
    """y ↦ ∫_0^∞ [K(τ − τ') + K(τ + τ')] y(τ') dτ' on a grid, at flint's precision on creation.

    Args:
        grid: The grid.
        kernel: K.
    """

    grid: PreciseGrid
    kernel: PreciseKernel
    ahead: list[Piece] = field(init=False)
    behind: list[Piece] = field(init=False)

    def __post_init__(self) -> None:
        ahead = _pieces(self.grid, self.kernel.ahead)
        same = self.kernel.behind is self.kernel.ahead
        object.__setattr__(self, "ahead", ahead)
        object.__setattr__(self, "behind", ahead if same else _pieces(self.grid, self.kernel.behind))

    def __call__(self, values: Sequence[arb]) -> list[arb]:
        """At the nodes and, last, at lag 0."""
        columns = self.grid.columns(values)
        found, zero = [arb_mat(self.grid.degree, 1)] * self.grid.elements, arb(0)
        if self.kernel.ahead.order:
            start = arb_mat(self.kernel.ahead.order, 1)
            found, zero = _swept(
                self.ahead, self.behind, self.kernel, columns, start, operator.mul
            )
            zero = zero[0, 0]
        result = [block[i, 0] for block in found for i in range(self.grid.degree)]
        if not self.kernel.instant.is_zero():
            result = [r + self.kernel.instant * y for r, y in zip(result, values, strict=True)]
            zero += self.kernel.instant * self.grid.start(values)
        return [*result, zero]

    def matrix(self) -> Array:
        """The same as a matrix of doubles, shape (n + 1, n)."""
        p, n = self.grid.degree, self.grid.size
        result = np.zeros((n + 1, n))
        if self.kernel.ahead.order:
            ahead = _each(self.ahead)
            behind = ahead if self.behind is self.ahead else _each(self.behind)
            kernel = _DoubleRows(rounded(self.kernel.ahead.row), rounded(self.kernel.behind.row))
            identity = np.eye(n)
            columns = [identity[j * p : (j + 1) * p] for j in range(self.grid.elements)]
            start = np.zeros((self.kernel.ahead.order, n))
            blocks, zero = _swept(ahead, behind, kernel, columns, start, operator.matmul)
            result = np.vstack([*blocks, zero])
        instant = float(self.kernel.instant)
        if instant:
            inverse = rounded(legendre(p).inverse)
            result[:n] += instant * np.eye(n)
            result[n, :p] += instant * ((-1.0) ** np.arange(p) @ inverse)
        return result


@dataclass(frozen=True)
class _Row:
    row: Array


class _DoubleRows:
    """The rows of a kernel, rounded."""

    def __init__(self, ahead: Array, behind: Array) -> None:
        self.ahead, self.behind = _Row(ahead), _Row(behind)


def _swept(
    ahead: Sequence[Piece],
    behind: Sequence[Piece],
    kernel: Any,
    columns: Sequence[Any],
    zero_state: Any,
    times: Callable[[Any, Any], Any],
) -> tuple[list[Any], Any]:
    """One sweep up and one down over the elements.

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
    return found, times(kernel.ahead.row, image) + times(kernel.behind.row, state)


def _each(pieces: Sequence[Piece]) -> list[Piece]:
    known = {id(piece): piece for piece in pieces}
    found = {key: piece.doubles() for key, piece in known.items()}
    return [found[id(piece)] for piece in pieces]


def rounded(matrix: arb_mat) -> Array:
    """Midpoints in doubles."""
    flat = [float(x.mid()) for x in matrix.entries()]
    return np.array(flat).reshape(matrix.nrows(), matrix.ncols())


def _pieces(grid: PreciseGrid, side: Side) -> list[Piece]:
    if not side.order:
        return []
    known: dict[float, Piece] = {}
    result = []
    for low, high in zip(grid.edges[:-1], grid.edges[1:], strict=True):
        width = high - low  # exact: edges have few bits
        if width not in known:
            known[width] = _piece(grid.degree, side, width)
        result.append(known[width])
    return result


def _piece(degree: int, side: Side, width: float) -> Piece:
    """Matrices of one width, accurate to flint's present precision.

    Raises:
        PrecisionError: If cancellation takes more digits than can be understood.
    """
    wanted = flint.ctx.prec
    # A rounded kernel is a kernel as well: its balls would be magnified like everything else.
    side = Side(side.matrix.mid(), side.row.mid(), side.start.mid())
    slow = float(min(abs(float(x.mid())) for x in _diagonal(side.matrix)) or 1.0)
    per_order = max(np.log2(2 * degree / max(slow * width / 2, 1e-300)), 0.0)
    spare = _SPARE + int(degree * per_order)
    for _ in range(_TRIES):
        with working_precision(wanted + spare):
            piece = _solved(degree, side, arb(width) / 2)
            worst = max(float(x.rad()) for m in piece.__dict__.values() for x in m.entries())
            size = max(abs(float(x.mid())) for x in piece.inside.entries())
            if worst <= size * 2.0 ** -min(wanted, 1000):
                return piece
        spare *= 2
    raise PrecisionError(
        f"a convolution over an element of length {width:.3g} loses more than {spare // 2} bits"
    )


def _diagonal(matrix: arb_mat) -> list[arb]:
    return [matrix[i, i] for i in range(matrix.nrows())]


def _solved(degree: int, side: Side, half: arb) -> Piece:
    rule = legendre(degree)
    d = side.order
    inverse = side.matrix.inv()
    nothing = arb_mat(d, degree)
    sums = [nothing, nothing]  # Σ of Z_j over j of either parity
    start, end = nothing, nothing
    weighted = arb_mat(degree, degree)  # q Z_k in row k
    for k in range(degree - 1, -1, -1):
        right = sums[(k + 1) % 2] * (arb(2 * k + 1) / half)
        for i in range(d):
            for column in range(degree):
                right[i, column] -= side.start[i, 0] * rule.inverse[k, column]
        z = inverse * right
        sums[k % 2] = sums[k % 2] + z
        end = end + z
        start = start + z if k % 2 == 0 else start - z
        scalar = side.row * z
        for column in range(degree):
            weighted[k, column] = scalar[0, column]
    rows = arb_mat(degree, d)
    for i, x in enumerate(rule.nodes):
        row = side.row * (side.matrix * (half * (1 + x))).exp()
        for column in range(d):
            rows[i, column] = row[0, column]
    over = (side.matrix * (2 * half)).exp()
    inside = rule.values * weighted - rows * start
    to_end = end - over * start
    return Piece(
        inside, _turned(inside, rows=True), to_end, _turned(to_end), rows,
        _turned(rows, rows=True, columns=False), over,
    )  # fmt: skip


def _turned(matrix: arb_mat, *, rows: bool = False, columns: bool = True) -> arb_mat:
    """Nodes in descending order."""
    n, m = matrix.nrows(), matrix.ncols()
    return arb_mat(
        n, m,
        [matrix[n - 1 - i if rows else i, m - 1 - j if columns else j]
         for i in range(n) for j in range(m)],
    )  # fmt: skip

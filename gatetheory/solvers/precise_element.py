"""A kernel made of exponentials on one element of the lag axis, exact up to rounding.

With K(τ) = q e^{Aτ} v for τ ≥ 0, z(τ) = ∫_0^τ e^{A(τ−τ')} v y(τ') dτ' obeys ż = A z + v y. Where
y is a polynomial, z is a polynomial plus a multiple of e^{Aτ}; in Legendre coefficients

    (DZ)_k = h (A Z_k + v y_k),   (DZ)_k = (2k+1) Σ_{j>k, j−k odd} Z_j,   h the half width,

which is solved from the highest coefficient down. Polynomial and exponential nearly cancel when the
element is short beside the kernel: this is done once for every width, at as many more digits as it
takes, and balls say how many. What is left are matrices of moderate size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from gatetheory.codegen.precision_ball import working_precision
from gatetheory.errors import PrecisionError
from gatetheory.solvers.precise_filter import Side
from gatetheory.solvers.precise_grid import legendre

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


def rounded(matrix: arb_mat) -> Array:
    """Midpoints in doubles."""
    flat = [float(x.mid()) for x in matrix.entries()]
    return np.array(flat).reshape(matrix.nrows(), matrix.ncols())


def piece_of(degree: int, side: Side, width: float) -> Piece:
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

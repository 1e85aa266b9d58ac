"""Functions of the lag on elements, to any number of digits.

As in :mod:`gatetheory.solvers.lag_grid` a function is a polynomial on each of several elements,
given at Gauss-Legendre nodes, and 0 (its plateau taken off) beyond the last. Edges are doubles,
which are exact numbers; nodes and everything else are balls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import flint
import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from gatetheory.codegen.precision_ball import working_precision

Array = NDArray[np.float64]
_LOST = 3  # bits that balls lose in a step of the recurrence

Column = arb_mat  # values at the nodes of one element, degree × 1


@dataclass(frozen=True)
class Legendre:
    """Gauss-Legendre nodes on [−1, 1] and the way to Legendre coefficients.

    Args:
        nodes: x_i, ascending.
        values: P_k(x_i), rows are nodes.
        inverse: Values at the nodes → Legendre coefficients.
    """

    nodes: tuple[arb, ...]
    values: arb_mat
    inverse: arb_mat


def legendre(degree: int) -> Legendre:
    """The rule with so many nodes at flint's present precision."""
    return _legendre(degree, flint.ctx.prec)


@lru_cache(maxsize=32)
def _legendre(degree: int, bits: int) -> Legendre:
    with working_precision(bits + _LOST * degree):
        return _rule(degree)


def _rule(degree: int) -> Legendre:
    pairs = [arb.legendre_p_root(degree, degree - 1 - i, weight=True) for i in range(degree)]
    nodes = tuple(x for x, _ in pairs)
    values = polynomials(degree, nodes)
    inverse = arb_mat(degree, degree)
    for i, (_, weight) in enumerate(pairs):
        for k in range(degree):
            inverse[k, i] = values[i, k] * weight * (2 * k + 1) / 2
    return Legendre(nodes, values, inverse)


def polynomials(degree: int, points: Sequence[arb]) -> arb_mat:
    """P_0 … P_{degree−1}, one row a point; a few bits are lost per degree."""
    result = arb_mat(len(points), degree)
    for i, x in enumerate(points):
        before, last = arb(0), arb(1)
        for k in range(degree):
            result[i, k] = last
            before, last = last, ((2 * k + 1) * x * last - k * before) / (k + 1)
    return result


@dataclass(frozen=True)
class PreciseGrid:
    """Elements [e_j, e_{j+1}] with Gauss-Legendre nodes each.

    Args:
        edges: 0 = e_0 < e_1 < … , read as exact binary numbers.
        degree: Nodes per element.
    """

    edges: tuple[float, ...]
    degree: int

    @property
    def elements(self) -> int:
        """Number of elements."""
        return len(self.edges) - 1

    @property
    def size(self) -> int:
        """Number of nodes."""
        return self.elements * self.degree

    def width(self, j: int) -> arb:
        """Length of an element."""
        return arb(self.edges[j + 1]) - arb(self.edges[j])

    def nodes(self) -> list[arb]:
        """Lags."""
        x = legendre(self.degree).nodes
        result = []
        for j in range(self.elements):
            half = self.width(j) / 2
            result += [arb(self.edges[j]) + half * (1 + node) for node in x]
        return result

    def columns(self, values: Sequence[arb]) -> list[Column]:
        """Values at all nodes, cut into elements."""
        p = self.degree
        return [arb_mat(p, 1, list(values[j * p : (j + 1) * p])) for j in range(self.elements)]

    def start(self, values: Sequence[arb]) -> arb:
        """A function's value at lag 0."""
        coefficients = legendre(self.degree).inverse * self.columns(values)[0]
        return sum(((-1) ** k * coefficients[k, 0] for k in range(self.degree)), arb(0))

    def spectrum(self, values: Sequence[arb]) -> Array:
        """Logarithms (base 10) of the moduli of the Legendre coefficients, (elements, degree)."""
        inverse = legendre(self.degree).inverse
        rows = [inverse * column for column in self.columns(values)]
        return np.array([[magnitude(row[k, 0]) for k in range(self.degree)] for row in rows])

    def moved(self, values: Sequence[arb], other: PreciseGrid) -> list[arb]:
        """Values at another grid's nodes; 0 beyond the last element. Midpoints are taken."""
        bits = flint.ctx.prec
        with working_precision(bits + _LOST * self.degree):
            return self._interpolated(values, other.nodes())

    def _interpolated(self, values: Sequence[arb], lags: Sequence[arb]) -> list[arb]:
        inverse = legendre(self.degree).inverse
        coefficients = [inverse * column for column in self.columns(values)]
        edges = np.array(self.edges)
        result = []
        for lag in lags:
            j = int(np.searchsorted(edges, float(lag), side="right")) - 1
            if j >= self.elements:
                result.append(arb(0))
                continue
            x = 2 * (lag - arb(self.edges[j])) / self.width(j) - 1
            row = polynomials(self.degree, [x]) * coefficients[j]
            result.append(row[0, 0].mid())
        return result


def magnitude(ball: arb) -> float:
    """log10 of the modulus of the midpoint, also far below the range of doubles."""
    mantissa, exponent = ball.mid().man_exp()
    size = abs(int(mantissa))
    if not size:
        return -1e9
    bits = size.bit_length()
    return float((np.log2(size / (1 << bits)) + bits + int(exponent)) * np.log10(2))

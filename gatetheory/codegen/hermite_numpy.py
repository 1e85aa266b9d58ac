r"""Averages over pairs by their Hermite series, in doubles: ⟨f(x) g(y)⟩ = Σ_n f_n g_n ρⁿ (Mehler).

With x = √c z, f_n = ∫Dz f(√c z) h_n(z), h_n = He_n/√n!, costs one matrix product for all
correlations ρ. What the first N terms leave out is, by the inequality of Cauchy and Schwarz, at
most |ρ|^N (R_f R_g)^{1/2} with R_f = ⟨f²⟩ − Σ_{n<N} f_n². A steep function has many coefficients,
and near |ρ| = 1 the series does not tell what all of them add up to: the result says where.

The coefficients come from the trapezoidal rule on f(√c z) e^{−z²/4} · h_n(z) e^{−z²/4}. The
transform of the second factor ends at the wave number √n like an Airy function; that of the first
falls like e^{−E(k)}, E(k) = min_{k'} [b k' + (k − k')²], b the distance of the nearest pole from
the real axis in units of z.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_BLOCK = 32  # orders summed by one matrix product
_ROUNDING = 1e-15
_MOST_NODES = 4096
_GROWTH = 1.25  # numbers of nodes are rounded up to powers of this, so that tables are shared


@dataclass(frozen=True)
class Level:
    """How far a series goes.

    Args:
        terms: Number of terms N.
        exponent: −log of what is negligible in the coefficients.
    """

    terms: int
    exponent: float

    @property
    def span(self) -> float:
        """Range of z for functions that are bounded."""
        return 2 * sqrt(self.exponent)


FULL = Level(768, 39.0)
ROUGH = Level(192, 25.0)
_ENOUGH = 1e-8  # accuracy that the rough level reaches


def level_for(tolerance: float) -> Level:
    """The shortest series for averages of an accuracy."""
    return FULL if tolerance < _ENOUGH else ROUGH


class HermiteSeries:
    """Coefficients of functions of one Gaussian variable, and what they leave out.

    Args:
        functions: Values of the functions at an array of points, as a sequence.
        width: Standard deviation of the variable.
        pole: Distance of the nearest pole of any function from the real axis.
        level: How far it goes.
        span: |z| beyond which e^{−z²/2} times any two functions is negligible.
    """

    def __init__(
        self,
        functions: Callable[[Array], Sequence[Any]],
        width: float,
        pole: float,
        level: Level,
        span: float,
    ) -> None:
        rule = _rule(level.terms, _nodes(pole / max(width, 1e-300), level, span), span)
        ahead, behind = (
            np.stack([np.broadcast_to(f, rule.nodes.shape) for f in functions(side * rule.nodes)])
            for side in (width, -width)
        )
        squares = (ahead**2 + behind**2) @ rule.weights
        self.norms: Array = np.sqrt(squares)
        self.coefficients: Array = np.empty((len(ahead), level.terms))
        self.coefficients[:, ::2] = (ahead + behind) @ rule.even
        self.coefficients[:, 1::2] = (ahead - behind) @ rule.odd
        rest = squares - (self.coefficients**2).sum(axis=1)
        self.rests: Array = np.sqrt(np.maximum(rest, _ROUNDING * squares))


def can_expand(width: float, pole: float, level: Level, span: float) -> bool:
    """Whether the coefficients of functions with such a pole need a table of moderate size."""
    return _nodes(pole / max(width, 1e-300), level, span) <= _MOST_NODES


def sums(
    first: HermiteSeries,
    second: HermiteSeries,
    products: Sequence[tuple[int, int]],
    rho: Array,
    tolerance: float,
) -> tuple[Array, NDArray[np.bool_]]:
    """Averages of products, and at which correlations all of them are accurate.

    Args:
        first: Coefficients of the functions of x.
        second: Coefficients of the functions of y.
        products: Which function of each.
        rho: Correlations, shape (n,).
        tolerance: Accuracy relative to the norms of the functions.

    Returns:
        Averages, shape (products, n); where they are accurate, shape (n,).
    """
    i, j = (list(side) for side in zip(*products, strict=True))
    terms = (first.coefficients[i] * second.coefficients[j]).reshape(len(i), -1, _BLOCK)
    low = _powers(rho, _BLOCK)
    high = _powers(low[-1] * rho, terms.shape[1])
    values = ((terms @ low) * high).sum(axis=1)
    left = first.rests[i] * second.rests[j]
    allowed = max(tolerance, _ROUNDING) * first.norms[i] * second.norms[j]
    if not (np.isfinite(values).all() and np.isfinite(left).all()):
        return values, np.zeros(len(rho), dtype=bool)
    ratio = np.divide(left, allowed, out=np.zeros_like(left), where=left > allowed).max()
    return values, np.abs(rho) ** first.coefficients.shape[1] * ratio <= 1.0


def _powers(x: Array, count: int) -> Array:
    """x⁰ … x^{count − 1}, shape (count, n)."""
    table = np.ones((count, len(x)))
    table[1:] = x
    return np.asarray(np.multiply.accumulate(table, axis=0))


def hermite_functions(z: Array, terms: int) -> Array:
    """h_n(z) e^{−z²/4}, of order 1 where h_n(z) alone would overflow, shape (terms, nodes).

    Beyond |z| = 50 the Gaussian underflows.
    """
    table = np.empty((terms, len(z)))
    table[0] = np.exp(-(z**2) / 4)
    table[1] = z * table[0]
    for n in range(2, terms):
        table[n] = (z * table[n - 1] - sqrt(n - 1) * table[n - 2]) / sqrt(n)
    return table


@dataclass(frozen=True)
class _Rule:
    """Trapezoidal rule on a half line.

    Args:
        nodes: z ≥ 0; the weight of z = 0 is halved.
        weights: Of ∫Dz over one half line, shape (nodes,).
        even: Of ∫Dz h_n(z), n = 0, 2, …, shape (nodes, N/2).
        odd: The same for n = 1, 3, …
    """

    nodes: Array
    weights: Array
    even: Array
    odd: Array


def _nodes(pole: float, level: Level, span: float) -> int:
    """Nodes on one side of the origin, rounded up so that tables are shared."""
    wanted = level.exponent
    falls = wanted / pole + pole / 4 if pole**2 / 4 < wanted else sqrt(wanted)
    airy = (1.5 * wanted / level.terms**0.25) ** (2 / 3) / 2
    count = span * (sqrt(level.terms) + airy + falls) / (2 * pi)
    return ceil(_GROWTH ** ceil(log(count) / log(_GROWTH)))


@lru_cache(maxsize=12)
def _rule(terms: int, count: int, span: float) -> _Rule:
    z = np.linspace(0.0, span, count + 1)
    step = np.full(len(z), span / count / sqrt(2 * pi))
    step[0] /= 2
    table = hermite_functions(z, terms)
    table *= step * table[0]
    even, odd = (np.ascontiguousarray(table[start::2].T) for start in (0, 1))
    rule = _Rule(z, step * np.exp(-(z**2) / 2), even, odd)
    for array in (rule.nodes, rule.weights, rule.even, rule.odd):
        array.setflags(write=False)
    return rule

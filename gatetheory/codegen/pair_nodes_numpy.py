"""Nodes for averages over pairs whose two parts are integrated by rules of their own.

The trapezoidal rule with step d errs by e^{−E(2π/d)} where the integrand's Fourier transform falls
like e^{−E(k)}; with the distance b of the nearest pole and smoothing s,

    E(k) = min_{k'} [ b k' + s k'²/4 + (k−k')²/2 ].

Where poles are far away, as when nearly nothing is private to a variable, a Gauss-Hermite rule
takes fewer nodes: Hermite coefficients fall like e^{−b √(2n)}.
"""

from __future__ import annotations

from functools import lru_cache
from math import log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_GROWTH = 1.2  # numbers of nodes are rounded up to powers of this, so that lags share a shape
_CALL = 8_000  # nodes that take about as long as one more block
_LEAST = 8  # nodes of a Gauss-Hermite rule


def groups(
    outer: NDArray[np.int64], inner: NDArray[np.int64]
) -> list[tuple[NDArray[np.intp], int, int]]:
    """Pairs that are evaluated together, and the numbers of nodes they share.

    A negative number of inner nodes is that of a Gauss-Hermite rule.

    Neighbours join, on the finer of their grids, where a call would cost more than the nodes.
    """
    shapes, which = np.unique(np.stack([outer, inner]), axis=1, return_inverse=True)
    sizes = np.bincount(which)
    first = np.argsort(which, kind="stable")
    joined: list[tuple[NDArray[np.intp], int, int]] = []
    for (n_u, n_v), members in zip(
        shapes.T.tolist(), np.split(first, np.cumsum(sizes)[:-1]), strict=True
    ):
        if joined:
            others, m_u, m_v = joined[-1]
            more = max(n_u, m_u), max(n_v, m_v, key=abs)
            together = (len(members) + len(others)) * _cost(*more)
            apart = len(members) * _cost(n_u, n_v) + len(others) * _cost(m_u, m_v)
            if (n_v > 0) == (m_v > 0) and together - apart < _CALL:
                joined[-1] = np.concatenate([others, members]), *more
                continue
        joined.append((members, n_u, n_v))
    return joined


def _cost(outer: int, inner: int) -> int:
    """Nodes of a pair."""
    return 2 * outer * (2 * inner if inner > 0 else -inner)


@lru_cache(maxsize=512)
def trapezoid_nodes(count: int, span: float) -> tuple[Array, Array]:
    """Nodes −span … span of a trapezoidal rule with 2·count + 1 nodes, with Gaussian weights."""
    x = np.linspace(-span, span, 2 * count + 1)
    weights = np.exp(-(x**2) / 2) * (span / count / sqrt(2 * pi))
    for array in (x, weights):
        array.setflags(write=False)
    return x, weights


@lru_cache(maxsize=128)
def gauss_nodes(count: int) -> tuple[Array, Array]:
    """Nodes and weights of the Gauss-Hermite rule for N(0, 1)."""
    x, weights = np.polynomial.hermite_e.hermegauss(count)
    return x, weights / sqrt(2 * pi)


def gauss_count(pole: Array, exponent: float) -> Array:
    """Nodes m after which the Hermite coefficients, e^{−b √(2n)}, are negligible: n = 2m."""
    return (exponent / (2 * np.fmax(pole, 1e-3))) ** 2 + _LEAST


def rounded(counts: Array) -> NDArray[np.int64]:
    """Numbers of nodes, rounded up."""
    return np.ceil(_GROWTH ** np.ceil(np.log(np.maximum(counts, 1.0)) / log(_GROWTH))).astype(
        np.int64
    )


def ratio(reach: Array, width: Array) -> Array:
    """A distance in units of a width that may vanish."""
    return reach / np.maximum(width, 1e-300)


def step(pole: Array, smoothing: Array, exponent: float) -> Array:
    """Step d with E(2π/d) = exponent; see the module's text."""
    free = exponent - pole**2 / 2
    m = np.sqrt(np.maximum((exponent * smoothing + pole**2) / (1 + smoothing / 2), 0.0))
    with np.errstate(all="ignore"):
        tail = 2 * free / ((1 + smoothing / 2) * (m + pole))
        k = np.where(free > 0, m + tail, sqrt(2 * exponent))
    return 2 * pi / k

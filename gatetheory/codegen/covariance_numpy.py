"""Cholesky factors of small semidefinite covariances, for whole batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

EPS = float(np.finfo(float).eps)


def cholesky(
    entries: Sequence[Any], n: int, pivot_shift: float = 0.0
) -> tuple[list[list[Any]], Any, Any]:
    """Lower triangular C with C Cᵀ = Σ; where Σ is semidefinite; the least relative pivot.

    Negative pivots of the size of rounding count as 0.

    Args:
        entries: The lower triangle of Σ, row by row.
        n: Its order.
        pivot_shift: Added to every pivot but the first, relative to the diagonal: what rounding of
            the entries may do.
    """
    sigma = [[entries[i * (i + 1) // 2 + j] for j in range(i + 1)] for i in range(n)]
    c: list[list[Any]] = [[0.0] * (i + 1) for i in range(n)]
    valid: Any = np.isfinite(sigma[0][0]) & (sigma[0][0] >= 0)
    least: Any = 1.0
    for j in range(n):
        variance = sigma[j][j]
        if j == 0:
            pivot = variance
        elif j == 1:
            pivot = _schur(sigma[0][0], sigma[1][0], variance)
        else:
            pivot = variance - total([c[j][k] * c[j][k] for k in range(j)])
        if j:
            size = np.abs(variance)
            valid = valid & (pivot >= -32 * EPS * size) & np.isfinite(pivot)
            least = np.minimum(least, np.where(size > 0, pivot / np.where(size > 0, size, 1), 1.0))
            pivot = pivot + pivot_shift * size
        pivot = np.maximum(pivot, 0.0)
        c[j][j] = np.sqrt(pivot)
        for i in range(j + 1, n):
            rest = sigma[i][j] - total([c[i][k] * c[j][k] for k in range(j)])
            scale = np.sqrt(np.abs(sigma[i][i] * sigma[j][j]))
            valid = valid & ((pivot > 0) | (np.abs(rest) <= 1e-7 * scale))
            c[i][j] = np.where(pivot > 0, rest / np.where(pivot > 0, c[j][j], 1.0), 0.0)
    return c, valid, least


def total(terms: Sequence[Any]) -> Any:
    """The sum."""
    result: Any = 0.0
    for term in terms:
        result = result + term
    return result


def _schur(a: Any, b: Any, c: Any) -> Any:
    """C - b²/a as (ac - b²)/a, the products exact to twice the precision (Dekker)."""
    high_1, low_1 = _two_product(a, c)
    high_2, low_2 = _two_product(b, b)
    safe = np.where(np.asarray(a) > 0, a, 1.0)
    return np.where(np.asarray(a) > 0, ((high_1 - high_2) + (low_1 - low_2)) / safe, c)


def _two_product(a: Any, b: Any) -> tuple[Any, Any]:
    p = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


def _split(a: Any) -> tuple[Any, Any]:
    t = 134217729.0 * a
    high = t - (t - a)
    return high, a - high

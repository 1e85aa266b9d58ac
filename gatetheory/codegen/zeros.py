"""Zeros of functions near the real axis, for whole batches: where integrands are singular.

A zero at t₀ + id shows on the real axis as a local minimum of the Newton length |f/f'| ≈ |t - t₀ - id|.
From every such minimum Newton's method is run in the complex plane.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Function = Callable[[Any], tuple[Any, Any]]
"""t (complex, elements × points) ↦ (f, f'), of the same shape."""

AT_MOST = 6
"""Zeros looked for per element."""
_NEWTON = 40


def complex_zeros(function: Function, grid: NDArray[np.float64], reach: float) -> Any:
    """Zeros with |Im t| below ``reach``: elements × number found, padded with nan.

    The grid must be finer than ``reach``.
    """
    with np.errstate(all="ignore"):
        value, slope = function(grid)
        length = np.abs(np.asarray(value) / slope)
        length = np.where(np.isfinite(length), length, np.inf)
        starts = _minima(length, 2 * reach)
        count = min(AT_MOST, int(starts.sum(axis=-1).max(initial=0)))
        if not count:
            return np.full((*length.shape[:-1], 0), np.nan, dtype=complex)
        ranked = np.where(starts, length, np.inf)
        chosen = np.argpartition(ranked, count - 1, axis=-1)[..., :count]
        known = np.isfinite(np.take_along_axis(ranked, chosen, -1))
        at = np.where(known, grid[chosen], np.nan)
        off = np.minimum(np.take_along_axis(length, chosen, -1), reach)
        return _distinct(_newton(function, at + 0.5j * off, grid[1] - grid[0], reach))


def real_zeros(function: Function, grid: NDArray[np.float64]) -> Any:
    """Sign changes on the real axis: elements × number found, padded with nan."""
    with np.errstate(all="ignore"):
        value = np.asarray(function(grid)[0])
        changes = np.sign(value[..., 1:]) * np.sign(value[..., :-1]) <= 0
        changes &= value[..., 1:] != 0
        count = min(AT_MOST, int(changes.sum(axis=-1).max(initial=0)))
        first = np.argsort(~changes, axis=-1, kind="stable")[..., :count]
        known = np.take_along_axis(changes, first, -1)
        low, high = grid[first], grid[first + 1]
        below = np.take_along_axis(value, first, -1)
        for _ in range(60):
            middle = (low + high) / 2
            f = np.asarray(function(middle)[0])
            same = np.sign(f) == np.sign(below)
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        return np.where(known, (low + high) / 2, np.nan)


def _minima(length: NDArray[np.float64], below: float) -> NDArray[np.bool_]:
    padded = np.pad(length, [(0, 0)] * (length.ndim - 1) + [(1, 1)], constant_values=np.inf)
    return (
        (length <= padded[..., :-2]) & (length < padded[..., 2:]) & (length < below)
    )  # a plateau counts once


def _newton(function: Function, t: Any, longest: float, reach: float) -> Any:
    step = np.zeros_like(t)
    for _ in range(_NEWTON):
        value, slope = function(t)
        step = np.where(value == 0, 0.0, value / slope)
        size = np.abs(step)
        step = np.where(size > 2 * longest, step * (2 * longest / size), step)
        t = t - step
        if not np.any(size > 1e-15 * (1 + np.abs(t))):
            break
    good = (np.abs(step) < 1e-7) & (np.abs(t.imag) < reach)
    return np.where(good, t, np.nan)


def _distinct(t: Any) -> Any:
    """Keep one of zeros that were found twice."""
    count = t.shape[-1]
    for i in range(count):
        for k in range(i):
            same = np.abs(t[..., i] - t[..., k]) < 1e-6 * (1e-3 + np.abs(t[..., i].imag))
            t[..., i] = np.where(same, np.nan, t[..., i])
    return t

"""Zeros of functions near the real axis, for whole batches: where integrands are singular.

A zero at t₀ + id shows on the real axis as a local minimum of the Newton length |f/f'| ≈ |t - t₀ -
id|. From every such minimum Newton's method is run in the complex plane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Function = Callable[[Any], tuple[Any, Any]]
"""t (complex, elements × points) ↦ (f, f'), of the same shape."""

AT_MOST = 6
"""Zeros looked for per element."""
_NEWTON = 16


def complex_zeros(function: Function, grid: NDArray[np.float64], reach: float) -> Any:
    """Zeros with |Im t| below ``reach``: elements × number found, padded with nan.

    The grid must be finer than ``reach``.
    """
    with np.errstate(all="ignore"):
        t = polished(function, starts(function, grid, reach), 2 * (grid[1] - grid[0]))
        return distinct(np.where(np.abs(t.imag) < reach, t, np.nan))


def starts(
    function: Function, grid: NDArray[np.float64], reach: float, heights: Sequence[float] = (0.0,)
) -> Any:
    """Where to start Newton's method: elements × number, padded with nan.

    Args:
        function: The function.
        grid: Real parts at which to look; finer than ``reach``.
        reach: Zeros farther than this from the lines are not of interest.
        heights: Imaginary parts at which to look.
    """
    with np.errstate(all="ignore"):
        found = [_on_line(function, grid, reach, height) for height in heights]
        return np.concatenate(found, axis=-1)


def polished(function: Function, z: Any, longest: Any) -> Any:
    """Newton's method, steps cut to ``longest``; nan where it does not converge."""
    if not z.shape[-1]:
        return z
    with np.errstate(all="ignore"):
        size: Any = np.inf
        for _ in range(_NEWTON):
            value, slope = function(z)
            step = np.where(value == 0, 0.0, value / slope)
            size = np.abs(step)
            step = np.where(size > longest, step * (longest / size), step)
            z = z - step
            if not np.any(size > 1e-12 * longest):
                break
        return np.where(size < 1e-6 * longest, z, np.nan)


def distinct(t: Any) -> Any:
    """Keep one of zeros that were found twice, in as few columns as possible."""
    if not t.shape[-1]:
        return t
    with np.errstate(all="ignore"):
        for i in range(t.shape[-1]):
            for k in range(i):
                same = np.abs(t[..., i] - t[..., k]) < 1e-6 * (1e-3 + np.abs(t[..., i].imag))
                t[..., i] = np.where(same, np.nan, t[..., i])
    order = np.argsort(np.isnan(t), axis=-1, kind="stable")
    t = np.take_along_axis(t, order, -1)
    return t[..., : int(np.isfinite(t).sum(axis=-1).max(initial=0))]


def _on_line(function: Function, grid: NDArray[np.float64], reach: float, height: float) -> Any:
    """Where the Newton length has local minima on one line, the deepest ones."""
    value, slope = function(grid + 1j * height if height else grid)
    length = np.abs(np.asarray(value) / slope) + np.zeros(grid.shape)  # constants included
    length = np.where(np.isfinite(length), length, np.inf)
    lowest = _minima(length, 2 * reach)
    count = min(AT_MOST, int(lowest.sum(axis=-1).max(initial=0)))
    if not count:
        return np.full((*length.shape[:-1], 0), np.nan, dtype=complex)
    ranked = np.where(lowest, length, np.inf)
    chosen = np.argpartition(ranked, count - 1, axis=-1)[..., :count]
    known = np.isfinite(np.take_along_axis(ranked, chosen, -1))
    off = 0.5 * np.minimum(np.take_along_axis(length, chosen, -1), reach) if height == 0 else height
    return np.where(known, grid[chosen] + 1j * off, np.nan)


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

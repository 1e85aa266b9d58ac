"""Lagged products of long time series, block by block, by fast Fourier transforms."""

from __future__ import annotations

import numpy as np
from scipy import fft

from gatetheory.simulation.lowering import Array

_CHUNK = 2**21  # numbers transformed at once


class LaggedSums:
    """Σ_t x(t) x(t-l) for l = 0 … L of many series, while they come in.

    A window holds the last L samples and a block of new ones. Products of a new sample with one
    up to L earlier never leave the window, so that a circular transform of the window, in one
    factor without the earlier samples, gives them exactly. Memory does not grow with the duration.

    Args:
        longest: L.
        groups: Number G of sums, each over series of its own.
        series: Series in a group.
    """

    def __init__(self, longest: int, groups: int, series: int) -> None:
        self.longest = longest
        self.block = block_length(longest)
        self.window: Array = np.zeros((groups, longest + self.block, series))
        self.filled = 0
        self.seen = 0
        self.sums: Array = np.zeros((groups, longest + 1))
        self.pairs: Array = np.zeros(longest + 1)
        self.totals: Array = np.zeros(groups)

    def add(self, sample: Array) -> None:
        """Take one sample of every series, shape (G, series)."""
        self.window[:, self.longest + self.filled] = sample
        self.totals += sample.mean(axis=1)
        self.filled += 1
        if self.filled == self.block:
            self._close()

    def take(self) -> tuple[Array, Array, Array, int]:
        """Close the block, hand over what was summed since the last time, and start again at 0.

        Returns:
            Means over series of Σ_t x(t) x(t-l), shape (G, L + 1); the numbers of pairs (L + 1);
            the sums of means over series (G,); and the number of samples since the last time.
        """
        self._close()
        found = self.sums, self.pairs, self.totals, self.seen
        self.sums, self.pairs = np.zeros_like(self.sums), np.zeros_like(self.pairs)
        self.totals = np.zeros_like(self.totals)
        return found

    def _close(self) -> None:
        """Add the products of the block's samples, and keep the last L samples."""
        new, earliest = self.filled, self.longest
        if new == 0:
            return
        lags = np.arange(self.longest + 1)
        self.pairs += np.clip(self.seen + new - np.maximum(lags, self.seen), 0, new)
        length = fft.next_fast_len(earliest + new, real=True)
        width = max(1, _CHUNK // length)
        series = self.window.shape[2]
        for g, window in enumerate(self.window):
            spectrum = np.zeros(length // 2 + 1, dtype=np.complex128)
            for start in range(0, series, width):
                part = np.ascontiguousarray(window[: earliest + new, start : start + width].T)
                whole = fft.rfft(part, length)
                part[:, :earliest] = 0
                recent = fft.rfft(part, length)
                spectrum += np.einsum("sw,sw->w", recent, whole.conj())
            self.sums[g] += fft.irfft(spectrum, length)[: earliest + 1] / series
        if earliest:
            self.window[:, :earliest] = self.window[:, new : new + earliest]
        self.seen += new
        self.filled = 0


def block_length(longest: int) -> int:
    """New samples in a window: as many as earlier ones, at least 64."""
    return max(64, longest)

"""Gaussian paths of a given power spectrum, the same random numbers at every call.

A path on n points of a circle is x_j = Σ_k √S_k Z_k e^{2πi jk/n} with E|Z_k|² = 1: Gaussian with
covariance C_j = Σ_k S_k e^{2πi jk/n}, static part S_0 included (drawn once per path). Two things
reduce the sampling error without a bias of first order: the Z_k are scaled so that the average of
|Z_k|² over the paths is exactly 1, which makes every covariance of a linear field exact, and static
amplitudes are stratified.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


class GaussianPaths:
    """Random amplitudes of one Gaussian field.

    Args:
        modes: Highest frequency index for which amplitudes are drawn, n/2 for n points.
        paths: Number of paths M.
        rng: Source of random numbers.
    """

    def __init__(self, modes: int, paths: int, rng: np.random.Generator) -> None:
        self.static = stratified(paths, rng)
        parts = rng.standard_normal((modes, 2, paths))
        amplitudes = parts[:, 0] + 1j * parts[:, 1]
        self.amplitudes: Complex = amplitudes / np.sqrt(
            np.mean(np.abs(amplitudes) ** 2, axis=1, keepdims=True)
        )

    def paths(self, spectrum: Array, points: int) -> Array:
        """Paths on a circle, shape (points, M).

        Args:
            spectrum: S_k for k = 0 … n/2 of a grid of n points, non-negative.
            points: Number of points to return them on, at least n; more interpolate.
        """
        known = len(spectrum)
        coefficients = np.zeros((points // 2 + 1, len(self.static)), complex)
        coefficients[0] = np.sqrt(spectrum[0]) * self.static
        coefficients[1:known] = np.sqrt(spectrum[1:])[:, None] * self.amplitudes[: known - 1]
        if points == 2 * (known - 1):  # the highest frequency has one real amplitude
            top = self.amplitudes[known - 2].real
            coefficients[-1] = np.sqrt(spectrum[-1]) * top / np.sqrt(np.mean(top**2))
        else:  # and is split in two where the grid is finer
            coefficients[known - 1] *= np.sqrt(0.5)
        return np.asarray(scipy.fft.irfft(coefficients, points, axis=0, overwrite_x=True) * points)


def stratified(paths: int, rng: np.random.Generator) -> Array:
    """Standard normal numbers, one from each of M slices of equal probability, shuffled.

    They come in pairs ±x, so that their mean is 0, and are scaled to variance 1.
    """
    half = paths // 2
    upper = ndtri(0.5 + 0.5 * (np.arange(half) + rng.random(half)) / half)
    values = np.concatenate([upper, -upper, np.zeros(paths - 2 * half)])
    return np.asarray(rng.permutation(values / np.sqrt(np.mean(values**2))))


def power(series: Array) -> Array:
    """S_k of a stationary series, averaged over paths; series of shape (n, M), S of (n/2 + 1,)."""
    points = len(series)
    modes = scipy.fft.rfft(series, axis=0)
    return np.asarray(np.mean(modes.real**2 + modes.imag**2, axis=1) / points**2)


def covariance(spectrum: Array) -> Array:
    """C_j for j = 0 … n/2 of a spectrum."""
    points = 2 * (len(spectrum) - 1)
    return np.asarray(scipy.fft.irfft(spectrum, points)[: points // 2 + 1] * points)


def spectrum_of(covariances: Array) -> Array:
    """S_k of a covariance on lags 0 … n/2 of a circle, clipped at 0."""
    points = 2 * (len(covariances) - 1)
    circle = np.concatenate([covariances, covariances[-2:0:-1]])
    return np.maximum(scipy.fft.rfft(circle).real / points, 0.0)


def refine(spectra: Array) -> Array:
    """Spectra on half the step: no power at the new frequencies."""
    modes = spectra.shape[1] - 1
    finer = np.pad(spectra, ((0, 0), (0, modes)))
    finer[:, modes] /= 2  # the highest frequency of the coarse grid stands for two of the fine one
    return finer


def coarsen(spectra: Array) -> Array:
    """Spectra on twice the step: the upper half of the frequencies is dropped."""
    return np.ascontiguousarray(spectra[:, : (spectra.shape[1] - 1) // 2 + 1])

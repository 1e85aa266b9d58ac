"""Anderson mixing of spectra, which stay spectra.

The next iterate combines the last few so that their residuals nearly cancel. Negative values are
clipped, so that every iterate is the spectrum of a covariance; where mixing would lose most of the
fluctuating power, which a clip can do for good, the plain iterate is taken instead.

Source: D. G. Anderson, J. ACM 12, 547 (1965).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_KEPT = 0.3
"""Fraction of a plain iterate's fluctuating power that a mixed one must keep."""


class Mixing:
    """Remembers the last iterates of one fixed-point problem S = G(S).

    Args:
        depth: How many differences are used.
        plain: Number of plain iterations at the start.
    """

    def __init__(self, depth: int = 5, plain: int = 2) -> None:
        self.depth, self.plain = depth, plain
        self._points: list[Array] = []
        self._images: list[Array] = []

    def next(self, point: Array, image: Array) -> Array:
        """The next iterate after G(point) = image, shape (distinct, modes)."""
        self._points.append(point.ravel())
        self._images.append(image.ravel())
        if len(self._points) <= self.plain:
            return image
        del self._points[: -self.depth - 1], self._images[: -self.depth - 1]
        points, images = np.array(self._points), np.array(self._images)
        residuals = images - points
        differences = np.diff(residuals, axis=0).T
        weights, *_ = np.linalg.lstsq(differences, residuals[-1], rcond=1e-6)
        mixed = images[-1] - np.diff(images, axis=0).T @ weights
        mixed = np.maximum(mixed, 0.0).reshape(point.shape)
        if not np.isfinite(mixed).all() or mixed[:, 1:].sum() < _KEPT * image[:, 1:].sum():
            return image
        return np.asarray(mixed)


def residual(point: Array, image: Array) -> float:
    """‖G(S) − S‖ / ‖S‖, the largest over covariances, modes weighted as in ∫C² dτ."""
    size = np.sqrt(np.sum(point**2, axis=1))
    distance = np.sqrt(np.sum((image - point) ** 2, axis=1))
    return float(np.max(distance / np.where(size > 0, size, np.inf), initial=0.0))

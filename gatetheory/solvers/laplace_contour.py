r"""From transforms in two variables back to functions of two times, all times at once.

Flow. With the Laguerre functions ℓ_n(s) = e^{(σ−b)s} L_n(2bs), whose transforms are
z^n (1 − z)/(2b) in z = (p − σ − b)/(p − σ + b), the coefficients of f(s) = Σ_n a_n ℓ_n(s) are the
Taylor coefficients of 2b F(p)/(1 − z). The unit circle |z| = 1 is the line Re p = σ; when all
singularities of F lie left of it the coefficients decay geometrically, and the trapezoidal rule on
the circle finds them up to the coefficients beyond the number of points.

Map. f(s) are the Taylor coefficients of F in 1/z themselves, taken on a circle |z| = ρ.

Source: W. T. Weeks, J. ACM 13, 419 (1966); J. A. C. Weideman, SIAM J. Sci. Comput. 21, 111 (1999).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


class Contour(ABC):
    """Points of a contour, and the functions of time that transforms on it stand for.

    Point n − 1 − j is the complex conjugate of point j.

    Args:
        count: Number of points.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        half = np.exp(1j * np.pi * (np.arange((count + 1) // 2) + 0.5) * 2 / count)
        self.circle: Complex = np.concatenate([half, half[: count // 2][::-1].conj()])

    @property
    @abstractmethod
    def points(self) -> Complex:
        """Values of p (of z in a map)."""

    @property
    @abstractmethod
    def step(self) -> Complex:
        """Transform of 1 for s ≥ 0, at the points."""

    @property
    @abstractmethod
    def weights(self) -> Complex:
        """What a transform is multiplied with before its Taylor coefficients are taken."""

    @abstractmethod
    def values(self, times: ArrayLike) -> Array:
        """The functions of time at these times, shape (count, times)."""

    @abstractmethod
    def sums(self, first: int, last: ArrayLike) -> Array:
        """Their integrals from 0 to each last time (in a map their sums from step ``first``)."""

    def coefficients(self, transform: Complex) -> Array:
        """Coefficients of f(s, s') from F(p, p'), both of shape (count, count)."""
        n = self.count
        twist = np.exp(-1j * np.pi * np.arange(n) / n)
        weighted = transform * self.weights[:, None] * self.weights
        return np.asarray((np.fft.fft2(weighted) * twist[:, None] * twist).real / n**2)


@final
class FlowContour(Contour):
    """The line Re p = σ.

    Args:
        abscissa: σ, to the right of every singularity.
        scale: b, best near the geometric mean of the distances of σ to the singularities.
        count: Number of points.
    """

    def __init__(self, abscissa: float, scale: float, count: int) -> None:
        super().__init__(count)
        self.abscissa, self.scale = abscissa, scale

    @property
    def points(self) -> Complex:
        """P = σ + b (1 + z)/(1 − z)."""
        z = self.circle
        return np.asarray(self.abscissa + 1j * self.scale * (2 * z.imag / np.abs(1 - z) ** 2))

    @property
    def step(self) -> Complex:
        """1/p."""
        return np.asarray(1 / self.points)

    @property
    def weights(self) -> Complex:
        """2b/(1 − z)."""
        return np.asarray(2 * self.scale / (1 - self.circle))

    def values(self, times: ArrayLike) -> Array:
        """ℓ_n(s) by recurrence, scaled so that nothing overflows."""
        s = np.atleast_1d(np.asarray(times, float))
        x = 2 * self.scale * s
        found = np.empty((self.count, s.size))
        before, now, exponent = np.zeros_like(x), np.ones_like(x), -x / 2
        for n in range(self.count):
            found[n] = now * np.exp(exponent + self.abscissa * s)
            before, now = now, ((2 * n + 1 - x) * now - n * before) / (n + 1)
            size = np.maximum(np.maximum(np.abs(now), np.abs(before)), 1.0)
            before, now, exponent = before / size, now / size, exponent + np.log(size)
        return found

    def sums(self, first: int, last: ArrayLike) -> Array:
        """∫_0^T ℓ_n ds, in u = √s, in which the functions oscillate evenly."""
        found = []
        for horizon in np.atleast_1d(np.asarray(last, float)):
            end = np.sqrt(horizon)
            phase = 2 * np.sqrt(2 * self.scale * self.count) * end + self.scale * horizon
            panels = 2 + int(phase / 8)
            width = end / panels
            u = (np.arange(panels)[:, None] + (_NODES + 1) / 2).ravel() * width
            weight = np.tile(_WEIGHTS, panels) * width / 2 * 2 * u
            found.append(self.values(u * u) @ weight)
        return np.stack(found, axis=1)


@final
class MapContour(Contour):
    """The circle |z| = ρ.

    Args:
        radius: ρ, outside of every singularity.
        count: Number of points, more than there are steps.
    """

    def __init__(self, radius: float, count: int) -> None:
        super().__init__(count)
        self.radius = radius

    @property
    def points(self) -> Complex:
        """Values of z; the Taylor variable is ρ/z."""
        return np.asarray(self.radius * self.circle.conj())

    @property
    def step(self) -> Complex:
        """1/(1 − 1/z)."""
        return np.asarray(1 / (1 - 1 / self.points))

    @property
    def weights(self) -> Complex:
        """Nothing."""
        return np.ones(self.count, complex)

    def values(self, times: ArrayLike) -> Array:
        """ρ^t where n is t."""
        steps = np.atleast_1d(np.asarray(times)).astype(int)
        found = np.zeros((self.count, steps.size))
        found[steps, np.arange(steps.size)] = self.radius ** steps.astype(float)
        return found

    def sums(self, first: int, last: ArrayLike) -> Array:
        """ρ^n for n from ``first`` to the last step."""
        steps = np.atleast_1d(np.asarray(last)).astype(int)
        n = np.arange(self.count)[:, None]
        inside = (n >= first) & (n <= steps)
        return np.asarray(np.where(inside, self.radius ** np.minimum(n, steps.max()), 0.0))

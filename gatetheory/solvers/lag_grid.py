"""Functions of the lag on a half line, and their convolution with kernels made of exponentials.

In continuous time a function is a polynomial on each of several elements, given at Gauss-Legendre
nodes, and constant beyond the last. The convolution with an even extension,

    (K * y)(τ) = ∫_0^∞ [K(τ − τ') + K(τ + τ')] y(τ') dτ',

is a matrix on the nodes, exact for such functions up to rounding: a second-kind equation, which is
as well conditioned as the problem itself (a differentiation matrix is not). For a map the nodes are
the lags 0, 1, 2, … themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
import scipy.special
from numpy.typing import NDArray

from gatetheory.solvers.lag_continuity import Continuity
from gatetheory.solvers.lag_filter import Kernel

Array = NDArray[np.float64]

_INNER = 22  # Gauss nodes of a piece of a convolution integral
_SHORT = 100.0  # elements up to as many decay lengths are tied together by the kernel
_FIRST_PIECE = 5.0  # its length in units of the fastest decay
_GROWTH = 3.0  # ratio of the lengths of successive pieces


class Grid(Protocol):
    """Where functions of the lag are represented."""

    @property
    def nodes(self) -> Array:
        """Lags, shape (n,)."""
        ...

    def convolve(self, ahead: Kernel, behind: Kernel) -> Array:
        """Matrix of y ↦ K * y at the nodes and, in the last row, at lag 0, shape (n + 1, n).

        Args:
            ahead: K at positive arguments.
            behind: K at negative arguments, as a function of their modulus.
        """
        ...

    def sample(self, kernel: Kernel) -> Array:
        """A kernel at the nodes and at lag 0, shape (n + 1,)."""
        ...

    def continuity(self, reach: float) -> Continuity:
        """What functions must meet, for kernels with a decay length."""
        ...

    def power(self, values: Array, frequencies: Array) -> Array:
        """Fourier transform of the even extension, (…, n) → (…, frequencies)."""
        ...

    def interpolate(self, values: Array, lags: Array) -> Array:
        """Functions given at the nodes, last axis, at other lags; 0 beyond the last element."""
        ...


@dataclass(frozen=True)
class ElementGrid:
    """Elements [e_j, e_{j+1}] with Gauss-Legendre nodes each.

    Args:
        edges: 0 = e_0 < e_1 < … .
        degree: Nodes per element.
    """

    edges: tuple[float, ...]
    degree: int

    @cached_property
    def nodes(self) -> Array:
        """Lags, shape (n,)."""
        x = _legendre(self.degree)[0]
        low, high = np.array(self.edges[:-1]), np.array(self.edges[1:])
        middle, half = (low + high) / 2, (high - low) / 2
        return np.asarray((middle[:, None] + half[:, None] * x).ravel(), dtype=float)

    @cached_property
    def weights(self) -> Array:
        """Weights of the integral over lags, shape (n,)."""
        w = _legendre(self.degree)[1]
        half = np.diff(self.edges) / 2
        return (half[:, None] * w).ravel()

    def continuity(self, reach: float) -> Continuity:
        """Smooth across edges and 0 at the last one, if an element is long beside the kernels.

        Args:
            reach: Decay length of the slowest kernel.
        """
        p, m = self.degree, self.elements
        if np.diff(self.edges).max() < _SHORT * reach:
            return Continuity(np.zeros((0, p * m)))
        left, right = _lagrange(p, np.array([-1.0]))[0], _lagrange(p, np.array([1.0]))[0]
        slope_left, slope_right = left @ _slopes(p), right @ _slopes(p)
        half = np.diff(self.edges) / 2
        rows = np.zeros((2 * m - 1, p * m))
        for j in range(m - 1):
            here, there = slice(j * p, (j + 1) * p), slice((j + 1) * p, (j + 2) * p)
            scale = min(half[j], half[j + 1])
            rows[2 * j, here], rows[2 * j, there] = right, -left
            rows[2 * j + 1, here] = slope_right * scale / half[j]
            rows[2 * j + 1, there] = -slope_left * scale / half[j + 1]
        rows[-1, -p:] = right
        q, _ = np.linalg.qr(rows.T)
        return Continuity(q.T)

    @property
    def elements(self) -> int:
        """Number of elements."""
        return len(self.edges) - 1

    def derivative(self, values: Array) -> Array:
        """Derivative of a function given at the nodes, at the nodes."""
        table = values.reshape(self.elements, self.degree) @ _slopes(self.degree).T
        return np.asarray((table / (np.diff(self.edges) / 2)[:, None]).ravel(), dtype=float)

    def convolve(self, ahead: Kernel, behind: Kernel, parity: int = 1) -> Array:
        """See :class:`Grid`; ``parity`` −1 extends the function oddly."""
        p, n = self.degree, len(self.nodes)
        targets = np.append(self.nodes, 0.0)
        own = np.append(np.repeat(np.arange(self.elements), p), -1)
        out = np.zeros((n + 1, n))
        for w, r in _modes(ahead):
            for j in range(self.elements):
                low, high = self.edges[j], self.edges[j + 1]
                before, to_end = _element(p, r * (high - low) / 2, (high - low) / 2)
                columns = slice(j * p, (j + 1) * p)
                later = own > j
                block = np.zeros((n + 1, p), dtype=type(r))
                block[later] = np.exp(r * (targets[later] - high))[:, None] * to_end
                block[columns] = before
                mirror = np.exp(r * (targets + low))[:, None] * to_end[::-1]
                block += parity * mirror
                out[:, columns] += np.real(w * block)
        for w, r in _modes(behind):
            for j in range(self.elements):
                low, high = self.edges[j], self.edges[j + 1]
                before, to_end = _element(p, r * (high - low) / 2, (high - low) / 2)
                columns = slice(j * p, (j + 1) * p)
                earlier = own < j
                block = np.zeros((n + 1, p), dtype=type(r))
                block[earlier] = np.exp(r * (low - targets[earlier]))[:, None] * to_end[::-1]
                block[columns] = before[::-1, ::-1]
                out[:, columns] += np.real(w * block)
        if ahead.instant:
            out[:n] += ahead.instant * np.eye(n)
            out[n] += ahead.instant * self._row_at_zero
        return out

    @cached_property
    def _row_at_zero(self) -> Array:
        row = np.zeros(len(self.nodes))
        row[: self.degree] = _lagrange(self.degree, np.array([-1.0]))[0]
        return row

    def sample(self, kernel: Kernel) -> Array:
        """See :class:`Grid`."""
        return kernel.flow(np.append(self.nodes, 0.0))

    def interpolate(self, values: Array, lags: Array) -> Array:
        """See :class:`Grid`."""
        lags = np.asarray(lags, dtype=float)
        element = np.clip(np.searchsorted(self.edges, lags, side="right") - 1, 0, self.elements - 1)
        low, high = np.array(self.edges)[element], np.array(self.edges)[element + 1]
        basis = _lagrange(self.degree, (2 * lags - low - high) / (high - low))
        table = values.reshape(*values.shape[:-1], self.elements, self.degree)
        result = np.einsum("ij,...ij->...i", basis, table[..., element, :])
        return np.where(lags <= self.edges[-1], result, 0.0)

    def power(self, values: Array, frequencies: Array) -> Array:
        """2 ∫_0^∞ y(τ) cos(ωτ) dτ, exact for piecewise polynomials, (…, n) → (…, frequencies)."""
        coefficients = self.coefficients(values)
        edges = np.array(self.edges)
        middle, half = (edges[:-1] + edges[1:]) / 2, np.diff(edges) / 2
        orders = np.arange(self.degree)
        bessel = scipy.special.spherical_jn(
            orders[None, None, :], (frequencies[:, None] * half)[:, :, None]
        )
        phases = np.exp(1j * frequencies[:, None] * middle)[:, :, None] * 1j**orders
        waves = (phases * bessel * (2 * half)[:, None]).real
        total = np.tensordot(coefficients, waves, axes=([-2, -1], [1, 2]))
        return np.asarray(2 * total, dtype=float)

    def coefficients(self, values: Array) -> Array:
        """Legendre coefficients on every element, (…, n) → (…, elements, degree)."""
        table = values.reshape(*values.shape[:-1], self.elements, self.degree)
        return table @ _to_legendre(self.degree).T


@dataclass(frozen=True)
class StepGrid:
    """Lags 0 … length of a map."""

    length: int

    @cached_property
    def nodes(self) -> Array:
        """Lags, shape (n,)."""
        return np.arange(self.length + 1, dtype=float)

    def convolve(self, ahead: Kernel, behind: Kernel) -> Array:
        """See :class:`Grid`."""
        n = self.length + 1
        forward, backward = (self._table(k, 2 * n) for k in (ahead, behind))
        i, j = np.arange(n)[:, None], np.arange(n)[None, :]
        difference = np.where(i >= j, forward[np.abs(i - j)], backward[np.abs(i - j)])
        matrix = difference + np.where(j > 0, forward[i + j], 0.0)
        return np.vstack([matrix, matrix[:1]])

    def sample(self, kernel: Kernel) -> Array:
        """See :class:`Grid`."""
        table = self._table(kernel, self.length + 1)
        return np.append(table, table[0])

    def interpolate(self, values: Array, lags: Array) -> Array:
        """See :class:`Grid`."""
        rows = values.reshape(-1, values.shape[-1])
        found = [np.interp(lags, self.nodes, row, right=0.0) for row in rows]
        return np.array(found).reshape(*values.shape[:-1], len(lags))

    def continuity(self, reach: float) -> Continuity:
        """Every lag counts for itself."""
        return Continuity(np.zeros((0, len(self.nodes))))

    def power(self, values: Array, frequencies: Array) -> Array:
        """y(0) + 2 Σ y(n) cos(ωn), (…, n) → (…, frequencies)."""
        cosines = np.cos(self.nodes[:, None] * frequencies)
        return np.asarray(2 * values @ cosines - values[..., :1], dtype=float)

    @staticmethod
    def _table(kernel: Kernel, count: int) -> Array:
        lags = np.arange(count)
        table = np.zeros(count)
        for w, r in zip(kernel.weights, kernel.rates, strict=True):
            table += np.real(w * r**lags)
        table[0] += kernel.instant
        return table


def doubling_edges(first: float, last: float) -> tuple[float, ...]:
    """Edges 0, first, 2 first, 4 first, … up to at least last."""
    edges = [0.0, first]
    while edges[-1] < last:
        edges.append(2 * edges[-1])
    return tuple(edges)


def split(grid: ElementGrid, marked: Sequence[int]) -> ElementGrid:
    """Halve elements."""
    edges = list(grid.edges)
    for j in sorted(marked, reverse=True):
        edges.insert(j + 1, (edges[j] + edges[j + 1]) / 2)
    return ElementGrid(tuple(edges), grid.degree)


@lru_cache(maxsize=16)
def _legendre(count: int) -> tuple[Array, Array]:
    x, w = np.polynomial.legendre.leggauss(count)
    return x, w


@lru_cache(maxsize=16)
def _slopes(degree: int) -> Array:
    """Values at the nodes → derivatives at the nodes, on [−1, 1]."""
    x, _ = _legendre(degree)
    derivative = np.polynomial.legendre.legder(np.eye(degree))
    return np.polynomial.legendre.legvander(x, degree - 2) @ derivative @ _to_legendre(degree)


@lru_cache(maxsize=16)
def _to_legendre(degree: int) -> Array:
    """Values at the nodes → Legendre coefficients."""
    x, w = _legendre(degree)
    vander = np.polynomial.legendre.legvander(x, degree - 1)
    return (vander * w[:, None]).T * (np.arange(degree)[:, None] + 0.5)


def _lagrange(degree: int, x: Array) -> Array:
    """Lagrange polynomials of the Gauss nodes at points, shape (points, degree)."""
    return np.polynomial.legendre.legvander(x, degree - 1) @ _to_legendre(degree)


def _modes(kernel: Kernel) -> list[tuple[complex, complex]]:
    """Weights and rates, those of real modes as floats: real arithmetic costs a quarter."""
    pairs = zip(kernel.weights.tolist(), kernel.rates.tolist(), strict=True)
    return [(w, r) if w.imag or r.imag else (w.real, r.real) for w, r in pairs]


@lru_cache(maxsize=4096)
def _element(
    degree: int, rate: complex, half_width: float
) -> tuple[NDArray[np.inexact], NDArray[np.inexact]]:
    """∫_{-1}^{x_i} e^{rate (x_i − x)} ℓ_k(x) dx at the nodes, and at x_i = 1, times the half width.

    The interval is cut into pieces that grow away from x_i, where the exponential is steep.
    """
    nodes = _legendre(degree)[0]
    targets = np.append(nodes, 1.0)
    x, w = _legendre(_INNER)
    out = np.zeros((degree + 1, degree), dtype=type(rate))
    length = _FIRST_PIECE / max(abs(rate), 1e-300)
    near, far = np.zeros(degree + 1), targets + 1
    active = np.arange(degree + 1)
    while len(active):
        stop = np.minimum(near + length, far)
        half = (stop - near) / 2
        v = ((near + stop) / 2)[:, None] + half[:, None] * x
        kernel = np.exp(rate * v) * (half[:, None] * w)
        basis = _lagrange(degree, (targets[active, None] - v).ravel())
        out[active] += np.matmul(kernel[:, None, :], basis.reshape(*v.shape, degree))[:, 0]
        going = (stop < far) & (-rate.real * stop < 45.0)
        active, near, far = active[going], stop[going], far[going]
        length *= _GROWTH
    out *= half_width
    out.setflags(write=False)
    return out[:-1], out[-1]

"""Hermite series of functions of Gaussian fields, at every time.

f(m + √c u) = Σ_k f_k He_k(u)/√k!. Coefficients come from the trapezoidal rule: in f He_k e^{−u²/2}
the Hermite function oscillates with wave numbers up to √k, the Gaussian adds a few, and a pole at
distance b needs 36/b more for sixteen digits. By Parseval's identity what is cut off is known: the
number of terms grows until it is below rounding or the limit is reached.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from gatetheory.codegen.hermite_numpy import hermite_functions
from gatetheory.codegen.kernels import Kernel

Array = NDArray[np.float64]

_SPAN = 13.0  # e^{−u²/4}, which multiplies a bounded Hermite function, is below rounding outside
_FIRST, _MOST = 32, 512  # terms of the series
_BLOCK = 8  # terms of an inner sum; divides half of the number of terms
_TAIL = 1e-13  # share of ‖f‖² that may be cut off before more terms are taken
_DIGITS = 36.0  # exponent of the aliasing error
_FINEST = 1 / 512  # no smaller step of the trapezoidal rule is taken


@dataclass
class Function:
    """A function f of one field and what is known of it at every time.

    Args:
        index: The field.
        kernel: f(x; means of all fields), compiled.
        reach: Distance of its nearest singularity from the real axis.
        coefficients: f_k at every time, shape (terms, times).
        norm: ‖f‖² at every time.
        cut: What the terms leave of it; infinite where f is too steep for the rule.
    """

    index: int
    kernel: Kernel
    reach: float
    coefficients: Array = field(default_factory=lambda: np.empty((0, 0)))
    cut: Array = field(default_factory=lambda: np.empty(0))
    norm: Array = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class Moments:
    """First and second moments of the fields at a time n and at all times up to it.

    Args:
        means: m, shape (F, n + 1).
        equal: ⟨u_i(j) u_k(j)⟩, shape (F, F, n + 1).
        across: ⟨u_i(n) u_k(j)⟩, shape (F, F, n + 1).
    """

    means: Array
    equal: Array
    across: Array

    @cached_property
    def variances(self) -> Array:
        """Of every field at every time, shape (F, n + 1)."""
        return np.asarray(np.maximum(np.einsum("iin->in", self.equal), 0.0))


class Expansions:
    """The series of all functions, with a common number of terms.

    Args:
        count: Number of times.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.terms = _FIRST
        self.functions: list[Function] = []
        self._basis: tuple[float, int, Array, Array] | None = None

    def add(self, index: int, kernel: Kernel, distance: float) -> Function:
        """Keep track of one more function, of field ``index``."""
        table = np.zeros((self.terms, self.count))
        f = Function(index, kernel, distance, table, np.zeros(self.count), np.zeros(self.count))
        self.functions.append(f)
        return f

    def expand(self, times: slice, moments: Moments) -> None:
        """Coefficients of every function at some times, with as many terms as it takes."""
        for f in self.functions:
            width = sqrt(float(moments.variances[f.index, times].max()))
            u, weight, basis = self._nodes(f, deviation=width)
            values = self._values(f, u, moments, times)
            f.coefficients[:, times] = basis @ (values * np.sqrt(weight)).T
            f.norm[times] = values**2 @ weight
            lost = f.norm[times] - (f.coefficients[:, times] ** 2).sum(axis=0)
            f.cut[times] = np.where(lost > _TAIL * f.norm[times], lost, 0.0)
            if self._needed(f.reach / max(width, 1e-300)) < _FINEST:
                f.cut[times] = np.inf
            if (f.cut[times] > 0).any() and self.terms < _MOST:
                self._grow(moments)
                return

    def _grow(self, moments: Moments) -> None:
        """Twice as many terms, for all times so far."""
        self.terms *= 2
        self._basis = None
        for f in self.functions:
            f.coefficients = np.zeros((self.terms, self.count))
        self.expand(slice(0, moments.means.shape[1]), moments)

    def _nodes(self, *read: Function, deviation: float) -> tuple[Array, Array, Array]:
        """Nodes u, Gaussian weights, and Hermite functions √weight He_k(u)/√k!, (terms, nodes)."""
        distance = min(f.reach for f in read) / max(deviation, 1e-300)
        step = max(self._needed(distance), _FINEST)
        if self._basis is None or step < self._basis[0] or self._basis[1] != self.terms:
            step /= 1.25  # room for variances to grow
            half = int(np.ceil(_SPAN / step))
            u: Array = step * np.arange(-half, half + 1, dtype=float)
            basis = sqrt(step / sqrt(2 * pi)) * hermite_functions(u, self.terms)
            self._basis = (step, self.terms, u, basis)
        _, _, nodes, functions = self._basis
        return nodes, functions[0] ** 2, functions

    def _needed(self, distance: float) -> float:
        """Step of the trapezoidal rule for a pole at a distance, in units of the deviation."""
        return 2 * pi / (sqrt(self.terms) + 6.0 + _DIGITS / distance)

    def _values(self, f: Function, u: Array, moments: Moments, times: slice) -> Array:
        """Values at the nodes, shape (times, nodes)."""
        means = moments.means[:, times, None]
        width = np.sqrt(moments.variances[f.index, times])[:, None]
        with np.errstate(all="ignore"):
            (values,) = f.kernel(width * u, *means)
        return np.broadcast_to(np.asarray(values, float), (means.shape[1], len(u)))

    def equal(self, f: Function, g: Function, n: int, moments: Moments) -> float:
        """⟨f g⟩ at one time, of functions of one field, by plain quadrature."""
        u, weight, _ = self._nodes(f, g, deviation=sqrt(moments.variances[f.index, n]))
        values = [self._values(q, u, moments, slice(n, n + 1))[0] for q in (f, g)]
        return float((values[0] * values[1]) @ weight)


def sum_series(left: Array, right: Array, rho: Array) -> Array:
    """Σ_k left[k] right[k, j] ρ_j^k, in blocks of Horner's scheme.

    Args:
        left: Shape (K,).
        right: Shape (K, n).
        rho: Shape (n,).
    """
    size = np.abs(left)
    for parity in (0, 1):  # an even or odd function lacks half of the terms
        if size[1 - parity :: 2].max() <= 1e-16 * size.max():
            start = rho if parity else np.ones_like(rho)
            return start * _blocks(left[parity::2], right[parity::2], rho**2)
    return _blocks(left, right, rho)


def _blocks(left: Array, right: Array, x: Array) -> Array:
    useful = np.flatnonzero(np.abs(left) > 1e-17 * np.abs(left).max(initial=0.0))
    blocks = int(useful[-1]) // _BLOCK + 1 if useful.size else 0
    if blocks == 0:
        return np.full(len(x), 0.0 if np.isfinite(left).all() else np.nan)
    count = blocks * _BLOCK
    powers = np.ones((_BLOCK + 1, len(x)))
    for k in range(_BLOCK):
        np.multiply(powers[k], x, out=powers[k + 1])
    terms = (left[:count, None] * right[:count]).reshape(blocks, _BLOCK, -1)
    inner = np.einsum("bkj,kj->bj", terms, powers[:_BLOCK])
    value = np.zeros(len(x))
    for part in inner[::-1]:
        value *= powers[_BLOCK]
        value += part
    return value

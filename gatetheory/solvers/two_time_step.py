"""Exact steps in time of the linear system of a two-time problem.

One step is X(t+h) = e^{Mh} X(t) + ∫ e^{M(h−u)} K η(t+u) du. The integral is exact for any η that is
a polynomial within the step, which is how covariances with η are interpolated; rates much faster
than the step do no harm. In a map η acts at the beginning of a step only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import factorial

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from gatetheory.solvers.two_time_linear import LinearSystem

Array = NDArray[np.float64]

_GAUSS_POINTS = 8  # for inputs that change in time, within each step


@dataclass(frozen=True)
class Step:
    """One exact step of a linear system.

    Args:
        system: The system.
        length: h; 1 in a map.
    """

    system: LinearSystem
    length: float

    @cached_property
    def propagator(self) -> Array:
        """Φ: the state after a step from the state before, shape (D, D)."""
        if self.system.discrete:
            return self.system.generator
        return np.asarray(expm(self.system.generator * self.length))

    @cached_property
    def _moments(self) -> list[Array]:
        """∫ e^{M(h−u)} (u/h)^k du for k = 0 … 3: h k! φ_{k+1}(hM), from one exponential."""
        size, top = self.system.size, 4
        block = np.zeros((size * (top + 1),) * 2)
        block[:size, :size] = self.system.generator * self.length
        for k in range(top):
            block[k * size : (k + 1) * size, (k + 1) * size : (k + 2) * size] = np.eye(size)
        first = expm(block)[:size]
        return [
            self.length * factorial(k) * first[:, (k + 1) * size : (k + 2) * size]
            for k in range(top)
        ]

    def weights(self, offsets: tuple[int, ...]) -> Array:
        """∫ e^{M(h−u)} ℓ_k(u) du K for η interpolated through grid points, shape (points, D, A).

        Args:
            offsets: The points, counted from the beginning of the step in steps; at most four.
        """
        K = self.system.drives
        if self.system.discrete:
            return np.array([K if o == 0 else 0 * K for o in offsets])
        # Row k of the inverse Vandermonde matrix has the coefficients of the Lagrange polynomial.
        powers = np.linalg.inv(np.vander(np.array(offsets, float), increasing=True)).T
        return np.array(
            [sum(c * J for c, J in zip(row, self._moments, strict=False)) @ K for row in powers]
        )

    @cached_property
    def noise(self) -> Array:
        """Covariance that white noise adds in a step, shape (D, D) (Van Loan's formula)."""
        size, h = self.system.size, self.length
        if self.system.discrete or not self.system.diffusion.any():
            return np.zeros((size, size))
        M = self.system.generator
        block = np.block([[-M, self.system.diffusion], [np.zeros((size, size)), M.T]]) * h
        found = expm(block)
        return np.asarray(found[size:, size:].T @ found[:size, size:])

    def means(self, initial: Array, count: int) -> Array:
        """Mean of every field at the grid points, shape (F, count).

        Args:
            initial: Mean of the state at 0, shape (D,).
            count: Number of points.
        """
        s, h = self.system, self.length
        starts: Array = h * np.arange(count, dtype=float)
        push: Array
        decay: Array
        if s.discrete:
            push = np.repeat(s.offset[0][:, None], count, axis=1)
            for on_state, _, f in s.timed:
                push = push + on_state[:, None] * f(starts)
        else:
            push = np.repeat((self._moments[0] @ s.offset[0])[:, None], count, axis=1)
            for node, weight in zip(*_gauss(), strict=True):
                u = h * (1 + node) / 2
                decay = np.asarray(expm(s.generator * (h - u))) * (weight * h / 2)
                for on_state, _, f in s.timed:
                    push = push + (decay @ on_state)[:, None] * f(starts + u)
        state = np.empty((s.size, count))
        state[:, 0] = initial
        for n in range(count - 1):
            state[:, n + 1] = self.propagator @ state[:, n] + push[:, n]
        fields = s.outputs @ state + s.offset[1][:, None]
        for _, on_fields, f in s.timed:
            if on_fields.any():
                fields = fields + on_fields[:, None] * f(starts)
        return fields


def _gauss() -> tuple[list[float], list[float]]:
    """Nodes and weights of Gauss and Legendre on (−1, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(_GAUSS_POINTS)
    return nodes.tolist(), weights.tolist()

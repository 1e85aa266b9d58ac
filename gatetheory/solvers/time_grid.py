"""Functions on a finite interval of time, and how a linear system responds to them.

A flow: polynomials on elements, at Gauss-Lobatto nodes that neighbours share; the response of
E ẏ = D y + f is exact for them, however short a time constant is. A map: the steps themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from gatetheory.solvers.lag_filter import Filter

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TimeGrid:
    """Elements between edges.

    Args:
        edges: Times, increasing; in a map the first and the last step.
        degree: Degree of the polynomials on each element; 0 in a map.
    """

    edges: tuple[float, ...]
    degree: int

    @property
    def discrete(self) -> bool:
        """Whether nodes are steps."""
        return self.degree == 0

    @cached_property
    def nodes(self) -> Array:
        """Times, shape (n,)."""
        if self.discrete:
            return np.arange(self.edges[0], self.edges[-1] + 1, dtype=float)
        x = _lobatto(self.degree)[0]
        parts = [low + (high - low) * (1 + x[1:]) / 2 for low, high in pairwise(self.edges)]
        return np.concatenate([[self.edges[0]], *parts])

    def index(self, time: float) -> int:
        """Place of an edge (of a step) among the nodes."""
        return int(np.argmin(np.abs(self.nodes - time)))

    def weights(self, end: float) -> Array:
        """Weights of the integral up to an edge, of the sum over the steps before in a map."""
        found = np.zeros(len(self.nodes))
        if self.discrete:
            found[self.nodes < end - 0.5] = 1.0
            return found
        w = _lobatto(self.degree)[1]
        for k, (low, high) in enumerate(pairwise(self.edges)):
            if high <= end * (1 + 1e-12) + 1e-300:
                found[k * self.degree : (k + 1) * self.degree + 1] += w * (high - low) / 2
        return found

    def response(self, system: Filter) -> tuple[Array, Array]:
        """What drives in the law of every field leave of the fields, and what their start leaves.

        Args:
            system: A reduced system, one drive for each of its F fields, D of them with dynamics.

        Returns:
            V, shape (n, F, n, F), such that y(i) = Σ_j V[i, :, j, :] f(j) from rest at the first
            node; and the fields' response to the state X there, shape (n, F, D).
        """
        n, states = len(self.nodes), len(system.matrix)
        count = system.inputs.shape[1]
        rows = np.zeros((n, states, n, states))
        free = np.zeros((n, states, states))
        free[0] = np.eye(states)
        if self.discrete:
            for i in range(1, n):
                free[i] = system.matrix @ free[i - 1]
                rows[i] = np.tensordot(system.matrix, rows[i - 1], 1)
                rows[i, :, i - 1, :] += np.eye(states)
        else:
            p = self.degree
            for k, (low, high) in enumerate(pairwise(self.edges)):
                carried, pushed = _element(p, high - low, system.matrix)
                first = k * p
                for m in range(1, p + 1):
                    free[first + m] = carried[m] @ free[first]
                    rows[first + m] = np.tensordot(carried[m], rows[first], 1)
                    own = rows[first + m, :, first : first + p + 1, :]
                    own += pushed[m].transpose(1, 0, 2)
        driven = np.einsum("fd,idje,ea->ifja", system.outputs, rows, system.inputs, optimize=True)
        for i in range(n):
            driven[i, :, i, :] += system.feed
        assert driven.shape == (n, len(system.outputs), n, count)
        return driven, np.einsum("fd,ide->ife", system.outputs, free)


def _element(degree: int, length: float, matrix: Array) -> tuple[Array, Array]:
    """Propagators to the nodes of an element, and responses there to each Lagrange polynomial.

    The values of a polynomial at shifted nodes change by its differentiation matrix, so that both
    come from one exponential of a block matrix.

    Returns:
        Shapes (p + 1, D, D) and (p + 1, p + 1, D, D): node, polynomial, and the matrix.
    """
    x, _ = _lobatto(degree)
    size, count = len(matrix), degree + 1
    slopes = _differentiation(degree) * 2 / length
    block = np.zeros((size * (count + 1),) * 2)
    block[:size, :size] = matrix
    block[:size, size : 2 * size] = np.eye(size)  # f is the value at the first, moving node
    block[size:, size:] = np.kron(slopes, np.eye(size))
    carried, pushed = np.empty((count, size, size)), np.empty((count, count, size, size))
    for m, time in enumerate(length * (1 + x) / 2):
        whole = expm(block * time)[:size]
        carried[m] = whole[:, :size]
        pushed[m] = whole[:, size:].reshape(size, count, size).transpose(1, 0, 2)
    return carried, pushed


@lru_cache(maxsize=32)
def _lobatto(degree: int) -> tuple[Array, Array]:
    """Nodes and weights of Gauss-Lobatto quadrature on [−1, 1], degree + 1 of them."""
    series = np.polynomial.legendre.Legendre.basis(degree)
    inner = np.real(series.deriv().roots())
    nodes = np.concatenate([[-1.0], np.sort(inner), [1.0]])
    for _ in range(2):  # polish what the companion matrix gives
        slope, curve = series.deriv()(nodes[1:-1]), series.deriv(2)(nodes[1:-1])
        nodes[1:-1] -= slope / curve
    weights = 2 / (degree * (degree + 1) * series(nodes) ** 2)
    return nodes, weights


@lru_cache(maxsize=32)
def _differentiation(degree: int) -> Array:
    """Differentiation matrix on the Lobatto nodes, by barycentric weights."""
    x, _ = _lobatto(degree)
    gaps = x[:, None] - x[None, :] + np.eye(len(x))
    weights = 1 / np.prod(gaps, axis=1)
    matrix = weights[None, :] / weights[:, None] / gaps
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return np.asarray(matrix)


def time_edges(marks: list[float], longest: float) -> tuple[float, ...]:
    """Edges that contain the marks (0 is added), none farther apart than ``longest``."""
    points = sorted({0.0, *marks})
    edges = [points[0]]
    for low, high in pairwise(points):
        count = max(int(np.ceil((high - low) / longest - 1e-9)), 1)
        edges += [float(low + (high - low) * k / count) for k in range(1, count)] + [high]
    return tuple(edges)

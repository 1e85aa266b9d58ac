"""Averages over the units of a fixed point, of products of responses at all pairs of points.

Every variable of the unit has its own trapezoidal rule, which converges geometrically for the
analytic functions that occur here; refining it is up to the caller. An average ⟨f(p) g(p')⟩ over a
group of variables is the matrix product of f(node, p), the weights, and g(node, p').
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.rewriting import stable
from gatetheory.errors import ConvergenceError
from gatetheory.solvers.unit_products import Group, Product, Products

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

WIDTH = 9.0  # standard deviations
MOST_NODES = 4_000_000  # of a group's grid
_AT_ONCE = 2_000_000  # numbers of a piece of a group's table

Pieces = tuple[tuple[Group, Expr], ...]


class UnitAverages:
    """Averages at given parameters, on given points.

    Args:
        deviations: Standard deviation of every variable.
        steps: Steps of the rule per standard deviation, for every variable.
        parameter: The symbol p.
        known: Values of all other symbols.
        points: Values of p.
    """

    def __init__(
        self,
        deviations: Mapping[Symbol, float],
        steps: Mapping[Symbol, int],
        parameter: Symbol,
        known: Mapping[Symbol, float],
        points: Complex,
    ) -> None:
        self.parameter, self.known, self.points = parameter, known, points
        self._rules = {v: _rule(std, steps[v]) for v, std in deviations.items()}
        self._order = list(deviations)
        self._tables: dict[Expr, Any] = {}
        self._pairs: dict[tuple[Pieces, Pieces], Any] = {}
        self._scales: dict[Expr, Complex] = {}

    def mean(self, terms: Products) -> Complex:
        """⟨f(p)⟩, shape (points,)."""
        total = np.zeros(len(self.points), complex)
        for t in terms:
            value = self._scale(t)
            for piece in t.groups:
                value = value * self._average((piece,), ()).ravel()
            total += value
        return total

    def pair(self, first: Products, second: Products) -> Complex:
        """⟨f(p) g(p')⟩, shape (points, points)."""
        n = len(self.points)
        total = np.zeros((n, n), complex)
        for t in first:
            for u in second:
                value = self._scale(t)[:, None] * self._scale(u)
                for left, right in _components(t, u):
                    value = value * self._average(left, right)
                total += value
        return total

    def _scale(self, t: Product) -> Complex:
        if t.scale not in self._scales:
            value = np.asarray(self._evaluate(t.scale, ()), complex).ravel()
            self._scales[t.scale] = np.broadcast_to(value, (len(self.points),))
        return self._scales[t.scale]

    def _average(self, left: Pieces, right: Pieces) -> Any:
        """Of a product over one connected set of variables, shape (points or 1, points or 1)."""
        if (left, right) not in self._pairs:
            group = frozenset().union(*(g for g, _ in (*left, *right)))
            variables = [v for v in self._order if v in group]
            sides = [np.prod([v for _, v in side]) if side else None for side in (left, right)]
            self._pairs[left, right] = self._integrated(variables, *sides)
        return self._pairs[left, right]

    def _integrated(self, variables: Sequence[Symbol], f: Expr | None, g: Expr | None) -> Any:
        sizes = [len(self._rules[v][0]) for v in variables]
        if np.prod(sizes) > MOST_NODES:
            names = ", ".join(v.name for v in variables)
            raise ConvergenceError(
                f"the average over {names} would need {' x '.join(map(str, sizes))} nodes; "
                "lower the gains, or measure the gradients with simulate_gradients"
            )
        total: Any = 0.0
        rows = max(1, _AT_ONCE // (int(np.prod(sizes[1:])) * len(self.points)))
        for start in range(0, sizes[0], rows):
            cut = slice(start, start + rows)
            weight = _outer([self._rules[v][1][cut if k == 0 else slice(None)]
                             for k, v in enumerate(variables)])  # fmt: skip
            tables = [
                np.ones((weight.size, 1)) if e is None else self._table(e, variables, cut)
                for e in (f, g)
            ]
            total = total + (tables[0] * weight[:, None]).T @ tables[1]
        return total

    def _table(self, e: Expr, variables: Sequence[Symbol], cut: slice) -> Any:
        """Values at (nodes of a grid, points or 1)."""
        single = len(variables) == 1
        if single and cut.start == 0 and e in self._tables:
            return self._tables[e]
        inner = []
        for k, v in enumerate(variables):
            nodes = self._rules[v][0][cut if k == 0 else slice(None)]
            shape = [1] * (len(variables) + 1)
            shape[k] = -1
            inner.append(nodes.reshape(shape))
        value = np.asarray(self._evaluate(e, variables, *inner))
        sizes = [x.size for x in inner]
        value = np.broadcast_to(value, (*sizes, value.shape[-1] if value.ndim else 1))
        table = value.reshape(int(np.prod(sizes)), -1)
        if single and cut.stop >= sizes[0] and cut.start == 0:
            self._tables[e] = table
        return table

    def _evaluate(self, e: Expr, variables: Sequence[Symbol], *inner: Any) -> Any:
        outer = tuple(self.known)
        prepare = compile_kernel((stable(e),), (*variables, self.parameter), outer, DOUBLES)
        with np.errstate(all="ignore"):
            return prepare(*self.known.values())(*inner, self.points)[0]


def _rule(deviation: float, steps: int) -> tuple[Array, Array]:
    """Nodes and weights for a Gaussian variable."""
    if deviation == 0:
        return np.zeros(1), np.ones(1)
    half = int(np.ceil(WIDTH * steps))
    u = np.arange(-half, half + 1) / steps
    weight = np.exp(-u * u / 2)
    return deviation * u, weight / weight.sum()


def _outer(factors: Sequence[Array]) -> Array:
    result = np.ones(1)
    for f in factors:
        result = (result[:, None] * f).ravel()
    return result


def _components(t: Product, u: Product) -> list[tuple[Pieces, Pieces]]:
    """The groups of two terms, those that share variables taken together."""
    found: list[tuple[Group, Pieces, Pieces]] = []
    for side, term in enumerate((t, u)):
        for group, value in term.groups:
            piece = ((group, value),)
            touching = [c for c in found if c[0] & group]
            found = [c for c in found if not c[0] & group]
            left = sum((c[1] for c in touching), () if side else piece)
            right = sum((c[2] for c in touching), piece if side else ())
            found.append((group.union(*(c[0] for c in touching)), left, right))
    return [(left, right) for _, left, right in found]

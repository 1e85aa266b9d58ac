"""Numbers from equations without the package's code generator: a second, slow and simple way.

Averages are tensor Gauss–Hermite sums over the independent variables that occur, which is exact for
the discrete law that the nodes and weights define, and close to the Gaussian with many nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from scipy.special import expit
from sympy import Abs, Expr, Lambda, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import Nonlinear, derivative_of_definition, logistic

_FUNCTIONS: dict[type, Any] = {
    sympy.tanh: np.tanh,
    logistic: expit,
    sympy.sech: lambda x: 1 / np.cosh(x),
    sympy.exp: np.exp,
    Abs: np.abs,
}
NODES = {1: 48, 2: 24, 3: 16, 4: 10}


@lru_cache
def hermite(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of a standard normal variable."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    return x, w / w.sum()


class Interpreter:
    """Values of expressions at given values of their symbols.

    Args:
        values: Value of every free symbol (λ may be complex).
        definitions: Definitions of the nonlinearities.
        nodes: Gauss–Hermite nodes per variable; by default as many as the dimension allows.
    """

    def __init__(
        self,
        values: Mapping[Symbol, Any],
        definitions: Mapping[str, Lambda],
        nodes: int | None = None,
    ) -> None:
        self.definitions, self.nodes = definitions, nodes
        self.known: dict[Expr, Any] = dict(values)

    def __call__(self, expression: Expr) -> Any:
        """Value of an expression; whatever it has in common with earlier ones is remembered."""
        return self._value(expression, self.known)

    def _value(self, e: Expr, known: dict[Expr, Any]) -> Any:
        if e in known:
            return known[e]
        if e.is_Number:
            return float(e)
        if isinstance(e, GaussianAverage):
            value = self._average(e)
        elif e.is_Add:
            value = sum(self._value(a, known) for a in e.args)
        elif e.is_Mul:
            value = 1.0
            for a in e.args:
                value = value * self._value(a, known)
        elif e.is_Pow:
            exponent = e.exp
            value = self._value(e.base, known) ** (
                int(exponent) if exponent.is_Integer else self._value(exponent, known)
            )
        elif isinstance(e, Nonlinear):
            argument = Symbol("argument", real=True)
            body = derivative_of_definition(self.definitions[e.name], e.order)(argument)
            inside = {argument: self._value(e.argument, known)}
            inside |= {s: v for s, v in known.items() if s.is_Symbol and s != argument}
            value = self._value(body, inside)
        else:
            value = _FUNCTIONS[type(e)](*(self._value(a, known) for a in e.args))
        known[e] = value
        return value

    def _average(self, e: GaussianAverage) -> Any:
        names, count = e.variables, len(e.variables)
        covariance = np.array(
            [[self(e.covariance[i, j]) for j in range(count)] for i in range(count)], float
        )
        # A mutated variance may be negative; its square root then makes the average complex.
        scale = (
            np.sqrt(np.diag(covariance).astype(complex))
            if np.count_nonzero(covariance - np.diag(np.diag(covariance))) == 0
            else None
        )
        x, w = hermite(self.nodes or NODES[count])
        grid = np.meshgrid(*[x] * count, indexing="ij")
        weight = np.ones_like(grid[0])
        for axis in np.meshgrid(*[w] * count, indexing="ij"):
            weight = weight * axis
        if scale is None:
            factor = np.linalg.cholesky(covariance)
            columns = np.tensordot(factor, np.array(grid), axes=1)
        elif np.all(scale.imag == 0):
            columns = [s.real * g for s, g in zip(scale, grid, strict=True)]
        else:
            columns = [s * g for s, g in zip(scale, grid, strict=True)]
        known = {s: v for s, v in self.known.items() if s.is_Symbol}
        known |= dict(zip(names, columns, strict=True))
        return np.sum(weight * self._value(e.integrand, known))

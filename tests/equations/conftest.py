"""Values of averages by a trapezoidal rule that knows nothing of the package's own quadratures."""

from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
import pytest
import sympy
from sympy import Expr, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import logistic

Number = Callable[..., float]


def _outermost(expression: Expr) -> set[Expr]:
    if isinstance(expression, GaussianAverage):
        return {expression}
    return set().union(*(_outermost(a) for a in expression.args), set())


def _number(expression: Expr, values: Mapping[Symbol, object] | None = None) -> float:
    known = sympy.sympify(expression).subs(dict(values or {}))
    found = {}
    for average in _outermost(known):
        sigma = np.array(average.covariance.applyfunc(_number).tolist(), dtype=float)
        power, axes = np.linalg.eigh(sigma)
        root = axes * np.sqrt(np.clip(power, 0, None))
        inside = {a: _number(a) for a in _outermost(average.integrand)}
        f = average.integrand.xreplace(inside).replace(logistic, lambda x: 1 / (1 + sympy.exp(-x)))
        nodes = np.linspace(-8, 8, {1: 601, 2: 121}.get(len(average.variables), 49))
        grid = np.array(list(product(nodes, repeat=len(average.variables)))).T
        weights = np.exp(-(grid**2).sum(axis=0) / 2)
        value = sympy.lambdify(average.variables, f, "numpy")(*(root @ grid))
        found[average] = float(np.sum(value * weights) / np.sum(weights))
    return float(known.xreplace(found))


@pytest.fixture
def number() -> Number:
    """Value of an expression with averages at given values of its symbols."""
    return _number

"""Bounds are safe: no value lies outside them."""

import contextlib
import random

import numpy as np
import pytest
import sympy
from sympy import Expr, Max, Min, Rational, S, Symbol, cos, cosh, exp, log, sech, sin, sqrt, tanh

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.bounds import bounds
from gatetheory.functions import logistic

x, y = sympy.symbols("x y", real=True)
D = Symbol("D", nonnegative=True)

UNARY = (tanh, logistic, sech, sin, cos, sympy.atan, sympy.erf, sympy.asinh, abs, cosh)


def random_expression(pick: random.Random, depth: int) -> Expr:
    if depth == 0:
        return pick.choice([x, y, S(pick.randint(-3, 3)), Rational(pick.randint(-5, 5), 2)])
    kind = pick.randrange(6)
    left = random_expression(pick, depth - 1)
    if kind <= 1:
        return pick.choice(UNARY)(left)
    right = random_expression(pick, depth - 1)
    if kind == 2:
        return left + right
    if kind == 3:
        return left * right
    if kind == 4:
        return left ** pick.randint(2, 3)
    return pick.choice([Max, Min])(left, right)


@pytest.mark.parametrize("seed", range(80))
def test_random_expressions_stay_inside(seed: int) -> None:
    expression = random_expression(random.Random(seed), 3)
    low, high = bounds(expression)
    assert S.NaN not in (low, high)
    assert float(low) <= float(high)
    generator = np.random.default_rng(seed)
    plain = expression.replace(logistic, lambda u: 1 / (1 + exp(-u))).replace(
        sech, lambda u: 1 / cosh(u)
    )
    f = sympy.lambdify((x, y), plain, "math")
    found = []
    for at in generator.normal(size=(200, 2)) * 4:
        with contextlib.suppress(OverflowError):
            found.append(float(f(*at)))
    values = np.array(found)
    assert values.size > 0
    slack = 1e-9 * (1 + np.abs(values))
    assert np.all(values >= float(low) - slack)
    assert np.all(values <= float(high) + slack)


@pytest.mark.parametrize(
    ("expression", "low", "high"),
    [
        (tanh(x) ** 2, 0, 1),
        (tanh(x) ** 3, -1, 1),
        (1 + 2 * logistic(x), 1, 3),
        (1 / (2 + tanh(x)), Rational(1, 3), 1),
        (tanh(x) * logistic(y), -1, 1),
        (-exp(x), -sympy.oo, 0),
        (x + tanh(y), -sympy.oo, sympy.oo),
        (x**2 + 1, 1, sympy.oo),
        (sqrt(1 + tanh(x) ** 2), 1, sqrt(2)),
        (D + sech(x), 0, sympy.oo),
        (log(x), -sympy.oo, sympy.oo),
        (1 / tanh(x) ** 2, 0, sympy.oo),
        (abs(tanh(x) - Rational(1, 2)), 0, Rational(3, 2)),
        (sympy.pi * sin(x), -sympy.pi, sympy.pi),
    ],
)
def test_known_bounds(expression: Expr, low: Expr, high: Expr) -> None:
    assert bounds(expression) == (low, high)


def test_an_average_lies_between_the_bounds_of_its_integrand() -> None:
    average = GaussianAverage(tanh(x) ** 2 * logistic(y), (x, y), [[D, D / 2], [D / 2, D]])
    assert bounds(average) == (0, 1)
    assert bounds(3 * average - 1) == (-1, 2)

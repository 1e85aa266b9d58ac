"""Sums of products over groups of variables, and averages of them."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from scipy.special import expit
from sympy import Symbol, symbols, tanh

from gatetheory.errors import ConvergenceError
from gatetheory.functions import logistic
from gatetheory.solvers.unit_averages import UnitAverages
from gatetheory.solvers.unit_products import plus, products, times

x, y, z = symbols("x y z", real=True)
p, a = Symbol("p"), Symbol("a", real=True)
POINTS = np.array([0.3 + 0.2j, 1.5 - 2j])
DRAWN = {x: 0.8, y: 1.3, z: 0.0}


def rebuilt(terms: tuple) -> sympy.Expr:
    return sympy.Add(*(t.scale * sympy.Mul(*(v for _, v in t.groups)) for t in terms))


def averages(steps: int = 16) -> UnitAverages:
    return UnitAverages(DRAWN, dict.fromkeys(DRAWN, steps), p, {a: 1.7}, POINTS)


def test_what_factorizes_is_taken_apart() -> None:
    e = a * tanh(x) * logistic(y) / (p + logistic(x)) + tanh(x) * y**2
    terms = products(e, (x, y, z))
    assert all(len(group) == 1 for t in terms for group, _ in t.groups)
    assert sympy.simplify(rebuilt(terms) - e) == 0


def test_what_does_not_factorize_stays_together() -> None:
    (term,) = products(1 / (p + logistic(x) * tanh(y)), (x, y, z))
    assert term.groups[0][0] == {x, y}


def test_what_cancels_is_gone() -> None:
    assert products(x * (p + 1) / (p + 1) - x, (x,)) == ()
    assert plus([products(x * a, (x,)), products(-a * x, (x,))]) == ()


def test_products_merge_groups_that_overlap() -> None:
    (term,) = times(products(tanh(x), (x, y)), products(tanh(y), (x, y)),
                    products(1 / (p + x**2 + y**2), (x, y)))  # fmt: skip
    assert [set(g) for g, _ in term.groups] == [{x, y}]


def test_averages_of_products_are_those_of_a_common_grid() -> None:
    first = a * tanh(x) / (p + logistic(y)) + y * (1 + z)
    second = tanh(x * y) / (p + 1) + x * y
    found = averages().pair(products(first, DRAWN), products(second, DRAWN))
    u = np.linspace(-9, 9, 401)
    weight = np.exp(-(u[:, None] ** 2 + u**2) / 2)
    weight /= weight.sum()
    X, Y = 0.8 * u[:, None, None], 1.3 * u[:, None]
    f = 1.7 * np.tanh(X) / (POINTS + expit(Y)) + Y
    g = np.tanh(X * Y) / (POINTS + 1) + X * Y
    exact = np.einsum("xy,xyj,xyk->jk", weight, f, g)
    assert found == pytest.approx(exact, rel=1e-12)
    mean = averages().mean(products(first * second, DRAWN))
    assert mean == pytest.approx(np.einsum("xy,xyj,xyj->j", weight, f, g), rel=1e-12)


def test_too_large_a_grid_is_refused() -> None:
    e = products(tanh(x * y), DRAWN)
    with pytest.raises(ConvergenceError, match="nodes"):
        averages(512).pair(e, e)

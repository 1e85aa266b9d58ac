"""Averages over a pair at many covariances: closed forms, tensor quadrature, tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray

from gatetheory.codegen.pairs_numpy import PairProgram, compile_pairs
from gatetheory.equations.averages import GaussianAverage
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.functions import logistic

Array = NDArray[np.float64]
X, Y = sp.symbols("x y", real=True)
C, G, H = sp.symbols("c g h", real=True)
V, W = sp.symbols("V W", positive=True)
CORRELATIONS = np.array([-1.0, -0.5, 0.0, 0.3, 0.999, 1.0])
FUNCTIONS: dict[str, tuple[sp.Expr, Callable[[Array], Array]]] = {
    "tanh": (sp.tanh(3 * X), lambda x: np.tanh(3 * x)),
    "logistic": (logistic(5 * X - 1), lambda x: 1 / (1 + np.exp(1 - 5 * x))),
    "atan": (sp.atan(2 * X), lambda x: np.arctan(2 * x)),
    "tanh + sech": (sp.tanh(X) + sp.sech(2 * X), lambda x: np.tanh(x) + 1 / np.cosh(2 * x)),
    "erf": (sp.erf(X), lambda x: np.vectorize(lambda v: float(sp.erf(v)))(x)),
}


def pair(f: sp.Expr, g: sp.Expr, law: list[list[sp.Expr]]) -> GaussianAverage:
    return GaussianAverage(f * g.subs(X, Y), (X, Y), law, evaluate=False)


def common(f: sp.Expr, g: sp.Expr) -> PairProgram:
    """⟨f(x) g(y)⟩ with one variance V."""
    return compile_pairs([pair(f, g, [[V, C], [C, V]])], (C, V))


def tensor(
    f: Callable[[Array], Array], g: Callable[[Array], Array], v: float, w: float, c: float
) -> float:
    """The same by panels of Gauss-Legendre nodes along x and along y at given x."""
    base, weight = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(-9, 9, 61)
    half = np.diff(edges) / 2
    u = ((edges[:-1] + edges[1:])[:, None] / 2 + half[:, None] * base).ravel()
    p = (half[:, None] * weight).ravel() * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)
    rho = c / np.sqrt(v * w)
    y = np.sqrt(w) * (rho * u[:, None] + np.sqrt(max(1 - rho * rho, 0)) * u)
    return float((p * f(np.sqrt(v) * u)) @ (g(y) @ p))


@pytest.mark.parametrize("gain", [0.5, 3.0, 50.0])
def test_arcsine_law(gain: float) -> None:
    """⟨erf(gx) erf(gy)⟩ = (2/π) asin(2g²c/(1 + 2g²V)); lags enough for a table, and few."""
    program = compile_pairs([pair(sp.erf(G * X), sp.erf(G * X), [[V, C], [C, V]])], (C, V, G))
    for count in (7, 301):
        c = 0.7 * np.linspace(-1, 1, count)
        exact = 2 / np.pi * np.arcsin(2 * gain**2 * c / (1 + 2 * gain**2 * 0.7))
        assert np.abs(program(c, 0.7, gain)[0] - exact).max() < 3e-14


@pytest.mark.parametrize("name", ["tanh", "logistic", "atan", "tanh + sech"])
def test_against_tensor_quadrature(name: str) -> None:
    expression, f = FUNCTIONS[name]
    found = common(expression, expression)(0.8 * CORRELATIONS, 0.8)[0]
    expected = [tensor(f, f, 0.8, 0.8, 0.8 * r) for r in CORRELATIONS]
    assert np.abs(found - expected).max() < 5e-14


@pytest.mark.parametrize("gain", [0.5, 0.75, 1.5, 4.0])
def test_poles_of_high_order(gain: float) -> None:
    """tanh'' tanh'' has a pole of order six where both arguments are nearly the same."""
    expression = sp.sech(gain * X) ** 2 * sp.tanh(gain * X)
    program = common(expression, expression)

    def f(x: Array) -> Array:
        return np.tanh(gain * x) / np.cosh(gain * x) ** 2

    correlations = [0.5, 0.95, 0.9999985]
    expected = np.array([tensor(f, f, 0.6, 0.6, 0.6 * r) for r in correlations])
    size = tensor(f, f, 0.6, 0.6, 0.6)
    for count in (1, 50):  # one by one, and by series
        found = program(0.6 * np.repeat(correlations, count), 0.6)[0][::count]
        assert np.abs(found - expected).max() < 3e-15 * size


def test_two_functions_and_two_variances() -> None:
    """A cross-average: neither functions nor variances agree, and both signs of c occur."""
    program = compile_pairs(
        [pair(FUNCTIONS["tanh"][0], FUNCTIONS["logistic"][0], [[V, C], [C, W]])], (C, V, W)
    )
    c = CORRELATIONS * np.sqrt(0.6 * 1.7)
    expected = [tensor(FUNCTIONS["tanh"][1], FUNCTIONS["logistic"][1], 0.6, 1.7, x) for x in c]
    assert np.abs(program(c, 0.6, 1.7)[0] - expected).max() < 5e-14


def test_variances_that_differ_from_pair_to_pair() -> None:
    program = compile_pairs(
        [pair(FUNCTIONS["tanh"][0], FUNCTIONS["atan"][0], [[V, C], [C, W]])], (C, V, W)
    )
    v, w = np.array([0.01, 0.5, 3.0]), np.array([2.0, 0.5, 0.03])
    c = np.array([0.9, -0.3, 1.0]) * np.sqrt(v * w)
    expected = [
        tensor(FUNCTIONS["tanh"][1], FUNCTIONS["atan"][1], *at) for at in zip(v, w, c, strict=True)
    ]
    assert np.abs(program(c, v, w)[0] - expected).max() < 5e-14


def test_a_product_of_means_at_no_covariance_and_the_variance_at_full() -> None:
    f = FUNCTIONS["logistic"][0]
    mean = GaussianAverage(f, (X,), [[V]], evaluate=False)
    square = GaussianAverage(f**2, (X,), [[V]], evaluate=False)
    both = compile_pairs([pair(f, f, [[V, C], [C, V]]), mean**2, square], (C, V))
    values = both(np.array([0.0, 1.3]), 1.3)
    assert abs(values[0, 0] - values[1, 0]) < 2e-15
    assert abs(values[0, 1] - values[2, 1]) < 2e-15


@pytest.mark.parametrize("count", [1, 30])
def test_what_is_no_variance_has_no_average(count: int) -> None:
    """Newton's method may step there, and has to be told."""
    assert np.isnan(
        common(FUNCTIONS["tanh"][0], FUNCTIONS["tanh"][0])(np.full(count, 0.1), -0.2)
    ).all()


def test_nothing_fluctuates() -> None:
    """At variance 0 the functions are read at the mean."""
    assert common(FUNCTIONS["logistic"][0], sp.Integer(1))(np.zeros(3), 0.0)[0] == pytest.approx(
        1 / (1 + np.e), abs=1e-15
    )


@pytest.mark.parametrize(
    "name",
    [
        "tanh",
        "logistic",
        "tanh + sech",
        "erf",
        "atan",
    ],
)
def test_price_slopes(name: str) -> None:
    """∂/∂c and ∂/∂V of ⟨f f⟩ against differences of fourth order."""
    f = FUNCTIONS[name][0]
    value = pair(f, f, [[V, C], [C, V]])
    program = compile_pairs([value, value.diff(C), value.diff(V)], (C, V))
    c, v, h = np.array([-0.6, -0.1, 0.0, 0.45, 0.7]), 0.8, 1e-3
    found = program(c, v)

    def slope(along_c: float, along_v: float) -> Array:
        at = [program(c + k * h * along_c, v + k * h * along_v)[0] for k in (-2, -1, 1, 2)]
        return np.asarray((at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h))

    assert np.abs(found[1] - slope(1, 0)).max() < 1e-8 * np.abs(found[1]).max()
    assert np.abs(found[2] - slope(0, 1)).max() < 1e-8 * np.abs(found[2]).max()


@pytest.mark.parametrize("gain", [1, 8, 40])
@pytest.mark.parametrize("lowest", [-1.0, 0.0, 0.6])
def test_table_equals_direct_evaluation(gain: int, lowest: float) -> None:
    """Many covariances share a series, and near ρ = ±1 a table; up to ρ = ±1."""
    program = common(sp.tanh(gain * X), sp.tanh(gain * X))
    c = 0.5 * np.concatenate([np.linspace(lowest, 1, 350), 1 - np.geomspace(1e-14, 1e-2, 50)])
    direct = np.concatenate([program(part, 0.5)[0] for part in np.split(c, 5)])
    assert np.abs(program(c, 0.5)[0] - direct).max() < 1e-13


def test_slopes_from_a_table() -> None:
    """⟨φ' φ'⟩ is steepest at ρ = 1, where a table in ρ itself would fail."""
    f = sp.tanh(5 * X)
    program = compile_pairs([pair(f, f, [[V, C], [C, V]]).diff(C)], (C, V))
    c = 0.5 * (1 - np.geomspace(1e-12, 1, 400))
    direct = np.concatenate([program(part, 0.5)[0] for part in np.split(c, 4)])
    assert np.abs(program(c, 0.5)[0] / direct - 1).max() < 1e-12


def test_loose_tolerance_is_kept() -> None:
    f = FUNCTIONS["tanh"]
    c = 0.8 * CORRELATIONS
    expected = np.array([tensor(f[1], f[1], 0.8, 0.8, x) for x in c])
    for tolerance in (1e-3, 1e-6, 1e-10):
        error = np.abs(common(f[0], f[0])(c, 0.8, tolerance=tolerance)[0] - expected).max()
        assert error < tolerance


def test_a_sum_of_products_is_split() -> None:
    """(tanh x + tanh y)² expands to products."""
    joint = GaussianAverage(
        (sp.tanh(X) + sp.tanh(Y)) ** 2, (X, Y), [[V, C], [C, V]], evaluate=False
    )
    square = GaussianAverage(sp.tanh(X) ** 2, (X,), [[V]], evaluate=False)
    parts = 2 * square + 2 * pair(sp.tanh(X), sp.tanh(X), [[V, C], [C, V]])
    program = compile_pairs([joint, parts], (C, V))
    values = program(np.array([-0.4, 0.2]), 0.9)
    assert np.abs(values[0] - values[1]).max() < 1e-14


def test_refusals() -> None:
    law = [[V, C], [C, V]]
    with pytest.raises(DerivationError, match="no product"):
        compile_pairs([GaussianAverage(sp.tanh(X * Y), (X, Y), law, evaluate=False)], (C, V))
    with pytest.raises(DerivationError, match="kinks or jumps"):
        compile_pairs([pair(sp.sign(X), sp.sign(X), law)], (C, V))
    with pytest.raises(ParameterError, match="expected values"):
        common(sp.tanh(X), sp.tanh(X))(0.5)


@pytest.mark.parametrize(
    "f", [sp.tanh(5 * sp.tanh(3 * X)), sp.sin(4 * sp.tanh(3 * X)), X / sp.sqrt(1 + X**2)], ids=str
)
@pytest.mark.parametrize("rho", [0.5, 1.0])
def test_poles_that_are_not_located_are_measured(f: sp.Expr, rho: float) -> None:
    """Nested and algebraic functions, against a rule with ten times as many nodes."""
    value = compile_pairs([pair(f, f, [[V, C], [C, V]])], (C, V))(np.array([0.8 * rho]), 0.8)[0, 0]
    nodes = np.linspace(-9, 9, 6001)
    weights = np.exp(-(nodes**2) / 2) * (nodes[1] - nodes[0]) / np.sqrt(2 * np.pi)
    call = sp.lambdify(X, f, modules="numpy")
    smooth = [
        call(np.sqrt(0.8) * (np.sqrt(rho) * u + np.sqrt(1 - rho) * nodes)) @ weights
        for u in nodes[::4]
    ]
    coarse = 4 * weights[::4]
    assert value == pytest.approx(float(np.square(smooth) @ coarse), rel=3e-12)


def test_growth_that_outruns_the_range_is_refused() -> None:
    program = compile_pairs([pair(sp.exp(2 * X), sp.exp(2 * X), [[V, C], [C, V]])], (C, V))
    with pytest.raises(DerivationError, match="sampled"):
        program(np.array([0.5]), 1.0)

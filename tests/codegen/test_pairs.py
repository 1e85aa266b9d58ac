"""Two and three correlated variables: closed forms, multiple precision, singular covariances."""

from __future__ import annotations

from math import asin, pi, sqrt

import numpy as np
import pytest
import sympy as sp

from gatetheory.codegen import mpmath_backend, numpy_backend
from gatetheory.codegen.covariance_numpy import cholesky
from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import logistic

X, Y, Z = sp.symbols("x y z", real=True)
A, B, R = sp.symbols("a b r", real=True)
V, W = sp.symbols("V W", positive=True)
UNIT = [[1, R], [R, 1]]
CORRELATIONS = [0.0, 0.3, -0.9, 0.999, 1 - 1e-6, 1 - 1e-15, 1.0, -1.0, -1 + 1e-12]


@pytest.mark.parametrize("rho", CORRELATIONS)
def test_error_functions_of_different_gains(rho: float) -> None:
    """⟨erf(ax) erf(by)⟩ = (2/π) asin(2abρ/√((1 + 2a²)(1 + 2b²)))."""
    program = numpy_backend.compile(
        [GaussianAverage(sp.erf(A * X) * sp.erf(B * Y), (X, Y), UNIT, evaluate=False)], (A, B, R)
    )
    for a, b in ((50.0, 50.0), (50.0, 0.1), (1.0, 7.0), (1e-3, 20.0)):
        result = program(a, b, rho)
        exact = 2 / pi * asin(2 * a * b * rho / sqrt((1 + 2 * a * a) * (1 + 2 * b * b)))
        assert abs(result.values[0] - exact) <= result.errors[0] + 1e-16
        assert result.errors[0] <= 1e-11


@pytest.mark.parametrize("rho", CORRELATIONS)
def test_signs(rho: float) -> None:
    """⟨sign x sign y⟩ = (2/π) asin ρ; near |ρ| = 1 the rounding of ρ itself is in the estimate."""
    program = numpy_backend.compile(
        [GaussianAverage(sp.sign(X) * sp.sign(Y), (X, Y), UNIT, evaluate=False)], (R,)
    )
    result = program(rho)
    assert abs(result.values[0] - 2 / pi * asin(rho)) <= result.errors[0] + 1e-15
    if abs(rho) in (0.0, 1.0) or abs(rho) < 0.9999:
        assert result.errors[0] < 1e-12


PAIRS = {
    "tanh tanh": sp.tanh(A * X) * sp.tanh(B * Y),
    "tanh logistic": sp.tanh(A * X + 1) * logistic(B * Y - 2),
    "sech² sech²": sp.sech(A * X) ** 2 * sp.sech(B * Y - 1) ** 2,
    "joint": sp.tanh(A * X + B * Y + 1) ** 2 * X**2,
    "step tanh": sp.sign(X - 1) * sp.tanh(B * Y),
    "product": sp.tanh(A * X * Y),
    "distance": sp.sqrt(1 + X**2 + Y**2),
}


@pytest.mark.parametrize("name", PAIRS)
def test_doubles_and_multiple_precision_agree(name: str) -> None:
    covariance = [[V, R * sp.sqrt(V * W)], [R * sp.sqrt(V * W), W]]
    average = GaussianAverage(PAIRS[name], (X, Y), covariance, evaluate=False)
    doubles = numpy_backend.compile([average], (A, B, R, V, W))
    precise = mpmath_backend.compile([average], (A, B, R, V, W), digits=11)
    for values in ((2.0, 30.0, 0.6, 1.5, 0.25),):
        result, exact = doubles(*values), precise(*values)
        value = float(exact.values[0])
        assert abs(result.values[0] - value) <= result.errors[0] + float(exact.errors[0])
        assert result.errors[0] <= 1e-11 * abs(value)


@pytest.mark.slow
def test_a_pair_at_thirty_digits() -> None:
    """By the arcsine law."""
    average = GaussianAverage(sp.erf(X) * sp.erf(Y), (X, Y), UNIT, evaluate=False)
    result = mpmath_backend.compile([average], (R,), digits=30)(sp.Rational(1, 2))
    exact = sp.N(2 / sp.pi * sp.asin(sp.Rational(1, 3)), 40)
    assert abs(result.values[0] - exact._to_mpmath(140)) <= result.errors[0] < 1e-29


def test_equal_variables_are_one() -> None:
    """ρ = 1 with different variances is an average over one variable."""
    pair = GaussianAverage(
        sp.tanh(X) * logistic(Y), (X, Y), [[V, 3 * V], [3 * V, 9 * V]], evaluate=False
    )
    single = GaussianAverage(sp.tanh(X) * logistic(3 * X), [X], [[V]])
    result = numpy_backend.compile([pair, single], (V,))(0.7)
    assert result.values[0] == pytest.approx(result.values[1], rel=1e-13)


def test_a_batch_of_correlations_is_its_elements() -> None:
    average = GaussianAverage(sp.tanh(3 * X) * sp.tanh(3 * Y), (X, Y), UNIT, evaluate=False)
    program = numpy_backend.compile([average], (R,))
    rho = np.sin(np.linspace(-1.5, 1.5, 11))
    batch = program(rho)
    single = np.array([program(float(r)).values[0] for r in rho])
    assert np.all(np.abs(batch.values[0] - single) <= 2 * batch.errors[0])


@pytest.mark.slow
def test_orthants_of_three() -> None:
    """⟨sign x sign y θ(z)⟩ = asin(ρ)/π, and a smooth triple against its singular limit."""
    sigma = sp.Matrix(3, 3, lambda i, j: 1 if i == j else R)
    steps = sp.sign(X) * sp.sign(Y) * sp.Heaviside(Z)
    program = numpy_backend.compile(
        [GaussianAverage(steps, (X, Y, Z), sigma, evaluate=False)], (R,)
    )
    result = program(0.5)
    assert result.values[0] == pytest.approx(asin(0.5) / pi, abs=1e-12)
    assert result.errors[0] < 1e-11
    smooth = GaussianAverage(
        Z * sp.tanh(X) * sp.tanh(Y) * sp.tanh(Z), (X, Y, Z), sigma, evaluate=False
    )
    limit = GaussianAverage(X * sp.tanh(X) ** 3, [X], [[1]])
    result = numpy_backend.compile([smooth, limit], (R,))(1.0)
    assert result.values[0] == pytest.approx(result.values[1], rel=1e-12)


def test_indefinite_covariances_are_refused() -> None:
    average = GaussianAverage(sp.tanh(X) * sp.tanh(Y), (X, Y), UNIT, evaluate=False)
    program = numpy_backend.compile([average], (R,))
    result = program(np.array([0.5, 1.1, 1 + 1e-16, np.nan]))
    assert np.isfinite(result.errors[0]).tolist() == [True, False, True, False]
    assert np.isnan(result.values[0]).tolist() == [False, True, False, True]
    exact = mpmath_backend.compile([average], (R,))(sp.Rational(11, 10), digits=10)
    assert not exact.errors[0] < 1


def test_the_pivot_of_a_nearly_singular_covariance_is_exact() -> None:
    """1 - ρ² at ρ = 1 - 2⁻⁵⁰, where it cancels to the last bits."""
    rho = 1 - 2.0**-50
    factor, valid, least = cholesky([1.0, rho, 1.0], 2)
    assert valid
    assert float(least) == pytest.approx(2.0**-49, rel=1e-14)
    assert float(factor[1][1]) == pytest.approx(2.0**-24.5, rel=1e-14)

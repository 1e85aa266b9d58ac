"""Accuracy of averages in doubles and to many digits, beside mpmath and closed forms."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp

from gatetheory.codegen import mpmath_backend, numpy_backend
from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import logistic

X, Y = sp.symbols("x y", real=True)
D, G, B = sp.symbols("D G B", real=True)
CONTEXT = mpmath.mp.clone()
CONTEXT.dps = 40


def reference(f: Any, gain: float, bias: float) -> tuple[float, float]:
    """⟨f(gain·u − bias)⟩ and ⟨|f|⟩ for standard normal u, by mpmath with split points."""
    g, b = CONTEXT.mpf(gain), CONTEXT.mpf(bias)
    centre = b / g
    width = 1 / g
    splits = {CONTEXT.mpf(-40), CONTEXT.mpf(40), CONTEXT.mpf(0)}
    splits |= {centre + s * width * 8**k for k in range(-1, 7) for s in (-1, 1)} | {centre}
    splits |= {CONTEXT.mpf(k) for k in (-12, -6, -3, 3, 6, 12)}
    points = sorted(s for s in splits if -40 <= s <= 40)
    weight = CONTEXT.sqrt(2 * CONTEXT.pi)

    def integrand(u: Any) -> Any:
        return f(g * u - b) * CONTEXT.exp(-u * u / 2) / weight

    value = CONTEXT.quad(integrand, points)
    size = CONTEXT.quad(lambda u: abs(integrand(u)), points)
    return float(value), float(size)


def as_logistic(w: Any) -> Any:
    return 1 / (1 + CONTEXT.exp(-w))


CASES = {
    "tanh²": (sp.tanh(G * X - B) ** 2, lambda w: CONTEXT.tanh(w) ** 2),
    "sech²": (sp.sech(G * X - B) ** 2, lambda w: CONTEXT.sech(w) ** 2),
    "sech⁴": (sp.sech(G * X - B) ** 4, lambda w: CONTEXT.sech(w) ** 4),
    "logistic": (logistic(G * X - B), as_logistic),
    "logistic²": (logistic(G * X - B) ** 2, lambda w: as_logistic(w) ** 2),
    "slope²": (
        (logistic(G * X - B) * logistic(B - G * X)) ** 2,
        lambda w: (as_logistic(w) * as_logistic(-w)) ** 2,
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(5))
def test_one_variable(name: str, seed: int) -> None:
    """1e-12 of ⟨|f|⟩ at any gain from 1e-6 to 1e4, and an honest error estimate."""
    expression, function = CASES[name]
    rng = np.random.default_rng([seed, len(name)])
    gain = float(10 ** rng.uniform(-6, 4))
    bias = float(rng.normal() * min(gain, 3.0)) if seed else 0.0
    average = GaussianAverage.independent(expression, {X: D})
    result = numpy_backend.compile([average], (D, G, B))(1.0, gain, bias)
    exact, size = reference(function, gain, bias)
    assert result.values[0] == pytest.approx(exact, abs=1e-12 * size, rel=0)
    assert abs(result.values[0] - exact) <= result.errors[0] + 1e-15 * size
    assert result.errors[0] <= 1e-11 * size


@pytest.mark.parametrize("rho", ["0", "0.3", "-0.9", "0.999999", "1", "-1"])
@pytest.mark.parametrize("gain", [0.1, 2.0, 50.0])
def test_pairs_of_error_functions(rho: str, gain: float) -> None:
    """⟨erf(gx) erf(gy)⟩ = (2/π) asin(2g²ρ/(1 + 2g²))."""
    average = GaussianAverage(sp.erf(G * X) * sp.erf(G * Y), (X, Y), [[1, B], [B, 1]])
    r = float(rho)
    result = numpy_backend.compile([average], (G, B))(gain, r)
    exact = 2 / np.pi * np.arcsin(2 * gain**2 * r / (1 + 2 * gain**2))
    assert result.values[0] == pytest.approx(exact, abs=1e-10)
    assert abs(result.values[0] - exact) <= result.errors[0] + 1e-15


def test_a_step_is_the_limit_of_a_steep_gate() -> None:
    step = GaussianAverage.independent(sp.Heaviside(X - B) * sp.tanh(X) ** 2, {X: D})
    steep = GaussianAverage.independent(logistic(G * (X - B)) * sp.tanh(X) ** 2, {X: D})
    exact = numpy_backend.compile([step], (D, B))(0.7, 0.3).values[0]
    near = [numpy_backend.compile([steep], (D, B, G))(0.7, 0.3, g).values[0] for g in (1e3, 1e4)]
    assert abs(near[1] - exact) < 0.02 * abs(near[0] - exact) + 1e-15  # the error falls like g⁻²
    weight = mpmath.quad(
        lambda u: mpmath.tanh(u) ** 2 * mpmath.npdf(u, 0, mpmath.sqrt(0.7)), [0.3, 1, 3, 12]
    )
    assert exact == pytest.approx(float(weight), rel=1e-13)


@pytest.mark.parametrize("height", [1e-1, 1e-4, 1e-8])
def test_resolvents_next_to_the_axis(height: float) -> None:
    """⟨σ²/((x + σ)² + y²)⟩ as a Stieltjes transform, in multiple precision."""
    alpha, x = 3.0, -0.4
    gate = logistic(G * X)
    average = GaussianAverage.independent(gate**2 / ((B + gate) ** 2 + Y**2), {X: D})
    result = numpy_backend.compile([average], (D, G, B, Y))(1.0, alpha, x, height)
    y = CONTEXT.mpf(height)
    place = CONTEXT.log(CONTEXT.mpf("0.4") / CONTEXT.mpf("0.6")) / 3

    def f(u: Any) -> Any:
        s = as_logistic(3 * u)
        return s**2 / ((s - CONTEXT.mpf("0.4")) ** 2 + y**2) * CONTEXT.npdf(u)

    points = [-40, -6, -2, place]
    points += sorted(place + k * y * 10**n for n in range(9) for k in (-1, 1) if y * 10**n < 2)
    exact = float(CONTEXT.quad(f, sorted({*points, 2, 6, 40})))
    assert result.values[0] == pytest.approx(exact, rel=1e-10)


def test_infinite_where_the_resolvent_meets_the_axis() -> None:
    gate = logistic(G * X)
    average = GaussianAverage.independent(gate**2 / ((B + gate) ** 2 + Y**2), {X: D})
    result = numpy_backend.compile([average], (D, G, B, Y))(1.0, 3.0, -0.4, 0.0)
    assert result.values[0] == np.inf
    assert result.errors[0] == np.inf


def test_a_batch_is_its_elements() -> None:
    average = GaussianAverage.independent(sp.tanh(G * X - B) ** 2, {X: D})
    program = numpy_backend.compile([average], (D, G, B))
    variances = np.geomspace(1e-8, 10, 23)
    batch = program(variances, 3.0, 0.5)
    single = [program(float(v), 3.0, 0.5).values[0] for v in variances]
    np.testing.assert_allclose(batch.values[0], single, rtol=1e-13)


@pytest.mark.parametrize("digits", [15, 40, 100])
def test_many_digits(digits: int) -> None:
    """Two arithmetics and two precisions agree; the caller's precision is left alone."""
    before = mpmath.mp.dps
    average = GaussianAverage.independent(sp.tanh(G * X - B) ** 2 * logistic(X), {X: D})
    values = (sp.Rational(7, 10), 3, sp.Rational(1, 3))
    low = mpmath_backend.compile([average], (D, G, B), digits)(*values)
    high = mpmath_backend.compile([average], (D, G, B), digits + 20)(*values)
    double = numpy_backend.compile([average], (D, G, B))(0.7, 3.0, 1 / 3).values[0]
    assert abs(low.values[0] - high.values[0]) <= low.errors[0] + high.errors[0]
    assert low.errors[0] <= 10 ** (-digits) * abs(low.values[0]) * 10
    assert float(low.values[0]) == pytest.approx(double, rel=1e-13)
    assert mpmath.mp.dps == before


def test_nested_averages_and_zero_variance() -> None:
    inner = GaussianAverage.independent(sp.tanh(G * X) ** 2, {X: D})
    outer = GaussianAverage.independent(logistic(Y) ** 2, {Y: inner})
    program = numpy_backend.compile([outer, inner], (D, G))
    nested, value = program(0.5, 2.0).values
    direct = numpy_backend.compile([GaussianAverage.independent(logistic(Y) ** 2, {Y: D})], (D,))(
        float(value)
    ).values[0]
    assert nested == pytest.approx(direct, rel=1e-14)
    assert program(0.0, 2.0).values.tolist() == [0.25, 0.0]

"""Averages with poles that pinch the real axis, down to where they meet."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from gatetheory.codegen import mpmath_backend, numpy_backend
from gatetheory.codegen.pinches import find_pinches
from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import logistic

Z = sp.Symbol("z", real=True)
ALPHA, BETA, X, Y = ARGUMENTS = sp.symbols("alpha beta x y", real=True)
RATE = logistic(ALPHA * Z - BETA)
SQUARE = (X + RATE) ** 2 + Y**2


def over_gate(f: sp.Expr) -> sp.Expr:
    return GaussianAverage(f, [Z], [[1]], evaluate=False)


INTEGRANDS = {
    "resolvent": RATE**2 / SQUARE,
    "expanded": RATE**2 / sp.expand(SQUARE),
    "slope in x": -2 * (X + RATE) * RATE**2 / SQUARE**2,
    "slope in y": -2 * Y * RATE**2 / SQUARE**2,
    "third order": RATE**2 * Y**2 / SQUARE**3,
    "with a field": sp.sech(2 * Z) ** 2 * RATE**2 / SQUARE,
}
PLACES = [
    (20.0, 0.5, -0.3, 1e-3),
    (20.0, 0.5, -0.3, 1e-12),
    (3.0, -1.0, 0.1, 0.1),
    (60.0, 0.0, -1e-4, 1e-8),
    (0.5, 1.0, -0.9, 1e-6),
    (5.0, 2.0, -1.02, 1e-4),
]


@pytest.mark.parametrize("name", INTEGRANDS)
@pytest.mark.parametrize("place", PLACES[::2])
def test_residues_agree_with_resolving_the_poles(
    name: str, place: tuple[float, float, float, float]
) -> None:
    """Doubles go around the poles, multiple precision goes between them."""
    average = over_gate(INTEGRANDS[name])
    result = numpy_backend.compile([average], ARGUMENTS)(*place)
    exact = mpmath_backend.compile([average], ARGUMENTS, digits=14)(*place)
    value = float(exact.values[0])
    assert abs(result.values[0] - value) <= result.errors[0] + float(exact.errors[0])
    assert result.errors[0] <= 1e-11 * abs(value)


@pytest.mark.parametrize("place", PLACES)
def test_the_resolvent_to_eleven_digits(place: tuple[float, float, float, float]) -> None:
    average = over_gate(INTEGRANDS["resolvent"])
    result = numpy_backend.compile([average], ARGUMENTS)(*place)
    exact = mpmath_backend.compile([average], ARGUMENTS, digits=14)(*place)
    assert result.values[0] == pytest.approx(float(exact.values[0]), rel=1e-13)
    assert result.errors[0] <= 1e-11 * result.values[0]


def test_poles_below_the_resolution_of_doubles() -> None:
    """y = 10⁻²⁵: the average is π N p/(y σ') to 25 digits."""
    average = over_gate(INTEGRANDS["resolvent"])
    y, x = sp.Rational(1, 10**25), sp.Rational(-3, 10)
    exact = mpmath_backend.compile([average], ARGUMENTS, digits=20)(4, 0, x, y).values[0]
    doubles = numpy_backend.compile([average], ARGUMENTS)(4.0, 0.0, -0.3, 1e-25).values[0]
    at = sp.log(-x / (1 + x)) / 4
    leading = sp.sqrt(sp.pi / 2) * x**2 * sp.exp(-(at**2) / 2) / (4 * -x * (1 + x) * y)
    assert float(exact) == pytest.approx(float(leading), rel=1e-14)
    assert doubles == pytest.approx(float(exact), rel=1e-14)


def test_a_plane_of_lambda() -> None:
    """Every element as alone, and all to 1e-11, for λ anywhere."""
    program = numpy_backend.compile([over_gate(INTEGRANDS["resolvent"])], ARGUMENTS)
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-1.2, 0.2, 1500), 10 ** rng.uniform(-12, 0, 1500)
    for alpha in (0.3, 5.0, 60.0):
        batch = program(alpha, 0.5, x, y)
        assert np.all(batch.errors <= 1e-11 * batch.values)
        for i in range(0, 1500, 300):
            single = program(alpha, 0.5, float(x[i]), float(y[i]))
            bound = batch.errors[0, i] + single.errors[0]
            assert abs(batch.values[0, i] - single.values[0]) <= bound


def test_infinite_where_poles_meet() -> None:
    """On -1 < x < 0, y = 0 the average is +∞, however small the weight there; elsewhere finite."""
    program = numpy_backend.compile([over_gate(INTEGRANDS["resolvent"])], ARGUMENTS)
    inside = np.array([-1e-12, -0.3, -0.999])
    outside = np.array([1e-9, 0.1, 3.0, -1.001, -5.0])
    for alpha in (0.5, 4.0, 60.0):
        result = program(alpha, 0.3, inside, 0.0)
        assert np.all(result.values == np.inf)
        assert np.all(result.errors == np.inf)
        assert program(alpha, 0.3, -0.3, 0.0).values[0] == np.inf
        result = program(alpha, 0.3, outside, 0.0)
        assert np.all(result.errors <= 1e-9 * result.values)
    precise = mpmath_backend.compile([over_gate(INTEGRANDS["resolvent"])], ARGUMENTS, digits=15)
    assert precise(4, 0, sp.Rational(-1, 3), 0).values[0] == np.inf
    assert precise(4, 0, sp.Rational(1, 3), 0).errors[0] < 1e-15


def test_without_fluctuations_there_are_no_poles() -> None:
    program = numpy_backend.compile([over_gate(INTEGRANDS["resolvent"])], ARGUMENTS)
    result = program(0.0, 0.0, -0.25, 0.1)
    assert result.values[0] == pytest.approx(0.25 / (0.25**2 + 0.01), rel=1e-14)


def test_a_gate_that_the_other_variable_shares() -> None:
    """⟨f(h) σ²/|λ + σ|²⟩ for correlated h and z, over both variables and in one dimension less."""
    h = sp.Symbol("h", real=True)
    rho = sp.Rational(1, 2)
    pair = GaussianAverage(
        sp.Heaviside(h) * RATE**2 / SQUARE, (h, Z), [[1, rho], [rho, 1]], evaluate=False
    )
    given = sp.erfc(-rho * Z / sp.sqrt(1 - rho**2) / sp.sqrt(2)) / 2
    single = over_gate(given * RATE**2 / SQUARE)
    place = (3.0, 0.5, -0.3, 1e-2)
    result = numpy_backend.compile([pair, single], ARGUMENTS)(*place)
    assert result.values[0] == pytest.approx(result.values[1], rel=1e-10)
    assert abs(result.values[0] - result.values[1]) <= result.errors.sum()


def test_conjugate_factors_are_found() -> None:
    """|P|² is recognised whether it is written as a sum of squares or multiplied out."""
    a = sp.Symbol("A", real=True)
    s = logistic(a)
    quadratic = sp.expand((X**2 - Y**2 + s * X + s) ** 2 + (2 * X * Y + s * Y) ** 2)
    for square in ((X + s) ** 2 + Y**2, sp.expand((X + s) ** 2 + Y**2), quadratic):
        (pinch,) = find_pinches(s / square, [a])
        difference = pinch.root[0] * sp.conjugate(pinch.root[0]) - square
        numbers = {X: sp.Rational(-1, 3), Y: sp.Rational(1, 7), a: sp.Rational(2, 5)}
        assert abs(sp.N(difference.subs(numbers).rewrite(sp.exp), 20)) < 1e-15
    assert not find_pinches(1 / (1 + s**2), [a])
    assert not find_pinches(1 / (a**2 + Y**2), [a])

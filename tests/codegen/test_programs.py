"""Programs as callers see them: broadcasting, errors that travel, bad input, caching."""

from __future__ import annotations

import warnings

import mpmath
import numpy as np
import pytest
import sympy as sp

from gatetheory.codegen import mpmath_backend, numpy_backend
from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.equations.averages import GaussianAverage
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.functions import logistic

X, Y = sp.symbols("x y", real=True)
G, B = sp.symbols("g b", real=True)
V = sp.Symbol("V", nonnegative=True)
INNER = GaussianAverage(sp.tanh(G * X) ** 2, [X], [[V]])
NESTED = GaussianAverage(logistic(5 * Y) ** 2 * sp.tanh(Y), [Y], [[INNER]])


def test_arguments_broadcast() -> None:
    program = numpy_backend.compile([INNER, G * V, sp.Integer(2)], (G, V))
    gains, variances = np.array([[1.0], [3.0]]), np.array([0.1, 0.5, 2.0])
    result = program(gains, variances)
    assert result.values.shape == result.errors.shape == (3, 2, 3)
    assert result.values[0, 1, 2] == pytest.approx(program(3.0, 2.0).values[0], rel=1e-13)
    assert np.array_equal(result.values[1], gains * variances)
    assert np.all(result.values[2] == 2.0)
    assert program(np.empty(0), 1.0).values.shape == (3, 0)


def test_averages_nest() -> None:
    """A covariance that is an average, values and derivatives in both arithmetics."""
    outputs = [NESTED, NESTED * INNER, NESTED.diff(V)]
    doubles = numpy_backend.compile(outputs, (G, V))
    result = doubles(2.0, 1.5)
    exact = mpmath_backend.compile(outputs, (G, V))(2, sp.Rational(3, 2), digits=25)
    for value, error, reference in zip(result.values, result.errors, exact.values, strict=True):
        assert abs(value - float(reference)) <= error < 1e-12
    step = 1e-5
    slope = (doubles(2.0, 1.5 + step).values[0] - doubles(2.0, 1.5 - step).values[0]) / (2 * step)
    assert result.values[2] == pytest.approx(slope, rel=1e-8)


def test_the_error_of_an_inner_average_travels() -> None:
    """An inner average that is only known to 1e-9 makes the outer one no better."""
    rho = sp.Symbol("rho", real=True)
    rough = GaussianAverage(sp.sign(X) * sp.sign(Y), (X, Y), [[1, rho], [rho, 1]], evaluate=False)
    outer = GaussianAverage(sp.tanh(Y) ** 2, [Y], [[rough]])
    inside = GaussianAverage(sp.tanh(Y - rough) ** 2, [Y], [[1]])
    result = numpy_backend.compile([rough, outer, inside], (rho,))(1 - 1e-15)
    assert result.errors[0] > 1e-10
    assert np.all(result.errors[1:] > 0.05 * result.errors[0])
    assert np.all(result.errors[1:] < result.errors[0])
    smooth = numpy_backend.compile([rough, outer, inside], (rho,))(0.5)
    assert np.all(smooth.errors < 1e-12)


def test_infinite_errors_travel_and_nan_never_looks_good() -> None:
    gate = logistic(3 * X)
    infinite = GaussianAverage(gate**2 / ((B + gate) ** 2 + G**2), [X], [[1]])
    outer = GaussianAverage(sp.tanh(Y) ** 2, [Y], [[infinite]])
    program = numpy_backend.compile([infinite, outer, 1 / (1 + infinite), B], (B, G))
    for result in (program(-0.3, 0.0), program(np.array([-0.3]), 0.0)):
        assert np.all(result.values[0] == np.inf)
        assert np.all(result.errors[:3] == np.inf)
        assert np.all(result.errors[3] < 1e-15)
    arithmetic = numpy_backend.compile([sp.sqrt(B), 1 / B], (B,))
    assert arithmetic(-1.0).errors[0] == np.inf
    assert np.array_equal(np.isinf(arithmetic(np.array([0.0, 4.0])).errors[1]), [True, False])


def test_variances_at_and_below_zero() -> None:
    program = numpy_backend.compile([GaussianAverage(sp.cos(X + B), [X], [[V]])], (B, V))
    assert program(0.3, 0.0).values[0] == pytest.approx(np.cos(0.3), rel=1e-15)
    result = program(0.3, np.array([0.0, 1e-300, 1.0, -1e-3, np.inf, np.nan]))
    assert np.isfinite(result.errors[0]).tolist() == [True, True, True, False, False, False]
    assert np.isnan(result.values[0, 3:]).all()
    exact = mpmath_backend.compile([GaussianAverage(sp.cos(X + B), [X], [[V]])], (B, V))
    assert abs(exact(0, 0).values[0] - 1) <= exact(0, 0).errors[0] < 1e-29
    assert not exact(0, -1).errors[0] < 1


def test_bad_calls_name_the_culprit() -> None:
    for backend in (numpy_backend, mpmath_backend):
        with pytest.raises(DerivationError, match=r"contains g"):
            backend.compile([INNER], (V,))
        with pytest.raises(DerivationError, match=r"output .* contains b"):
            backend.compile([INNER + B], (G, V))
        with pytest.raises(ParameterError, match=r"expected 2 values"):
            backend.compile([INNER], (G, V))(1.0)
    with pytest.raises(ParameterError, match=r"not a real number"):
        mpmath_backend.compile([INNER], (G, V))(1, "one")


def test_nothing_warns() -> None:
    """Overflow and underflow inside a program are its own business."""
    outputs = [
        GaussianAverage(sp.exp(30 * X) * sp.sech(X) ** 2, [X], [[V]], evaluate=False),
        GaussianAverage(logistic(G * X - B) ** 3, [X], [[V]]),
        GaussianAverage(sp.log(1 + sp.exp(G * X)), [X], [[V]]),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        program = numpy_backend.compile(outputs, (G, B, V))
        for gain, bias in ((1e4, 0.0), (1e3, 2e4), (1e-6, 1e3), (0.0, 0.0)):
            assert np.all(np.isfinite(program(gain, bias, 1.0).values))
            assert np.all(np.isfinite(program(np.full(3, gain), bias, 1.0).values))


def test_programs_are_kept() -> None:
    """Compiling again costs nothing; what differs only in the order of arguments does differ."""
    outputs = [INNER, GaussianAverage(sp.tanh(G * X) ** 2, [X], [[V]]) * B, 3]
    for backend in (numpy_backend, mpmath_backend):
        first = backend.compile(outputs, (G, B, V))
        assert backend.compile(list(outputs), [G, B, V]) is first
        swapped = backend.compile(outputs, (B, G, V))
        once, twice = first(1, 1, 1).values[1], swapped(2, 1, 1).values[1]
        assert float(twice) == pytest.approx(2 * float(once), rel=1e-14)
        assert first(1, 1, 1).values[2] == 3


def test_kernels_are_kept_and_know_their_symbols_order() -> None:
    f = G * X + B
    first = compile_kernel([f], [X], [G, B], DOUBLES)
    assert compile_kernel([f], [X], [G, B], DOUBLES) is first
    assert first(2.0, 3.0)(1.0) == (5.0,)
    assert compile_kernel([f], [X], [B, G], DOUBLES)(2.0, 3.0)(1.0) == (5.0,)
    assert compile_kernel([f], [X], [B, G], DOUBLES)(2.0, 1.0)(4.0) == (6.0,)


def test_a_common_subexpression_is_not_hoisted_out_of_its_average() -> None:
    """The same x in two averages is two variables."""
    other = GaussianAverage(sp.tanh(G * X) ** 2 * logistic(X), [X], [[4]])
    both = numpy_backend.compile([INNER * other, INNER, other], (G, V))(1.3, 0.5).values
    assert both[0] == pytest.approx(both[1] * both[2], rel=1e-14)


def test_steps_are_differentiated_by_sifting() -> None:
    """Price derivatives of steps, of one and of two variables, against differences."""
    rho = sp.Symbol("rho", real=True)
    step = GaussianAverage(sp.Heaviside(X - B) * sp.tanh(G * X + 1), [X], [[V]])
    pair = GaussianAverage(sp.sign(X - B) * sp.tanh(G * Y + 1), (X, Y), [[V, rho], [rho, 1]])
    outputs = [step, pair]
    arguments = (G, B, V, rho)
    at = (1.3, 0.4, 1.7, 0.45)
    values = numpy_backend.compile(outputs, arguments)
    for symbol, index in ((B, 1), (V, 2), (rho, 3)):
        slopes = numpy_backend.compile([o.diff(symbol) for o in outputs], arguments)(*at)
        up, down = (
            values(*(v + s * 1e-4 * (i == index) for i, v in enumerate(at))).values for s in (1, -1)
        )
        np.testing.assert_allclose(slopes.values, (up - down) / 2e-4, rtol=1e-6, atol=1e-9)
        assert np.all(slopes.errors < 1e-11)
    second = numpy_backend.compile([step.diff(V, 2), step.diff(V)], arguments)
    up, down = (second(at[0], at[1], at[2] + s * 1e-4, at[3]).values[1] for s in (1, -1))
    assert second(*at).values[0] == pytest.approx((up - down) / 2e-4, rel=1e-6)


@pytest.mark.parametrize("digits", [15, 40, 100])
def test_digits_agree_and_precision_is_private(digits: int) -> None:
    """All digits asked for are right, exact input stays exact, nobody's precision is touched."""
    average = GaussianAverage(sp.tanh(G * X + B) ** 2 * logistic(X), [X], [[V]])
    program = mpmath_backend.compile([average, NESTED], (G, B, V), digits)
    third = sp.Rational(1, 3)
    with mpmath.workdps(7):
        low = program(3, third, "0.7")
        assert mpmath.mp.dps == 7
        with mpmath.workdps(300):
            high = program(3, third, sp.Rational(7, 10), digits=digits + 12)
            for a, b, error in zip(low.values, high.values, low.errors, strict=True):
                assert abs(a - b) <= error <= mpmath.mpf(10) ** -digits * abs(b)


def test_digits_survive_cancellation_between_averages() -> None:
    """⟨x tanh⟩ - g⟨sech²⟩ = 0 by parts; a part of it that is small is known to all digits."""
    left = GaussianAverage(X * sp.tanh(G * X), [X], [[1]])
    right = G * GaussianAverage(sp.sech(G * X) ** 2, [X], [[1]])
    program = mpmath_backend.compile([left - right, left - right * (1 + B)], (G, B), 25)
    result = program(2, sp.Rational(1, 10**12))
    exact = mpmath_backend.compile([right], (G,), 50)(2).values[0]
    assert abs(result.values[0]) <= result.errors[0] < 1e-24
    with mpmath.workdps(50):
        assert abs(result.values[1] * 10**12 / -exact - 1) < 1e-24


@pytest.mark.slow
def test_a_thousand_digits() -> None:
    """⟨tanh²⟩ at 1000 digits, beside 300."""
    program = mpmath_backend.compile([INNER], (G, V))
    low, high = (program(1, 1, digits=d) for d in (300, 1000))
    assert abs(low.values[0] - high.values[0]) <= low.errors[0]
    assert high.errors[0] < mpmath.mpf(10) ** -1000

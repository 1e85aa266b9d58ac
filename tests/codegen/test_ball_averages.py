"""Averages in balls contain references of another arithmetic, for every argument in a box."""

from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import sympy
from flint import arb
from sympy import (
    Abs,
    Heaviside,
    Max,
    Min,
    Piecewise,
    Rational,
    asinh,
    atan,
    cosh,
    erf,
    exp,
    log,
    tanh,
)

from gatetheory.codegen import ball_backend, mpmath_backend, quadrature_ball
from gatetheory.codegen.precision_ball import midpoint, radius, working_precision
from gatetheory.equations.averages import GaussianAverage
from gatetheory.errors import ConvergenceError, DerivationError, ParameterError
from gatetheory.functions import logistic

X, Y = sympy.symbols("x y", real=True)
G, B = sympy.symbols("g b", real=True)
V = sympy.Symbol("V", nonnegative=True)


def over(f: Any, variance: Any = V) -> Any:
    return GaussianAverage(f, [X], [[variance]])


SMOOTH = {
    "tanh": tanh(G * X + B) ** 2,
    "erf": erf(G * X + B) ** 2,
    "atan": atan(G * X) ** 2 + B,
    "softplus": log(1 + exp(G * X + B)),
    "x tanh": X * tanh(G * X) + B,
    "swish": (X * logistic(G * X + B)) ** 2,
    "gelu": (X * (1 + erf(G * X)) / 2) ** 2 + B,
    "asinh": asinh(G * X + B) ** 2,
    "log": log(1 + (G * X + B) ** 2),
    "algebraic": X**2 / (1 + G**2 * X**2) + B,
    "root": sympy.sqrt(1 + G**2 * X**2) + B,
    "exp": exp(G * X + B),
    "cosh": cosh(G * X) * B,
    "bell": exp(-G * (X - B) ** 2),
    "sin": sympy.sin(3 * G * X + B + 1),
    "cubic": tanh(X**3 / 10 + G * X + B),
}
KINKED = {
    "ramp": Max(0, G * X + B),
    "clip": Max(-1, Min(1, G * X + B)) ** 2,
    "modulus": Abs(X - B) * tanh(G * X),
    "softsign": (X / (1 + Abs(G * X))) ** 2 + B,
    "step": Heaviside(X - B) * logistic(G * X),
    "leak": Piecewise((X, X > B), (X / 10, True)) * tanh(G * X),
}


@pytest.mark.parametrize("name", [*SMOOTH, *KINKED])
def test_balls_contain_a_reference_of_more_digits(name: str) -> None:
    at = (Rational(5, 4), Rational(-1, 3), Rational(3, 2))
    outputs = [over((SMOOTH | KINKED)[name])]
    reference = mpmath_backend.compile(outputs, (G, B, V), 60)(*at)
    found = ball_backend.compile(outputs, (G, B, V), 30)(*at)
    difference = abs(found.values[0] - reference.values[0])
    assert difference <= found.errors[0] + reference.errors[0]
    assert found.errors[0] < abs(found.values[0]) * mpmath.mpf(10) ** -30


@pytest.mark.parametrize("name", [*SMOOTH, *KINKED])
@pytest.mark.parametrize("width", [1e-9, 0.02])
def test_wide_arguments_give_balls_with_all_values(name: str, width: float) -> None:
    """In doubles, at random points of the box; the corners included."""
    centre = np.array([1.25, -0.4, 1.5])
    output = over((SMOOTH | KINKED)[name])
    box = [arb(c, width) for c in centre]
    (ball,) = ball_backend.compile([output], (G, B, V), 15).enclose(*box)
    assert ball.is_finite()
    assert radius(ball) < 1000 * width
    program = mpmath_backend.compile([output], (G, B, V), 12)
    for signs in ([-1, -1, -1], [1, 1, 1], [1, -1, 0.3], [-0.2, 0.9, -1]):
        value = program(*(centre + width * 0.999999 * np.array(signs))).values[0]
        assert abs(value - midpoint(ball)) <= radius(ball) + 1e-12 * abs(value)


@pytest.mark.parametrize("gain", [30, 1000])
def test_a_steep_and_biased_gate(gain: int) -> None:
    """Poles at a distance of π/gain from the axis."""
    f = logistic(gain * (X - Rational(1, 7))) ** 2
    found = ball_backend.compile([over(f)], (V,), 30)(Rational(3, 2))
    reference = mpmath_backend.compile([over(f)], (V,), 45)(Rational(3, 2))
    assert abs(found.values[0] - reference.values[0]) <= found.errors[0] + reference.errors[0]
    assert found.errors[0] < 1e-30


@pytest.mark.parametrize("name", ["tanh", "softplus", "erf", "exp", "sin"])
def test_trapezoid_and_bisection_agree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two independent rules with independent error bounds must overlap."""
    program = ball_backend.BallProgram((over(SMOOTH[name]),), (G, B, V), 80)
    at = Rational(5, 4), Rational(-1, 3), Rational(3, 2)
    rules = []

    def noted(*arguments: Any) -> Any:
        rules.append(choose(*arguments))
        return rules[-1]

    choose = quadrature_ball.choose_rule
    monkeypatch.setattr(quadrature_ball, "choose_rule", noted)
    (trapezoid,) = program.enclose(*at)
    assert rules[-1] is not None
    monkeypatch.setattr(quadrature_ball, "choose_rule", lambda *_: None)
    (bisected,) = program.enclose(*at)
    with working_precision(400):
        assert (trapezoid - bisected).contains(0)
        assert abs(trapezoid - bisected) < arb(10) ** -80


def test_closed_forms() -> None:
    """⟨e^{gx}⟩ = e^{g²V/2}, ⟨max(0, x)²⟩ = V/2, ⟨erf(x)²⟩ = (2/π) asin(2V/(1 + 2V))."""
    v = Rational(7, 5)
    outputs = [over(exp(2 * X)), over(Max(0, X) ** 2), over(erf(X) ** 2)]
    found = ball_backend.compile(outputs, (V,), 100)(v)
    with mpmath.workdps(120):
        w = mpmath.mpf(7) / 5
        exact = [mpmath.exp(2 * w), w / 2, 2 / mpmath.pi * mpmath.asin(2 * w / (1 + 2 * w))]
        for value, error, reference in zip(found.values, found.errors, exact, strict=True):
            assert abs(value - reference) <= error + mpmath.mpf(10) ** -118
            assert error < mpmath.mpf(10) ** -100 * abs(value)


def test_averages_nest_and_share() -> None:
    inner = over(tanh(G * X) ** 2)
    nested = GaussianAverage(logistic(5 * Y) ** 2 * tanh(Y), [Y], [[inner]])
    outputs = [nested, nested * inner, nested.diff(V), inner.diff(G)]
    at = 2, Rational(3, 2)
    found = ball_backend.compile(outputs, (G, V), 40)(*at)
    reference = mpmath_backend.compile(outputs, (G, V), 50)(*at)
    for i in range(4):
        difference = abs(found.values[i] - reference.values[i])
        assert difference <= found.errors[i] + reference.errors[i]


def test_variance_zero_and_variances_around_zero() -> None:
    program = ball_backend.compile([over(logistic(X - 1) ** 2)], (V,), 30)
    with mpmath.workdps(40):
        exact = (1 / (1 + mpmath.e)) ** 2
        found = program(0)
        assert abs(found.values[0] - exact) <= found.errors[0] + mpmath.mpf(10) ** -38
    for variance in (arb(0, 1e-4), arb(1e-4, 1e-4), arb(0.5, 0.5)):
        (ball,) = program.enclose(variance)
        assert abs(midpoint(ball) - exact) <= radius(ball) < 0.6
        (inside,) = program.enclose(variance.upper() / 2)
        assert ball.contains(inside)
    with pytest.raises(ParameterError, match="negative"):
        program.enclose(-1)


def test_what_is_odd_is_exactly_zero_and_what_cancels_is_said_to() -> None:
    odd = GaussianAverage(tanh(G * X) * exp(-(X**2)), [X], [[V]], evaluate=False)
    average = over(tanh(X) ** 2)
    program = ball_backend.compile([odd, average - over(tanh(-X) ** 2 + B) + B], (G, B, V), 30)
    result = program(2, 5, 1)
    assert result.values[0] == 0 == result.errors[0]
    assert abs(result.values[1]) <= result.errors[1] < 1e-29


def test_digits_that_cancel_are_computed_again() -> None:
    """⟨tanh²⟩ ~ V - 2V² loses all of its leading digits."""
    v = Rational(1, 10**12)
    result = ball_backend.compile([over(tanh(X) ** 2) - V + 2 * V**2], (V,), 30)(v)
    assert result.errors[0] < abs(result.values[0]) * mpmath.mpf(10) ** -30
    assert float(result.values[0] * 10**36) == pytest.approx(17 / 3, rel=1e-9)


def test_too_wide_arguments_are_no_digits() -> None:
    program = ball_backend.compile([over(tanh(X) ** 2)], (V,), 30)
    with pytest.raises(ConvergenceError, match="30 digits"):
        program(arb(1, 1e-6))


def test_an_average_without_a_tail_is_refused_and_precision_is_put_back() -> None:
    kept = flint.ctx.prec, mpmath.mp.prec
    program = ball_backend.compile([over(exp(X**2))], (V,), 20)
    with pytest.raises(ConvergenceError, match="may not exist"):
        program(1)
    assert (flint.ctx.prec, mpmath.mp.prec) == kept
    ball_backend.compile([over(tanh(X) ** 2)], (V,), 30)(1)
    assert (flint.ctx.prec, mpmath.mp.prec) == kept


def test_tied_variables_and_unknown_functions_are_refused_when_compiled() -> None:
    pair = GaussianAverage(tanh(X + Y) * tanh(X), (X, Y), [[V, V / 2], [V / 2, V]], evaluate=False)
    with pytest.raises(DerivationError, match="ties the variables x, y"):
        ball_backend.compile([pair], (V,))
    with pytest.raises(DerivationError, match="zeta"):
        ball_backend.compile([over(sympy.zeta(2 + X**2))], (V,))
    assert ball_backend.can_enclose([over(tanh(X))], (V,))
    assert not ball_backend.can_enclose([pair], (V,))


def test_a_wrong_number_of_values_is_refused() -> None:
    with pytest.raises(ParameterError, match="expected 1 values"):
        ball_backend.compile([over(tanh(X) ** 2)], (V,)).enclose(1, 2)

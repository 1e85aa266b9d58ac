"""Ball arithmetic contains the truth: functions, numbers on their way in and out, precision."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import sympy
from flint import acb, arb

from gatetheory.codegen.functions_ball import ANALYTIC, BALLS
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.precision_ball import (
    decimal_bounds,
    exact_to_ball,
    midpoint,
    radius,
    working_precision,
)
from gatetheory.codegen.rewriting import logcosh, softplus
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.functions import logistic

X = sympy.Symbol("x", real=True)


def _logistic(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


FUNCTIONS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "tanh": (sympy.tanh(X), mpmath.tanh),
    "logistic": (logistic(X), _logistic),
    "sech": (sympy.sech(X), mpmath.sech),
    "softplus": (softplus(X), lambda x: mpmath.log(1 + mpmath.exp(x))),
    "logcosh": (logcosh(X), lambda x: mpmath.log(mpmath.cosh(x))),
    "erf": (sympy.erf(X), mpmath.erf),
    "erfc": (sympy.erfc(X), mpmath.erfc),
    "atan": (sympy.atan(X), mpmath.atan),
    "asinh": (sympy.asinh(X), mpmath.asinh),
    "sin": (sympy.sin(X), mpmath.sin),
    "cosh": (sympy.cosh(X), mpmath.cosh),
    "sinh": (sympy.sinh(X), mpmath.sinh),
    "exp": (sympy.exp(X), mpmath.exp),
    "even power": (X**4, lambda x: x**4),
    "odd power": (X**3, lambda x: x**3),
    "algebraic": (X / sympy.sqrt(1 + X**2), lambda x: x / mpmath.sqrt(1 + x * x)),
}
REAL_ONLY: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "ramp": (sympy.Max(0, X), lambda x: max(x, 0)),
    "clip": (sympy.Max(-1, sympy.Min(1, X)), lambda x: max(-1, min(1, x))),
    "modulus": (sympy.Abs(X), abs),
    "step": (sympy.Heaviside(X - 1), lambda x: float(x > 1)),
    "leak": (sympy.Piecewise((X, X > 0), (X / 8, True)), lambda x: x if x > 0 else x / 8),
    "root": (sympy.sqrt(sympy.Abs(X)), lambda x: mpmath.sqrt(abs(x))),
}


def _contains(ball: Any, value: Any) -> bool:
    """Up to the rounding of the reference, which has 40 digits."""
    value = mpmath.mpmathify(value)
    slack = mpmath.mpf(10) ** -35 * (1 + abs(value))
    parts = [(ball.real, value.real), (ball.imag, value.imag)]
    return all(not b.is_finite() or abs(midpoint(b) - v) <= radius(b) + slack for b, v in parts)


@pytest.mark.parametrize("name", [*FUNCTIONS, *REAL_ONLY])
def test_the_image_of_a_ball_contains_the_images_of_its_points(name: str) -> None:
    expression, reference = (FUNCTIONS | REAL_ONLY)[name]
    rng = np.random.default_rng(1)
    with working_precision(128), mpmath.workdps(40):
        kernel = compile_kernel([expression], [X], [], BALLS)()
        for _ in range(60):
            middle, width = 4 * rng.normal(), 10.0 ** rng.uniform(-12, 1)
            (image,) = kernel(arb(middle, width))
            assert image.is_finite()
            for t in (-1.0, 1.0, *rng.uniform(-1, 1, 4)):
                assert _contains(arb(image), reference(mpmath.mpf(middle) + t * width))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_same_off_the_axis_and_singularities_are_noticed(name: str) -> None:
    expression, reference = FUNCTIONS[name]
    rng = np.random.default_rng(2)
    finite = 0
    with working_precision(128), mpmath.workdps(40):
        kernel = compile_kernel([expression], [X], [], ANALYTIC)()
        for _ in range(80):
            middle = complex(3 * rng.normal(), rng.uniform(-3, 3))
            width = 10.0 ** rng.uniform(-6, 0.5)
            box = acb(arb(middle.real, width), arb(middle.imag, width))
            image = acb(kernel(box)[0])
            if not image.is_finite():
                continue
            finite += 1
            for s, t in rng.uniform(-1, 1, (5, 2)):
                point = mpmath.mpc(middle) + width * mpmath.mpc(s, t)
                assert _contains(image, reference(point)), (middle, width)
    assert finite > 10


@pytest.mark.parametrize(
    ("name", "pole"),
    [
        ("tanh", mpmath.pi / 2), ("sech", mpmath.pi / 2), ("logistic", mpmath.pi),
        ("softplus", mpmath.pi), ("logcosh", mpmath.pi / 2), ("atan", 1.5), ("asinh", 1.5),
        ("algebraic", 1.5),
    ],
)  # fmt: skip
@pytest.mark.parametrize("width", [1e-3, 0.3, 2.0])
def test_no_box_around_a_singularity_passes_for_analytic(
    name: str, pole: Any, width: float
) -> None:
    kernel = compile_kernel([FUNCTIONS[name][0]], [X], [], ANALYTIC)()
    box = acb(arb(0.3 * width, width), arb(float(pole), width))
    assert not acb(kernel(box)[0]).is_finite()


def test_an_unknown_function_is_refused() -> None:
    with pytest.raises(DerivationError, match="zeta has no definition"):
        compile_kernel([sympy.zeta(X)], [X], [], BALLS)


@pytest.mark.parametrize(
    "value",
    [3, Fraction(1, 3), "0.1", "1/3", 0.1, mpmath.mpf("0.7"), sympy.sqrt(2), sympy.pi,
     sympy.Rational(2, 7), np.float64(0.3)],
)  # fmt: skip
def test_exact_numbers_are_contained(value: Any) -> None:
    with working_precision(100):
        ball = exact_to_ball(value)
    exact = sympy.Rational(value) if isinstance(value, float | str) else sympy.sympify(value)
    with mpmath.workdps(60):
        if isinstance(value, Fraction):
            exact = sympy.Rational(value.numerator, value.denominator)
        reference = mpmath.mpf(str(sympy.N(exact, 50)))
        assert abs(midpoint(ball) - reference) <= radius(ball) + mpmath.mpf(10) ** -45
    assert radius(ball) < 1e-28


@pytest.mark.parametrize("value", ["nonsense", math.nan, math.inf, sympy.I, None, "1/0"])
def test_what_is_no_real_number_is_refused(value: Any) -> None:
    with pytest.raises(ParameterError, match="not a finite real number"):
        exact_to_ball(value)


@pytest.mark.parametrize("scale", [0, 3, -9, 40, -200])
def test_decimal_bounds_are_rounded_outward(scale: int) -> None:
    rng = np.random.default_rng(3)
    with working_precision(200):
        for _ in range(30):
            middle = arb(rng.normal()) / 3 * arb(10) ** scale
            ball = arb(middle.mid(), abs(middle).mid() * 10.0 ** rng.uniform(-30, 1))
            low, high = (Fraction(text) for text in decimal_bounds(ball, 12))
            (m, a), (r, b) = ball.mid().man_exp(), ball.rad().man_exp()
            middle_exact = Fraction(int(m)) * Fraction(2) ** int(a)
            radius_exact = Fraction(int(r)) * Fraction(2) ** int(b)
            ends = middle_exact - radius_exact, middle_exact + radius_exact
            assert low <= ends[0] < ends[1] <= high
            for found, end in zip((low, high), ends, strict=True):
                assert abs(found - end) <= abs(end) * Fraction(1, 10**11)


def test_the_precision_is_put_back_whatever_happens() -> None:
    kept = flint.ctx.prec, mpmath.mp.prec
    with working_precision(777):
        assert flint.ctx.prec == 777
    with pytest.raises(ZeroDivisionError), working_precision(777):
        raise ZeroDivisionError
    assert (flint.ctx.prec, mpmath.mp.prec) == kept

"""Bounds of tails hold, and the rules on top of them prove what they say."""

from typing import Any

import mpmath
import pytest
import sympy
from flint import arb
from sympy import Abs, Max, Min, Piecewise, Rational, asinh, cosh, erf, erfc, exp, log, sech, tanh

from gatetheory.codegen.functions_ball import ANALYTIC
from gatetheory.codegen.growth_ball import HalfLine, refuse_unbounded
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.precision_ball import midpoint, working_precision
from gatetheory.codegen.rewriting import logcosh, softplus, stable
from gatetheory.codegen.strips_ball import is_analytic, line_integrals, side_integrals
from gatetheory.errors import DerivationError
from gatetheory.functions import logistic

X, A = sympy.symbols("x a", real=True)

GROWING = [
    tanh(X) ** 2,
    X * tanh(A * X),
    X**4 - 3 * X**3 + 1,
    exp(A * X - X**2 / 5),
    exp(X) * sech(X) ** 2,
    softplus(X) * X,
    softplus(exp(-X)),
    softplus(exp(-(X**2))),
    logcosh(exp(-X) * tanh(X)) + softplus(-X),
    log(2 + X**2),
    log(1 + exp(-(X**2))) * X,
    asinh(X) ** 3,
    cosh(X) / 7,
    erfc(X) + erf(X) * X,
    Max(0, X) ** 2,
    Max(-1, Min(1, X)) * Abs(X),
    Piecewise((X**2, X > 0), (X / 10, True)),
    X / (1 + Abs(X)),
    X / sympy.sqrt(1 + X**2),
    (1 + X**2) ** Rational(1, 3),
    1 / (1 + X**2) ** 2,
    logistic(A * (X - 1)) ** 2 * X,
    exp(-Abs(X)),
    exp(tanh(X) * 3),
    2**X,
    sympy.sin(3 * X) * X,
    exp(-logcosh(X)) * exp(X / 2),
]


@pytest.mark.parametrize("f", GROWING, ids=str)
@pytest.mark.parametrize("slope", [0.7, -2.0])
def test_bounds_hold_along_the_half_line(f: Any, slope: float) -> None:
    start = 3.0
    a = Rational(3, 2)
    with working_precision(64):
        bound = HalfLine(X, arb(slope), arb(start), {A: arb(1.5)})(f)
    plain = f.replace(softplus, lambda u: log(1 + exp(u))).replace(logcosh, lambda u: log(cosh(u)))
    plain = plain.replace(logistic, lambda u: 1 / (1 + exp(-u))).subs(A, a)
    reference = sympy.lambdify(X, plain, "mpmath")
    with mpmath.workdps(30):
        scale, power, rate, square = (
            midpoint(b.upper()) for b in (bound.scale, bound.power, bound.rate, bound.square)
        )
        for t in (start, 3.2, 4.0, 6.0, 10.0, 25.0):
            value = reference(mpmath.mpf(slope) * t)
            limit = scale * mpmath.mpf(t) ** power * mpmath.exp(rate * t + square * t * t)
            assert abs(value) <= limit * (1 + mpmath.mpf(10) ** -15)
            if bound.low.is_finite():
                assert midpoint(bound.low) <= value + mpmath.mpf(10) ** -15
            if bound.high.is_finite():
                assert value <= midpoint(bound.high) + mpmath.mpf(10) ** -15


@pytest.mark.parametrize("f", [tanh(X) ** 2, X**4, exp(2 * X), softplus(X)], ids=str)
def test_a_tail_is_bounded_and_not_by_much_too_much(f: Any) -> None:
    with working_precision(64):
        bound = HalfLine(X, arb(1), arb(6), {})(f).tail(arb(6))
    plain = f.replace(softplus, lambda u: log(1 + exp(u)))
    reference = sympy.lambdify(X, plain * exp(-(X**2) / 2) / sympy.sqrt(2 * sympy.pi), "mpmath")
    exact = mpmath.quad(reference, [6, 8, 12, 30])
    assert bound is not None
    assert exact <= midpoint(bound) <= 4 * exact


def test_what_grows_faster_than_the_weight_has_no_tail() -> None:
    with working_precision(64):
        line = HalfLine(X, arb(1), arb(6), {})
        assert line(exp(X**2 / 2)).tail(arb(6)) is None
        assert line(exp(7 * X)).tail(arb(6)) is None
        assert line(exp(7 * X)).tail(arb(8)) is not None


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (exp(X**4), "grows too fast"),
        (exp(X**2 * tanh(X) ** 2 + X**3), "grows too fast"),
        (log(Abs(sympy.sin(X))), "close to 0"),
        (1 / sympy.sin(X), "close to 0"),
    ],
)
def test_what_cannot_be_bounded_is_refused(f: Any, message: str) -> None:
    with working_precision(64), pytest.raises(DerivationError, match=message):
        HalfLine(X, arb(1), arb(6), {})(f)


def test_an_exponent_that_may_be_negative_is_no_rising_power() -> None:
    """|1/x| to a power in [-1, 1]: neither rule alone holds."""
    p = sympy.Symbol("p", real=True)
    with working_precision(64), pytest.raises(DerivationError, match="close to 0"):
        HalfLine(X, arb(1), arb(6), {p: arb(0, 1)})((1 + X**2) ** p)


def test_a_function_that_nothing_is_known_of_is_refused() -> None:
    refuse_unbounded(tanh(X) * sympy.zeta(A), X)
    with pytest.raises(DerivationError, match="zeta"):
        refuse_unbounded(tanh(X) + sympy.zeta(1 + X**2), X)


@pytest.mark.parametrize(
    ("f", "pole"),
    [(tanh(X), 1.5708), (logistic(X), 3.1416), (1 / (1 + X**2), 1.0), (asinh(X), 1.0)],
    ids=str,
)
def test_a_strip_is_proven_up_to_the_pole_and_not_beyond(f: Any, pole: float) -> None:
    with working_precision(64):
        kernel = compile_kernel([stable(f)], [X], [], ANALYTIC)()
        assert is_analytic(kernel, arb(2), 5.0, 0.8 * pole / 2)
        assert not is_analytic(kernel, arb(2), 5.0, 1.1 * pole / 2)


def test_integrals_along_lines_and_sides_are_bounded() -> None:
    """∫ |f| e^{(y² - x²)/2} along y = 1, and with e^{-2y} besides along both x = ±3."""
    functions = [lambda z: mpmath.tanh(z) ** 2, lambda z: z * mpmath.exp(z)]
    with working_precision(64):
        kernel = compile_kernel([tanh(X) ** 2, X * exp(X)], [X], [], ANALYTIC)()
        lines = line_integrals(kernel, arb(1), 3.0, 1.0)
        sides = side_integrals(kernel, arb(1), 3.0, 1.0, arb(2))
    assert lines is not None
    assert sides is not None
    for f, line, side in zip(functions, lines, sides, strict=True):
        size = lambda x, y, f=f: abs(f(mpmath.mpc(x, y))) * mpmath.exp((y * y - x * x) / 2)  # noqa: E731
        along = mpmath.quad(lambda x, size=size: size(x, 1), [-3, 0, 3])
        up = mpmath.quad(
            lambda y, size=size: (size(-3, y) + size(3, y)) * mpmath.exp(-2 * y), [0, 0.5, 1]
        )
        assert along <= midpoint(line) <= 5 * along
        assert up <= midpoint(side) <= 5 * up

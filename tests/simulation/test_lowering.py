import numpy as np
import pytest
import sympy
from numpy.typing import NDArray
from sympy import Expr, Lambda, Max, Min, Piecewise, Symbol, exp, tanh

from gatetheory.errors import ParameterError
from gatetheory.functions import Nonlinear, logistic
from gatetheory.simulation.lowering import as_double, compile_kernel, define

X = Symbol("x", real=True)
POINTS = np.array([-1000.0, -40.0, -1.5, -0.3, 0.2, 1.7, 40.0, 1000.0])


def evaluate(expression: Expr, points: NDArray[np.float64] = POINTS) -> NDArray[np.float64]:
    kernel = compile_kernel((X,), (define(expression, {}),))
    return kernel((points,), np.empty((1, len(points)))).reshape(len(points))


@pytest.mark.parametrize(
    "definition", [tanh(3 * X), logistic(X - 1), 1 / (1 + exp(-2 * X)), 2 * tanh(X)]
)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_gates_are_accurate_in_the_tails(definition: Expr, order: int) -> None:
    abstract = Nonlinear("phi", 0, X)
    for _ in range(order):
        abstract = abstract.diff(X)
    kernel = compile_kernel((X,), (define(abstract, {"phi": Lambda(X, definition)}),))
    found = kernel((POINTS,), np.empty((1, len(POINTS))))[0]
    smooth = definition.rewrite(exp).diff(X, order)
    expected = [float(smooth.evalf(30, {X: sympy.Rational(p)}, maxn=5000)) for p in POINTS]
    assert np.isfinite(found).all()
    # Beyond |x| = 1 a difference of two saturated values would lose every digit.
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)


def test_what_only_a_step_can_have_produced_counts_as_zero() -> None:
    assert (evaluate(sympy.Heaviside(X).diff(X)) == 0).all()
    assert (evaluate(sympy.sign(X).diff(X)) == 0).all()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (sympy.Heaviside(X), np.heaviside(POINTS, 0.5)),
        (sympy.sign(X), np.sign(POINTS)),
        (sympy.Abs(X).diff(X), np.sign(POINTS)),
        (Max(0, X, -1), np.maximum(POINTS, 0)),
        (Max(0, X).diff(X), np.heaviside(POINTS, 0.5)),
        (Min(1, X), np.minimum(POINTS, 1)),
        (Piecewise((X, X > 0), (sympy.log(1 - X), True)), None),
        (sympy.erf(X).diff(X), 2 / np.sqrt(np.pi) * np.exp(-(POINTS**2))),
        (X / sympy.sqrt(1 + X**2), POINTS / np.hypot(1, POINTS)),
        (sympy.Rational(1, 3), np.full(len(POINTS), 1 / 3)),
    ],
)
def test_other_nonlinearities(expression: Expr, expected: NDArray[np.float64] | None) -> None:
    if expected is None:
        expected = np.where(POINTS > 0, POINTS, np.log1p(np.abs(POINTS)))
    np.testing.assert_allclose(evaluate(expression), expected, rtol=1e-14)


def test_symbols_may_be_called_like_functions_or_temporaries() -> None:
    x0, expit = Symbol("x0", real=True), Symbol("expit", real=True)
    kernel = compile_kernel((x0, expit), ((x0 + expit) ** 2 + logistic(x0 + expit), x0 * expit))
    found = kernel((np.array([1.0]), np.array([2.0])), np.empty((2, 1)))
    np.testing.assert_allclose(found.ravel(), [9 + 1 / (1 + np.exp(-3)), 2])


def test_a_number_that_fits_no_double_is_refused() -> None:
    with pytest.raises(ParameterError, match="tau"):
        as_double(sympy.Integer(10) ** 400, "tau")

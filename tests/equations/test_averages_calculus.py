"""Price's theorem and substitution, against numbers."""

from collections.abc import Callable

import pytest
import sympy
from sympy import Expr, Heaviside, Matrix, Symbol, cos, diag, exp, tanh

from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import Nonlinear, logistic

Number = Callable[..., float]

x, y = sympy.symbols("x y", real=True)
a, c, t = sympy.symbols("a c t", real=True)
D, E = sympy.symbols("D E", positive=True)
AT = {D: 0.8, E: 1.3, c: 0.45, a: 0.3, t: 0.6}
PAIR = Matrix([[D, c], [c, E]])


def slope(number: Number, f: Expr, by: Symbol) -> float:
    """Derivative by fourth-order central differences."""
    h = 2e-3

    def at(k: int) -> float:
        return number(f, {**AT, by: AT[by] + k * h})

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h)


ONE = (tanh(x) ** 2, exp(-(x**2)), logistic(2 * x + a) ** 3, cos(x + a) * tanh(x), x * tanh(x))


@pytest.mark.parametrize("f", ONE, ids=str)
def test_one_variable_to_third_order(number: Number, f: Expr) -> None:
    average = GaussianAverage(f, (x,), [[D]])
    for _ in range(3):
        exact = average.diff(D)
        assert number(exact, AT) == pytest.approx(slope(number, average, D), rel=1e-7, abs=1e-9)
        average = exact


TWO = (tanh(x) * tanh(y), tanh(x + y) ** 2, logistic(x) * cos(x * y), x * y * tanh(x - y + a))


@pytest.mark.parametrize("by", [c, D, E, a], ids=str)
@pytest.mark.parametrize("f", TWO, ids=str)
def test_two_variables_to_second_order(number: Number, f: Expr, by: Symbol) -> None:
    average = GaussianAverage(f, (x, y), PAIR)
    first = average.diff(by)
    assert number(first, AT) == pytest.approx(slope(number, average, by), rel=1e-7, abs=1e-9)
    second = first.diff(c)
    assert number(second, AT) == pytest.approx(slope(number, first, c), rel=1e-7, abs=1e-8)
    assert number(average.diff(c, by), AT) == pytest.approx(number(second, AT), rel=1e-9)


def test_equal_times_have_the_form_of_the_brief() -> None:
    """∂⟨f g⟩/∂c = ⟨f'g'⟩ and ∂⟨f g⟩/∂c0 = ½⟨f''g⟩ + ½⟨f g''⟩."""

    def f(order: int) -> Expr:
        return Nonlinear("f", order, x)

    def g(order: int) -> Expr:
        return Nonlinear("g", order, y)

    def pair(h: Expr) -> Expr:
        return GaussianAverage(h, (x, y), [[D, c], [c, D]])

    assert pair(f(0) * g(0)).diff(c) == pair(f(1) * g(1))
    assert sympy.expand(
        pair(f(0) * g(0)).diff(D) - pair(f(2) * g(0)) / 2 - pair(f(0) * g(2)) / 2
    ) == 0  # fmt: skip


def test_covariance_and_integrand_may_share_a_parameter(number: Number) -> None:
    sigma = Matrix([[1 + t**2, t / 2, 0], [t / 2, 1 + t, t / 5], [0, t / 5, exp(t)]])
    z = Symbol("z", real=True)
    average = GaussianAverage(tanh(x + t * y) * cos(z + x), (x, y, z), sigma)
    found = number(average.diff(t), AT)
    assert found == pytest.approx(slope(number, average, t), rel=1e-6)


def test_nested_averages_obey_the_chain_rule(number: Number) -> None:
    """Δ_r = ⟨φ²⟩ inside the covariance of another average over the same name."""
    inner = GaussianAverage(tanh(2 * x) ** 2, (x,), [[D]])
    outer = GaussianAverage(logistic(3 * x) ** 2 * tanh(x + inner), (x,), [[inner]])
    for order in (1, 2):
        exact = outer.diff(D)
        assert number(exact, AT) == pytest.approx(slope(number, outer, D), rel=1e-7), order
        outer = exact


def test_derivatives_do_not_cancel_in_the_tails() -> None:
    """1 − tanh² would be zero in doubles from x = 19 on."""
    sixth = GaussianAverage(tanh(x) ** 2, (x,), [[D]]).diff(D)
    kernel = sixth.atoms(GaussianAverage).pop().integrand
    assert kernel.has(sympy.sech)
    value = sympy.lambdify(x, kernel, "math")(30.0)
    exact = float(tanh(x).diff(x, 2).subs(x, 30).evalf(30, maxn=500))
    assert value != 0
    assert abs(value) < 10 * abs(exact)


def test_a_step_has_the_derivative_of_its_probability() -> None:
    """P(x > a) for variance D: differentiated without looking at a delta function."""
    average = GaussianAverage(Heaviside(x - a) * (1 + x**2), (x,), [[D]])
    with_score = average.diff(D)
    assert not with_score.has(sympy.DiracDelta)


# ---- substitution ----------------------------------------------------------------------------


def test_bound_variables_are_bound() -> None:
    average = GaussianAverage(tanh(x + a) * tanh(y), (x, y), PAIR)
    assert average.free_symbols == {a, c, D, E}
    assert average.subs(x, 3) == average
    assert average.diff(x) == 0
    assert x * average.subs(x, 3) == x * average
    assert (x * average).subs(x, 3) == 3 * average


@pytest.mark.parametrize("symbol", [a, D, c], ids=str)
def test_nothing_is_captured(number: Number, symbol: Symbol) -> None:
    average = GaussianAverage(tanh(x + a) * tanh(y - x), (x, y), PAIR)
    new = x + y**2
    captured = average.subs(symbol, new)
    assert captured.free_symbols == (average.free_symbols - {symbol}) | {x, y}
    at = {x: 0.2, y: 0.5}
    direct = number(average, {**AT, symbol: 0.2 + 0.25})
    assert number(captured.subs(at), AT) == pytest.approx(direct, rel=1e-12)


def test_substitution_simplifies_again() -> None:
    average = GaussianAverage(tanh(a * x) * tanh(y), (x, y), PAIR)
    assert average.subs(a, 0) == 0
    assert average.subs(D, 0).subs(c, 0) == 0
    alone = GaussianAverage(Nonlinear("phi", 0, x), (x,), [[D]])
    assert average.subs(average, alone) == alone


def test_simplify_and_expand_keep_the_value(number: Number) -> None:
    average = GaussianAverage((tanh(x) + a * y) ** 2 / (1 + x**2), (x, y), diag(D, E))
    expected = number(average, AT)
    for changed in (sympy.simplify(average), sympy.expand(average), average.expand_average()):
        assert number(changed, AT) == pytest.approx(expected, rel=1e-12)

"""The functions models are written in: derivatives, tails, definitions, printing."""

import html
import pickle
from xml.etree import ElementTree

import mpmath
import pytest
import sympy
from sympy import Expr, Lambda, Rational, Symbol, cosh, exp, log, sech, sinh, tanh

from gatetheory.errors import ModelError
from gatetheory.functions import (
    Next,
    Nonlinear,
    canonical,
    derivative_of_definition,
    differentiate,
    instantiate,
    logistic,
)

x, y, b = sympy.symbols("x y b", real=True)
g = Symbol("g", positive=True)


def number(expression: Expr, **values: object) -> mpmath.mpf:
    """Value with 40 digits, by mpmath alone."""
    symbols = {s.name: s for s in expression.free_symbols}
    plain = expression.rewrite(logistic, exp)
    with mpmath.workdps(60):
        f = sympy.lambdify([symbols[n] for n in values if n in symbols], plain, "mpmath")
        arguments = [mpmath.mpf(str(v)) for n, v in values.items() if n in symbols]
        return mpmath.mpf(f(*arguments))


# ---- logistic ----------------------------------------------------------------------------


def test_logistic_folds_constants_and_limits() -> None:
    assert logistic(0) == Rational(1, 2)
    assert logistic(sympy.oo) == 1
    assert logistic(-sympy.oo) == 0
    assert sympy.limit(logistic(x).rewrite(exp), x, -sympy.oo) == 0


def test_logistic_is_positive_and_real() -> None:
    assert logistic(x).is_real
    assert logistic(x).is_positive
    assert logistic(Symbol("c")).is_positive is None


@pytest.mark.parametrize("digits", [15, 40])
@pytest.mark.parametrize("at", ["-1000", "-3", "1/7", "30", "1000"])
def test_logistic_evaluates_to_any_digits(at: str, digits: int) -> None:
    with mpmath.workdps(digits + 10):
        u = mpmath.mpf(Rational(at).p) / Rational(at).q
        expected = 1 / (1 + mpmath.exp(-u))
        found = mpmath.mpf(str(logistic(Rational(at)).evalf(digits)))
        assert abs(found / expected - 1) < mpmath.mpf(10) ** (1 - digits)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_logistic_derivatives(order: int) -> None:
    found = logistic(g * x - b).diff(x, order)
    assert not found.has(exp)
    with mpmath.workdps(60):
        exact = mpmath.diff(
            lambda u: 1 / (1 + mpmath.exp(-(u * 3 / 2 - 1))), mpmath.mpf("0.7"), order
        )
    value = number(found, x="0.7", g="1.5", b="1")
    assert abs(value - exact) < mpmath.mpf("1e-12")


@pytest.mark.parametrize("at", [-1000.0, 1000.0])
def test_logistic_derivative_keeps_its_tail(at: float) -> None:
    slope = logistic(x).diff(x).subs(x, Rational(int(at))).evalf(20)
    assert 0.99 < float(slope * sympy.exp(1000)) < 1.01


# ---- canonical form ----------------------------------------------------------------------

CANONICAL = [
    (1 / (1 + exp(-x)), logistic(x)),
    (1 / (1 + exp(x)), logistic(-x)),
    (exp(x) / (1 + exp(x)), logistic(x)),
    (exp(-x) / (1 + exp(-x)) ** 2, logistic(x) * logistic(-x)),
    (1 / (1 + exp(-g * x + b)), logistic(g * x - b)),
    (2 / (3 + exp(-x)), 2 * logistic(x + log(3)) / 3),
    (1 - 1 / (1 + exp(x)), 1 - logistic(-x)),
    (x / (1 + exp(-x)), x * logistic(x)),
    (1 / sympy.sqrt(1 + exp(x)), sympy.sqrt(logistic(-x))),
    (exp(x) * logistic(-x), logistic(x)),
    (exp(x) / (exp(x) + exp(-x)), logistic(2 * x)),
    (exp(x + y) / (1 + exp(x)), exp(y) * logistic(x)),
    (1 / (exp(x) + exp(-x)), sech(x) / 2),
    ((exp(x) - exp(-x)) / (exp(x) + exp(-x)), logistic(2 * x) - logistic(-2 * x)),
    (exp(x) / (exp(x) + 2 * exp(-x)), logistic(2 * x - log(2))),
    (1 / cosh(x) ** 2, sech(x) ** 2),
    (sinh(x) / cosh(x), tanh(x)),
    (sinh(x) ** 2 / cosh(x) ** 3, tanh(x) ** 2 * sech(x)),
    (1 / (1 + exp(1 / (1 + exp(x)))), logistic(-logistic(-x))),
    (Nonlinear("f", 0, 1 / (1 + exp(x))), Nonlinear("f", 0, logistic(-x))),
]


@pytest.mark.parametrize(("written", "expected"), CANONICAL, ids=lambda e: str(e))
def test_canonical(written: Expr, expected: Expr) -> None:
    assert canonical(written) == expected
    assert canonical(expected) == expected
    if not written.has(Nonlinear):
        at = {"x": "-1.7", "y": "0.4", "g": "1.25", "b": "0.3"}
        assert abs(number(written, **at) - number(expected, **at)) < mpmath.mpf("1e-40")


@pytest.mark.parametrize(
    "other",
    [
        x,
        exp(x),
        x * exp(-(x**2)),
        1 / (1 - exp(x)),
        1 / (1 + x**2),
        1 + exp(-x),
        1 / (1 + exp(x) + exp(-x)),
        log(1 + exp(x)),
    ],
    ids=str,
)
def test_canonical_leaves_other_expressions_alone(other: Expr) -> None:
    assert canonical(other) == other


@pytest.mark.parametrize("order", range(5))
@pytest.mark.parametrize(
    "body", [log(1 + exp(3 * x)), 1 / (1 + exp(-5 * x)), 2 * tanh(4 * x)], ids=str
)
def test_derivatives_of_sigmoids_do_not_overflow(body: Expr, order: int) -> None:
    derivative = derivative_of_definition(Lambda(x, canonical(body)), order).expr
    if order:
        assert not derivative.has(exp)
        assert all(abs(float(derivative.subs(x, u).evalf())) < 400 for u in (-1000, 1000))


# ---- derivatives -------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [1, 2, Rational(1, 3), g])
def test_slope_of_tanh_keeps_its_tail(gain: Expr) -> None:
    assert differentiate(3 * tanh(gain * x), x) == 3 * gain * sech(gain * x) ** 2


@pytest.mark.parametrize("order", range(6))
def test_derivative_of_a_definition(order: int) -> None:
    found = derivative_of_definition(Lambda(x, tanh(g * x + b)), order).expr
    with mpmath.workdps(60):
        exact = mpmath.diff(lambda u: mpmath.tanh(2 * u + 1), mpmath.mpf("0.3"), order)
    value = number(found, x="0.3", g="2", b="1")
    assert abs(value - exact) < mpmath.mpf("1e-10")


@pytest.mark.parametrize("order", range(5))
def test_abstract_derivatives_commute_with_definitions(order: int) -> None:
    definition = Lambda(x, tanh(g * x) ** 2 + log(1 + x**2))
    phi = Nonlinear("phi", 0, y**2 + b * y)
    abstract = instantiate(phi.diff(y, order), {"phi": definition})
    direct = definition(y**2 + b * y).diff(y, order)
    at = {"y": "0.37", "g": "1.3", "b": "-0.6"}
    assert abs(number(abstract, **at) - number(direct, **at)) < mpmath.mpf("1e-40")


def test_derivative_of_a_nonlinearity_is_the_next_order() -> None:
    phi = Nonlinear("phi", 0, 2 * x)
    assert phi.diff(x) == 2 * Nonlinear("phi", 1, 2 * x)
    assert phi.diff(x, 3) == 8 * Nonlinear("phi", 3, 2 * x)
    assert phi.diff(y) == 0
    nested = Nonlinear("phi", 0, phi)
    assert nested.diff(x) == 2 * Nonlinear("phi", 1, phi) * Nonlinear("phi", 1, 2 * x)


# ---- definitions -------------------------------------------------------------------------


def test_instantiate_nested_nonlinearities() -> None:
    phi, psi = Nonlinear("phi", 0, x), Nonlinear("psi", 0, x)
    definitions = {"phi": Lambda(x, tanh(x)), "psi": Lambda(x, phi**2)}
    assert instantiate(Nonlinear("phi", 0, phi), definitions) == tanh(tanh(x))
    assert instantiate(psi, definitions) == tanh(x) ** 2
    assert instantiate(psi.diff(x), definitions) == 2 * tanh(x) * sech(x) ** 2
    assert instantiate(Nonlinear("phi", 1, psi), definitions) == sech(tanh(x) ** 2) ** 2


def test_instantiate_does_not_capture_symbols() -> None:
    definitions = {"phi": Lambda(x, x + y)}
    assert instantiate(Nonlinear("phi", 0, y * x), definitions) == x * y + y


def test_instantiate_names_what_is_missing() -> None:
    with pytest.raises(ModelError, match=r"phi has no definition; there are psi"):
        instantiate(Nonlinear("phi", 0, x), {"psi": Lambda(x, x)})


def test_text_is_never_executed() -> None:
    with pytest.raises(sympy.SympifyError):
        Nonlinear("phi", 0, "x")
    with pytest.raises(sympy.SympifyError):
        Next("x")


# ---- substitution, structure -------------------------------------------------------------


def test_substitution_reaches_the_argument() -> None:
    phi = Nonlinear("phi", 1, x * g)
    assert phi.subs(x, 2) == Nonlinear("phi", 1, 2 * g)
    assert phi.xreplace({x: y}) == Nonlinear("phi", 1, y * g)
    assert sympy.Add(phi, 1).subs(phi, b) == b + 1
    assert phi.free_symbols == {x, g}


def test_names_and_orders_tell_nonlinearities_apart() -> None:
    nodes = [Nonlinear(n, k, x) for n in ("phi", "psi") for k in range(3)]
    assert len(set(nodes)) == 6
    assert Nonlinear("phi", 0, x) == Nonlinear("phi", 0, x)
    assert pickle.loads(pickle.dumps(nodes)) == nodes
    assert all(node.func(*node.args) == node for node in nodes)


def test_nonlinearities_of_real_arguments_are_real() -> None:
    assert Nonlinear("phi", 0, x).is_real
    assert Nonlinear("phi", 0, Symbol("c")).is_real is None
    assert (1 + Nonlinear("phi", 0, x) ** 2).is_positive


# ---- printing ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "text", "tex"),
    [
        (0, "sigma_z(x)", r"\sigma_{z}\left(x\right)"),
        (1, "sigma_z'(x)", r"\sigma_{z}'\left(x\right)"),
        (3, "sigma_z'''(x)", r"\sigma_{z}'''\left(x\right)"),
        (4, "sigma_z^(4)(x)", r"\sigma_{z}^{(4)}\left(x\right)"),
    ],
)
def test_text_and_latex_of_a_nonlinearity(order: int, text: str, tex: str) -> None:
    node = Nonlinear("sigma_z", order, x)
    assert str(node) == text
    assert sympy.latex(node) == tex


@pytest.mark.parametrize(
    ("expression", "tex"),
    [
        (Nonlinear("phi", 0, x) ** 2, r"\phi\left(x\right)^{2}"),
        (Nonlinear("phi", 1, x) ** 2, r"\phi'\left(x\right)^{2}"),
        (logistic(x) ** 2, r"\operatorname{logistic}^{2}\left(x\right)"),
        (Next(x), "x^{+}"),
        (Next(x) ** 2, r"\left(x^{+}\right)^{2}"),
    ],
    ids=str,
)
def test_latex_of_powers(expression: Expr, tex: str) -> None:
    assert sympy.latex(expression) == tex


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        (Nonlinear("phi", 0, x), "φ(x)"),
        (Nonlinear("sigma_z", 2, x + y), "σ_z′′(x + y)"),
        (Nonlinear("phi", 5, x), "φ⁽⁵⁾(x)"),
        (logistic(x), "logistic(x)"),
        (Next(x), "x⁺"),
    ],
    ids=str,
)
def test_terminal_form(expression: Expr, shown: str) -> None:
    assert sympy.pretty(expression, use_unicode=True) == shown


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        (Nonlinear("phi", 2, x), "phi''(x)"),
        (Nonlinear("phi", 5, x), "phi^(5)(x)"),
        (Next(x), "next(x)"),
    ],
    ids=str,
)
def test_terminal_form_without_unicode(expression: Expr, shown: str) -> None:
    assert sympy.pretty(expression, use_unicode=False) == shown


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (Nonlinear("phi", 0, x), "ϕ(x)"),
        (Nonlinear("phi", 1, x), "ϕ′(x)"),
        (Nonlinear("phi", 4, x), "ϕ(4)(x)"),
        (Next(x), "x+"),
    ],
    ids=str,
)
def test_mathml(expression: Expr, text: str) -> None:
    tree = ElementTree.fromstring(sympy.mathml(expression, printer="presentation"))
    assert "".join(tree.itertext()).replace("φ", "ϕ") == text


@pytest.mark.parametrize(
    "expression",
    [Nonlinear("sigma_z", 1, x) ** 2 * logistic(-x), 1 / (1 + Nonlinear("f", 0, Next(x)))],
    ids=str,
)
def test_compound_mathml_is_well_formed(expression: Expr) -> None:
    written = html.unescape(sympy.mathml(expression, printer="presentation"))
    assert "<" not in "".join(ElementTree.fromstring(written).itertext())

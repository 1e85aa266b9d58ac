from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from scipy.integrate import quad
from scipy.optimize import fsolve
from sympy import Lambda, Rational, Symbol, atan, log, tanh

from gatetheory.functions import logistic
from gatetheory.model import (
    POSITIVE,
    ConstantInput,
    Coupling,
    Field,
    GaussianInput,
    Model,
    Nonlinearity,
    Parameter,
    fields,
    local_field,
)
from gatetheory.pipeline import solve
from gatetheory.solvers.records import FixedPoints
from gatetheory.theory.derive import Theory, derive

X = Symbol("x", real=True)


def deltas(points: FixedPoints, name: str = "Delta_h") -> list[float]:
    return [float(p[name]) for p in points]


# ---- how many ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "count"),
    [
        ({"g_h": "1.2", "alpha_r": 5}, 1),  # below the fold: zero alone
        ({"g_h": "1.95", "alpha_r": 5}, 3),  # between fold and instability of zero
        ({"g_h": 3, "alpha_r": 5}, 2),
        ({"g_h": 3, "alpha_r": 0}, 2),
        ({"g_h": "1.99", "alpha_r": 2}, 1),  # below √8 there is no fold
        ({"g_h": 20, "alpha_r": 20, "beta_r": 3}, 3),
        ({"g_h": 20, "alpha_r": 20, "beta_r": -2}, 2),
        ({"g_h": "0.5", "alpha_r": 20, "beta_r": 3}, 1),
        ({"g_h": 2, "alpha_r": 5, "beta_h": "1/2"}, 1),
        ({"g_h": 3, "alpha_r": 10000, "beta_r": 3}, 3),
        ({"g_h": 10**8, "alpha_r": 10**6}, 2),
    ],
)
def test_number_of_branches(gated: Theory, reference: type, at: dict[str, Any], count: int) -> None:
    found = solve(gated.fixed_points, at)
    assert len(found) == count
    assert found.complete
    assert deltas(found) == sorted(deltas(found))
    exact = reference(**{n: float(Fraction(v)) for n, v in at.items()})
    for point in found:
        delta = point["Delta_h"]
        assert point.residual <= 1e-12
        assert exact.map(delta) == pytest.approx(delta, rel=1e-10)
        assert point["Delta_z"] == point["Delta_r"]
        assert point["Delta_r"] == pytest.approx(exact.activity(delta), rel=1e-10)
        if delta:
            assert point.errors["Delta_h"] < 1e-9 * delta


@pytest.mark.parametrize(
    "at",
    [
        {"g_h": 2, "alpha_r": 0},
        {"g_h": 2, "alpha_r": 2},
        {"g_h": 2, "alpha_r": "2.828427124746190097603"},  # the static tricritical point
        {"g_h": "8.38905609893065022723042746057501", "beta_r": 2, "alpha_r": 0},
    ],
)
def test_exactly_at_the_instability_of_zero(gated: Theory, at: dict[str, Any]) -> None:
    """G(Δ) − Δ is rounding noise below some Δ; no solutions are read into it."""
    found = solve(gated.fixed_points, at)
    assert deltas(found) == [0.0]
    assert "doubles cannot tell" in found.searched
    assert not found.complete


def test_at_the_instability_of_zero_other_branches_stay(gated: Theory) -> None:
    found = solve(gated.fixed_points, {"g_h": 2, "alpha_r": 5})
    assert deltas(found) == pytest.approx([0, 0.05504631273535], rel=1e-9)


@pytest.mark.parametrize("exponent", [-2, -4, -6, -9, -11])
def test_tiny_solutions_near_onset(classical: Theory, exponent: int) -> None:
    """SCS at g = 1 + ε: Δ = ε − (2/3) ε² + …."""
    small = 10.0**exponent
    found = solve(classical.fixed_points, {"g": 1 + Rational(10) ** exponent})
    assert len(found) == 2
    point = found[1]
    expected = small * (1 - 2 * small / 3)
    assert abs(point["Delta_h"] - expected) <= 2 * point.errors["Delta_h"] + 2 * small**3
    assert not found[0].stable
    assert deltas(solve(classical.fixed_points, {"g": 1 - Rational(10) ** exponent})) == [0]


def test_tiny_solution_to_many_digits(classical: Theory) -> None:
    found = solve(classical.fixed_points, {"g": 1 + Rational(1, 10**9)}, digits=30)
    with mpmath.workdps(40):
        small = mpmath.mpf(10) ** -9
        assert abs(found[1]["Delta_h"] / (small - 2 * small**2 / 3) - 1) < 1e-17


# ---- digits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at",
    [
        {},
        {"g_h": "1.95", "alpha_r": 5},
        pytest.param({"g_h": 20, "alpha_r": 20, "beta_r": 3}, marks=pytest.mark.slow),
        {"g_h": "0.7", "beta_h": "-1.3", "alpha_r": 7, "beta_r": "-1.5"},
    ],
)
def test_digits_agree_and_errors_are_honest(gated: Theory, at: dict[str, Any]) -> None:
    reference = solve(gated.fixed_points, at, digits=40)
    for digits in (15, 20):
        found = solve(gated.fixed_points, at, digits=digits)
        assert len(found) == len(reference)
        for point, better in zip(found, reference, strict=True):
            for name, value in better.values.items():
                with mpmath.workdps(60):
                    gap = abs(value - mpmath.mpf(point[name]))
                    allowed = point.errors[name] + better.errors[name]
                    rounding = 2 * abs(value) * mpmath.mpf(2) ** -53 if digits == 15 else 0
                    assert gap <= allowed + rounding
                    assert gap <= abs(value) * mpmath.mpf(10) ** -min(digits, 13)


@pytest.mark.slow
def test_sixty_digits(gated: Theory) -> None:
    sixty, forty = (solve(gated.fixed_points, digits=d)[1] for d in (60, 40))
    with mpmath.workdps(70):
        for name in sixty.values:
            assert abs(sixty[name] / forty[name] - 1) < mpmath.mpf(10) ** -40
            assert sixty.errors[name] < mpmath.mpf(10) ** -60


def test_the_precision_of_the_caller_is_left_alone(classical: Theory) -> None:
    kept = mpmath.mp.prec
    reference = solve(classical.fixed_points, {"g": 2}, digits=40)
    for precision in (20, 300):
        with mpmath.workprec(precision):
            found = solve(classical.fixed_points, {"g": 2}, digits=30)
            spectrum = solve(classical.spectrum, {"g": 2}, digits=30)
            assert mpmath.mp.prec == precision
        with mpmath.workdps(50):
            assert abs(found[1]["Delta_h"] - reference[1]["Delta_h"]) < 1e-29
        assert spectrum.value > 0
    assert mpmath.mp.prec == kept


@pytest.mark.parametrize("digits", [0, -3, 2.5, True, "20", None, 10**6])
def test_digits_that_make_no_sense(classical: Theory, digits: Any) -> None:
    for problem in (classical.fixed_points, classical.spectrum, classical.moments):
        with pytest.raises(ValueError, match="digits must be a whole number"):
            solve(problem, {}, digits=digits)


# ---- other shapes --------------------------------------------------------------------------------


def test_zero_is_no_fixed_point_with_a_bias(gated: Theory, reference: type) -> None:
    for bias in (0.5, -0.5, 1e-8, 30):
        found = solve(gated.fixed_points, {"g_h": 2, "beta_h": str(bias)})
        assert len(found) == 1
        exact = reference(g_h=2, beta_h=bias)
        assert exact.map(found[0]["Delta_h"]) == pytest.approx(found[0]["Delta_h"], rel=1e-10)


def two_gates() -> Model:
    """Two fields that gate each other: neither order parameter is explicit given the other."""
    x, y = fields("x y")
    eta_x, eta_y = local_field("x"), local_field("y")
    g = Parameter("g", 2, POSITIVE)
    phi = Nonlinearity("phi", Lambda(X, tanh(g.symbol * X + Rational(1, 3))))
    gate = Nonlinearity("gate", Lambda(X, logistic(3 * X)))
    return Model(
        name="two_gates",
        time="continuous",
        fields=(Field(x, drift=-x + eta_x), Field(y, drift=-y + eta_y)),
        couplings=(
            Coupling(eta_x, signal=phi(x) * gate(y)),
            Coupling(eta_y, signal=phi(y) * (1 + gate(x)), variance=Rational(1, 2)),
        ),
        parameters=(g,),
        nonlinearities=(phi, gate),
    )


def gauss(f: Any, variance: float) -> float:
    std = np.sqrt(variance)
    weighted = lambda x: f(std * x) * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)  # noqa: E731
    return float(quad(weighted, -12, 12, epsabs=1e-13, limit=200)[0])


def test_two_unknowns() -> None:
    theory = derive(two_gates())
    assert len(theory.fixed_points.core) == 2
    found = solve(theory.fixed_points)
    assert not found.complete
    assert "not proved" in str(found)

    def phi(v: float) -> float:
        return gauss(lambda x: np.tanh(2 * x + 1 / 3) ** 2, v)

    def residual(u: Any) -> list[float]:
        x, y = np.abs(u)
        gate = gauss(lambda s: 1 / (1 + np.exp(-3 * s)) ** 2, y)
        more = gauss(lambda s: (1 + 1 / (1 + np.exp(-3 * s))) ** 2, x)
        return [phi(x) * gate - u[0], phi(y) * more / 2 - u[1]]

    expected = fsolve(residual, [0.2, 0.6], xtol=1e-13)
    assert len(found) == 1
    assert [found[0]["Delta_x"], found[0]["Delta_y"]] == pytest.approx(list(expected), rel=1e-9)
    precise = solve(theory.fixed_points, digits=25)[0]
    for name in ("Delta_x", "Delta_y"):
        assert float(precise[name]) == pytest.approx(found[0][name], rel=1e-13)
        assert found[0].errors[name] < 1e-12


def test_explicit_order_parameters() -> None:
    """Nothing is self-consistent in a feed-forward network: one evaluation is the solution."""
    x, y = fields("x y")
    eta, drive = local_field("y"), Symbol("I", real=True)
    model = Model(
        name="forward",
        time="continuous",
        fields=(Field(x, drift=-x + drive), Field(y, drift=-y + eta)),
        couplings=(Coupling(eta, signal=tanh(2 * x), variance=Rational(3)),),
        inputs=(GaussianInput(drive, variance=Rational(1, 2)),),
    )
    theory = derive(model)
    assert theory.fixed_points.core == ()
    found = solve(theory.fixed_points)
    assert found.complete
    expected = 3 * gauss(lambda s: np.tanh(2 * s) ** 2, 0.5)
    assert deltas(found, "Delta_y") == pytest.approx([expected], rel=1e-11)
    assert found[0].stable  # no loop: the local modes alone
    assert float(solve(theory.fixed_points, digits=25)[0]["Delta_y"]) == pytest.approx(expected)


def test_a_signal_without_bound_is_said() -> None:
    x, eta, s = *fields("x,"), local_field("x"), Parameter("s", Rational(1, 2), POSITIVE)
    push = Symbol("I", real=True)
    rate = Nonlinearity("f", Lambda(X, log(1 + sympy.exp(X))))
    model = Model(
        name="softplus",
        time="continuous",
        fields=(Field(x, drift=-x + eta + push),),
        couplings=(Coupling(eta, signal=rate(x), variance=s.symbol**2),),
        parameters=(s,),
        nonlinearities=(rate,),
        inputs=(ConstantInput(push, Rational(1, 5)),),
    )
    found = solve(derive(model).fixed_points)
    assert not found.complete
    assert "no known bound" in found.searched
    assert len(found) == 1
    delta = found[0]["Delta_x"]
    expected = gauss(lambda t: np.log1p(np.exp(t + 0.2)) ** 2, delta) / 4
    assert delta == pytest.approx(expected, rel=1e-11)


def test_an_average_over_a_local_field_and_a_static_input_of_the_same_slot() -> None:
    """φ reads the sum of a field of unknown variance and of an input of a given one."""
    u, given = Symbol("u", real=True), Symbol("I", real=True)
    x, a = fields("x a")
    s = Parameter("s", "1/2", POSITIVE)
    phi = Nonlinearity("phi", Lambda(u, atan(2 * u + Rational(1, 5))))
    model = Model(
        name="shifted",
        time="discrete",
        fields=(
            Field(x, update=3 * x / 10 + local_field("x") + given - a / 4),
            Field(a, update=a / 2 + x / 3),
        ),
        couplings=(Coupling(local_field("x"), signal=phi(x), variance=Rational(25, 16)),),
        parameters=(s,),
        nonlinearities=(phi,),
        inputs=(GaussianInput(given, s.symbol**2, Rational(1, 10)),),
    )
    (point,) = solve(derive(model).fixed_points)
    nodes = np.linspace(-9, 9, 4001)
    weights = np.exp(-(nodes**2) / 2) * (nodes[1] - nodes[0])
    # at rest a = 2x/3, so that x (7/10 + 1/6) = η + I
    spread = np.sqrt(point["Delta_x"] + 0.25) / (0.7 + 1 / 6)
    value = np.arctan(2 * (spread * nodes + 0.1 / (0.7 + 1 / 6)) + 0.2) ** 2
    want = 25 / 16 * float(weights @ value) / np.sqrt(2 * np.pi)
    assert point["Delta_x"] == pytest.approx(want, rel=1e-6)

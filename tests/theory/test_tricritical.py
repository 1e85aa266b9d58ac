"""Tricritical points as closed forms, and seen by the solvers on both sides."""

from collections.abc import Callable
from typing import Any

import pytest
import sympy
from sympy import Expr, Rational, S, Symbol, atan, erf, exp, log, pi, sqrt, tanh

from gatetheory import solve
from gatetheory.equations.onset import TricriticalPoint
from gatetheory.errors import DerivationError, NoTransitionError
from gatetheory.functions import Nonlinear
from gatetheory.model import NONNEGATIVE, Model, Parameter, fields, local_field, zoo
from gatetheory.theory.derive import Theory, derive
from gatetheory.theory.tricritical import tricritical_dynamic, tricritical_static

Build = Callable[..., Model]

GATED = derive(zoo.gated())


def point(theory: Theory, kind: str, first: str, second: str, **at: Any) -> TricriticalPoint:
    p = theory.model.symbols
    known = {p[name]: sympy.sympify(value) for name, value in at.items()}
    if kind == "static":
        return tricritical_static(theory.fixed_points, p[first], p[second], known)
    system = theory.correlations.lag_system("constant")
    return tricritical_dynamic(system, p[first], p[second], known)


def published(kind: str, sigma: Expr) -> Expr:
    """α_r² of the gated network, σ = σ_r(0)."""
    if kind == "static":
        return 2 / ((1 - sigma) * (2 - 3 * sigma))
    return 6 / ((1 - sigma) * (5 - 8 * sigma))


# ---- published forms -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_gated_network_at_any_bias(kind: str) -> None:
    found = point(GATED, kind, "alpha_r", "g_h", beta_h=0)
    p = GATED.model.symbols
    a, g, b = (p[n] for n in ("alpha_r", "g_h", "beta_r"))
    assert found.parameters == (a, g)
    assert set(found.expressions) == {a, g}
    assert sympy.simplify(found.expressions[g] - (1 + exp(b))) == 0
    sigma = 1 / (1 + exp(b))
    difference = found.expressions[a] ** 2 - published(kind, sigma)
    assert sympy.simplify(difference.rewrite(exp)) == 0
    for value in (0, 1, 3, Rational(-1, 4)):
        number = found.expressions[a].subs(b, value)
        assert number.is_positive or sympy.N(number) > 0
        at_point = {s: e.subs(b, value) for s, e in found.expressions.items()}
        for condition in found.conditions:
            assert abs(sympy.N(condition.subs(at_point).subs(b, value), 30)) < 1e-25


@pytest.mark.parametrize(("kind", "root"), [("static", 8), ("dynamic", 12)])
def test_gated_network_without_bias(kind: str, root: int) -> None:
    found = point(GATED, kind, "alpha_r", "g_h", beta_h=0, beta_r=0)
    assert found.values == ((sqrt(root), S(2)),)
    assert found["alpha_r"].rhs == sqrt(root)
    assert found["balance"].trace[-1].expression == found.conditions[1]
    swapped = point(GATED, kind, "g_h", "alpha_r", beta_h=0, beta_r=0)
    assert swapped.values == ((S(2), sqrt(root)),)


@pytest.mark.parametrize(("kind", "limit"), [("static", "2/3"), ("dynamic", "5/8")])
@pytest.mark.slow
def test_none_where_the_gate_is_too_open(kind: str, limit: str) -> None:
    """σ₀ ≥ 2/3 (static) and σ₀ ≥ 5/8 (dynamic): the point has gone to α_r = ∞."""
    border = log((1 - Rational(limit)) / Rational(limit))  # σ₀ = 1/(1 + e^β_r)
    for bias in (border, S(-3)):
        with pytest.raises(NoTransitionError, match=f"no {kind} tricritical point in the domain"):
            point(GATED, kind, "alpha_r", "g_h", beta_h=0, beta_r=bias)
    near = point(GATED, kind, "alpha_r", "g_h", beta_h=0, beta_r=border + Rational(1, 10**4))
    assert sympy.N(near.values[0][0]) > 50


def test_in_the_plane_of_gain_and_bias() -> None:
    p = GATED.model.symbols
    for kind in ("static", "dynamic"):
        found = point(GATED, kind, "beta_r", "g_h", beta_h=0, alpha_r=5)
        ((bias, gain),) = found.values
        sigma = 1 / (1 + exp(bias))
        assert abs(sympy.N(published(kind, sigma) - 25, 30)) < 1e-25
        assert abs(sympy.N(gain * sigma - 1, 30)) < 1e-25
    open_bias = point(GATED, "static", "alpha_r", "beta_r", beta_h=0)
    assert sympy.simplify(open_bias.expressions[p["beta_r"]] - log(p["g_h"] - 1)) == 0


def test_discrete_time() -> None:
    """The gated recurrent unit has the fixed points of the gated network."""
    found = point(derive(zoo.gru()), "static", "alpha_r", "g_h", beta_h=0, beta_r=0)
    assert found.values == ((sqrt(8), S(2)),)


# ---- a φ and a gate of one's own -------------------------------------------------------------


OWN: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "erf": (erf, lambda u: (1 + erf(u)) / 2),
    "atan": (atan, lambda u: S.Half + atan(u) / pi),
}


def balance(phi: Expr, gate: Expr, x: Symbol, kind: str) -> Expr:
    """What vanishes there, from Taylor coefficients: half of φ'''(0)… with g σ₀ φ' = 1."""
    f1, f3 = (phi.diff(x, n).subs(x, 0) for n in (1, 3))
    s0, s1, s2 = (gate.diff(x, n).subs(x, 0) for n in range(3))
    # ⟨φ²⟩ and ⟨φφ'⟩ to second order, ⟨σ²⟩ and ⟨σσ'⟩ to first, with the gate's variance f1² Δ
    if kind == "static":  # ⟨φ²⟩ = f1²Δ + f1 f3 Δ²,  ⟨σ²⟩ = s0² + (s1² + s0 s2) f1²Δ
        return f1 * f3 * s0**2 + f1**4 * (s1**2 + s0 * s2)
    return f1 * f3 * s0**2 + f1**4 * (Rational(2, 3) * s1**2 + s0 * s2)


@pytest.mark.parametrize("kind", ["static", "dynamic"])
@pytest.mark.parametrize(("name", "bias"), [("erf", S.Zero), ("atan", Rational(1, 3))])
def test_own_network_in_terms_of_its_taylor_coefficients(
    gated_by: Build, name: str, bias: Expr, kind: str
) -> None:
    phi, gate = OWN[name]
    theory = derive(gated_by(phi, gate))
    found = point(theory, kind, "a", "g", b=bias)
    ((a, g),) = found.values
    x = Symbol("x", real=True)
    curve, opening = phi(g * x), gate(a * x - bias)
    slope = curve.diff(x).subs(x, 0) * opening.subs(x, 0)
    assert abs(sympy.N(slope - 1, 30)) < 1e-25
    assert abs(sympy.N(balance(curve, opening, x, kind), 30)) < 1e-25
    assert sympy.N(a) > 0


def exact(number: Expr, factor: Expr = S.One) -> Rational:
    return Rational(str(sympy.N(number * factor, 25)))


@pytest.mark.slow
def test_both_points_of_an_own_network_are_seen(gated_by: Build) -> None:
    """Just below the onset there are non-zero solutions on one side of each point only.

    Between the points fixed points come in a fold, while chaos sets in continuously.
    """
    theory, bias = derive(gated_by(*OWN["atan"])), Rational(1, 3)
    static, dynamic = (point(theory, k, "a", "g", b=bias).values[0] for k in ("static", "dynamic"))
    assert sympy.N(static[0]) < sympy.N(dynamic[0])

    def at(gating: Expr, factor: Expr, distance: Expr) -> dict[str, Any]:
        return {"a": exact(gating, factor), "g": exact(static[1], 1 + distance), "b": bias}

    below, above = Rational(-1, 2000), Rational(1, 1000)
    soft, hard = Rational(9, 10), Rational(11, 10)
    counts = [len(solve(theory.fixed_points, at(static[0], x, below))) for x in (soft, hard)]
    assert counts == [1, 3]
    between = (static[0] + dynamic[0]) / 2
    assert len(solve(theory.fixed_points, at(between, S.One, below))) == 3
    states = [
        len(solve(theory.correlations, at(dynamic[0], x, y)))
        for x, y in ((soft, below), (hard, below), (soft, above))
    ]
    assert states == [0, 2, 1]


# ---- no closed form --------------------------------------------------------------------------


def test_conditions_where_there_is_no_closed_form(gated_by: Build) -> None:
    """tanh(g sinh(g) x): the conditions are left, and hold at g sinh(g) = 2 and the known α."""
    for kind, root in (("static", 8), ("dynamic", 12)):
        x = Symbol("x", real=True)
        model = gated_by(tanh, lambda u: 1 / (1 + exp(-u)))
        g = model.symbols["g"]
        own = model.with_definitions(f=sympy.Lambda(x, tanh(g * sympy.sinh(g) * x)))
        found = point(derive(own), kind, "a", "g", b=0)
        assert found.values == ()
        assert found.expressions == {}
        assert {"border", "balance"} == {e.tag for e in found.equations}
        a = own.symbols["a"]
        start = (S(3), Rational(13, 10))
        solved = sympy.nsolve(found.conditions, (a, g), start, prec=30)
        assert abs(solved[0] ** 2 - root) < 1e-20
        assert abs(solved[1] * sympy.sinh(solved[1]) - 2) < 1e-20


# ---- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_refusals(kind: str) -> None:
    with pytest.raises(DerivationError, match=r"zero is not a fixed point.*biases"):
        point(GATED, kind, "alpha_r", "g_h", beta_r=0)
    with pytest.raises(DerivationError, match="zero is not a fixed point"):
        point(GATED, kind, "alpha_r", "g_h", beta_h=1, beta_r=0)
    with pytest.raises(DerivationError, match="g_h twice"):
        point(GATED, kind, "g_h", "g_h", beta_h=0)
    with pytest.raises(NoTransitionError, match="depends neither on tau_r nor on alpha_z"):
        point(GATED, kind, "tau_r", "alpha_z", beta_h=0, beta_r=0)


def test_a_network_without_a_gate_has_none(network: Build) -> None:
    h, eta = fields("h,")[0], local_field("h")
    c = Parameter("c", 1, NONNEGATIVE, "leak")
    model = network({"h": Nonlinear("f", 0, h)}, parameters=(c,), h=-h * (1 + c.symbol) + eta)
    for kind in ("static", "dynamic"):
        with pytest.raises(NoTransitionError, match=r"no .* tricritical point"):
            point(derive(model), kind, "k", "c")


def test_an_onset_that_is_tricritical_everywhere(network: Build) -> None:
    """A signal without a cubic term: nothing decides between the two kinds of onset."""
    h, eta = fields("h,")[0], local_field("h")
    x = Symbol("x", real=True)
    c = Parameter("c", 1, NONNEGATIVE, "leak")
    model = network({"h": Nonlinear("f", 0, h)}, parameters=(c,), h=-h * (1 + c.symbol) + eta)
    k = model.symbols["k"]
    own = model.with_definitions(f=sympy.Lambda(x, k * tanh(x) + k * tanh(x) ** 3 / 3))
    with pytest.raises(DerivationError, match="whole onset is tricritical"):
        point(derive(own), "static", "k", "c")

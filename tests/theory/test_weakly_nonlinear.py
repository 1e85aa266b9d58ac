"""The expansion near the onset: published forms, networks without a name, refusals."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import sympy
from sympy import Expr, Rational, S, Symbol, acosh, atan, erf, exp, log, pi, sech, sqrt, tanh

from gatetheory.equations.lag_system import LagSystem
from gatetheory.equations.onset import EPSILON, OnsetExpansion
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.functions import Nonlinear
from gatetheory.model import (
    POSITIVE,
    REAL,
    GaussianInput,
    Model,
    Parameter,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.derive import Theory, derive
from gatetheory.theory.onset_equations import NEAR_ONSET
from gatetheory.theory.single_site import SingleSite
from gatetheory.theory.solitary_profile import curvature, solitary_profile
from gatetheory.theory.weakly_nonlinear import weakly_nonlinear

Build = Callable[..., Model]

TAU, INPUT = Symbol("tau", real=True), Symbol("xi", real=True)
h, r, w = fields("h r w")
eta_h, eta_r = local_field("h"), local_field("r")


def f(x: Expr) -> Expr:
    return Nonlinear("f", 0, x)


def s(x: Expr) -> Expr:
    return Nonlinear("s", 0, x)


def lag_system(model: Model, closure: str = "constant") -> LagSystem:
    return derive_correlations(SingleSite(model), closure)


GATED = derive(zoo.gated())


def expand(model: Model | Theory, along: str, **at: Any) -> OnsetExpansion:
    theory = model if isinstance(model, Theory) else derive(model)
    return theory.onset(along, at)


def same(found: Expr, expected: Any) -> bool:
    return sympy.simplify(found - expected) == 0


# ---- published forms -------------------------------------------------------------------------


def test_classical_network() -> None:
    """Sompolinsky, Crisanti and Sommers: C = ε sech(ετ/√3), λ = ε²/2."""
    found = expand(zoo.classical(), "g")
    assert (found.case, found.critical, found.unit) == ("sech", 1, 1)
    assert (found.continuous, found.side) == (True, 1)
    assert found.amplitudes == {"C_h": EPSILON}
    assert same(found.profile, sech(EPSILON * TAU / sqrt(3)))
    assert same(found.correlation_time, sqrt(3) / EPSILON)
    assert same(found.half_width, sqrt(3) * acosh(2) / EPSILON)
    assert same(found.lambda_max, EPSILON**2 / 2)


def test_gated_network() -> None:
    """Krishnamurthy, Can and Schwab at β_r = 0; C does not depend on τ_r, λ counts σ_z(0) = ½."""
    a = GATED.model.symbols["alpha_r"]
    at = {"beta_h": 0, "beta_r": 0, "beta_z": 0, "alpha_z": 0}
    found = expand(GATED, "g_h", **at)
    assert (found.case, found.critical, found.unit) == ("sech2", 2, 2)
    assert same(found.amplitudes["C_h"], EPSILON / (4 - a**2 / 3))
    assert same(found.amplitudes["C_r"], 4 * EPSILON / (4 - a**2 / 3))
    assert same(found.lambda_max, Rational(5, 8) * a**2 * EPSILON / (12 - a**2))
    rate = a * sqrt(EPSILON / (2 * (12 - a**2)))
    assert same(found.rate**2, rate**2)
    assert same(found.profile, sech(found.rate * TAU / 2) ** 2)
    assert same(found.half_width, 2 * acosh(sqrt(2)) / found.rate)
    assert same(found.criterion / found.criterion.subs(a, 0), 1 - a**2 / 12)
    assert found.continuous is None  # it depends on α_r
    assert found.general.keys() == found.coefficients.keys()
    assert not any("constant gate" in x.name for x in found.assumptions)  # nothing is left out
    assert NEAR_ONSET in found.assumptions


def test_the_side_is_known_where_numbers_are() -> None:
    soft = expand(GATED, "g_h", beta_h=0, beta_r=0, alpha_r=3)
    hard = expand(GATED, "g_h", beta_h=0, beta_r=0, alpha_r=4)
    assert (soft.continuous, soft.side) == (True, 1)
    assert (hard.continuous, hard.side) == (False, -1)
    bias = expand(GATED, "beta_r", beta_h=0, alpha_r=3, g_h=2)
    assert (bias.continuous, bias.side) == (True, -1)  # a higher bias closes the gate
    assert (bias.critical, bias.unit) == (0, 1)


@pytest.mark.slow
def test_both_ways_across_the_onset_agree() -> None:
    """Along g_h and along β_r the same state is reached, to leading order."""
    p = GATED.model.symbols
    by_gain = expand(GATED, "g_h", beta_h=0, alpha_r=3, beta_z=0)
    by_bias = expand(GATED, "beta_r", beta_h=0, alpha_r=3, beta_z=0)
    assert same(by_gain.critical, 1 + exp(p["beta_r"]))
    assert same(by_bias.critical, log(p["g_h"] - 1))
    # At β_r = β* + δ the gain lies above its own onset 1 + e^β_r by ε = −δ e^β*/(1 + e^β*).
    distance = -EPSILON * exp(p["beta_r"]) / (1 + exp(p["beta_r"]))
    for name in ("amplitudes", "lambda_max"):
        one, two = (getattr(x, name) for x in (by_gain, by_bias))
        one, two = (x["C_h"] if isinstance(x, Mapping) else x for x in (one, two))
        reached = two.subs(p["g_h"], by_gain.critical)
        assert same(one.subs(EPSILON, distance), reached)


def test_a_gate_that_stands_still_leaves_the_classical_network() -> None:
    found = expand(GATED, "g_h", beta_h=0, alpha_r=0)
    b_r, b_z = (GATED.model.symbols[n] for n in ("beta_r", "beta_z"))
    assert found.case == "sech"
    assert same(found.amplitudes["C_r"], EPSILON)
    assert same(found.amplitudes["C_h"], EPSILON / (1 + exp(b_r)) ** 2)
    assert same(found.lambda_max, EPSILON**2 / 2 / (1 + exp(b_z)))


@pytest.mark.slow
def test_the_factorized_closure_agrees_to_leading_order() -> None:
    """A fluctuating update gate changes neither size nor exponent at the onset."""
    at = {"beta_h": 0, "beta_r": 0, "beta_z": 0, "alpha_r": 3}
    factorized = GATED.onset("g_h", at, closure="factorized")
    constant = GATED.onset("g_h", at)
    assert same(factorized.amplitudes["C_h"], constant.amplitudes["C_h"])
    assert same(factorized.lambda_max, constant.lambda_max)
    assert any("constant gate" in x.name for x in constant.assumptions)


# ---- any odd φ, any smooth gate --------------------------------------------------------------


def test_one_field_in_terms_of_phi(network: Build) -> None:
    """C = Δ_c ε sech(…): only φ'(0), φ''' and φ⁗' enter."""
    k = Symbol("k", positive=True)
    model = network({"h": f(h)}, h=-h + eta_h)
    for phi in (sympy.sin, lambda x: x * exp(-(x**2)), atan, erf):
        x = Symbol("x", real=True)
        curve = phi(k * x)
        own = model.with_definitions(f=sympy.Lambda(x, curve))
        found = expand(own, "k")
        one, three = (curve.diff(x, n).subs(x, 0) for n in (1, 3))
        at_onset = sympy.solve(one - 1, k)[0]
        assert same(found.critical, at_onset)
        size = -2 * EPSILON / three.subs(k, at_onset)  # μ = 2ε, m = φ'φ'''
        assert same(found.amplitudes["C_h"], size)
        # γ = φ'''²/6, and Aⁿ of the sech has k² = γA₀²/2
        assert same(found.rate**2, (three.subs(k, at_onset) * size) ** 2 / 12)
        assert same(found.lambda_max, EPSILON**2 / 2)


def test_gated_network_of_ones_own_in_terms_of_the_gate(gated_by: Build) -> None:
    """φ = arctan and σ = ½ + arctan/π at a bias; sizes from Taylor coefficients by hand."""
    model = gated_by(atan, lambda u: S.Half + atan(u) / pi)
    p = model.symbols
    found = expand(model, "g", b="1/3")
    x = Symbol("x", real=True)
    gate = S.Half + atan(p["a"] * x - Rational(1, 3)) / pi
    s0, s1, s2 = (gate.diff(x, n).subs(x, 0) for n in range(3))
    g = 1 / s0
    assert same(found.critical, g)
    f3 = -2 * g**3
    # C_φ = g²c + g f3 c c₀ + …,  C_σ = s0² + s1² d + s0 s2 d₀ + …,  d = g² c
    feedback = g * f3 * s0**2 + g**4 * s0 * s2
    square = g**4 * s1**2
    size = -2 * EPSILON / (feedback + Rational(2, 3) * square)
    assert found.case == "sech2"
    assert same(found.amplitudes["C_h"], size)
    assert same(found.rate**2, Rational(2, 3) * square * size)
    # (1 + κ)² − ∂²: b = 2 at c₁ = 1; the mode sech³ has κ = (5/12)·2q A₀/b·…
    assert same(found.lambda_max, Rational(5, 12) * square * size)
    assert same(found.half_width * found.rate, 2 * acosh(sqrt(2)))


def test_time_constants_of_the_mode_enter(network: Build) -> None:
    """A cell whose drive passes a further slow field: memory 1 + T² in C, 1 + T in λ."""
    T = Parameter("T", 3, POSITIVE, "time constant")
    slow = {"drift": -w + eta_h, "time_constant": T.symbol}
    model = network({"h": f(h)}, parameters=(T,), w=slow, h=-h + w)
    found = expand(model, "k")
    t = T.symbol
    assert same(found.coefficients["inertia"], 1 + t**2)
    assert same(found.coefficients["damping"], 2 * (1 + t))
    assert same(found.rate, EPSILON / sqrt(3 * (1 + t**2)))
    assert same(found.lambda_max, EPSILON**2 / 2 / (1 + t))
    assert same(found.amplitudes["C_w"], EPSILON)


def test_a_map(network: Build) -> None:
    """h(t+1) = ½h + η: 1/(e^∂ − ½) in place of 1/(1 + ∂)."""
    model = network({"h": f(h)}, kind="update", h=h / 2 + eta_h)
    found = expand(model, "k")
    assert found.critical == Rational(1, 2)
    # |e^s − ½|⁻² at s = κ ± ∂ is 4 (1 − 2·2κ + 2∂² + …)
    assert found.coefficients["inertia"] == 2
    assert found.coefficients["damping"] == 4
    assert same(found.lambda_max, EPSILON**2 / 4)


# ---- numbers ---------------------------------------------------------------------------------


def exact(number: Expr) -> Rational:
    return Rational(str(sympy.N(number, 30)))


@pytest.mark.slow
def test_numbers_of_ones_own_network(gated_by: Build) -> None:
    """φ = erf, σ = (1 + erf)/2: C(0), half width and λ_max approach the expansion, error ∝ ε."""
    from gatetheory import solve

    theory = derive(gated_by(erf, lambda u: (1 + erf(u)) / 2))
    at = {"a": "0.95", "b": 0, "T": 1}
    onset = theory.onset("g", at)
    errors = []
    for distance in (Rational(1, 40), Rational(1, 400)):
        value = exact(onset.critical + onset.unit * distance)
        growth = solve(theory.lyapunov, {**at, "g": value})
        (branch,) = growth.correlations
        pairs = [
            (branch["C_h"], onset.amplitudes["C_h"]),
            (branch["C_r"], onset.amplitudes["C_r"]),
            (branch.half_width, onset.half_width),
            (growth.value, onset.lambda_max),
        ]
        errors.append([n / float(e.subs(EPSILON, distance)) - 1 for n, e in pairs])
    for far, near in zip(*errors, strict=True):
        assert abs(near) < 0.05
        assert 0.08 < near / far < 0.16


# ---- refusals --------------------------------------------------------------------------------


def test_a_bias_has_no_zero_state() -> None:
    with pytest.raises(DerivationError, match=r"zero is not a fixed point.*biases"):
        expand(GATED, "g_h", beta_h=1)
    with pytest.raises(DerivationError, match="zero is not a fixed point"):
        expand(GATED, "g_h")  # β_h is open


@pytest.mark.parametrize("source", [WhiteNoise(INPUT, S.One), GaussianInput(INPUT, S.One)])
def test_inputs_have_no_zero_state(network: Build, source: Any) -> None:
    model = network({"h": f(h)}, h=-h + eta_h).with_input("h", source)
    with pytest.raises(DerivationError, match="noise or a static input"):
        expand(model, "k")


def test_an_even_part_leaves_a_plateau(network: Build) -> None:
    x = Symbol("x", real=True)
    model = network({"h": f(h)}, h=-h + eta_h)
    k = model.symbols["k"]
    own = model.with_definitions(f=sympy.Lambda(x, tanh(k * x) + (1 - sech(x))))
    with pytest.raises(DerivationError, match="keep a plateau"):
        expand(own, "k")


@pytest.mark.parametrize(
    "kink",
    [
        lambda x: x * sympy.Abs(x),
        lambda x: sympy.Max(0, x),
        lambda x: sympy.Piecewise((x, x < 0), (2 * x, True)),
    ],
    ids=["abs", "max", "piecewise"],
)
def test_a_kink_has_no_expansion(network: Build, kink: Callable[[Expr], Expr]) -> None:
    x = Symbol("x", real=True)
    model = network({"h": f(h)}, h=-h + eta_h)
    k = model.symbols["k"]
    with pytest.raises(DerivationError, match="f is not smooth at 0"):
        expand(model.with_definitions(f=sympy.Lambda(x, kink(k * x))), "k")


def test_a_kink_elsewhere_does_no_harm(network: Build) -> None:
    """tanh, continued beyond x = 1 by a constant, has the same expansion."""
    x = Symbol("x", real=True)
    model = network({"h": f(h)}, h=-h + eta_h)
    k = model.symbols["k"]
    clipped = tanh(k * sympy.Max(-1, sympy.Min(1, x)))
    found = expand(model.with_definitions(f=sympy.Lambda(x, clipped)), "k")
    assert found.amplitudes == {"C_h": EPSILON}


def test_a_tricritical_onset_is_refused() -> None:
    with pytest.raises(DerivationError, match="tricritical"):
        expand(GATED, "g_h", beta_h=0, beta_r=0, alpha_r=sqrt(12))


def test_adaptation_loses_the_zero_state_at_a_finite_frequency(network: Build) -> None:
    T = Parameter("T", 5, POSITIVE, "time constant")
    c = Parameter("c", 2, REAL, "strength of adaptation")
    slow = {"drift": -w + h, "time_constant": T.symbol}
    model = network({"h": f(h)}, parameters=(T, c), h=-h - c.symbol * w + eta_h, w=slow)
    with pytest.raises(DerivationError, match="finite frequency"):
        expand(model, "k", T=5, c=2)


def test_two_equal_modes_are_refused(network: Build) -> None:
    model = network({"h": f(h), "r": f(r)}, h=-h + eta_h, r=-r + eta_r)
    with pytest.raises(DerivationError, match="several modes"):
        expand(model, "k")


def test_names_are_checked() -> None:
    theory = GATED
    with pytest.raises(ParameterError, match=r"no parameter 'gain'.*g_h"):
        theory.onset("gain")
    with pytest.raises(ParameterError, match="beta"):
        theory.onset("g_h", {"beta": 0})
    with pytest.raises(ParameterError, match="closure"):
        theory.onset("g_h", {"beta_h": 0}, closure="none")
    with pytest.raises(DerivationError, match="does not depend on tau_r"):
        theory.onset("tau_r", {"beta_h": 0})


def test_the_system_decides_the_result() -> None:
    """Another factor in a source, another expansion: nothing is known beforehand."""
    system = lag_system(zoo.classical())
    g = zoo.classical().symbols["g"]
    ((name, source),) = system.sources.items()
    doubled = weakly_nonlinear(replace(system, sources={name: 4 * source}), g, {})
    assert doubled.critical == Rational(1, 2)
    assert doubled.amplitudes == {"C_h": 4 * EPSILON}


# ---- the profile -----------------------------------------------------------------------------


@pytest.mark.parametrize("order", [2, 3, 4])
def test_profile_and_mode_solve_their_equations(order: int) -> None:
    p = solitary_profile(order)
    x = Symbol("x", real=True)
    k = sqrt(p.rate_squared) / p.power
    wave, mode = sech(k * x) ** p.power, sech(k * x) ** p.mode
    first = wave.diff(x, 2) + p.energy * wave + wave**order
    second = mode.diff(x, 2) + (p.energy - p.growth + order * wave ** (order - 1)) * mode
    for residual in (first, second):
        assert all(abs(residual.subs(x, v).evalf(30)) < 1e-25 for v in (0, Rational(1, 3), 2))
    assert curvature(p.power).diff(Symbol("S", positive=True)) == -p.power * (p.power + 1)


def test_what_is_printed() -> None:
    found = expand(zoo.classical(), "g")
    tags = [e.tag for e in found.equations]
    assert tags == ["onset", "critical", "amplitude", "C_h", "correlation_time", "lambda_max"]
    assert found["lambda_max"].rhs == found.lambda_max
    assert "sech" in found.text()
    assert "sech" in found._repr_latex_()
    names = {x.key for x in found.references}
    assert any(key.startswith("sompolinsky") for key in names)

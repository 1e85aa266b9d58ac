"""The state at rest, its law, and the order parameters of many small networks."""

from collections.abc import Callable
from typing import Any

import pytest
import sympy
from sympy import Expr, Lambda, Rational, Symbol, asinh, exp, sinh, tanh

from gatetheory.equations.averages import GaussianAverage
from gatetheory.errors import DerivationError
from gatetheory.functions import Next, Nonlinear, logistic
from gatetheory.model import (
    NONNEGATIVE,
    POSITIVE,
    REAL,
    ConstantInput,
    GaussianInput,
    Model,
    Parameter,
    TimeDependentInput,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.theory.derive import derive
from gatetheory.theory.fixed_points import fixed_point_law, order_parameter, rest_state

Build = Callable[..., Model]

h, z, r, a, b = fields("h z r a b")
eta_h, eta_z, eta_r = (local_field(n) for n in "hzr")
D_h, D_z, D_r = (order_parameter(n) for n in "hzr")
theta, xi, push = (Symbol(n, real=True) for n in ("theta", "xi", "push"))
k = Symbol("k", positive=True)


def f(x: Expr) -> Expr:
    return Nonlinear("f", 0, x)


def s(x: Expr) -> Expr:
    return Nonlinear("s", 0, x)


def avg(integrand: Expr, **variances: Expr) -> Expr:
    """Average over real symbols with the given variances."""
    named = {Symbol(n, real=True): v for n, v in variances.items()}
    return GaussianAverage.independent(integrand, named)


# ---- the law ---------------------------------------------------------------------------------

P, Q, W = Parameter("p", 1, REAL), Parameter("q", 1, NONNEGATIVE), Parameter("w", 2, POSITIVE)
TWO = {"h": f(h), "z": f(h)}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "two drives": (TWO, {"h": -h + eta_h, "z": -z + eta_z}),
    "gated rate": (TWO, {"h": s(z) * (-h + eta_h), "z": -z + eta_z}),
    "gated input": (TWO, {"h": -h + s(z) * eta_h, "z": -z + eta_z}),
    "gated input, gate read first": (TWO, {"z": -z + eta_z, "h": -h + s(z) * eta_h}),
    "drive times drive": (TWO, {"h": -h + eta_z * eta_h, "z": -z + eta_z}),
    "sum of drives": (TWO, {"h": -h + eta_h + 2 * eta_z, "z": -z + eta_z}),
    "shared drive": ({"h": f(h)}, {"h": -h + eta_h, "z": -z - 3 * eta_h + 1}),
    "linear loop": (TWO, {"h": -h - 2 * z + eta_h, "z": -z + h / 2 + eta_z}),
    "scale that may vanish": (TWO, {"h": -h + Q.symbol * eta_h, "z": -z + s(eta_h) + eta_z}),
    "scale of any sign": (TWO, {"h": -h + P.symbol * eta_h, "z": -z + s(eta_h) * eta_z}),
    "leak of its own": (TWO, {"h": -W.symbol * h + eta_h, "z": -(2 + s(h)) * z + eta_z}),
    "a coupled pair": (TWO, {"h": s(z) * (-h + eta_h), "z": {"value": s(h) + eta_z}}),
    "square of a field": (TWO, {"h": -h + eta_h, "z": -z + h**2 + eta_z}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_law_is_at_rest_and_has_the_right_variances(network: Build, name: str) -> None:
    """Laws vanish identically and local fields keep their covariance, in every network."""
    signals, laws = CASES[name]
    model = network(signals, parameters=(P, Q, W), **laws)
    law = fixed_point_law(model)
    assert not law.covariance.free_symbols & set(law.variables)
    random = set(law.variables)
    allowed = random | set(model.symbols.values())
    for x in model.fields:
        assert law(x.symbol).free_symbols <= allowed, x
        assert sympy.simplify(law(x.residual)) == 0, x
    for c in model.couplings:
        for d in model.couplings:
            found = GaussianAverage(
                sympy.expand(law(c.local_field) * law(d.local_field)),
                law.variables,
                law.covariance,
            )
            expected = order_parameter(c.name) if c == d else sympy.S.Zero
            assert sympy.simplify(found - expected) == 0, (c.name, d.name)


def test_fields_lend_their_names_to_the_variables() -> None:
    law = fixed_point_law(zoo.gated())
    assert law.variables == (z, r, h) or set(law.variables) == {h, z, r}
    assert law(eta_h) == h
    gru = fixed_point_law(zoo.gru())
    assert set(gru.variables) == {eta_h, z, r}


# ---- inputs ------------------------------------------------------------------------------------


def test_heterogeneity_beside_the_drive_adds_to_its_variance(network: Build) -> None:
    spread = GaussianInput(theta, k / 3, mean=Rational(1, 5))
    model = network({"h": f(h)}, h=-h + eta_h + 2 * theta, inputs=(spread,))
    found = derive(model).fixed_points["Delta_h"].rhs
    assert found == avg(f(h + Rational(2, 5)) ** 2, h=D_h + 4 * k / 3)


def test_heterogeneity_that_matters_elsewhere_is_not_merged(network: Build) -> None:
    spread = GaussianInput(theta, k)
    laws = {"h": -h + eta_h + theta, "z": -z + s(theta) * eta_z}
    model = network({"h": f(h), "z": f(z)}, **laws, inputs=(spread,))
    found = derive(model).fixed_points
    assert found["Delta_h"].rhs == avg(f(eta_h + theta) ** 2, eta_h=D_h, theta=k)
    joint = avg(f(s(theta) * eta_z) ** 2, eta_z=D_z, theta=k)
    assert found["Delta_z"].rhs == joint
    in_jacobian = network({"h": f(h)}, h=theta**2 * (-h + eta_h) + theta, inputs=(spread,))
    assert theta in fixed_point_law(in_jacobian).variables


def test_an_input_outside_the_gate_is_divided_by_it(network: Build) -> None:
    laws = {"h": s(z) * (-h + eta_h) + push, "z": -z + eta_z}
    model = network({"h": f(h), "z": f(h)}, **laws, inputs=(ConstantInput(push, k),))
    found = derive(model).fixed_points["Delta_h"].rhs
    assert found == avg(f(eta_h + k / s(z)) ** 2, eta_h=D_h, z=D_z)


def test_no_rest_with_restless_inputs(network: Build) -> None:
    noisy = network({"h": f(h)}, h=-h + eta_h + xi, inputs=(WhiteNoise(xi, 1),))
    with pytest.raises(DerivationError, match="xi never rests"):
        rest_state(noisy)
    t = Symbol("t", real=True)
    wave = TimeDependentInput(xi, Lambda(t, sympy.sin(t)))
    with pytest.raises(DerivationError, match="derive its correlations"):
        rest_state(network({"h": f(h)}, h=-h + eta_h + xi, inputs=(wave,)))


# ---- laws that cannot be solved ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "reason"),
    [
        (-h + f(h) + eta_h, "no closed-form"),
        (-h + tanh(h) + eta_h, "no closed-form"),
        (-h - h**3 + eta_h, "several"),
        (eta_h - exp(h), "complex or absent"),
        (eta_h - h**2, "several"),
        (eta_h * 0 + h * f(h) - eta_h, "no closed-form"),
    ],
    ids=str,
)
def test_implicit_laws_are_refused(network: Build, law: Expr, reason: str) -> None:
    with pytest.raises(DerivationError, match=f"rest state.*{reason}.*linear in the field itself"):
        rest_state(network({"h": f(h)}, h=law))


def test_implicit_pairs_are_refused(network: Build) -> None:
    laws = {"h": -h + f(z) + eta_h, "z": -z + f(h)}
    with pytest.raises(DerivationError, match="rest state of h, z has no closed-form"):
        rest_state(network({"h": f(h)}, **laws))


def test_an_invertible_law_is_inverted(network: Build) -> None:
    found = rest_state(network({"h": f(h)}, h=-asinh(h) + eta_h))
    assert found == {h: sinh(eta_h)}


def test_division_is_an_assumption() -> None:
    assumed = {x.name: x.statement for x in derive(zoo.gated()).fixed_points.equations.assumptions}
    assert "sigma_z(z) ≠ 0" in assumed["moving field"]
    classical = derive(zoo.classical()).fixed_points.equations.assumptions
    assert "moving field" not in {x.name for x in classical}


# ---- order parameters ----------------------------------------------------------------------------


def test_gated() -> None:
    found = derive(zoo.gated()).fixed_points
    phi, sigma = Nonlinear("phi", 0, h), Nonlinear("sigma_r", 0, r)
    assert found["Delta_h"].rhs == avg(phi**2, h=D_h) * avg(sigma**2, r=D_r)
    assert found["Delta_z"].rhs == found["Delta_r"].rhs == avg(phi**2, h=D_h)


def test_gru_is_read_at_its_own_rest_state() -> None:
    found = derive(zoo.gru()).fixed_points
    phi, sigma = Nonlinear("phi", 0, eta_h), Nonlinear("sigma_r", 0, r)
    assert found["Delta_h"].rhs == avg(phi**2, eta_h=D_h) * avg(sigma**2, r=D_r)
    assert found["Delta_r"].rhs == avg(phi**2, eta_h=D_h)


def test_variances_with_parameters_and_signals_of_two_fields(network: Build) -> None:
    laws = {"h": -h + eta_h, "a": -a + 2 * h, "z": -z + eta_z}
    signals = {"h": (f(h) * tanh(a) * s(z), k**2), "z": (f(z) + h, Rational(1, 3))}
    found = derive(network(signals, **laws)).fixed_points
    expected = k**2 * avg(f(h) ** 2 * tanh(2 * h) ** 2, h=D_h) * avg(s(z) ** 2, z=D_z)
    assert found["Delta_h"].rhs == expected
    sum_of_two = found["Delta_z"].rhs
    assert sum_of_two == avg((f(z) + h) ** 2, h=D_h, z=D_z) / 3


def test_updated_values_at_rest_are_the_values(network: Build) -> None:
    """An LSTM: h' = σ(o) tanh(c'), at rest σ(o) tanh(c)."""
    laws = {
        "c": s(a) * Symbol("c", real=True) + s(b) * tanh(eta_h),
        "h": s(r) * tanh(Next(fields("c,")[0])),
    }
    model = network(
        {"h": h, "z": h, "r": h}, kind="update", **laws,
        a={"value": eta_z}, b={"value": eta_r}, r={"value": eta_r},
    )  # fmt: skip
    rest = rest_state(model)
    (c,) = fields("c,")
    assert rest[h] == s(eta_r) * tanh(rest[c])
    assert sympy.simplify(rest[c] - s(eta_r) * tanh(eta_h) / (1 - s(eta_z))) == 0


def test_the_tricritical_point_of_the_brief() -> None:
    """F(Δ) = Δ to second order, by Price alone: α_r² = 8 at β_r = 0."""
    model = zoo.gated()
    theory = derive(model).fixed_points
    p = model.symbols
    at = {p["beta_h"]: 0, p["beta_r"]: 0, p["g_h"]: 2}
    map_ = sympy.S(theory.reduced[D_h]).replace(
        Nonlinear, lambda n, o, x: model.definitions[n.name](x)
    )
    second = map_.subs(at).diff(D_h, 2).subs(D_h, 0)
    assert sympy.solve(second.rewrite(logistic, exp), p["alpha_r"]) == [2 * sympy.sqrt(2)]

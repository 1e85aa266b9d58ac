"""Limits of derived expressions in their parameters."""

import pytest
import sympy
from sympy import Symbol, oo, tanh

from gatetheory.equations.averages import GaussianAverage
from gatetheory.errors import DerivationError
from gatetheory.functions import Nonlinear, instantiate, logistic
from gatetheory.model import zoo
from gatetheory.theory.derive import derive
from gatetheory.theory.limits import derived_limit, limit_of, limit_of_definitions

x = Symbol("x", real=True)
g, tau = sympy.symbols("g tau", positive=True)
b = Symbol("b", real=True)
D = Symbol("D", nonnegative=True)


def test_finite_values_are_put_in() -> None:
    assert limit_of(g * tanh(x) + b, {g: 2, b: 0}) == 2 * tanh(x)
    assert limit_of(b + 1, {g: 2}) == b + 1


def test_infinite_values_are_limits() -> None:
    assert limit_of(logistic(x - b), {b: -oo}) == 1
    assert limit_of(logistic(x - b), {b: oo}) == 0
    assert limit_of(1 / (1 + tau) + g, {tau: oo}) == g


def test_limits_reach_definitions() -> None:
    model = zoo.gated()
    p = model.symbols
    opened = limit_of_definitions(model.definitions, {p["alpha_z"]: sympy.S.Zero, p["beta_z"]: -oo})
    assert opened["sigma_z"](x) == 1
    assert opened["sigma_r"] == model.definitions["sigma_r"]


def test_the_gated_network_becomes_the_classical_one() -> None:
    gated, classical = zoo.gated(), zoo.classical()
    p = gated.symbols
    open_gates = {
        **dict.fromkeys((p["alpha_z"], p["alpha_r"], p["beta_h"]), sympy.S.Zero),
        **dict.fromkeys((p["beta_z"], p["beta_r"]), -oo),
    }
    rename = {p["g_h"]: classical.symbols["g"]}
    general, special = derive(gated), derive(classical)
    for result, tag in (("fixed_points", "Delta_h"), ("spectrum", "boundary")):
        left = derived_limit(
            getattr(general, result)[tag].residual, gated.definitions, open_gates
        ).xreplace(rename)
        right = instantiate(getattr(special, result)[tag].residual, classical.definitions)
        assert left == right
    closed = {**open_gates, p["beta_r"]: oo}
    assert derived_limit(general.fixed_points["Delta_h"].rhs, gated.definitions, closed) == 0


def test_averages_that_do_not_move_are_kept() -> None:
    average = GaussianAverage(Nonlinear("phi", 0, x) ** 2, (x,), [[D]])
    assert limit_of(average / (1 + 1 / tau), {tau: oo}) == average


def test_limits_that_cannot_be_taken_are_refused() -> None:
    with pytest.raises(DerivationError, match="no limit"):
        limit_of(tanh(g * x), {g: oo})
    average = GaussianAverage(tanh(g * x) ** 2, (x,), [[D]])
    with pytest.raises(DerivationError, match="reaches into an average"):
        limit_of(average, {g: oo})
    with pytest.raises(DerivationError, match="no limit"):
        limit_of(sympy.sin(g), {g: oo})

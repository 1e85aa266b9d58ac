"""Where the zero state loses stability, as an expression."""

from collections.abc import Callable

import pytest
import sympy
from sympy import Expr, Symbol, exp, log, sqrt

from gatetheory.equations.provenance import Equation
from gatetheory.errors import DerivationError
from gatetheory.functions import Nonlinear
from gatetheory.model import (
    NONNEGATIVE,
    POSITIVE,
    GaussianInput,
    Model,
    Parameter,
    fields,
    local_field,
    zoo,
)
from gatetheory.theory.derive import derive
from gatetheory.theory.transitions import solve_zero_state, zero_state_condition

Build = Callable[..., Model]

h, z, a = fields("h z a")
eta_h, eta_z = local_field("h"), local_field("z")
k = Symbol("k", positive=True)


def f(x: Expr) -> Expr:
    return Nonlinear("f", 0, x)


def s(x: Expr) -> Expr:
    return Nonlinear("s", 0, x)


def condition(model: Model, **at: Expr) -> Equation:
    theory = derive(model)
    values = {model.symbols[n]: sympy.sympify(v) for n, v in at.items()}
    return zero_state_condition(theory.fixed_points, theory.spectrum, values)


@pytest.mark.parametrize("name", ["gated", "gru"])
def test_published_thresholds(name: str) -> None:
    model = zoo.MODELS[name]()
    p = model.symbols
    found = condition(model, beta_h=sympy.S.Zero)
    (threshold,) = solve_zero_state(found, p["g_h"])
    assert sympy.simplify(threshold - 1 - exp(p["beta_r"])) == 0
    (bias,) = solve_zero_state(found, p["beta_r"])
    assert sympy.simplify(bias - log(p["g_h"] - 1)) == 0


def test_classical_threshold() -> None:
    model = zoo.classical()
    assert solve_zero_state(condition(model), model.symbols["g"]) == (1,)


def test_an_own_model(network: Build) -> None:
    """A gate on the input halves it at zero; a follower a of h adds to what is read."""
    w = Parameter("w", 2, POSITIVE)
    laws = {"h": -h + s(z) * eta_h, "z": -z + eta_z, "a": -a + 2 * h}
    signals = {"h": (f(h) + a / 3, w.symbol**2), "z": f(h)}
    model = network(signals, **laws, parameters=(w,))
    found = condition(model)
    assert sympy.simplify(found.rhs - w.symbol**2 * (k + sympy.Rational(2, 3)) ** 2 / 4) == 0
    (threshold,) = solve_zero_state(found, w.symbol)
    assert sympy.simplify(threshold - 2 / (k + sympy.Rational(2, 3))) == 0


def test_two_couplings_add_up(network: Build) -> None:
    w = Parameter("w", 1, NONNEGATIVE)
    model = network({"h": f(h), "z": (f(h), w.symbol)}, h=-h + eta_h + eta_z, parameters=(w,))
    (threshold,) = solve_zero_state(condition(model), k)
    assert sympy.simplify(threshold - 1 / sqrt(1 + w.symbol)) == 0


def test_zero_must_be_a_fixed_point(network: Build) -> None:
    with pytest.raises(DerivationError, match="zero is not a fixed point: Delta_h would be"):
        condition(zoo.gated())
    spread = GaussianInput(Symbol("theta", real=True), 1)
    heterogeneous = network({"h": f(h)}, h=-h + eta_h + spread.symbol, inputs=(spread,))
    with pytest.raises(DerivationError, match="zero is not a fixed point"):
        condition(heterogeneous)


def test_what_cannot_be_solved_says_so() -> None:
    model = zoo.gated()
    found = condition(model, beta_h=sympy.S.Zero)
    with pytest.raises(DerivationError, match="does not depend on tau_r"):
        solve_zero_state(found, model.symbols["tau_r"])


def test_the_assumption_of_a_real_crossing_is_stated() -> None:
    names = {x.name for x in condition(zoo.classical()).assumptions}
    assert "real crossing" in names
    assert "a real eigenvalue reaches 0" in condition(zoo.classical()).explain()
    assert "a real eigenvalue reaches 1" in condition(zoo.gru(), beta_h=sympy.S.Zero).explain()

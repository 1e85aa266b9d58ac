"""A, L and R against finite differences, and states drawn independently of the couplings."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy
from sympy import Expr, Lambda, Symbol, tanh

from gatetheory.errors import DerivationError
from gatetheory.functions import Next, Nonlinear, instantiate
from gatetheory.model import (
    POSITIVE,
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
from gatetheory.theory.jacobian import jacobian_parts, synthetic_law

Build = Callable[..., Model]

h, z, r, a = fields("h z r a")
eta_h, eta_z, eta_r = (local_field(n) for n in "hzr")
theta, xi, push = (Symbol(n, real=True) for n in ("theta", "xi", "push"))
k = Symbol("k", positive=True)
TAU = Parameter("tau", 3, POSITIVE)
PUSH = Parameter("w", "1/4", POSITIVE)


def f(x: Expr) -> Expr:
    return Nonlinear("f", 0, x)


def s(x: Expr) -> Expr:
    return Nonlinear("s", 0, x)


def own(network: Build) -> Model:
    """Two fast fields, a gate on the input, an algebraic product, and cross-reading signals."""
    return network(
        {"h": (f(h) * tanh(a), k**2), "z": f(h) + s(z)},
        h=-h + s(z) * eta_h + a * h,
        z={"drift": -z + eta_z - h / 2, "time_constant": TAU.symbol},
        a={"value": h * z + eta_z},
        parameters=(TAU,),
    )


def mapped(network: Build) -> Model:
    return network(
        {"h": f(h) * s(a), "z": tanh(a)},
        kind="update",
        h=(1 - s(z)) * h + s(z) * tanh(eta_h),
        a=Next(h) * f(z) + a / 3,
        z={"value": eta_z - h / 4},
    )


def values_of(model: Model, expressions: list[Expr], at: dict[Symbol, float]) -> np.ndarray:
    """Numbers, with parameters at their defaults."""
    plain = [instantiate(sympy.S(e), model.definitions).subs(model.bind()) for e in expressions]
    return np.array([complex(e.subs(at).evalf()).real for e in plain])


@pytest.mark.parametrize("make", [own, mapped], ids=["own", "mapped"])
def test_derivatives_against_differences(network: Build, make: Callable[[Build], Model]) -> None:
    model = make(network)
    parts = jacobian_parts(model)
    units = [x.symbol for x in model.fields]
    local = [c.local_field for c in model.couplings]
    at = {x: 0.3 + 0.2 * n for n, x in enumerate([*units, *local])}
    laws = [model.resolved_laws[x] for x in units]
    algebraic = [x.value is not None for x in model.fields]
    signals = [c.signal for c in model.couplings]
    step = 1e-5

    def difference(functions: list[Expr], by: Symbol) -> np.ndarray:
        up, down = ({**at, by: at[by] + d} for d in (step, -step))
        change = values_of(model, functions, up) - values_of(model, functions, down)
        return np.asarray(change / (2 * step))

    for n, x in enumerate(units):
        column = difference(laws, x)
        column[n] -= algebraic[n]
        assert values_of(model, list(parts.drift[:, n]), at) == pytest.approx(column, abs=1e-8)
        found = values_of(model, list(parts.readouts[:, n]), at)
        assert found == pytest.approx(difference(signals, x), abs=1e-8)
    for n, eta in enumerate(local):
        found = values_of(model, list(parts.drives[:, n]), at)
        assert found == pytest.approx(difference(laws, eta), abs=1e-8)
    assert parts.mass == tuple(
        0 if q else x.time_constant for q, x in zip(algebraic, model.fields, strict=True)
    )
    assert parts.variances == tuple(c.variance for c in model.couplings)


def test_no_digits_are_lost_in_the_tails(network: Build) -> None:
    model = network({"h": tanh(h)}, h=-h + tanh(eta_h))
    parts = jacobian_parts(model)
    assert parts.readouts[0] == sympy.sech(h) ** 2
    assert parts.drives[0] == sympy.sech(eta_h) ** 2


def test_a_vanishing_time_constant_is_algebraic(network: Build) -> None:
    model = network(
        {"h": f(h) * s(z), "z": f(h)}, h=-h + eta_h, z={"drift": -z + eta_z, "time_constant": 0}
    )
    assert jacobian_parts(model).mass == (1, 0)
    assert synthetic_law(model)(eta_z) == z


# ---- synthetic states ----------------------------------------------------------------------------


def test_gated_draws_the_distance_from_rest() -> None:
    law = synthetic_law(zoo.gated())
    d = Symbol("d_h", real=True)
    assert law(eta_h - h) == d
    assert set(law.variables) == {h, z, r, d}
    assert {str(u) for u in law.unknowns} == {"Delta_h", "Delta_z", "Delta_r", "Delta_dh"}
    assert law.covariance.is_diagonal()


def test_gru_obeys_its_algebraic_laws() -> None:
    law = synthetic_law(zoo.gru())
    assert law(eta_z - z) == 0
    assert {str(u) for u in law.unknowns} >= {"Delta_h", "Delta_z", "Delta_r", "Delta_eta_h"}


@pytest.mark.parametrize(
    "laws",
    [
        {"h": -h + a * eta_h, "a": {"value": s(z) * h}, "z": -z + eta_z},
        {"h": -h + a * eta_h, "a": {"value": 2 * eta_z + h}, "z": {"value": tanh(a) - eta_r}},
        {"h": -h + a * z * eta_h, "a": {"value": eta_z}, "z": {"value": eta_z * h}},
        {"h": -h + a * z * eta_h, "a": {"value": h * z}, "z": {"value": s(h) + eta_z / 3}},
        {"h": -h + a * eta_h, "a": {"drift": 2 * eta_z - 3 * a + h, "time_constant": 0}},
    ],
    ids=range(5),
)
def test_algebraic_laws_hold_exactly(network: Build, laws: dict[str, Any]) -> None:
    used = [n for n in "hzr" if any(str(local_field(n)) in str(law) for law in laws.values())]
    model = network({n: f(h) for n in used}, **laws)
    law = synthetic_law(model)
    for x in model.fields:
        if x.is_algebraic:
            assert sympy.expand(law(x.residual)) == 0, x
    parts = jacobian_parts(model).at(law)
    free = set().union(*(e.free_symbols for e in (*parts.drift, *parts.drives, *parts.readouts)))
    assert free <= set(law.variables) | set(model.symbols.values())


def test_inputs_of_a_synthetic_state(network: Build) -> None:
    model = network(
        {"h": f(h), "z": f(h)},
        h=s(z + push) * (-h + eta_h) + theta,
        z=-z + eta_z + theta**2 * z,
        inputs=(ConstantInput(push, PUSH.symbol), GaussianInput(theta, PUSH.symbol, mean=1)),
        parameters=(PUSH,),
    )
    law = synthetic_law(model)
    assert law(push) == PUSH.symbol
    assert law(theta) == 1 + theta
    assert law.covariance[law.variables.index(theta), law.variables.index(theta)] == PUSH.symbol
    assert PUSH.symbol not in law.unknowns
    transfer = derive(model).synthetic_spectrum.transfer
    known = set(model.symbols.values()) | set(law.unknowns) | {Symbol("lambda")}
    assert transfer.free_symbols <= known


def test_noise_does_not_forbid_a_synthetic_state(network: Build) -> None:
    noisy = network({"h": f(h)}, h=s(h) * (-h + eta_h) + xi, inputs=(WhiteNoise(xi, 1),))
    assert {str(v) for v in synthetic_law(noisy).variables} == {"h", "eta_h"}
    plain = network({"h": f(h)}, h=-h + eta_h + xi, inputs=(WhiteNoise(xi, 1),))
    assert synthetic_law(plain).variables == (h,)


def test_a_jacobian_that_depends_on_time_is_refused(network: Build) -> None:
    t = Symbol("t", real=True)
    wave = TimeDependentInput(xi, Lambda(t, sympy.sin(t)))
    with pytest.raises(DerivationError, match="depends on time through input xi"):
        synthetic_law(network({"h": f(h)}, h=s(xi) * (-h + eta_h), inputs=(wave,)))
    synthetic_law(network({"h": f(h)}, h=-h + eta_h + xi, inputs=(wave,)))

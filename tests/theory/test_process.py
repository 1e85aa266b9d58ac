"""The single-site process as a record."""

import pytest
import sympy
from sympy import Derivative, Function, Lambda, Rational, Symbol, sin, tanh

from gatetheory.functions import Nonlinear
from gatetheory.model import (
    NONNEGATIVE,
    ConstantInput,
    Coupling,
    Field,
    GaussianInput,
    Model,
    Nonlinearity,
    Parameter,
    TimeDependentInput,
    WhiteNoise,
    fields,
    local_field,
    next_value,
    zoo,
)
from gatetheory.theory.process import derive_process
from gatetheory.theory.single_site import T1, T2, SingleSite

H, Z, R = fields("h z r")
ETA_H, ETA_Z, ETA_R = (local_field(n) for n in "hzr")


def phi(x: sympy.Expr, order: int = 0) -> Nonlinear:
    return Nonlinear("phi", order, x)


def test_the_tangent_of_gated_is_that_of_its_law() -> None:
    process = derive_process(SingleSite(zoo.gated()))
    s, reset = Nonlinear("sigma_z", 0, Z), Nonlinear("sigma_r", 0, R)
    slope = Nonlinear("sigma_z", 1, Z)
    assert process.drift[0, 0] == -s
    assert sympy.expand(process.drift[0, 1] - slope * (ETA_H - H)) == 0
    assert process.drives[0, 0] == s
    assert process.drives[1, 0] == 0
    assert process.readouts[0, 0] == phi(H, 1) * reset
    assert process.readouts[0, 2] == phi(H) * Nonlinear("sigma_r", 1, R)
    assert process.mass[2] == Symbol("tau_r", nonnegative=True) or str(process.mass[2]) == "tau_r"
    assert process.couplings == ("h", "z", "r")
    assert process.main == "C_h"


def test_algebraic_fields_of_gru_have_no_mass_and_obey_value_minus_field() -> None:
    process = derive_process(SingleSite(zoo.gru()))
    assert process.discrete
    assert process.mass == (1, 0, 0)
    assert process.laws[1] == ETA_Z - Z
    assert process.signals[0] == Nonlinear("sigma_r", 0, R) * H
    assert process.observables["C_phi"] == phi(ETA_H)


def test_updated_values_are_put_in() -> None:
    x, y = fields("x y")
    eta = local_field("x")
    model = Model(
        name="map",
        time="discrete",
        fields=(
            Field(x, update=x / 2 + eta),
            Field(y, update=y / 3 + tanh(next_value(x))),
        ),
        couplings=(Coupling(eta, tanh(y)),),
    )
    process = derive_process(SingleSite(model))
    assert process.laws[1] == y / 3 + tanh(x / 2 + eta)
    assert process.drives[1, 0] != 0


def test_inputs_are_sorted_by_kind() -> None:
    (x,) = fields("x,")
    eta = local_field("x")
    c, g, w, f = (Symbol(n, real=True) for n in ("c", "g", "w", "f"))
    t = Symbol("t", real=True)
    level = Parameter("level", 1, NONNEGATIVE)
    model = Model(
        name="driven",
        time="continuous",
        fields=(Field(x, drift=-x + eta + c + g + w + f),),
        couplings=(Coupling(eta, tanh(x)),),
        parameters=(level,),
        inputs=(
            ConstantInput(c, level.symbol),
            GaussianInput(g, Rational(1, 4), Rational(1, 2)),
            WhiteNoise(w, Rational(1, 10)),
            TimeDependentInput(f, Lambda(t, sin(t))),
        ),
    )
    inputs = derive_process(SingleSite(model)).inputs
    assert inputs.constants == {c: level.symbol}
    assert inputs.statics == {g: (Rational(1, 2), Rational(1, 4))}
    assert inputs.noises == {w: Rational(1, 10)}
    assert inputs.timed[f](0) == 0


def test_only_nonlinearities_of_one_argument_are_observed() -> None:
    x, y = fields("x y")
    eta = local_field("x")
    f = Nonlinearity("f", Lambda(Symbol("u", real=True), tanh(Symbol("u", real=True))))
    model = Model(
        name="twice",
        time="continuous",
        fields=(Field(x, drift=-x + eta), Field(y, drift=-y + f(x))),
        couplings=(Coupling(eta, f(y)),),
        nonlinearities=(f,),
    )
    assert set(derive_process(SingleSite(model)).observables) == {"C_x", "C_y"}


def test_equations_are_laws_and_covariances() -> None:
    process = derive_process(SingleSite(zoo.classical()))
    assert process.equations.tags == ("law_h", "C_eta_h")
    h, eta = Function("h", real=True), Function("eta_h", real=True)
    assert process["law_h"].residual == Derivative(h(T1), T1) - (eta(T1) - h(T1))
    assert process["C_eta_h"].lhs.has(eta(T2))
    assert any("sampled" in s.statement for s in process["C_eta_h"].trace)


@pytest.mark.parametrize("name", sorted(zoo.MODELS))
def test_every_published_model_has_a_process(name: str) -> None:
    model = zoo.MODELS[name]()
    process = derive_process(SingleSite(model))
    known = {*process.fields, *process.local_fields, *process.parameters}
    assert set().union(*(e.free_symbols for e in (*process.laws, *process.signals))) <= known

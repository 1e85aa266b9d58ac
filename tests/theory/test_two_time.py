"""Equations for covariances at two times."""

import pytest
import sympy
from sympy import Function, Lambda, Rational, Symbol, diff, sin, tanh

from gatetheory.equations.averages import GaussianAverage
from gatetheory.errors import DerivationError
from gatetheory.functions import Nonlinear
from gatetheory.model import (
    POSITIVE,
    Coupling,
    Field,
    GaussianInput,
    Model,
    Parameter,
    TimeDependentInput,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.theory.single_site import T1, T2, SingleSite
from gatetheory.theory.two_time import derive_two_time

X = Symbol("x", real=True)


def test_a_leaky_field_obeys_its_law_at_both_times() -> None:
    system = derive_two_time(SingleSite(zoo.gated()))
    tau = zoo.gated().symbols["tau_r"]
    C, C_eta = (Function(n, real=True)(T1, T2) for n in ("C_r", "C_eta_r"))
    expected = C + tau * diff(C, T1) + tau * diff(C, T2) + tau**2 * diff(C, T1, T2)
    assert sympy.expand(system["C_r"].lhs - expected) == 0
    assert system["C_r"].rhs == C_eta


def test_independent_fields_factor_in_the_kernel() -> None:
    system = derive_two_time(SingleSite(zoo.gated()))
    averages = system["C_eta_h"].rhs.atoms(GaussianAverage)
    assert len(averages) == 2
    assert all(len(a.variables) == 2 for a in averages)
    names = {n.name for a in averages for n in a.integrand.atoms(Nonlinear)}
    assert names == {"phi", "sigma_r"}
    assert system.law.covariance[0, 2] == 0  # h and r share nothing


def test_the_closure_and_the_initial_state_are_assumptions() -> None:
    system = derive_two_time(SingleSite(zoo.gated()))
    names = {a.name for a in system.equations.assumptions}
    assert {"initial state", "closure constant", "large N"} <= names
    alpha_z = zoo.gated().symbols["alpha_z"]
    assert system.fluctuations
    definition = zoo.gated().definitions["sigma_z"]
    slope = diff(definition(X), X)
    assert slope.subs(alpha_z, 0) == 0  # so the closure is exact there
    classical = derive_two_time(SingleSite(zoo.classical()))
    assert not classical.fluctuations
    assert "closure constant" not in {a.name for a in classical.equations.assumptions}


def test_a_non_gaussian_model_is_sent_to_sampling() -> None:
    with pytest.raises(DerivationError, match=r"h is non-Gaussian.*sampled"):
        derive_two_time(SingleSite(zoo.gru()))


def driven() -> Model:
    """Two fields with every kind of input; w is fed by the same initial values as h."""
    h, w, y = fields("h w y")
    eta_h, eta_w = local_field("h"), local_field("w")
    xi, G, drive = (Symbol(n, real=True) for n in ("xi", "G", "drive"))
    D, v = Parameter("D", 1, POSITIVE), Parameter("v", 1, POSITIVE)
    return Model(
        name="driven",
        time="continuous",
        fields=(
            Field(y, drift=-y + drive),
            Field(h, drift=-h + y + eta_h + xi, time_constant=Rational(1, 2)),
            Field(w, drift=-2 * w + y + eta_w + 3 * G),
        ),
        couplings=(
            Coupling(eta_h, signal=tanh(h - w)),
            Coupling(eta_w, signal=tanh(w), variance=Rational(1, 3)),
        ),
        parameters=(D, v),
        inputs=(
            WhiteNoise(xi, D.symbol),
            GaussianInput(G, v.symbol),
            TimeDependentInput(drive, Lambda(Symbol("t", real=True), sin(Symbol("t", real=True)))),
        ),
    )


def test_inputs_stand_where_they_act() -> None:
    model = driven()
    system = derive_two_time(SingleSite(model))
    D, v = model.symbols["D"], model.symbols["v"]
    C_h, C_w = (Function(f"C_eta_{n}", real=True)(T1, T2) for n in "hw")
    assert system["C_h"].rhs == C_h + 2 * D * sympy.DiracDelta(T1 - T2)
    assert system["C_w"].rhs == C_w + 9 * v
    assert system["m_y"].rhs == sin(T1) - Function("m_y", real=True)(T1)


def test_a_shared_initial_value_correlates_fields_of_different_drives() -> None:
    system = derive_two_time(SingleSite(driven()))
    index = {n: i for i, n in enumerate(system.fields)}
    assert system.law.covariance[index["h"], index["w"]] != 0
    assert "C_h,w" in system.equations.tags


def test_a_combination_that_a_function_takes_becomes_a_field() -> None:
    system = derive_two_time(SingleSite(driven()))
    assert system.fields[-1] == "h_w"
    row = system.drift[len(system.fields) - 1, :]
    assert list(row) == [0, 1, -1, -1]
    assert "C_h_w" not in system.observables
    (average,) = system.kernels[0].atoms(GaussianAverage)
    assert {v.name for v in average.variables} == {"h_w(t)", "h_w(t')"}

"""A network of our own, with everything the language has, unlike the published models."""

from typing import Literal

import pytest
import sympy
from sympy import Lambda, Rational, Symbol, exp, log, tanh

from gatetheory.functions import Next, logistic
from gatetheory.model import (
    NONNEGATIVE,
    POSITIVE,
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
)

u, a, s = fields("u a s")
eta_u, eta_s = local_field("u"), local_field("s")
x, t, theta, xi, drive = (Symbol(n, real=True) for n in ("x", "t", "theta", "xi", "drive"))
gain = Parameter("k", "3/2", POSITIVE, "gain of the rate")
slow = Parameter("tau_a", 10, POSITIVE, "time constant of the adaptation")
spread = Parameter("v", "1/4", NONNEGATIVE, "variance of the thresholds")
level = Parameter("D", "0.05", NONNEGATIVE, "intensity of the noise")
rate = Nonlinearity("f", Lambda(x, log(1 + exp(gain.symbol * x)) / gain.symbol), "rate")
gate = Nonlinearity("q", Lambda(x, 1 / (1 + exp(-rate(x)))), "a gate made of the rate")


def adapting(time: Literal["continuous", "discrete"]) -> Model:
    """Rates with adaptation and a gate without dynamics, heterogeneous, noisy and driven."""
    push = gate(s) * eta_u - a + theta + xi + drive
    lag = 1 / slow.symbol
    if time == "continuous":
        laws = (
            Field(u, drift=-u + push, time_constant=Rational(1, 2)),
            Field(a, drift=rate(u) - a, time_constant=slow.symbol),
        )
    else:
        laws = (
            Field(u, update=push),
            Field(a, update=(1 - lag) * a + lag * rate(next_value(u))),
        )
    return Model(
        name="adapting",
        time=time,
        fields=(*laws, Field(s, value=eta_s - a / 2)),
        couplings=(
            Coupling(eta_u, signal=tanh(rate(u)), variance=gain.symbol**2),
            Coupling(eta_s, signal=rate(u) * tanh(a), variance=Rational(1, 3)),
        ),
        parameters=(gain, slow, spread, level),
        nonlinearities=(rate, gate),
        inputs=(
            GaussianInput(theta, spread.symbol, mean=Rational(-1, 5)),
            WhiteNoise(xi, level.symbol),
            TimeDependentInput(drive, Lambda(t, sympy.sin(t) ** 2)),
        ),
    )


@pytest.mark.parametrize("time", ["continuous", "discrete"])
def test_it_is_a_model(time: Literal["continuous", "discrete"]) -> None:
    model = adapting(time)
    assert [f.name for f in model.fields if f.is_algebraic] == ["s"]
    assert [c.name for c in model.couplings] == ["u", "s"]
    values = model.bind({"D": 0})
    assert values[gain.symbol] == Rational(3, 2)
    assert values[level.symbol] == 0
    assert model == adapting(time)


def test_its_definitions_do_not_overflow() -> None:
    model = adapting("continuous")
    assert model.definitions["q"](x) == logistic(rate(x))
    (law,) = [e for e in model.laws(defined=True) if e.rhs.has(eta_u)]
    at = {gain.symbol: 2, s: 3, eta_u: 1, a: 0, theta: 0, xi: 0, drive: 0, u: 0}
    expected = 1 / (1 + exp(-log(1 + exp(6)) / 2))
    assert abs((law.rhs.subs(at) - expected).evalf(30)) < Rational(1, 10**25)


def test_its_updates_are_put_in() -> None:
    laws = adapting("discrete").resolved_laws
    push = gate(s) * eta_u - a + theta + xi + drive
    assert laws[a] == (1 - 1 / slow.symbol) * a + rate(push) / slow.symbol
    assert not any(law.has(Next) for law in laws.values())


def test_its_fixed_points_solve_the_residuals() -> None:
    flow, step = adapting("continuous"), adapting("discrete")
    drift = [f.residual for f in flow.fields]
    assert drift[2] == eta_s - a / 2 - s
    assert drift[0] == step.fields[0].residual
    at_rest = step.fields[1].residual.xreplace({Next(u): u})
    assert sympy.expand(at_rest * slow.symbol - drift[1]) == 0

"""Models unlike the zoo's, which the simulator has to take as they are."""

import pytest
import sympy
from sympy import Lambda, Rational, Symbol, sin, sqrt, tanh

from gatetheory.functions import logistic
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

X = Symbol("x", real=True)


@pytest.fixture(scope="session")
def strange() -> Model:
    """Two fast fields, a slow gate x/√(1+x²), an explicit and an implicit algebraic field."""
    x, y, u, m, k = fields("x y u m k")
    eta_x, eta_y, eta_u, eta_m = (local_field(name) for name in "xyum")
    heterogeneity = Symbol("I", real=True)
    drive = Symbol("drive", real=True)
    tau_x, tau_u = Parameter("tau_x", Rational(1, 5), POSITIVE), Parameter("tau_u", 3, NONNEGATIVE)
    tau_k, gain = Parameter("tau_k", 0, NONNEGATIVE), Parameter("gain", Rational(3, 2), POSITIVE)
    gate = Nonlinearity("s", Lambda(X, gain.symbol * X / sqrt(1 + (gain.symbol * X) ** 2)))
    t = Symbol("t", real=True)
    return Model(
        name="strange",
        time="continuous",
        fields=(
            Field(x, drive - x + gate(u) * eta_x * m + heterogeneity, time_constant=tau_x.symbol),
            Field(y, drift=-y + x + eta_y, time_constant=tau_x.symbol / 2),
            Field(u, drift=-u + eta_u + sin(k), time_constant=tau_u.symbol),
            Field(m, value=gate(eta_m) + x**2),
            Field(k, drift=-k - k**3 / 3 + y + eta_m, time_constant=tau_k.symbol),
        ),
        couplings=(
            Coupling(eta_x, signal=gate(x) * tanh(m)),
            Coupling(eta_y, signal=gate(y), variance=gain.symbol**2),
            Coupling(eta_u, signal=gate(x) * tanh(m), variance=Rational(1, 3)),
            Coupling(eta_m, signal=gate(y)),
        ),
        parameters=(tau_x, tau_u, tau_k, gain),
        nonlinearities=(gate,),
        inputs=(
            GaussianInput(heterogeneity, variance=Rational(1, 4), mean=Rational(1, 10)),
            TimeDependentInput(drive, Lambda(t, sin(gain.symbol * t) / 5)),
        ),
    )


@pytest.fixture(scope="session")
def paired() -> Model:
    """A slow field, two algebraic ones that need each other, and one more that follows them."""
    x, u, v, w = fields("x u v w")
    eta_x, eta_u = local_field("x"), local_field("u")
    strength, tau = Parameter("k", Rational(1, 2), POSITIVE), Parameter("tau", 0, NONNEGATIVE)
    own = strength.symbol * tanh(v) - x / 2 + eta_u
    return Model(
        name="paired",
        time="continuous",
        fields=(
            Field(x, drift=-x + eta_x * w, time_constant=1 + strength.symbol),
            Field(u, drift=own - u, time_constant=tau.symbol),
            Field(v, drift=u / 3 - v + sin(x) / (1 + strength.symbol), time_constant=tau.symbol),
            Field(w, value=v * strength.symbol + u**2),
        ),
        couplings=(
            Coupling(eta_x, signal=tanh(u * strength.symbol)),
            Coupling(eta_u, signal=x, variance=strength.symbol**2),
        ),
        parameters=(strength, tau),
    )


@pytest.fixture(scope="session")
def lstm() -> Model:
    """A map whose second field reads the updated first one, with three algebraic gates."""
    c, h, f, i, o = fields("c h f i o")
    eta = {name: local_field(name) for name in "cfio"}
    return Model(
        name="lstm",
        time="discrete",
        fields=(
            Field(c, update=logistic(f) * c + logistic(i) * tanh(eta["c"])),
            Field(h, update=logistic(o) * tanh(next_value(c))),
            *(Field(gate, value=eta[gate.name]) for gate in (f, i, o)),
        ),
        couplings=tuple(Coupling(e, signal=h, variance=sympy.Integer(9)) for e in eta.values()),
    )


@pytest.fixture(scope="session")
def leaky() -> Model:
    """Independent units: dx/dt = -x + ξ, the coupling switched off."""
    (x,) = fields("x,")
    eta, xi = local_field("x"), Symbol("xi", real=True)
    intensity = Parameter("D", Rational(1, 2), NONNEGATIVE)
    strength = Parameter("s", 0, NONNEGATIVE)
    return Model(
        name="leaky",
        time="continuous",
        fields=(Field(x, drift=-x + eta + xi),),
        couplings=(Coupling(eta, signal=x, variance=strength.symbol),),
        parameters=(intensity, strength),
        inputs=(WhiteNoise(xi, intensity.symbol),),
    )


@pytest.fixture(scope="session")
def linear_map() -> Model:
    """x(t+1) = a x + η, ψ = x: the Jacobian is a + J."""
    (x,) = fields("x,")
    eta = local_field("x")
    a, s = Parameter("a", 0), Parameter("s", Rational(3, 2), NONNEGATIVE)
    return Model(
        name="linear_map",
        time="discrete",
        fields=(Field(x, update=a.symbol * x + eta),),
        couplings=(Coupling(eta, signal=x, variance=s.symbol**2),),
        parameters=(a, s),
    )


@pytest.fixture(scope="session")
def adapting_map() -> Model:
    """A noisy, driven map: softplus rates, an algebraic gate, a field that reads an updated one."""
    u, a, s = fields("u a s")
    eta_u, eta_s = local_field("u"), local_field("s")
    theta, xi, drive = (Symbol(name, real=True) for name in ("theta", "xi", "drive"))
    gain, t = Parameter("k", Rational(3, 2), POSITIVE), Symbol("t", real=True)
    rate = Nonlinearity("f", Lambda(X, sympy.log(1 + sympy.exp(gain.symbol * X)) / gain.symbol))
    return Model(
        name="adapting_map",
        time="discrete",
        fields=(
            Field(u, update=logistic(rate(s)) * eta_u - a + theta + xi + drive),
            Field(a, update=Rational(9, 10) * a + rate(next_value(u)) / 10),
            Field(s, value=eta_s - a / 2),
        ),
        couplings=(
            Coupling(eta_u, signal=tanh(rate(u)), variance=gain.symbol**2),
            Coupling(eta_s, signal=rate(u) * tanh(a), variance=Rational(1, 3)),
        ),
        parameters=(gain,),
        nonlinearities=(rate,),
        inputs=(
            GaussianInput(theta, Rational(1, 4)),
            WhiteNoise(xi, Rational(1, 20)),
            TimeDependentInput(drive, Lambda(t, sympy.sin(t) ** 2)),
        ),
    )

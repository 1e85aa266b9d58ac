"""Networks that no text names: an adapting unit, and a rate in erf with a gate in atan."""

import pytest
from sympy import Lambda, Rational, Symbol, atan, erf, pi, tanh

import gatetheory as gt

u = Symbol("u", real=True)


def adapting_model() -> gt.Model:
    """Rates with slow adaptation: the zero state is lost to oscillations."""
    x, a = gt.fields("x a")
    eta = gt.local_field("x")
    g = gt.Parameter("g", 3, gt.POSITIVE, "gain")
    b = gt.Parameter("b", 2, gt.NONNEGATIVE, "strength of the adaptation")
    tau = gt.Parameter("tau", 5, gt.POSITIVE, "time constant of the adaptation")
    phi = gt.Nonlinearity("phi", Lambda(u, tanh(g.symbol * u)))
    return gt.Model(
        name="adapting",
        time="continuous",
        fields=(
            gt.Field(x, drift=-x - b.symbol * a + eta),
            gt.Field(a, drift=-a + x, time_constant=tau.symbol),
        ),
        couplings=(gt.Coupling(eta, signal=phi(x)),),
        parameters=(g, b, tau),
        nonlinearities=(phi,),
    )


def paired_model() -> gt.Model:
    """A rate in erf whose output a gate in atan multiplies."""
    x, r = gt.fields("x r")
    eta_x, eta_r = gt.local_field("x"), gt.local_field("r")
    g = gt.Parameter("g", 2, gt.POSITIVE, "gain of the rate")
    a = gt.Parameter("a", 8, gt.NONNEGATIVE, "gain of the gate")
    b = gt.Parameter("b", 0, gt.REAL, "bias of the gate")
    phi = gt.Nonlinearity("phi", Lambda(u, erf(g.symbol * u)))
    s = gt.Nonlinearity("s", Lambda(u, Rational(1, 2) + atan(a.symbol * u + b.symbol) / pi))
    return gt.Model(
        name="paired",
        time="continuous",
        fields=(gt.Field(x, drift=-x + eta_x), gt.Field(r, drift=-r + eta_r)),
        couplings=(gt.Coupling(eta_x, signal=phi(x) * s(r)), gt.Coupling(eta_r, signal=phi(x))),
        parameters=(g, a, b),
        nonlinearities=(phi, s),
    )


@pytest.fixture(scope="session")
def adapting() -> gt.Theory:
    return gt.derive(adapting_model())


@pytest.fixture(scope="session")
def paired() -> gt.Theory:
    return gt.derive(paired_model())


@pytest.fixture(scope="session")
def gated() -> gt.Theory:
    return gt.derive(gt.zoo.gated())


@pytest.fixture(scope="session")
def classical() -> gt.Theory:
    return gt.derive(gt.zoo.classical())


@pytest.fixture(scope="session")
def gru() -> gt.Theory:
    return gt.derive(gt.zoo.gru())

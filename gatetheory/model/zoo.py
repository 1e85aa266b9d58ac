"""Published models, written in the model language."""

from __future__ import annotations

from collections.abc import Callable

from sympy import Lambda, Symbol, tanh

from gatetheory.functions import logistic
from gatetheory.model.model import Model
from gatetheory.model.parameters import NONNEGATIVE, POSITIVE, REAL, Parameter
from gatetheory.model.parts import Coupling, Field, Nonlinearity, fields, local_field
from gatetheory.references import CHO, GATING, GRU, SCS

_X = Symbol("x", real=True)


def _gating_parameters(g_h: int, alpha_z: int, alpha_r: int) -> tuple[Parameter, ...]:
    return (
        Parameter("g_h", g_h, POSITIVE, "gain of φ"),
        Parameter("alpha_z", alpha_z, NONNEGATIVE, "gain of the update gate"),
        Parameter("alpha_r", alpha_r, NONNEGATIVE, "gain of the reset gate"),
        Parameter("beta_h", 0, REAL, "bias of φ"),
        Parameter("beta_z", 0, REAL, "bias of the update gate"),
        Parameter("beta_r", 0, REAL, "bias of the reset gate"),
    )


def _gating_nonlinearities(parameters: tuple[Parameter, ...]) -> tuple[Nonlinearity, ...]:
    p = {q.name: q.symbol for q in parameters}
    phi = Lambda(_X, tanh(p["g_h"] * _X + p["beta_h"]))
    update = Lambda(_X, logistic(p["alpha_z"] * _X - p["beta_z"]))
    reset = Lambda(_X, logistic(p["alpha_r"] * _X - p["beta_r"]))
    return (
        Nonlinearity("phi", phi, "activation"),
        Nonlinearity("sigma_z", update, "update gate: the rate at which h moves"),
        Nonlinearity("sigma_r", reset, "reset (output) gate: how much of φ(h) is sent"),
    )


def gated() -> Model:
    """The gated network of Krishnamurthy, Can and Schwab (2022), their Eqs. (1) to (4)."""
    h, z, r = fields("h z r")
    eta_h, eta_z, eta_r = (local_field(name) for name in "hzr")
    tau_z = Parameter("tau_z", 1, NONNEGATIVE, "time constant of the update gate")
    tau_r = Parameter("tau_r", 2, NONNEGATIVE, "time constant of the reset gate")
    parameters = _gating_parameters(3, 0, 5)
    phi, sigma_z, sigma_r = nonlinearities = _gating_nonlinearities(parameters)
    return Model(
        name="gated",
        title="gated recurrent network in continuous time",
        time="continuous",
        fields=(
            Field(h, drift=sigma_z(z) * (-h + eta_h), meaning="internal state"),
            Field(z, drift=-z + eta_z, time_constant=tau_z.symbol, meaning="update gate's state"),
            Field(r, drift=-r + eta_r, time_constant=tau_r.symbol, meaning="reset gate's state"),
        ),
        couplings=(
            Coupling(eta_h, signal=phi(h) * sigma_r(r)),
            Coupling(eta_z, signal=phi(h)),
            Coupling(eta_r, signal=phi(h)),
        ),
        parameters=(*parameters, tau_z, tau_r),
        nonlinearities=nonlinearities,
        references=(GATING,),
    )


def classical() -> Model:
    """The classical random network of Sompolinsky, Crisanti and Sommers (1988)."""
    (h,) = fields("h,")
    g = Parameter("g", 2, POSITIVE, "gain of φ")
    phi = Nonlinearity("phi", Lambda(_X, tanh(g.symbol * _X)), "activation")
    eta = local_field("h")
    return Model(
        name="classical",
        title="classical random network",
        time="continuous",
        fields=(Field(h, drift=-h + eta, meaning="local field (current)"),),
        couplings=(Coupling(eta, signal=phi(h)),),
        parameters=(g,),
        nonlinearities=(phi,),
        references=(SCS,),
    )


def gru() -> Model:
    """The gated recurrent unit with random weights, as in Can, Krishnamurthy and Schwab (2020)."""
    h, z, r = fields("h z r")
    eta_h, eta_z, eta_r = (local_field(name) for name in "hzr")
    parameters = _gating_parameters(4, 1, 1)
    phi, sigma_z, sigma_r = nonlinearities = _gating_nonlinearities(parameters)
    return Model(
        name="gru",
        title="gated recurrent unit in discrete time",
        time="discrete",
        fields=(
            Field(h, update=(1 - sigma_z(z)) * h + sigma_z(z) * phi(eta_h), meaning="hidden state"),
            Field(z, value=eta_z, meaning="update gate's input"),
            Field(r, value=eta_r, meaning="reset gate's input"),
        ),
        couplings=(
            Coupling(eta_h, signal=sigma_r(r) * h),
            Coupling(eta_z, signal=h),
            Coupling(eta_r, signal=h),
        ),
        parameters=parameters,
        nonlinearities=nonlinearities,
        references=(GRU, CHO),
    )


MODELS: dict[str, Callable[[], Model]] = {"gated": gated, "classical": classical, "gru": gru}

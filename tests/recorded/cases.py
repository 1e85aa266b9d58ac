"""What is recorded: models, parameters, and states drawn independently of the couplings.

Every case names the Gaussian variables of its state with their variances, and how fields and local
fields follow from them, written down by hand: the engine has to arrive at the same law. Biases,
inputs and unequal variances make every term of every equation non-zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sympy import Expr, Lambda, Rational, Symbol, symbols, tanh

from gatetheory.functions import Nonlinear, logistic
from gatetheory.model import (
    POSITIVE,
    ConstantInput,
    Coupling,
    Field,
    GaussianInput,
    Model,
    Nonlinearity,
    Parameter,
    fields,
    local_field,
    zoo,
)


def paired() -> Model:
    """Two fast fields, one adapting the other, behind a gate with a coupling of its own."""
    x, a, u = fields("x a u")
    eta_x, eta_u = local_field("x"), local_field("u")
    heterogeneity, push, s = (Symbol(n, real=True) for n in ("I", "push", "s"))
    gain = Parameter("gain", Rational(6, 5), POSITIVE, "gain of the rate")
    tau_a = Parameter("tau_a", Rational(7, 10), POSITIVE, "time constant of the adaptation")
    tau_u = Parameter("tau_u", Rational(3, 2), POSITIVE, "time constant of the gate")
    rate = Nonlinearity("f", Lambda(s, tanh(gain.symbol * s + Rational(1, 5))), "rate")
    gate = Nonlinearity("q", Lambda(s, logistic(2 * s - Rational(1, 3))), "gate")
    return Model(
        name="paired",
        time="continuous",
        fields=(
            Field(x, drift=-x - a / 2 + gate(u) * eta_x + heterogeneity),
            Field(a, drift=x - a, time_constant=tau_a.symbol),
            Field(u, drift=-u + eta_u + push, time_constant=tau_u.symbol),
        ),
        couplings=(
            Coupling(eta_x, signal=rate(x) * (1 + gate(u)), variance=Rational(4, 3)),
            Coupling(eta_u, signal=rate(x) + a / 4, variance=gain.symbol**2 / 2),
        ),
        parameters=(gain, tau_a, tau_u),
        nonlinearities=(rate, gate),
        inputs=(
            GaussianInput(heterogeneity, variance=Rational(1, 5)),
            ConstantInput(push, Rational(1, 4)),
        ),
    )


MODELS = {"gated": zoo.gated, "classical": zoo.classical, "gru": zoo.gru, "paired": paired}

PARAMETERS: dict[str, dict[str, str]] = {
    "gated": {
        "g_h": "1.7", "alpha_z": "2", "alpha_r": "3", "beta_h": "0.4", "beta_z": "0.5",
        "beta_r": "-0.3", "tau_z": "0.6", "tau_r": "0.7",
    },
    "classical": {"g": "1.6"},
    "gru": {
        "g_h": "1.7", "alpha_z": "2.5", "alpha_r": "3", "beta_h": "0.4", "beta_z": "0.3",
        "beta_r": "-0.2",
    },
    "paired": {},
    # Slow gates: none of the moments' terms dominates.
    "gated, slow": {
        "g_h": "1.1", "alpha_z": "2", "alpha_r": "4", "beta_h": "0.4", "beta_z": "-1",
        "beta_r": "-0.3", "tau_z": "1.5", "tau_r": "1.3",
    },
    "paired, slow": {"gain": "1.1", "tau_a": "1.5", "tau_u": "1.2"},
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One state of one model.

    Args:
        model: Its name.
        state: ``"fixed point"`` (the law of a unit at rest) or ``"synthetic"``.
        variances: Variance of every Gaussian variable, by name.
        relations: Fields and local fields that are not variables themselves.
        unknowns: The order parameters of the engine's law at this state.
        spectral: Places λ outside the spectrum where the response is recorded.
        means: Means of variables that are not centred.
        variant: Name of another set of parameters, recorded for its moments alone.
    """

    model: str
    state: str
    variances: dict[str, float]
    relations: dict[str, Expr]
    unknowns: dict[str, float]
    spectral: tuple[complex, ...]
    means: dict[str, float] = field(default_factory=dict)
    variant: str = ""

    @property
    def name(self) -> str:
        """Key of the case."""
        return f"{self.model}, {self.state}" + (f", {self.variant}" if self.variant else "")

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters by name."""
        return PARAMETERS[f"{self.model}, {self.variant}" if self.variant else self.model]


_h, _d, _eta_h, _eta_x, _u, _I = symbols("h d_h eta_h eta_x u I", real=True)
_phi, _q = (lambda x, name=name: Nonlinear(name, 0, x) for name in ("phi", "q"))
_RIGHT = (0.05 + 0.25j, 0.3 + 0j, 0.15 + 1.2j)

CASES = [
    Case(
        "gated",
        "fixed point",
        {"h": 0.45, "z": 0.7, "r": 0.9},
        {"eta_h": _h},
        {"Delta_h": 0.45, "Delta_z": 0.7, "Delta_r": 0.9},
        _RIGHT,
    ),
    Case(
        "gated",
        "synthetic",
        {"h": 0.45, "z": 0.7, "r": 0.9, "d_h": 1.1},
        {"eta_h": _h + _d},
        {"Delta_h": 0.45, "Delta_z": 0.7, "Delta_r": 0.9, "Delta_dh": 1.1},
        _RIGHT,
    ),
    Case(
        "classical",
        "fixed point",
        {"h": 0.6},
        {"eta_h": _h},
        {"Delta_h": 0.6},
        (0.1 + 0.4j, 0.5 + 0j, -0.7 + 1.5j),
    ),
    Case(
        "gru",
        "fixed point",
        {"eta_h": 0.5, "z": 0.7, "r": 0.9},
        {"h": _phi(_eta_h)},
        {"Delta_h": 0.5, "Delta_z": 0.7, "Delta_r": 0.9},
        (1.1 + 0.2j, 1.4 + 0j, 0.6 + 1.2j),
    ),
    Case(
        "gru",
        "synthetic",
        {"eta_h": 0.5, "h": 0.35, "z": 0.7, "r": 0.9},
        {},
        {"Delta_h": 0.35, "Delta_z": 0.7, "Delta_r": 0.9, "Delta_eta_h": 0.5},
        (1.1 + 0.2j, 1.4 + 0j, 0.6 + 1.2j),
    ),
    Case(
        "paired",
        "fixed point",
        {"eta_x": 0.8, "u": 0.6, "I": 0.2},
        {
            "x": (_q(_u) * _eta_x + _I) / Rational(3, 2),
            "a": (_q(_u) * _eta_x + _I) / Rational(3, 2),
        },
        {"Delta_x": 0.8, "Delta_u": 0.6},
        (0.25 + 0.3j, 0.8 + 0j, -0.1 + 1.5j),
        {"u": 0.25},
    ),
    Case(
        "paired",
        "synthetic",
        {"x": 0.5, "u": 0.6, "eta_x": 0.8, "a": 2.5},
        {},
        {"Delta_x": 0.5, "Delta_u": 0.6, "Delta_eta_x": 0.8},
        (0.25 + 0.3j, 0.8 + 0j, -0.1 + 1.5j),
    ),
]
CASES += [
    replace(c, spectral=(), variant="slow") for c in CASES if f"{c.model}, slow" in PARAMETERS
]

# Correlation of a field's values at two times, for the covariance of the local fields.
CORRELATION = 0.7

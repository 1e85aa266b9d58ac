"""Small networks to derive theories of, written in a line."""

from collections.abc import Callable
from typing import Any

import pytest
import sympy
from sympy import Lambda, Symbol

from gatetheory.functions import logistic
from gatetheory.model import (
    NONNEGATIVE,
    POSITIVE,
    REAL,
    Coupling,
    Field,
    Model,
    Nonlinearity,
    Parameter,
    local_field,
)
from gatetheory.model import fields as real_symbols

Build = Callable[..., Model]

_X = Symbol("x", real=True)
_K = Parameter("k", 2, POSITIVE, "gain")
_F = Nonlinearity("f", Lambda(_X, sympy.tanh(_K.symbol * _X)))
_S = Nonlinearity("s", Lambda(_X, logistic(_X)))


@pytest.fixture
def network() -> Build:
    """``network(signals, u=law, v=(law, options))``: fields by name, signals by coupling.

    Laws are drifts, or what ``kind`` says; the nonlinearities are f(x) = tanh(kx) and the logistic
    s(x).
    """

    def build(
        signals: dict[str, Any],
        *,
        kind: str = "drift",
        inputs: tuple[Any, ...] = (),
        parameters: tuple[Parameter, ...] = (),
        **laws: Any,
    ) -> Model:
        made = []
        for name, law in laws.items():
            given = law if isinstance(law, dict) else {kind: law}
            made.append(Field(real_symbols(f"{name},")[0], **given))
        couplings = []
        for name, signal in signals.items():
            psi, variance = signal if isinstance(signal, tuple) else (signal, sympy.S.One)
            couplings.append(Coupling(local_field(name), psi, variance))
        return Model(
            name="own",
            time="discrete" if any(f.update is not None for f in made) else "continuous",
            fields=tuple(made),
            couplings=tuple(couplings),
            parameters=(_K, *parameters),
            nonlinearities=(_F, _S),
            inputs=inputs,
        )

    return build


@pytest.fixture
def gated_by() -> Build:
    """``gated_by(φ, σ)``: a unit h whose signal φ(g h) is let through by σ(a r − b)."""

    def build(phi: Callable[[Any], Any], gate: Callable[[Any], Any]) -> Model:
        h, r = real_symbols("h r")
        g, a = Parameter("g", 2, POSITIVE, "gain"), Parameter("a", 3, NONNEGATIVE, "gating")
        b, T = Parameter("b", 0, REAL, "bias"), Parameter("T", 1, NONNEGATIVE, "time constant")
        f = Nonlinearity("f", Lambda(_X, phi(g.symbol * _X)))
        s = Nonlinearity("s", Lambda(_X, gate(a.symbol * _X - b.symbol)))
        eta_h, eta_r = local_field("h"), local_field("r")
        return Model(
            name="own",
            time="continuous",
            fields=(
                Field(h, drift=-h + eta_h),
                Field(r, drift=-r + eta_r, time_constant=T.symbol),
            ),
            couplings=(Coupling(eta_h, f(h) * s(r)), Coupling(eta_r, f(h))),
            parameters=(g, a, b, T),
            nonlinearities=(f, s),
        )

    return build

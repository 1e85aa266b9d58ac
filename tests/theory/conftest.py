"""Small networks to derive theories of, written in a line."""

from collections.abc import Callable
from typing import Any

import pytest
import sympy
from sympy import Lambda, Symbol

from gatetheory.functions import logistic
from gatetheory.model import POSITIVE, Coupling, Field, Model, Nonlinearity, Parameter, local_field
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

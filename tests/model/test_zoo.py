"""The published models say what their papers say."""

import pytest
import sympy
from sympy import Rational, Symbol, exp, tanh

from gatetheory.functions import instantiate
from gatetheory.model import zoo

DEFAULTS = {
    "gated": {
        "g_h": 3, "alpha_z": 0, "alpha_r": 5, "beta_h": 0, "beta_z": 0, "beta_r": 0,
        "tau_z": 1, "tau_r": 2,
    },
    "classical": {"g": 2},
    "gru": {"g_h": 4, "alpha_z": 1, "alpha_r": 1, "beta_h": 0, "beta_z": 0, "beta_r": 0},
}  # fmt: skip


@pytest.mark.parametrize("name", zoo.MODELS)
def test_names_and_defaults(name: str) -> None:
    model = zoo.MODELS[name]()
    assert model.name == name
    assert {p.name: int(p.default) for p in model.parameters} == DEFAULTS[name]
    assert model.references
    assert model.title
    assert all(p.meaning for p in model.parameters)
    assert all(c.variance == 1 for c in model.couplings)


def written(expression: sympy.Expr, name: str) -> sympy.Expr:
    """An expression of a model with definitions put in and plain symbols, as in a paper."""
    plain = instantiate(expression, zoo.MODELS[name]().definitions).rewrite("exp")
    return plain.xreplace({s: Symbol(s.name) for s in plain.free_symbols})


def sigma(x: str, gate: str) -> sympy.Expr:
    symbol, alpha, beta = sympy.symbols(f"{x} alpha_{gate} beta_{gate}")
    return 1 / (1 + exp(-alpha * symbol + beta))


def agree(found: sympy.Expr, expected: sympy.Expr) -> bool:
    symbols = sorted(found.free_symbols | expected.free_symbols, key=str)
    at = {s: Rational(3 * k + 2, 7) for k, s in enumerate(symbols)}
    return bool(abs((found - expected).subs(at).evalf(30)) < Rational(1, 10**25))


def test_gated_is_the_network_of_the_paper() -> None:
    h, z, r, eta_h, eta_z, eta_r, g_h, beta_h = sympy.symbols("h z r eta_h eta_z eta_r g_h beta_h")
    phi = tanh(g_h * h + beta_h)
    model = zoo.gated()
    laws = [written(f.drift, "gated") for f in model.fields]
    assert agree(laws[0], sigma("z", "z") * (eta_h - h))
    assert agree(laws[1], eta_z - z)
    assert agree(laws[2], eta_r - r)
    assert [str(f.time_constant) for f in model.fields] == ["1", "tau_z", "tau_r"]
    signals = [written(c.signal, "gated") for c in model.couplings]
    assert agree(signals[0], phi * sigma("r", "r"))
    assert agree(signals[1], phi)
    assert agree(signals[2], phi)


def test_classical_is_the_network_of_sompolinsky() -> None:
    h, eta_h, g = sympy.symbols("h eta_h g")
    model = zoo.classical()
    assert agree(written(model.fields[0].drift, "classical"), eta_h - h)
    assert agree(written(model.couplings[0].signal, "classical"), tanh(g * h))


def test_gru_is_the_map_of_the_paper() -> None:
    h, eta_h, g_h, beta_h = sympy.symbols("h eta_h g_h beta_h")
    model = zoo.gru()
    gate = sigma("z", "z")
    law = written(model.fields[0].update, "gru")
    assert agree(law, (1 - gate) * h + gate * tanh(g_h * eta_h + beta_h))
    assert [str(f.value) for f in model.fields] == ["None", "eta_z", "eta_r"]
    assert agree(written(model.couplings[0].signal, "gru"), sigma("r", "r") * h)
    assert agree(written(model.couplings[1].signal, "gru"), h)
    assert agree(written(model.couplings[2].signal, "gru"), h)


def test_the_comparison_can_fail() -> None:
    assert not agree(sigma("z", "z"), sigma("z", "r"))

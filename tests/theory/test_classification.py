"""Gaussian, conditionally Gaussian or neither: what a field's law decides."""

from collections.abc import Callable
from typing import Any

import pytest
from sympy import Expr, Lambda, Symbol, sin, tanh

from gatetheory.functions import Next, Nonlinear
from gatetheory.model import (
    ConstantInput,
    GaussianInput,
    Model,
    TimeDependentInput,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.theory.classification import classify
from gatetheory.theory.single_site import SingleSite

Build = Callable[..., Model]

h, z, a = fields("h z a")
eta_h, eta_z = local_field("h"), local_field("z")
theta, xi, drive = (Symbol(n, real=True) for n in ("theta", "xi", "drive"))
G, C, N = "Gaussian", "conditionally Gaussian", "non-Gaussian"


def f(x: Expr) -> Expr:
    return Nonlinear("f", 0, x)


def s(x: Expr) -> Expr:
    return Nonlinear("s", 0, x)


def kinds(model: Model) -> str:
    """G, c or n for every field, in the model's order."""
    short = {G: "G", C: "c", N: "n"}
    classes = classify(model)
    return "".join(short[classes[x.symbol].kind] for x in model.fields)


ONE = {"h": f(h)}
TWO = {"h": f(h), "z": f(z)}
CASES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("leaky", ONE, {"h": -h + eta_h}, "G"),
    ("nonlinear leak", ONE, {"h": -h - h**3 + eta_h}, "n"),
    ("driver inside a nonlinearity", ONE, {"h": -h + tanh(eta_h)}, "n"),
    ("gate with its own driver", TWO, {"h": s(z) * (-h + eta_h), "z": -z + eta_z}, "cG"),
    ("gate on the input alone", TWO, {"h": -h + s(z) * eta_h, "z": -z + eta_z}, "cG"),
    ("gate that shares the driver", ONE, {"h": s(z) * (-h + eta_h), "z": -z + eta_h}, "nG"),
    ("gate that hears the driver late", TWO,
     {"h": s(z) * (-h + eta_h), "z": -z + a + eta_z, "a": -a + eta_h}, "nGG"),
    ("gate driven by the gated field", TWO, {"h": s(z) * (-h + eta_h), "z": -z + h + eta_z}, "nn"),
    ("two fields, one linear system", TWO, {"h": -h - 2 * z + eta_h, "z": -z + h + eta_z}, "GG"),
    ("linear adaptation", ONE, {"h": -h - a + eta_h, "a": -a + h}, "GG"),
    ("nonlinear adaptation", ONE, {"h": -h - a + eta_h, "a": -a + f(h)}, "nn"),
    ("what a non-Gaussian field drives", TWO, {"h": -h - h**3 + eta_h, "z": -z + h + eta_z}, "nc"),
    ("a filter of a nonlinearity", ONE, {"h": -h + eta_h, "a": -a + f(h)}, "Gn"),
    ("product of two Gaussians", TWO, {"h": -h + eta_h * eta_z, "z": -z}, "nG"),
    ("drive times a field with the same drive", ONE, {"h": -h + eta_h * a, "a": -a + eta_h}, "nG"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "signals", "laws", "expected"), CASES, ids=lambda v: str(v)[:40])
def test_kinds(
    network: Build, name: str, signals: dict[str, Any], laws: dict[str, Any], expected: str
) -> None:
    assert kinds(network(signals, **laws)) == expected


def test_algebraic_fields_follow_the_same_rules(network: Build) -> None:
    signals = {"h": f(h), "z": f(h)}
    model = network(signals, h=s(z) * (-h + eta_h), z={"value": eta_z})
    assert kinds(model) == "cG"
    assert kinds(network(signals, h=s(z) * (-h + eta_h), z={"value": tanh(eta_z)})) == "cn"


@pytest.mark.parametrize(
    ("source", "law", "expected"),
    [
        (WhiteNoise(xi, 1), -h + eta_h + xi, "G"),
        (GaussianInput(theta, 1), -h + eta_h + theta, "G"),
        (GaussianInput(theta, 1), -h + eta_h + tanh(theta), "n"),
        (GaussianInput(theta, 1), -theta * h + eta_h, "n"),
        (ConstantInput(drive, 1), -drive * h + eta_h, "G"),
        (TimeDependentInput(drive, Lambda(Symbol("t", real=True), sin(Symbol("t", real=True)))),
         -h + eta_h + drive, "G"),
    ],
)  # fmt: skip
def test_inputs(network: Build, source: Any, law: Expr, expected: str) -> None:
    assert kinds(network(ONE, h=law, inputs=(source,))) == expected


def test_noise_shared_by_gate_and_field(network: Build) -> None:
    laws = {"h": s(z) * (-h + eta_h) + xi, "z": -z + eta_z + xi}
    assert kinds(network(TWO, **laws, inputs=(WhiteNoise(xi, 1),))) == "nG"


def test_updated_values_are_seen_through(network: Build) -> None:
    model = network(ONE, kind="update", h=h / 2 + eta_h, a=tanh(Next(h)))
    assert kinds(model) == "Gn"
    shared = network(TWO, kind="update", h=s(Next(z)) * (h + eta_h), z=z / 2 + eta_z)
    # h reads z's next value, so the driver of z multiplies the driver of h.
    assert classify(shared)[h].kind != G


def test_published_models() -> None:
    gated = classify(zoo.gated())
    assert [c.kind == G for c in gated.values()].count(True) == 2
    assert gated[h].kind == C
    assert gated[h].given == (z,)
    assert "path of z" in str(gated[h])
    assert classify(zoo.classical())[h].kind == G
    gru = classify(zoo.gru())
    assert gru[h].kind == N
    assert "nonlinear in eta_h" in gru[h].reason


def test_reasons_name_the_culprit(network: Build) -> None:
    found = classify(network(ONE, h=s(z) * (-h + eta_h), z=-z + eta_h))[h]
    assert "eta_h drives both" in found.reason
    assert SingleSite(network(ONE, h=-h + eta_h)).classes[h].kind == G

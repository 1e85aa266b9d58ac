"""The model as a value: binding, variations, equality, what it shows."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
import sympy
from sympy import Eq, Function, Lambda, Rational, Symbol, sin, tanh

from gatetheory.errors import ModelError, ParameterError
from gatetheory.functions import Next
from gatetheory.model import (
    NONNEGATIVE,
    POSITIVE,
    ConstantInput,
    Coupling,
    Field,
    GaussianInput,
    Input,
    Model,
    Parameter,
    TimeDependentInput,
    WhiteNoise,
    fields,
    local_field,
    next_value,
    zoo,
)

x, t, I_h = (Symbol(name, real=True) for name in ("x", "t", "I_h"))


# ---- binding -----------------------------------------------------------------------------


def test_bind_takes_defaults_and_exact_values() -> None:
    model = zoo.gated()
    values = model.bind({"g_h": 0.1, "tau_r": "1/3", "beta_r": "-0.25"})
    assert [str(s) for s in values] == [p.name for p in model.parameters]
    assert list(values.values()) == [
        Rational(1, 10), 0, 5, 0, 0, Rational(-1, 4), 1, Rational(1, 3)
    ]  # fmt: skip
    assert all(isinstance(value, sympy.Rational) for value in values.values())
    assert model.bind() == model.bind({}) == {p.symbol: p.default for p in model.parameters}


def test_bind_accepts_symbols_for_names() -> None:
    model = zoo.gated()
    assert model.bind({model.symbols["g_h"]: 2}) == model.bind({"g_h": 2})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"g_h": 0}, r"g_h = 0 lies outside its domain \(0, ∞\)"),
        ({"alpha_r": -1}, r"alpha_r = -1 lies outside its domain \[0, ∞\)"),
        ({"tau_r": "-1/10"}, r"tau_r = -1/10 lies outside its domain"),
        ({"alpha_r": float("nan")}, r"alpha_r: nan is not a finite real number"),
        ({"beta_r": "inf"}, r"beta_r: 'inf' is not a finite real number"),
        ({"beta_r": None}, r"beta_r: None is not a finite real number"),
        ({"g_h": "1e400"}, r"g_h: the value lies beyond the range of double precision"),
        ({"gh": 1}, r"model gated has no parameter 'gh'; did you mean g_h\?"),
        ({"alpha": 1}, r"no parameter 'alpha'; did you mean alpha_z or alpha_r\?"),
        ({"tau_h": 1}, r"did you mean tau_z or tau_r\?|did you mean tau_r or tau_z\?"),
        ({"!": 1}, r"no parameter '!'; it has g_h, alpha_z, alpha_r, beta_h"),
        ({1: 2}, r"no parameter '1'; it has g_h"),
        ([1], r"values must be a mapping from names to numbers, got \[1\]"),
        ("g_h=1", r"values must be a mapping"),
    ],
    ids=str,
)
def test_bind_refuses(values: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        zoo.gated().bind(values)


def test_noise_needs_a_time_constant_at_the_values_too() -> None:
    model = zoo.gated().with_input("r", WhiteNoise(I_h, Rational(1, 2)))
    assert model.bind({"tau_r": "1e-3"})
    with pytest.raises(ParameterError, match=r"tau_r = 0 leaves the field r without dynamics"):
        model.bind({"tau_r": 0})


# ---- variations --------------------------------------------------------------------------


def test_with_definitions_changes_one_and_keeps_the_rest() -> None:
    model = zoo.gated()
    linear = model.with_definitions(phi=Lambda(x, x))
    assert linear.definitions["phi"](t) == t
    assert linear.definitions["sigma_r"] == model.definitions["sigma_r"]
    assert linear.fields == model.fields
    assert model.definitions["phi"](t) != t


@pytest.mark.parametrize(
    ("definitions", "message"),
    [
        ({"phii": Lambda(x, x)}, r"no nonlinearity 'phii'; did you mean phi\?"),
        ({"phi": tanh}, r"nonlinearity phi: the definition must be a sympy.Lambda"),
        ({"phi": Lambda(x, 0.5 * x)}, r"definition of nonlinearity phi contains the Float"),
        ({"phi": Lambda(x, tanh(x * Symbol("k")))}, r"contains k, which may not stand there"),
    ],
    ids=str,
)
def test_with_definitions_refuses(definitions: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        zoo.gated().with_definitions(**definitions)


def test_a_definition_with_a_new_parameter() -> None:
    k = Parameter("k", 2, POSITIVE)
    model = zoo.classical().with_parameters(k).with_definitions(phi=Lambda(x, tanh(x) / k.symbol))
    assert model.bind({"k": 3})[k.symbol] == 3
    assert model.definitions["phi"](x) == tanh(x) / k.symbol


def test_with_parameters_replaces_by_name() -> None:
    model = zoo.gated().with_parameters(Parameter("g_h", 5, POSITIVE))
    assert model.bind()[model.symbols["g_h"]] == 5
    assert [p.name for p in model.parameters] == [p.name for p in zoo.gated().parameters]
    with pytest.raises(ModelError, match=r"a symbol g_h whose assumptions differ"):
        model.with_parameters(Parameter("g_h", 5))


@pytest.mark.parametrize(
    "source",
    [
        ConstantInput(I_h, Rational(1, 2)),
        GaussianInput(I_h, 1, Rational(1, 3)),
        WhiteNoise(I_h, Rational(1, 10)),
        TimeDependentInput(I_h, Lambda(t, sin(t))),
    ],
    ids=lambda s: type(s).__name__,
)
def test_with_input_adds_to_one_law(source: Input) -> None:
    model = zoo.gated()
    driven = model.with_input("h", source)
    assert driven.inputs == (source,)
    assert driven.fields[0].law == model.fields[0].law + I_h
    assert driven.fields[1:] == model.fields[1:]
    assert model.inputs == ()


@pytest.mark.parametrize(("name", "law"), [("h", "update"), ("z", "value")])
def test_with_input_of_a_map(name: str, law: str) -> None:
    driven = zoo.gru().with_input(name, ConstantInput(I_h, 1))
    field = next(f for f in driven.fields if f.name == name)
    assert getattr(field, law).coeff(I_h) == 1


def test_with_input_brings_its_parameters() -> None:
    strength = Parameter("D", 1, NONNEGATIVE)
    model = zoo.classical().with_input("h", WhiteNoise(I_h, strength.symbol), strength)
    assert model.bind({"D": "1/4"})[strength.symbol] == Rational(1, 4)
    with pytest.raises(ModelError, match=r"intensity of input I_h contains D"):
        zoo.classical().with_input("h", WhiteNoise(I_h, strength.symbol))


@pytest.mark.parametrize(
    ("field", "source", "message"),
    [
        ("k", ConstantInput(I_h, 1), r"no field 'k'; it has h, z, r"),
        ("h", "constant", r"an input must be a ConstantInput or .*, got 'constant'"),
        ("h", ConstantInput(Symbol("h", real=True), 1), r"name 'h' is declared twice"),
    ],
    ids=str,
)
def test_with_input_refuses(field: str, source: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        zoo.gated().with_input(field, source)


def test_the_expressions_of_an_input_are_exact_sympy() -> None:
    assert isinstance(ConstantInput(I_h, 1).value, sympy.Integer)
    assert isinstance(GaussianInput(I_h, 2).variance, sympy.Integer)
    assert isinstance(WhiteNoise(I_h, 2).intensity, sympy.Integer)


# ---- a model is a value ------------------------------------------------------------------


@pytest.mark.parametrize("name", zoo.MODELS)
def test_models_are_values(name: str) -> None:
    model = zoo.MODELS[name]()
    for twin in (
        zoo.MODELS[name](),
        copy.copy(model),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        replace(model),
    ):
        assert twin == model
        assert hash(twin) == hash(model)
    other = model.with_parameters(Parameter(model.parameters[0].name, 7, POSITIVE))
    assert other != model
    assert len({model, other, zoo.MODELS[name]()}) == 2


def test_models_are_frozen() -> None:
    model = zoo.classical()
    with pytest.raises(FrozenInstanceError):
        model.name = "mine"  # type: ignore[misc]
    assert isinstance(replace(model, fields=list(model.fields)).fields, tuple)  # type: ignore[arg-type]


# ---- what people read --------------------------------------------------------------------


def test_laws_of_a_flow() -> None:
    h, eta, g = Symbol("h", real=True), local_field("h"), Symbol("g", positive=True)
    (law,) = zoo.classical().laws()
    assert law == Eq(Function("h")(t).diff(t), eta - h, evaluate=False)
    r = zoo.gated().laws()[2]
    tau_r = Symbol("tau_r", nonnegative=True)
    assert r.lhs == tau_r * Function("r")(t).diff(t)
    signal = zoo.classical().couplings[0].signal
    assert str(signal) == "phi(h)"
    defined = replace(
        zoo.classical(), fields=(Field(h, drift=-signal + eta),), couplings=(Coupling(eta, signal),)
    ).laws(defined=True)
    assert defined[0].rhs == eta - tanh(g * h)


def test_laws_of_a_map() -> None:
    h, z, eta_z = Symbol("h", real=True), Symbol("z", real=True), local_field("z")
    updated, gate, _ = zoo.gru().laws()
    assert updated.lhs == Next(h)
    assert gate == Eq(z, eta_z, evaluate=False)


@pytest.mark.parametrize("name", zoo.MODELS)
def test_latex_is_balanced_and_complete(name: str) -> None:
    model = zoo.MODELS[name]()
    tex = model._repr_latex_()
    assert tex.startswith("$$\\begin{aligned}")
    assert tex.endswith("\\end{aligned}$$")
    assert tex.count("{") == tex.count("}")
    assert tex.count(r"\left(") == tex.count(r"\right)")
    assert tex.count("&=") == len(model.fields) + len(model.couplings) + len(model.nonlinearities)


# ---- updated values ----------------------------------------------------------------------


def test_next_values_are_put_in() -> None:
    h, c = fields("h c")
    eta_c, eta_o = local_field("c"), local_field("o")
    model = Model(
        name="lstm_like",
        time="discrete",
        fields=(
            Field(h, update=tanh(eta_o) * tanh(next_value(c))),
            Field(c, update=c / 2 + eta_c),
        ),
        couplings=(Coupling(eta_c, h), Coupling(eta_o, h)),
    )
    assert model.resolved_laws[h] == tanh(eta_o) * tanh(c / 2 + eta_c)
    assert not any(law.has(Next) for law in model.resolved_laws.values())

"""Losses as text: data that is never run."""

import pytest
import sympy

from gatetheory.errors import ParameterError
from gatetheory.model import zoo
from gatetheory.model.loss import make_loss, weight_of


def test_by_default_the_weight_times_the_field_that_signals_read() -> None:
    model = zoo.gated()
    loss = make_loss(model)
    h, c = model.fields[0].symbol, weight_of(model)
    assert loss.density == c * h
    assert str(loss) == "c*h (readout)"
    assert make_loss(model, running=True).running


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("c*h", "c*h"),
        ("-c*(h + 2*r)/3", "-c*(h + 2*r)/3"),
        ("h**2/2", "h**2/2"),
        ("0.1*c*tanh(h)", "c*tanh(h)/10"),
        ("+c*exp(-z**2)", "c*exp(-z**2)"),
    ],
)
def test_formulas_become_exact_expressions(text: str, value: str) -> None:
    density = make_loss(zoo.gated(), text).density
    assert str(density) == value
    assert not density.has(sympy.Float)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "h.__class__",
        "(lambda: h)()",
        "[h for h in h]",
        "h**h",
        "h**(10**9)",
        "open('x')",
        "c*hh",
        "c*g_h*h",
        "c",
        "",
        "c*h if h else c",
        "tanh(h, h)",
        "True*h",
        "h/0*c",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ParameterError):
        make_loss(zoo.gated(), text)


def test_an_expression_with_a_float_is_refused() -> None:
    h = sympy.Symbol("h", real=True)
    with pytest.raises(ParameterError, match="float"):
        make_loss(zoo.gated(), 0.5 * h)
    with pytest.raises(ParameterError, match="text or a SymPy expression"):
        make_loss(zoo.gated(), 3)  # type: ignore[arg-type]


def test_symbols_of_an_expression_are_matched_by_name() -> None:
    model = zoo.gated()
    bare = sympy.Symbol("c") * sympy.Symbol("h")
    assert make_loss(model, bare).density == make_loss(model, "c*h").density

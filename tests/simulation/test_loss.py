"""Losses given as text or expressions."""

import numpy as np
import pytest
import sympy
from sympy import Symbol

from gatetheory.errors import ParameterError
from gatetheory.functions import logistic
from gatetheory.model import Model, zoo
from gatetheory.simulation.loss import make_loss

h, z, c = (Symbol(name, real=True) for name in ("h", "z", "c"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("c*h", c * h),
        ("h**2/2", h**2 / 2),
        ("-(c - 0.1)*tanh(2*h) + z", -(c - sympy.Rational(1, 10)) * sympy.tanh(2 * h) + z),
        ("logistic(h) * sqrt(exp(z))", logistic(h) * sympy.sqrt(sympy.exp(z))),
        (" Abs(h)**-2 ", 1 / h**2),
    ],
)
def test_text_is_read_as_arithmetic(text: str, expected: sympy.Expr) -> None:
    loss = make_loss(zoo.gated(), text)
    assert sympy.simplify(loss.expression - expected) == 0
    assert loss.text == text


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "h.free_symbols",
        "[h for h in (1,)]",
        "(lambda: h)()",
        "h if h else c",
        "h @ c",
        "h; c",
        "open(h)",
        "tanh(h, c)",
        "True*h",
        "'h'",
        "1j*h",
        "q*h",
        "g_h*h",
        "h**c",
        "h**1000",
        "(((9**99)**99)**99)**99*h",
        "h +",
        "",
        "c",
        "h/0",
        "sqrt(-1)*h",
        "+".join(["h"] * 600),
        "(" * 400 + "h" + ")" * 400,
    ],
)
def test_nothing_else_is_understood(text: str) -> None:
    with pytest.raises(ParameterError, match=r"loss|expression"):
        make_loss(zoo.gated(), text)


def test_expressions_may_not_read_parameters() -> None:
    phi = zoo.gated().nonlinearities[0]
    with pytest.raises(ParameterError, match="has no name"):
        make_loss(zoo.gated(), c * phi(h))
    with pytest.raises(ParameterError, match="text or a SymPy expression"):
        make_loss(zoo.gated(), 3)  # type: ignore[arg-type]


def test_the_default_reads_the_first_field_of_a_signal(lstm: Model, strange: Model) -> None:
    for model, field, c in ((zoo.gated(), "h", "c"), (lstm, "h", "w"), (strange, "x", "c")):
        loss = make_loss(model)
        assert loss.text == str(Symbol(c) * Symbol(field))
        rng = np.random.default_rng(0)
        fields, weights = rng.standard_normal((len(model.fields), 4)), rng.standard_normal((2, 4))
        index = [f.name for f in model.fields].index(field)
        (found,) = loss.covectors(fields, weights).items()
        assert found[0] == index
        np.testing.assert_array_equal(found[1], weights)
        np.testing.assert_allclose(loss.value(fields, weights), weights @ fields[index] / 2)


def test_a_field_may_be_called_c(lstm: Model) -> None:
    with pytest.raises(ParameterError, match="weight="):
        make_loss(lstm, "c*h")
    assert make_loss(lstm, "w*c", "w").is_weighted
    assert not make_loss(lstm, "c**2", "w").is_weighted

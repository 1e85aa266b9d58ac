"""MathML: well-formed, and drawn as people write it."""

from xml.etree import ElementTree

import pytest
import sympy
from sympy import Abs, Function, Rational, Symbol, exp

from gatetheory.functions import Nonlinear
from gatetheory.model.parts import TIME
from gatetheory.presentation.mathml import MathML, mathml
from gatetheory.theory.derive import RESULTS, Theory

SPACE = "{http://www.w3.org/1998/Math/MathML}"


def parts(text: str) -> list[tuple[str, str]]:
    """Leaves of a formula: kind and text."""
    return [
        (e.tag.removeprefix(SPACE), (e.text or "").strip())
        for e in ElementTree.fromstring(text).iter()
        if len(e) == 0
    ]


def shown(expression: object) -> str:
    return "".join(text for _, text in parts(mathml(expression))).replace("\u2062", "")


@pytest.mark.parametrize("name", ["gated", "gru", "classical"])
def test_every_equation_and_step_is_well_formed(name: str, request: pytest.FixtureRequest) -> None:
    theory: Theory = request.getfixturevalue(name)
    for result in RESULTS[:3]:
        for equation in theory.equations(result):
            leaves = parts(mathml(equation))
            assert ("mo", "=") in leaves
            for kind, text in leaves:
                assert "_" not in text, text
                assert not text or kind in ("mi", "mn", "mo", "mtext"), kind
            for step in equation.trace:
                if step.expression is not None:
                    assert parts(mathml(step.expression))


def test_a_prime_stays_with_its_letter() -> None:
    text = MathML().doprint(Nonlinear("sigma_z", 1, Symbol("z")))
    root = ElementTree.fromstring(text)
    below = root.find("msub")
    assert below is not None
    assert "".join(below.itertext()) == "σ′z"


def test_greek_names_of_functions_and_primed_times() -> None:
    eta = Function("eta_h", real=True)
    assert shown(eta(Symbol("t'"))).replace("\u2061", "") == "ηh(t′)"


def test_a_sum_starts_with_what_is_positive() -> None:
    h, eta, x = sympy.symbols("h eta_h lambda", real=True)
    assert shown(h - eta) == "h−ηh"
    assert shown(x + 1) == "1+λ"


def test_a_derivative_is_a_quotient_without_brackets() -> None:
    tau = Symbol("tau_r")
    text = mathml(tau * Function("r")(TIME).diff(TIME))
    assert "(" not in "".join(t for _, t in parts(text))
    assert shown(tau * Function("r")(TIME).diff(TIME)) == "τrdrdt"


def test_bars_are_fences_and_stretch_around_quotients() -> None:
    x, y = sympy.symbols("x y", positive=True)
    z = Symbol("z")
    for inside, stretchy in ((x + z, "false"), (z + x / y, "true")):
        root = ElementTree.fromstring(mathml(Abs(inside) ** 2))
        bars = [e for e in root.iter(f"{SPACE}mo") if e.text == "|"]
        assert [b.get("form") for b in bars] == ["prefix", "postfix"]
        assert {b.get("stretchy") for b in bars} == {stretchy}


def test_index_and_exponent_stand_above_each_other() -> None:
    root = ElementTree.fromstring(mathml(Symbol("tau_r") ** -2))
    assert root.find(f".//{SPACE}msubsup") is not None


def test_no_entities_and_no_hyphens() -> None:
    x = Symbol("x")
    text = mathml(Rational(-3, 2) * x * exp(-x) - 2)
    assert "&" not in text
    assert "-" not in "".join(t for _, t in parts(text))


def test_a_long_sum_is_broken_between_its_terms(gated: Theory) -> None:
    root = ElementTree.fromstring(mathml(gated.moments["moment_2"]))
    rows = root.findall(f".//{SPACE}mtr")
    assert len(rows) > 2
    assert all(len(row) == 2 for row in rows)
    signs = [e.text for row in rows[1:] for e in list(row[1].iter(f"{SPACE}mo"))[:1]]
    assert set(signs) <= {"+", "−"}

"""Equations look themselves up, explain themselves and print in every format."""

from xml.etree import ElementTree

import pytest
import sympy
from sympy import Function, Symbol, cos

from gatetheory.equations.process import ProcessAverage
from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.errors import ParameterError
from gatetheory.references import GATING, SCS

x, y = sympy.symbols("x y", real=True)
LARGE = Assumption("large N", "many units")
CLOSED = Assumption("closure", "gate constant")
FIRST = Equation(
    "Delta_h",
    Symbol("Delta_h"),
    x**2 / 2,
    "a variance",
    (Step("couplings", "linear"), Step("average", "done", x + y)),
    (LARGE,),
    (GATING,),
)
SECOND = Equation("Delta_r", Symbol("Delta_r"), cos(y), "", (), (LARGE, CLOSED), (SCS, GATING))
BOTH = EquationSet("fixed_points", (FIRST, SECOND))


def test_lookup_by_tag() -> None:
    assert BOTH["Delta_r"] is SECOND
    assert BOTH.tags == ("Delta_h", "Delta_r")
    assert list(BOTH) == [FIRST, SECOND]
    assert len(BOTH) == 2


def test_unknown_tags_name_the_nearest() -> None:
    with pytest.raises(ParameterError, match=r"fixed_points has no equation 'Delta_hh'.*Delta_h"):
        BOTH["Delta_hh"]
    with pytest.raises(ParameterError, match="Delta_h, Delta_r"):
        BOTH["zzz"]


def test_assumptions_and_references_once_each() -> None:
    assert BOTH.assumptions == (LARGE, CLOSED)
    assert BOTH.references == (GATING, SCS)


def test_residual_and_eq_are_not_evaluated_away() -> None:
    assert FIRST.residual == Symbol("Delta_h") - x**2 / 2
    trivial = Equation("one", x, x)
    assert isinstance(trivial.as_eq, sympy.Eq)
    assert trivial.text()


def test_the_explanation_has_every_step() -> None:
    text = FIRST.explain()
    for piece in ("[Delta_h] a variance", "1. couplings – linear", "2. average – done: x + y"):
        assert piece in text
    assert "assumes large N: many units" in text
    assert "Krishnamurthy" in text


def test_formats() -> None:
    assert FIRST.latex() == r"\Delta_{h} = \frac{x^{2}}{2}"
    assert FIRST._repr_latex_() == f"$\\displaystyle {FIRST.latex()}$"
    assert str(FIRST) == "Delta_h = x**2/2"
    assert "Δₕ" in FIRST.text()
    tree = ElementTree.fromstring(FIRST.mathml())
    assert tree.tag == "{http://www.w3.org/1998/Math/MathML}math"
    assert "=" in "".join(tree.itertext())
    assert BOTH._repr_latex_().count("&=") == 2
    assert "[Delta_h]  a variance" in str(BOTH)


# ---- averages over the process ---------------------------------------------------------------


def test_process_averages() -> None:
    h = Function("h", real=True)(Symbol("t"))
    assert ProcessAverage(sympy.Integer(3)) == 3
    average = ProcessAverage(h**2)
    assert average.is_nonnegative
    assert average.func(*average.args) == average
    assert str(average) == "<h(t)**2>"
    assert sympy.latex(average**2).endswith(r"\right\rangle^{2}")
    assert "⟨" in sympy.pretty(average, use_unicode=True)
    tree = ElementTree.fromstring(
        f"<math>{sympy.mathml(average + x, printer='presentation')}</math>"
    )
    assert "⟩" in "".join(tree.itertext())

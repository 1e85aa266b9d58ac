"""The whole theory of every published model: complete, printable, stable, symbolic."""

import html
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import sympy

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.provenance import Equation
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.model import zoo
from gatetheory.theory.derive import RESULTS, derive

TAGS = {
    "gated": {
        "single_site": ("C_eta_h", "C_eta_z", "C_eta_r"),
        "fixed_points": ("Delta_h", "Delta_z", "Delta_r"),
        "spectrum": ("boundary", "boundary_anywhere", "K_hh", "K_hr", "K_zh", "K_rh"),
        "moments": ("moment_1", "moment_2", "moment_3", "trace"),
    },
    "classical": {
        "single_site": ("C_eta_h",),
        "fixed_points": ("Delta_h",),
        "spectrum": ("boundary", "boundary_anywhere", "K_hh"),
        "moments": ("moment_1", "moment_2", "moment_3", "trace"),
    },
    "gru": {
        "single_site": ("C_eta_h", "C_eta_z", "C_eta_r"),
        "fixed_points": ("Delta_h", "Delta_z", "Delta_r"),
        "spectrum": ("boundary", "boundary_anywhere", "K_hh", "K_hr", "K_zh", "K_rh"),
    },
}
THEORIES = {name: derive(make()) for name, make in zoo.MODELS.items()}
EVERY = [
    pytest.param(equation, id=f"{name}-{result}-{equation.tag}")
    for name, results in TAGS.items()
    for result in results
    for equation in THEORIES[name].equations(result)
]


@pytest.mark.parametrize(("name", "result"), [(n, r) for n in TAGS for r in TAGS[n]])
def test_tags_are_stable(name: str, result: str) -> None:
    assert THEORIES[name].equations(result).tags == TAGS[name][result]
    assert result in RESULTS


@pytest.mark.parametrize("equation", EVERY)
def test_every_equation_is_explained_and_printable(equation: Equation) -> None:
    assert equation.meaning
    assert equation.assumptions
    assert equation.references
    assert equation.trace
    assert all(step.name and step.statement for step in equation.trace)
    text = equation.latex()
    assert text.count("{") == text.count("}")
    assert text.count(r"\left") == text.count(r"\right")
    assert equation.text()
    ElementTree.fromstring(html.unescape(equation.mathml()))
    for step in equation.trace:
        shown = sympy.latex(step.expression) if step.expression is not None else ""
        assert shown.count("{") == shown.count("}")
        assert not {"(", "^("} & {p for p in shown.split("_{")[1:] if p.startswith("(")}


@pytest.mark.parametrize("equation", EVERY)
def test_every_symbol_is_known(equation: Equation) -> None:
    """No local field, field or name of a helper is left free outside an average."""
    known = {p.name for m in zoo.MODELS.values() for p in m().parameters}
    known |= {"lambda", "Delta_h", "Delta_z", "Delta_r"}
    if "anywhere" not in equation.tag and not equation.tag.startswith("C_"):
        assert {s.name for s in equation.rhs.free_symbols} <= known


def test_the_derivation_starts_at_the_couplings() -> None:
    trace = THEORIES["gated"].fixed_points["Delta_h"].trace
    names = [step.name for step in trace]
    assert names[:3] == ["couplings", "average", "saddle point"]
    assert "rest" in names
    assert names[-1] == "reduced equation"
    boundary = [step.name for step in THEORIES["gated"].spectrum["boundary"].trace]
    assert boundary[0] == "couplings"
    assert "Jacobian" in boundary
    assert boundary[-1] == "reduced equation"


def test_deriving_twice_gives_the_same() -> None:
    again = derive(zoo.gated())
    for result, tags in TAGS["gated"].items():
        for tag in tags:
            assert again.equations(result)[tag] == THEORIES["gated"].equations(result)[tag]


def test_unknown_results_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"no result 'chaos'; there are single_site"):
        THEORIES["gated"].equations("chaos")
    with pytest.raises(DerivationError):
        THEORIES["gru"].equations("moments")


def test_a_theory_shows_itself() -> None:
    text = THEORIES["gated"]._repr_latex_()
    assert text.count("&=") == 4
    assert text.count("{") == text.count("}")


def test_averages_hold_only_what_they_average() -> None:
    """Every bound variable occurs, and none is left that could be integrated out."""
    for equation in (e for r in TAGS["gated"] for e in THEORIES["gated"].equations(r)):
        for average in equation.rhs.atoms(GaussianAverage):
            assert set(average.variables) <= average.integrand.free_symbols
            assert average.func(*average.args) == average


def test_the_symbolic_stages_load_no_numbers() -> None:
    code = (
        "import sys, gatetheory.theory.derive, gatetheory.theory.transitions, "
        "gatetheory.theory.limits, gatetheory.equations.bounds; "
        "print(*sorted({'numpy', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""

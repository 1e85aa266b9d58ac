"""The sections of the report that hold at any parameters: model, process and derived equations."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import TypeVar

from sympy import Eq, Symbol

from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.errors import DerivationError
from gatetheory.model import (
    ConstantInput,
    Coupling,
    GaussianInput,
    Model,
    TimeDependentInput,
    WhiteNoise,
)
from gatetheory.model.parts import Input
from gatetheory.presentation.findings import Findings
from gatetheory.presentation.html import Html, element, join, listing, prose, table
from gatetheory.presentation.markup import wrapped
from gatetheory.presentation.mathml import MathML, mathml
from gatetheory.presentation.text import interval_text
from gatetheory.references import Reference
from gatetheory.theory.derive import RESULTS, Theory
from gatetheory.theory.single_site import SingleSite

Key = TypeVar("Key")
LONG = 12  # terms above which an equation is folded away
TITLES = {
    "single_site": "Covariances of the Gaussian fields",
    "fixed_points": "Fixed points",
    "spectrum": "Spectrum of the Jacobian",
    "moments": "Moments of the Jacobian",
    "correlations": "Stationary correlations",
    "lyapunov": "Largest Lyapunov exponent",
    "two_time": "Covariances at two times",
    "gradients": "Gradients",
    "transitions": "Transitions",
}


def math_block(formula: str) -> Html:
    """A displayed formula that scrolls sideways where it does not fit."""
    return element("div", Html(formula), class_="math", tabindex="0")


def inline(expression: object) -> Html:
    """A formula inside a line of text."""
    return Html(mathml(expression, block=False))


# ---- model ---------------------------------------------------------------------------------------


def model_section(found: Findings) -> Html:
    """Laws, couplings, nonlinearities and parameters."""
    model = found.model
    kind = "Every field of every unit moves by" if model.time == "continuous" else (
        "At every step, each field of every unit is updated by"
    )  # fmt: skip
    pieces = [
        element("p", f"{kind}"),
        *(math_block(mathml(law)) for law in model.laws()),
        element("p", "Units talk through random couplings, drawn once:"),
        *(math_block(_coupling(c)) for c in model.couplings),
    ]
    if model.nonlinearities:
        x = Symbol("x", real=True)
        pieces.append(element("p", "The nonlinearities are"))
        for n in model.nonlinearities:
            law = mathml(Eq(n(x), n.definition(x), evaluate=False))
            note = element("span", prose(n.meaning), class_="note") if n.meaning else Html("")
            pieces.append(element("div", math_block(law), note, class_="with-note"))
    if model.inputs:
        pieces += [element("p", "Inputs:"), element("ul", *map(_input, model.inputs))]
    rows = [
        (
            inline(p.symbol),
            element("code", p.name),
            prose(p.meaning),
            interval_text(p.domain),
            str(p.default),
            element("strong", str(found.parameters[p.name])),
        )
        for p in model.parameters
    ]
    pieces.append(table(("", "name", "meaning", "domain", "default", "here"), rows, kind="params"))
    return join(pieces)


def _coupling(coupling: Coupling) -> str:
    """η_a of unit i as the sum over its inputs, and the law of the matrix."""
    printer = MathML()
    name, signal = coupling.name, printer.doprint(coupling.signal)
    matrix = f"<msubsup><mi>J</mi><mrow><mi>i</mi><mi>j</mi></mrow><mi>{name}</mi></msubsup>"
    variance = printer.doprint(coupling.variance / Symbol("N"))
    return wrapped(
        f"<mrow><msub><mi>η</mi><mrow><mi>{name}</mi><mo>,</mo><mi>i</mi></mrow></msub><mo>=</mo>"
        f"<munder><mo>∑</mo><mi>j</mi></munder>{matrix}"
        f'<msub><mrow><mo form="prefix" stretchy="false">[</mo>{signal}'
        f'<mo form="postfix" stretchy="false">]</mo></mrow><mi>j</mi></msub>'
        f'<mo>,</mo><mspace width="1.6em"/>{matrix}<mo>∼</mo><mi mathvariant="normal">N</mi>'
        f'<mrow><mo form="prefix">(</mo><mn>0</mn><mo>,</mo>{variance}'
        f'<mo form="postfix">)</mo></mrow></mrow>'
    )


def _input(source: Input) -> Html:
    name = inline(source.symbol)
    if isinstance(source, ConstantInput):
        return element("li", name, " = ", inline(source.value), ", the same for every unit")
    if isinstance(source, GaussianInput):
        words = ": static, Gaussian across units, mean ", " and variance "
        return element("li", name, words[0], inline(source.mean), words[1], inline(source.variance))
    if isinstance(source, WhiteNoise):
        return element("li", name, ": white noise of intensity ", inline(source.intensity))
    assert isinstance(source, TimeDependentInput)
    return element("li", name, ": the function of time ", inline(source.function))


# ---- process -------------------------------------------------------------------------------------


def process_section(found: Findings, assumptions: Assumptions) -> Html:
    """The single-unit process: classes of the fields, independence, covariances."""
    site = found.theory.single_site
    classes = [site.classes[f.symbol] for f in found.model.fields]
    rows = [(inline(c.field), c.kind, prose(c.reason)) for c in classes]
    text = (
        "Averaging over the couplings leaves one unit in Gaussian fields, independent of each "
        "other, and whose covariances are averages over that same unit."
    )
    return join(
        [
            element("p", text),
            *(equation_block("single_site", e, assumptions) for e in site.equations),
            table(("field", "class", "why"), rows),
            element("p", *_independence(site, found.model)),
        ]
    )


def _independence(site: SingleSite, model: Model) -> list[str]:
    units = [f.symbol for f in model.fields]
    if len(units) == 1:
        return ["There is but one field, so that no average factors."]
    free = [(x, y) for x, y in combinations(units, 2) if site.independent(x, y)]
    if not free:
        return ["No two fields are independent of each other."]
    named = [join([inline(x), " of ", inline(y)]) for x, y in free]
    return ["Independent, and factored in every average: ", listing(named), "."]


# ---- equations -----------------------------------------------------------------------------------


class Assumptions:
    """Assumptions and references in the order in which the page uses them."""

    def __init__(self) -> None:
        self.assumptions: dict[Assumption, int] = {}
        self.references: dict[Reference, int] = {}

    def names(self, used: Iterable[Assumption]) -> list[Html]:
        """Links to assumptions, by name."""
        return [
            element("a", a.name, href=f"#assumption-{self._number(self.assumptions, a)}")
            for a in used
        ]

    def marks(self, used: Iterable[Reference]) -> Html:
        """Links to references, by number."""
        return join(
            element("a", f"[{number}]", href=f"#reference-{number}")
            for number in (self._number(self.references, r) for r in used)
        )

    @staticmethod
    def _number(known: dict[Key, int], key: Key) -> int:
        return known.setdefault(key, len(known) + 1)


def equations_section(theory: Theory, assumptions: Assumptions) -> Html:
    """Every derived equation but those of the process, which have a section of their own."""
    pieces: list[Html] = []
    for result in RESULTS[1:]:
        pieces.append(element("h3", TITLES.get(result, result)))
        try:
            equations: EquationSet = theory.equations(result)
        except DerivationError as error:
            pieces.append(element("p", f"Not derived: {error}.", class_="missing"))
            continue
        pieces += [equation_block(result, e, assumptions) for e in equations]
    return join(pieces)


def equation_block(result: str, equation: Equation, assumptions: Assumptions) -> Html:
    """One equation with its tag, its meaning, and how it was derived."""
    tag = f"{result}.{equation.tag}"
    head = element(
        "p",
        element("a", tag, class_="tag", href=f"#{tag}"),
        element("span", prose(equation.meaning), class_="meaning"),
        class_="head",
    )
    formula = math_block(mathml(equation))
    terms = len(equation.rhs.args) if equation.rhs.is_Add else 1
    if terms > LONG:
        formula = element(
            "details", element("summary", f"the sum of {terms} terms"), formula, class_="formula"
        )
    steps = element("ol", *map(_step, equation.trace))
    sources = assumptions.marks(equation.references)
    rests = element(
        "p", "Assumes ", listing(assumptions.names(equation.assumptions)), ". ", sources
    )
    derivation = element("details", element("summary", "derivation"), steps, rests)
    return element("article", head, formula, derivation, class_="equation", id=tag)


def _step(step: Step) -> Html:
    name = element("b", step.name)
    words = element("span", name, " – ", prose(step.statement))
    if step.expression is None:
        return element("li", words)
    return element("li", words, math_block(mathml(step.expression)))

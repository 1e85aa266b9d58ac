"""The section of the report on transitions: where the network changes its behaviour."""

from __future__ import annotations

from collections.abc import Mapping

import mpmath
from sympy import Symbol

from gatetheory.presentation.html import Html, element, join, number, prose, table
from gatetheory.presentation.model_sections import inline
from gatetheory.solvers.transition_records import Transition, TransitionPoint
from gatetheory.theory.derive import Theory

_DIGITS = 15
_MEANING = {
    "zero-state": "the zero state loses stability",
    "fold": "two fixed points appear",
    "stability": "a non-zero fixed point loses or gains stability",
    "chaos": "an end of the chaotic state",
    "tricritical-static": "from here on fixed points appear before the zero state is lost",
    "tricritical-dynamic": "from here on chaos appears before the zero state is lost",
}


def transitions_section(theory: Theory, found: Mapping[str, Transition | str]) -> Html:
    """A table of every transition found, and why others are missing."""
    along = theory.model.parameters[0].name
    rows: list[list[str]] = []
    notes = []
    for kind, answer in found.items():
        if isinstance(answer, str):
            notes.append(element("p", prose(f"{_MEANING[kind]}: {answer}."), class_="missing"))
            continue
        if not len(answer):
            searched = answer.searched
            notes.append(element("p", prose(f"{kind}: none found; {searched}."), class_="missing"))
        rows += [_row(kind, answer, point) for point in answer]
    words = element(
        "p", "Along ", inline(Symbol(along)), ", the other parameters as above; tricritical points "
        "in the parameters named beside them.",
    )  # fmt: skip
    header = ["", "where", "how", "digits", "order parameters there"]
    shown = table(header, rows, kind="numbers") if rows else Html("")
    return join([words, shown, *notes])


def _row(kind: str, answer: Transition, point: TransitionPoint) -> list[str]:
    values = point.value if isinstance(point.value, Mapping) else {answer.along[0]: point.value}
    digits = max(1, min(point.digits, _DIGITS))
    places = [
        join([inline(Symbol(n)), " = ", Html(mpmath.nstr(mpmath.mpf(v), digits))])
        for n, v in values.items()
    ]
    return [
        prose(_MEANING[kind]),
        join(places, ", "),
        "in a fold" if point.kind == "fold" else "continuously",
        str(point.digits),
        join([join([inline(Symbol(n)), " = ", number(v, 6)]) for n, v in point.at.items()], ", "),
    ]

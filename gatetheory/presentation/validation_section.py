"""The section of the report that puts theory beside simulation."""

from __future__ import annotations

from itertools import groupby

from sympy import Symbol

from gatetheory.comparison import LIMIT, Comparison, Validation
from gatetheory.presentation.drawing import svg
from gatetheory.presentation.figures import plot_validation
from gatetheory.presentation.findings import Findings, Missing
from gatetheory.presentation.html import Html, element, join, number, prose, uncertain
from gatetheory.presentation.model_sections import inline
from gatetheory.presentation.result_sections import VERDICTS, figure, missing


def validation_section(found: Findings) -> Html:
    """Theory beside simulation."""
    validation = found.validation
    if isinstance(validation, Missing):
        return missing(validation)
    sizes = ", ".join(map(str, validation.units))
    intro = (
        f"Each quantity beside {validation.seeds} independent networks of each size, N = {sizes}. "
        "Networks that run in time are larger; the table says so. "
        f"The verdict is “agrees” within {LIMIT:g} standard errors."
    )
    drawing = svg(plot_validation(validation), "validation", "Theory and simulation compared")
    caption = (
        "Simulation minus theory in standard errors; bars are one standard error, the grey band "
        f"is ±{LIMIT:g}. Crosses: comparisons that fail."
    )
    return join(
        [
            element("p", intro),
            figure(drawing, caption),
            comparisons(validation),
            *(
                element("p", prose(f"Not compared: {r}"), class_="missing")
                for r in validation.remarks
            ),
        ]
    )


def comparisons(validation: Validation) -> Html:
    """The table, a body for each place at which quantities are compared."""
    header = ("quantity", "theory", "simulation", "± s.e.", "z", "verdict")
    bodies = []
    for meaning, rows in groupby(validation, key=lambda r: r.meaning):
        group = list(rows)
        common = group[0].note
        title = element("th", prose(meaning), class_="place", colspan="6", scope="rowgroup")
        if common:
            title = element(
                "th",
                prose(meaning),
                element("span", prose(common), class_="remark"),
                class_="place",
                colspan="6",
                scope="rowgroup",
            )
        lines = [element("tr", title), *(_comparison_row(r, common) for r in group)]
        bodies.append(element("tbody", *lines))
    top = element("thead", element("tr", *(element("th", h, scope="col") for h in header)))
    inner = element("table", top, *bodies, class_="numbers comparisons")
    return element("div", inner, class_="wide", tabindex="0", role="region", aria_label="table")


def _comparison_row(row: Comparison, common: str) -> Html:
    kind = {"agrees": "good", "differs": "bad"}.get(row.verdict, "open")
    remark = row.note.removeprefix(common).lstrip("; ")
    cells = [
        uncertain(row.theory, row.theory_error, 6),
        number(row.simulation, 6),
        number(row.stderr, 2),
        "–" if row.z is None else f"{row.z:+.2f}".replace("-", "−"),
        element("span", VERDICTS[row.verdict], class_=f"verdict {kind}"),
    ]
    covariance = row.quantity.startswith("C_")
    name = [inline(Symbol(row.quantity)) if covariance else prose(row.quantity)]
    if remark:
        name.append(element("span", prose(remark), class_="remark"))
    return element(
        "tr", element("th", *name, scope="row"), *(element("td", cell) for cell in cells)
    )

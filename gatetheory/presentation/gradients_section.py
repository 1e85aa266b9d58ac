"""The section of the report on gradients: their size, and how they grow with the horizon."""

from __future__ import annotations

from dataclasses import replace

from gatetheory.comparison import Comparison, Validation
from gatetheory.equations.provenance import Equation
from gatetheory.errors import ParameterError
from gatetheory.presentation.chaos_section import equation_list, fact_list, without_stop
from gatetheory.presentation.drawing import svg
from gatetheory.presentation.findings import Findings, Missing
from gatetheory.presentation.gradient_report_figure import plot_gradient_state
from gatetheory.presentation.html import Html, element, join, number, prose, table, uncertain
from gatetheory.presentation.result_sections import figure, missing
from gatetheory.presentation.validation_section import comparisons
from gatetheory.solvers.gradient_records import Gradients
from gatetheory.theory.derive import Theory
from gatetheory.validation.gradient_state import COMPARED, GradientState
from gatetheory.validation.gradients import MOVING, RESTING, networks

_BY_COUPLING, _BY_PARAMETER = ("mu_", "C_zeta_", "Q_"), ("v_", "C_delta_", "C_eta_delta_")
_CAPTION = (
    "Second moment of the loss's gradient by an entry of each coupling, against the horizon: how "
    "far back the loss is carried. Points are networks, with bars of two standard errors."
)


def gradients_section(found: Findings) -> Html:
    """Equations, Q_a(T), E[(dL/dθ)²], growth, and networks beside them; or why there are none."""
    state = found.gradients
    if isinstance(state, Missing):
        return missing(state)
    solved = state.theory
    if solved is None or not state.exists:
        told = [missing(Missing(without_stop(r))) for r in state.remarks]
        return join(told or [missing(Missing("no gradients"))])
    pieces = [
        element("p", *_introduction(solved)),
        *equation_list("gradients", _chosen(found.theory, _BY_COUPLING)),
        _values(state, solved),
        *_drawn(state, found.model.time == "discrete"),
        element("h3", "Growth with the horizon"),
        _growth(state, solved, found.model.time == "discrete"),
    ]
    if solved.parameters:
        pieces += [
            element("h3", "By parameters"),
            element("p", "From sensitivities, marched forward: sums over units feel correlations "
                         "between them that the adjoint's average leaves out."),
            *equation_list("gradients", _chosen(found.theory, _BY_PARAMETER)),
        ]  # fmt: skip
    pieces += _rows(found.validation)
    pieces += [element("p", prose(f"{without_stop(r)}."), class_="missing") for r in state.remarks]
    return join(pieces)


def _introduction(solved: Gradients) -> list[str]:
    place = "the chaotic state" if solved.state == "chaotic" else "the stable fixed point"
    return [
        "Loss L = ",
        element("i", solved.loss.split(" (")[0].replace("*", " ")),
        ", summed over units and divided by √N, at the end of the horizon; weights ",
        element("i", "c"),
        f" of random sign, on {place}. Closure ",
        element("b", solved.closure),
        ": ",
        prose(f"{without_stop(solved.reason)}."),
    ]


def _chosen(theory: Theory, stems: tuple[str, ...]) -> list[Equation]:
    return [e for e in theory.gradients.equations if e.tag.startswith(stems)]


def _values(state: GradientState, solved: Gradients) -> Html:
    """Every second moment at a few horizons, networks beside it."""
    places = sorted({0, *COMPARED})
    header = [""]
    for k in places:
        header += [prose(f"T = {solved.horizons[k]:g}"), "networks"]
    rows = []
    for name, (values, errors) in state.values.items():
        cells: list[str] = [prose(name)]
        for k in places:
            error = errors[k] if solved.sampled else None
            cells.append(uncertain(values[k], error, 4 if solved.sampled else 8))
            cells.append(_beside(state, name, k))
        rows.append(cells)
    return table(header, rows, kind="numbers")


def _beside(state: GradientState, name: str, index: int) -> Html:
    if not state.samples:
        return Html("–")
    return uncertain(*networks(state, name, index), 4)


def _drawn(state: GradientState, discrete: bool) -> list[Html]:
    try:
        drawing = svg(
            plot_gradient_state(state, discrete=discrete), "gradient", "Gradients over the horizon"
        )
    except ParameterError:
        return [element("p", "Every gradient by a coupling vanishes at this state: no unit sends.")]
    shown = f"{_CAPTION} {state.note[:1].upper()}{state.note[1:]}." if state.note else _CAPTION
    return [figure(drawing, shown)]


def _growth(state: GradientState, solved: Gradients, discrete: bool) -> Html:
    """The adjoint's growth exponent beside what the forward theory says."""
    forward = "ln of the spectral radius" if discrete else "spectral abscissa"
    if solved.state == "chaotic":
        forward = "largest Lyapunov exponent"
    exponent = solved.growth_exponent
    rows: list[tuple[str, str]] = [
        (prose("|λ|² grows backward at rate"), uncertain(exponent, solved.growth_error, 10)),
        (f"twice the {forward}", number(state.rate, 10)),
        ("residual", number(solved.residual, 1)),
    ]
    meaning = "" if exponent is None else (
        "Gradients explode with the horizon." if exponent > 0 else
        "Gradients vanish with the horizon."
    )  # fmt: skip
    return join([fact_list(rows), *([element("p", meaning)] if meaning else [])])


def _rows(validation: Validation | Missing) -> list[Html]:
    if isinstance(validation, Missing):
        return []
    rows: tuple[Comparison, ...] = tuple(r for r in validation if r.meaning in (MOVING, RESTING))
    if not rows:
        return []
    return [element("h3", "Beside networks"), comparisons(replace(validation, rows=rows))]

"""The section of the report on the chaotic state: correlations and Lyapunov exponent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sympy import Expr, Symbol

from gatetheory.comparison import Comparison, Validation
from gatetheory.equations.provenance import Equation
from gatetheory.errors import DerivationError
from gatetheory.presentation.chaos_figures import plot_finite_size, plot_stationary
from gatetheory.presentation.drawing import svg
from gatetheory.presentation.findings import Findings, Missing
from gatetheory.presentation.html import Html, element, join, number, prose, table, uncertain
from gatetheory.presentation.mathml import mathml
from gatetheory.presentation.model_sections import inline, math_block
from gatetheory.presentation.result_sections import figure, missing
from gatetheory.presentation.validation_section import comparisons
from gatetheory.solvers.correlation_records import Correlations
from gatetheory.solvers.sampled_records import SampledCorrelations
from gatetheory.theory.derive import Theory
from gatetheory.theory.lyapunov import derive_lyapunov
from gatetheory.validation.chaos import MEANING, usable_sizes
from gatetheory.validation.chaotic_state import ChaoticState
from gatetheory.validation.estimates import listed


def chaos_section(found: Findings) -> Html:
    """Equations, values, C(τ), λ_max, and networks beside them; or why there is no such state."""
    state = found.chaos
    if isinstance(state, Missing):
        return missing(state)
    if not state.exists or state.correlations is None:
        told = [missing(Missing(without_stop(r))) for r in state.remarks]
        return join(told or [missing(Missing("no chaotic state"))])
    theory, closure = found.theory, state.correlations.closure
    pieces = [
        element("p", *_closure(theory, found)),
        element("h3", "Stationary correlations"),
        *equation_list("correlations", _correlation_equations(theory, closure)),
        _values(state, state.correlations, found.validation),
        _facts(state, state.correlations),
        figure(
            svg(plot_stationary(state), "correlations", "Correlation function"),
            f"Covariance of {state.main.removeprefix('C_')} at a lag. {_points(state)}",
        ),
        element("h3", "Largest Lyapunov exponent"),
        *equation_list("lyapunov", _growth_equations(theory, closure)),
        *_exponent(state),
        *_rows(found.validation),
        *(element("p", prose(f"{without_stop(r)}."), class_="missing") for r in state.remarks),
    ]
    return join(pieces)


def _closure(theory: Theory, found: Findings) -> list[str]:
    problem = theory.correlations
    name, reason = problem.closure(found.model.bind(dict(found.parameters)), None)
    return [
        "The state in which the network keeps moving. Closure ",
        element("b", name),
        ": ",
        prose(f"{without_stop(reason)}."),
    ]


# ---- equations -----------------------------------------------------------------------------------


def _correlation_equations(theory: Theory, closure: str) -> list[Equation]:
    state = theory.correlations
    if closure not in state.lag_systems:
        return list(state.process.equations)
    return _among(state.equations, (e.residual for e in state.lag_systems[closure].equations))


def _growth_equations(theory: Theory, closure: str) -> list[Equation]:
    """Those of the two-replica problem; without lag equations paths are perturbed instead."""
    if closure not in theory.correlations.lag_systems:
        return []
    try:
        wanted = derive_lyapunov(theory.single_site, theory.correlations.lag_systems[closure])
    except DerivationError:
        return []
    return _among(theory.lyapunov.equations, (e.residual for e in wanted))


def _among(equations: Iterable[Equation], residuals: Iterable[Expr]) -> list[Equation]:
    known = list(residuals)
    return [e for e in equations if e.residual in known]


def equation_list(result: str, equations: list[Equation]) -> list[Html]:
    """Formulas with links to where they are derived."""
    shown = []
    for e in equations:
        link = element("a", f"{result}.{e.tag}", class_="tag", href=f"#{result}.{e.tag}")
        words = element("span", prose(e.meaning), class_="meaning")
        shown += [element("p", link, words, class_="head"), math_block(mathml(e))]
    return [element("div", *shown, class_="equation")] if shown else []


# ---- values --------------------------------------------------------------------------------------


def _values(
    state: ChaoticState,
    found: Correlations | SampledCorrelations,
    validation: Validation | Missing,
) -> Html:
    """C(0) and C(∞) of every covariance, networks beside them."""
    sampled = isinstance(found, SampledCorrelations)
    values = found.values if isinstance(found, SampledCorrelations) else found[-1].values
    plateaus = found.plateaus if isinstance(found, SampledCorrelations) else found[-1].plateaus
    seen = {r.quantity: r for r in _chaotic(validation)}
    header = ["", prose("C(0)"), prose("C(∞)"), "networks"]
    rows = []
    for name, value in values.items():
        error = found.errors[name] if isinstance(found, SampledCorrelations) else None
        row = seen.get(name)
        networks = Html("–") if row is None else uncertain(row.simulation, row.stderr, 5)
        static = number(plateaus[name], 4 if sampled else 8)
        rows.append(
            [inline(Symbol(name)), uncertain(value, error, 6 if sampled else 10), static, networks]
        )
    return table(header, rows, kind="numbers")


def _facts(state: ChaoticState, found: Correlations | SampledCorrelations) -> Html:
    rows: list[tuple[str, str]]
    if isinstance(found, SampledCorrelations):
        rows = [
            ("half width", uncertain(found.half_width, found.half_width_error, 4)),
            ("sampled", f"{found.replicas} replicas, {found.paths} paths over {found.window:g}"),
            ("error of the step", number(found.step_error, 1)),
            ("residual", number(found.residual, 1)),
        ]
        if found.advice:
            rows.append(("note", prose(found.advice)))
    else:
        last = found[-1]
        rows = [
            ("half width", number(last.half_width, 8)),
            ("relative error of C(0)", number(last.error, 1)),
            ("residual by a finer rule", number(last.residual, 1)),
        ]
        if len(found) > 1:
            sizes = join([number(b[b.main], 6) for b in found], ", ")
            rows.append((f"{len(found)} states", join([prose(f"{state.main} = "), sizes,
                                                       "; the last is shown"])))  # fmt: skip
    return fact_list(rows)


def _exponent(state: ChaoticState) -> list[Html]:
    exponent = state.lyapunov
    if exponent is None or exponent.value is None:
        return []
    rows: list[tuple[str, str]] = [
        ("λ, the largest", uncertain(exponent.value, exponent.error, 10)),
        ("residual, as a change of λ", number(exponent.residual, 1)),
        ("half width × λ", number(state.half_width * exponent.value, 4)),
    ]
    if exponent.closure == "sampled":
        words = "From paths of perturbations that are drawn with the states they perturb."
        pieces = [element("p", words), fact_list(rows)]
    else:
        pieces = [fact_list(rows)]
    if state.sizes:
        caption = (
            "Finite networks differ from the limit of many units by a bias that falls like 1/N. "
            "Each point is the mean over the networks of one size."
        )
        drawing = svg(plot_finite_size(state), "exponent", "Largest Lyapunov exponent over 1/N")
        pieces.append(figure(drawing, caption))
    return pieces


def _points(state: ChaoticState) -> str:
    if not state.sizes:
        return "No networks were simulated."
    used, left_out = usable_sizes(state)
    if len(used) > 1:
        text = f"Networks of N = {listed(used)} are extrapolated in 1/N, lag by lag."
        return f"{text} Left out: {left_out}." if left_out else text
    return f"Points are means over networks of N = {state.sizes[-1]}; too few sizes to extrapolate."


# ---- comparisons ---------------------------------------------------------------------------------


def _rows(validation: Validation | Missing) -> list[Html]:
    rows = _chaotic(validation)
    if isinstance(validation, Missing) or not rows:
        return []
    return [element("h3", "Beside networks"), comparisons(replace(validation, rows=rows))]


def _chaotic(validation: Validation | Missing) -> tuple[Comparison, ...]:
    if isinstance(validation, Missing):
        return ()
    return tuple(r for r in validation if r.meaning == MEANING)


def fact_list(rows: list[tuple[str, str]]) -> Html:
    """Names and values, one below the other."""
    pairs = (join([element("dt", name), element("dd", value)]) for name, value in rows)
    return element("dl", *pairs, class_="facts")


def without_stop(text: str) -> str:
    """Text without its full stop, which the sentence around it brings."""
    return text.rstrip(".")

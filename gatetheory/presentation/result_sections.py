"""The sections of the report that hold at its parameters: at a glance, solutions, spectrum."""

from __future__ import annotations

from gatetheory.comparison import Validation
from gatetheory.presentation.drawing import svg
from gatetheory.presentation.figures import plot_fixed_points, plot_spectrum
from gatetheory.presentation.findings import Findings, Missing, Sample
from gatetheory.presentation.html import Html, element, join, number, prose, table, uncertain
from gatetheory.solvers.records import FixedPoint, FixedPoints, Moments, Spectrum

VERDICTS = {"agrees": "✓ agrees", "differs": "✗ differs", "not compared": "– not compared"}
_ORIGINS = {
    "boundary": "where the boundary of the bulk reaches farthest",
    "atom": "an atom outside the bulk",
    "edge": "the end of a segment, approached from below as N → ∞",
}


def figure(drawing: str, caption: str) -> Html:
    """A figure with its caption."""
    return element("figure", Html(drawing), element("figcaption", prose(caption)))


def missing(what: Missing) -> Html:
    """Why something is not there."""
    return element("p", prose(f"Not available: {what.reason}."), class_="missing")


# ---- at a glance ---------------------------------------------------------------------------------


def glance_section(found: Findings) -> Html:
    """What came out, in a few numbers."""
    cards = []
    if isinstance(found.points, FixedPoints):
        stable = sum(bool(p.stable) for p in found.points)
        cards.append(_card("fixed points", str(len(found.points)), f"{stable} stable"))
    last = found.spectra[-1] if found.spectra else None
    if isinstance(last, Spectrum):
        at = "the last fixed point" if len(found.spectra) > 1 else "the fixed point"
        word = "stable" if last.stable else "unstable"
        cards.append(_card(f"spectral {last.quantity} at {at}", number(last.value, 6), word))
    cards += _chaos_card(found)
    if isinstance(found.validation, Validation):
        compared = [r for r in found.validation if r.verdict != "not compared"]
        agree = sum(r.verdict == "agrees" for r in compared)
        kind = "good" if found.validation.passed else "bad"
        word = VERDICTS["agrees"] if found.validation.passed else VERDICTS["differs"]
        count = f"{agree} of {len(compared)}"
        cards.append(_card("comparisons with networks agree", count, word, kind))
    return element("div", *cards, class_="cards") if cards else Html("")


def _chaos_card(found: Findings) -> list[Html]:
    """The largest Lyapunov exponent, or that there is no chaotic state."""
    if isinstance(found.chaos, Missing):
        return []
    exponent = found.chaos.lyapunov
    if exponent is not None and exponent.value is not None:
        word = "chaotic" if exponent.value > 0 else "not chaotic"
        return [_card("largest Lyapunov exponent", number(exponent.value, 6), word)]
    known = found.chaos.correlations
    if known is not None and known.status == "no_chaotic_state":
        return [_card("largest Lyapunov exponent", "–", "no chaotic state")]
    return []


def _card(label: str, number: str, word: str, kind: str = "") -> Html:
    return element(
        "div",
        element("span", label, class_="label"),
        element("span", number, class_="number"),
        element("span", word, class_=f"word {kind}".strip()),
        class_="card",
    )


# ---- solutions -----------------------------------------------------------------------------------


def solutions_section(found: Findings) -> Html:
    """All fixed points, and the picture of their self-consistency."""
    points = found.points
    if isinstance(points, Missing):
        return missing(points)
    names = list(points[0].values) if len(points) else []
    edges = {"abscissa"} if found.model.time == "continuous" else {"radius"}
    header = ["branch", *map(prose, names), "stability", *edges, "residual"]
    rows = [_point_row(k, p, names, s) for k, (p, s) in enumerate(zip(points, found.spectra))]  # noqa: B905
    proved = "" if points.complete else " The search is not proved complete."
    pieces = [
        element("p", prose(f"Searched: {points.searched}.{proved}")),
        table(header, rows, kind="numbers"),
    ]
    problem = found.theory.fixed_points
    if len(problem.core) == 1:
        name = problem.core[0].name
        plain = svg(plot_fixed_points(points, problem), "map", "Self-consistency map")
        ratio = svg(
            plot_fixed_points(points, problem, ratio=True), "ratio", "Map over its argument"
        )
        caption = (
            f"The self-consistency {name} = G({name}), all other order parameters put in. "
            "Solutions are marked, filled where the network is stable. The second panel shows the "
            "quotient, over all scales."
        )
        both = element("div", Html(plain), Html(ratio), class_="pair")
        pieces.append(element("figure", both, element("figcaption", prose(caption))))
    else:
        count = len(problem.core)
        pieces.append(
            element("p", f"The equations couple {count} unknowns; there is no curve to draw.")
        )
    return join(pieces)


def _point_row(
    branch: int, point: FixedPoint, names: list[str], spectrum: Spectrum | Missing
) -> list[str]:
    stable = {True: "stable", False: "unstable", None: "unknown"}[point.stable]
    edge = "–" if isinstance(spectrum, Missing) else number(spectrum.value, 8)
    double = " (double)" if point.multiple else ""
    return [
        f"{branch}{double}",
        *(uncertain(point[name], point.errors[name]) for name in names),
        stable,
        edge,
        number(point.residual, 1),
    ]


# ---- spectrum ------------------------------------------------------------------------------------


def spectrum_section(found: Findings) -> Html:
    """The boundary over simulated eigenvalues, and the moments."""
    if not found.spectra:
        return missing(Missing("there is no fixed point to take the Jacobian at"))
    spectrum = found.spectra[-1]
    if isinstance(spectrum, Missing):
        return missing(spectrum)
    sample = found.sample
    eigenvalues = sample.eigenvalues if isinstance(sample, Sample) else None
    drawing = svg(plot_spectrum(spectrum, eigenvalues), "spectrum", "Spectrum of the Jacobian")
    caption = "Support of the Jacobian's spectrum at the last fixed point"
    if isinstance(sample, Sample):
        caption += (
            f", over the eigenvalues of one network of N = {sample.units} units, drawn at a state "
            "with the same variances"
        )
    facts = _facts(spectrum)
    return join([figure(drawing, f"{caption}."), facts, _moments(found)])


def _facts(spectrum: Spectrum) -> Html:
    discrete = spectrum.quantity == "radius"
    stays = "inside the unit circle" if discrete else "left of the imaginary axis"
    crosses = "beyond the unit circle" if discrete else "across the imaginary axis"
    verdict = f"stable: {stays}" if spectrum.stable else f"unstable: the support reaches {crosses}"
    rows = [
        (f"spectral {spectrum.quantity}", uncertain(spectrum.value, spectrum.error)),
        ("determined by", _ORIGINS.get(spectrum.origin, spectrum.origin)),
        ("stability", verdict),
    ]
    if spectrum.atoms:
        shown = join([_complex(a) for a in spectrum.atoms], ", ")
        rows.append(("atoms", join([shown, ", N eigenvalues of each"])))
    for low, high in spectrum.segments:
        ends = join([number(low, 6), number(high, 6)], ", ")
        rows.append(("segment", join(["[", ends, "] belongs to the support"])))
    if spectrum.origin == "boundary":
        rows.append(("residual on the boundary", number(spectrum.residual, 1)))
    pairs = (join([element("dt", name), element("dd", value)]) for name, value in rows)
    return element("dl", *pairs, class_="facts")


def _complex(value: complex) -> Html:
    if value.imag == 0:
        return number(value.real, 6)
    sign = " + " if value.imag > 0 else " − "
    return join([number(value.real, 6), sign, number(abs(value.imag), 6), "i"])


def _moments(found: Findings) -> Html:
    heading = element("h3", "Moments")
    if isinstance(found.moments, Missing):
        return join([heading, missing(found.moments)])
    sample = found.sample if isinstance(found.sample, Sample) else None
    moments: Moments = found.moments
    header = ["(1/N) Tr", "theory", "error"]
    header += [f"one network, N = {sample.units}"] if sample else []
    names = [prose(n) for n in ("D", "D Dᵀ", "(D Dᵀ)^2", "(D Dᵀ)^3")]
    theory = [(moments.trace, None), *zip(moments.values, moments.errors, strict=True)]
    seen = [sample.trace, *sample.moments] if sample else []
    rows = []
    for k, (name, (value, error)) in enumerate(zip(names, theory, strict=True)):
        row = [name, number(value, 12), number(error, 1)]
        rows.append(row + ([number(seen[k], 6)] if sample else []))
    return join([heading, table(header, rows, kind="numbers")])

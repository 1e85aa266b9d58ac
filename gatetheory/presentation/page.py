"""The report: one self-contained page about a model at given parameters."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import import_module, metadata, resources
from pathlib import Path
from string import Template
from typing import Any

from gatetheory.errors import ParameterError
from gatetheory.model import Model, zoo
from gatetheory.presentation.chaos_section import chaos_section
from gatetheory.presentation.findings import SEED, Findings, Missing, Progress, Sample, gather
from gatetheory.presentation.gradients_section import gradients_section
from gatetheory.presentation.html import Html, element, join, prose
from gatetheory.presentation.model_sections import (
    Assumptions,
    equations_section,
    inline,
    model_section,
    process_section,
)
from gatetheory.presentation.result_sections import (
    glance_section,
    missing,
    solutions_section,
    spectrum_section,
)
from gatetheory.presentation.transitions_section import transitions_section
from gatetheory.presentation.validation_section import validation_section
from gatetheory.references import Reference
from gatetheory.validation.chaotic_state import ACCURACY

LIBRARIES = ("sympy", "mpmath", "numpy", "scipy", "matplotlib")


def report(
    model: Model | None = None,
    at: Mapping[str, Any] | None = None,
    out: str | Path = "out",
    *,
    units: tuple[int, ...] | int | None = None,
    seeds: int | None = None,
    dynamics: bool = True,
    accuracy: float = ACCURACY,
    progress: Progress | None = None,
) -> Path:
    """Derive, solve, validate, and write one self-contained HTML page.

    Args:
        model: The model; by default ``zoo.gated()``.
        at: Parameters by name; the rest take their defaults.
        out: Folder of the page; made if there is none.
        units: Sizes of the simulated networks; see :func:`gatetheory.validate`.
        seeds: Independent networks of each size.
        dynamics: Whether to study the chaotic state too, which takes the longest.
        accuracy: Relative standard error of its correlations where they must be sampled.
        progress: Called with (per cent done, 100).

    Returns:
        Path of the page, ``<out>/<model>.html``. The same call writes the same bytes.

    Raises:
        ParameterError: For parameters or sizes that make no sense, or a folder that cannot be made.
    """
    chosen = {"dynamics": dynamics, "accuracy": accuracy}
    return write_report(model or zoo.gated(), at, out, units, seeds, progress, **chosen)[0]


def write_report(
    model: Model,
    at: Mapping[str, Any] | None,
    out: str | Path,
    units: tuple[int, ...] | int | None,
    seeds: int | None,
    progress: Progress | None,
    **dynamics: Any,
) -> tuple[Path, Findings]:
    """The page's path, and what it shows; see :func:`report`."""
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ParameterError(f"cannot make the folder {folder}: {error.strerror}") from error
    found = gather(model, at, units, seeds, progress, **dynamics)
    path = folder / f"{model.name}.html"
    path.write_text(page(found), encoding="utf-8")
    return path, found


def page(found: Findings) -> str:
    """The page as text."""
    assumptions = Assumptions()
    # In the order of the page, in which assumptions and references are numbered.
    sections = [
        ("model", "Model", model_section(found)),
        ("process", "Single-site process", process_section(found, assumptions)),
        ("equations", "Derived equations", equations_section(found.theory, assumptions)),
        ("solutions", "Solutions", solutions_section(found)),
        ("spectrum", "Spectrum", spectrum_section(found)),
        ("chaos", "Chaotic state", chaos_section(found)),
        ("gradients", "Gradients", gradients_section(found)),
        ("transitions", "Transitions", _transitions(found)),
        ("validation", "Theory and simulation", validation_section(found)),
    ]
    assumptions.marks(found.model.references)
    sections += [
        ("assumptions", "Assumptions", _assumptions(assumptions)),
        ("references", "References", _references(assumptions)),
    ]
    files = resources.files("gatetheory.presentation")
    template = Template(files.joinpath("page.html").read_text(encoding="utf-8"))
    model = found.model
    return template.substitute(
        style=files.joinpath("style.css").read_text(encoding="utf-8"),
        name=element("span", model.name),
        title=element("span", model.title or f"random network in {model.time} time"),
        parameters=_parameters(found),
        glance=glance_section(found),
        contents=join(
            element("li", element("a", title, href=f"#{key}")) for key, title, _ in sections
        ),
        sections=join(
            element("section", element("h2", title), body, id=key) for key, title, body in sections
        ),
        footer=_footer(found),
    )


def _transitions(found: Findings) -> Html:
    if isinstance(found.transitions, Missing):
        return missing(found.transitions)
    return transitions_section(found.theory, found.transitions)


def _parameters(found: Findings) -> Html:
    symbols = found.model.symbols
    return join(
        element("span", inline(symbols[name]), f" = {value}", class_="setting")
        for name, value in found.parameters.items()
    )


def _assumptions(assumptions: Assumptions) -> Html:
    return element(
        "dl",
        *(
            join([element("dt", a.name, id=f"assumption-{n}"), element("dd", prose(a.statement))])
            for a, n in assumptions.assumptions.items()
        ),
        class_="assumptions",
    )


def _references(assumptions: Assumptions) -> Html:
    return element(
        "ol",
        *(
            element("li", *_reference(r), id=f"reference-{n}")
            for r, n in assumptions.references.items()
        ),
    )


def _reference(source: Reference) -> list[str]:
    pieces: list[str] = [f"{source.authors}, ", element("cite", source.title)]
    pieces.append(f", {source.journal} ({source.year})")
    if source.doi:
        link = element("a", f"doi:{source.doi}", href=f"https://doi.org/{source.doi}")
        pieces += [", ", link]
    if source.arxiv:
        link = element("a", f"arXiv:{source.arxiv}", href=f"https://arxiv.org/abs/{source.arxiv}")
        pieces += [", ", link]
    return pieces


def _footer(found: Findings) -> Html:
    version = import_module(__name__.partition(".")[0]).__version__
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    settings = " ".join(f"{name}={value}" for name, value in found.parameters.items())
    pieces = [
        element("h2", "How this page was made"),
        element("p", f"gatetheory {version}, Python {platform.python_version()}, "
                f"{versions}."),
    ]  # fmt: skip
    if found.model.name in zoo.MODELS:
        command = f"gatetheory report {found.model.name} --set {settings}"
        pieces.append(element("p", "The command ", element("code", command), " makes it again."))
    if isinstance(found.sample, Sample):
        note = f"The network whose eigenvalues are shown has seed {SEED}; "
        more = "those of the comparison have seeds made of their size and their number."
        pieces.append(element("p", f"{note}{more} The same call writes the same page."))
    return join(pieces)

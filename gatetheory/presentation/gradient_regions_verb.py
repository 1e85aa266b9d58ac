"""The verb ``gradient-regions`` of the command line: a figure, and what is in it as numbers."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from gatetheory.errors import ParameterError
from gatetheory.model import Model
from gatetheory.pipeline import derive
from gatetheory.presentation import json_records as records
from gatetheory.presentation.drawing import svg
from gatetheory.presentation.gradient_region_figure import plot_gradient_regions
from gatetheory.presentation.numerals import json_finite
from gatetheory.presentation.progress import progress_bar
from gatetheory.presentation.settings import model_of, number_of, values_of
from gatetheory.transitions import GradientRegions, gradient_regions
from gatetheory.transitions.gradient_region_records import KINDS

OK = 0
FIGURE, NUMBERS = "gradient_regions.svg", "gradient_regions.json"


def gradient_regions_verb(options: Namespace) -> int:
    """Tell regions of vanishing, marginal and exploding gradients apart and draw them."""
    model = model_of(options.model)
    at = values_of("--set", options.settings)
    for name in (options.x[0], options.y[0]):
        if name in at:
            raise ParameterError(f"{name} is an axis; do not set it")
    model.bind(at)
    horizon = number_of("--horizon", options.horizon)
    theory = derive(model)
    with progress_bar("gradients", shown=not (options.quiet or options.json)) as bar:
        found = gradient_regions(
            theory, tuple(options.x), tuple(options.y), at, horizon=horizon,
            closure=options.closure, progress=bar,
        )  # fmt: skip
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    title = f"Growth of gradients of {model.name} in {found.x} and {found.y}"
    (folder / FIGURE).write_text(svg(plot_gradient_regions(found), "regions", title), "utf-8")
    record = gradient_regions_record(model, found) | {"value": str(folder / FIGURE)}
    (folder / NUMBERS).write_text(records.dumps(record) + "\n", "utf-8")
    if options.json:
        print(records.dumps(record))
    else:
        print(found)
        print(folder / FIGURE)
        print(folder / NUMBERS)
    return OK


def gradient_regions_record(model: Model, found: GradientRegions) -> records.Record:
    """One object a place: x, y, region, growth exponent of |λ|² and where it comes from."""
    (xs, ys), kinds = found.grid, found.kinds
    places = [
        {
            "x": float(xs[column]),
            "y": float(ys[row]),
            "region": KINDS[kinds[row, column]],
            "growth_exponent": json_finite(point.rate),
            "growth_error": json_finite(point.error),
            "state": point.state,
            "origin": point.origin,
            "left": json_finite(point.left),
            "reason": point.reason,
        }
        for row, points in enumerate(found.points)
        for column, point in enumerate(points)
    ]
    return records.head(model, found.provenance.parameters, "ok") | {
        "x": {"name": found.x, "values": [float(v) for v in xs]},
        "y": {"name": found.y, "values": [float(v) for v in ys]},
        "horizon": found.horizon,
        "threshold": found.threshold,
        "values": places,
        "notes": list(found.notes),
        "residual": None,
        "assumptions": [a.name for a in found.provenance.assumptions],
        "references": records.references(found.provenance.references),
    }

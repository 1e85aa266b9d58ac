"""The verb ``phase-diagram`` of the command line: a figure, and what is in it as numbers."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.model import Model
from gatetheory.pipeline import derive
from gatetheory.presentation import json_records as records
from gatetheory.presentation.drawing import svg
from gatetheory.presentation.phase_figures import plot_phase_diagram
from gatetheory.presentation.progress import progress_bar
from gatetheory.presentation.settings import model_of, values_of
from gatetheory.presentation.solving import stopped
from gatetheory.transitions import PhaseDiagram, phase_diagram

OK = 0
FIGURE, NUMBERS = "phase_diagram.svg", "phase_diagram.json"


def phase_diagram_verb(options: Namespace) -> int:
    """Trace the transitions of a model in a plane and draw them."""
    model = model_of(options.model)
    at = values_of("--set", options.settings)
    for name in (options.x[0], options.y[0]):
        if name in at:
            raise ParameterError(f"{name} is an axis; do not set it")
    model.bind(at)
    theory = derive(model)
    try:
        with progress_bar(
            "tracing transitions", shown=not (options.quiet or options.json), steps=1
        ) as bar:
            found = phase_diagram(
                theory, tuple(options.x), tuple(options.y), at, closure=options.closure
            )
            bar.step("done")
    except ConvergenceError as error:
        return stopped(model, at, error, options)
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    title = f"Phase diagram of {model.name} in {found.x} and {found.y}"
    (folder / FIGURE).write_text(svg(plot_phase_diagram(found), "phases", title), "utf-8")
    record = phase_diagram_record(model, found) | {"value": str(folder / FIGURE)}
    (folder / NUMBERS).write_text(records.dumps(record) + "\n", "utf-8")
    if options.json:
        print(records.dumps(record))
    else:
        for note in found.notes:
            print(f"left out: {note}")
        print(folder / FIGURE)
        print(folder / NUMBERS)
    return OK


def phase_diagram_record(model: Model, found: PhaseDiagram) -> records.Record:
    """Curves, tricritical points and phases as numbers."""
    return records.head(model, found.provenance.parameters, "ok") | {
        "x": {"name": found.x, "range": list(found.windows[0])},
        "y": {"name": found.y, "range": list(found.windows[1])},
        "values": [
            {
                "kind": kind,
                "x": curve.second.tolist(),
                "y": curve.first.tolist(),
                "ends": list(curve.ends),
            }
            for kind, curves in found.curves.items()
            for curve in curves
        ],
        "tricritical": [
            {"kind": kind, "x": place[0], "y": place[1]} for kind, place in found.points.items()
        ],
        "phases": {
            "x": found.grid[0].tolist(),
            "y": found.grid[1].tolist(),
            "names": list(found.names),
            "numbers": found.phases.tolist(),
        },
        "notes": list(found.notes),
        "residual": None,
        "references": records.references(found.provenance.references),
    }

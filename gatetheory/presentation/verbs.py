"""What each verb of the command line does."""

from __future__ import annotations

import shutil
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from gatetheory.equations.provenance import EquationSet
from gatetheory.errors import ConvergenceError, DerivationError
from gatetheory.model import Model, zoo
from gatetheory.pipeline import derive, simulate
from gatetheory.presentation import json_records as records
from gatetheory.presentation.gradient_regions_verb import gradient_regions_verb
from gatetheory.presentation.latex import latex_body
from gatetheory.presentation.mathml import mathml
from gatetheory.presentation.page import write_report
from gatetheory.presentation.phase_diagram_verb import phase_diagram_verb
from gatetheory.presentation.progress import progress_bar
from gatetheory.presentation.settings import count_of, model_of, result_of, values_of
from gatetheory.presentation.solving import solve_verb, stopped
from gatetheory.presentation.text import equations_text, models_text, parameters_text
from gatetheory.presentation.transition_verbs import transition_verb
from gatetheory.theory.derive import RESULTS
from gatetheory.validation import validate

OK, FAILED = 0, 1


def run(options: Namespace) -> int:
    """Run a verb; warnings become single lines on stderr."""
    if hasattr(sys.stdout, "reconfigure"):  # a terminal without Greek letters shows question marks
        sys.stdout.reconfigure(errors="replace")
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        return VERBS[options.verb](options)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"gatetheory: warning: {' '.join(str(message).split())}", file=sys.stderr)


# ---- models and equations ------------------------------------------------------------------------


def _models(options: Namespace) -> int:
    models = [make() for make in zoo.MODELS.values()]
    if options.json:
        values = [records.model_record(m) for m in models]
        print(records.dumps({"status": "ok", "values": values}))
    else:
        print(models_text(models))
    return OK


def _equations(options: Namespace) -> int:
    model = model_of(options.model)
    asked = [result_of(name, RESULTS, "equations") for name in options.result]
    theory = derive(model)
    sets: list[EquationSet] = []
    with progress_bar("deriving", shown=not options.quiet, steps=len(asked or RESULTS)) as bar:
        for result in asked or RESULTS:
            bar.step(result)
            try:
                sets.append(theory.equations(result))
            except DerivationError as error:
                if asked:
                    raise
                _show_warning(f"{result}: {error}")
    form = "json" if options.json else options.format
    if form == "json":
        print(records.dumps(records.equation_records(sets)))
    elif form == "latex":
        print(latex_body(sets, model.name))
    elif form == "mathml":
        print("\n".join(mathml(e) for s in sets for e in s))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print(equations_text(sets, width))
    return OK


# ---- simulate, validate, report ------------------------------------------------------------------


def _simulate(options: Namespace) -> int:
    model, at = _model_and_values(options)
    chosen = {k: getattr(options, k) for k in ("units", "seeds")}
    numbers = {k: v for k, v in chosen.items() if v is not None}
    try:
        with progress_bar("simulating", shown=_shown(options)) as bar:
            seen = simulate(model, at, progress=bar, **numbers)
    except ConvergenceError as error:
        return stopped(model, at, error, options)
    parameters = {s.name: v for s, v in model.bind(at).items()}
    print(records.dumps(records.observation_record(model, parameters, seen)) if options.json
          else seen)  # fmt: skip
    return OK


def _validate(options: Namespace) -> int:
    model, at = _model_and_values(options)
    try:
        with progress_bar("validating", shown=_shown(options)) as bar:
            found = validate(model, at, progress=bar, **_sizes(options), **_dynamics(options))
    except ConvergenceError as error:
        return stopped(model, at, error, options)
    if options.json:
        print(records.dumps(records.validation_record(model, found)))
    else:
        verdict = "theory and simulation agree" if found.passed else "the validation failed"
        print(f"{model.name} at {parameters_text(found.parameters)}\n\n{found}\n\n{verdict}")
    return OK if found.passed else FAILED


def _report(options: Namespace) -> int:
    model, at = _model_and_values(options)
    sizes = {"units": None, "seeds": None} | _sizes(options)
    with progress_bar("writing the report", shown=_shown(options)) as bar:
        chosen = sizes | _dynamics(options)
        path, found = write_report(model, at, options.out, progress=bar, **chosen)
    passed = getattr(found.validation, "passed", None)
    if options.json:
        record = records.head(model, found.parameters, "ok")
        print(records.dumps(record | {"value": str(path), "passed": passed, "residual": None}))
    else:
        print(path)
    if passed is False:
        _show_warning("theory and simulation differ; see the page's last table")
    return FAILED if passed is False else OK


def _model_and_values(options: Namespace) -> tuple[Model, dict[str, str]]:
    """Model and parameters, checked before anything is computed; so are sizes and numbers."""
    model, at = model_of(options.model), values_of("--set", options.settings)
    model.bind(at)
    units = [options.units] if isinstance(options.units, int) else options.units or []
    for n in units:
        count_of("--units", n)
    count_of("--seeds", options.seeds)
    return model, at


def _sizes(options: Namespace) -> dict[str, Any]:
    units = {} if options.units is None else {"units": tuple(options.units)}
    return units if options.seeds is None else units | {"seeds": options.seeds}


def _dynamics(options: Namespace) -> dict[str, Any]:
    chosen: dict[str, Any] = {"dynamics": False} if options.static else {}
    return chosen if options.accuracy is None else chosen | {"accuracy": options.accuracy}


def _shown(options: Namespace) -> bool:
    return not (options.quiet or options.json)


VERBS: dict[str, Callable[[Namespace], int]] = {
    "models": _models,
    "equations": _equations,
    "solve": solve_verb,
    "transition": transition_verb,
    "phase-diagram": phase_diagram_verb,
    "gradient-regions": gradient_regions_verb,
    "simulate": _simulate,
    "validate": _validate,
    "report": _report,
}

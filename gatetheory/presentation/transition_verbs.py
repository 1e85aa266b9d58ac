"""The verb ``transition`` of the command line, and its JSON object."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from sympy import Expr

from gatetheory.errors import ConvergenceError, ParameterError, PrecisionError
from gatetheory.model import Model
from gatetheory.pipeline import derive
from gatetheory.presentation import json_records as records
from gatetheory.presentation.numerals import json_error, json_number
from gatetheory.presentation.progress import progress_bar
from gatetheory.presentation.settings import model_of, nearest, values_of
from gatetheory.presentation.solving import stopped
from gatetheory.presentation.text import parameters_text
from gatetheory.solvers.transition_records import Transition, TransitionPoint
from gatetheory.transitions import KINDS, find_transition

OK = 0


def transition_verb(options: Namespace) -> int:
    """Find a transition and print it."""
    model = model_of(options.model)
    if options.kind not in KINDS:
        raise ParameterError(
            f"transition knows no kind {options.kind!r}; {nearest(options.kind, KINDS)}"
        )
    at = values_of("--set", options.settings)
    model.bind(at)
    theory = derive(model)
    shown = not (options.quiet or options.json)
    try:
        with progress_bar(options.kind, shown=shown, steps=1) as bar:
            found = find_transition(
                theory, options.kind, options.along, at, between=options.between,
                digits=options.digits, certify=options.certify, also=options.also,
                closure=options.closure,
            )  # fmt: skip
            bar.step("done")
    except (ConvergenceError, PrecisionError) as error:
        return stopped(model, at, error, options)
    if options.json:
        print(records.dumps(transition_record(model, found)))
    else:
        print(f"{model.name} at {parameters_text(found.provenance.parameters)}\n\n{found}")
    return OK


def transition_record(model: Model, found: Transition) -> records.Record:
    """Every transition found, with digits, order parameters and proof."""
    asked = found.provenance.digits
    first = next((p for p in found if p.value is found.value), found[0] if len(found) else None)
    record = records.head(model, found.provenance.parameters, found.status) | {
        "kind": found.kind,
        "along": found.along[0] if len(found.along) == 1 else list(found.along),
        "value": _value(found.value, asked, first) if found.status == "ok" else None,
        "values": [_point(p, asked) for p in found],
        "at": None if first is None else _numbers(first.at, asked),
        "digits": None if first is None else first.digits,
        "residual": None if first is None else json_error(first.residual),
        "searched": found.searched,
    }
    if first is not None:
        if first.expression is not None:
            record["expression"] = _expression(first.expression)
        if first.enclosure is not None:
            record["enclosure"] = [first.enclosure.low, first.enclosure.high]
            record["proved"] = first.enclosure.proved
    provenance = found.provenance
    return record | {
        "assumptions": [{"name": a.name, "statement": a.statement} for a in provenance.assumptions],
        "references": records.references(provenance.references),
    }


def _point(point: TransitionPoint, asked: int) -> records.Record:
    record: records.Record = {
        "value": _value(point.value, asked, point),
        "kind": point.kind,
        "at": _numbers(point.at, asked),
        "digits": point.digits,
        "residual": json_error(point.residual),
    }
    if point.frequency is not None:
        record["frequency"] = _value(point.frequency, asked, point)
    if point.expression is not None:
        record["expression"] = _expression(point.expression)
    if point.enclosure is not None:
        record["enclosure"] = [point.enclosure.low, point.enclosure.high]
        record["proved"] = point.enclosure.proved
    return record


def _value(value: Any, asked: int, point: TransitionPoint | None) -> Any:
    """Numbers with the digits that are known, as text where they were asked for as many."""
    digits = asked if point is None else max(min(asked, point.digits), 1)
    if isinstance(value, Mapping):
        return {name: _value(v, asked, point) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [None if v is None else _value(v, asked, point) for v in value]
    if asked <= 15:
        return json_number(value)
    return str(json_number(value, digits)) if digits > 15 else json_number(value)


def _numbers(values: Mapping[str, Any], asked: int) -> dict[str, Any]:
    return {name: json_number(v, asked) for name, v in values.items()}


def _expression(expression: Expr | Mapping[str, Expr]) -> Any:
    if isinstance(expression, Mapping):
        return {name: str(e) for name, e in expression.items()}
    return str(expression)

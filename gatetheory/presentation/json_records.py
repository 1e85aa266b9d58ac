"""Records as JSON objects: the contract that outside scripts rely on (ARCHITECTURE.md)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from sympy import Expr

from gatetheory.comparison import Validation
from gatetheory.equations.provenance import Equation, EquationSet
from gatetheory.model import Model
from gatetheory.presentation.mathml import mathml
from gatetheory.presentation.numerals import json_error, json_exact, json_number
from gatetheory.presentation.text import interval_text
from gatetheory.references import Reference
from gatetheory.simulation import Observation
from gatetheory.solvers.records import FixedPoints, Moments, Provenance, Spectrum

Record = dict[str, Any]


def dumps(record: Any) -> str:
    """JSON text; a number that is not finite is an error, never ``NaN``."""
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)


def head(model: Model, parameters: Mapping[str, Expr], status: str) -> Record:
    """What every object starts with."""
    exact = {name: json_exact(value) for name, value in parameters.items()}
    return {"model": model.name, "parameters": exact, "status": status}


def model_record(model: Model) -> Record:
    """A model of the zoo."""
    return {
        "name": model.name,
        "title": model.title,
        "time": model.time,
        "fields": [f.name for f in model.fields],
        "couplings": [c.name for c in model.couplings],
        "parameters": [
            {
                "name": p.name,
                "default": json_exact(p.default),
                "domain": interval_text(p.domain),
                "meaning": p.meaning,
            }
            for p in model.parameters
        ],
        "references": references(model.references),
    }


def equation_record(result: str, equation: Equation) -> Record:
    """One derived equation in every format, with where it comes from."""
    return {
        "tag": equation.tag,
        "result": result,
        "text": str(equation),
        "latex": equation.latex(),
        "mathml": mathml(equation),
        "meaning": equation.meaning,
        "assumptions": [{"name": a.name, "statement": a.statement} for a in equation.assumptions],
        "references": references(equation.references),
        "trace": [
            {
                "step": step.name,
                "statement": step.statement,
                "expression": None if step.expression is None else str(step.expression),
            }
            for step in equation.trace
        ],
    }


def equation_records(sets: Iterable[EquationSet]) -> list[Record]:
    """Every equation of some results."""
    return [equation_record(s.result, e) for s in sets for e in s]


def references(sources: Iterable[Reference]) -> list[Record]:
    """References with what identifies them."""
    return [{"key": r.key, "text": str(r), "doi": r.doi, "arxiv": r.arxiv} for r in sources]


def fixed_points_record(model: Model, points: FixedPoints) -> Record:
    """All fixed points, in the order of ``--branch``."""
    digits = points.provenance.digits
    values = [
        {name: json_number(v, digits) for name, v in p.values.items()} | {"stable": p.stable}
        for p in points
    ]
    ok = points.status == "ok"
    return head(model, points.provenance.parameters, points.status) | {
        "result": "fixed_points",
        "value": values[-1] if ok and values else None,
        "values": values,
        "errors": [{name: json_error(e) for name, e in p.errors.items()} for p in points],
        "residual": json_error(max((p.residual for p in points), default=None)),
        "residuals": [json_error(p.residual) for p in points],
        "double": [p.multiple for p in points],
        "complete": points.complete,
        "searched": points.searched,
        **_rests_on(points.provenance),
    }


def spectrum_record(
    model: Model, spectrum: Spectrum, moments: Moments | None, note: str, branch: int | None
) -> Record:
    """The spectrum's support, with the moments of the Jacobian or why there are none."""
    digits = spectrum.provenance.digits
    ok = spectrum.status == "ok"
    record = head(model, spectrum.provenance.parameters, spectrum.status) | {
        "result": "spectrum",
        "quantity": spectrum.quantity,
        "value": json_number(spectrum.value, digits) if ok else None,
        "error": json_error(spectrum.error) if ok else None,
        "origin": spectrum.origin,
        "stable": spectrum.stable,
        "residual": json_error(spectrum.residual),
        "moments": None,
        "trace": None,
        "atoms": [_complex(a) for a in spectrum.atoms],
        "segments": [list(s) for s in spectrum.segments],
        "state": {name: json_number(v, digits) for name, v in spectrum.state.items()},
        "branch": branch,
    }
    if moments is None:
        record["moments_note"] = note
    else:
        record |= _moments(moments)
    return record | _rests_on(spectrum.provenance)


def moments_record(model: Model, moments: Moments, branch: int | None) -> Record:
    """The moments of the Jacobian."""
    numbers = _moments(moments)
    digits = moments.provenance.digits
    return head(model, moments.provenance.parameters, moments.status) | {
        "result": "moments",
        "value": numbers["moments"] if moments.status == "ok" else None,
        "errors": numbers["moment_errors"],
        "residual": None,
        "trace": numbers["trace"],
        "state": {name: json_number(v, digits) for name, v in moments.state.items()},
        "branch": branch,
        **_rests_on(moments.provenance),
    }


def observation_record(model: Model, parameters: Mapping[str, Expr], seen: Observation) -> Record:
    """What simulated networks do."""
    return head(model, parameters, "ok") | {
        "values": {name: json_number(e.mean) for name, e in seen.values.items()},
        "errors": {
            name: e.stderr if math.isfinite(e.stderr) else None for name, e in seen.values.items()
        },
        "residual": None,
        "units": seen.units,
        "seeds": len(seen.statuses),
        "duration": seen.duration,
        "networks": list(seen.statuses),
    }


def validation_record(model: Model, validation: Validation) -> Record:
    """Theory beside simulation."""
    return head(model, validation.parameters, "ok") | {
        "passed": validation.passed,
        "values": [
            {
                "quantity": row.quantity,
                "meaning": row.meaning,
                "theory": json_number(row.theory),
                "theory_error": json_error(row.theory_error),
                "simulation": json_number(row.simulation),
                "stderr": json_number(row.stderr),
                "z": json_number(row.z),
                "verdict": row.verdict,
                "note": row.note,
            }
            for row in validation
        ],
        "remarks": list(validation.remarks),
        "residual": None,
        "units": list(validation.units),
        "seeds": validation.seeds,
    }


def _moments(moments: Moments) -> Record:
    digits = moments.provenance.digits
    ok = moments.status == "ok"
    return {
        "moments": [json_number(m, digits) for m in moments.values] if ok else None,
        "moment_errors": [json_error(e) for e in moments.errors] if ok else None,
        "trace": json_number(moments.trace, digits) if ok else None,
    }


def _rests_on(provenance: Provenance) -> Record:
    return {
        "digits": provenance.digits,
        "assumptions": [{"name": a.name, "statement": a.statement} for a in provenance.assumptions],
        "references": references(provenance.references),
    }


def _complex(value: complex) -> float | list[float]:
    return value.real if value.imag == 0 else [value.real, value.imag]

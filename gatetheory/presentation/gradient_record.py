"""Gradients as a JSON object (ARCHITECTURE.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatetheory.model import Model
from gatetheory.presentation.json_records import Record, head, references
from gatetheory.presentation.numerals import json_finite
from gatetheory.solvers.gradient_records import Gradients

Array = NDArray[np.float64]


def gradients_record(model: Model, found: Gradients) -> Record:
    """Second moments at each horizon, and the growth exponent of |λ|².

    With one horizon ``values`` holds Q_a by coupling; with several it is a list of such objects,
    each with its ``horizon``. ``parameters_squared`` has E[(dL/dθ)²] in the same form.
    """
    ok = found.status == "ok"
    count = len(found.horizons)
    kind = "standard_errors" if found.sampled else "errors"
    tables = {
        "values": found.couplings,
        "parameters_squared": found.parameters,
        kind: found.coupling_errors,
        f"parameters_{kind}": found.parameter_errors,
    }
    values = {n: _listed(table, found.horizons) if ok else None for n, table in tables.items()}
    norms = [float(v) for v in found.norm]
    values["norm"] = None if not ok else norms[0] if count == 1 else norms
    horizon = [float(t) for t in found.horizons]
    return head(model, found.provenance.parameters, found.status) | {
        "result": "gradients",
        "state": found.state,
        "closure": found.closure,
        "reason": found.reason,
        "loss": found.loss,
        "horizon": horizon[0] if count == 1 else horizon,
        "value": None,
        **values,
        "growth_exponent": json_finite(found.growth_exponent) if ok else None,
        "growth_error": json_finite(found.growth_error) if ok else None,
        "left_out": dict(found.left_out),
        "residual": json_finite(found.residual),
        "advice": found.advice,
        "assumptions": [a.name for a in found.provenance.assumptions],
        "references": references(found.provenance.references),
    }


def _listed(table: Mapping[str, Array], horizons: Array) -> Any:
    """Values by name; a list of such objects where there are several horizons."""
    rows = [{n: float(v[k]) for n, v in table.items()} for k in range(len(horizons))]
    if len(rows) == 1:
        return rows[0]
    return [{"horizon": float(t)} | row for t, row in zip(horizons, rows, strict=True)]

"""Records of what happens in time, as JSON objects (ARCHITECTURE.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatetheory.model import Model
from gatetheory.presentation.json_records import Record, head, references
from gatetheory.presentation.numerals import json_finite
from gatetheory.solvers.correlation_records import CorrelationBranch, Correlations, Lyapunov
from gatetheory.solvers.records import Provenance
from gatetheory.solvers.sampled_records import SampledCorrelations, SampledLyapunov, SampledTwoTime
from gatetheory.solvers.two_time_record import TwoTime

Array = NDArray[np.float64]


def correlations_record(
    model: Model, found: Correlations | SampledCorrelations, branch: int
) -> Record:
    """Stationary correlations: equal-time values, half width, every branch."""
    start = head(model, found.provenance.parameters, found.status) | {
        "result": "correlations",
        "closure": found.closure,
    }
    if isinstance(found, SampledCorrelations):
        ok = found.status == "ok"
        return start | {
            "value": dict(found.values) if ok else None,
            "values": dict(found.values) if ok else None,
            "errors": _finite(found.errors) if ok else None,
            "plateaus": dict(found.plateaus) if ok else None,
            "half_width": found.half_width if ok else None,
            "half_width_error": found.half_width_error if ok else None,
            "branches": [dict(found.values)] if ok else [],
            "residual": json_finite(found.residual),
            "step_error": json_finite(found.step_error),
            "paths": found.paths,
            "replicas": found.replicas,
            "window": found.window,
            "step": found.step,
            "advice": found.advice,
            **_rests_on(found.provenance),
        }
    chosen = found[branch] if len(found) else None
    return start | {
        "reason": found.reason,
        "exact": found.exact,
        "value": None if chosen is None else dict(chosen.values),
        "values": None if chosen is None else dict(chosen.values),
        "plateaus": None if chosen is None else dict(chosen.plateaus),
        "half_width": None if chosen is None else json_finite(chosen.half_width),
        "error": None if chosen is None else chosen.error,
        "residual": None if chosen is None else chosen.residual,
        "branches": [_branch(b) for b in found],
        "searched": found.searched,
        **_rests_on(found.provenance),
    }


def _branch(branch: CorrelationBranch) -> Record:
    return dict(branch.values) | {
        "half_width": json_finite(branch.half_width),
        "error": branch.error,
        "residual": branch.residual,
    }


def lyapunov_record(model: Model, found: Lyapunov | SampledLyapunov) -> Record:
    """The largest Lyapunov exponent."""
    record = head(model, found.provenance.parameters, found.status) | {
        "result": "lyapunov",
        "closure": found.closure,
        "value": found.value if found.status == "ok" else None,
        "error": found.error,
        "residual": found.residual,
        "abscissa": found.abscissa,
    }
    if isinstance(found, SampledLyapunov):
        record["advice"] = found.advice
    else:
        record["exact"] = found.exact
    return record | _rests_on(found.provenance)


def two_time_record(model: Model, found: TwoTime | SampledTwoTime) -> Record:
    """Covariances at equal times, and the whole tables; sampled ones with standard errors."""
    ok = found.status == "ok"
    record = head(model, found.provenance.parameters, found.status) | {
        "result": "two_time",
        "closure": found.closure,
        "reason": found.reason,
        "value": None,
        "values": {n: _listed(np.diagonal(m)) for n, m in found.moments.items()} if ok else None,
        "times": _listed(found.times),
        "means": {n: _listed(m) for n, m in found.means.items()} if ok else None,
        "two_times": _tables(found.moments) if ok else None,
        "errors": _largest_errors(found) if ok else None,
        "residual": None,
        "step": found.step,
        "memory": found.memory,
        "advice": found.advice,
        **_rests_on(found.provenance),
    }
    if isinstance(found, TwoTime):
        return record | {"residual": json_finite(found.residual)}
    equal = {n: _listed(np.diagonal(e)) for n, e in found.errors.items()}
    means = {n: _listed(e) for n, e in found.mean_errors.items()}
    return record | {
        "standard_errors": equal | means if ok else None,
        "two_times_standard_errors": _tables(found.errors) if ok else None,
        "step_error": json_finite(found.step_error),
        "paths": found.paths,
        "replicas": found.replicas,
    }


def _largest_errors(found: TwoTime | SampledTwoTime) -> Record:
    """The largest error of every moment and mean; of sampled ones, the largest standard error."""
    if isinstance(found, TwoTime):
        return _finite(found.errors)
    return {
        n: json_finite(float(e.max()))
        for n, e in [*found.errors.items(), *found.mean_errors.items()]
    }


def _tables(moments: Mapping[str, Array]) -> Record:
    return {n: [_listed(row) for row in m] for n, m in moments.items()}


def _listed(values: Array) -> list[float]:
    return [float(v) for v in values]


def _finite(values: Any) -> Record:
    return {n: json_finite(v) for n, v in values.items()}


def _rests_on(provenance: Provenance) -> Record:
    return {
        "assumptions": [a.name for a in provenance.assumptions],
        "references": references(provenance.references),
    }

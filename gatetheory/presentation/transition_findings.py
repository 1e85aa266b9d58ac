"""The transitions of the report: along the model's first parameter, and tricritical points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatetheory.errors import DerivationError, GatetheoryError, ParameterError
from gatetheory.solvers.transition_records import Transition
from gatetheory.theory.derive import Theory
from gatetheory.transitions import find_transition

ALONG = ("zero-state", "fold", "stability", "chaos")
POINTS = ("tricritical-static", "tricritical-dynamic")
_FACTOR = 3  # chaos is looked for from a third of the parameter's value to three times of it


def transitions_of(theory: Theory, at: Mapping[str, Any] | None) -> dict[str, Transition | str]:
    """Transitions along the model's first parameter, and tricritical points.

    Args:
        theory: The derived theory.
        at: Parameters by name.
    """
    along = theory.model.parameters[0]
    value = theory.model.bind(at)[along.symbol]
    others = {n: v for n, v in (at or {}).items() if n != along.name}
    found: dict[str, Transition | str] = {}
    for kind in ALONG:
        between = None
        if kind == "chaos" and value.is_positive:
            between = (value / _FACTOR, value * _FACTOR)
        try:
            found[kind] = find_transition(theory, kind, along.name, others, between=between)
        except (DerivationError, ParameterError) as error:
            found[kind] = str(error)
        except GatetheoryError as error:
            found[kind] = f"not found: {error}"
    for kind in POINTS:
        try:
            free = {n: v for n, v in (at or {}).items() if n not in ("alpha_r", "g_h")}
            found[kind] = find_transition(theory, kind, at=free)
        except GatetheoryError:
            continue  # a model without a reset gate, or without closed equations
    return found

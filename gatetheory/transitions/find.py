"""From a kind of transition and a parameter to numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from gatetheory.errors import ParameterError
from gatetheory.pipeline import DOUBLE, Values, backend
from gatetheory.solvers.transition_records import Transition
from gatetheory.theory.derive import Theory
from gatetheory.transitions.chaos import find_chaotic
from gatetheory.transitions.fixed_points import closed_form, conditions_of, point_at, searched
from gatetheory.transitions.marginal import find_marginal
from gatetheory.transitions.task import make_task, record_of
from gatetheory.transitions.tricritical import TRICRITICAL, find_tricritical

STATIC = ("zero-state", "fold", "stability")
KINDS = (*STATIC, "chaos", *TRICRITICAL, "marginal")


def find_transition(
    theory: Theory,
    kind: str,
    along: str | None = None,
    at: Values | None = None,
    *,
    between: Sequence[Any] | None = None,
    digits: int = DOUBLE,
    certify: bool = False,
    also: str | None = None,
    closure: str | None = None,
) -> Transition:
    """Find where a network changes its behaviour along a parameter.

    Args:
        theory: The derived theory.
        kind: ``"zero-state"`` (the zero fixed point loses stability), ``"fold"`` (a pair of fixed
            points appears), ``"stability"`` (a non-zero fixed point loses or gains stability),
            ``"chaos"`` (the chaotic state appears: continuously, or in a fold of its branch),
            ``"tricritical-static"`` and ``"tricritical-dynamic"`` (where the fold, respectively
            chaos, begins to precede the instability of the zero state; a point in two parameters)
            or ``"marginal"`` (the range in which infinitely steep gates keep a fixed point
            marginally stable).
        along: Name of the parameter; for tricritical points the first one, by default ``alpha_r``
            where the model has it.
        at: The other parameters by name; the rest take their defaults. Decimals are exact.
        between: Range that is searched, (low, high); by default the parameter's domain cut to
            [1e-3, 50].
        digits: Digits wanted, from 1 to 10,000; 15 by default. Fewer are returned, and said,
            where two independent evaluations agree in fewer.
        certify: Enclose every transition in an interval by ball arithmetic, with a proof that it
            exists and is the only one nearby. Not for ``chaos`` in a fold.
        also: Second parameter of a tricritical point, by default ``g_h`` (or the first other one
            that it depends on).
        closure: For ``chaos``: ``"constant"`` or ``"factorized"``; needed where a gate that
            multiplies a drift fluctuates, since the equations are then approximate.

    Returns:
        :class:`~gatetheory.solvers.transition_records.Transition`; its ``value`` is None and its
        status ``"no_solution"`` if there is none in the range.

    Raises:
        ParameterError: For names and values that make no sense.
        DerivationError: If the model has no such transition.
        ConvergenceError, PrecisionError: If a transition that is there could not be computed.
    """
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, n=2, cutoff=0.4) or KINDS
        raise ParameterError(f"there is no transition {kind!r}; did you mean {' or '.join(near)}?")
    backend(digits)  # refuses a number of digits that makes no sense
    if kind in TRICRITICAL:
        return find_tricritical(theory, kind, along, also, at, digits)
    task = make_task(theory, along, at, between, digits, certify=certify)
    if also is not None:
        raise ParameterError(f"a second parameter belongs to {' and '.join(TRICRITICAL)}")
    if closure is not None and kind != "chaos":
        raise ParameterError(f"a closure belongs to chaos, not to {kind}")
    if kind == "chaos":
        return find_chaotic(task, closure)
    if kind == "marginal":
        return find_marginal(task)
    conditions = conditions_of(task, kind)
    found = searched(task, conditions)
    points = tuple(point_at(task, conditions, c) for c in found.found)
    if kind == "zero-state":
        points = tuple(replace(p, expression=closed_form(task, p)) for p in points)
    return record_of(task, kind, points, found.text, conditions.equations)

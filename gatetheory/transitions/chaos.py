"""Where the chaotic state appears or disappears along a parameter."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from sympy import Expr, Symbol

from gatetheory.equations.lag_system import LagSystem
from gatetheory.equations.stationary import is_exact
from gatetheory.equations.transition import TransitionConditions
from gatetheory.errors import DerivationError
from gatetheory.pipeline import lag_program, warn_of_closure
from gatetheory.solvers.chaos_path import LagPath
from gatetheory.solvers.chaos_points import chaos_transition
from gatetheory.solvers.transition_records import Transition
from gatetheory.transitions.fixed_points import conditions_of, point_at, searched
from gatetheory.transitions.task import Task, record_of


@lru_cache(maxsize=16)
def _path(system: LagSystem, parameters: tuple[tuple[Symbol, Expr], ...], along: Symbol) -> LagPath:
    return LagPath(lag_program(system), dict(parameters), along)


def find_chaotic(task: Task, closure: str | None) -> Transition:
    """Ends of the chaotic state; the value is the first one met from the quiescent side."""
    system = lag_system_of(task, closure)
    path = _path(system, tuple(task.parameters.items()), task.along)
    onsets = [(c, some) for some in onset_conditions(task) for c in searched(task, some).found]
    points, first, text = chaos_transition(
        path, onsets, task.window, task.digits,
        lambda c, conditions: point_at(task, conditions, c),
    )  # fmt: skip
    record = record_of(task, "chaos", points, text, system.equations)
    if first is None:
        return replace(record, status="no_solution", value=None)
    return replace(record, value=points[first].value)


def lag_system_of(task: Task, closure: str | None) -> LagSystem:
    """The lag equations of the closure that was asked for, or of the exact one.

    Warns where the closure leaves something out.

    Raises:
        DerivationError: If no closure is exact all along the parameter and none was asked for.
    """
    state = task.theory.correlations
    name = closure or "constant"
    if closure is None and "constant" not in state.lag_systems:
        raise DerivationError(f"{_ONLY_SAMPLES} ({state.refusals['constant']})")
    system = state.lag_system(name)
    others = {p: v for p, v in task.parameters.items() if p != task.along}
    exact = is_exact(system, others)
    if closure is None and not exact:
        raise DerivationError(
            f"{_ONLY_SAMPLES}; choose closure='constant' or, where the model has it, 'factorized', "
            "knowing that they are approximate"
        )
    warn_of_closure(name, exact)
    return system


_ONLY_SAMPLES = (
    "the chaotic state of this model has no closed equations at these parameters, only samples: "
    "where it appears cannot be computed to digits"
)


def onset_conditions(task: Task) -> list[TransitionConditions]:
    """Conditions under which a quiet state loses stability: of zero, or of fixed points."""
    try:
        return [replace(conditions_of(task, "zero-state"), crossing=())]
    except DerivationError:
        return [replace(conditions_of(task, "stability"), crossing=())]

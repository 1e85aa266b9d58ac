"""Transitions of fixed points: conditions, search, digits, closed forms."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import combinations
from typing import Any

import sympy
from sympy import Expr, Symbol

from gatetheory.equations.transition import TransitionConditions
from gatetheory.errors import DerivationError
from gatetheory.functions import instantiate
from gatetheory.pipeline import Doubles, spectral_problem
from gatetheory.solvers.local_modes import local_modes
from gatetheory.solvers.stability_border import growth_at_border
from gatetheory.solvers.transfer import State
from gatetheory.solvers.transition_points import point_of
from gatetheory.solvers.transition_program import Candidate, TransitionProgram
from gatetheory.solvers.transition_records import TransitionPoint
from gatetheory.solvers.transition_search import Searched, Tools, Unknowns, search
from gatetheory.theory.derive import Theory
from gatetheory.theory.static_transitions import (
    fold_conditions,
    stability_conditions,
    vanishes_at,
    zero_state_conditions,
)
from gatetheory.theory.transitions import solve_zero_state, zero_state_condition
from gatetheory.transitions.task import Task

CLOSE = 1e-12  # closed form and number are the same
LONGEST = 200  # operations in a condition that is still solved exactly


def conditions_of(
    task: Task, kind: str, *, open_also: Symbol | None = None
) -> TransitionConditions:
    """The conditions of a transition of fixed points.

    Args:
        task: What is asked.
        kind: ``"zero-state"``, ``"fold"`` or ``"stability"``.
        open_also: A parameter that is to stay open beside the one that is sought.
    """
    theory = task.theory
    if kind == "fold":
        return fold_conditions(theory.fixed_points)
    if kind == "stability":
        return stability_conditions(theory.fixed_points, theory.spectrum)
    others = {p: v for p, v in task.parameters.items() if p not in (task.along, open_also)}
    return zero_state_conditions(theory.fixed_points, theory.spectrum, others)


@lru_cache(maxsize=64)
def program_of(conditions: TransitionConditions, along: Symbol) -> TransitionProgram:
    """The conditions along a parameter, compiled for doubles."""
    return TransitionProgram(conditions, along, Doubles())


def searched(task: Task, conditions: TransitionConditions) -> Searched:
    """Every transition of a kind, in doubles."""
    program = program_of(conditions, task.along)
    off_axis = None
    if conditions.crossing:
        off_axis = _off_axis(task)
    tools = Tools(task.ends, task.roots, off_axis)
    return search(program, task.parameters, task.low, task.high, tools)


def _off_axis(task: Task) -> Any:
    """Largest growth on the border of stability at a fixed point, and its frequency."""
    fixed_points, spectrum = task.fixed_points, task.theory.spectrum
    problem = spectral_problem(spectrum)

    def growth(unknowns: Unknowns, value: float) -> tuple[float, float]:
        parameters = task.moved(value)
        core = unknowns or (0.0,) * len(fixed_points.core)
        numbers = [float(parameters[p]) for p in fixed_points.parameters]
        images = task.core.images(*core, *numbers).values
        known = dict(zip(fixed_points.unknowns, map(float, images), strict=True))
        known |= dict(zip(fixed_points.core, core, strict=True))
        state = State(parameters, known)
        return growth_at_border(
            problem.transfer, state, local_modes(spectrum, problem.backend, state)
        )

    return growth


def point_at(task: Task, conditions: TransitionConditions, candidate: Candidate) -> TransitionPoint:
    """A transition found in doubles, to the digits that are asked for."""
    return point_of(
        program_of(conditions, task.along), task.parameters, candidate, task.digits,
        certify=task.certify, kind=conditions.kind,
    )  # fmt: skip


def closed_form(task: Task, point: TransitionPoint) -> Expr | None:
    """The zero state's instability as an expression in the parameters that may stay open."""
    if point.frequency is not None:
        return None
    theory, along = task.theory, task.along
    others = {p: v for p, v in task.parameters.items() if p != along}
    needed = fixed_for_zero(theory, others)
    try:
        condition = zero_state_condition(
            theory.fixed_points, theory.spectrum, {p: v for p, v in others.items() if p in needed}
        )
        if condition.rhs.count_ops() > LONGEST:
            return None
        forms = solve_zero_state(condition, along)
    except DerivationError:
        return None
    for form in forms:
        number = sympy.N(form.subs(others), 30)
        if number.is_Float and abs(number - sympy.Float(str(point.value), 30)) < CLOSE:
            return form
    return None


def fixed_for_zero(theory: Theory, at: Mapping[Symbol, Expr]) -> set[Symbol]:
    """Parameters whose values make zero a fixed point, as few as will do."""
    fixed_points = theory.fixed_points
    nothing = dict.fromkeys(fixed_points.unknowns, sympy.S.Zero)
    fixed: dict[Symbol, Expr] = {}
    for value in fixed_points.maps:
        rest = instantiate(value, fixed_points.definitions).subs(nothing)
        symbols = sorted(rest.free_symbols & set(at), key=str)
        for size in range(len(symbols) + 1):
            choices = [
                chosen
                for chosen in combinations(symbols, size)
                if vanishes_at(rest, {**fixed, **{s: at[s] for s in chosen}})
            ]
            if choices:
                fixed |= {s: at[s] for s in choices[0]}
                break
    return set(fixed)

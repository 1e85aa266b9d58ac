"""Transitions followed in a second parameter: curves in the plane of two parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from sympy import Symbol

from gatetheory.equations.transition import TransitionConditions
from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.pipeline import DOUBLE, Doubles, Values, lag_program
from gatetheory.solvers.chaos_fold_curve import follow_fold
from gatetheory.solvers.chaos_path import LagPath
from gatetheory.solvers.chaos_transition import find_chaos
from gatetheory.solvers.transition_curve import CurveProgram, TransitionCurve, follow
from gatetheory.theory.derive import Theory
from gatetheory.transitions.chaos import lag_system_of, onset_conditions
from gatetheory.transitions.fixed_points import conditions_of, program_of, searched
from gatetheory.transitions.task import Task, make_task, parameter_of, window_of

FOLLOWED = ("zero-state", "fold", "stability", "chaos")
STARTS = (0.5, 0.98, 0.02, 0.75, 0.25)  # where curves are looked for, as shares of the range
NEAR = 0.01  # distance from a known curve, in units of the ranges, that counts as on it


def trace_transition(
    theory: Theory,
    kind: str,
    along: str,
    over: str,
    at: Values | None = None,
    *,
    between: Sequence[Any] | None = None,
    over_between: Sequence[Any] | None = None,
    points: int = 100,
    closure: str | None = None,
) -> tuple[TransitionCurve, ...]:
    """Follow a transition in a second parameter, through turning points.

    Args:
        theory: The derived theory.
        kind: ``"zero-state"``, ``"fold"``, ``"stability"`` or ``"chaos"`` (the fold of the chaotic
            branch; where chaos begins continuously its curve is that of the quiet state's loss of
            stability).
        along: First parameter, along which the transition is looked for.
        over: Second parameter.
        at: The other parameters by name.
        between: Range of the first parameter; by default its domain cut to [1e-3, 50].
        over_between: Range of the second one.
        points: About how many points a curve has across the rectangle.
        closure: For ``chaos``, see :func:`~gatetheory.transitions.find.find_transition`.

    Returns:
        Every curve found, in doubles; transitions are looked for at five values of the second
        parameter.

    Raises:
        ParameterError: For names and ranges that make no sense.
        DerivationError: If the model has no such transition.
    """
    if kind not in FOLLOWED:
        raise ParameterError(f"curves are traced of {', '.join(FOLLOWED)}, not of {kind!r}")
    if over == along:
        raise ParameterError(f"a curve is one in two parameters, got {along} twice")
    second = parameter_of(theory.model, over)
    first = make_task(theory, along, at, between, DOUBLE, certify=False)
    if over in (at or {}):
        raise ParameterError(f"{over} is what is sought; do not set it")
    windows = first.window, window_of(theory.model, over, over_between)
    curves: list[TransitionCurve] = []
    for share in STARTS[:3] if kind == "chaos" else STARTS:
        value = windows[1][0] + share * (windows[1][1] - windows[1][0])
        task = replace(first, parameters={**first.parameters, second: sympy.Float(value, 17)})
        if kind == "chaos":
            if any(c.second.min() <= value <= c.second.max() for c in curves):
                continue
            curves += _chaotic(task, second, value, windows, points, closure)
        else:
            curves += _static(task, kind, second, value, windows, points, curves)
    return tuple(curves)


@lru_cache(maxsize=64)
def _program(conditions: TransitionConditions, along: Symbol, over: Symbol) -> CurveProgram:
    return CurveProgram(program_of(conditions, along), over, Doubles())


def _static(
    task: Task,
    kind: str,
    over: Symbol,
    value: float,
    windows: tuple[tuple[float, float], tuple[float, float]],
    points: int,
    known: Sequence[TransitionCurve],
) -> list[TransitionCurve]:
    conditions = replace(conditions_of(task, kind, open_also=over), crossing=())
    found: list[TransitionCurve] = []
    for start in searched(task, conditions).found:
        if any(_passes(c, start.value, value, windows) for c in (*known, *found)):
            continue
        program = _program(conditions, task.along, over)
        try:
            found.append(follow(program, task.parameters, start, value, windows, points))
        except ConvergenceError:
            continue
    return found


def _chaotic(
    task: Task,
    over: Symbol,
    value: float,
    windows: tuple[tuple[float, float], tuple[float, float]],
    points: int,
    closure: str | None,
) -> list[TransitionCurve]:
    program = lag_program(lag_system_of(task, closure))
    onsets = [c.value for some in onset_conditions(task) for c in searched(task, some).found]
    path = LagPath(program, task.parameters, task.along)
    found: list[TransitionCurve] = []
    for boundary in find_chaos(path, onsets, task.window).boundaries:
        if boundary.fold is None:
            continue
        if any(_passes(c, boundary.value, value, windows) for c in found):
            continue
        found.append(
            follow_fold(
                program, task.parameters, (task.along, over), boundary.fold.at, value, windows,
                max(8, points // 4),
            )
        )  # fmt: skip
    return found


def _passes(
    curve: TransitionCurve,
    first: float,
    second: float,
    windows: tuple[tuple[float, float], tuple[float, float]],
) -> bool:
    """Whether a curve passes through a point."""
    widths = np.array([high - low for low, high in windows])
    place = np.array([first, second]) / widths
    line = np.column_stack([curve.first, curve.second]) / widths
    if len(line) == 1:
        return bool(np.linalg.norm(line[0] - place) < NEAR)
    start, way = line[:-1], np.diff(line, axis=0)
    length = np.maximum((way**2).sum(axis=1), 1e-300)
    share = np.clip(((place - start) * way).sum(axis=1) / length, 0, 1)
    nearest = start + share[:, None] * way
    return bool(np.linalg.norm(nearest - place, axis=1).min() < NEAR)

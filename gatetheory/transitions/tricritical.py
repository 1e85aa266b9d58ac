"""Tricritical points: closed forms where there are any, and numbers beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
import sympy
from sympy import Expr, S, Symbol

from gatetheory.equations.onset import TricriticalPoint
from gatetheory.equations.provenance import EquationSet
from gatetheory.equations.stationary import is_exact
from gatetheory.errors import NoTransitionError, ParameterError
from gatetheory.model import Model
from gatetheory.pipeline import GUARD, Values, warn_of_closure
from gatetheory.solvers.records import Provenance, by_name
from gatetheory.solvers.transition_records import Transition, TransitionPoint
from gatetheory.solvers.two_conditions import common_zeros
from gatetheory.theory.derive import Theory
from gatetheory.theory.tricritical import tricritical_dynamic, tricritical_static
from gatetheory.theory.static_transitions import zero_state_conditions
from gatetheory.transitions.fixed_points import fixed_for_zero, program_of
from gatetheory.transitions.task import parameter_of, window_of

CLOSE = 1e-9
TRICRITICAL = ("tricritical-static", "tricritical-dynamic")


def find_tricritical(
    theory: Theory,
    kind: str,
    along: str | None,
    also: str | None,
    at: Values | None,
    digits: int,
) -> Transition:
    model = theory.model
    first = parameter_of(model, along or _usual(model, "alpha_r", ()))
    second = parameter_of(model, also or _usual(model, "g_h", (first.name,)))
    if first == second:
        raise ParameterError(f"a tricritical point is one in two parameters, got {first} twice")
    for symbol in (first, second):
        if symbol.name in (at or {}):
            raise ParameterError(f"{symbol} is what is sought; do not set it")
    parameters = model.bind(at)
    others = {p: v for p, v in parameters.items() if p not in (first, second)}
    name = "constant"
    if kind == "tricritical-dynamic":
        warn_of_closure(name, is_exact(theory.correlations.lag_system(name), parameters))

    def point(known: Mapping[Symbol, Expr]) -> TricriticalPoint:
        if kind == "tricritical-static":
            return tricritical_static(theory.fixed_points, first, second, known)
        return tricritical_dynamic(theory.correlations.lag_system(name), first, second, known)

    # The conditions are derived with parameters open: numbers such as 0.3123 would only blow up
    # exact expressions. What the point is at these values is a matter of numbers.
    known = {p: v for p, v in others.items() if p in fixed_for_zero(theory, others)}
    try:
        found = point(known)
    except NoTransitionError as error:
        return _plane_record(
            kind, (first, second), (), str(error), others, digits, theory.fixed_points.equations
        )
    pair = (first, second)
    searched = f"closed forms of the conditions in {first} and {second}"
    points = tuple(
        p for form in found.values if (p := _closed_point(form, pair, others, digits)) is not None
    )
    if not found.values:
        windows = window_of(model, first.name, None), window_of(model, second.name, None)
        searched = f"{first} in {windows[0]}, {second} in {windows[1]}"
        conditions = [c.subs(others) for c in found.conditions]
        points = tuple(
            TransitionPoint(
                value=dict(zip((first.name, second.name), zero.values, strict=True)),
                kind="continuous", at={}, digits=zero.digits, residual=zero.residual,
            )
            for zero in common_zeros(conditions, pair, windows, digits)
        )  # fmt: skip
    points = tuple(p for p in points if _is_first_loss(theory, pair, known, others, p))
    return _plane_record(kind, pair, points, searched, others, digits, found.equations)


def _is_first_loss(
    theory: Theory,
    pair: tuple[Symbol, Symbol],
    known: Mapping[Symbol, Expr],
    others: Mapping[Symbol, Expr],
    point: TransitionPoint,
) -> bool:
    """Whether the eigenvalue that reaches 1 at the zero state is the largest one of K."""
    first, second = pair
    conditions = zero_state_conditions(theory.fixed_points, theory.spectrum, known)
    program = program_of(conditions, second)
    there = {**others, first: sympy.Float(str(point.value[first.name]), 20), second: S.Zero}
    growth, _ = program.growth([], there, np.array([float(point.value[second.name])]))
    return bool(abs(growth[0] - 1) < CLOSE)


def _usual(model: Model, preferred: str, taken: Sequence[str]) -> str:
    if preferred in model.symbols:
        return preferred
    raise ParameterError(
        f"{model.name} has no parameter {preferred}; say along which two parameters: "
        f"{', '.join(n for n in model.symbols if n not in taken)}"
    )


def _closed_point(
    form: tuple[Expr, Expr],
    pair: tuple[Symbol, Symbol],
    others: Mapping[Symbol, Expr],
    digits: int,
) -> TransitionPoint | None:
    """A closed form at the values of the other parameters; None outside the parameters' domain."""
    numbers: dict[str, Any] = {}
    for parameter, expression in zip(pair, form, strict=True):
        value = sympy.N(expression.subs(others), digits + GUARD, maxn=20 * digits + 400)
        if not (value.is_Float and value.is_finite):
            return None  # complex: there is no such point at these values
        if parameter.is_nonnegative and value < 0 or parameter.is_positive and value == 0:
            return None
        numbers[parameter.name] = mpmath.mp.make_mpf(value._mpf_)
    names = (p.name for p in pair)
    return TransitionPoint(
        value=numbers, kind="continuous", at={}, digits=digits, residual=0,
        expression=dict(zip(names, form, strict=True)),
    )  # fmt: skip


def _plane_record(
    kind: str,
    pair: tuple[Symbol, Symbol],
    points: tuple[TransitionPoint, ...],
    searched: str,
    others: Mapping[Symbol, Expr],
    digits: int,
    equations: EquationSet,
) -> Transition:
    return Transition(
        status="ok" if points else "no_solution",
        kind=kind,
        along=tuple(p.name for p in pair),
        points=points,
        value=points[0].value if points else None,
        searched=searched,
        provenance=Provenance(by_name(others), digits, equations.assumptions, equations.references),
    )

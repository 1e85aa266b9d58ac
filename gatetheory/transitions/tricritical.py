"""Tricritical points: closed forms where there are any, and numbers beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import mpmath
from sympy import Expr, Symbol

from gatetheory.equations.onset import TricriticalPoint
from gatetheory.equations.provenance import EquationSet
from gatetheory.equations.stationary import is_exact
from gatetheory.errors import DerivationError, NoTransitionError, ParameterError
from gatetheory.model import Model
from gatetheory.pipeline import GUARD, Values, warn_of_closure
from gatetheory.solvers.records import Provenance, by_name
from gatetheory.solvers.transition_records import Transition, TransitionPoint
from gatetheory.solvers.two_conditions import common_zeros
from gatetheory.theory.derive import Theory
from gatetheory.theory.tricritical import tricritical_dynamic, tricritical_static
from gatetheory.transitions.fixed_points import fixed_for_zero
from gatetheory.transitions.task import parameter_of, window_of

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

    searched = f"closed forms of the conditions in {first} and {second}"
    try:
        found = point(others)
    except NoTransitionError as error:
        return _plane_record(
            kind, (first, second), (), str(error), others, digits, theory.fixed_points.equations
        )
    if found.values:
        open_forms = _open_forms(theory, point, others, found, (first, second))
        points = tuple(
            _closed_point(v, form, (first, second), digits)
            for v, form in zip(found.values, open_forms, strict=True)
        )
    else:
        windows = window_of(model, first.name, None), window_of(model, second.name, None)
        searched = f"{first} in {windows[0]}, {second} in {windows[1]}"
        points = tuple(
            TransitionPoint(
                value=dict(zip((first.name, second.name), zero.values, strict=True)),
                kind="continuous", at={}, digits=zero.digits, residual=zero.residual,
            )
            for zero in common_zeros(found.conditions, (first, second), windows, digits)
        )  # fmt: skip
    return _plane_record(kind, (first, second), points, searched, others, digits, found.equations)


def _usual(model: Model, preferred: str, taken: Sequence[str]) -> str:
    if preferred in model.symbols:
        return preferred
    raise ParameterError(
        f"{model.name} has no parameter {preferred}; say along which two parameters: "
        f"{', '.join(n for n in model.symbols if n not in taken)}"
    )


def _open_forms(
    theory: Theory,
    point: Callable[[Mapping[Symbol, Expr]], TricriticalPoint],
    others: Mapping[Symbol, Expr],
    found: TricriticalPoint,
    pair: tuple[Symbol, Symbol],
) -> list[dict[str, Expr]]:
    """Closed forms with parameters left open where that is possible, else with their values."""
    numbers = [dict(zip((p.name for p in pair), v, strict=True)) for v in found.values]
    needed = fixed_for_zero(theory, others)
    try:
        forms = point({p: v for p, v in others.items() if p in needed}).values
    except (DerivationError, NotImplementedError):
        return numbers
    result = []
    for number, values in zip(numbers, found.values, strict=True):
        match = [
            dict(zip((p.name for p in pair), form, strict=True))
            for form in forms
            if all(
                abs((f.subs(dict(others)) - v).evalf(30)) < 1e-20
                for f, v in zip(form, values, strict=True)
            )
        ]
        result.append(match[0] if match else number)
    return result


def _closed_point(
    values: tuple[Expr, Expr], form: dict[str, Expr], pair: tuple[Symbol, Symbol], digits: int
) -> TransitionPoint:
    numbers = {
        p.name: mpmath.mp.make_mpf(v.evalf(digits + GUARD)._mpf_)
        for p, v in zip(pair, values, strict=True)
    }
    return TransitionPoint(
        value=numbers, kind="continuous", at={}, digits=digits, residual=0, expression=form
    )


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

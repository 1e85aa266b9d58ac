"""What is asked of a transition: theory, parameter, range; and the record of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import sympy
from sympy import Expr, Symbol

from gatetheory.equations.provenance import EquationSet
from gatetheory.equations.shapes import SelfConsistency
from gatetheory.errors import ParameterError
from gatetheory.model import Model, exact
from gatetheory.pipeline import DOUBLE, Values, fixed_point_programs
from gatetheory.solvers.core_problem import CoreProblem
from gatetheory.solvers.fixed_points import find_roots
from gatetheory.solvers.records import Provenance, by_name
from gatetheory.solvers.transition_records import Transition, TransitionPoint
from gatetheory.solvers.transition_search import Unknowns
from gatetheory.theory.derive import Theory

RANGE = (sympy.Rational(1, 1000), sympy.Integer(50))
"""Where no range is given, the domain of the parameter is cut to this one."""


@dataclass(frozen=True)
class Task:
    """A transition to find: the theory, the parameter and its range, the others' values."""

    theory: Theory
    along: Symbol
    parameters: Mapping[Symbol, Expr]
    low: float
    high: float
    digits: int
    certify: bool

    @property
    def window(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def fixed_points(self) -> SelfConsistency:
        return self.theory.fixed_points

    @property
    def core(self) -> CoreProblem:
        return fixed_point_programs(self.fixed_points, DOUBLE)

    def moved(self, value: float) -> dict[Symbol, Expr]:
        """All parameters, the one of the transition at a value."""
        return {**self.parameters, self.along: sympy.Float(value, 17)}

    def ends(self, value: float) -> list[float]:
        """Physical ends of the range of the core unknowns."""
        return self.core.upper_bounds(self.moved(value))

    def roots(self, value: float) -> list[Unknowns]:
        """Core unknowns of all fixed points at a value of the parameter."""
        core = self.fixed_points.core
        return [
            tuple(float(r.values[u]) for u in core)  # type: ignore[arg-type]
            for r in find_roots(self.core, self.moved(value)).roots
        ]


def make_task(
    theory: Theory,
    along: str | None,
    at: Values | None,
    between: Sequence[Any] | None,
    digits: int,
    *,
    certify: bool,
) -> Task:
    model = theory.model
    if along is None:
        raise ParameterError(f"say along which parameter: {', '.join(model.symbols)}")
    symbol = parameter_of(model, along)
    values = dict(at or {})
    if along in values:
        raise ParameterError(f"{along} is what is sought; do not set it")
    low, high = window_of(model, along, between)
    # The default of the parameter itself may lie anywhere; it is not used.
    return Task(theory, symbol, model.bind(values), low, high, digits, certify)


def parameter_of(model: Model, name: str) -> Symbol:
    if name not in model.symbols:
        near = get_close_matches(name, model.symbols, n=2, cutoff=0.4) or list(model.symbols)
        raise ParameterError(
            f"{model.name} has no parameter {name!r}; did you mean {' or '.join(near)}?"
        )
    return model.symbols[name]


def window_of(model: Model, along: str, between: Sequence[Any] | None) -> tuple[float, float]:
    """The range that is searched.

    Raises:
        ParameterError: If it is empty or leaves the parameter's domain.
    """
    (parameter,) = (p for p in model.parameters if p.name == along)
    if between is None:
        cut = parameter.domain.intersect(sympy.Interval(*RANGE))
        if not isinstance(cut, sympy.Interval):
            raise ParameterError(
                f"the domain of {along} lies outside [{RANGE[0]}, {RANGE[1]}]; say between what"
            )
        return float(cut.start), float(cut.end)
    if len(between) != 2:
        raise ParameterError(f"a range has two ends, got {between}")
    low, high = (exact(b) for b in between)
    if not low < high:
        raise ParameterError(f"the range of {along} from {low} to {high} is empty")
    for end in (low, high):
        parameter.check(end)
    return float(low), float(high)


def record_of(
    task: Task, kind: str, points: tuple[TransitionPoint, ...], searched: str,
    equations: EquationSet,
) -> Transition:  # fmt: skip
    others = {p: v for p, v in task.parameters.items() if p != task.along}
    return Transition(
        status="ok" if points else "no_solution",
        kind=kind,
        along=(task.along.name,),
        points=points,
        value=points[0].value if points else None,
        searched=searched,
        provenance=Provenance(
            by_name(others), task.digits, equations.assumptions, equations.references
        ),
    )

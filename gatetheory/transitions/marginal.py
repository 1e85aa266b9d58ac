"""The range of a parameter in which infinitely steep gates keep a fixed point marginally stable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gatetheory.equations.provenance import EquationSet
from gatetheory.equations.transition import TransitionConditions
from gatetheory.errors import DerivationError
from gatetheory.solvers.marginal_region import End, marginal_region
from gatetheory.solvers.transition_records import Transition
from gatetheory.solvers.transition_search import Unknowns
from gatetheory.theory.steep_gates import marginal_conditions
from gatetheory.transitions.fixed_points import conditions_of, point_at, program_of, searched
from gatetheory.transitions.task import Task, record_of


def find_marginal(task: Task) -> Transition:
    """The first range, from below, in which a non-zero fixed point is marginal."""
    theory = task.theory
    lower, upper = marginal_conditions(theory.fixed_points, theory.spectrum)
    kinds: dict[str, TransitionConditions] = {"stability": lower, "open": upper}
    for kind in ("fold", "zero-state"):
        try:
            kinds[kind] = replace(conditions_of(task, kind), crossing=())
        except DerivationError:
            continue
    found = {kind: searched(task, conditions) for kind, conditions in kinds.items()}
    ends = [End(kind, c) for kind, some in found.items() for c in some.found]
    programs = [program_of(c, task.along) for c in (lower, upper)]

    def growth(unknowns: Unknowns, value: float) -> tuple[float, float]:
        columns = [np.array([u]) for u in unknowns]
        every, opened = (
            float(p.growth(columns, task.parameters, np.array([value]))[0][0]) for p in programs
        )
        return every, opened

    region = marginal_region(ends, task.window, task.roots, growth)
    text = found["stability"].text
    equations = EquationSet(
        "transitions", (*lower.equations.equations, upper.equations.equations[-1])
    )
    if region is None:
        return record_of(task, "marginal", (), text, equations)
    points = tuple(
        point_at(task, kinds[end.kind], end.candidate) for end in region if end is not None
    )
    record = record_of(task, "marginal", points, text, equations)
    values = iter(p.value for p in points)
    return replace(record, value=[None if end is None else next(values) for end in region])

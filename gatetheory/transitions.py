"""Where a network changes its behaviour: from a kind of transition and a parameter to numbers.

    Theory ──conditions──▶ search in doubles ──▶ refinement to digits ──▶ proof

Each kind is a set of derived conditions (:mod:`gatetheory.theory.static_transitions`,
:mod:`gatetheory.theory.steep_gates`, :mod:`gatetheory.theory.tricritical`) or, for ``chaos``, the
derived lag equations. The search knows nothing but a range.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
import sympy
from sympy import Expr, Symbol

from gatetheory.equations.lag_system import LagSystem
from gatetheory.equations.onset import TricriticalPoint
from gatetheory.equations.provenance import EquationSet
from gatetheory.equations.shapes import SelfConsistency
from gatetheory.equations.stationary import is_exact
from gatetheory.equations.transition import TransitionConditions
from gatetheory.errors import DerivationError, NoTransitionError, ParameterError
from gatetheory.functions import instantiate
from gatetheory.model import Model, exact
from gatetheory.pipeline import (
    DOUBLE,
    GUARD,
    Doubles,
    Values,
    backend,
    fixed_point_programs,
    lag_program,
    spectral_problem,
    warn_of_closure,
)
from gatetheory.solvers.chaos_path import LagPath
from gatetheory.solvers.chaos_points import chaos_transition
from gatetheory.solvers.core_problem import CoreProblem
from gatetheory.solvers.fixed_points import find_roots
from gatetheory.solvers.local_modes import local_modes
from gatetheory.solvers.marginal_region import End, marginal_region
from gatetheory.solvers.records import Provenance, by_name
from gatetheory.solvers.stability_border import growth_at_border
from gatetheory.solvers.transfer import State
from gatetheory.solvers.transition_points import point_of
from gatetheory.solvers.transition_program import Candidate, TransitionProgram
from gatetheory.solvers.transition_records import Transition, TransitionPoint
from gatetheory.solvers.two_conditions import common_zeros
from gatetheory.solvers.transition_search import Searched, Tools, Unknowns, search
from gatetheory.theory.derive import Theory
from gatetheory.theory.static_transitions import (
    fold_conditions,
    stability_conditions,
    zero_state_conditions,
)
from gatetheory.theory.steep_gates import marginal_conditions
from gatetheory.theory.tricritical import tricritical_dynamic, tricritical_static
from gatetheory.theory.transitions import solve_zero_state, zero_state_condition

__all__ = ["KINDS", "find_transition"]

STATIC = ("zero-state", "fold", "stability")
TRICRITICAL = ("tricritical-static", "tricritical-dynamic")
KINDS = (*STATIC, "chaos", *TRICRITICAL, "marginal")
CLOSE = 1e-12  # closed form and number are the same
RANGE = (sympy.Rational(1, 1000), sympy.Integer(50))
"""Where no range is given, the domain of the parameter is cut to this one."""


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
        return _tricritical(theory, kind, along, also, at, digits)
    task = _task(theory, along, at, between, digits, certify=certify)
    if also is not None:
        raise ParameterError(f"a second parameter belongs to {' and '.join(TRICRITICAL)}")
    if closure is not None and kind != "chaos":
        raise ParameterError(f"a closure belongs to chaos, not to {kind}")
    if kind == "chaos":
        return _chaos(task, closure)
    if kind == "marginal":
        return _marginal(task)
    conditions = _conditions(task, kind)
    found = _searched(task, conditions)
    points = tuple(_point(task, conditions, c) for c in found.found)
    if kind == "zero-state":
        points = tuple(replace(p, expression=_closed_form(task, p)) for p in points)
    return _record(task, kind, points, found.text, conditions.equations)


# ---- what is asked -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Task:
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


def _task(
    theory: Theory,
    along: str | None,
    at: Values | None,
    between: Sequence[Any] | None,
    digits: int,
    *,
    certify: bool,
) -> _Task:
    model = theory.model
    if along is None:
        raise ParameterError(f"say along which parameter: {', '.join(model.symbols)}")
    symbol = _parameter(model, along)
    values = dict(at or {})
    if along in values:
        raise ParameterError(f"{along} is what is sought; do not set it")
    low, high = _window(model, along, between)
    # The default of the parameter itself may lie anywhere; it is not used.
    return _Task(theory, symbol, model.bind(values), low, high, digits, certify)


def _parameter(model: Model, name: str) -> Symbol:
    if name not in model.symbols:
        near = get_close_matches(name, model.symbols, n=2, cutoff=0.4) or list(model.symbols)
        raise ParameterError(
            f"{model.name} has no parameter {name!r}; did you mean {' or '.join(near)}?"
        )
    return model.symbols[name]


def _window(model: Model, along: str, between: Sequence[Any] | None) -> tuple[float, float]:
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


# ---- fixed points --------------------------------------------------------------------------------


def _conditions(task: _Task, kind: str) -> TransitionConditions:
    theory = task.theory
    if kind == "fold":
        return fold_conditions(theory.fixed_points)
    if kind == "stability":
        return stability_conditions(theory.fixed_points, theory.spectrum)
    others = {p: v for p, v in task.parameters.items() if p != task.along}
    return zero_state_conditions(theory.fixed_points, theory.spectrum, others)


@lru_cache(maxsize=64)
def _program(conditions: TransitionConditions, along: Symbol) -> TransitionProgram:
    return TransitionProgram(conditions, along, Doubles())


def _searched(task: _Task, conditions: TransitionConditions) -> Searched:
    """Every transition of a kind, in doubles."""
    program = _program(conditions, task.along)
    off_axis = None
    if conditions.crossing:
        off_axis = _off_axis(task)
    tools = Tools(task.ends, task.roots, off_axis)
    return search(program, task.parameters, task.low, task.high, tools)


def _off_axis(task: _Task) -> Any:
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


def _point(
    task: _Task, conditions: TransitionConditions, candidate: Candidate
) -> TransitionPoint:
    return point_of(
        _program(conditions, task.along), task.parameters, candidate, task.digits,
        certify=task.certify, kind=conditions.kind,
    )  # fmt: skip


def _closed_form(task: _Task, point: TransitionPoint) -> Expr | None:
    """The zero state's instability as an expression in the parameters that may stay open."""
    if point.frequency is not None:
        return None
    theory, along = task.theory, task.along
    others = {p: v for p, v in task.parameters.items() if p != along}
    needed = _fixed_for_zero(theory, others)
    for known in ({p: v for p, v in others.items() if p in needed}, others):
        try:
            condition = zero_state_condition(theory.fixed_points, theory.spectrum, known)
            forms = solve_zero_state(condition, along)
        except DerivationError:
            continue
        for form in forms:
            number = form.subs(others).evalf(30)
            if number.is_Float and abs(number - sympy.Float(str(point.value), 30)) < CLOSE:
                return form
    return None


# ---- steep gates ---------------------------------------------------------------------------------


def _marginal(task: _Task) -> Transition:
    theory = task.theory
    lower, upper = marginal_conditions(theory.fixed_points, theory.spectrum)
    kinds: dict[str, TransitionConditions] = {"stability": lower, "open": upper}
    for kind in ("fold", "zero-state"):
        try:
            kinds[kind] = replace(_conditions(task, kind), crossing=())
        except DerivationError:
            continue
    found = {kind: _searched(task, conditions) for kind, conditions in kinds.items()}
    ends = [End(kind, c) for kind, searched in found.items() for c in searched.found]
    programs = [_program(c, task.along) for c in (lower, upper)]

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
        return _record(task, "marginal", (), text, equations)
    points = tuple(
        _point(task, kinds[end.kind], end.candidate) for end in region if end is not None
    )
    record = _record(task, "marginal", points, text, equations)
    values = iter(p.value for p in points)
    return replace(record, value=[None if end is None else next(values) for end in region])


# ---- chaos ---------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _path(
    system: LagSystem, parameters: tuple[tuple[Symbol, Expr], ...], along: Symbol
) -> LagPath:
    return LagPath(lag_program(system), dict(parameters), along)


def _chaos(task: _Task, closure: str | None) -> Transition:
    theory = task.theory
    state = theory.correlations
    name, _ = state.closure(task.parameters, closure)
    if name == "sampled":
        raise DerivationError(
            "the chaotic state of this model has no closed equations at these parameters, only "
            "samples: where it appears cannot be computed to digits; choose closure='constant' or "
            "'factorized' where the model has them, knowing that they are approximate"
        )
    system = state.lag_system(name)
    warn_of_closure(name, is_exact(system, task.parameters))
    path = _path(system, tuple(task.parameters.items()), task.along)
    conditions = _onset_conditions(task)
    onsets = [(c, some) for some in conditions for c in _searched(task, some).found]
    points, first, text = chaos_transition(
        path, onsets, task.window, task.digits,
        lambda c, conditions: _point(task, conditions, c),
    )  # fmt: skip
    record = _record(task, "chaos", points, text, system.equations)
    return record if first is None else replace(record, value=points[first].value)


def _onset_conditions(task: _Task) -> list[TransitionConditions]:
    """Conditions under which a quiet state loses stability: of zero, or of fixed points."""
    try:
        return [replace(_conditions(task, "zero-state"), crossing=())]
    except DerivationError:
        return [replace(_conditions(task, "stability"), crossing=())]


# ---- points in two parameters --------------------------------------------------------------------


def _tricritical(
    theory: Theory,
    kind: str,
    along: str | None,
    also: str | None,
    at: Values | None,
    digits: int,
) -> Transition:
    model = theory.model
    first = _parameter(model, along or _usual(model, "alpha_r", ()))
    second = _parameter(model, also or _usual(model, "g_h", (first.name,)))
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
        windows = _window(model, first.name, None), _window(model, second.name, None)
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
    needed = _fixed_for_zero(theory, others)
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


def _fixed_for_zero(theory: Theory, at: Mapping[Symbol, Expr]) -> set[Symbol]:
    """Parameters whose values make zero a fixed point: those that its absence would contain."""
    fixed_points = theory.fixed_points
    nothing = dict.fromkeys(fixed_points.unknowns, sympy.S.Zero)
    rest = [instantiate(g, fixed_points.definitions).subs(nothing) for g in fixed_points.maps]
    return set().union(*(sympy.simplify(r).free_symbols for r in rest)) & set(at)


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
        provenance=Provenance(
            by_name(others), digits, equations.assumptions, equations.references
        ),
    )


# ---- records -------------------------------------------------------------------------------------


def _record(
    task: _Task, kind: str, points: tuple[TransitionPoint, ...], searched: str,
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

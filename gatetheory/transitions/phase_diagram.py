"""The plane of two parameters: curves of transitions, where they meet, and the phases between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import sympy
from numpy.typing import NDArray

from gatetheory.errors import DerivationError, ParameterError
from gatetheory.pipeline import DOUBLE, Values
from gatetheory.solvers.records import Provenance, by_name
from gatetheory.solvers.transition_curve import TransitionCurve
from gatetheory.theory.derive import Theory
from gatetheory.transitions.axes import Axis, checked_axis
from gatetheory.transitions.curves import trace_transition
from gatetheory.transitions.find import find_transition
from gatetheory.transitions.fixed_points import conditions_of, program_of
from gatetheory.transitions.task import Task, make_task, parameter_of
from gatetheory.transitions.tricritical import TRICRITICAL

Array = NDArray[np.float64]

MOST_POINTS = 400
SHOWN = 64  # values of x at which phases are told apart; four times as many of y
PHASES = (
    "zero state only",
    "fixed points, no chaos",
    "chaos beside the stable zero state",
    "chaos",
    "stable fixed point",
)
ZERO_ONLY, FIXED_POINTS, BESIDE, CHAOS, STABLE = range(5)


@dataclass(frozen=True)
class PhaseDiagram:
    """Transitions in the plane of two parameters.

    Args:
        x: Name of the parameter on the x axis.
        y: Name of that on the y axis.
        windows: Their ranges.
        curves: Curves by kind (``"zero-state"``, ``"fold"``, ``"stability"``, ``"chaos"``), the
            first parameter of each being y, the second x.
        points: Tricritical points by kind, (x, y).
        grid: Values of x and of y at which phases were told apart.
        phases: Number of the phase (an index into ``names``) on the grid, shape (y, x).
        names: Names of the phases.
        notes: What could not be drawn, and why.
        provenance: Parameters, assumptions, references.
    """

    x: str
    y: str
    windows: tuple[tuple[float, float], tuple[float, float]]
    curves: Mapping[str, tuple[TransitionCurve, ...]] = field(hash=False)
    points: Mapping[str, tuple[float, float]] = field(hash=False)
    grid: tuple[Array, Array] = field(hash=False)
    phases: NDArray[np.int64] = field(hash=False)
    names: tuple[str, ...]
    notes: tuple[str, ...]
    provenance: Provenance

    def cite(self) -> str:
        """The references used."""
        return self.provenance.cite()


def phase_diagram(
    theory: Theory, x: Axis, y: Axis, at: Values | None = None, *, closure: str | None = None
) -> PhaseDiagram:
    """Trace every transition of a model in the plane of two parameters.

    Args:
        theory: The derived theory.
        x: Name, low, high, number of values of the parameter on the x axis.
        y: The same for the y axis; transitions are looked for along y.
        at: The other parameters by name.
        closure: For the chaotic state, see :func:`~gatetheory.transitions.find.find_transition`.

    Raises:
        ParameterError: For names, ranges and numbers that make no sense.
    """
    (x_name, *x_range), (y_name, *y_range) = checked_axis(x, "x"), checked_axis(y, "y")
    x_low, x_high, columns = x_range
    y_low, y_high, rows = y_range
    task = make_task(theory, y_name, at, (y_low, y_high), DOUBLE, certify=False)
    parameter_of(theory.model, x_name)
    points = min(max(columns, rows, 20), MOST_POINTS)
    curves: dict[str, tuple[TransitionCurve, ...]] = {}
    notes = []
    for kind in ("zero-state", "fold", "stability", "chaos"):
        try:
            found = trace_transition(
                theory, kind, y_name, x_name, at, between=(y_low, y_high),
                over_between=(x_low, x_high), points=points,
                closure=closure if kind == "chaos" else None,
            )  # fmt: skip
        except DerivationError as error:
            notes.append(f"{kind}: {error}")
            continue
        curves[kind] = found
    windows = (float(x_low), float(x_high)), (float(y_low), float(y_high))
    marked = _tricritical_points(theory, x_name, y_name, at, windows, closure)
    grid = (
        np.linspace(*windows[0], SHOWN),
        np.linspace(*windows[1], 4 * SHOWN),
    )
    others = {
        p: v for p, v in task.parameters.items() if p.name not in (x_name, y_name)
    }  # fmt: skip
    equations = theory.fixed_points.equations
    return PhaseDiagram(
        x_name, y_name, windows, curves, marked, grid,
        _phases(task, x_name, grid, curves), PHASES, tuple(notes),
        Provenance(by_name(others), DOUBLE, equations.assumptions, equations.references),
    )  # fmt: skip


def _tricritical_points(
    theory: Theory,
    x: str,
    y: str,
    at: Values | None,
    windows: tuple[tuple[float, float], tuple[float, float]],
    closure: str | None,
) -> dict[str, tuple[float, float]]:
    found = {}
    for kind in TRICRITICAL:
        try:
            point = find_transition(theory, kind, x, at, also=y)
        except (DerivationError, ParameterError):
            continue
        if isinstance(point.value, Mapping):
            place = float(point.value[x]), float(point.value[y])
            if all(low <= v <= high for v, (low, high) in zip(place, windows, strict=True)):
                found[kind.removeprefix("tricritical-")] = place
    return found


def _phases(
    task: Task,
    x: str,
    grid: tuple[Array, Array],
    curves: Mapping[str, tuple[TransitionCurve, ...]],
) -> NDArray[np.int64]:
    """The phase at every point of the grid, shape (y, x).

    Between two neighbouring curves the phase is one: a look in the middle tells which.
    """
    symbol = parameter_of(task.theory.model, x)
    phases = np.zeros((len(grid[1]), len(grid[0])), dtype=np.int64)
    for column, value in enumerate(map(float, grid[0])):
        there = {**task.parameters, symbol: sympy.Float(value, 17)}
        moved = Task(task.theory, task.along, there, task.low, task.high, DOUBLE, certify=False)
        passed = {kind: [p for c in some for p in _at(c, value)] for kind, some in curves.items()}
        inside = [p for some in passed.values() for p in some if task.low < p < task.high]
        edges = [task.low, *sorted(inside), task.high]
        for low, high in pairwise(edges):
            phase = _phase(moved, (low + high) / 2, passed)
            phases[(grid[1] >= low) & (grid[1] <= high), column] = phase
    return phases


def _phase(task: Task, value: float, passed: Mapping[str, Sequence[float]]) -> int:
    """The phase at a value of the task's parameter, away from every curve."""
    if "zero-state" not in passed:
        return STABLE if _has_stable(task, value) else CHAOS
    if _zero_is_unstable(task, np.array([value]))[0]:
        return CHAOS
    if any(_between(value, fold, passed["zero-state"]) for fold in passed.get("chaos", ())):
        return BESIDE
    return FIXED_POINTS if any(all(u) for u in task.roots(value)) else ZERO_ONLY


def _zero_is_unstable(task: Task, values: Array) -> NDArray[np.bool_]:
    conditions = conditions_of(task, "zero-state")
    growth, _ = program_of(conditions, task.along).growth([], task.parameters, values)
    return np.asarray(growth > 1)


def _has_stable(task: Task, value: float) -> bool:
    conditions = conditions_of(task, "stability")
    program = program_of(conditions, task.along)
    for u in task.roots(value):
        growth, _ = program.growth([np.array([v]) for v in u], task.parameters, np.array([value]))
        if growth[0] < 1:
            return True
    return False


def _at(curve: TransitionCurve, second: float) -> list[float]:
    """First parameters at which a curve passes a value of the second."""
    q, p = curve.second, curve.first
    crossing = np.flatnonzero((q[:-1] - second) * (q[1:] - second) <= 0)
    found = []
    for k in crossing:
        change = q[k + 1] - q[k]
        share = (second - q[k]) / change if change else 0.0
        found.append(float(p[k] + share * (p[k + 1] - p[k])))
    return found


def _between(value: float, fold: float, borders: Sequence[float]) -> bool:
    """Whether a value lies between the chaotic branch's fold and the zero state's instability."""
    if not borders:
        return False  # the zero state stays stable in this range
    border = min(borders, key=lambda b: abs(b - fold))
    return min(fold, border) <= value <= max(fold, border)

"""Finds transitions of fixed points along a parameter, in doubles, from a range alone.

With one core unknown u the fixed points are lines u = G(u; p) in the plane of ln u and p. They are
traced as level lines on a grid, so that every branch in the range is followed through its turning
points, and the condition of the transition is evaluated along them. Where it changes sign Newton's
method in (u, p) finishes. Without unknowns the line is the parameter's axis. With several core
unknowns the fixed points are searched at a number of parameter values and followed from one to the
next; that search proves nothing, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import contourpy
import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.line_search import GRID_SPACING, SMALLEST
from gatetheory.solvers.transition_program import Candidate, TransitionProgram

Array = NDArray[np.float64]
Unknowns = tuple[float, ...]

COLUMNS = 96  # values of the parameter on the grid
WIDE = 20.0  # ranges with a larger quotient of their ends are divided in the logarithm
CROWDED = 1e-4  # share of a range around zero that is resolved
LOUD = 4.0  # a condition counts as non-zero beyond this many error estimates
PROBES = 24  # places along a line where modes off the real axis are looked at
SAME = 1e-8
MATCHED = 1e-6  # of the largest eigenvalue, which has to be the one that is 1
STEPS = 24  # values of the parameter where there are several unknowns


@dataclass(frozen=True)
class Line:
    """Fixed points along a curve.

    Args:
        unknowns: Shape (unknowns, points).
        values: The parameter, shape (points,).
    """

    unknowns: Array
    values: Array


@dataclass(frozen=True)
class Tools:
    """What the search asks about states.

    Args:
        end: Physical ends of the range of the core unknowns at a value of the parameter.
        roots: All fixed points (core unknowns) at a value of the parameter.
        off_axis: Largest growth on the border of stability and where it is attained (a frequency),
            at unknowns and a value of the parameter; None if the transition does not involve it.
    """

    end: Callable[[float], list[float]]
    roots: Callable[[float], list[Unknowns]]
    off_axis: Callable[[Unknowns, float], tuple[float, float]] | None


@dataclass(frozen=True)
class Searched:
    """Transitions found, ascending in the parameter, and what was searched."""

    found: tuple[Candidate, ...]
    text: str


def search(
    program: TransitionProgram,
    parameters: Mapping[Symbol, Expr],
    low: float,
    high: float,
    tools: Tools,
) -> Searched:
    """All transitions that are found between two values of the parameter."""
    grid = spread(low, high, COLUMNS)
    unknowns = program.conditions.unknowns
    name = program.along.name
    text = f"{name} from {low:.6g} to {high:.6g}"
    if not unknowns:
        values = spread(low, high, 4 * COLUMNS)
        lines = [Line(np.empty((0, len(values))), values)]
    elif len(unknowns) == 1:
        lines = list(_level_lines(program, parameters, grid, tools))
        text += f", every fixed point with {unknowns[0]} > 0"
    else:
        lines = list(_followed(spread(low, high, STEPS), tools))
        text += f", fixed points followed over {STEPS} values (no proof that these are all)"
    found: list[Candidate] = []
    for line in lines:
        for start in _changes(program, parameters, line, tools):
            try:
                candidate = program.newton(start, parameters)
            except ConvergenceError:
                continue
            slack = 1e-12 * max(abs(low), abs(high))
            inside = low - slack <= candidate.value <= high + slack
            positive = all(u > 0 for u in candidate.unknowns)
            if inside and positive and _outermost(program, parameters, candidate, tools):
                _add(found, candidate)
    return Searched(tuple(sorted(found, key=lambda c: c.value)), text)


def spread(low: float, high: float, count: int) -> Array:
    """Values across a range, at least so many; in the logarithm if it is wide.

    Zero is where a model gains symmetry (biases) or loses a part (gains, times), and what happens
    next to it may happen within a small share of the range: values crowd around it.
    """
    if low > 0 and high / low > WIDE:
        grid = np.geomspace(low, high, count)
    else:
        grid = np.linspace(low, high, count)
    grid[0], grid[-1] = low, high
    if low <= 0 <= high:
        width = max(-low, high)
        close = np.geomspace(CROWDED * width, width, count // 3 + 1)[:-1]
        crowd = np.concatenate([-close, [0.0], close])
        grid = np.unique(np.concatenate([grid, crowd[(crowd > low) & (crowd < high)]]))
    return np.asarray(grid, float)


def _level_lines(
    program: TransitionProgram, parameters: Mapping[Symbol, Expr], grid: Array, tools: Tools
) -> Iterator[Line]:
    """Fixed points as level lines of (G − u)/(G + u) over parameter and ln u."""
    end = max(tools.end(float(p))[0] for p in grid[[0, len(grid) // 2, -1]])
    bottom, top = np.log(SMALLEST * min(end, 1.0)), np.log(end) + 1e-9
    levels = np.linspace(bottom, top, int(np.ceil((top - bottom) / GRID_SPACING)) + 1)
    s, p = (a.ravel() for a in np.meshgrid(levels, grid, indexing="ij"))
    u = np.exp(s)
    residual = program.state([u], parameters, p)[0]  # u − G
    height = (-residual / (2 * u - residual)).reshape(len(levels), len(grid))
    columns = np.arange(len(grid), dtype=float)
    traced = contourpy.contour_generator(columns, levels, np.ma.masked_invalid(height)).lines(0.0)
    for curve in traced:
        values = np.interp(np.asarray(curve)[:, 0], columns, grid)
        yield Line(np.exp(np.asarray(curve)[:, 1])[None], values)


def _followed(grid: Array, tools: Tools) -> Iterator[Line]:
    """Branches of fixed points over neighbouring parameter values, paired by distance."""
    before: list[Unknowns] = []
    previous = float(grid[0])
    for p in map(float, grid):
        now = [u for u in tools.roots(p) if all(u)]
        free = list(now)
        unpaired = []
        for u in before:
            if not free:
                unpaired.append(u)
                continue
            near = min(free, key=lambda v: _distance(u, v))
            free.remove(near)
            yield Line(np.array([u, near]).T, np.array([previous, p]))
        for lonely, at in ((unpaired, previous), (free, p)):
            for i, u in enumerate(lonely):  # two that vanish, or appear, together
                for v in lonely[i + 1 :]:
                    yield Line(np.array([u, v]).T, np.array([at, at]))
        before, previous = now, p


def _distance(u: Unknowns, v: Unknowns) -> float:
    return float(np.abs(np.log(np.array(u) / np.array(v))).sum())


def _changes(
    program: TransitionProgram, parameters: Mapping[Symbol, Expr], line: Line, tools: Tools
) -> Iterator[Candidate]:
    """Places along a line next to which the condition changes sign."""
    if len(line.values) < 2:
        return
    critical, noise = _condition(program, parameters, line)
    sure = np.flatnonzero(np.abs(critical) > LOUD * noise)
    sign = np.sign(critical[sure])
    for k in np.flatnonzero(sign[:-1] * sign[1:] < 0):
        i, j = int(sure[k]), int(sure[k + 1])
        weight = critical[i] / (critical[i] - critical[j]) if np.isfinite(critical[[i, j]]).all() \
            else 0.5  # fmt: skip
        yield _between(line, i, j, float(weight))
    if tools.off_axis is not None:
        yield from _crossings(line, critical, tools.off_axis)


def _condition(
    program: TransitionProgram, parameters: Mapping[Symbol, Expr], line: Line
) -> tuple[Array, Array]:
    """What changes sign at the transition: 1 − growth where there is one, else the condition."""
    unknowns = list(line.unknowns)
    if program.conditions.growth:
        growth, noise = program.growth(unknowns, parameters, line.values)
        return 1 - growth, np.where(np.isfinite(growth), noise, 0.0)
    values, noise = program.values(unknowns, parameters, line.values)
    finite = np.isfinite(values[-1])
    return np.where(finite, values[-1], 0.0), np.where(finite, noise[-1], np.inf)


def _crossings(
    line: Line, real: Array, off_axis: Callable[[Unknowns, float], tuple[float, float]]
) -> Iterator[Candidate]:
    """Changes of stability that the real axis does not see."""
    chosen = np.unique(np.linspace(0, len(line.values) - 1, PROBES).astype(int))
    before: tuple[int, float, float] | None = None
    for i in map(int, chosen):
        growth, frequency = off_axis(tuple(map(float, line.unknowns[:, i])), float(line.values[i]))
        excess = growth - 1
        if before is not None and excess * before[1] < 0:
            j = before[0]
            omega = frequency if excess > 0 else before[2]
            if omega > 0 and real[i] * real[j] > 0:
                weight = before[1] / (before[1] - excess) if np.isfinite(excess) else 0.5
                start = _between(line, j, i, float(weight))
                yield Candidate(start.value, start.unknowns, omega)
        before = i, excess, frequency


def _between(line: Line, i: int, j: int, weight: float) -> Candidate:
    logs = np.log(line.unknowns[:, [i, j]])
    unknowns = np.exp(logs[:, 0] + weight * (logs[:, 1] - logs[:, 0]))
    value = line.values[i] + weight * (line.values[j] - line.values[i])
    return Candidate(float(value), tuple(map(float, unknowns)))


def _outermost(
    program: TransitionProgram,
    parameters: Mapping[Symbol, Expr],
    candidate: Candidate,
    tools: Tools,
) -> bool:
    """Whether the eigenvalue of K that is 1 is the largest one, everywhere on the border."""
    if not program.conditions.growth:
        return True
    if tools.off_axis is not None:
        growth = tools.off_axis(candidate.unknowns, candidate.value)[0]
        return abs(growth - 1) < MATCHED
    unknowns = [np.array([u]) for u in candidate.unknowns]
    root, _ = program.growth(unknowns, parameters, np.array([candidate.value]))
    return bool(abs(root[0] - 1) < MATCHED)


def _add(found: list[Candidate], new: Candidate) -> None:
    def near(a: float, b: float) -> bool:
        return abs(a - b) <= SAME * max(abs(a), abs(b), 1e-12)

    for known in found:
        pairs = zip((known.value, *known.unknowns), (new.value, *new.unknowns), strict=True)
        if all(near(a, b) for a, b in pairs):
            return
    found.append(new)

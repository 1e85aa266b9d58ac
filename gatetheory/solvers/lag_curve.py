"""The curve of amplitudes of a lag system, and where it says that there are solutions.

With all sources multiplied by μ there is a solution at every amplitude C(0) − C(∞), and the
solutions of the system itself are where μ(amplitude) = 1. The curve is sampled downwards from a
start until its limit at zero amplitude is in sight. Two roots between neighbouring samples, close
to a fold of the chaotic branch, betray themselves by an extremum of μ that reaches 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.lag_grid import StepGrid
from gatetheory.solvers.lag_newton import (
    CURVE,
    amplitude,
    improved_grid,
    newton,
    newton_at_amplitude,
)
from gatetheory.solvers.lag_problem import LagPoint, LagProblem

Array = NDArray[np.float64]

ONSET = 1e-10
"""Responses of the quiet state this close to 1 are at the onset."""
_FACTOR = 0.6  # between successive amplitudes on the curve
_AT_ONSET = 1e-3
_SETTLING = 0.85  # ratio of successive changes of μ that counts as settling
_SMALLEST = 1e-7  # last amplitude, relative to the first
_TAIL, _END = 1e-6, 1e-8  # what is cut off must not outweigh the nonlinearity
_LONGEST = 700  # steps of a map
_UPWARDS = 6  # samples above the start while μ < 1
_AT_START = 1e-6  # at a known solution μ = 1 but for errors of either sign
_VERTICES = 12
_CLOSE = 1e-9  # an extremum of μ this close to 1 is a double root


def crossings(
    problem: LagProblem, start: LagPoint, quiet: float | None, *, is_solution: bool
) -> list[LagPoint]:
    """Solutions on the curve through a start, down to small amplitudes.

    Args:
        problem: The lag system.
        start: A point on the curve, coarsely.
        quiet: Response of the quiet state: the limit of 1/μ at zero amplitude.
        is_solution: Whether the start has μ = 1.
    """
    samples = _above(problem, start) if is_solution else [start]
    home = samples[-1] if is_solution else None
    for point in curve(problem, samples[-1]):
        samples.append(point)
        if quiet is not None and abs(quiet - 1) <= ONSET and abs(point.scale - 1) < _AT_ONSET:
            break  # the curve ends at μ = 1: exactly at the onset there is nothing to cross
        # The quiet state's response says on which side of 1 the curve ends.
        at_end = quiet is None or (point.scale - 1) * (1 - quiet) > 0
        if at_end and _has_settled([p.scale for p in samples]):
            break
    found = []
    for high, low in pairwise(_with_extrema(problem, samples)):
        if (high.scale - 1) * (low.scale - 1) >= 0:
            continue
        if home is not None and (high is home or low is home):
            # At home μ = 1 but for an error of either sign: the crossing it makes is home itself.
            found.append(start)
            home = None
        else:
            found.append(_crossing(problem, high, low))
    if is_solution and not found:
        return [start]
    return found


def _above(problem: LagProblem, start: LagPoint) -> list[LagPoint]:
    """Samples from where μ > 1 down to the amplitude of a coarse solution."""
    size, points = amplitude(problem, start), [start]
    try:
        points = [_at(problem, start, 1.0, size)]
        while points[0].scale <= 1 + _AT_START and len(points) <= _UPWARDS:
            size /= _FACTOR
            points.insert(0, _at(problem, points[0], 1 / _FACTOR, size))
    except ConvergenceError:
        return points
    return points


def _with_extrema(problem: LagProblem, samples: list[LagPoint]) -> list[LagPoint]:
    """Samples, and between them those at which μ − 1 changes sign and back."""
    added = []
    for high, middle, low in zip(samples, samples[1:], samples[2:], strict=False):
        values = [p.scale - 1 for p in (high, middle, low)]
        if min(v * values[1] for v in values) <= 0:
            continue  # the sign changes: a crossing is seen anyway
        if abs(values[1]) <= min(abs(values[0]), abs(values[2])):
            added += _vertex(problem, high, middle, low)
    everything = samples + added
    return sorted(everything, key=lambda p: -amplitude(problem, p))


def _vertex(problem: LagProblem, high: LagPoint, middle: LagPoint, low: LagPoint) -> list[LagPoint]:
    """A sample beyond μ = 1 at an extremum, by successive parabolas; none if μ stays away."""
    points = [high, middle, low]
    for _ in range(_VERTICES):
        x = np.array([np.log(amplitude(problem, p)) for p in points])
        y = np.array([p.scale - 1 for p in points])
        curvature, slope, _ = np.polyfit(x - x[1], y, 2)
        if curvature * y[1] <= 0:
            return []
        shift = -slope / (2 * curvature)
        least = y[1] - slope**2 / (4 * curvature)
        if least * y[1] > 0 and abs(least) > abs(y[1]) / 2 and abs(least) > _CLOSE:
            return []
        target = float(np.clip(x[1] + shift, x[2], x[0]))
        if min(abs(target - x)) < 1e-6:
            return []
        factor = float(np.exp(target - x[1]))
        try:
            point = _at(problem, points[1], factor, float(np.exp(target)))
        except ConvergenceError:
            return []
        if (point.scale - 1) * y[1] < 0:
            return [point]
        points = sorted([*points, point], key=lambda p: -amplitude(problem, p))
        best = min(range(1, 3), key=lambda k: abs(points[k].scale - 1))
        points = points[best - 1 : best + 2]
    return []


def curve(problem: LagProblem, start: LagPoint) -> Iterator[LagPoint]:
    """Points at falling amplitudes."""
    first = amplitude(problem, start)
    value, factor = first, _FACTOR
    point = start
    while value > _SMALLEST * first:
        try:
            found = _at(problem, point, factor, value * factor)
        except ConvergenceError:
            factor = factor**0.5
            if factor > 0.97:
                return
            continue
        yield found
        point, value = found, value * factor
        factor = max(factor * 0.9, _FACTOR)


def _at(problem: LagProblem, near: LagPoint, factor: float, target: float) -> LagPoint:
    """The point of an amplitude, from one whose amplitude it is ``factor`` times.

    Raises:
        ConvergenceError: If it is not found.
    """
    point = newton_at_amplitude(problem, _scaled(problem, near, factor), target, CURVE, 1e-9)
    for _ in range(6):
        better = adapted(point, _TAIL, _END)
        if better.grid == point.grid:
            return point
        point = newton_at_amplitude(problem, better, target, CURVE, 1e-9)
    return point


def adapted(point: LagPoint, tail: float, end: float) -> LagPoint:
    """The same functions on a grid that resolves them; the point itself if its own does."""
    if isinstance(point.grid, StepGrid):
        left = np.abs(point.decay[:, -2:]).max() / np.abs(point.decay).max()
        if left > end and point.grid.length < _LONGEST:
            return point.on(StepGrid(2 * point.grid.length))
        return point
    better = improved_grid(point, tail, end)
    return point if better is None else point.on(better)


def _scaled(problem: LagProblem, point: LagPoint, factor: float) -> LagPoint:
    """A guess at another amplitude: near an onset correlation times grow like a power of it."""
    guesses = []
    for power in (0.0, 0.5, 1.0):
        lags = point.grid.nodes * factor**power
        rows = [factor * point.grid.interpolate(row, lags) for row in point.decay]
        guesses.append(point.moved(np.concatenate([point.plateau, np.concatenate(rows)])))
    return min(guesses, key=lambda g: float(np.abs(problem.residual(g, CURVE)).max()))


def _has_settled(scales: list[float]) -> bool:
    """Whether μ approaches its limit at zero amplitude without coming near 1 again.

    The last changes fall geometrically, and what is left of them is less than half the distance.
    """
    if len(scales) < 4:
        return False
    before, last = abs(scales[-2] - scales[-3]), abs(scales[-1] - scales[-2])
    ratio = last / before if before > 0 else 1.0
    return ratio < _SETTLING and last * ratio / (1 - ratio) < abs(scales[-1] - 1) / 2


def _crossing(problem: LagProblem, high: LagPoint, low: LagPoint) -> LagPoint:
    """Regula falsi in the logarithm of the amplitude, then Newton at μ = 1."""
    ends = [(np.log(amplitude(problem, p)), p) for p in (high, low)]
    for _ in range(30):
        (xa, a), (xb, b) = ends
        fa, fb = a.scale - 1, b.scale - 1
        weight = min(max(fa / (fa - fb), 0.05), 0.95)
        x = xa + weight * (xb - xa)
        guess = low.on(low.grid)
        guess = guess.moved(guess.vector * np.exp(x - xb), b.scale)
        try:
            point = newton_at_amplitude(problem, guess, float(np.exp(x)), CURVE, 1e-9)
        except ConvergenceError:
            break
        ends = [(x, point), (xb, b)] if (point.scale - 1) * fa > 0 else [(xa, a), (x, point)]
        if abs(point.scale - 1) < 1e-9:
            break
    best = min((p for _, p in ends), key=lambda p: abs(p.scale - 1))
    solved = best.moved(best.vector, 1.0)
    try:
        return newton(problem, solved, CURVE, 1e-10)
    except ConvergenceError:
        return solved

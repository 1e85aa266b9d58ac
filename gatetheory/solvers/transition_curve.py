"""A transition followed in a second parameter, by pseudo-arclength continuation in doubles.

The unknowns of the conditions F(u, p, q) = 0, with ln u in place of u and both parameters in units
of their ranges, trace a curve. A step along its tangent is corrected by Newton's method on the
plane through the predicted point perpendicular to it, so that the curve is followed through turning
points in either parameter. All derivatives are derived ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.codegen.program import Backend, Program
from gatetheory.errors import ConvergenceError
from gatetheory.solvers.transition_program import Candidate, TransitionProgram

Array = NDArray[np.float64]

NEWTON_STEPS = 8
CLOSE = 1e-6  # last step of Newton's method, which leaves the square of it
LARGEST, SMALLEST = 0.1, 1e-6  # arclength of a step, in units of the ranges
BEND = 0.15  # angle between successive tangents that halves the step
VANISHED = 1e-7  # unknowns that small have reached zero: the condition is then lost in rounding
MOST = 2000


@dataclass(frozen=True)
class TransitionCurve:
    """A transition in the plane of two parameters.

    Args:
        first: Values of the first parameter, shape (points,).
        second: Values of the second.
        unknowns: The state's unknowns, shape (unknowns, points); amplitudes for ``chaos``.
        ends: Why the curve ends at its first and at its last point: ``"range"``, ``"closed"``,
            ``"zero"`` (the unknowns vanish) or ``"stopped"``.
    """

    first: Array
    second: Array
    unknowns: Array
    ends: tuple[str, str]


class CurveProgram:
    """Conditions of a transition in two parameters, compiled with all their slopes."""

    def __init__(self, program: TransitionProgram, second: Symbol, backend: Backend) -> None:
        self.program, self.second = program, second
        symbols = (*program.conditions.unknowns, program.along, second)
        slopes = [e.diff(s) for e in program.real for s in symbols]
        self.compiled: Program = backend.compile([*program.real, *slopes], program.arguments)
        self.count = len(program.real)

    def __call__(
        self, u: Array, p: float, q: float, parameters: Mapping[Symbol, Expr]
    ) -> tuple[Array, Array]:
        """The conditions, and their derivatives by u, p and q."""
        given = [
            p if s == self.program.along else q if s == self.second else float(parameters[s])
            for s in self.program.conditions.parameters
        ]
        numbers = np.asarray(self.compiled(*map(float, u), *given).values, float)
        if not np.isfinite(numbers).all():
            raise ConvergenceError("the conditions of the transition are not finite here")
        return numbers[: self.count], numbers[self.count :].reshape(self.count, -1)


class _Scaled:
    """The conditions in scaled unknowns z = (ln u, p/width, q/width)."""

    def __init__(
        self,
        conditions: CurveProgram,
        parameters: Mapping[Symbol, Expr],
        windows: Sequence[tuple[float, float]],
    ) -> None:
        self.conditions, self.parameters = conditions, parameters
        self.widths = np.array([high - low for low, high in windows])

    def pack(self, u: Sequence[float], p: float, q: float) -> Array:
        return np.concatenate([np.log(u), np.array([p, q]) / self.widths])

    def unpack(self, z: Array) -> tuple[Array, float, float]:
        p, q = z[-2:] * self.widths
        return np.exp(z[:-2]), float(p), float(q)

    def evaluate(self, z: Array) -> tuple[Array, Array]:
        u, p, q = self.unpack(z)
        values, slopes = self.conditions(u, p, q, self.parameters)
        return values, slopes * np.concatenate([u, self.widths])

    def tangent(self, z: Array) -> Array:
        """Unit vector along the curve."""
        return self._null(self.evaluate(z)[1])

    @staticmethod
    def _null(rows: Array) -> Array:
        # The conditions differ in size; what counts is their null direction.
        size = np.abs(rows).max(axis=1, keepdims=True)
        _, _, v = np.linalg.svd(rows / np.where(size > 0, size, 1.0))
        return np.asarray(v[-1], float)

    def corrected(self, guess: Array, tangent: Array) -> tuple[Array, Array]:
        """The point of the curve on the plane through a guess perpendicular to its tangent.

        Returns:
            The point, and the unit vector along the curve there (a last step before it).

        Raises:
            ConvergenceError: If Newton's method does not settle.
        """
        z = guess.copy()
        for _ in range(NEWTON_STEPS):
            values, rows = self.evaluate(z)
            matrix = np.vstack([rows, tangent])
            size = np.abs(matrix).max(axis=1)
            right = np.append(values, tangent @ (z - guess))
            try:
                step = np.linalg.solve(matrix / size[:, None], right / size)
            except np.linalg.LinAlgError as error:
                raise ConvergenceError("the transition curve is singular here") from error
            z = z - step
            if np.abs(step).max() < CLOSE:
                return z, self._null(rows)
            if np.abs(step).max() > 1:
                break
        raise ConvergenceError("Newton's method does not return to the transition curve")


def follow(
    conditions: CurveProgram,
    parameters: Mapping[Symbol, Expr],
    start: Candidate,
    second: float,
    windows: Sequence[tuple[float, float]],
    points: int = 100,
) -> TransitionCurve:
    """The whole curve through a transition, within a rectangle.

    Args:
        conditions: The compiled conditions.
        parameters: Exact values of the other parameters.
        start: A transition in the first parameter …
        second: … at this value of the second.
        windows: Ranges of both parameters.
        points: About how many points the curve shall have across the rectangle.
    """
    scaled = _Scaled(conditions, parameters, windows)
    first = scaled.pack(start.unknowns, start.value, second)
    largest = min(LARGEST, 1.0 / max(points, 2))
    tangent = scaled.tangent(first)
    onwards, end = _one_way(scaled, first, tangent, windows, largest)
    if end == "closed":
        return _curve(scaled, [first, *onwards, first], ("closed", "closed"))
    back, beginning = _one_way(scaled, first, -tangent, windows, largest)
    return _curve(scaled, [*reversed(back), first, *onwards], (beginning, end))


def _one_way(
    scaled: _Scaled,
    first: Array,
    tangent: Array,
    windows: Sequence[tuple[float, float]],
    largest: float,
) -> tuple[list[Array], str]:
    """Points beyond the first one, and why they end."""
    found: list[Array] = []
    here, step = first, largest / 4
    low = np.array([w[0] for w in windows]) / scaled.widths
    high = np.array([w[1] for w in windows]) / scaled.widths
    while len(found) < MOST:
        # The length is measured where it is seen, in the plane of the parameters, as long as the
        # unknowns do not run away.
        seen = max(float(np.linalg.norm(tangent[-2:])), 0.02 * float(np.linalg.norm(tangent)))
        length = step / seen
        try:
            point, turned = scaled.corrected(here + length * tangent, tangent)
        except ConvergenceError:
            step /= 2
            if step < SMALLEST:
                return found, "stopped"
            continue
        turned = turned * np.sign(turned @ tangent)
        angle = float(np.arccos(np.clip(turned @ tangent, -1, 1)))
        if angle > 2 * BEND and step > 100 * SMALLEST:
            step /= 2
            continue
        found.append(point)
        outside = (point[-2:] < low) | (point[-2:] > high)
        if outside.any():
            found[-1] = _at_edge(scaled, here, point, low, high)
            return found, "range"
        if (np.exp(point[:-2]) < VANISHED).any():
            return found, "zero"
        if len(found) > 4 and np.linalg.norm(point - first) < 0.75 * length:
            return found, "closed"
        here, tangent = point, turned
        step = min(step * (1.5 if angle < BEND else 1.0), largest)
    return found, "stopped"


def _at_edge(scaled: _Scaled, inside: Array, outside: Array, low: Array, high: Array) -> Array:
    """Where the curve leaves the rectangle, between two of its points."""
    share = 1.0
    for k in range(2):
        change = outside[-2:][k] - inside[-2:][k]
        for edge in (low[k], high[k]):
            if change and 0 <= (edge - inside[-2:][k]) / change < share:
                share = float((edge - inside[-2:][k]) / change)
    guess = inside + share * (outside - inside)
    fixed = np.zeros_like(guess)
    fixed[-2 + int(np.argmax(np.minimum(abs(guess[-2:] - low), abs(guess[-2:] - high)) < 1e-9))] = 1
    try:
        return scaled.corrected(guess, fixed)[0]
    except ConvergenceError:
        return guess


def _curve(scaled: _Scaled, points: Sequence[Array], ends: tuple[str, str]) -> TransitionCurve:
    table = [scaled.unpack(z) for z in points]
    return TransitionCurve(
        np.array([p for _, p, _ in table]),
        np.array([q for _, _, q in table]),
        np.array([u for u, _, _ in table]).T,
        ends,
    )

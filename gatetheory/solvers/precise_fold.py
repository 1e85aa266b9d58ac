"""The fold of a branch of stationary correlations in a parameter, to many digits.

The amplitude a = C(0) − C(∞) of the main covariance is given and the parameter p unknown; a is
moved by the secant method until dp/da = 0. As p is stationary there, its error is
(dp/da)² / (2 d²p/da²): it has twice the digits of a, which is found to as many digits as are wanted
as well. The fold is first found to a few digits on a coarse grid, then to all of them, then once
more on another grid at a higher precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flint import arb
from sympy import Expr, Rational, Symbol

from gatetheory.codegen.precision_ball import midpoint
from gatetheory.equations.lag_system import LagSystem
from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.solvers.lag_problem import LagPoint
from gatetheory.solvers.precise_agreement import (
    advice,
    agreed,
    difference,
    insist,
    relative,
    verify,
)  # fmt: skip
from gatetheory.solvers.precise_grid import PreciseGrid, magnitude
from gatetheory.solvers.precise_lag import (
    GRIDS,
    MARGIN,
    MORE,
    Progress,
    check,
    memory,
    precise_program,
    silent,
)  # fmt: skip
from gatetheory.solvers.precise_problem import PreciseProgram
from gatetheory.solvers.precise_records import PreciseFold
from gatetheory.solvers.precise_resolution import (
    better_grid,
    confirming,
    degree,
    first_grid,
    moved,
    richer,
    sampled,
    tail,
)  # fmt: skip
from gatetheory.solvers.precise_solution import AmplitudeCurve, AmplitudePoint
from gatetheory.solvers.precise_values import every_value

_COARSE = 14  # digits of the first, searching, stage
_AMPLITUDES = 25  # most steps of the secant method
_FIRST_STEP = 1e-2  # relative change of the amplitude that starts it
_LONGEST_STEP = 0.3
_GONE = 1e-3  # amplitudes that have fallen to this share of the first one lead to an onset


def fold_precisely(
    system: LagSystem,
    parameters: Mapping[Symbol, Expr],
    along: Symbol,
    start: LagPoint,
    value: float,
    digits: int,
    progress: Progress | None = None,
) -> PreciseFold:
    """The fold of a branch of correlations in a parameter.

    Args:
        system: The lag system.
        parameters: Exact values of all other parameters.
        along: The parameter.
        start: A solution in doubles near the fold.
        value: The value of the parameter it belongs to.
        digits: Significant digits wanted of the parameter.
        progress: Told what is being done.

    Raises:
        ParameterError: If the system is a map, or does not depend on the parameter.
        ConvergenceError: If there is no fold nearby, or it cannot be resolved.
    """
    if along not in system.parameters:
        known = ", ".join(str(p) for p in system.parameters)
        raise ParameterError(f"{along} is no parameter of this system; there are {known}")
    at = {**parameters, along: Rational(float(value))}
    check(system, at, start, digits)
    search = _Search(precise_program(system), at, along, progress or silent)
    rough = search.rough(start, min(_COARSE, digits), float(value))

    def evaluate(working: int) -> PreciseFold:
        grid = richer(rough.grid, rough.decays, tail(working), degree(working))
        first = search.settled(search.on(rough, grid), working)
        second = search.fold(search.on(first, confirming(first.grid)), working + MORE)
        return _compared(str(along), first, second, digits)

    return insist(evaluate, digits)


def _compared(along: str, first: _Fold, second: _Fold, digits: int) -> PreciseFold:
    """What two evaluations agree on."""
    one, two = first.point, second.point
    verify(one.problem, one.vector)
    before, values = (every_value(p.problem, p.vector) for p in (one, two))
    with two.problem.precision():
        error = relative(one.parameter, two.parameter)
    error_of_values = difference(before, values, two.problem)
    return PreciseFold(
        along, midpoint(two.parameter), {k: midpoint(v) for k, v in values.equal.items()},
        midpoint(two.amplitude), float(second.curvature), agreed(error, digits),
        agreed(error_of_values, digits), 10.0**error, 10.0**two.residual, second.grid.size,
        advice(error, digits),
    )  # fmt: skip


@dataclass(frozen=True)
class _Guess:
    """Where a fold is looked for; amplitude and curvature None if not known."""

    grid: PreciseGrid
    vector: list[arb]
    value: arb
    amplitude: arb | None
    curvature: arb | None


@dataclass(frozen=True)
class _Fold:
    """A fold on one grid; ``curvature`` is d²p/da²."""

    point: AmplitudePoint
    curvature: arb

    @property
    def grid(self) -> PreciseGrid:
        """Its grid."""
        return self.point.problem.grid

    @property
    def decays(self) -> list[list[arb]]:
        """Its decays."""
        return self.point.problem.split(self.point.vector)[1]


@dataclass(frozen=True)
class _Search:
    """Looks for folds along a parameter."""

    program: PreciseProgram
    parameters: Mapping[Symbol, Expr]
    along: Symbol
    tell: Progress

    def rough(self, start: LagPoint, digits: int, value: float) -> _Fold:
        """The fold to a few digits."""
        slowest = memory(self.program, self.parameters)
        grid = first_grid(start, tail(digits), degree(digits), slowest)
        return self.settled(_Guess(grid, sampled(start, grid), arb(value), None, None), digits)

    def on(self, found: _Fold, grid: PreciseGrid) -> _Guess:
        """A fold as a guess on another grid."""
        point = found.point
        vector = moved(point.problem, point.vector, grid)
        return _Guess(grid, vector, point.parameter, point.amplitude, found.curvature)

    def settled(self, guess: _Guess, digits: int) -> _Fold:
        """The fold on a grid that resolves it.

        Raises:
            ConvergenceError: If none is found.
        """
        for _ in range(GRIDS):
            found = self.fold(guess, digits)
            better = better_grid(found.point.problem, found.point.vector, tail(digits))
            if better is None:
                return found
            guess = self.on(found, better)
        raise ConvergenceError("the grid did not settle; ask for fewer digits")

    def fold(self, guess: _Guess, digits: int) -> _Fold:
        """The fold on one grid, by the secant method for dp/da = 0.

        Raises:
            ConvergenceError: If dp/da does not vanish nearby.
        """
        self.tell(f"fold to {digits} digits on {guess.grid.size} nodes")
        curve = AmplitudeCurve(
            self.program, self.parameters, self.along, guess.grid, digits + MARGIN, guess.value
        )
        with curve.precision():
            first = guess.amplitude
            if first is None:
                first = curve.problem(guess.value).amplitude(guess.vector).mid()
            point = curve.solve(guess.vector, guess.value, first, -digits - MARGIN)
            curvature = guess.curvature
            for _ in range(_AMPLITUDES):
                if curvature is not None and not curvature.is_zero():
                    # What the amplitude is off by; the parameter is off by its square.
                    left = magnitude(point.slope) - magnitude(curvature * point.amplitude)
                    self.tell(f"amplitude to about {max(-left, 0):.0f} digits")
                    if left < -digits:
                        return _Fold(point, curvature)
                step = _step(point, curvature)
                amplitude = (point.amplitude + step).mid()
                if amplitude < first * _GONE:
                    break
                after = curve.solve(
                    [x + t * step for x, t in zip(point.vector, point.tangent, strict=True)],
                    point.parameter + point.slope * step,
                    amplitude, -digits - MARGIN, point.chord,
                )  # fmt: skip
                curvature = ((after.slope - point.slope) / (amplitude - point.amplitude)).mid()
                point = after
        raise ConvergenceError(
            f"no fold in {self.along} near the start: d{self.along}/da does not vanish. The state "
            "may begin continuously there; start closer to the fold if there is one"
        )


def _step(point: AmplitudePoint, curvature: arb | None) -> arb:
    """The secant method's next change of the amplitude."""
    most = point.amplitude * _LONGEST_STEP
    if curvature is None or curvature.is_zero():
        return (point.amplitude * _FIRST_STEP).mid()
    step = (-point.slope / curvature).mid()
    if abs(step) > most:
        step = most if step > 0 else -most
    return step.mid()

"""Solutions of a lag system to many digits: at given parameters, and at a given amplitude.

At a given amplitude a = C(0) − C(∞) of the main covariance one parameter p is an unknown, which
passes folds in p. Its derivative dp/da comes from the tangent of the same bordered system, with
exact products with the Jacobian; what enters multiplied by dp/da alone (derivatives by p) may be
approximate, since only the zero of dp/da matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from flint import arb
from sympy import Expr, Rational, Symbol

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.precise_chord import Chord, Solved, chord_steps, largest
from gatetheory.solvers.precise_grid import PreciseGrid
from gatetheory.solvers.precise_problem import PreciseProblem, PreciseProgram, Slopes

_REFINEMENTS = 12


def exact(ball: arb) -> Expr:
    """The midpoint as an exact rational number."""
    mantissa, exponent = (int(part) for part in ball.mid().man_exp())
    return Rational(mantissa) * Rational(2) ** exponent


def solve_at_parameters(
    problem: PreciseProblem, vector: Sequence[arb], target: float, chord: Chord | None = None
) -> Solved:
    """Solve y = S(K * y) by chord steps; ``target`` is the log10 of the residual allowed."""

    def fresh(point: Sequence[arb]) -> Chord:
        _, slopes = problem.linearized(point)
        return Chord(problem.jacobian(slopes))

    with problem.precision():
        return chord_steps(problem.residual, fresh, vector, target, chord)


@dataclass(frozen=True)
class AmplitudePoint:
    """A solution at a given amplitude.

    Args:
        problem: The problem at the parameter found.
        vector: Sources.
        parameter: p.
        amplitude: a.
        tangent: d(vector)/da.
        slope: dp/da.
        residual: log10 of the largest residual.
        chord: The bordered matrix in use.
    """

    problem: PreciseProblem
    vector: list[arb]
    parameter: arb
    amplitude: arb
    tangent: list[arb]
    slope: arb
    residual: float
    chord: Chord


class AmplitudeCurve:
    """Solutions with the amplitude given and a parameter unknown, on one grid.

    Args:
        program: The compiled system.
        parameters: Exact values of the others.
        along: The unknown parameter p.
        grid: Where functions of the lag are represented.
        digits: Digits of the averages.
    """

    def __init__(
        self,
        program: PreciseProgram,
        parameters: Mapping[Symbol, Expr],
        along: Symbol,
        grid: PreciseGrid,
        digits: int,
        value: arb,
    ) -> None:
        self.along = along
        self._base = PreciseProblem(program, {**parameters, along: exact(value)}, grid, digits)
        self._by_parameter: tuple[list[arb], arb] | None = None

    def precision(self) -> AbstractContextManager[None]:
        """The working precision."""
        return self._base.precision()

    def problem(self, value: arb) -> PreciseProblem:
        """The problem at a value of the parameter."""
        return self._base.at(self.along, exact(value))

    def solve(
        self, vector: Sequence[arb], value: arb, amplitude: arb, target: float,
        chord: Chord | None = None,
    ) -> AmplitudePoint:  # fmt: skip
        """Solve at an amplitude.

        Args:
            vector: Sources to start from.
            value: Parameter to start from.
            amplitude: a.
            target: log10 of the residual allowed.
            chord: A bordered matrix to begin with.

        Raises:
            ConvergenceError: If chord steps fail.
        """
        with self._base.precision():
            solved = chord_steps(
                lambda x: self._residual(x, amplitude),
                self._fresh, [*vector, value], target, chord,
            )  # fmt: skip
            found, parameter = solved.unknowns[:-1], solved.unknowns[-1]
            problem = self.problem(parameter)
            _, slopes = problem.linearized(found)
            tangent, slope = self._tangent(problem, slopes, found, parameter, solved.chord, target)
        return AmplitudePoint(
            problem, found, parameter, amplitude, tangent, slope, solved.residual, solved.chord
        )

    def _residual(self, unknowns: Sequence[arb], amplitude: arb) -> list[arb]:
        problem = self.problem(unknowns[-1])
        vector = unknowns[:-1]
        return [*problem.residual(vector), problem.amplitude(vector) - amplitude]

    def _fresh(self, unknowns: Sequence[arb]) -> Chord:
        vector, value = unknowns[:-1], unknowns[-1]
        problem = self.problem(value)
        rest, slopes = problem.linearized(vector)
        column, corner = self._derivative(problem, rest, vector, value)
        matrix = np.block(
            [
                [problem.jacobian(slopes), np.array([[float(x.mid())] for x in column])],
                [problem.amplitude_row()[None], np.array([[float(corner.mid())]])],
            ]
        )
        return Chord(matrix)

    def _derivative(
        self, problem: PreciseProblem, rest: Sequence[arb], vector: Sequence[arb], value: arb
    ) -> tuple[list[arb], arb]:
        """Derivatives by the parameter, of residual and amplitude, to a third of the digits."""
        step = arb((1, -problem.bits // 3)) * (abs(value).mid() + arb((1, -20)))
        moved = self.problem((value + step).mid())
        column = [
            (there - here) / step for there, here in zip(moved.residual(vector), rest, strict=True)
        ]
        corner = (moved.amplitude(vector) - problem.amplitude(vector)) / step
        self._by_parameter = column, corner
        return column, corner

    def _tangent(
        self, problem: PreciseProblem, slopes: Slopes, vector: Sequence[arb], value: arb,
        chord: Chord, target: float,
    ) -> tuple[list[arb], arb]:  # fmt: skip
        """Solve J t + F_p p' = 0, amplitude(t) + amplitude_p p' = 1 by iterative refinement."""
        if self._by_parameter is None:
            self._derivative(problem, problem.residual(vector), vector, value)
        assert self._by_parameter is not None
        column, corner = self._by_parameter
        unknowns = [arb(0)] * (len(vector) + 1)
        last = np.inf
        for _ in range(_REFINEMENTS):
            t, p = unknowns[:-1], unknowns[-1]
            product = problem.times_jacobian(slopes, t)
            rest = [x + c * p for x, c in zip(product, column, strict=True)]
            rest.append(problem.amplitude(t) + corner * p - 1)
            size = largest(rest)
            if size <= target:
                return t, p
            if size > last - 1:
                raise ConvergenceError(f"the tangent's residual stays at 1e{size:.1f}")
            last = size
            change = chord.solve(rest)
            unknowns = [(x - c).mid() for x, c in zip(unknowns, change, strict=True)]
        raise ConvergenceError(f"the tangent's residual stays at 1e{last:.1f}")

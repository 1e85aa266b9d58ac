"""A lag system along a parameter: Newton's method with the parameter as an unknown.

At a prescribed amplitude a = C(0) − C(∞) of the main covariance the parameter p that belongs to it
is found together with the solution, so that turning points of p(a) are ordinary points. Instead of
one parameter a straight line in several may be followed, p being the position on it.

The derivative of the sources by p is derived; where p also enters the linear laws of the fields (a
time constant), the difference quotient of the residual takes its place in the Jacobian, and only
there: what Newton's method converges to does not depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.codegen.pairs_numpy import compile_pairs
from gatetheory.errors import ConvergenceError
from gatetheory.functions import instantiate
from gatetheory.solvers.lag_newton import admissible, amplitude_row
from gatetheory.solvers.lag_problem import LagPoint, LagProblem, LagProgram

Array = NDArray[np.float64]

STEPS = 25
SHIFT = 1e-6  # of a parameter, for the difference quotient
_ROUNDED = 1e-8


@dataclass(frozen=True)
class PathPoint:
    """A solution and the parameter it belongs to.

    Args:
        point: The solution.
        amplitude: A = C(0) − C(∞) of the main covariance.
        value: The parameter p.
        slope: Dp/da.
        motion: Change of the unknowns with a, shape (unknowns,).
    """

    point: LagPoint
    amplitude: float
    value: float
    slope: float
    motion: Array


@dataclass(frozen=True)
class Line:
    """A straight line in the space of parameters: base + p · direction.

    Args:
        base: Where p = 0.
        direction: Change of each parameter with p.
    """

    base: Mapping[Symbol, float]
    direction: Mapping[Symbol, float]

    def at(self, value: float) -> dict[Symbol, float]:
        """Values of the parameters at p."""
        return {s: self.base[s] + value * d for s, d in self.direction.items()}

    def __str__(self) -> str:
        return " and ".join(s.name for s in self.direction)


def axis(parameter: Symbol) -> Line:
    """The line along which one parameter is p itself."""
    return Line({parameter: 0.0}, {parameter: 1.0})


class LagPath:
    """A lag system with a parameter, or the position on a line of parameters, left open.

    Args:
        program: The compiled system.
        parameters: Exact values; those of open parameters are ignored.
        along: The open parameter, or a line.
    """

    def __init__(
        self, program: LagProgram, parameters: Mapping[Symbol, Expr], along: Symbol | Line
    ) -> None:
        self.program, self.parameters = program, dict(parameters)
        self.along = axis(along) if isinstance(along, Symbol) else along
        system = program.system
        laws = (system.drift, system.drives, system.noises, system.statics)
        entries = [
            *system.mass, *system.intensities, *system.variances, *(e for m in laws for e in m)
        ]  # fmt: skip
        definite = [instantiate(e, system.definitions) for e in entries]
        self.moves_laws = any(e.has(*self.along.direction) for e in definite)
        names = list(system.sources)
        sources = [
            instantiate(system.sources[names[s]], system.definitions) for s in program.sources
        ]
        derived = [e.diff(p) for p in self.along.direction for e in sources]
        self._slopes = compile_pairs(derived, program.arguments)
        self._last: LagProblem | None = None

    def problem(self, value: float) -> LagProblem:
        """The system at a value of p."""
        moved = self.along.at(value)
        if self._last is None or self.moves_laws:
            exact = {s: sympy.Float(v, 17) for s, v in moved.items()}
            self._last = LagProblem(self.program, {**self.parameters, **exact})
        same = copy(self._last)  # shares what the linear laws alone determine
        same.values = [
            float(moved.get(s, v))
            for s, v in zip(self.program.system.parameters, self._last.values, strict=True)
        ]
        return same

    def by_parameter(
        self, problem: LagProblem, point: LagPoint, value: float, tolerance: float
    ) -> tuple[Array, float]:
        """Derivatives of the residual and of the amplitude by p at fixed unknowns."""
        if self.moves_laws:
            shift = SHIFT * max(abs(value), 1e-3)
            moved = self.problem(value + shift)
            change = moved.residual(point, tolerance) - problem.residual(point, tolerance)
            rows = [amplitude_row(p, point) for p in (moved, problem)]
            return change / shift, float(((rows[0] - rows[1]) * point.decay).sum() / shift)
        c = problem.covariances_at(point)
        lagged = np.hstack([c.lagged, c.plateau[:, None]])
        found = self._slopes(*problem.pair_arguments(lagged, c.equal), tolerance=tolerance)
        parts = found.reshape(len(self.along.direction), problem.sources, -1)
        total = np.tensordot(list(self.along.direction.values()), parts, axes=1) * point.scale
        return np.concatenate([total[:, -1], total[:, :-1].ravel()]), 0.0

    def solve(
        self, point: LagPoint, value: float, amplitude: float, tolerance: float, target: float
    ) -> PathPoint:
        """The solution of a given amplitude, and its parameter.

        Args:
            point: Start.
            value: Start for p.
            amplitude: A.
            tolerance: Accuracy of averages.
            target: Largest last step, relative.

        Raises:
            ConvergenceError: If Newton's method does not settle.
        """
        problem = self.problem(value)
        point = admissible(problem, point)
        last = np.inf
        for _ in range(STEPS):
            problem = self.problem(value)
            residual, bordered, row = self._bordered(problem, point, value, tolerance)
            miss = float(row @ point.vector) - amplitude
            continuity = problem.continuity(point.grid)
            change = continuity.solve(bordered, np.append(residual, miss))
            size = float(np.abs(point.vector).max())
            ratio = max(
                float(np.abs(change[:-1]).max()) / size, abs(change[-1]) / max(abs(value), 1e-3)
            )
            settled = ratio <= target or (ratio < _ROUNDED and ratio > last / 4)
            if settled and ratio > last:
                break
            step = min(1.0, 0.3 / ratio)
            point = point.moved(point.vector - step * change[:-1])
            value = value - step * float(change[-1])
            last = ratio
            if settled:
                break
        else:
            raise ConvergenceError(
                f"no solution of amplitude {amplitude:.3g} found along {self.along} "
                f"(last step {last:.1e})"
            )
        problem = self.problem(value)
        _, bordered, _ = self._bordered(problem, point, value, tolerance)
        unit = np.zeros(len(bordered))
        unit[-1] = 1.0
        motion = problem.continuity(point.grid).solve(bordered, unit)
        return PathPoint(point, amplitude, value, float(motion[-1]), motion[:-1])

    def _bordered(
        self, problem: LagProblem, point: LagPoint, value: float, tolerance: float
    ) -> tuple[Array, Array, Array]:
        """Residual, Jacobian with p and the amplitude, the amplitude's row."""
        residual, jacobian, _ = problem.linearized(point, tolerance)
        by_value, shift = self.by_parameter(problem, point, value, tolerance)
        row = np.concatenate([np.zeros(problem.sources), amplitude_row(problem, point).ravel()])
        bordered = np.block([[jacobian, by_value[:, None]], [row[None], np.array([[shift]])]])
        return residual, bordered, row

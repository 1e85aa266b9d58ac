"""A fixed point in numbers: averages, contours, and what is solved on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy import optimize
from sympy import Expr, Symbol

from gatetheory.equations.gradient_problem import ExternalLoss
from gatetheory.errors import ConvergenceError
from gatetheory.solvers.fixed_point_adjoint import (
    FixedPointAdjoint,
    Numbers,
    second_moments,
    solve_adjoint,
)
from gatetheory.solvers.fixed_point_growth import Growth
from gatetheory.solvers.fixed_point_sensitivities import FixedPointSensitivities, mean_matrix
from gatetheory.solvers.laplace_contour import Contour, FlowContour, MapContour
from gatetheory.solvers.transfer import State, TransferMatrix
from gatetheory.solvers.unit_averages import UnitAverages
from gatetheory.solvers.unit_products import times
from gatetheory.solvers.unit_responses import UnitResponses

Array = NDArray[np.float64]

MARGIN = 4.0  # distance of the contour from the spectrum, over 1/T
LOST = 20.0  # ln of what half the points of a map's circle leave of what comes after the horizon
_BEYOND = np.geomspace(1e-4, 1e3, 57)  # where modes of the mean are looked for


@dataclass(frozen=True)
class Resolution:
    """How finely averages and contour are resolved.

    Args:
        steps: Steps per standard deviation of every variable.
        points: Points of the contour.
    """

    steps: int
    points: int

    def refined(self, kind: str) -> Resolution:
        """Twice as fine in one of the two."""
        if kind == "steps":
            return replace(self, steps=2 * self.steps)
        return replace(self, points=2 * self.points)


class FixedPointNumbers:
    """A fixed point of a model at given parameters.

    Args:
        responses: Responses of a unit.
        parameters: Exact values.
        unknowns: Order parameters.
    """

    def __init__(
        self,
        responses: UnitResponses,
        parameters: Mapping[Symbol, Expr],
        unknowns: Mapping[Symbol, object],
    ) -> None:
        self.responses = responses
        condition, law = responses.condition, responses.law
        known = {p: float(parameters[p]) for p in condition.parameters}
        known |= {u: float(unknowns[u]) for u in law.unknowns}  # type: ignore[arg-type]
        known |= responses.merged.values(known)
        self.known = known
        self.deviations = {
            v: float(np.sqrt(max(self._number(law.covariance[k, k]), 0.0)))
            for k, v in enumerate(law.variables)
        } | dict.fromkeys(responses.merged.variables, 1.0)
        self.numbers = Numbers(
            variances=np.array([self._number(v) for v in responses.process.variances]),
            order=np.array([known[u] for u in law.unknowns]),
            mass=np.array([self._number(m) for m in condition.mass]),
        )

    def _number(self, e: Expr) -> float:
        return float(e.xreplace({s: sympy.Float(self.known[s]) for s in e.free_symbols}))

    @property
    def discrete(self) -> bool:
        """Whether time counts steps."""
        return self.responses.condition.discrete

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the couplings."""
        return self.responses.couplings

    @property
    def sent(self) -> Array:
        """⟨ψ_a²⟩."""
        return self.numbers.order / self.numbers.variances

    @property
    def magnified_rounding(self) -> float:
        """Relative rounding error of an inverse transform in two times."""
        return float(np.finfo(float).eps * np.exp(2 * MARGIN))

    def steps_needed(self, horizon: float) -> int:
        """Half the points of a map's circle that leave nothing of what comes after the horizon."""
        return int(np.ceil((1 + LOST / MARGIN) * horizon + 3))

    def averages(self, points: NDArray[np.complex128], steps: int) -> UnitAverages:
        """Averages on some points."""
        rules = dict.fromkeys(self.deviations, steps)
        parameter = self.responses.parameter
        return UnitAverages(self.deviations, rules, parameter, self.known, points)

    def adjoint(
        self, loss: ExternalLoss, growth: Growth, horizon: float, at: Resolution
    ) -> FixedPointAdjoint:
        """Solve for the adjoint."""
        contour = self._contour(growth, horizon, at, at_least=loss.running)
        averages = self.averages(contour.points, at.steps)
        return solve_adjoint(self.responses, averages, contour, loss, self.numbers)

    def sensitivities(
        self, loss: ExternalLoss, growth: Growth, horizon: float, at: Resolution
    ) -> FixedPointSensitivities:
        """Prepare the sensitivities, on a contour beyond every mode of the mean.

        Raises:
            ConvergenceError: If such modes are not on the real axis.
        """
        border = self._mean_border(growth, at.steps)
        contour = self._contour(replace(growth, border=border), horizon, at, at_least=True)
        averages = self.averages(contour.points, at.steps)
        solved = FixedPointSensitivities(self.responses, averages, contour, loss, self.numbers)
        if len(solved.alive):
            turns = np.angle(np.linalg.det(solved.mean_matrix))
            closed = np.unwrap(np.append(turns, turns[0]))
            if abs(closed[-1] - closed[0]) > np.pi:
                raise ConvergenceError(
                    "units move together in a growing oscillation, beyond the bulk of the spectrum;"
                    " the sensitivities of this fixed point are not solved"
                )
        return solved

    def _contour(
        self, growth: Growth, horizon: float, at: Resolution, *, at_least: bool
    ) -> Contour:
        """A contour beyond the spectrum, and beyond the pole of a step if there is one."""
        margin = MARGIN / horizon
        if self.discrete:
            return MapContour(
                float(max(growth.border, 1.0 if at_least else 0.0) * np.exp(margin)), at.points
            )
        border = max(growth.border, 0.0) if at_least else growth.border
        reach = growth.reach + abs(border - growth.border)
        scale = float(np.sqrt(margin * (margin + reach)))
        return FlowContour(border + margin, scale, at.points)

    def _mean_border(self, growth: Growth, steps: int) -> float:
        """The outermost of the bulk's border and of modes in which units move together."""
        rest = 1.0 if self.discrete else 0.0
        start = max(growth.border, rest)

        def determinant(p: float | Array) -> Array:
            points = np.atleast_1d(np.asarray(p, complex))
            averages = self.averages(points, steps)
            matrix = mean_matrix(self.responses, averages, self.numbers)
            return np.asarray(np.linalg.det(matrix).real)

        if not np.any(self.numbers.order > 0):
            return growth.border
        places = start + _BEYOND
        signs = determinant(places)
        changes = np.flatnonzero(signs[1:] * signs[:-1] < 0)
        if not len(changes):
            return growth.border
        k = int(changes[-1])
        return float(
            optimize.brentq(lambda p: float(determinant(p)[0]), places[k], places[k + 1], xtol=1e-6)
        )

    def residual(
        self, transfer: TransferMatrix, state: State, growth: Growth, horizon: float, steps: int
    ) -> float:
        """Disagreement with averages of known accuracy: K beside the contour, and Δ.

        Args:
            transfer: K of the transposed Jacobian, entries s_a² ⟨|G_ba|²⟩.
            state: Numbers of the fixed point.
            growth: The growth of the adjoint.
            horizon: The longest horizon.
            steps: Steps of the averages.
        """
        at = self._contour(growth, horizon, Resolution(1, 2), at_least=False)
        if isinstance(at, FlowContour):
            place, origin = at.abscissa, 0.0
        else:
            place, origin = float(np.abs(at.points[0])), 1.0
        averages = self.averages(np.array([complex(place)]), steps)
        squares = second_moments(self.responses, averages)[0, 0].real
        mine = self.numbers.variances[:, None] * squares.T
        exact = transfer.matrix(place - origin, 0.0, state)
        found = [float(np.max(np.abs(mine - exact)) / max(float(np.abs(exact).max()), 1e-300))]
        for a, signal in enumerate(self.responses.signals):
            square = float(averages.mean(times(signal, signal))[0].real)
            order = self.numbers.order[a]
            found.append(abs(self.numbers.variances[a] * square - order) / max(order, 1e-12))
        return max(found)

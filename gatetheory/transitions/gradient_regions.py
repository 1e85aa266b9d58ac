"""Where gradients vanish, stay and explode in the plane of two parameters.

At each place the growth exponent of |λ|² backward in time, from the adjoint's own equations: twice
the abscissa of the transposed Jacobian's spectrum at a stable fixed point, twice the rate of the
adjoint's eigenproblem in the lag on a chaotic state without fluctuating gates.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sympy import Expr, Symbol

from gatetheory.equations.gradient_problem import ExternalLoss
from gatetheory.errors import AssumptionWarning, ConvergenceError, DerivationError, ParameterError
from gatetheory.model import exact
from gatetheory.pipeline import DOUBLE, Values, lag_program, solve, spectral_problem
from gatetheory.solvers.adjoint_growth import AdjointGrowth
from gatetheory.solvers.fixed_point_gradients import solve_fixed_point_gradients
from gatetheory.solvers.fixed_point_growth import adjoint_growth
from gatetheory.solvers.gradient_records import checked_horizons
from gatetheory.solvers.lag_problem import LagProblem
from gatetheory.solvers.records import FixedPoint, Provenance, by_name
from gatetheory.solvers.stationary_pairs import StationaryPairs
from gatetheory.solvers.transfer import State
from gatetheory.theory.derive import Theory
from gatetheory.transitions.axes import Axis, checked_axis, values_on
from gatetheory.transitions.gradient_region_records import GradientPoint, GradientRegions
from gatetheory.transitions.task import parameter_of

MOST_PLACES = 10_000
APPROXIMATE = ("constant", "factorized")
_LEFT = 1e-3  # relative error of what is left of |λ|², which is read off contours
_KNOWN = 0.1  # error of rate · horizon, in thresholds, up to which a place is told apart


def gradient_regions(
    theory: Theory,
    x: Axis,
    y: Axis,
    at: Values | None = None,
    *,
    horizon: float = 40,
    threshold: float = 1,
    closure: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> GradientRegions:
    """Tell regions of vanishing, marginal and exploding gradients apart.

    The state is that of ``solve(theory.gradients, …)``: without fluctuating gates the chaotic
    state, and a stable fixed point where there is none; with a fluctuating gate a stable fixed
    point, beside which no other state is looked for. With a fluctuating gate and no stable fixed
    point only sampling tells: the place is unknown, with the reason, unless a closure is named.

    Args:
        theory: The derived theory.
        x: Name, low, high, number of values of the parameter on the x axis.
        y: The same for the y axis.
        at: The other parameters by name.
        horizon: T over which gradients are compared, in the model's own time (steps).
        threshold: Largest |rate| · horizon that is called marginal.
        closure: ``"factorized"`` or ``"constant"``, approximations, for states that otherwise have
            to be sampled; their exponent is then twice the closure's λ_max.
        progress: Called with (places done, places in all).

    Raises:
        ParameterError: For names, ranges and numbers that make no sense.
        DerivationError: If the model has no closure of this name.
    """
    (x_name, *x_range), (y_name, *y_range) = checked_axis(x, "x"), checked_axis(y, "y")
    time = float(checked_horizons(exact(horizon), theory.model.time == "discrete")[-1])
    if not 0 < threshold < math.inf:
        raise ParameterError(f"threshold must be positive and finite, got {threshold!r}")
    fixed = dict(at or {})
    _check_names(theory, x_name, y_name, fixed)
    if closure is not None:
        if closure not in APPROXIMATE:
            raise ParameterError(f"closure must be one of {', '.join(APPROXIMATE)}, or left out")
        theory.gradients.state.lag_system(closure)
    columns, rows = values_on(*x_range), values_on(*y_range)
    if len(columns) * len(rows) > MOST_PLACES:
        raise ParameterError(f"{len(columns)} x {len(rows)} places are more than {MOST_PLACES}")
    for corner in ((columns[0], rows[0]), (columns[-1], rows[-1])):  # refused before hours of work
        theory.model.bind(fixed | dict(zip((x_name, y_name), corner, strict=True)))
    growth = _Growth(theory, time, threshold, closure)
    points: list[tuple[GradientPoint, ...]] = []
    for k, row in enumerate(rows):
        found = []
        for j, column in enumerate(columns):
            found.append(growth(fixed | {x_name: column, y_name: row}))
            if progress is not None:
                progress(k * len(columns) + j + 1, len(rows) * len(columns))
        points.append(tuple(found))
    equations = theory.gradients.equations
    others = theory.model.bind(fixed)
    return GradientRegions(
        x_name,
        y_name,
        (np.array(columns, dtype=float), np.array(rows, dtype=float)),
        tuple(points),
        time,
        float(threshold),
        tuple(growth.notes),
        Provenance(
            by_name({p: v for p, v in others.items() if p.name not in (x_name, y_name)}),
            DOUBLE,
            equations.assumptions,
            equations.references,
        ),
    )


def _check_names(theory: Theory, x: str, y: str, at: Mapping[str, Any]) -> None:
    if x == y:
        raise ParameterError(f"{x} cannot be both axes")
    for name in (x, y):
        parameter_of(theory.model, name)
        if name in at:
            raise ParameterError(f"{name} is an axis; do not set it")


class _Growth:
    """Growth of the adjoint at one place of the plane."""

    def __init__(
        self, theory: Theory, horizon: float, threshold: float, closure: str | None
    ) -> None:
        self.theory, self.closure = theory, closure
        self.horizon, self.threshold = horizon, threshold
        self.problem = theory.gradients
        self.loss: ExternalLoss = self.problem.loss(None, False)
        self.adjoint = spectral_problem(self.problem.adjoint_spectrum())
        self.notes: list[str] = []

    def __call__(self, at: dict[str, Any]) -> GradientPoint:
        try:
            found = self._found(at)
        except (ConvergenceError, DerivationError) as error:
            return _unknown(str(error))
        if found.error is not None and found.error * self.horizon > _KNOWN * self.threshold:
            return _unknown(f"the exponent is known only to {found.error:.1e}")
        return found

    def _found(self, at: dict[str, Any]) -> GradientPoint:
        parameters = self.problem.bind(at)
        name, _ = self.problem.state.closure(parameters, None)
        if name == "constant" and self.problem.closed is not None:
            chaotic = self._chaotic(at, parameters)
            return chaotic or self._at_rest(at, parameters) or _unknown(
                "neither a decaying chaotic state nor a stable fixed point was found"
            )  # fmt: skip
        return self._at_rest(at, parameters) or self._fluctuating(at)

    def _chaotic(
        self, at: dict[str, Any], parameters: Mapping[Symbol, Expr]
    ) -> GradientPoint | None:
        """The last chaotic state, by the adjoint's eigenproblem."""
        correlations = solve(self.theory.correlations, at, closure="constant")
        if not len(correlations):
            return None
        assert self.problem.closed is not None
        system = self.problem.state.lag_system("constant")
        lag = LagProblem(lag_program(system), parameters)
        pairs = StationaryPairs(self.problem.closed, parameters, lag, correlations[-1].point)
        found = AdjointGrowth(pairs).solve()
        return GradientPoint(
            2 * found.rate, 2 * found.error, "chaotic", "lag", None, correlations.reason
        )

    def _at_rest(
        self, at: dict[str, Any], parameters: Mapping[Symbol, Expr]
    ) -> GradientPoint | None:
        """The last stable fixed point, by the spectrum of the transposed Jacobian."""
        equations = self.problem.state.fixed_points
        if equations is None:
            return None
        stable = [p for p in solve(equations, at) if p.stable]
        if not stable:
            return None
        condition = self.adjoint.condition
        unknowns = {u: stable[-1][u.name] for u in condition.law.unknowns}
        state = State(parameters, {u: float(v) for u, v in unknowns.items()})
        mass = np.array([float(m.subs(parameters)) for m in condition.mass])
        found = adjoint_growth(self.adjoint, state, self.loss, mass)
        left = None
        if found.origin == "edge" and abs(found.rate) * self.horizon < self.threshold:
            left = self._left(parameters, stable[-1])
        return GradientPoint(
            found.rate, found.error, "fixed point", found.origin, left, "a fixed point is stable"
        )

    def _left(self, parameters: Mapping[Symbol, Expr], point: FixedPoint) -> float | None:
        """|λ|² after the horizon where closed gates keep it from falling exponentially."""
        unknowns = {u: point[u.name] for u in self.adjoint.condition.law.unknowns}
        found = solve_fixed_point_gradients(
            self.problem, parameters, unknowns, self.loss, [0.0, self.horizon], names=(),
            tolerance=_LEFT,
        )  # fmt: skip
        return float(found.norm[1] / found.norm[0]) if found.status == "ok" else None

    def _fluctuating(self, at: dict[str, Any]) -> GradientPoint:
        """What is left where a gate fluctuates and nothing is at rest."""
        if self.closure is None:
            return _unknown(
                "no fixed point is stable and a gate fluctuates; only sampling tells: "
                'solve(theory.gradients, …, closure="sampled")'
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AssumptionWarning)  # said in the notes instead
            found = solve(self.theory.lyapunov, at, closure=self.closure)
        if found.value is None:
            return _unknown(
                "no fixed point is stable and no decaying chaotic state was found under the "
                f"closure {self.closure}"
            )
        note = f"closure {self.closure} where a gate fluctuates: an approximation"
        if note not in self.notes:
            self.notes.append(note)
        return GradientPoint(2 * found.value, 2 * found.error, "chaotic", "lag", None, note)


def _unknown(reason: str) -> GradientPoint:
    return GradientPoint(None, None, "none", "", None, reason)

"""Refines averages over the unit, then the contour, until the gradients settle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.equations.gradient_problem import ExternalLoss
from gatetheory.errors import ConvergenceError
from gatetheory.solvers.fixed_point_adjoint import FixedPointAdjoint
from gatetheory.solvers.fixed_point_growth import Growth
from gatetheory.solvers.fixed_point_numbers import FixedPointNumbers, Resolution
from gatetheory.solvers.fixed_point_sensitivities import Sources

Array = NDArray[np.float64]
Table = dict[tuple[str, str], Array]
NORM = ("norm", "")

FIRST_STEPS, MOST_STEPS = 4, 512  # of the averages, per standard deviation
FIRST_POINTS, MOST_POINTS = 32, 1024  # of the contour
MOST_ON_CIRCLE = 768  # points to begin with, in a map
LEAST = 1e-3  # of the largest value at shorter horizons: smaller ones are less precise


@dataclass(frozen=True)
class Refined:
    """Values, their errors, and why they are not good enough.

    Args:
        values: By kind (``coupling``, ``parameter``, ``norm``) and name, one number per horizon.
        errors: Their errors.
        advice: Empty where all is well.
        steps: Steps of the averages in the end.
    """

    values: Table
    errors: Table
    advice: str
    steps: int


class Refinement:
    """Refines averages, then the contour.

    Args:
        numbers: The fixed point.
        loss: The loss.
        times: Horizons.
        growth: The growth of the adjoint.
        sources: What parameters add by themselves, by name.
    """

    def __init__(
        self,
        numbers: FixedPointNumbers,
        loss: ExternalLoss,
        times: Array,
        growth: Growth,
        sources: Mapping[str, Sources],
    ) -> None:
        self.numbers, self.loss, self.times = numbers, loss, times
        self.growth, self.sources = growth, sources
        self.adjoint: FixedPointAdjoint | None = None

    def refined(self, tolerance: float) -> Refined:
        """The values to a relative tolerance, or advice."""
        discrete = self.numbers.discrete
        at = Resolution(FIRST_STEPS, self._whole() if discrete else FIRST_POINTS)
        if at.points > MOST_ON_CIRCLE:
            raise ConvergenceError(
                f"a horizon of {self.times.max():g} steps is too long for transforms on a circle; "
                "at such times gradients follow the growth exponent"
            )
        at, values = self._begun(at)
        advice, errors = "", {}
        for kind in ("steps", "points"):
            while True:
                finer = at.refined(kind)
                new = self._at(finer)
                errors[kind] = {k: np.abs(new[k] - values[k]) for k in new}
                change = max(self._change(k, errors[kind][k], new[k]) for k in new)
                at, values = finer, new
                if change <= tolerance / 4:
                    break
                most = MOST_STEPS if kind == "steps" else MOST_POINTS
                if getattr(at, kind) >= most or (kind == "points" and discrete):
                    advice = f"{_ADVICE[kind]} (last change {change:.1e})"
                    break
        rounding = self.numbers.magnified_rounding
        assert self.adjoint is not None
        total = {
            k: errors["steps"][k] + errors["points"][k] + rounding * np.abs(v)
            for k, v in values.items()
        }
        envelope = self.growth.envelope(self.times, discrete=discrete)
        total[NORM] = total[NORM] + rounding * self.adjoint.norm([0]) * envelope
        values[NORM] = np.maximum(values[NORM], 0.0)
        if not all(np.isfinite(v).all() for v in values.values()):
            advice = "values overflow at the longest horizon; shorten it"
        elif not advice and any(
            np.any((total[k] > np.abs(v)) & (self.times > 0))
            for k, v in values.items()
            if k != NORM
        ):
            advice = "a value at the longest horizon is lost in rounding; shorten it"
        return Refined(values, total, advice, at.steps)

    def _change(self, kind: tuple[str, str], change: Array, value: Array) -> float:
        """The norm is measured against what it starts from: it loses digits as it decays."""
        assert self.adjoint is not None
        start = float(self.adjoint.norm([0])[0]) if kind == NORM else 0.0
        return _relative(self.times, change, value, start)

    def _begun(self, at: Resolution) -> tuple[Resolution, Table]:
        """The coarsest averages that are good enough to tell the contour from the spectrum."""
        while True:
            try:
                return at, self._at(at)
            except ConvergenceError:
                if at.steps >= MOST_STEPS:
                    raise
                at = at.refined("steps")

    def _whole(self) -> int:
        """Points that leave nothing of a map beyond the horizon."""
        return self.numbers.steps_needed(self.times.max())

    def _at(self, at: Resolution) -> Table:
        self.adjoint = self.numbers.adjoint(self.loss, self.growth, self.times.max(), at)
        table: Table = {}
        for name, q in zip(self.numbers.names, self.adjoint.couplings(self.times), strict=True):
            table["coupling", name] = q
        table[NORM] = self.adjoint.norm(self.times)
        if any(not s.vanish for s in self.sources.values()):
            solved = self.numbers.sensitivities(self.loss, self.growth, self.times.max(), at)
        for name, source in self.sources.items():
            if source.vanish:
                table["parameter", name] = np.zeros_like(self.times)
                continue
            moments = solved.second_moment(source)
            if self.loss.running:
                basis = solved.contour.sums(1, self.times)
            else:
                basis = solved.contour.values(self.times)
            table["parameter", name] = np.einsum("nt,nm,mt->t", basis, moments, basis)
        return table


_ADVICE = {
    "steps": "averages over the unit did not settle: its gates are too steep; lower their gains",
    "points": "the inverse transform did not settle; shorten the longest horizon, or set a very "
    "short time constant to 0",
}


def _relative(times: Array, change: Array, value: Array, start: float) -> float:
    """Largest change relative to the value, or to a share of the largest one at shorter times.

    At time 0 everything but the norm vanishes; there is nothing to compare with.
    """
    order = np.argsort(times)
    largest = np.empty_like(value)
    largest[order] = np.maximum.accumulate(np.abs(value[order]))
    size = np.maximum(np.abs(value), LEAST * np.maximum(largest, start))
    ratio = np.where(change == 0, 0.0, np.inf)
    np.divide(change, size, out=ratio, where=(change > 0) & (size > 0))
    ratio[times == 0] = 0.0
    return float(np.max(ratio)) if np.isfinite(ratio).all() else np.inf

"""Trapezoidal sums with nested steps, at any precision.

With D digits wanted, the step h and the length L of the chart follow from the three errors of the
rule: exp(-π²/h) from poles, exp(-2π²/(hL)²) from the Gaussian, and the growth exp((Lπ/2)²/2) of the
Gaussian at the border of the strip. One set of nodes gives the sums at steps 4h, 2h and h, and from
their two differences an error estimate that costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatetheory.codegen.charting_numpy import ELEMENTARY, Scale
from gatetheory.codegen.charts import Chart
from gatetheory.codegen.functions_mpmath import CONTEXT
from gatetheory.codegen.integrand import Integrand
from gatetheory.codegen.kernels import Kernel
from gatetheory.codegen.quadrature_numpy import NumpyQuadrature
from gatetheory.codegen.singularities_mpmath import exact_chart
from gatetheory.codegen.stage_numpy import Stage

_LENGTH = 0.8
"""L in units of √(D ln 10); near the least number of nodes."""
_HALVINGS = 5
_QUIET = 6
"""So many negligible terms in a row end a sum."""
_FARTHEST = 100.0
_GRID = 161
Terms = tuple[Any, Any, Any]


@dataclass
class Result:
    """⟨f⟩, its error estimate, ⟨|f|⟩, and the u_0 of the largest term."""

    value: Any
    error: Any
    magnitude: Any
    peak: Any = None


@dataclass(frozen=True)
class Precision:
    """Everything that follows from the number of digits wanted."""

    digits: int
    reach = 40.0
    """|u| that is always covered."""

    @property
    def working(self) -> int:
        """Digits to compute with, without guard digits."""
        return math.ceil(1.15 * self.digits) + 12

    @property
    def aimed(self) -> float:
        """Ln of the inverse error that the first step aims at, with room for the estimate."""
        return (1.15 * self.digits + 6) * math.log(10)

    @property
    def step(self) -> float:
        """H."""
        return math.pi**2 / (self.aimed * (1 + 1.234 * _LENGTH**2))

    def scale(self, farthest: float) -> Scale:
        """Lengths of charts; ``farthest``: |u| that must be covered if possible."""
        return Scale(
            slope=_LENGTH * math.sqrt(self.aimed),
            reach=max(self.reach, math.sqrt(2 * self.aimed) + 2, min(farthest, _FARTHEST)),
            ends=math.log(self.aimed) + 0.5,
        )


@dataclass
class Task:
    """An integrand at given values, at the context's precision.

    Args:
        integrand: The integrand.
        doubles: Its compiled average in doubles.
        shadow: The integrand at the same values in doubles.
        kernel: Slots to values.
        slopes: ∂A_k/∂u_j.
        precision: What is aimed at.
        places: Exact places of singularities of u_0, other than kinks of slots.
    """

    integrand: Integrand
    doubles: NumpyQuadrature
    shadow: Stage
    kernel: Kernel
    slopes: list[list[Any]]
    precision: Precision
    places: Sequence[Any]

    def average(self, j: int, bases: Sequence[Any]) -> Result:
        """Average over u_j and all later ones; ``bases``: slots at u_j = 0."""
        goal = CONTEXT.mpf(10) ** (-self.precision.digits)
        with np.errstate(all="ignore"):
            pieces = self._pieces(j, bases)
            step = self._step(j, bases)
        sums = [_Trapezoid(self, j, bases, chart, window, step) for chart, window in pieces]
        result = _combined(sums, goal)
        for _ in range(_HALVINGS):
            done = result.error <= goal * result.magnitude or result.magnitude == 0
            if done or not CONTEXT.isfinite(result.value):
                break
            for s in sums:
                s.halve()
            before, result = result, _combined(sums, goal)
            if result.error > before.error / 4:
                break
        return result

    def _step(self, j: int, bases: Sequence[Any]) -> float:
        """The first step, small enough for oscillations under the Gaussian."""
        step = self.precision.step
        frequency = self.shadow.frequency(j, [np.float64(float(b)) for b in bases])
        band = frequency + 1.1 * math.sqrt(2 * self.precision.aimed)
        needed = 2 * math.pi / band / self.precision.scale(0.0).slope if frequency else step
        return min(step, needed)

    def _pieces(self, j: int, bases: Sequence[Any]) -> list[tuple[Chart, tuple[float, float]]]:
        """Charts, and the part of each (in t) where doubles see the integrand."""
        floats = [np.float64(float(b)) for b in bases]
        places = [] if j else list(self.places)
        farthest = 0.0
        for k, slot in enumerate(self.integrand.slots):
            if self.slopes[k][j] and (slot.kinked or slot.reach < math.inf):
                place = -bases[k] / self.slopes[k][j]
                farthest = max(farthest, abs(float(place)) + 10)
                if slot.kinked:
                    places.append(place)
        charts = self.shadow.charts(j, floats, self.precision.scale(farthest))
        seen = self.doubles.support(self.shadow, j, floats)
        return [
            (exact_chart(c, places), (c.low, c.high) if seen is None else _inside(c, seen))
            for c in charts
        ]

    def terms(self, j: int, bases: Sequence[Any], chart: Chart, t: Any) -> Terms:
        """(w f, w |f|, w × error of f) at a node, without the step."""
        origin, offset, rate = chart.nodes(t, CONTEXT)
        u = origin + offset
        weight = rate * CONTEXT.exp(-u * u / 2)
        moved = [
            (b + self.slopes[k][j] * origin) + self.slopes[k][j] * offset
            for k, b in enumerate(bases)
        ]
        if j + 1 == self.integrand.dimension:
            (f,) = self.kernel(*moved)
            return weight * f, weight * abs(f), CONTEXT.zero
        inner = self.average(j + 1, moved)
        return weight * inner.value, weight * inner.magnitude, weight * inner.error


class _Trapezoid:
    """Sums over one chart at steps 4h, 2h and h."""

    def __init__(
        self, task: Task, j: int, bases: Sequence[Any], chart: Chart,
        window: tuple[float, float], step: float,
    ) -> None:  # fmt: skip
        self._task, self._j, self._bases, self.chart = task, j, bases, chart
        self.step = CONTEXT.mpf(step)
        first = math.floor(window[0] / step)
        last = max(math.ceil(window[1] / step), first + 1)
        terms = {i: self._term(i) for i in range(first, last + 1)}
        largest = max(t[1] for t in terms.values())
        if largest:
            self._extend(terms, first, -1, largest)
            self._extend(terms, last, +1, largest)
        self._low, self._high = min(terms), max(terms)
        norm = self._norm
        self.sums = [
            norm * every * sum(t[0] for i, t in terms.items() if i % every == 0)
            for every in (4, 2, 1)
        ]
        self.magnitude = norm * sum(t[1] for t in terms.values())
        self.inherited = norm * sum(t[2] for t in terms.values())
        self.largest = largest
        peak = max(terms, key=lambda i: terms[i][1])
        origin, offset, _ = chart.nodes(peak * self.step, CONTEXT)
        self.peak = origin + offset

    @property
    def _norm(self) -> Any:
        return self.step / CONTEXT.sqrt(2 * CONTEXT.pi)

    def _term(self, index: int, shift: float = 0.0) -> Terms:
        return self._task.terms(self._j, self._bases, self.chart, (index + shift) * self.step)

    def _extend(self, terms: dict[int, Terms], edge: int, direction: int, largest: Any) -> None:
        """Add terms until they have been negligible for a while."""
        negligible = largest * CONTEXT.mpf(10) ** (-self._task.precision.digits - 8)
        quiet = 0
        limit = math.ceil((self.chart.high - self.chart.low) / float(self.step)) + 10
        while quiet < _QUIET and len(terms) < 2 * limit:
            edge += direction
            terms[edge] = self._term(edge)
            quiet = quiet + 1 if terms[edge][1] <= negligible else 0

    def halve(self) -> None:
        """Interlace nodes."""
        added = [self._term(i, 0.5) for i in range(self._low, self._high)]
        values = [self._norm * sum(t[k] for t in added) for k in range(3)]
        self.sums = [*self.sums[1:], (self.sums[-1] + values[0]) / 2]
        self.magnitude = (self.magnitude + values[1]) / 2
        self.inherited = (self.inherited + values[2]) / 2
        self.step /= 2
        self._low, self._high = 2 * self._low, 2 * self._high


def _combined(sums: Sequence[_Trapezoid], goal: Any) -> Result:
    """Add the pieces; extrapolate the error from the last two halvings.

    An error C x^{1/h} falls from e₂ = C x to C x² when the step that gave e₂, after e₁ = C √x, is
    halved: that is e₂ (e₂/e₁)². The exponent 3/2 is used instead of 2, and only for e₂ ≪ e₁.
    """
    quarter, half, full = (sum(s.sums[k] for s in sums) for k in range(3))
    magnitude = sum(s.magnitude for s in sums)
    before, last = abs(half - quarter), abs(full - half)
    error = last
    if last < before * CONTEXT.mpf("1e-3"):
        error = last * CONTEXT.sqrt(last / before) ** 3
    error = error + sum(s.inherited for s in sums) + goal * magnitude / 10
    if magnitude == 0:  # all that is known is that the integrand is not where charts reach
        error += CONTEXT.exp(-(CONTEXT.mpf(Precision.reach) ** 2) / 2)
    if not (CONTEXT.isfinite(full) and CONTEXT.isfinite(error)):
        error = CONTEXT.inf
    return Result(full, error, magnitude, max(sums, key=lambda s: s.largest).peak)


def _inside(chart: Chart, seen: tuple[float, float]) -> tuple[float, float]:
    """The interval of t in which u lies in an interval, with a little to spare."""
    t = np.linspace(chart.low, chart.high, _GRID)
    with np.errstate(all="ignore"):
        origin, offset, _ = chart.nodes(t, ELEMENTARY)
    u = origin + offset
    inside = np.flatnonzero((u >= seen[0]) & (u <= seen[1]))
    if not len(inside):
        nearest = int(np.argmin(np.minimum(np.abs(u - seen[0]), np.abs(u - seen[1]))))
        return float(t[nearest]), float(t[nearest])
    first, last = max(inside[0] - 1, 0), min(inside[-1] + 1, _GRID - 1)
    return float(t[first]), float(t[last])

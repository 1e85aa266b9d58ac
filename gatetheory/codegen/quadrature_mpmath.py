"""Gaussian averages at any precision: the charts of the doubles, run in mpmath.

Doubles say where the singularities are and where the integrand lives; the trapezoidal sums are done
in the private context. With D digits wanted, the step h and the length L of the chart follow from
the three errors of the rule, exp(-π²/h) from the poles, exp(-2π²/(hL)²) from the Gaussian, and the
growth exp((Lπ/2)²/2) of the Gaussian at the border of the strip.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatetheory.codegen.charting_numpy import Scale, pulled_back
from gatetheory.codegen.charts import Chart, Line, Segment, Squeeze
from gatetheory.codegen.functions_mpmath import CONTEXT, MULTIPLE
from gatetheory.codegen.integrand import Integrand
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.quadrature_numpy import NumpyQuadrature

_LENGTH = 0.8
"""L in units of √(D ln 10); near the least number of nodes."""
_HALVINGS = 5
_QUIET = 6
"""So many negligible terms in a row end a sum."""


@dataclass
class Result:
    """⟨f⟩, its error estimate and ⟨|f|⟩."""

    value: Any
    error: Any
    magnitude: Any


@dataclass(frozen=True)
class _Precision:
    """Everything that follows from the number of digits wanted."""

    digits: int

    @property
    def aimed(self) -> float:
        """ln of the inverse error that the first step aims at, with room for the estimate."""
        return (1.15 * self.digits + 6) * math.log(10)

    @property
    def step(self) -> float:
        return math.pi**2 / (self.aimed * (1 + 1.234 * _LENGTH**2))

    @property
    def scale(self) -> Scale:
        return Scale(
            slope=_LENGTH * math.sqrt(self.aimed),
            reach=max(40.0, math.sqrt(2 * self.aimed) + 2),
            ends=math.log(self.aimed) + 0.5,
        )


class MpmathQuadrature:
    """A compiled Gaussian average."""

    def __init__(self, integrand: Integrand) -> None:
        self.integrand = integrand
        self.doubles = NumpyQuadrature(integrand)
        slots, outer, n = integrand.slots, integrand.outer, integrand.dimension
        triangle = [integrand.covariance[i, j] for i in range(n) for j in range(i + 1)]
        laws = [a for s in slots for a in (*s.slopes, s.offset)]
        self._setup = compile_kernel([*triangle, *laws], [], outer, MULTIPLE)
        self._prepare = compile_kernel(
            [integrand.expression], [s.symbol for s in slots], outer, MULTIPLE
        )

    def __call__(self, values: Sequence[Any], digits: int) -> Result:
        """Average at given values of the outer symbols, which are exact or precise enough.

        The precision of the context is restored.
        """
        kept = CONTEXT.prec
        try:
            return self._evaluated(values, digits)
        finally:
            CONTEXT.prec = kept

    def _evaluated(self, values: Sequence[Any], digits: int) -> Result:
        n, slots = self.integrand.dimension, self.integrand.slots
        floats = [float(v) for v in values]
        with np.errstate(all="ignore"):
            shadow, _ = self.doubles.stage(floats)
        guard = _guard(shadow)
        CONTEXT.dps = math.ceil(1.15 * digits) + 12 + guard
        law = self._setup(*values)()
        size = n * (n + 1) // 2
        factor = _cholesky(law[:size], n)
        if factor is None:
            return Result(CONTEXT.nan, CONTEXT.inf, CONTEXT.nan)
        slopes, bases = [], []
        for k in range(len(slots)):
            *a, b = law[size + k * (n + 1) : size + (k + 1) * (n + 1)]
            slopes.append([sum(a[i] * factor[i][j] for i in range(j, n)) for j in range(n)])
            bases.append(b)
        run = _Run(self, shadow, self._prepare(*values), slopes, _Precision(digits))
        return run.average(0, bases)


def _guard(shadow: Any) -> int:
    """Digits lost when a slot is computed: its size at the edge of the Gaussian."""
    largest = max(
        (abs(float(b)) + 10 * sum(abs(float(a)) for a in slopes)
         for b, slopes in zip(shadow.bases, shadow.slopes, strict=True)),
        default=1.0,
    )  # fmt: skip
    return math.ceil(math.log10(1 + largest)) if math.isfinite(largest) else 10


def _cholesky(entries: Sequence[Any], n: int) -> list[list[Any]] | None:
    """Lower triangular factor of a semidefinite matrix; None if it is indefinite."""
    sigma = {(i, j): entries[i * (i + 1) // 2 + j] for i in range(n) for j in range(i + 1)}
    c: list[list[Any]] = [[CONTEXT.zero] * (i + 1) for i in range(n)]
    slack = CONTEXT.mpf(10) ** (8 - CONTEXT.dps)
    for j in range(n):
        pivot = sigma[j, j] - sum(x * x for x in c[j][:j])
        allowed = slack * abs(sigma[j, j])
        if not CONTEXT.isfinite(pivot) or pivot < -allowed:
            return None
        singular = pivot <= (allowed if j else 0)
        c[j][j] = CONTEXT.zero if singular else CONTEXT.sqrt(pivot)
        for i in range(j + 1, n):
            rest = sigma[i, j] - sum(c[i][k] * c[j][k] for k in range(j))
            if not singular:
                c[i][j] = rest / c[j][j]
            elif rest**2 > CONTEXT.sqrt(slack) * sigma[i, i] * sigma[j, j]:
                return None
    return c


class _Run:
    """One evaluation at one precision."""

    def __init__(
        self, quadrature: MpmathQuadrature, shadow: Any, kernel: Any,
        slopes: list[list[Any]], precision: _Precision,
    ) -> None:  # fmt: skip
        self.quadrature, self.shadow, self.kernel = quadrature, shadow, kernel
        self.slopes, self.precision = slopes, precision
        self.last = quadrature.integrand.dimension - 1

    def average(self, j: int, bases: Sequence[Any]) -> Result:
        """Average over u_j and all later ones."""
        floats = [np.float64(float(b)) for b in bases]
        with np.errstate(all="ignore"):
            pieces = self._pieces(j, floats, bases)
        sums = [_Trapezoid(self, j, bases, chart, window) for chart, window in pieces]
        step = self.precision.step
        goal = CONTEXT.mpf(10) ** (-self.precision.digits)
        for s in sums:
            s.start(step)
        result = _combined(sums, goal)
        for _ in range(_HALVINGS):
            if result.error <= goal * result.magnitude or not CONTEXT.isfinite(result.value):
                break
            for s in sums:
                s.halve()
            result = _combined(sums, goal)
        return result

    def _pieces(
        self, j: int, floats: Sequence[Any], bases: Sequence[Any]
    ) -> list[tuple[Chart, tuple[float, float]]]:
        """Charts, and the part of each (in t) where doubles see the integrand."""
        breaks = [
            -b / self.slopes[k][j]
            for k, (b, slot) in enumerate(
                zip(bases, self.quadrature.integrand.slots, strict=True)
            )
            if slot.kinked and self.slopes[k][j]
        ]
        charts = self.shadow.charts(j, floats, self.precision.scale)
        seen = self.quadrature.doubles.support(self.shadow, j, floats)
        found = []
        for chart in charts:
            window = _inside(chart, seen) if seen is not None else (chart.low, chart.high)
            found.append((_precise(chart, breaks), window))
        return found

    def terms(self, j: int, bases: Sequence[Any], chart: Chart, t: Any) -> tuple[Any, Any, Any]:
        """(w f, w |f|, w × error of f) at a node, without the step."""
        origin, offset, rate = chart.nodes(t, CONTEXT)
        u = origin + offset
        weight = rate * CONTEXT.exp(-u * u / 2)
        moved = [
            (b + self.slopes[k][j] * origin) + self.slopes[k][j] * offset
            for k, b in enumerate(bases)
        ]
        if j == self.last:
            (f,) = self.kernel(*moved)
            return weight * f, weight * abs(f), CONTEXT.zero
        inner = self.average(j + 1, moved)
        return weight * inner.value, weight * inner.magnitude, weight * inner.error


class _Trapezoid:
    """Trapezoidal sums over one chart, with nested steps."""

    def __init__(
        self, run: _Run, j: int, bases: Sequence[Any], chart: Chart, window: tuple[float, float]
    ) -> None:
        self.run, self.j, self.bases, self.chart, self.window = run, j, bases, chart, window

    def start(self, step: float) -> None:
        """Sum at steps 4h, 2h and h at once."""
        self.step = CONTEXT.mpf(step)
        first = math.floor(self.window[0] / step)
        last = max(math.ceil(self.window[1] / step), first + 1)
        terms = {i: self._term(i) for i in range(first, last + 1)}
        largest = max(t[1] for t in terms.values())
        if largest == 0 and isinstance(self.chart.base, Segment):
            self._store(terms)
            return
        self._extend(terms, first, -1, largest)
        self._extend(terms, last, +1, largest)
        self._store(terms)

    def _term(self, index: int, shift: float = 0.0) -> tuple[Any, Any, Any]:
        return self.run.terms(self.j, self.bases, self.chart, (index + shift) * self.step)

    def _extend(self, terms: dict[int, Any], edge: int, direction: int, largest: Any) -> None:
        """Add terms until they have been negligible for a while."""
        negligible = largest * CONTEXT.mpf(10) ** (-self.run.precision.digits - 8)
        quiet = 0
        limit = math.ceil((self.chart.high - self.chart.low) / float(self.step)) + 10
        while quiet < _QUIET and abs(edge) < 2 * limit:
            edge += direction
            terms[edge] = self._term(edge)
            quiet = quiet + 1 if terms[edge][1] <= negligible else 0

    def _store(self, terms: dict[int, Any]) -> None:
        low, high = min(terms), max(terms)
        self.range = low, high
        norm = self.step / CONTEXT.sqrt(2 * CONTEXT.pi)
        self.sums = [
            norm * every * sum(t[0] for i, t in terms.items() if i % every == 0)
            for every in (4, 2, 1)
        ]
        self.magnitude = norm * sum(t[1] for t in terms.values())
        self.inherited = norm * sum(t[2] for t in terms.values())

    def halve(self) -> None:
        """Interlace nodes."""
        low, high = self.range
        added = [self._term(i, 0.5) for i in range(low, high)]
        norm = self.step / CONTEXT.sqrt(2 * CONTEXT.pi)
        values = [norm * sum(t[k] for t in added) for k in range(3)]
        self.sums = [*self.sums[1:], (self.sums[-1] + values[0]) / 2]
        self.magnitude = (self.magnitude + values[1]) / 2
        self.inherited = (self.inherited + values[2]) / 2
        self.step /= 2
        self.range = 2 * low, 2 * high


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
    if not (CONTEXT.isfinite(full) and CONTEXT.isfinite(error)):
        error = CONTEXT.inf
    return Result(full, error, magnitude)


def _inside(chart: Chart, seen: tuple[float, float]) -> tuple[float, float]:
    """The interval of t that covers an interval of u, as far as the chart does."""
    base = chart.base
    if isinstance(base, Segment):
        return chart.low, chart.high
    with np.errstate(all="ignore"):
        low, high = (pulled_back(chart.squeezes, u / base.slope) for u in seen)
    return float(np.max(low)), float(np.min(high))


def _precise(chart: Chart, breaks: Sequence[Any]) -> Chart:
    """The same chart with its (double) parameters as exact numbers, and ends at exact breaks."""

    def snapped(end: Any) -> Any:
        near = min(breaks, key=lambda b: abs(b - end))
        return near if abs(near - end) < 1e-12 * (1 + abs(end)) else end

    squeezes = tuple(Squeeze(_exact(s.p), _exact(s.q)) for s in chart.squeezes)
    base: Line | Segment
    if isinstance(chart.base, Segment):
        b = chart.base
        start, stop = _exact(b.start), _exact(b.start) + _exact(b.length)
        start, stop = snapped(start), snapped(stop)
        base = Segment(_exact(b.slope), start, stop - start)
    else:
        base = Line(_exact(chart.base.slope), _exact(chart.base.origin))
    return Chart(base, squeezes, chart.low, chart.high)


def _exact(x: Any) -> Any:
    return CONTEXT.mpf(float(np.asarray(x).reshape(())))

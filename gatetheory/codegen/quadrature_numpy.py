"""Gaussian averages in double precision, for whole batches at once.

One variable after the other: x = C u with the Cholesky factor C of the covariance, and for each u_j
a chart fitted to the singularities that the integrand shows at this stage. The trapezoidal rule is
applied in the chart's variable with steps h, h/2, …; the change at the last halving is the error
estimate (convergence is geometric, so it overestimates), and rounding is added to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatetheory.codegen import charting_numpy as charting
from gatetheory.codegen.charting_numpy import DOUBLE, ELEMENTARY, Scale, trailing
from gatetheory.codegen.charts import Chart
from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.integrand import Integrand
from gatetheory.codegen.kernels import compile_kernel

STEP = 0.22
"""First step in t: the trapezoidal rule is then good to 1e-15 when all poles are resolved."""
_EPS = float(np.finfo(float).eps)
_NEGLIGIBLE = 1e-19
_HALVINGS = 7
_NODES_AT_ONCE = 400_000


@dataclass
class Sum:
    """A trapezoidal sum ∑ w f, with ∑ w |f|, ∑ w |f| u², and the error inherited from inner sums."""

    value: Any
    magnitude: Any
    spread: Any
    inherited: Any

    def joined(self, other: Sum) -> Sum:
        """The rule of half the step, from the two interlaced ones."""
        pairs = zip(self.parts(), other.parts(), strict=True)
        return Sum(*((a + b) / 2 for a, b in pairs))

    def parts(self) -> tuple[Any, Any, Any, Any]:
        """All parts."""
        return self.value, self.magnitude, self.spread, self.inherited

    def __add__(self, other: Sum) -> Sum:
        return Sum(*(a + b for a, b in zip(self.parts(), other.parts(), strict=True)))


@dataclass
class Average:
    """⟨f⟩ with its error estimate and ⟨|f|⟩."""

    value: Any
    error: Any
    magnitude: Any


class NumpyQuadrature:
    """A compiled Gaussian average."""

    def __init__(self, integrand: Integrand) -> None:
        self.integrand = integrand
        self.dimension = integrand.dimension
        slots = integrand.slots
        outer = integrand.outer
        n = self.dimension
        lower_triangle = [integrand.covariance[i, j] for i in range(n) for j in range(i + 1)]
        laws = [a for s in slots for a in (*s.slopes, s.offset)]
        self._setup = compile_kernel([*lower_triangle, *laws], [], outer, DOUBLES)
        self._prepare = compile_kernel(
            [integrand.expression], [s.symbol for s in slots], outer, DOUBLES
        )

    def __call__(self, values: Sequence[Any], tolerance: float) -> Average:
        """Average at given values of the outer symbols: numbers, or arrays of one common length."""
        sizes = {v.shape[0] for v in values if isinstance(v, np.ndarray)}
        size = sizes.pop() if sizes else None
        if size is None or self.dimension == 1 or size * 40_000 <= 4 * _NODES_AT_ONCE:
            return self._converged(values, tolerance)
        rows = max(1, 4 * _NODES_AT_ONCE // 40_000)
        parts = [
            self._converged(_take(values, slice(i, i + rows)), tolerance)
            for i in range(0, size, rows)
        ]
        return Average(
            *(np.concatenate([np.broadcast_to(getattr(p, name), min(rows, size - i * rows))
                              for i, p in enumerate(parts)])
              for name in ("value", "error", "magnitude"))
        )  # fmt: skip

    def _converged(self, values: Sequence[Any], tolerance: float) -> Average:
        task = self.task(values)
        levels = _Levels(task, 0, task.bases, None)
        coarse, fine, error = levels.start()
        average = _finished(fine, error)
        for halving in range(1, _HALVINGS):
            wrong = np.atleast_1d(average.error > tolerance * average.magnitude)
            wrong &= np.atleast_1d(task.valid) & np.atleast_1d(np.isfinite(average.value))
            if not wrong.any():
                break
            if wrong.all() or average.value.ndim == 0:
                previous = average
                coarse, fine, error = levels.refine(fine, halving)
                average = _better(previous, _finished(fine, error))
                if np.all(average.error > previous.error / 4) and halving > 2:
                    break
            else:
                rest = self._converged(_take(values, wrong), tolerance)
                for name in ("value", "error", "magnitude"):
                    full = np.array(np.broadcast_to(getattr(average, name), wrong.shape))
                    full[wrong] = getattr(rest, name)
                    setattr(average, name, full)
                break
        invalid = ~np.asarray(task.valid)
        if invalid.any():
            average.value = np.where(invalid, np.nan, average.value)
            average.error = np.where(invalid, np.inf, average.error)
        return average

    def task(self, values: Sequence[Any]) -> _Task:
        """Slots and kernel at given values of the outer symbols."""
        n, slots = self.dimension, self.integrand.slots
        law = self._setup(*values)()
        size = n * (n + 1) // 2
        factor, valid = cholesky(law[:size], n)
        slopes, bases = [], []
        for k in range(len(slots)):
            *a, b = law[size + k * (n + 1) : size + (k + 1) * (n + 1)]
            slopes.append(
                [_total([a[i] * factor[i][j] for i in range(j, n)]) for j in range(n)]
            )
            bases.append(b)
        lifted = [v.reshape(-1, *(1,) * n) if isinstance(v, np.ndarray) else v for v in values]
        kernel = self._prepare(*lifted)
        return _Task(self.integrand, kernel, slopes, bases, valid)


    def support(self, task: _Task, j: int, bases: Sequence[Any]) -> tuple[float, float] | None:
        """Interval of u_j outside of which terms are negligible; None where doubles cannot say."""
        levels = _Levels(task, j, bases, None)
        _, fine, error = levels.start()
        if not (np.isfinite(fine.value) and 1e-250 < fine.magnitude and error < fine.magnitude):
            return None
        ends = []
        for chart, (low, high) in zip(levels.charts, levels.windows, strict=True):
            if high > low:
                origin, offset, _ = chart.nodes(STEP * np.array([low, high]), ELEMENTARY)
                ends += list(origin + offset)
        return (float(min(ends)), float(max(ends))) if ends else None


def cholesky(entries: Sequence[Any], n: int) -> tuple[list[list[Any]], Any]:
    """Lower triangular C with C Cᵀ = Σ, for semidefinite Σ, and where Σ is semidefinite.

    ``entries`` is the lower triangle, row by row. Negative pivots of the size of rounding are 0.
    """
    sigma = [[entries[i * (i + 1) // 2 + j] for j in range(i + 1)] for i in range(n)]
    c: list[list[Any]] = [[0.0] * (i + 1) for i in range(n)]
    valid: Any = True
    for j in range(n):
        pivot = sigma[j][j] - _total([c[j][k] * c[j][k] for k in range(j)])
        slack = 16 * _EPS * np.abs(sigma[j][j])
        valid = valid & (pivot >= -slack) & np.isfinite(pivot)
        pivot = np.where(pivot > slack * (j > 0), pivot, 0.0)
        c[j][j] = np.sqrt(pivot)
        for i in range(j + 1, n):
            rest = sigma[i][j] - _total([c[i][k] * c[j][k] for k in range(j)])
            scale = np.sqrt(np.abs(sigma[i][i] * sigma[j][j]))
            valid = valid & ((pivot > 0) | (np.abs(rest) <= 1e-7 * scale))
            c[i][j] = np.where(pivot > 0, rest / np.where(pivot > 0, c[j][j], 1.0), 0.0)
    return c, valid


@dataclass
class _Task:
    """Everything about one call: slot A_k = bases[k] + Σ_j slopes[k][j] u_j."""

    integrand: Integrand
    kernel: Any
    slopes: list[list[Any]]
    bases: list[Any]
    valid: Any

    def slope(self, k: int, j: int) -> Any:
        """∂A_k/∂u_j, shaped for elements that are batch × nodes of u_0 … u_{j-1}."""
        a = self.slopes[k][j]
        return a.reshape(-1, *(1,) * j) if isinstance(a, np.ndarray) and a.ndim else a

    def charts(self, j: int, bases: Sequence[Any], scale: Scale = DOUBLE) -> list[Chart]:
        """Charts for u_j that together cover the line."""
        far = scale.reach
        features, breaks = [], []
        for k, slot in enumerate(self.integrand.slots):
            slope = self.slope(k, j)
            if np.all(slope == 0) or not (slot.kinked or np.isfinite(slot.reach)):
                continue
            with np.errstate(all="ignore"):
                centre = np.where(slope == 0, 0.0, -bases[k] / slope)
                blur = np.sqrt(
                    _total([self.slope(k, i).reshape(np.shape(slope)) ** 2
                            for i in range(j + 1, self.integrand.dimension)])
                )  # fmt: skip
                reach = np.hypot(slot.reach, 1.4 * blur)
                width = np.where(slope == 0, np.inf, np.abs(reach / slope))
            if slot.kinked:
                sharp = blur == 0
                if np.any(sharp):
                    breaks.append(np.where(sharp & (slope != 0), centre, -far))
                if not np.all(sharp):
                    soft = np.where(sharp, np.inf, np.abs(1.4 * blur / slope))
                    features.append((centre, np.where(slope == 0, np.inf, soft)))
            if np.isfinite(slot.reach):
                features.append((centre, width))
        if not breaks:
            return [charting.line(features, scale)]
        ends = np.sort(
            np.stack(np.broadcast_arrays(*(np.clip(b, -far, far) for b in breaks))), axis=0
        )
        ends = [np.full_like(ends[0], -far), *ends, np.full_like(ends[0], far)]
        return [
            charting.segment(a, b, features, scale)
            for a, b in zip(ends[:-1], ends[1:], strict=True)
            if np.any(b > a)
        ]


class _Levels:
    """Trapezoidal sums over u_j, for elements that are batch × nodes of u_0 … u_{j-1}."""

    def __init__(self, task: _Task, j: int, bases: Sequence[Any], importance: Any) -> None:
        self.task, self.j, self.bases, self.importance = task, j, bases, importance
        self.charts = task.charts(j, bases)
        self.windows = [
            (int(np.floor(c.low / STEP)), int(np.ceil(c.high / STEP))) for c in self.charts
        ]

    def start(self) -> tuple[Sum, Sum, Any]:
        """The rules of steps h and h/2, and the error estimate of the latter."""
        sums, profiles, cut = [], [], 0.0
        for chart, (low, high) in zip(self.charts, self.windows, strict=True):
            s, terms = self._sweep(chart, STEP * np.arange(low, high + 1))
            sums.append(s)
            profiles.append(terms)
            cut = cut + (terms[..., 0] + terms[..., -1]) / STEP
        coarse = _sum(sums)
        scale = self._scale(coarse)
        self.windows = [
            _window(low, terms / scale) for (low, _), terms in zip(self.windows, profiles, strict=True)
        ]
        self.cut = cut
        return self.refine(coarse, 0)

    def _scale(self, s: Sum) -> Any:
        """What a term must be compared with to be negligible."""
        if self.importance is None:
            return trailing(s.magnitude)
        total = (s.magnitude * self.importance).sum(axis=tuple(range(-self.j, 0)), keepdims=True)
        return trailing(total / np.maximum(self.importance, 1e-300))

    def refine(self, coarse: Sum, halving: int) -> tuple[Sum, Sum, Any]:
        """Halve the step."""
        step = STEP / 2**halving
        sums = []
        for chart, (low, high) in zip(self.charts, self.windows, strict=True):
            if high > low:
                t = low * STEP + step * (np.arange((high - low) * 2**halving) + 0.5)
                sums.append(self._sweep(chart, t, step)[0])
        fine = coarse.joined(_sum(sums)) if sums else coarse
        change = np.abs(fine.value - coarse.value)
        error = change + fine.inherited + self.cut
        error = error + _EPS * (8 * fine.magnitude + fine.spread)
        return coarse, fine, error

    def _sweep(self, chart: Chart, t: Any, step: float = STEP) -> tuple[Sum, Any]:
        origin, offset, rate = chart.nodes(t, ELEMENTARY)
        u = origin + offset
        square = u * u
        weight = (step / np.sqrt(2 * np.pi)) * rate * np.exp(-0.5 * square)
        bases = []
        for k, base in enumerate(self.bases):
            slope = trailing(self.task.slope(k, self.j))
            if isinstance(slope, float) and slope == 0:
                bases.append(trailing(base))
            else:
                bases.append((trailing(base) + slope * origin) + slope * offset)
        if self.j + 1 == self.task.integrand.dimension:
            (f,) = self.task.kernel(*bases)
            size = np.abs(f)
            inherited: Any = 0.0
        else:
            importance = weight if self.importance is None else weight * trailing(self.importance)
            inner = inner_average(self.task, self.j + 1, bases, importance)
            f, size = inner.value, inner.magnitude
            inherited = (inner.error * weight).sum(axis=-1)
        terms = size * weight
        total = Sum(
            (f * weight).sum(axis=-1), terms.sum(axis=-1), (terms * square).sum(axis=-1), inherited
        )
        return total, terms


def inner_average(task: _Task, j: int, bases: Sequence[Any], importance: Any) -> Average:
    """Average over u_j … for every element, as precisely as their importance asks for."""
    levels = _Levels(task, j, bases, importance)
    _, fine, error = levels.start()
    average = _finished(fine, error)
    for halving in range(1, 4):
        axes = tuple(range(-j, 0))
        lost = (average.error * importance).sum(axis=axes)
        if np.all(lost <= 1e-12 * (average.magnitude * importance).sum(axis=axes)):
            break
        _, fine, error = levels.refine(fine, halving)
        average = _better(average, _finished(fine, error))
    return average


def _finished(fine: Sum, error: Any) -> Average:
    good = np.isfinite(fine.value) & np.isfinite(error)
    return Average(fine.value, np.where(good, error, np.inf), fine.magnitude)


def _better(old: Average, new: Average) -> Average:
    """The new average; its error never claims less than rounding allows."""
    return new


def _window(low: int, relative: Any) -> tuple[int, int]:
    """Steps outside of which terms are negligible for every element."""
    seen = np.nonzero((relative > _NEGLIGIBLE).reshape(-1, relative.shape[-1]).any(axis=0))[0]
    if not len(seen):
        return 0, 0
    return low + max(int(seen[0]) - 2, 0), low + min(int(seen[-1]) + 2, relative.shape[-1] - 1)


def _sum(sums: Sequence[Sum]) -> Sum:
    total = sums[0]
    for s in sums[1:]:
        total = total + s
    return total


def _total(terms: Sequence[Any]) -> Any:
    total: Any = 0.0
    for term in terms:
        total = total + term
    return total


def _take(values: Sequence[Any], rows: Any) -> list[Any]:
    return [v[rows] if isinstance(v, np.ndarray) else v for v in values]

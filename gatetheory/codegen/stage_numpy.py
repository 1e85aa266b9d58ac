"""One call's integrand over standard normal u_0 … u_{n-1}, and the charts it asks for.

Slot k is A_k = bases[k] + Σ_j slopes[k][j] u_j. At stage j everything earlier is fixed and
everything later is averaged over, which blurs what the integrand shows of later variables: a
transition at A = 0 ± iκ appears at u_j = -base/slope with width √(κ² + (1.4 γ)²)/|slope|, γ the
standard deviation of A due to later variables.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gatetheory.codegen import charting_numpy as charting
from gatetheory.codegen.charting_numpy import DOUBLE, ELEMENTARY, Scale, trailing
from gatetheory.codegen.charts import Chart
from gatetheory.codegen.covariance_numpy import total
from gatetheory.codegen.integrand import Curve, Integrand
from gatetheory.codegen.zeros import complex_zeros, real_zeros

_BLUR = 1.4
_BULK = 9.0
_SEARCH_STEP = 0.2
_SEARCH_REACH = 1.3
Feature = tuple[Any, Any]
"""Centre and width, in units of u."""


@dataclass
class Stage:
    """An integrand at given values of the outer symbols.

    Args:
        integrand: The integrand.
        values: Values of the outer symbols: numbers, or arrays of one axis.
        kernel: Slots to values.
        curves: Compiled ``integrand.curves``.
        phases: Harmonics and compiled arguments of ``integrand.phases``.
        slopes: ∂A_k/∂u_j.
        bases: A_k at u = 0.
        valid: Where the covariance is semidefinite.
        extra: More features of u_0.
    """

    integrand: Integrand
    values: Sequence[Any]
    kernel: Callable[..., tuple[Any, ...]]
    curves: Sequence[tuple[Curve, Callable[..., Any]]]
    phases: Sequence[tuple[int, Callable[..., Any]]]
    slopes: list[list[Any]]
    bases: list[Any]
    valid: Any
    extra: list[Feature] = field(default_factory=list)

    def slope(self, k: int, j: int) -> Any:
        """∂A_k/∂u_j, shaped for elements that are batch × nodes of u_0 … u_{j-1}."""
        return self._shaped(self.slopes[k][j], j)

    @staticmethod
    def _shaped(a: Any, j: int) -> Any:
        return a.reshape(-1, *(1,) * j) if isinstance(a, np.ndarray) and a.ndim else a

    def moved(self, j: int, bases: Sequence[Any], origin: Any, offset: Any) -> list[Any]:
        """Slots at u_j = origin + offset, later ones at 0; nodes are the last axis."""
        result = []
        for k, base in enumerate(bases):
            slope = self.slope(k, j)
            if isinstance(slope, float) and slope == 0:
                result.append(trailing(base))
            else:
                slope = trailing(slope)
                result.append((trailing(base) + slope * origin) + slope * offset)
        return result

    def charts(self, j: int, bases: Sequence[Any], scale: Scale = DOUBLE) -> list[Chart]:
        """Charts for u_j that together cover the line."""
        features, breaks = self._of_slots(j, bases, scale.reach)
        if self.curves:
            more, other = self._of_curves(j, bases, charting.line(features, scale))
            features, breaks = features + more, breaks + other
        if j == 0:
            features = features + self.extra
        if not breaks:
            return [charting.line(features, scale)]
        far = scale.reach
        clipped = np.broadcast_arrays(*(np.clip(b, -far, far) for b in breaks))
        inner = np.sort(np.stack(clipped), axis=0)
        ends = [np.full_like(inner[0], -far), *inner, np.full_like(inner[0], far)]
        return [
            charting.segment(a, b, features, scale, downwards=i == 0)
            for i, (a, b) in enumerate(itertools.pairwise(ends))
            if np.any(b > a)
        ]

    def frequency(self, j: int, bases: Sequence[Any]) -> float:
        """Highest angular frequency in u_j, over all elements."""
        if not self.phases:
            return 0.0
        u = np.linspace(-_BULK, _BULK, 65)
        slots = self.moved(j, bases, 0.0, u)
        highest = 0.0
        for harmonic, prepare in self.phases:
            change = np.diff(prepare(*self._lifted(j))(*slots)[0] + 0.0 * u)
            highest += harmonic * float(np.max(np.abs(change))) / (u[1] - u[0])
        return highest

    def _lifted(self, j: int) -> list[Any]:
        """Outer symbols, shaped for elements × nodes of u_j."""
        return [
            v.reshape(-1, *(1,) * (j + 1)) if isinstance(v, np.ndarray) else v for v in self.values
        ]

    # ---- singularities -----------------------------------------------------------------------

    def _of_slots(
        self, j: int, bases: Sequence[Any], far: float
    ) -> tuple[list[Feature], list[Any]]:
        features: list[Feature] = []
        breaks: list[Any] = []
        for k, slot in enumerate(self.integrand.slots):
            if not slot.kinked and slot.reach == np.inf:
                continue
            slope = self.slope(k, j)
            flat = slope == 0
            if np.all(flat):
                continue
            centre = np.where(flat, 0.0, -bases[k] / slope)
            later = range(j + 1, self.integrand.dimension)
            blur = _BLUR * np.sqrt(total([self._shaped(self.slopes[k][i], j) ** 2 for i in later]))
            if slot.kinked:
                sharp = blur == 0
                if np.any(sharp):
                    breaks.append(np.where(sharp & ~flat, centre, -far))
                if not np.all(sharp):
                    features.append((centre, np.where(sharp | flat, np.inf, np.abs(blur / slope))))
            if slot.reach < np.inf:
                width = np.abs(np.hypot(slot.reach, blur) / slope)
                features.append((centre, np.where(flat, np.inf, width)))
        return features, breaks

    def _of_curves(
        self, j: int, bases: Sequence[Any], chart: Chart
    ) -> tuple[list[Feature], list[Any]]:
        grid = _SEARCH_STEP * np.arange(
            np.floor(chart.low / _SEARCH_STEP), np.ceil(chart.high / _SEARCH_STEP) + 1
        )
        values = self._lifted(j)
        features: list[Feature] = []
        breaks: list[Any] = []
        for curve, prepare in self.curves:
            kernel = prepare(*values)

            def b(t: Any, kernel: Callable[..., Any] = kernel) -> Any:
                origin, offset, _ = chart.nodes(t, ELEMENTARY)
                return kernel(*self.moved(j, bases, origin, offset))[0] + 0.0 * t

            if curve.kind == "kink":
                breaks += _places(chart, real_zeros(_with_slope(b), grid), -DOUBLE.reach)
            elif curve.kind == "peak":
                features += _peaks(chart, b, grid)
            else:
                target = 1j * curve.reach if curve.kind == "pole" else 0.0
                zeros = complex_zeros(_with_slope(b, target), grid, _SEARCH_REACH)
                features += _features(chart, zeros)
        return features, breaks


def _with_slope(b: Callable[[Any], Any], target: complex = 0.0) -> Callable[[Any], tuple[Any, Any]]:
    """B - target and its derivative by central differences."""
    eps = 1e-5

    def function(t: Any) -> tuple[Any, Any]:
        return b(t) - target, (b(t + eps) - b(t - eps)) / (2 * eps)

    return function


def _peaks(chart: Chart, b: Callable[[Any], Any], grid: Any) -> list[Feature]:
    """Maxima of b, with the width of exp(b) there."""
    eps = 1e-3

    def slope(t: Any) -> tuple[Any, Any]:
        return b(t + eps) - b(t - eps), None

    t = real_zeros(slope, grid)
    if not t.shape[-1]:
        return []
    bend = (b(t + eps) - 2 * b(t) + b(t - eps)) / eps**2
    origin, offset, rate = chart.nodes(t, ELEMENTARY)
    width = np.where(bend < 0, rate / np.sqrt(np.abs(bend)), np.inf)
    known = np.isfinite(t) & np.isfinite(width)
    centre = np.where(known, origin + offset, 0.0)
    width = np.where(known, width, np.inf)
    return [(centre[..., i], width[..., i]) for i in range(t.shape[-1])]


def _features(chart: Chart, t: Any) -> list[Feature]:
    origin, offset, _ = chart.nodes(t, ELEMENTARY)
    u = origin + offset
    known = np.isfinite(u)
    centre = np.where(known, u.real, 0.0)
    width = np.where(known, np.abs(np.imag(offset)), np.inf)
    return [(centre[..., i], width[..., i]) for i in range(t.shape[-1])]


def _places(chart: Chart, t: Any, absent: float) -> list[Any]:
    origin, offset, _ = chart.nodes(t, ELEMENTARY)
    u = origin + offset
    return [np.where(np.isfinite(u[..., i]), u[..., i], absent) for i in range(t.shape[-1])]

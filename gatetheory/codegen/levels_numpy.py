"""Trapezoidal sums with nested steps, in doubles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatetheory.codegen.charting_numpy import DOUBLE, ELEMENTARY, trailing
from gatetheory.codegen.charts import Chart
from gatetheory.codegen.covariance_numpy import EPS, total
from gatetheory.codegen.stage_numpy import Stage

TINY = float(np.finfo(float).tiny)
NOTHING = 1e-300
NEGLIGIBLE = 1e-19
"""Terms this small, relative to ⟨|f|⟩, are left out when the step is halved."""
FAR = 12.0
"""An integrand may overflow at |u| beyond this, if terms have become negligible before."""
_GAUSSIAN_BAND = 8.6
_TRIAL = 1e-7
_MOST_HALVINGS = 14
_NODES_AT_ONCE = 400_000
_INNER_HALVINGS = 3


def first_step(order: int) -> float:
    """Step in t at which the trapezoidal rule is good to 1e-14 when all poles are resolved.

    The error is about (2π/h)^{m-1}/(m-1)! exp(-π²/h) for poles of order m.
    """
    return float(np.pi**2 / (44.9 + 3.9 * min(max(order - 2, 0), 10)))


@dataclass
class Sum:
    """A trapezoidal sum ∑ w f, with ∑ w |f|, ∑ w |f| u² and the error that inner sums hand on."""

    value: Any
    magnitude: Any
    spread: Any
    inherited: Any

    def parts(self) -> tuple[Any, Any, Any, Any]:
        """All parts."""
        return self.value, self.magnitude, self.spread, self.inherited

    def interlaced(self, other: Sum) -> Sum:
        """The rule of half the step."""
        pairs = zip(self.parts(), other.parts(), strict=True)
        return Sum(*((a + b) / 2 for a, b in pairs))


@dataclass
class Average:
    """⟨f⟩ with its error estimate and ⟨|f|⟩."""

    value: Any
    error: Any
    magnitude: Any

    def parts(self) -> tuple[Any, Any, Any]:
        """All parts."""
        return self.value, self.error, self.magnitude


class Levels:
    """Sums over u_j, for elements that are batch × nodes of u_0 … u_{j-1}.

    Args:
        stage: The integrand.
        j: Which variable.
        bases: Slots at u_j = 0.
        importance: Weight of every element in what is finally wanted; None for a plain batch.
        depth: Im t of the line of nodes, downwards.
    """

    def __init__(
        self, stage: Stage, j: int, bases: Sequence[Any], importance: Any = None, depth: float = 0.0
    ) -> None:
        self.stage, self.j, self.bases, self.importance = stage, j, bases, importance
        step = first_step(stage.integrand.order)
        self.first = self.step = step / 2 ** _halvings_for(stage.frequency(j, bases), step)
        self.depth = depth
        self._change: Any = None
        self._slot_noise: Any = None
        self.charts = stage.charts(j, bases)
        self.windows = [
            (int(np.floor(c.low / self.first)), int(np.ceil(c.high / self.first)))
            for c in self.charts
        ]
        self.fine = self._first()

    def _first(self) -> Sum:
        sums, profiles = [], []
        for chart, (low, high) in zip(self.charts, self.windows, strict=True):
            s, terms = self._sweep(chart, self.step * np.arange(low, high + 1))
            sums.append(s)
            profiles.append(terms)
        result = _sum(sums)
        scale = self._scale(result)
        self.cut = total([_at_ends(p) / self.step for p in profiles])
        self.windows = [
            _window(low, p / scale) for (low, _), p in zip(self.windows, profiles, strict=True)
        ]
        return result

    def _scale(self, s: Sum) -> Any:
        """What a term must be compared with to be negligible."""
        if self.importance is None:
            return trailing(s.magnitude)
        axes = tuple(range(-self.j, 0))
        whole = (s.magnitude * self.importance).sum(axis=axes, keepdims=True)
        return trailing(whole / np.maximum(self.importance, 1e-300))

    def halve(self) -> Average:
        """Halve the step; the change is the error estimate."""
        coarse, sums = self.fine, []
        for chart, (low, high) in zip(self.charts, self.windows, strict=True):
            if high > low:
                count = round((high - low) * self.first / self.step)
                t = low * self.first + self.step * (np.arange(count) + 0.5)
                sums.append(self._sweep(chart, t)[0])
        self.step /= 2
        self.fine = fine = coarse.interlaced(_sum(sums)) if sums else coarse
        change = np.abs(fine.value - coarse.value)
        error = 2 * self._remaining(change) + fine.inherited + self.cut
        error = error + EPS * (16 * fine.magnitude + fine.spread + self._shifted(fine)) + TINY
        good = np.isfinite(fine.value) & np.isfinite(error)
        return Average(np.real(fine.value), np.where(good, error, np.inf), fine.magnitude)

    def _shifted(self, s: Sum) -> Any:
        """Rounding of slots au + b, in units of the last place.

        A slot that is off by ε|b| changes the average by no more than 2mε|b|⟨|f|⟩, m the order of
        poles. Where that is a gross bound (sharp transitions): a transition moved by ε|b/a| with
        all there is changes it by that times ⟨|u f|⟩; one of several is moved for a trial.
        """
        if self.j or self._slot_noise is not None:
            return 0.0 if self.j else self._slot_noise
        slots = self.stage.integrand.slots
        spread = np.sqrt(s.spread * s.magnitude)
        noises = []
        for k, slot in enumerate(slots):
            slope = self.stage.slope(k, 0)
            if slot.reach == np.inf and not slot.kinked:
                continue
            place = np.where(slope == 0, np.inf, np.abs(self.bases[k] / slope))
            gross = 2.0 * self.stage.integrand.order * np.abs(self.bases[k]) * s.magnitude
            if slot.kinked:
                noises.append(np.where(place < DOUBLE.reach, place, 0.0) * spread)
            elif len(slots) == 1:
                noises.append(np.fmin(place * spread, gross))
            elif np.all(gross <= 32 * s.magnitude):
                noises.append(gross)
            else:
                noises.append(np.minimum(self._on_trial(k, s), gross))
        self._slot_noise = total(noises)
        return self._slot_noise

    def _on_trial(self, k: int, s: Sum) -> Any:
        """|∂⟨f⟩/∂ log b_k|, by a difference."""
        kept, step = self.bases, self.step
        self.bases = [b * (1 + _TRIAL) if i == k else b for i, b in enumerate(kept)]
        self.step = self.first
        sums = [
            self._sweep(chart, self.first * np.arange(low, high + 1))[0]
            for chart, (low, high) in zip(self.charts, self.windows, strict=True)
        ]
        self.bases, self.step = kept, step
        return np.abs(_sum(sums).value - s.value) / _TRIAL

    def _remaining(self, change: Any) -> Any:
        """What the next halving would change, by extrapolation of the last two.

        From changes e₁ ≫ e₂ it is less than e₂ (e₂/e₁): that is what an algebraic rate would leave,
        and the rate is faster. After a single halving it is e₂, which overestimates.
        """
        before, self._change = self._change, change
        if before is None:
            return change
        fast = change < 1e-3 * before
        return np.where(fast, change * change / np.where(fast, before, 1.0), change)

    def _sweep(self, chart: Chart, t: Any) -> tuple[Sum, Any]:
        """The sum over nodes t, and the moduli of its terms."""
        origin, offset, rate = chart.nodes(t - 1j * self.depth if self.depth else t, ELEMENTARY)
        u = origin + offset
        square = u * u
        weight = (self.step / np.sqrt(2 * np.pi)) * rate * np.exp(-0.5 * square)
        slots = self.stage.moved(self.j, self.bases, origin, offset)
        inherited: Any = 0.0
        rough: list[Any] = []
        if self.j + 1 == self.stage.integrand.dimension:
            f, *rough = self.stage.kernel(*slots)
            size = np.abs(f)
            if not np.isfinite(size.max()):  # overflow where the weight underflows?
                over = ~np.isfinite(size) & (np.abs(u) > FAR)
                f, size = np.where(over, 0.0, f), np.where(over, 0.0, size)
        else:
            importance = weight if self.importance is None else weight * trailing(self.importance)
            inner = _in_chunks(self.stage, self.j + 1, slots, importance)
            f, size = inner.value, inner.magnitude
            inherited = (inner.error * weight).sum(axis=-1)
        if self.depth:
            terms = size * np.abs(weight)
            square = np.abs(square)
        else:
            terms = size * weight
        if rough:
            inherited = EPS * (terms * np.nan_to_num(rough[0])).sum(axis=-1)
        values = (f * weight).sum(axis=-1), terms.sum(axis=-1), (terms * square).sum(axis=-1)
        return Sum(*values, inherited), terms


def _in_chunks(stage: Stage, j: int, slots: Sequence[Any], importance: Any) -> Average:
    """Inner averages, a part of the outer nodes at a time to save memory."""
    shape = np.broadcast_shapes(*(np.shape(s) for s in slots), importance.shape)
    remaining = 250 ** (stage.integrand.dimension - j)
    nodes = max(1, _NODES_AT_ONCE * shape[-1] // (int(np.prod(shape)) * remaining))
    if nodes >= shape[-1]:
        return _inner(stage, j, slots, importance)
    parts = []
    for first in range(0, shape[-1], nodes):
        cut = (..., slice(first, first + nodes))
        some = [s[cut] if np.ndim(s) and np.shape(s)[-1] > 1 else s for s in slots]
        weight = importance[cut] if importance.shape[-1] > 1 else importance
        part = _inner(stage, j, some, weight)
        whole = (*shape[:-1], min(nodes, shape[-1] - first))
        parts.append([np.broadcast_to(x, whole) for x in (part.value, part.error, part.magnitude)])
    return Average(*(np.concatenate(p, axis=-1) for p in zip(*parts, strict=True)))


def _inner(stage: Stage, j: int, bases: Sequence[Any], importance: Any) -> Average:
    """Average over u_j … for every element, as precisely as their importance asks for."""
    levels = Levels(stage, j, bases, importance)
    average = levels.halve()
    axes = tuple(range(-j, 0))
    for _ in range(_INNER_HALVINGS):
        lost = (average.error * importance).sum(axis=axes)
        if np.all(lost <= 1e-12 * (average.magnitude * importance).sum(axis=axes) + NOTHING):
            break
        average = levels.halve()
    return average


def _halvings_for(frequency: float, step: float) -> int:
    """Halvings of the first step that resolve an oscillation under the Gaussian."""
    needed = (frequency + _GAUSSIAN_BAND) * step * DOUBLE.slope / (2 * np.pi)
    return min(max(0, int(np.ceil(np.log2(needed)))), _MOST_HALVINGS) if needed > 1 else 0


def _at_ends(terms: Any) -> Any:
    """The terms next to the first and the last that are not zero."""
    seen = terms > 0
    first = np.take_along_axis(terms, np.argmax(seen, axis=-1)[..., None], -1)
    last = np.take_along_axis(terms[..., ::-1], np.argmax(seen[..., ::-1], axis=-1)[..., None], -1)
    return (first + last)[..., 0]


def _window(low: int, relative: Any) -> tuple[int, int]:
    """Steps outside of which terms are negligible for every element."""
    flat = (~(relative <= NEGLIGIBLE)).reshape(-1, relative.shape[-1]).any(axis=0)
    seen = np.flatnonzero(flat)
    if not len(seen):
        return 0, 0
    return low + max(int(seen[0]) - 2, 0), low + min(int(seen[-1]) + 2, relative.shape[-1] - 1)


def _sum(sums: Sequence[Sum]) -> Sum:
    parts = zip(*(s.parts() for s in sums), strict=True)
    return Sum(*(total(p) for p in parts))

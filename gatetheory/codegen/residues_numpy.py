"""Poles that pinch the axis: where they are, and their residues, for whole batches.

A zero ζ of Q = U - iV is a pole of f = ∑_k N_k/(P Q)^k, and so is its conjugate. All quantities at
ζ follow from Taylor coefficients that do not cancel: P(ζ) = 2iV(ζ) however close to the axis ζ is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np

from gatetheory.codegen import charting_numpy as charting
from gatetheory.codegen.charting_numpy import DOUBLE, ELEMENTARY, trailing
from gatetheory.codegen.charts import Chart
from gatetheory.codegen.covariance_numpy import EPS, total
from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.integrand import Integrand
from gatetheory.codegen.kernels import Kernel, Prepare, compile_kernel
from gatetheory.codegen.pinches import Pinch
from gatetheory.codegen.stage_numpy import Feature, Stage
from gatetheory.codegen.zeros import distinct, polished, starts

REACH = 1.4
"""|Im t| up to which poles are looked for."""
_STEP = 0.2
_HEIGHTS = (0.0, 0.7, -0.7)
_MOST_CENTRES = 24
_ON_AXIS = 1e-8
_INFINITY = 1e150
Coefficients = list[Any]


@dataclass
class Residues:
    """-Re 2πi ∑ Res over the poles between the axis and a line, element by element.

    Args:
        value: That sum.
        error: Its rounding, from the distance by which rounding of Q moves the poles.
        magnitude: 2π ∑ |Res|.
        touching: Whether a pole lies on the axis.
        complete: Whether no pole can have been missed.
    """

    value: Any = 0.0
    error: Any = 0.0
    magnitude: Any = 0.0
    touching: Any = False
    complete: Any = True

    def rows(self, where: Any) -> Residues:
        """Some elements."""
        parts = (self.value, self.error, self.magnitude, self.touching, self.complete)
        return Residues(*(np.broadcast_to(x, where.shape)[where] for x in parts))


def joined(residues: Sequence[Residues]) -> Residues:
    """The sum."""
    total = residues[0]
    for r in residues[1:]:
        total = Residues(
            total.value + r.value,
            total.error + r.error,
            total.magnitude + r.magnitude,
            total.touching | r.touching,
            total.complete & r.complete,
        )
    return total


class PinchKernels:
    """The compiled Taylor coefficients of one pinch."""

    def __init__(self, pinch: Pinch, integrand: Integrand) -> None:
        self.pinch = pinch
        inner = [*(s.symbol for s in integrand.slots), *pinch.slopes]
        numerators = [e for powers in pinch.numerators for taylor in powers for e in taylor]
        parts = (pinch.root[:2], pinch.root, pinch.half_mate, pinch.terms, numerators)
        self._prepare: list[Prepare] = [
            compile_kernel(p, inner, integrand.outer, DOUBLES) for p in parts
        ]

    def on(self, stage: Stage, chart: Chart, zeros: Any = None) -> PinchedLine:
        """The pinch at given values, in the plane of a chart of the line.

        Args:
            stage: The integrand, of one variable.
            chart: A chart of the line.
            zeros: The zeros of Q as values of u, if they are known already.
        """
        columns = [trailing(v) for v in stage.values]
        kernels = [p(*columns) for p in self._prepare]
        return PinchedLine(self.pinch, kernels, stage, chart, zeros)


class PinchedLine:
    """The zeros of Q in the plane of a chart.

    Args:
        pinch: P, Q and numerators.
        kernels: Compiled (Q, Q'), Taylor coefficients of Q, of V, and of the numerators.
        stage: The integrand, of one variable.
        chart: A chart of the line.
        zeros: The zeros as values of u, if they are known already.

    Attributes:
        zeros: The zeros as values of u, elements × number, padded with nan.
        heights: |Im t| of the zeros; inf where there is none.
    """

    def __init__(
        self, pinch: Pinch, kernels: Sequence[Kernel], stage: Stage, chart: Chart, zeros: Any
    ) -> None:
        self.pinch, self.stage, self.chart = pinch, stage, chart
        self._root, self._taylor, self._half_mate, self._terms, self._numerators = kernels
        self._slopes = [trailing(np.asarray(a)) for (a,) in stage.slopes]
        first, last = np.floor(chart.low / _STEP), np.ceil(chart.high / _STEP)
        self._grid = _STEP * np.arange(first, last + 1)
        self.zeros = self._search() if zeros is None else zeros
        t = charting.plane(chart, self.zeros)
        self._lower = t.imag < 0
        self.heights = np.where(np.isfinite(t), np.abs(t.imag), np.inf)

    def _search(self) -> Any:
        """Zeros with |Im t| < REACH."""

        def along(t: Any) -> tuple[Any, Any]:
            origin, offset, rate = self.chart.nodes(t, ELEMENTARY)
            value, slope = self._root(*self._arguments(origin, offset))
            return value, slope * rate

        def directly(u: Any) -> tuple[Any, Any]:
            value, slope = self._root(*self._arguments(0.0, u))
            return value, slope

        t = starts(along, self._grid, REACH, _HEIGHTS)
        origin, offset, rate = self.chart.nodes(t, ELEMENTARY)
        u = polished(directly, origin + offset, 2 * _STEP * np.abs(rate))
        inside = np.abs(charting.plane(self.chart, u).imag) < REACH
        return distinct(np.where(inside, u, np.nan))

    def _arguments(self, origin: Any, offset: Any) -> list[Any]:
        return [*self.stage.moved(0, self.stage.bases, origin, offset), *self._slopes]

    def features(self) -> list[Feature]:
        """Centres and widths of charts in which other zeros stay away from these.

        |Q'/Q''| is the length over which Q repeats itself: π times it is half the distance between
        zeros of x + exp(u/length) and of the logistic function's tails.
        """
        u = self.zeros
        if not u.shape[-1]:
            return []
        _, slope, bend, *_ = self._taylor(*self._arguments(0.0, u))
        width = np.pi * np.abs(slope / bend) * np.ones(u.shape)
        known = np.isfinite(u) & np.isfinite(width)
        centre, width = np.where(known, u.real, 0.0), np.where(known, width, np.inf)
        alone = all(
            np.ndim(x) == 0 for x in (*self.stage.bases, *(a for (a,) in self.stage.slopes))
        )
        if alone and centre.ndim > 1:
            return _thinned(centre[known], width[known])
        return [(centre[..., i], width[..., i]) for i in range(centre.shape[-1])]

    def count(self, depth: float) -> Any:
        """Number of zeros of Q with |Im t| < depth, by the winding of Q (not rounded)."""
        origin, offset, _ = self.chart.nodes(self._fine_grid() - 1j * depth, ELEMENTARY)
        arguments = self._arguments(origin, offset)
        q = self._root(*arguments)[0] + 0j
        p = q + 2j * self._half_mate(*arguments)[0]
        turns = [np.angle(x[..., 1:] / x[..., :-1]).sum(axis=-1) for x in (q, p)]
        return (turns[0] + turns[1]) / (2 * np.pi)

    def _fine_grid(self) -> Any:
        return np.arange(self._grid[0], self._grid[-1], _STEP / 2)

    def residues(self, depth: float) -> Residues:
        """Contribution of the poles between the axis and Im t = -depth."""
        touching = self._touching()
        if not depth:
            return Residues(touching=touching)
        inside = self.heights < depth
        complete = np.abs(self.count(depth) - inside.sum(axis=-1)) < 0.3
        u = np.where(inside, self.zeros, np.nan)
        if not inside.shape[-1]:
            return Residues(complete=complete)
        scale = total([np.abs(x) for x in self._terms(*self._arguments(0.0, u))])
        residue, q = self._residue_at(u)
        known = inside & np.isfinite(residue)
        lower = np.where(known, np.where(self._lower, residue, np.conj(residue)), 0.0)
        size = 2 * np.pi * np.abs(lower)
        noise = EPS * (4 + np.abs(u) + scale / np.abs(q[1])) + np.abs(q[0] / q[1])
        moved = self._residue_at(u + noise)[0]
        error = np.where(known, 16 * EPS * size + 2 * np.pi * np.abs(moved - residue), 0.0)
        lost = inside & ~known & ~np.asarray(touching)[..., None]
        return Residues(
            (2 * np.pi * lower.imag).sum(axis=-1),
            error.sum(axis=-1),
            size.sum(axis=-1),
            touching,
            complete & ~lost.any(axis=-1),
        )

    def _touching(self) -> Any:
        """Whether zeros lie on the axis: V vanishes there and so does Im u.

        A zero too far out to be found shows as a change of sign between infinity and the last node.
        """
        far = np.array([-_INFINITY, -DOUBLE.reach, DOUBLE.reach, _INFINITY])
        arguments = self._arguments(0.0, far)
        sign = np.sign(np.real(self._root(*arguments)[0])) + 0.0 * far
        beyond = (sign[..., ::2] * sign[..., 1::2] < 0).any(axis=-1)
        on_axis = np.asarray(self._half_mate(*arguments)[0] == 0) & np.ones(4, dtype=bool)
        touching = beyond & on_axis.all(axis=-1)
        if self.zeros.shape[-1]:
            half_mate = np.asarray(self._half_mate(*self._arguments(0.0, self.zeros))[0])
            touching = touching | ((self.heights < _ON_AXIS) & (half_mate == 0)).any(axis=-1)
        return touching

    def _residue_at(self, u: Any) -> tuple[Any, Any]:
        """(residue, Taylor coefficients of Q)."""
        arguments = self._arguments(0.0, u)
        q, v = self._taylor(*arguments), self._half_mate(*arguments)
        return _residue(self.pinch, q, v, self._numerators(*arguments), u), q


def _thinned(centre: Any, width: Any) -> list[Feature]:
    """A few features that stand for many."""
    order = np.argsort(centre)
    centre, width = centre[order], width[order]
    for spacing in 0.7 * 2.0 ** np.arange(10):
        chosen: list[Feature] = []
        i = 0
        while i < len(centre) and len(chosen) <= _MOST_CENTRES:
            chosen.append((float(centre[i]), float(width[i])))
            apart = centre - centre[i] > spacing * np.minimum(width, width[i])
            i = int(np.argmax(apart)) if apart.any() else len(centre)
        if len(chosen) <= _MOST_CENTRES:
            return chosen
    return []


def _residue(pinch: Pinch, q: Sequence[Any], v: Sequence[Any], n: Sequence[Any], u: Any) -> Any:
    """Residue of f p at a zero of Q, from Taylor coefficients in δ = u - ζ.

    With Q = δ q(δ), the term of order k is [δ^{k-1}] N_k p / (P q)^k.
    """
    m = pinch.order
    ones, nothing = np.ones_like(u), np.zeros_like(u)
    root = [q[i + 1] * ones / factorial(i + 1) for i in range(m)]  # Q/δ
    whole = [nothing, *root]
    imaginary = [1j * v[i] * ones / factorial(i) for i in range(m)]
    real = [a + b for a, b in zip(imaginary, whole, strict=False)]  # U = Q + iV
    mate = [2 * a + b for a, b in zip(imaginary, whole, strict=False)]  # P = Q + 2iV
    inverse = _inverse(_product(root, mate))
    density = _gaussian(u, m)
    total, at, power = nothing, 0, [ones] + [nothing] * (m - 1)
    for k, powers in enumerate(pinch.numerators, start=1):
        power = _product(power, inverse)
        numerator, factor = [nothing] * k, [ones] + [nothing] * (k - 1)
        for _ in powers:
            coefficient = [n[at + i] * ones / factorial(i) for i in range(k)]
            at += k
            term = _product(coefficient, factor)
            numerator = [a + b for a, b in zip(numerator, term, strict=True)]
            factor = _product(factor, real[:k])
        total = total + _product(_product(numerator, density[:k]), power[:k])[k - 1]
    return total


def _gaussian(u: Any, terms: int) -> Coefficients:
    """Taylor coefficients of exp(-u²/2)/√2π, by p' = -u p."""
    c = [np.exp(-u * u / 2) / np.sqrt(2 * np.pi)]
    for i in range(1, terms):
        c.append(-(u * c[i - 1] + (c[i - 2] if i > 1 else 0.0)) / i)
    return c


def _product(a: Coefficients, b: Coefficients) -> Coefficients:
    size = min(len(a), len(b))
    return [sum(a[j] * b[i - j] for j in range(i + 1)) for i in range(size)]


def _inverse(a: Coefficients) -> Coefficients:
    c = [1 / a[0]]
    for i in range(1, len(a)):
        c.append(-sum(a[j] * c[i - j] for j in range(1, i + 1)) / a[0])
    return c

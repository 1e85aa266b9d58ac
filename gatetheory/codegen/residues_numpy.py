"""Averages with pinching poles: a contour that passes on one side of them, plus residues.

The trapezoidal rule is applied on the line Im t = -DEPTH. Between it and the real axis lie the lower
poles, found by Newton's method, and

    ⟨f⟩ = Re ∫_{line} f p du  -  Re 2πi ∑ Res(f p).

Nothing on the line is close to a pole, so the same nodes serve all batch elements, and the residues
∝ 1/V keep every digit however close the poles come. Where they meet, on the axis, ⟨f⟩ is infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np

from gatetheory.codegen.charting_numpy import ELEMENTARY, trailing
from gatetheory.codegen.charts import Chart
from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.integrand import Integrand
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.pinches import Pinch
from gatetheory.codegen.zeros import complex_zeros

DEPTH = np.pi / 3
"""Im t of the line, downwards; poles of the charts lie at ±π/2."""
NEAR = np.pi / 6
"""Poles nearer to the axis than this call for the line."""
_EPS = float(np.finfo(float).eps)
Coefficients = list[Any]


@dataclass
class Residues:
    """What the poles between the axis and the line contribute, element by element.

    Args:
        value: -Re 2πi ∑ Res.
        error: Its rounding, by the distance over which rounding of Q moves the poles.
        magnitude: Sum of the moduli of the residues, times 2π.
        near: Whether any pole is near.
        touching: Whether a pole lies on the axis.
    """

    value: Any
    error: Any
    magnitude: Any
    near: Any
    touching: Any

    def rows(self, where: Any) -> Residues:
        """Some elements."""
        parts = (self.value, self.error, self.magnitude, self.near, self.touching)
        return Residues(*(np.broadcast_to(x, where.shape)[where] for x in parts))


class PoleFinder:
    """The pinching poles of one integrand over one variable."""

    def __init__(self, integrand: Integrand) -> None:
        symbols = [s.symbol for s in integrand.slots]
        self._parts = [
            (
                pinch,
                [
                    compile_kernel(e, [*symbols, *pinch.slopes], integrand.outer, DOUBLES)
                    for e in (pinch.root[:2], pinch.root, pinch.half_mate, _joined(pinch))
                ],
            )
            for pinch in integrand.pinches
        ]

    def __call__(
        self, values: Sequence[Any], chart: Chart, step: float, bases: Sequence[Any], slopes: Sequence[Any]
    ) -> Residues:
        """Find the poles in a chart's plane and evaluate their residues.

        Args:
            values: Outer symbols; arrays have one axis.
            chart: A chart of the line.
            step: Spacing of the search.
            bases: Slots at u = 0.
            slopes: dA/du.
        """
        grid = step * np.arange(np.floor(chart.low / step), np.ceil(chart.high / step) + 1)
        columns = [trailing(np.asarray(v)) if np.ndim(v) else v for v in values]
        slope = [trailing(np.asarray(a)) if np.ndim(a) else a for a in slopes]
        base = [trailing(np.asarray(b)) if np.ndim(b) else b for b in bases]
        total = Residues(0.0, 0.0, 0.0, False, False)
        for pinch, kernels in self._parts:
            root, taylor_root, taylor_mate, numerators = (k(*columns) for k in kernels)

            def slots_at(t: Any) -> tuple[list[Any], Any, Any]:
                origin, offset, rate = chart.nodes(t, ELEMENTARY)
                moved = [
                    (b + a * origin) + a * offset for a, b in zip(slope, base, strict=True)
                ]
                return moved, origin + offset, rate

            def function(t: Any, root: Callable[..., Any] = root) -> tuple[Any, Any]:
                moved, _, rate = slots_at(t)
                value, derivative = root(*moved, *slope)
                return value, derivative * rate

            t = complex_zeros(function, grid, DEPTH)
            if not t.shape[-1]:
                continue
            ends, _, _ = slots_at(grid[[0, -1]])
            scale = np.abs(root(*ends, *slope)[0]).max(axis=-1, keepdims=True)
            moved, u, _ = slots_at(t)
            q, v, n = (k(*moved, *slope) for k in (taylor_root, taylor_mate, numerators))
            residue = _residue(pinch, q, v, n, u)
            known = np.isfinite(t) & np.isfinite(residue)
            touching = np.isfinite(t) & (np.asarray(v[0]) == 0)
            lower = np.where(known, np.where(t.imag < 0, residue, np.conj(residue)), 0.0)
            total.value = total.value + (2 * np.pi * lower.imag).sum(axis=-1)
            size = 2 * np.pi * np.abs(lower)
            total.magnitude = total.magnitude + size.sum(axis=-1)
            noise = _EPS * (4 + np.abs(u)) + np.abs(q[0] / q[1]) + _EPS * scale / np.abs(q[1])
            rounding = np.where(known, size * (8 * _EPS + noise * (1 + np.abs(u))), 0.0)
            lost = np.isfinite(t) & ~known & ~touching
            total.error = total.error + np.where(lost, np.inf, rounding).sum(axis=-1)
            total.near = total.near | (np.abs(t.imag) < NEAR).any(axis=-1)
            total.touching = total.touching | touching.any(axis=-1)
        return total


def _joined(pinch: Pinch) -> list[Any]:
    return [e for taylor in pinch.numerators for e in taylor]


def _residue(
    pinch: Pinch, q: Sequence[Any], v: Sequence[Any], n: Sequence[Any], u: Any
) -> Any:
    """Residue of f p at a zero of Q, from Taylor coefficients in δ = u - ζ.

    With Q = δ q(δ), the term of order k is [δ^{k-1}] N_k p / (P q)^k.
    """
    m = pinch.order
    ones = np.ones_like(u)
    root = [q[i + 1] * ones / factorial(i + 1) for i in range(m)]  # Q/δ
    whole = [0.0 * ones, *root]
    mate = [2j * v[i] * ones / factorial(i) + (whole[i] if i else 0.0) for i in range(m)]
    inverse = _inverse(_product(root, mate))
    density = _gaussian(u, m)
    total, at, power = 0.0 * ones, 0, [ones] + [0.0 * ones] * (m - 1)
    for k in range(1, m + 1):
        power = _product(power, inverse)
        numerator = [n[at + i] * ones / factorial(i) for i in range(k)]
        at += k
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

"""The common case made quick: one variable, numbers for arguments, one transition or none.

The same rule as everywhere, with tabulated sinh and cosh and both steps in one pass: coarse nodes
over the whole line, the interlaced ones where the Gaussian lives. Whatever is not plain (mass in
the tails, several transitions, no convergence at the first halving) is left to the general code.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import asinh, inf, isfinite, pi, sin, sinh, sqrt
from typing import Any

import numpy as np

from gatetheory.codegen.charting_numpy import DOUBLE, RESOLVED
from gatetheory.codegen.covariance_numpy import EPS
from gatetheory.codegen.integrand import Integrand
from gatetheory.codegen.kernels import Prepare
from gatetheory.codegen.levels_numpy import NEGLIGIBLE, TINY, Average, first_step

_BULK = 9.5
"""Interlaced nodes are taken for |u| up to this: the weight beyond is below 1e-20."""
_HALF = 300


@lru_cache
def _tables(step: float) -> list[tuple[Any, Any]]:
    """(sinh, cosh) at coarse nodes and between them."""
    coarse = step * np.arange(-_HALF, _HALF + 1)
    return [(np.sinh(t), np.cosh(t)) for t in (coarse, coarse[:-1] + step / 2)]


class ScalarAverage:
    """A compiled average of one variable at plain numbers.

    Args:
        integrand: The integrand.
        setup: Outer symbols to (variance, slope and offset of each slot).
        prepare: Outer symbols to kernel.
    """

    def __init__(self, integrand: Integrand, setup: Prepare, prepare: Prepare) -> None:
        self._setup, self._prepare = setup, prepare
        self._reaches = [s.reach for s in integrand.slots]
        self._order = integrand.order
        self._step = first_step(integrand.order)
        self._tables = _tables(self._step)

    @staticmethod
    def applies(integrand: Integrand) -> bool:
        """Whether the integrand has nothing but affine transitions."""
        return (
            integrand.dimension == 1
            and integrand.is_analytic
            and integrand.amplification == 0
            and not (integrand.curves or integrand.pinches or integrand.phases)
        )

    def __call__(self, values: Sequence[float], tolerance: float) -> Average | None:
        """The average, or None where the general code is needed."""
        variance, *law = self._setup(*values)()
        if not 0.0 < variance < inf:
            return None
        deviation, length = sqrt(variance), DOUBLE.slope
        slopes = [deviation * a for a in law[::2]]
        bases = law[1::2]
        centre, depth = 0.0, pi / 2
        for a, b, reach in zip(slopes, bases, self._reaches, strict=True):
            if reach < inf and a:
                w = reach / abs(a) / length
                if w < RESOLVED:
                    if depth < RESOLVED and (w, -b / a) != (depth, centre):
                        return None
                    centre, depth = -b / a, w
        if not abs(centre) < _BULK:
            return None
        q = sin(depth) if depth < RESOLVED else 1.0
        reach, bulk = DOUBLE.reach, _BULK
        nodes = []
        step = self._step
        for (table_sinh, table_cosh), (left, right) in zip(
            self._tables, ((-reach, reach), (-bulk, bulk)), strict=True
        ):
            low = int(asinh(sinh((left - centre) / length) / q) / step) + _HALF - 1
            high = int(asinh(sinh((right - centre) / length) / q) / step) + _HALF + 2
            if low < 0 or high > 2 * _HALF:
                return None
            nodes.append((table_sinh[low:high], table_cosh[low:high]))
        (sinh_0, cosh_0), (sinh_1, cosh_1) = nodes
        count = len(sinh_0)
        a = q * np.concatenate((sinh_0, sinh_1))
        offset = length * np.arcsinh(a)
        u = offset + centre
        square = u * u
        weight = np.concatenate((cosh_0, cosh_1)) * np.exp(-0.5 * square)
        weight *= (step * length * q / sqrt(2 * pi)) / np.sqrt(a * a + 1.0)
        slots = [s * offset + (b + s * centre) for s, b in zip(slopes, bases, strict=True)]
        (f,) = self._prepare(*values)(*slots)
        terms = f * weight
        sizes = np.abs(terms)
        coarse, between = float(terms[:count].sum()), float(terms[count:].sum())
        magnitude = float(sizes.sum()) / 2
        if not isfinite(magnitude):
            return None
        outside = np.abs(u[:count]) > bulk
        if float((sizes[:count] * outside).max()) > NEGLIGIBLE * magnitude:
            return None
        spread = float(sizes @ square) / 2
        noise = 0.0
        for a, b, r in zip(slopes, bases, self._reaches, strict=True):
            if r < inf and a and b:
                gross = abs(b) * 2 * self._order * magnitude
                if len(slopes) == 1:
                    gross = min(gross, abs(b / a) * sqrt(spread * magnitude))
                elif gross > 32 * magnitude:
                    return None
                noise += gross
        error = abs(between - coarse) + EPS * (16 * magnitude + spread + noise)
        if error > tolerance * magnitude:
            return None
        return Average(np.float64((coarse + between) / 2), np.float64(error + TINY), magnitude)

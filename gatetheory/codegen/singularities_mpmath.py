"""Places of singularities that doubles find and multiple precision makes exact.

A chart may be built from approximate places, but two kinds must be known to working precision:
breaks (an integrand with a jump is analytic only up to the jump itself) and poles that pinch the
axis (their distance from the axis may be far below the resolution of doubles).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatetheory.codegen.charts import Chart, Line, Segment, Squeeze
from gatetheory.codegen.contours_numpy import Contours
from gatetheory.codegen.functions_mpmath import CONTEXT, MULTIPLE
from gatetheory.codegen.integrand import Integrand
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.stage_numpy import Stage

_STEPS = 60


@dataclass(frozen=True)
class Pole:
    """A zero u of Q, and whether it lies on the axis."""

    u: Any
    touching: bool


class ExactSingularities:
    """Compiled functions whose zeros are singularities.

    Args:
        integrand: The integrand.
    """

    def __init__(self, integrand: Integrand) -> None:
        symbols, outer = [s.symbol for s in integrand.slots], integrand.outer
        self._kinks = [
            compile_kernel([c.expression], symbols, outer, MULTIPLE)
            for c in integrand.curves
            if c.kind == "kink"
        ]
        self._pinches = [
            compile_kernel([*p.root[:2], p.half_mate[0]], [*symbols, *p.slopes], outer, MULTIPLE)
            for p in integrand.pinches
        ]

    def breaks(
        self, values: Sequence[Any], slots: Callable[[Any], list[Any]], near: Sequence[float]
    ) -> list[Any]:
        """Zeros of kinked arguments next to approximate ones, by the secant method.

        Args:
            values: Outer symbols.
            slots: u to slots.
            near: Approximate places.
        """
        found = []
        for prepare in self._kinks:
            kernel = prepare(*values)
            for start in near:

                def kink(u: Any, kernel: Any = kernel) -> Any:
                    return kernel(*slots(u))[0]

                u = _secant(kink, CONTEXT.mpf(start))
                if u is not None and abs(u - start) < 1e-6 * (1 + abs(start)):
                    found.append(u)
        return found

    def poles(
        self, contours: Contours, stage: Stage, values: Sequence[Any],
        slots: Callable[[Any], list[Any]], slopes: Sequence[Any],
    ) -> list[Pole]:  # fmt: skip
        """Poles near the axis, by Newton's method from where doubles see them."""
        found = []
        zeros = contours.zeros(stage)
        for prepare, starts in zip(self._pinches, zeros, strict=True):
            kernel = prepare(*values)
            for start in np.ravel(starts):
                if not np.isfinite(start):
                    continue
                u = CONTEXT.mpc(complex(start))
                for _ in range(_STEPS):
                    value, slope, _ = kernel(*slots(u), *slopes)
                    step = value / slope
                    u -= step
                    if abs(step) <= abs(u.imag) * CONTEXT.mpf("1e-20") or step == 0:
                        break
                distance = kernel(*slots(u), *slopes)[2]
                # On the axis V vanishes; where it vanishes identically only a real zero touches.
                real = abs(u.imag) <= CONTEXT.sqrt(CONTEXT.eps) * (1 + abs(u))
                found.append(Pole(u, bool(abs(distance) == 0 and real)))
        return found


def exact_chart(chart: Chart, places: Sequence[Any]) -> Chart:
    """The same chart with its parameters as exact numbers; ends and origin at exact places."""

    def snapped(x: Any) -> Any:
        if not places:
            return x
        near = min(places, key=lambda b: abs(b - x))
        return near if abs(near - x) < 1e-9 * (1 + abs(x)) else x

    squeezes = tuple(Squeeze(_exact(s.p), _exact(s.q)) for s in chart.squeezes)
    base: Line | Segment
    if isinstance(chart.base, Segment):
        sign = chart.base.sign
        start = _exact(chart.base.start)
        stop = snapped(start + sign * _exact(chart.base.length))
        start = snapped(start)
        base = Segment(_exact(chart.base.slope), start, sign * (stop - start), sign)
    else:
        base = Line(_exact(chart.base.slope), snapped(_exact(chart.base.origin)))
    return Chart(base, squeezes, chart.low, chart.high)


def _exact(x: Any) -> Any:
    return CONTEXT.mpf(float(np.asarray(x).reshape(())))


def _secant(function: Callable[[Any], Any], start: Any) -> Any:
    """A zero next to ``start``, to working precision."""
    a, b = start, start + CONTEXT.mpf("1e-10") * (1 + abs(start))
    f, g = function(a), function(b)
    for _ in range(_STEPS):
        if g == 0 or g == f:
            break
        a, b, f = b, b - g * (b - a) / (g - f), g
        g = function(b)
        if abs(b - a) <= abs(b) * CONTEXT.eps:
            break
    return b if CONTEXT.isfinite(b) else None

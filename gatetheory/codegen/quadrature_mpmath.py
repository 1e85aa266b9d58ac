"""Gaussian averages at any precision: the charts of the doubles, run in mpmath.

Doubles say where the singularities are and where the integrand lives; the trapezoidal sums are done
in the private context, and done again with more guard digits where the integrand is seen to cancel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatetheory.codegen.functions_mpmath import CONTEXT, MULTIPLE
from gatetheory.codegen.integrand import Integrand
from gatetheory.codegen.kernels import Kernel, compile_kernel
from gatetheory.codegen.quadrature_numpy import NumpyQuadrature
from gatetheory.codegen.singularities_mpmath import ExactSingularities
from gatetheory.codegen.stage_numpy import Stage
from gatetheory.codegen.trapezoid_mpmath import Precision, Result, Task

_CHECK_WITH = 20


@dataclass
class _Prepared:
    """Slots and kernel at the context's precision."""

    slopes: list[list[Any]]
    bases: list[Any]
    kernel: Kernel

    def slots(self, u: Any) -> list[Any]:
        """Slots of an integrand of one variable."""
        return [b + a * u for (a,), b in zip(self.slopes, self.bases, strict=True)]


class MpmathQuadrature:
    """A compiled Gaussian average.

    Args:
        integrand: What is averaged.
    """

    def __init__(self, integrand: Integrand) -> None:
        self.integrand = integrand
        self.doubles = NumpyQuadrature(integrand)
        self._exact = ExactSingularities(integrand)
        slots, outer, n = integrand.slots, integrand.outer, integrand.dimension
        triangle = [integrand.covariance[i, j] for i in range(n) for j in range(i + 1)]
        laws = [a for s in slots for a in (*s.slopes, s.offset)]
        self._setup = compile_kernel([*triangle, *laws], [], outer, MULTIPLE)
        self._prepare = compile_kernel(
            [integrand.expression], [s.symbol for s in slots], outer, MULTIPLE
        )

    def __call__(self, values: Sequence[Any], digits: int) -> Result:
        """Average at given values of the outer symbols, numbers of the context.

        The precision of the context is restored.
        """
        kept = CONTEXT.prec
        try:
            return self._average(values, digits)
        finally:
            CONTEXT.prec = kept

    def _average(self, values: Sequence[Any], digits: int) -> Result:
        contours = self.doubles.contours
        with np.errstate(all="ignore"):
            shadow, _ = self.doubles.stage(
                [np.float64(float(v)) for v in values], resolve=contours is None
            )
        precision = Precision(digits)
        CONTEXT.dps = precision.working + _guard(shadow)
        prepared = self._prepared(values)
        if prepared is None:
            return Result(CONTEXT.nan, CONTEXT.inf, CONTEXT.nan)
        places: list[Any] = []
        if contours is not None:
            along = [a for (a,) in prepared.slopes]
            with np.errstate(all="ignore"):
                poles = self._exact.poles(contours, shadow, values, prepared.slots, along)
            if any(p.touching for p in poles):
                return Result(CONTEXT.inf, CONTEXT.inf, CONTEXT.inf)
            places = [p.u.real for p in poles]
            shadow.extra = [(float(p.u.real), abs(float(p.u.imag))) for p in poles]
            closest = min((abs(p.u.imag) for p in poles), default=CONTEXT.one)
            if closest < 1:
                CONTEXT.dps += math.ceil(-2 * float(CONTEXT.log10(closest)))
        return self._guarded(values, shadow, places, precision)

    def _guarded(
        self, values: Sequence[Any], shadow: Stage, places: Sequence[Any], precision: Precision
    ) -> Result:
        """The average, with more guard digits if the integrand turns out to cancel."""
        while True:
            prepared = self._prepared(values)
            assert prepared is not None
            task = Task(
                self.integrand, self.doubles, shadow, prepared.kernel, prepared.slopes, precision,
                self._breaks(values, prepared, shadow, places),
            )  # fmt: skip
            result = task.average(0, prepared.bases)
            if self.integrand.dimension > 1 or not CONTEXT.isfinite(result.value):
                return result
            lost = self._lost(values, result, prepared) + precision.digits
            if lost <= 0 or CONTEXT.dps > 8 * precision.working + 400:
                if lost > 0:
                    result.error += result.magnitude * CONTEXT.mpf(10) ** (lost - precision.digits)
                return result
            CONTEXT.dps += math.ceil(lost) + _CHECK_WITH // 2

    def _lost(self, values: Sequence[Any], result: Result, prepared: _Prepared) -> float:
        """log10 of the relative rounding of the integrand, seen by computing with more digits."""
        if result.peak is None or result.magnitude == 0:
            return -math.inf
        (rough,) = prepared.kernel(*prepared.slots(result.peak))
        with CONTEXT.workdps(CONTEXT.dps + _CHECK_WITH):
            better = self._prepared(values)
            assert better is not None
            (fine,) = better.kernel(*better.slots(result.peak))
            if fine == rough:
                return -math.inf
            return float(CONTEXT.log10(abs(fine - rough) / max(abs(fine), abs(rough))))

    def _prepared(self, values: Sequence[Any]) -> _Prepared | None:
        """None where the covariance is indefinite."""
        n = self.integrand.dimension
        law = self._setup(*values)()
        size = n * (n + 1) // 2
        factor = _cholesky(law[:size], n)
        if factor is None:
            return None
        slopes, bases = [], []
        for k in range(len(self.integrand.slots)):
            *a, b = law[size + k * (n + 1) : size + (k + 1) * (n + 1)]
            slopes.append([sum(a[i] * factor[i][j] for i in range(j, n)) for j in range(n)])
            bases.append(b)
        return _Prepared(slopes, bases, self._prepare(*values))

    def _breaks(
        self, values: Sequence[Any], prepared: _Prepared, shadow: Stage, places: Sequence[Any]
    ) -> list[Any]:
        """Exact places of u_0 known so far: poles, and kinks of arguments that are not affine."""
        if self.integrand.dimension > 1 or self.integrand.is_analytic:
            return list(places)
        with np.errstate(all="ignore"):
            charts = shadow.charts(0, shadow.bases)
        near = [float(np.ravel(c.base.start)[0]) for c in charts[1:] if hasattr(c.base, "start")]
        return [*places, *self._exact.breaks(values, prepared.slots, near)]


def _guard(shadow: Stage) -> int:
    """Digits lost when a slot is computed: its size at the edge of the Gaussian."""
    sizes = [
        abs(float(b)) + 10 * sum(abs(float(a)) for a in slopes)
        for b, slopes in zip(shadow.bases, shadow.slopes, strict=True)
    ]
    largest = max(sizes, default=1.0)
    return math.ceil(math.log10(1 + largest)) if math.isfinite(largest) else 10


def _cholesky(entries: Sequence[Any], n: int) -> list[list[Any]] | None:
    """Lower triangular factor of a semidefinite matrix; None if it is indefinite."""
    sigma = {(i, j): entries[i * (i + 1) // 2 + j] for i in range(n) for j in range(i + 1)}
    c: list[list[Any]] = [[CONTEXT.zero] * (i + 1) for i in range(n)]
    slack = CONTEXT.mpf(10) ** (12 - CONTEXT.dps)
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

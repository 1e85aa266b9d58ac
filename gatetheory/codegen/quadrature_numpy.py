"""Gaussian averages in double precision, for whole batches at once.

One variable after the other: x = C u with the Cholesky factor C of the covariance, and for each u_j
a chart fitted to the singularities that the integrand shows at this stage. The trapezoidal rule is
applied in the chart's variable with steps h, h/2, …; the change at the last halving is the error
estimate (convergence is geometric, so it overestimates), and rounding is added to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gatetheory.codegen.charting_numpy import ELEMENTARY
from gatetheory.codegen.contours_numpy import Contours, merged
from gatetheory.codegen.covariance_numpy import EPS, cholesky, total
from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.integrand import Curve, Integrand
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.levels_numpy import NOTHING, Average, Levels
from gatetheory.codegen.residues_numpy import Residues
from gatetheory.codegen.scalar_numpy import ScalarAverage
from gatetheory.codegen.stage_numpy import Stage

_HALVINGS = 6
_ROWS_OF_PAIRS = 24
_ROWS_OF_LAMBDA = 4000
_NEARLY_SINGULAR = 1e-9


class NumpyQuadrature:
    """A compiled Gaussian average.

    Args:
        integrand: What is averaged.
    """

    def __init__(self, integrand: Integrand) -> None:
        self.integrand = integrand
        self.dimension = n = integrand.dimension
        slots, outer = integrand.slots, integrand.outer
        symbols = [s.symbol for s in slots]
        triangle = [integrand.covariance[i, j] for i in range(n) for j in range(i + 1)]
        laws = [a for s in slots for a in (*s.slopes, s.offset)]
        self._setup = compile_kernel([*triangle, *laws], [], outer, DOUBLES)
        values = [integrand.expression]
        if integrand.amplification != 0:
            values.append(integrand.amplification)
        self._prepare = compile_kernel(values, symbols, outer, DOUBLES)
        self._phases = [
            (harmonic, compile_kernel([argument], symbols, outer, DOUBLES))
            for argument, harmonic in integrand.phases
        ]
        pinched = [Curve(p.root[0], "zero") for p in integrand.pinches]
        self._curves, self._pinched = (
            [(c, compile_kernel([c.expression], symbols, outer, DOUBLES)) for c in curves]
            for curves in (integrand.curves, pinched)
        )
        self._scalar: ScalarAverage | None = None
        if ScalarAverage.applies(integrand):
            self._scalar = ScalarAverage(integrand, self._setup, self._prepare)
        self.contours: Contours | None = None
        if integrand.pinches and n == 1 and integrand.is_analytic:
            self.contours = Contours(
                integrand, lambda v: self.stage(v, False)[0], self._converged, self._on_axis
            )

    def __call__(self, values: Sequence[Any], tolerance: float) -> Average:
        """Average at given values of the outer symbols: numbers, or arrays of one common length."""
        size = next((v.shape[0] for v in values if isinstance(v, np.ndarray)), None)
        rows = _ROWS_OF_LAMBDA if self.dimension == 1 else _ROWS_OF_PAIRS
        if size is None and self._scalar is not None:
            quick = self._scalar(values, tolerance)
            if quick is not None:
                return quick
        if size is None or size <= rows:
            return self._average(values, tolerance)
        parts = []
        for first in range(0, size, rows):
            part = self._average(_take(values, slice(first, first + rows)), tolerance)
            whole = (min(rows, size - first),)
            parts.append(
                [np.broadcast_to(x, whole) for x in (part.value, part.error, part.magnitude)]
            )
        return Average(*(np.concatenate(p) for p in zip(*parts, strict=True)))

    def _average(self, values: Sequence[Any], tolerance: float) -> Average:
        stage, least = self.stage(values, resolve=self.contours is None)
        if self.contours is None:
            average = self._converged(values, stage, tolerance)
        else:
            average = self.contours(values, stage, tolerance)
        average = self._with_rounding_of_covariance(values, least, average)
        invalid = ~np.asarray(stage.valid)
        if invalid.any():
            average.value = np.where(invalid, np.nan, average.value)
            average.error = np.where(invalid, np.inf, average.error)
        return average

    def stage(
        self, values: Sequence[Any], resolve: bool = True, pivot_shift: float = 0.0
    ) -> tuple[Stage, Any]:
        """Slots and kernel at given values of the outer symbols; least relative pivot of Σ.

        Args:
            values: Values of the outer symbols.
            resolve: Whether charts resolve pinching poles.
            pivot_shift: See :func:`gatetheory.codegen.covariance_numpy.cholesky`.
        """
        n = self.dimension
        law, known = _finite(self._setup(*values)())
        size = n * (n + 1) // 2
        factor, valid, least = cholesky(law[:size], n, pivot_shift)
        valid = valid & known
        slopes, bases = [], []
        for k in range(len(self.integrand.slots)):
            *a, b = law[size + k * (n + 1) : size + (k + 1) * (n + 1)]
            slopes.append([total([a[i] * factor[i][j] for i in range(j, n)]) for j in range(n)])
            bases.append(b)
        lifted = [v.reshape(-1, *(1,) * n) if isinstance(v, np.ndarray) else v for v in values]
        curves = self._curves + self._pinched if resolve else self._curves
        kernel = self._prepare(*lifted)
        stage = Stage(self.integrand, values, kernel, curves, self._phases, slopes, bases, valid)
        return stage, least

    # ---- convergence -------------------------------------------------------------------------

    def _converged(
        self,
        values: Sequence[Any],
        stage: Stage,
        tolerance: float,
        depth: float = 0.0,
        residues: Residues | None = None,
    ) -> Average:
        """Halve the step until every element is good enough."""
        levels = Levels(stage, 0, stage.bases, depth=depth)
        if depth:
            levels.halve()
        average = _joined(levels.halve(), residues)
        for _ in range(_HALVINGS):
            wrong = ~(average.error <= tolerance * average.magnitude + NOTHING)
            wrong &= np.isfinite(average.value) & stage.valid
            if not wrong.any():
                break
            if wrong.ndim and wrong.mean() < 0.7:
                rows = _take(values, wrong)
                rest = self.stage(rows, residues is None)[0]
                rest.extra = [tuple(_take(f, wrong)) for f in stage.extra]
                some = None if residues is None else residues.rows(wrong)
                return merged(wrong, average, self._converged(rows, rest, tolerance, depth, some))
            previous = average.error
            average = _joined(levels.halve(), residues)
            if np.all(average.error[wrong] > previous[wrong] / 4):
                break
        return average

    def _on_axis(self, values: Sequence[Any], tolerance: float) -> Average:
        return self._converged(values, self.stage(values)[0], tolerance)

    def _with_rounding_of_covariance(
        self, values: Sequence[Any], least: Any, average: Average
    ) -> Average:
        """Close to |ρ| = 1 the rounding of the covariance itself may matter: try it.

        A covariance that is exactly singular is taken at its word.
        """
        near = np.atleast_1d((least < _NEARLY_SINGULAR) & (least != 0))
        if self.dimension == 1 or not near.any():
            return average
        shifted, _ = self.stage(values, pivot_shift=4 * EPS)
        other = Levels(shifted, 0, shifted.bases).halve()
        average.error = average.error + np.where(near, np.abs(other.value - average.value), 0.0)
        if np.ndim(average.value) == 0:
            average.error = average.error.reshape(())
        return average

    def rough(self, values: Sequence[Any]) -> Any:
        """A cheap value, good to many digits but not checked: for slopes of error estimates."""
        if self.contours is not None:
            return self(values, 1e-9).value
        if self._scalar is not None and not any(isinstance(v, np.ndarray) for v in values):
            quick = self._scalar(values, 1e-9)
            if quick is not None:
                return quick.value
        stage, _ = self.stage(values)
        return np.real(Levels(stage, 0, stage.bases).fine.value)

    # ---- for other arithmetics ---------------------------------------------------------------

    def support(self, stage: Stage, j: int, bases: Sequence[Any]) -> tuple[float, float] | None:
        """Interval of u_j outside of which terms are negligible; None where doubles cannot say."""
        levels = Levels(stage, j, bases)
        a = levels.halve()
        if not (np.isfinite(a.value) and a.magnitude > 1e-250 and a.error < a.magnitude):
            return None
        ends = []
        for chart, (low, high) in zip(levels.charts, levels.windows, strict=True):
            if high > low:
                origin, offset, _ = chart.nodes(levels.first * np.array([low, high]), ELEMENTARY)
                ends += list(origin + offset)
        return (float(min(ends)), float(max(ends))) if ends else None


def _finite(law: Sequence[Any]) -> tuple[list[Any], Any]:
    """The numbers with 0 in place of what is not finite, and where all are finite."""
    known: Any = True
    for x in law:
        known = known & np.isfinite(x)
    if np.all(known):
        return list(law), True
    return [np.where(known, x, 0.0) if np.ndim(known) or not known else x for x in law], known


def _joined(average: Average, residues: Residues | None) -> Average:
    """Add the residues to what the line gave."""
    if residues is None:
        return average
    value = average.value + residues.value
    error = average.error + residues.error
    return Average(
        np.where(residues.touching, np.inf, value),
        np.where(residues.touching, np.inf, error),
        average.magnitude + residues.magnitude,
    )


def _take(values: Sequence[Any], rows: Any) -> list[Any]:
    return [v[rows] if np.ndim(v) else v for v in values]

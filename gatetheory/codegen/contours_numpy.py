"""Averages with pinching poles, on contours that pass them.

The trapezoidal rule is applied on a line Im t = -d, and

    ⟨f⟩ = Re ∫_{line} f p du  -  Re 2πi ∑ Res(f p),

the sum over the poles between the axis and the line. Every element takes the line (the axis among
them) that is farthest from all its poles. Nothing on the line depends on how close the poles are to
the axis; the same nodes serve all elements that take it, and the residues keep every digit. Where
poles meet on the axis ⟨f⟩ is infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gatetheory.codegen.integrand import Integrand
from gatetheory.codegen.levels_numpy import Average
from gatetheory.codegen.residues_numpy import REACH, PinchedLine, PinchKernels, Residues, joined
from gatetheory.codegen.stage_numpy import Stage

DEPTHS = (0.0, 0.35, 0.65, 0.95)
"""Lines to choose from; charts keep other singularities at |Im t| ≥ 1.2."""
Values = Sequence[Any]


class Contours:
    """Chooses a line for every element, and joins the results.

    Args:
        integrand: An analytic integrand of one variable with pinches.
        make_stage: Stage at given values, pinches not resolved by its charts.
        on_line: Average on a line, residues added.
        on_axis: Average on the axis, with charts that resolve the pinches, when all else fails.
    """

    def __init__(
        self,
        integrand: Integrand,
        make_stage: Callable[[Values], Stage],
        on_line: Callable[[Values, Stage, float, float, Residues], Average],
        on_axis: Callable[[Values, float], Average],
    ) -> None:
        self._pinches = [PinchKernels(p, integrand) for p in integrand.pinches]
        self._make_stage, self._on_line, self._on_axis = make_stage, on_line, on_axis

    def __call__(
        self, values: Values, stage: Stage, tolerance: float, again: bool = True
    ) -> Average:
        """Average for every element; ``again``: whether to try once more where poles are missed."""
        (chart,) = stage.charts(0, stage.bases)
        lines = [p.on(stage, chart) for p in self._pinches]
        zeros = [line.zeros for line in lines]
        stage.extra = [f for line in lines for f in line.features()]
        if stage.extra:
            (chart,) = stage.charts(0, stage.bases)
            lines = [p.on(stage, chart, z) for p, z in zip(self._pinches, zeros, strict=True)]
        choice = _farthest(lines)
        whole = np.ones(choice.shape, dtype=bool)
        if choice.ndim == 0:
            return self._on(values, stage, whole, zeros, DEPTHS[choice], tolerance, again)
        parts = np.zeros((3, choice.size))
        for index in np.unique(choice):
            where = choice == index
            rows = _take(values, where)
            part_stage = self._make_stage(rows)
            part_stage.extra = [tuple(_take(f, where)) for f in stage.extra]
            some = [z[where] for z in zeros]
            part = self._on(rows, part_stage, whole[where], some, DEPTHS[index], tolerance, again)
            parts[:, where] = part.value, part.error, part.magnitude
        return Average(*parts)

    def zeros(self, stage: Stage) -> list[Any]:
        """Poles near the axis as values of u, one array per pinch."""
        (chart,) = stage.charts(0, stage.bases)
        return [p.on(stage, chart).zeros for p in self._pinches]

    def _on(
        self, values: Values, stage: Stage, whole: Any, zeros: Sequence[Any], depth: float,
        tolerance: float, again: bool,
    ) -> Average:  # fmt: skip
        """Average of elements that share a line."""
        (chart,) = stage.charts(0, stage.bases)
        pairs = zip(self._pinches, zeros, strict=True)
        residues = joined([p.on(stage, chart, z).residues(depth) for p, z in pairs])
        average = self._on_line(values, stage, tolerance, depth, residues)
        missed = ~np.asarray(residues.complete) & whole
        if not missed.any():
            return average
        rows = _take(values, missed) if missed.ndim else values
        instead = (
            self(rows, self._make_stage(rows), tolerance, False)
            if again and missed.ndim
            else self._on_axis(rows, tolerance)
        )
        if not missed.ndim:
            return instead
        return merged(missed, average, instead)


def _farthest(lines: Sequence[PinchedLine]) -> Any:
    """Index of the depth that is farthest from all zeros and from the border."""
    distances = []
    for depth in DEPTHS:
        distance: Any = REACH - 0.1 - depth
        for line in lines:
            near = np.abs(line.heights - depth).min(axis=-1, initial=np.inf)
            distance = np.minimum(distance, near)
        distances.append(distance)
    return np.asarray(np.argmax(np.stack(np.broadcast_arrays(*distances)), axis=0))


def merged(where: Any, average: Average, rows: Average) -> Average:
    """The average with some rows replaced."""
    parts = []
    for whole, some in zip(average.parts(), rows.parts(), strict=True):
        full = np.array(np.broadcast_to(whole, where.shape), dtype=float)
        full[where] = some
        parts.append(full)
    return Average(*parts)


def _take(values: Values, rows: Any) -> list[Any]:
    return [v[rows] if np.ndim(v) else v for v in values]

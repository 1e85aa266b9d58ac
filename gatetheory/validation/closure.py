"""Order parameters beside an iteration that draws the couplings afresh at every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import gatetheory.simulation as simulation
from gatetheory.comparison import Comparison
from gatetheory.pipeline import DOUBLE, fixed_point_programs
from gatetheory.solvers.records import FixedPoint, FixedPoints
from gatetheory.theory.derive import Theory
from gatetheory.validation.work import Work

CLOSURE_UNITS, CLOSURE_STEPS = 4000, 25


def closure_rows(
    theory: Theory, at: Mapping[str, Any] | None, points: FixedPoints, work: Work
) -> list[Comparison]:
    """Δ_a of the last fixed point beside the redrawn iteration, where that does not leave it."""
    point = points[-1]
    meaning = "iteration with couplings redrawn at every step"
    if _map_growth(theory, at, point) >= 1:
        note = "the iteration leaves this branch, so that it cannot be compared"
        return [Comparison(n, meaning, float(v), None, None, note) for n, v in point.values.items()]
    initial = {n.removeprefix("Delta_"): float(v) for n, v in point.values.items()}
    found = simulation.annealed_closure(
        theory.model, at, CLOSURE_UNITS, steps=CLOSURE_STEPS, initial=initial, exact_law=True
    )
    work.step()
    note = f"N = {found.units}, {found.chains} chains of {found.steps} steps"
    return [
        Comparison(
            f"Delta_{name}",
            meaning,
            float(point[f"Delta_{name}"]),
            value.mean,
            value.stderr,
            note,
        )
        for name, value in found.deltas.items()
    ]


def _map_growth(theory: Theory, at: Mapping[str, Any] | None, point: FixedPoint) -> float:
    """Spectral radius of ∂G/∂Δ at a solution of Δ = G(Δ)."""
    programs = fixed_point_programs(theory.fixed_points, DOUBLE)
    core = [float(point[u.name]) for u in programs.core]
    parameters = theory.model.bind(at)
    values = [float(parameters[p]) for p in programs.problem.parameters]
    c = len(core)
    both = np.asarray(programs.jacobian(*core, *values).values, float)
    slopes = both[c:].reshape(c, c)
    return float(np.abs(np.linalg.eigvals(slopes)).max()) if c else 0.0

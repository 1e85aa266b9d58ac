"""Sensitivities to a parameter marched forward along stationary paths.

δη is jointly Gaussian with η at all times, ⟨η(t) δη(t')⟩ = s² ⟨ψ(t) u(t')⟩. With the M values of
s ψ(t)/√M at each time as a vector and p_m an orthonormal basis of them,

    η(t) = Σ_m ⟨p_m, s ψ(t)/√M⟩ g_m

defines normal numbers g_m of every path, and

    δη(t') = Σ_m ⟨p_m, s u(t')/√M⟩ g_m + new directions, as for any causal field,

has both covariances asked for. The times t reach back from the start, since ψ before it tells about
u after it, until correlations have decayed. Then E[(dL/dθ)²] = ⟨(∂f/∂x · v)²⟩ at the horizon.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.sampled_adjoint import NEW
from gatetheory.solvers.sampled_causal import CausalField, Matched
from gatetheory.solvers.sampled_linear_march import LinearMarch, Pair, Sources
from gatetheory.solvers.sampled_linear_unit import LinearUnit
from gatetheory.solvers.sampled_stretches import Stretches

Array = NDArray[np.float64]
Directions = list[tuple[Array, Array]]

_KEPT = 1e-6
"""Part of the power of ψ in a direction that is worth keeping."""


@dataclass(frozen=True, eq=False)
class Forward:
    """E[(dL/dθ)²] at t = 0, Δ, 2Δ and so on.

    Args:
        moments: Shape (n + 1,).
        directions: Orthonormal vectors and normal numbers of every δη.
    """

    moments: Array
    directions: Directions


def signal_directions(stretches: Stretches, scales: Array, times: NDArray[np.int64]) -> Directions:
    """An orthonormal basis of the vectors ψ_a(t)/√M, and its numbers g, for every coupling.

    Args:
        stretches: Stationary paths.
        scales: s_a² of every coupling.
        times: Indices t, counted from the start of each stretch.
    """
    circle, paths = stretches.circle, stretches.paths
    found: Directions = []
    for a, s in enumerate(np.sqrt(scales)):
        signals, fields = (
            np.concatenate([stretches.pick(values[a : a + 1], int(t)) for t in times])
            for values in (circle.signals, circle.fields)
        )
        values, vectors = np.linalg.eigh(signals @ signals.T / paths)
        keep = values > _KEPT * max(values[-1], 1e-300)
        turn = (vectors[:, keep] / np.sqrt(values[keep])).T
        found.append((turn @ signals / np.sqrt(paths), turn @ fields / (s or 1.0)))
    return found


def march_forward(
    unit: LinearUnit,
    stretches: Stretches,
    directions: Directions,
    scales: Array,
    running: bool,
    stride: int,
    steps: int,
    rng: np.random.Generator,
) -> Forward:
    """Second moment of dL/dθ.

    Args:
        unit: The sensitivity unit.
        stretches: Stationary paths with its coefficients.
        directions: Vectors and numbers that δη is made from, as far as they are known.
        scales: s_a² of every coupling.
        running: Whether the loss is integrated over time.
        stride: Points of the circle in one step.
        steps: Number of steps.
        rng: Random numbers.

    Raises:
        ConvergenceError: If the sensitivity is no longer finite.
    """
    paths, discrete = stretches.paths, unit.linear.discrete
    fields = [
        CausalField(paths, float(s), NEW, *pair) for s, pair in zip(scales, directions, strict=True)
    ]
    matched = Matched(paths, [row for _, numbers in directions for row in numbers])
    march = LinearMarch(unit, stretches, Sources(fields, matched, rng), np.zeros(paths), stride)
    moments, total, last = np.empty(steps + 1), np.zeros(paths), np.zeros(paths)

    def report(n: int, _: Array, outputs: Array) -> None:
        nonlocal last
        now = outputs[-1]
        if not running:
            moments[n] = np.mean(now**2)
            return
        if discrete:
            total[:] += now if n else 0.0
        elif n:
            total[:] += march.step / 2 * (last + now)
        last = now
        moments[n] = np.mean(total**2)

    def report_map(n: int, _: Pair, found: Pair) -> None:
        report(n, *found)

    with np.errstate(all="ignore"):
        if discrete:
            march.run_map(steps, lambda n: 0.0, report_map)
        else:
            march.run_flow(np.zeros((len(unit.linear.dynamic), paths)), steps, 0.0, report)
    if not np.isfinite(moments).all():
        raise ConvergenceError("the sensitivity is no longer finite; ask for a shorter horizon")
    return Forward(moments, [f.directions for f in fields])

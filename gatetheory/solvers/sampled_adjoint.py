"""The adjoint marched backward along stationary paths, and what it says about couplings.

With s = T − t the time before the horizon and y = L_aᵀμ,

    Q_a(T) = ∫∫ ⟨y(s) y(s')⟩ ⟨ψψ'⟩(s − s') ds ds',      norm = Σ_f ⟨λ_f²⟩ at s = T.

The state is stationary, so that one march from the horizon serves every T. The loss's weight is a
random sign. In a map s counts from the loss: y at s = 0 is what the loss reads at once (algebraic
fields), and the sums run over s = 0 … T.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.sampled_causal import CausalField, Matched
from gatetheory.solvers.sampled_linear_march import LinearMarch, Pair, Sources
from gatetheory.solvers.sampled_linear_unit import LinearUnit
from gatetheory.solvers.sampled_stretches import Stretches

Array = NDArray[np.float64]

NEW = 1e-3
"""Part of a field's vector outside the span of earlier ones that is worth a new direction."""


@dataclass(frozen=True, eq=False)
class Backward:
    """Second moments at s = 0, Δ, 2Δ and so on.

    Args:
        moments: Q_a, shape (couplings, n + 1).
        norm: Σ_f ⟨λ_f²⟩, shape (n + 1,).
        step: Δ.
        directions: Orthonormal vectors and normal numbers of every backward field.
        signs: The loss's weight, shape (M,).
    """

    moments: Array
    norm: Array
    step: float
    directions: list[tuple[Array, Array]]
    signs: Array


def march_backward(
    unit: LinearUnit,
    stretches: Stretches,
    scales: Array,
    running: bool,
    stride: int,
    steps: int,
    rng: np.random.Generator,
    known: Backward | None = None,
) -> Backward:
    """Second moments of the adjoint and of the gradients by couplings.

    Args:
        unit: The adjoint unit.
        stretches: Stationary paths with its coefficients.
        scales: s_a² of every coupling.
        running: Whether the loss is integrated over time.
        stride: Points of the circle in one step.
        steps: Number of steps.
        rng: Random numbers.
        known: A march along the same paths with other steps, whose random numbers to use.

    Raises:
        ConvergenceError: If the adjoint is no longer finite.
    """
    paths, couplings = stretches.paths, len(scales)
    signs = rng.permutation(np.where(np.arange(paths) % 2, 1.0, -1.0))
    signs = known.signs if known else signs
    given = known.directions if known else [(None, None)] * couplings
    fields = [
        CausalField(paths, float(s), NEW, basis, numbers)
        for s, (basis, numbers) in zip(scales, given, strict=True)
    ]
    earlier = [row for _, numbers in given if numbers is not None for row in numbers]
    march = LinearMarch(
        unit, stretches, Sources(fields, Matched(paths, [signs, *earlier]), rng), signs, -stride
    )
    lags = steps * stride + 1
    sent = [stretches.circle.signal_covariance(a, lags)[::stride] for a in range(couplings)]
    run = _map if unit.linear.discrete else _flow
    with np.errstate(all="ignore"):
        moments, norm = run(march, sent, running, steps)
    if not (np.isfinite(moments).all() and np.isfinite(norm).all()):
        raise ConvergenceError("the adjoint is no longer finite; ask for a shorter horizon")
    return Backward(moments, norm, march.step, [f.directions for f in fields], signs)


def _flow(march: LinearMarch, sent: list[Array], running: bool, steps: int) -> tuple[Array, Array]:
    couplings, paths = len(sent), march.stretches.paths
    heard, norm = np.empty((couplings, steps + 1, paths)), np.empty(steps + 1)

    def report(n: int, state: Array, outputs: Array) -> None:
        heard[:, n], norm[n] = outputs[:couplings], np.sum(state**2) / paths

    start = np.zeros((len(march.linear.dynamic), paths))
    if not running:
        start = march.signs * march.outputs(start, 0)[couplings:]
    march.run_flow(start, steps, float(running), report)
    moments = np.zeros((couplings, steps + 1))
    for a, (y, c) in enumerate(zip(heard, sent, strict=True)):
        inner = y @ y.T / paths * c[_lags(steps)]
        for axis in (0, 1):
            inner = cumulative_trapezoid(inner, dx=march.step, axis=axis, initial=0)
        moments[a] = np.diagonal(inner)
    return moments, norm


def _map(march: LinearMarch, sent: list[Array], running: bool, steps: int) -> tuple[Array, Array]:
    """The loss at the start of the horizon does not count, should it be running."""
    couplings, paths = len(sent), march.stretches.paths
    heard, norm = np.empty((2, couplings, steps + 1, paths)), np.empty(steps + 1)

    def report(n: int, without: Pair, found: Pair) -> None:
        last = without if running else found
        norm[n] = np.sum(last[0] ** 2) / paths
        heard[:, :, n] = last[1][:couplings], found[1][:couplings]

    march.run_map(steps, lambda n: float(running or n == 0), report)
    moments = np.zeros((couplings, steps + 1))
    for a, c in enumerate(sent):
        last, inside = heard[:, a]
        inner = inside @ inside.T / paths * c[_lags(steps)]
        before = np.diagonal(inner.cumsum(axis=0).cumsum(axis=1))
        across = np.sum(np.triu(inside @ last.T / paths * c[_lags(steps)], 1), axis=0)
        moments[a] = np.concatenate([[0.0], before[:-1]]) + 2 * across
        moments[a] += np.mean(last**2, axis=1) * c[0]
    return moments, norm


def _lags(steps: int) -> NDArray[np.int64]:
    n = np.arange(steps + 1)
    return np.asarray(np.abs(n[:, None] - n))

"""What backpropagation through one run finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatetheory.simulation.lowering import Array


@dataclass(frozen=True, eq=False)
class Gradients:
    """Gradients of k losses L = N^{-1/2} Σ_i e(x_i, c_i), one for each draw of the weights c.

    Horizons are nested: horizon T is the part of the run from ``end - T`` on, its state at that
    time given.

    Args:
        loss: The expression e.
        running: Whether L is integrated (summed) over the horizon, or read at the end.
        weights: c, shape (k, N).
        values: L over the whole run, shape (k,).
        horizons: T in increasing order, shape (H,).
        squares: N mean_ij (dL/dJ^a_ij)², by coupling, shape (H, k); empty if not wanted.
        matrices: dL/dJ^a over the whole run, by coupling, shape (k, N, N); empty if not wanted.
        parameters: dL/dθ, by parameter, shape (H, k).
        times: Times of the grid, from the start to the end, shape (S + 1,).
        norms: |λ|²/N = Σ_i |√N ∂L/∂x_i|² / N at these times, all fields with dynamics, shape
            (S + 1, k).
        saved: Times at which λ was to be kept, shape (M,).
        adjoint: λ there, shape (M, F, k, N).
        initial: λ at the start, shape (F, k, N).
        final: State at the end, shape (F, N).
        method: Scheme.
        step: Its longest step.
    """

    loss: str
    running: bool
    weights: Array
    values: Array
    horizons: Array
    squares: Mapping[str, Array]
    matrices: Mapping[str, Array]
    parameters: Mapping[str, Array]
    times: Array
    norms: Array
    saved: Array
    adjoint: Array
    initial: Array
    final: Array
    method: str
    step: float

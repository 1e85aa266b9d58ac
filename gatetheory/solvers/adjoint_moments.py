r"""Second moments of the adjoint of a stationary state with a linear law, on a grid of times.

With s counted backward from the horizon, V the response of Eμ' = Dᵀμ + f and W_b the averages
s_b² ⟨R_bᵀ R_b'⟩ of the forward pair,

    G = g gᵀ + V (Σ_b W_b ∘ q_b) Vᵀ,      q_a = B_aᵀ G B_a,

g the response to the loss. W_b is known beforehand, so that this is linear in q and causal in both
times: iteration converges like the series of an exponential.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.stationary_pairs import StationaryPairs
from gatetheory.solvers.time_grid import TimeGrid

Array = NDArray[np.float64]

_ROUNDS, _SETTLED = 5000, 1e-15


@dataclass(frozen=True)
class AdjointMoments:
    """What an adjoint leaves on a grid of times s, counted backward from the horizon.

    Args:
        grid: The times.
        pulled: q_a = ⟨(B_aᵀμ)(B_aᵀμ)'⟩, shape (A, n, n).
        own: ⟨λ_f(s) λ_f(s')⟩, λ = E μ, of every field, shape (F, n, n).
        couplings: Q_a at each horizon, shape (A, H).
        norm: Σ_f ⟨λ_f²⟩ at each horizon, shape (H,).
    """

    grid: TimeGrid
    pulled: Array
    own: Array
    couplings: Array
    norm: Array


def adjoint_moments(
    pairs: StationaryPairs,
    weights: Array,
    running: bool,
    horizons: Sequence[float],
    grid: TimeGrid,
) -> AdjointMoments:
    """Solve for the adjoint's second moments.

    Args:
        pairs: The stationary state.
        weights: ∂f/∂x of the loss c f(x), shape (F,).
        running: Whether the loss is integrated over time.
        horizons: T, edges of the grid.
        grid: The times s.

    Raises:
        ConvergenceError: If the moments grow beyond the numbers.
    """
    response, free = grid.response(pairs.adjoint_filter())
    started = _started(pairs, weights, running, response, free)
    reads = np.einsum("ka,ikjm->aijm", pairs.drives, response)  # B_aᵀ V
    first = np.einsum("ka,ik->ai", pairs.drives, started)
    n = len(grid.nodes)
    # forward times run against s, so that W(s − s') is the forward pair's at lag s' − s
    lags = grid.nodes[None, :] - grid.nodes[:, None]
    tables = _readouts(pairs, lags)
    pulled = _iterate(first, reads, tables)
    source = np.zeros((pairs.fields, pairs.fields, n, n))
    for (b, k, m), table in tables.items():
        source[k, m] += table * pulled[b]
    own = np.einsum("if,jf->fij", started, started)
    for f in np.flatnonzero(pairs.mass > 0):
        for k in range(pairs.fields):
            for m in range(pairs.fields):
                if source[k, m].any():
                    own[f] += response[:, f, :, k] @ source[k, m] @ response[:, f, :, m].T
    own *= np.where(pairs.mass > 0, pairs.mass, 0.0)[:, None, None] ** 2
    signals = pairs.signals(lags)
    ends = [grid.index(t) for t in horizons]
    couplings = np.empty((pairs.couplings, len(ends)))
    for h, horizon in enumerate(horizons):
        w = grid.weights(horizon)
        couplings[:, h] = np.einsum("i,aij,aij,j->a", w, pulled, signals, w, optimize=True)
    norm = own.sum(axis=0)[ends, ends]
    if not (np.isfinite(couplings).all() and np.isfinite(norm).all()):
        raise ConvergenceError("the adjoint grows beyond the numbers; choose shorter horizons")
    return AdjointMoments(grid, pulled, own, couplings, norm)


def _started(
    pairs: StationaryPairs, weights: Array, running: bool, response: Array, free: Array
) -> Array:
    """μ without the couplings, for c = 1, shape (n, F)."""
    moving = np.flatnonzero(pairs.mass > 0)
    start = weights[moving] / pairs.mass[moving]
    found = np.zeros(response.shape[:2])
    if not running or pairs.discrete:
        found += free @ start
    if running:
        found += np.einsum("ifjm,m->if", response, weights)
    return found


def _readouts(pairs: StationaryPairs, lags: Array) -> dict[tuple[int, int, int], Array]:
    """Nonzero entries W_b,kl(s − s') by (b, k, l), shape (n, n) each."""
    keys, functions = pairs.readouts
    return dict(zip(keys, functions(lags), strict=True))


def _iterate(first: Array, reads: Array, tables: dict[tuple[int, int, int], Array]) -> Array:
    """q_a = first firstᵀ + Σ_b reads (W_b ∘ q_b) readsᵀ, to the last digit."""
    base = first[:, :, None] * first[:, None, :]
    active = [a for a in range(len(first)) if reads[a].any() or first[a].any()]
    pulled, change = base.copy(), np.inf
    for _ in range(_ROUNDS):
        fed = {key: table * pulled[key[0]] for key, table in tables.items()}
        combined: dict[tuple[int, int], Array] = {}
        for (_, k, m), values in fed.items():
            combined[k, m] = combined[k, m] + values if (k, m) in combined else values
        new = base.copy()
        for a in active:
            for (k, m), values in combined.items():
                left, right = reads[a, :, :, k], reads[a, :, :, m]
                if left.any() and right.any():
                    new[a] += left @ values @ right.T
        size = np.abs(new).max()
        change = float(np.abs(new - pulled).max())
        pulled = new
        if not np.isfinite(change) or change <= _SETTLED * size:
            break
    if not change <= 1e-12 * np.abs(pulled).max():
        raise ConvergenceError("the adjoint's second moments did not settle; shorten the horizons")
    return pulled

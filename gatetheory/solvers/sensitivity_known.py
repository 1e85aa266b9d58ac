r"""The part of a sensitivity that is known from the stationary state, and the linear responses.

With V the response of the linear law on the grid, v = V B δη + k,

    k = V [(∂_θD − Dρ) x̃ + ∂_θB η + ∂_θG s̃] + (response to y(0) = ρ x̃(0)) − ρ x̃,

a matrix on the values of x̃ and η on the grid and on the static inputs s̃, whose covariances are
those of the stationary state.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gatetheory.equations.adjoint_system import SensitivitySystem
from gatetheory.solvers.lag_filter import Filter
from gatetheory.solvers.stationary_pairs import StationaryPairs
from gatetheory.solvers.time_grid import TimeGrid

Array = NDArray[np.float64]


class Known:
    """See the module's text; n times from 0 on, R in all, F fields, A couplings, S inputs.

    Args:
        pairs: The stationary state.
        system: Derivatives by the parameter.
        grid: Times from 0 to the longest horizon.
        whole: Times from long ago to the longest horizon.
    """

    def __init__(
        self, pairs: StationaryPairs, system: SensitivitySystem, grid: TimeGrid, whole: TimeGrid
    ) -> None:
        self.nodes, self.every = grid.nodes, whole.nodes
        self.steps, self.all_steps = len(grid.nodes), len(whole.nodes)
        reduced = pairs.filter(np.eye(pairs.fields))
        response, free = grid.response(reduced)
        self.response: Array = np.einsum("ikjf,fa->ikja", response, pairs.drives)
        """V B, shape (n, F, n, A)."""
        self.state_response = _from_rest_long_ago(whole, reduced, pairs)
        """x̃ from η, shape (R, F, R, A)."""
        drift, drives = pairs.matrix(system.drift), pairs.matrix(system.drives)
        constant = drift @ pairs.means + pairs.matrix(system.offsets)[:, 0]
        self.means: Array = np.einsum("ikjf,f->ik", response, constant)
        """⟨v⟩, shape (n, F)."""
        self._by_state, self._by_local, self._by_static = _combination(
            pairs, system, response, free, drift, drives
        )
        self._covariances(pairs)

    def _covariances(self, pairs: StationaryPairs) -> None:
        n, r = self.steps, self.all_steps
        size, count = pairs.fields, pairs.couplings
        lags = (self.every[:, None] - self.nodes[None, :]).ravel()
        states = pairs.covariances(lags).reshape(size, size, r, n).transpose(2, 0, 3, 1)
        inner = (self.every[:, None] - self.every[None, :])[:, -n:].ravel()
        local = pairs.local_covariances(inner).reshape(count, r, n)
        state_local = np.einsum("rkqa,aqn->rkna", self.state_response, local, optimize=True)
        spread = np.diag(pairs.variances)
        gains = _static_gain(pairs) @ spread  # ⟨x̃ s̃⟩
        with_state = np.einsum("rkjl,iqjl->rkiq", states, self._by_state, optimize=True)
        with_state += np.einsum("rkja,iqja->rkiq", state_local, self._by_local, optimize=True)
        with_state += np.einsum("ks,iqs->kiq", gains, self._by_static)[None]
        self.with_state: Array = with_state
        """⟨x̃_k(r) k_l(t)⟩, shape (R, F, n, F)."""
        here = np.einsum("jlia,mqjl->aimq", state_local[-n:], self._by_state, optimize=True)
        here += np.einsum("aij,mqja->aimq", local[:, -n:], self._by_local, optimize=True)
        still = np.einsum("ks,jlmk->sjl", gains, self._by_state) + np.einsum(
            "st,jlt->sjl", spread, self._by_static
        )
        covariance = np.einsum("ikjl,jlmq->ikmq", self._by_state, with_state[-n:], optimize=True)
        covariance += np.einsum("ikja,ajmq->ikmq", self._by_local, here, optimize=True)
        covariance += np.einsum("iks,smq->ikmq", self._by_static, still)
        self.covariance: Array = (covariance + covariance.transpose(2, 3, 0, 1)) / 2
        """⟨k_k(t) k_l(t')⟩, shape (n, F, n, F)."""

    def at_equal_times(self, forward: Array) -> Array:
        """⟨x̃_k v_l⟩ at each time, shape (n, F, F), from that at all pairs, shape (R, F, n, F)."""
        at = np.arange(self.steps)
        return np.asarray(forward[-self.steps :][at, :, at, :])

    def driven_with_known(self, local: Array) -> Array:
        """⟨δη_a(t) k_l(t')⟩, shape (A, n, n, F).

        Args:
            local: ⟨η_a(r) δη_a(t)⟩, shape (A, R, n).
        """
        n = self.steps
        states = np.einsum("rkqa,aqn->rkan", self.state_response[-n:], local, optimize=True)
        found = np.einsum("rkan,jmrk->anjm", states, self._by_state, optimize=True)
        found += np.einsum("arn,jmra->anjm", local[:, -n:], self._by_local, optimize=True)
        return np.asarray(found)


def _combination(
    pairs: StationaryPairs,
    system: SensitivitySystem,
    response: Array,
    free: Array,
    drift: Array,
    drives: Array,
) -> tuple[Array, Array, Array]:
    """The known part as a matrix on x̃, (n, F, n, F), on η, (n, F, n, A), and on s̃, (n, F, S)."""
    moving = np.flatnonzero(pairs.mass > 0)
    rho = np.zeros(pairs.fields)
    rho[moving] = pairs.row(system.mass)[moving] / pairs.mass[moving]
    by_state = np.einsum("ikjf,fl->ikjl", response, drift - pairs.drift * rho[None, :])
    for d, field in enumerate(moving):
        by_state[:, :, 0, field] += free[:, :, d] * rho[field]
    for i in range(len(response)):
        by_state[i, :, i, :] -= np.diag(rho)
    by_local = np.einsum("ikjf,fa->ikja", response, drives)
    by_static = np.einsum("ikjf,fs->iks", response, pairs.matrix(system.statics))
    return by_state, by_local, by_static


def _from_rest_long_ago(grid: TimeGrid, reduced: Filter, pairs: StationaryPairs) -> Array:
    """x̃ from η, at rest under its first value before the first time, shape (R, F, R, A)."""
    response, free = grid.response(reduced)
    found = np.einsum("ikjf,fa->ikja", response, pairs.drives)
    held = _rest(reduced) @ pairs.drives
    found[:, :, 0, :] += np.einsum("ikd,da->ika", free, held)
    return np.asarray(found)


def _rest(reduced: Filter) -> Array:
    """State at rest under constant drives, shape (D, drives)."""
    size = len(reduced.matrix)
    pencil = np.eye(size) - reduced.matrix if reduced.discrete else -reduced.matrix
    return np.asarray(np.linalg.solve(pencil, reduced.inputs)) if size else reduced.inputs


def _static_gain(pairs: StationaryPairs) -> Array:
    """Fields at rest under static inputs, shape (F, S)."""
    reduced = pairs.filter(pairs.statics)
    return np.asarray(reduced.outputs @ _rest(reduced) + reduced.feed)

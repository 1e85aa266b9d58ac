"""dL/dJ^a = Σ μ_a ψ_aᵀ over the evaluations of a run: the matrices, or only their mean square.

A mean square needs no matrix, ‖Σ_s μ_s ψ_sᵀ‖² = Σ_{s,s'} (μ_s·μ_s')(ψ_s·ψ_s'), so that a run of
S evaluations takes memory S N, not N², and S² N operations, not S N².
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from gatetheory.simulation.lowering import Array

_BLOCK = 64  # evaluations that share a matrix product


class CouplingSums(Protocol):
    """Collects μ_a ψ_aᵀ of every coupling."""

    def add(self, covectors: Mapping[int, Array], signals: Array) -> None:
        """One evaluation.

        Args:
            covectors: μ_a by coupling, shape (k, N); what is missing is 0.
            signals: ψ_a of every coupling, shape (A, N).
        """
        ...

    def squares(self) -> Array:
        """Σ_ij (Σ_s μ_i ψ_j)² of everything so far, shape (A, k)."""
        ...


class _Blocks:
    """Keeps the last evaluations until a block of them is complete."""

    def __init__(self, couplings: int, draws: int, units: int) -> None:
        self.covectors: Array = np.zeros((couplings, draws, _BLOCK, units))
        self.signals: Array = np.zeros((couplings, _BLOCK, units))
        self.filled = 0

    def put(self, covectors: Mapping[int, Array], signals: Array) -> bool:
        """Whether the block is full now."""
        for a in range(len(self.signals)):
            self.covectors[a, :, self.filled] = covectors.get(a, 0.0)
        self.signals[:, self.filled] = signals
        self.filled += 1
        return self.filled == _BLOCK


class MatrixSums:
    """The matrices themselves, in memory k A N².

    Args:
        couplings: A.
        draws: k.
        units: N.
    """

    def __init__(self, couplings: int, draws: int, units: int) -> None:
        self._blocks = _Blocks(couplings, draws, units)
        self._total: Array = np.zeros((couplings, draws, units, units))

    def add(self, covectors: Mapping[int, Array], signals: Array) -> None:
        """One evaluation."""
        if self._blocks.put(covectors, signals):
            self._flush()

    def matrices(self) -> Array:
        """Σ μ_a ψ_aᵀ, shape (A, k, N, N)."""
        self._flush()
        return self._total.copy()

    def squares(self) -> Array:
        """Σ_ij of their squares, shape (A, k)."""
        self._flush()
        return np.asarray(np.einsum("akij,akij->ak", self._total, self._total))

    def _flush(self) -> None:
        blocks, filled = self._blocks, self._blocks.filled
        for a, psi in enumerate(blocks.signals[:, :filled]):
            for c, mu in enumerate(blocks.covectors[a, :, :filled]):
                if mu.any():
                    self._total[a, c] += mu.T @ psi
        blocks.filled = 0


class PairSums:
    """Their mean squares alone, from scalar products of all pairs of evaluations.

    Args:
        couplings: A.
        draws: k.
        units: N.
        evaluations: S, the largest number of them.
    """

    def __init__(self, couplings: int, draws: int, units: int, evaluations: int) -> None:
        self._covectors: Array = np.zeros((couplings, draws, evaluations, units))
        self._signals: Array = np.zeros((couplings, evaluations, units))
        self._total: Array = np.zeros((couplings, draws))
        self._done = self._filled = 0

    def add(self, covectors: Mapping[int, Array], signals: Array) -> None:
        """One evaluation."""
        for a, mu in covectors.items():
            self._covectors[a, :, self._filled] = mu
        self._signals[:, self._filled] = signals
        self._filled += 1
        if self._filled - self._done == _BLOCK:
            self._flush()

    def squares(self) -> Array:
        """Σ_ij (Σ_s μ_i ψ_j)², shape (A, k)."""
        self._flush()
        return self._total.copy()

    def _flush(self) -> None:
        old, new = slice(0, self._done), slice(self._done, self._filled)
        for a, psi in enumerate(self._signals):
            for c, mu in enumerate(self._covectors[a]):
                if mu[new].any():
                    own = np.vdot(mu[new] @ mu[new].T, psi[new] @ psi[new].T)
                    cross = np.vdot(mu[new] @ mu[old].T, psi[new] @ psi[old].T)
                    self._total[a, c] += own + 2 * cross
        self._done = self._filled


def make_sums(couplings: int, draws: int, units: int, evaluations: int) -> MatrixSums | PairSums:
    """Whatever takes less memory, where only mean squares are wanted."""
    if evaluations > units:
        return MatrixSums(couplings, draws, units)
    return PairSums(couplings, draws, units, evaluations)

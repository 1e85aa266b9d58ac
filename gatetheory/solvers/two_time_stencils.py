"""Covariances driven by η along one time, the other held fixed.

⟨X(i+1) q⟩ = Φ ⟨X(i) q⟩ + Σ_k W_k ⟨η(k) q⟩ for all i at once: pushes are put together from the
stencils of the steps, and the recursion is summed by doubling.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gatetheory.solvers.two_time_step import Step

Array = NDArray[np.float64]

START = 4  # points of a stencil, and times solved together at the beginning


class Stencils:
    """Weights of η in every step, from the grid points i−2 … i+1 of step i.

    Args:
        step: The step.
        count: Most times there will be.
    """

    def __init__(self, step: Step, count: int) -> None:
        self.size = step.system.size
        self.back = step.weights((-2, -1, 0, 1))
        # The first two steps have stencils that begin at time 0.
        self.ahead = [step.weights(tuple(k - i for k in range(START))) for i in range(2)]
        self.powers = [step.propagator]
        while 2 ** len(self.powers) < count:
            self.powers.append(self.powers[-1] @ self.powers[-1])

    def _scan(self, driven: Array) -> Array:
        """Y(i) = Φ Y(i−1) + driven(i) with Y before the first zero, by doubling; time is last."""
        size, local, count = driven.shape
        total, reach = driven, 1
        for power in self.powers:
            if reach >= count:
                break
            moved = power @ total[:, :, :-reach].reshape(size, -1)
            total = total.copy()
            total[:, :, reach:] += moved.reshape(size, local, -1)
            reach *= 2
        return total

    def driven(self, covariances: Array) -> Array:
        """⟨X(i) q⟩ for i = 0 … n from ⟨η(i) q⟩, which is smooth in i, with ⟨X(0) q⟩ = 0.

        Args:
            covariances: Shape (A, Q, n + 1).

        Returns:
            Shape (D, Q, n + 1).
        """
        n = covariances.shape[2] - 1
        pushed = np.zeros((self.size, *covariances.shape[1:]))
        for i in range(min(2, n)):
            pushed[:, :, i + 1] = np.einsum("kda,aqk->dq", self.ahead[i], covariances[:, :, :START])
        for k in range(START):
            pushed[:, :, 3:] += np.tensordot(self.back[k], covariances[:, :, k : n - 2 + k], 1)
        return self._scan(pushed)

r"""How fast the adjoint of a stationary state grows backward: an eigenproblem in the lag.

Long before the horizon q_a(s, s') = e^{κ(s+s')} χ_a(s − s'), and the adjoint's equation becomes

    χ_a = Σ_b Σ_kl K_a,kl * (W_b,kl χ_b),

with K_a,kl the covariance that white noise in the laws of μ_k and μ_l would leave of B_aᵀμ, every
mode decaying faster by κ. |λ|² grows at 2κ. W is that of the forward pair at the opposite lag. Of a
product W_kl χ with k ≠ l both the even and the odd part in the lag count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.lag_filter import Kernel
from gatetheory.solvers.lag_grid import ElementGrid, Grid
from gatetheory.solvers.lag_growth import growth
from gatetheory.solvers.lag_problem import LagPoint, LagProblem
from gatetheory.solvers.stationary_pairs import StationaryPairs

Array = NDArray[np.float64]


@dataclass(frozen=True)
class AdjointMode:
    """A growing mode of the adjoint.

    Args:
        rate: κ; |λ|² grows at 2κ.
        error: Its error estimate.
        residual: Residual of the eigenproblem, as a change of κ.
        mode: χ, a row for each coupling that takes part.
        active: Numbers of these couplings.
    """

    rate: float
    error: float
    residual: float
    mode: LagPoint
    active: tuple[int, ...]

    def by_coupling(self, names: Sequence[str]) -> dict[str, Array]:
        """χ of the couplings that take part, the largest value 1."""
        size = np.abs(self.mode.decay).max()
        return {names[a]: row / size for a, row in zip(self.active, self.mode.decay, strict=True)}


class AdjointGrowth:
    """The operator of the eigenproblem.

    Args:
        pairs: The stationary state.
    """

    def __init__(self, pairs: StationaryPairs) -> None:
        self.pairs = pairs
        self.filter = pairs.adjoint_filter()
        readouts = pairs.system.readouts
        size = range(pairs.fields)
        self.entries = [
            (b, k, m)
            for b, matrix in enumerate(readouts)
            for k in size
            for m in size
            if k <= m and (matrix[k, m] != 0 or matrix[m, k] != 0)
        ]
        couplings = range(pairs.couplings)
        reached = {
            (k, a) for k in size for a in couplings if self._kernel(a, k, k, 0.0) is not None
        }
        feeds = {
            (b, a) for b, k, m in self.entries for a in couplings
            if (k, a) in reached and (m, a) in reached
        }  # fmt: skip
        self.active = _on_loops(feeds, pairs.couplings)

    def solve(self) -> AdjointMode:
        """The rate κ and its eigenfunction χ, one row for each coupling that takes part.

        Raises:
            ConvergenceError: If there is none.
        """
        pairs = self.pairs
        if not self.active:
            raise ConvergenceError("no coupling feeds backward fields that feed it again")
        start = np.abs(pairs.local_covariances(pairs.point.grid.nodes))[self.active]
        found = growth(pairs.problem, pairs.point, self, start)
        if not found.decays:
            raise ConvergenceError(
                "the adjoint's mode decays too slowly to be resolved: its rate lies at the edge of "
                "a continuum, or the state is next to an onset"
            )
        return AdjointMode(found.rate, found.error, found.residual, found.mode, tuple(self.active))

    def __call__(self, problem: LagProblem, point: LagPoint, rate: float) -> Array:
        """The operator at a rate, shape (r n, r n)."""
        pairs = self.pairs
        if point is not pairs.point:
            pairs = StationaryPairs(pairs.system, pairs.parameters, problem, point)
        grid = point.grid
        tables = self._tables(pairs, grid)
        n, count = len(grid.nodes), len(self.active)
        matrix = np.zeros((count, n, count, n))
        for row, a in enumerate(self.active):
            for (k, m), even, odd in self._convolutions(grid, a, rate):
                for column, b in enumerate(self.active):
                    if (b, k, m) in tables:
                        ahead, behind = tables[b, k, m]
                        matrix[row, :, column] += even * ((ahead + behind) / 2)
                        if odd is not None:
                            matrix[row, :, column] += odd * ((ahead - behind) / 2)
        product = matrix.reshape(count * n, count * n)
        return grid.continuity(problem.filter.slowest).repeated(count).within(product)

    def _tables(
        self, pairs: StationaryPairs, grid: Grid
    ) -> dict[tuple[int, int, int], tuple[Array, Array]]:
        """W_b,kl at the lag and at its opposite."""
        keys, functions = pairs.readouts
        # the forward pair runs against s: W at s − s' is the forward function at the opposite lag
        both = zip(functions(-grid.nodes), functions(grid.nodes), strict=True)
        values = dict(zip(keys, both, strict=True))
        none = np.zeros(len(grid.nodes))
        return {
            (b, k, m): values.get((b, k, m), (none, none))
            for b, k, m in self.entries
            if b in self.active
        }

    def _convolutions(
        self, grid: Grid, a: int, rate: float
    ) -> list[tuple[tuple[int, int], Array, Array | None]]:
        """Matrices that act on even and on odd parts, for each pair of fields k ≤ l."""
        found: list[tuple[tuple[int, int], Array, Array | None]] = []
        for k, m in sorted({(k, m) for _, k, m in self.entries}):
            ahead, behind = self._kernel(a, k, m, rate), self._kernel(a, m, k, rate)
            if ahead is None or behind is None:
                continue
            if k == m:
                found.append(((k, k), grid.convolve(ahead, ahead)[:-1], None))
                continue
            even = grid.convolve(ahead, behind) + grid.convolve(behind, ahead)
            odd = _odd(grid, ahead, behind) - _odd(grid, behind, ahead)
            found.append(((k, m), even[:-1], odd[:-1]))
        return found

    def _kernel(self, a: int, k: int, m: int, rate: float) -> Kernel | None:
        """K_a,km, or nothing where a field does not reach the coupling."""
        pulled = self.pairs.drives[:, a]
        kernel = self.filter.kernel(pulled, pulled, k, rate, other=m)
        return kernel if len(kernel.rates) or kernel.instant else None


def _odd(grid: Grid, ahead: Kernel, behind: Kernel) -> Array:
    """The convolution with a function that is odd in the lag."""
    if isinstance(grid, ElementGrid):
        return grid.convolve(ahead, behind, parity=-1)
    raise ConvergenceError(
        "the adjoint of this map ties two fields by covariances that are not even in the lag; "
        'use closure="sampled"'
    )


def _on_loops(feeds: set[tuple[int, int]], count: int) -> list[int]:
    """Couplings b whose backward fields reach b again, through others too."""
    reach = np.zeros((count, count), dtype=bool)
    for b, a in feeds:
        reach[b, a] = True
    for k in range(count):
        reach |= np.outer(reach[:, k], reach[k])
    looping = [k for k in range(count) if reach[k, k]]
    return [a for a in range(count) if any(reach[b, a] for b in looping)]

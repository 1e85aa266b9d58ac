r"""March a two-time problem forward: one more time t, with all t' ≤ t at once.

With X the state, Φ the exact propagator of a step and W_k the weights of η at the grid points of
the step's stencil,

    ⟨X(n+1) η(j)⟩ = Φ ⟨X(n) η(j)⟩ + Σ_k W_k ⟨η(k) η(j)⟩,
    ⟨X(i+1) X(n)⟩ = Φ ⟨X(i) X(n)⟩ + Σ_k W_k ⟨η(k) X(n)⟩,  i < n,        ⟨X(0) η⟩ = 0,

where only the point k = n+1 is unknown: ⟨η(n+1) η(j)⟩ depends on ⟨x(n+1) x(j)⟩. It is extrapolated
along lines of constant lag and corrected until it no longer changes; a correction is smaller by
(step × rate)² than the one before. Cubic interpolation gives an error of order step⁴. White noise
puts a kink into covariances at t = t'; stencils then stop there, which leaves order step³. The
first four times are solved together.

Only the present row and the last four of η are kept, besides what is saved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.solvers.two_time_averages import PairAverages
from gatetheory.solvers.two_time_linear import LinearSystem, diagonal
from gatetheory.solvers.two_time_series import Moments
from gatetheory.solvers.two_time_stencils import START, Stencils
from gatetheory.solvers.two_time_step import Step

Array = NDArray[np.float64]

_ROUNDS = 60


@dataclass(frozen=True)
class March:
    """What marching found, at the saved times.

    Args:
        values: Outputs beyond the kernels at (t, t'), shape (outputs, T, T).
        kernels: ⟨η_a(t) η_a(t')⟩, shape (A, T, T).
        means: m(t), shape (F, T).
        defect: Last change of a covariance by its correction, relative, largest over all times.
        kept: How many of the saved times are finite and converged.
    """

    values: Array
    kernels: Array
    means: Array
    defect: float
    kept: int


class Marcher:
    """Marches one problem with one step.

    Args:
        system: The linear system.
        length: The step h.
        averages: The kernels first, then what else is wanted.
        initial_means: Of the state, shape (D,).
        initial_covariance: Of the state, shape (D, D).
        count: Number of times.
        stride: Every which time is saved.
        settled: Change of a covariance, relative to the largest, at which corrections end.
    """

    def __init__(
        self,
        system: LinearSystem,
        length: float,
        averages: PairAverages,
        initial_means: Array,
        initial_covariance: Array,
        count: int,
        stride: int,
        settled: float,
    ) -> None:
        self.system, self.averages, self.count, self.stride = system, averages, count, stride
        self.step, self.settled = Step(system, length), settled
        self.initial = initial_covariance
        self.means = self.step.means(initial_means, count)
        size, local = system.drives.shape
        self.local, self.couplings = local, local - len(system.instant)
        self.kinked = bool(system.diffusion.any())
        self.equal = np.zeros((len(system.fields), len(system.fields), count))
        self.free = np.zeros((size, size, count))  # ⟨X(n) X(j)⟩ without η
        self.free[:, :, 0] = initial_covariance
        self.cross = np.zeros((size, local, count))  # ⟨X(n) η(j)⟩
        self.kernel = [np.zeros((local, count)) for _ in range(START)]  # ⟨η(k) η(j)⟩, last four k
        self.stencils = Stencils(self.step, count)
        self.back = self.stencils.back

    # ---- the whole march ---------------------------------------------------------------------

    def run(self, report: Callable[[int, int], None] | None = None) -> March:
        """March to the last time, or as far as it goes."""
        saved = (self.count - 1) // self.stride + 1
        outputs = self._start()
        found = np.zeros((len(outputs[0]), saved, saved))
        defect, reached = self.defect, self.count - 1
        for n in range(self.count):
            if n < START:
                row = outputs[n]
            else:
                row, change = self._advance(n)
                defect = max(defect, change)
            if not np.isfinite(row).all() or not defect < 1e-6:
                reached = n - 1
                break
            if n % self.stride == 0:
                k = n // self.stride
                found[:, k, : k + 1] = row[:, :: self.stride]
                found[:, : k + 1, k] = row[:, :: self.stride]
            if report is not None:
                report(n + 1, self.count)
        for a in range(self.couplings):  # a kernel is symmetric; other outputs are too
            found[a] = (found[a] + found[a].T) / 2
        return March(
            values=found[self.couplings :],
            kernels=found[: self.couplings],
            means=self.means[:, :: self.stride],
            defect=float(defect),
            kept=max(reached, 0) // self.stride + 1,
        )

    # ---- pieces ------------------------------------------------------------------------------

    def _moments(self, n: int, state: Array, cross: Array, column: Array, kernel: Array) -> Moments:
        """Covariances of all fields with those at time n, from those of the state."""
        across = self.system.covariances(state, cross, column, kernel)
        self.equal[:, :, n] = (across[:, :, n] + across[:, :, n].T) / 2
        return Moments(self.means[:, : n + 1], self.equal[:, :, : n + 1], across)

    def _with_instant(self, kernels: Array, n: int) -> Array:
        """Covariances of local fields, those of a map's noises added, shape (A, n + 1)."""
        noises = np.zeros((len(self.system.instant), n + 1))
        noises[:, n] = self.system.instant
        return np.vstack([kernels, noises])

    def _advance(self, n: int) -> tuple[Array, float]:
        """Row n from the rows before: outputs at (n, 0 … n) and the last relative change."""
        base, last = self._cross_base(n)
        free = self._free_row(n)
        kernel = self._predicted(n)
        outputs, change, scale = np.empty((0, 0)), np.inf, 0.0
        cross = np.empty((self.system.size, self.local, n + 1))
        for _ in range(_ROUNDS):
            column = self.stencils.driven(diagonal(kernel))
            cross[:, :, :n] = base + last * kernel[None, :, :n]
            cross[:, :, n] = column[:, :, n]
            state = free + self.stencils.driven(cross.transpose(1, 0, 2)).transpose(1, 0, 2)
            outputs = self.averages(n, self._moments(n, state, cross, column, kernel))
            improved = self._with_instant(outputs[: self.couplings], n)
            change, scale = float(np.abs(improved - kernel).max()), float(np.abs(improved).max())
            kernel = improved
            if not change > self.settled * scale:
                break
        self._shift(n, cross, kernel)
        return outputs, change / scale if scale > 0 else 0.0

    def _free_row(self, n: int) -> Array:
        """⟨X(n) X(j)⟩ without η, exactly: initial values and noise; called once for every n."""
        latest = self.free[:, :, n - 1].copy()
        self.free[:, :, :n] = np.tensordot(self.step.propagator, self.free[:, :, :n], 1)
        self.free[:, :, n] = (
            self.step.propagator @ latest @ self.step.propagator.T + self.step.noise
        )
        return self.free[:, :, : n + 1]

    def _cross_base(self, n: int) -> tuple[Array, Array]:
        """The known part of ⟨X(n) η(j)⟩, j < n, and the weight of ⟨η(n) η(j)⟩ in it."""
        known = np.tensordot(self.step.propagator, self.cross[:, :, :n], 1)
        before = [kernel[:, :n] for kernel in self.kernel[1:]]  # rows n−3, n−2, n−1
        last = np.repeat(self.back[-1][:, :, None], n, axis=2)
        total = known + sum(
            w[:, :, None] * h[None] for w, h in zip(self.back[:-1], before, strict=True)
        )
        if self.kinked:  # stencils that would reach across t = t'
            for j, offsets in ((n - 1, (0, 1)), (n - 2, (-1, 0, 1))):
                weights = self.step.weights(offsets)
                rows = before[-len(offsets) + 1 :]
                total[:, :, j] = known[:, :, j] + sum(
                    w * h[None, :, j] for w, h in zip(weights[:-1], rows, strict=True)
                )
                last[:, :, j] = weights[-1]
        return total, last

    def _predicted(self, n: int) -> Array:
        """⟨η(n) η(j)⟩ extrapolated at constant lag; near j = 0 at constant j."""
        kernel = np.empty((self.local, n + 1))
        a, b, c, d = (self.kernel[-k] for k in (1, 2, 3, 4))  # rows n−1, n−2, n−3, n−4
        kernel[:, 4:] = 4 * a[:, 3:n] - 6 * b[:, 2 : n - 1] + 4 * c[:, 1 : n - 2] - d[:, : n - 3]
        kernel[:, :4] = 4 * a[:, :4] - 6 * b[:, :4] + 4 * c[:, :4] - d[:, :4]
        return kernel

    def _shift(self, n: int, cross: Array, kernel: Array) -> None:
        """Make time n the present."""
        self.cross[:, :, : n + 1] = cross
        self.kernel.append(self.kernel.pop(0))
        self.kernel[-1][:, : n + 1] = kernel
        for back in range(1, START):  # earlier rows learn of time n
            self.kernel[-1 - back][:, n] = kernel[:, n - back]

    # ---- the first times ---------------------------------------------------------------------

    def _start(self) -> list[Array]:
        """Solve the first four times together, by iteration."""
        size, points = self.system.size, range(START)
        kernel = np.ones((self.local, START, START))
        self.defect = np.inf
        rows: list[Array] = []
        for _ in range(4 * _ROUNDS):
            column = np.zeros((size, self.local, START, START))  # ⟨X(i) η(j)⟩
            for j in points:
                for i in range(START - 1):
                    near = self._one_side(i, j)
                    weights = self.step.weights(tuple(k - i for k in near))
                    pushed = np.einsum("kda,ak->da", weights, kernel[:, near, j])
                    column[:, :, i + 1, j] = self.step.propagator @ column[:, :, i, j] + pushed
            state = np.zeros((size, size, START, START))
            state[:, :, 0, 0] = self.initial
            for i in range(START - 1):
                weights = self.step.weights(tuple(k - i for k in points))
                for j in range(i + 2):
                    earlier = state[:, :, i, j] if j <= i else state[:, :, j, i].T
                    new = self.step.propagator @ earlier
                    new = new + np.einsum("kda,eak->de", weights, column[:, :, j, :])
                    state[:, :, i + 1, j] = new + self.step.noise * (j == i + 1)
            improved = np.empty_like(kernel)
            rows = []
            for n in points:
                row = self._moments(
                    n,
                    state[:, :, n, : n + 1],
                    column[:, :, n, : n + 1],
                    column[:, :, : n + 1, n],
                    kernel[:, n, : n + 1],
                )
                rows.append(self.averages(n, row))
                improved[:, n, : n + 1] = self._with_instant(rows[n][: self.couplings], n)
                improved[:, : n + 1, n] = improved[:, n, : n + 1]
            change, scale = np.abs(improved - kernel).max(), np.abs(improved).max()
            kernel = improved
            self.defect = float(change / scale) if scale > 0 else 0.0
            if not change > self.settled * scale:
                break
        for n in points:
            self.kernel[n][:, :START] = kernel[:, n]
            if n > 0:
                self._free_row(n)
        self.cross[:, :, :START] = column[:, :, START - 1]
        return rows

    def _one_side(self, i: int, j: int) -> list[int]:
        """Points of the stencil of step i for a covariance with η(j)."""
        if not self.kinked:
            return list(range(START))
        return list(range(j + 1)) if i < j else list(range(j, START))

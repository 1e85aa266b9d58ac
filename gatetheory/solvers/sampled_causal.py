"""Marches sampled units forward in time while their local fields are drawn from their own signals.

The covariance of η_a up to t is an average over the paths up to t, so nothing has to be iterated
over the whole window. With the M values of s_a ψ_a/√M at each time as a vector, an orthonormal
basis q_k of all vectors so far gives the Cholesky factor of the covariance row by row,

    η_a(t_n) = Σ_k ⟨q_k, s_a ψ_a(t_n)/√M⟩ g_k,

with independent normal g_k for every path. A new q (and a new g) is added only where the new vector
is not in the span of the old ones, which keeps smooth covariances well conditioned.

Steps: exponential Heun with the end point iterated, of second order; a map is iterated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.solvers.sampled_noise import stratified
from gatetheory.solvers.sampled_paths import phi
from gatetheory.solvers.sampled_replica import Sampler

Array = NDArray[np.float64]

_CORRECTIONS = 3
_NEW = 1e-8


class CausalField:
    """A Gaussian field with the covariance of a signal's paths, drawn as they come.

    Args:
        paths: Number of paths M.
        scale: s².
        new: Part of a vector outside the span of earlier ones that makes a new direction.
        basis: Orthonormal vectors to begin with, shape (rank, M).
        numbers: Normal numbers that belong to them, of the same shape.
    """

    def __init__(
        self,
        paths: int,
        scale: float,
        new: float = _NEW,
        basis: Array | None = None,
        numbers: Array | None = None,
    ) -> None:
        self.weight, self.new = np.sqrt(scale / paths), new
        empty = np.empty((0, paths))
        self.basis = empty if basis is None else basis
        self.numbers = empty if numbers is None else numbers
        self._rank = len(self.basis)
        self._pending: Array | None = None

    @property
    def directions(self) -> tuple[Array, Array]:
        """The orthonormal vectors, and the normal numbers that belong to them."""
        return self.basis[: self._rank], self.numbers[: self._rank]

    def propose(self, signal: Array, fresh: Array) -> Array:
        """The field at the present time, if the signal is this; shape (M,).

        Args:
            signal: ψ of every path now.
            fresh: Normal numbers to use for what is new.
        """
        vector = self.weight * signal
        basis = self.basis[: self._rank]
        inside = basis @ vector
        rest = vector - inside @ basis
        again = basis @ rest  # a second pass against rounding
        rest -= again @ basis
        size = float(np.sqrt(rest @ rest))
        field = (inside + again) @ self.numbers[: self._rank]
        known = self._rank < len(vector) and size > self.new * float(np.sqrt(vector @ vector))
        self._pending = rest / size if known and size > 0 else None
        return np.asarray(field + size * fresh if self._pending is not None else field)

    def accept(self, fresh: Array) -> bool:
        """Keep the last proposal; whether it used the fresh numbers."""
        if self._pending is None:
            return False
        if self._rank == len(self.basis):
            room = np.empty((max(32, self._rank), self.basis.shape[1]))
            self.basis = np.concatenate([self.basis, room])
            self.numbers = np.concatenate([self.numbers, room])
        self.basis[self._rank], self.numbers[self._rank] = self._pending, fresh
        self._rank += 1
        return True


@dataclass(frozen=True, eq=False)
class History:
    """Paths on a grid of times.

    Args:
        outputs: Shape (outputs, times, M).
        fields: Local fields on every step, shape (couplings, steps + 1, M).
        noises: White noise of every step, shape (noises, steps, M).
        start: State at the first time, shape (fields, M).
        statics: Static inputs.
    """

    outputs: Array
    fields: Array
    noises: Array
    start: Array
    statics: Sequence[Array]


class March:
    """One set of M paths.

    Args:
        sampler: What is sampled.
        order: Couplings in groups, each of which can be drawn once earlier ones are known.
        timed: Time-dependent inputs on every step, one array each.
        step: Length of a step; 1 in a map.
    """

    def __init__(
        self,
        sampler: Sampler,
        order: Sequence[Sequence[int]],
        timed: Sequence[Array],
        step: float,
    ) -> None:
        self.sampler, self.unit = sampler, sampler.unit
        self.order, self.timed, self.step = order, timed, step
        rates = self.unit.fixed_rates(0.0)[:, None] * step
        self._decay = np.exp(rates)
        self._first, self._second = step * phi(1, rates), step * phi(2, rates)

    def run(
        self, mean: Array, std: Array, steps: int, every: int, paths: int, rng: np.random.Generator
    ) -> History:
        """Draw everything and march.

        Args:
            mean: Mean of every dynamic field at the first time.
            std: Its standard deviation.
            steps: Number of steps.
            every: Outputs are recorded every so many steps.
            paths: M.
            rng: Random numbers.
        """
        sampler, unit = self.sampler, self.unit
        start = np.array([m + s * stratified(paths, rng) for m, s in zip(mean, std, strict=True)])
        start = start.reshape(len(mean), paths)
        statics = [m + np.sqrt(v) * stratified(paths, rng) for m, v in sampler.statics]
        per_step = np.array([np.sqrt(2 * d / self.step) for d in sampler.intensities])
        noises = rng.standard_normal((len(per_step), steps, paths))
        noises -= noises.mean(axis=2, keepdims=True)  # exact mean and variance over paths
        noises *= per_step[:, None, None] / noises.std(axis=2, keepdims=True)
        sources = [CausalField(paths, float(sampler.scale[k])) for k in sampler.reads]
        matched = Matched(paths, [*(start - mean[:, None]), *statics])
        fields = np.zeros((len(sources), steps + 1, paths))
        outputs = np.empty((len(unit.outputs), steps // every + 1, paths))
        state = start
        for n in range(steps + 1):
            fresh = [matched.draw(rng) for _ in sources]
            if n == 0:
                self._draw(state, fields, 0, sources, fresh, noises, statics)
            else:
                state = self._advance(state, fields, n, sources, fresh, noises, statics)
            for source, numbers in zip(sources, fresh, strict=True):
                source.accept(numbers)
            if n % every == 0:
                drives = self._drives(fields, n, max(n - 1, 0), noises, statics)
                outputs[:, n // every] = unit.record(state, drives, 0.0)
        return History(outputs, fields, noises, start, statics)

    def follow(self, history: History, stride: int, every: int) -> Array:
        """Outputs of the same paths with the local fields of another march, on longer steps.

        Args:
            history: A march with steps ``stride`` times as short.
            stride: See above.
            every: Outputs are recorded every so many of the longer steps.
        """
        fields = history.fields[:, ::stride]
        shape = (len(history.noises), -1, stride, fields.shape[2])
        noises = history.noises.reshape(shape).mean(axis=2) if len(history.noises) else (
            np.empty((0, fields.shape[1] - 1, fields.shape[2]))
        )  # fmt: skip
        state, outputs = history.start, []
        for n in range(fields.shape[1]):
            if n:
                state = self._heun(state, fields, n, noises, history.statics, _CORRECTIONS)
            if n % every == 0:
                drives = self._drives(fields, n, max(n - 1, 0), noises, history.statics)
                outputs.append(self.unit.record(state, drives, 0.0))
        return np.stack(outputs, axis=1)

    def _drives(
        self, fields: Array, n: int, step: int, noises: Array, statics: Sequence[Array]
    ) -> list[Array]:
        noise = [w[step] for w in noises] if noises.shape[1] else [np.zeros(1)] * len(noises)
        return [*fields[:, n], *noise, *statics, *(c[n] for c in self.timed)]

    def _draw(
        self,
        state: Array,
        fields: Array,
        n: int,
        sources: Sequence[CausalField],
        fresh: Sequence[Array],
        noises: Array,
        statics: Sequence[Array],
    ) -> None:
        """Local fields at time n, given the state there, in place."""
        for group in self.order:
            drives = self._drives(fields, n, max(n - 1, 0), noises, statics)
            signals = self.unit.record(state, drives, 0.0)
            for a in group:
                fields[a, n] = sources[a].propose(signals[a], fresh[a])

    def _advance(
        self,
        state: Array,
        fields: Array,
        n: int,
        sources: Sequence[CausalField],
        fresh: Sequence[Array],
        noises: Array,
        statics: Sequence[Array],
    ) -> Array:
        if self.unit.discrete:
            state = self.unit.law(state, self._drives(fields, n - 1, n - 1, noises, statics), 0.0)
            self._draw(state, fields, n, sources, fresh, noises, statics)
            return state
        fields[:, n] = fields[:, n - 1]
        for _ in range(_CORRECTIONS):
            end = self._heun(state, fields, n, noises, statics, 1)
            self._draw(end, fields, n, sources, fresh, noises, statics)
        return self._heun(state, fields, n, noises, statics, _CORRECTIONS)

    def _heun(
        self,
        state: Array,
        fields: Array,
        n: int,
        noises: Array,
        statics: Sequence[Array],
        corrections: int,
    ) -> Array:
        """State at time n from that at n − 1, fields given at both."""
        before = self._drives(fields, n - 1, n - 1, noises, statics)
        after = self._drives(fields, n, n - 1, noises, statics)
        slope = self.unit.law(state, before, 0.0)
        if self.unit.discrete:
            return slope
        carried = self._decay * state + self._first * slope
        end = carried
        for _ in range(corrections):
            end = carried + self._second * (self.unit.law(end, after, 0.0) - slope)
        return np.asarray(end)


class Matched:
    """Normal numbers whose sample covariances with earlier ones vanish, and whose variance is 1.

    Covariances of linear fields then have no sampling error at all. Given up when the numbers
    already drawn span a quarter of the paths.

    Args:
        paths: M.
        given: What the numbers should also be uncorrelated with.
    """

    def __init__(self, paths: int, given: Sequence[Array]) -> None:
        self.paths, self._rows = paths, np.empty((64, paths))
        self._count = 0
        for row in (np.ones(paths), *given):
            self._keep(self._rid(np.array(row, float)))

    def draw(self, rng: np.random.Generator) -> Array:
        """The next M numbers."""
        numbers = rng.standard_normal(self.paths)
        if 4 * self._count < self.paths:
            numbers = self._rid(numbers)
            self._keep(numbers)
        return np.asarray(numbers / np.sqrt(np.mean(numbers**2)))

    def _rid(self, row: Array) -> Array:
        rows = self._rows[: self._count]
        return np.asarray(row - (rows @ row) @ rows)

    def _keep(self, row: Array) -> None:
        size = float(np.sqrt(row @ row))
        if size < 1e-9 * np.sqrt(self.paths):
            return
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[self._count] = row / size
        self._count += 1

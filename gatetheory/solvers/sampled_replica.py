"""One set of random numbers, and the map from covariances to covariances that it defines.

Drives are periodic with the window T, so that the unit settles in a periodic response and every
covariance is one on a circle: no burn-in has to be guessed. The state at the end of one evaluation
starts the next; while the response still changes, state and start differ at the seam.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.equations.single_site_process import SingleSiteProcess
from gatetheory.errors import DerivationError
from gatetheory.functions import instantiate
from gatetheory.solvers.sampled_noise import GaussianPaths, power, stratified
from gatetheory.solvers.sampled_paths import Drives, Paths, integrate
from gatetheory.solvers.sampled_unit import Unit, make_tangent_unit, make_unit

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """A circle of times.

    Args:
        points: Number of steps n on it, even.
        step: Length of a step; 1 in a map.
    """

    points: int
    step: float

    @property
    def window(self) -> float:
        """Period T."""
        return self.points * self.step

    @property
    def modes(self) -> int:
        """Highest frequency index."""
        return self.points // 2

    @property
    def lags(self) -> Array:
        """Lags 0 … T/2."""
        return np.asarray(self.step * np.arange(self.modes + 1, dtype=float))


class Sampler:
    """A process at parameters: what is drawn, and which couplings share a covariance.

    Args:
        process: The process.
        parameters: Exact values of all parameters.
    """

    def __init__(self, process: SingleSiteProcess, parameters: Mapping[Symbol, Expr]) -> None:
        self.process, self.parameters = process, dict(parameters)
        self.unit = make_unit(process, parameters)
        pairs = list(zip(process.signals, process.variances, strict=True))
        self.distinct = tuple(dict.fromkeys(pairs))
        self.reads = tuple(self.distinct.index(p) for p in pairs)
        """Which distinct covariance each coupling's field has."""
        self.signals = tuple(pairs.index(p) for p in self.distinct)
        """A coupling for every distinct covariance."""
        self.scale = np.array([self.number(v) for _, v in self.distinct])
        inputs = process.inputs
        self.intensities = [self.number(d) for d in inputs.noises.values()]
        self.statics = [(self.number(m), self.number(v)) for m, v in inputs.statics.values()]

    def require_stationary(self) -> None:
        """Refuse inputs that depend on time.

        Raises:
            DerivationError: If there is one: then nothing is stationary.
        """
        if self.process.inputs.timed:
            names = ", ".join(map(str, self.process.inputs.timed))
            raise DerivationError(
                f"input {names} depends on time, so that there is no stationary state; make it "
                "constant, or ask for the two-time covariances"
            )

    def times(self) -> tuple[float, float]:
        """The slowest time constant, and the shortest one the integrator has to resolve."""
        if self.unit.discrete:
            return 1.0, 1.0
        mass = [self.number(m) for m in self.process.mass]
        times = [m for m in mass if m > 0] or [1.0]
        fixed = -self.unit.fixed_rates(0.0)
        own = [1 / r if r > 0 else m for r, m in zip(fixed, times, strict=True)]
        explicit = [m for r, m in zip(fixed, times, strict=True) if r <= 0]
        return max(own), min(explicit or [max(own)])

    def number(self, expression: Expr) -> float:
        """Value of an expression in the parameters."""
        return float(instantiate(expression, self.process.definitions).xreplace(self.parameters))

    @cached_property
    def tangent_unit(self) -> Unit:
        """The unit with a perturbation."""
        return make_tangent_unit(self.process, self.parameters)


class Replica:
    """M paths with random numbers of their own.

    Args:
        sampler: What is sampled.
        paths: M.
        modes: Number of frequencies amplitudes are drawn for.
        seed: Seed of the random numbers.
    """

    def __init__(
        self, sampler: Sampler, paths: int, modes: int, seed: np.random.SeedSequence
    ) -> None:
        self.sampler, self.paths = sampler, paths
        rngs = [np.random.default_rng(s) for s in seed.spawn(4)]
        self._fields = [GaussianPaths(modes, paths, rngs[0]) for _ in sampler.reads]
        self._noises = [GaussianPaths(modes, paths, rngs[1]) for _ in sampler.intensities]
        self._statics = [m + np.sqrt(v) * stratified(paths, rngs[2]) for m, v in sampler.statics]
        self._modes, self._kick_rng = modes, rngs[3]
        self.state: Array | None = None
        self._tangent: Array | None = None
        self.seam = np.inf
        """Change of the state over the last period, relative to its spread over paths."""
        self.tangent_seam = np.inf
        """The same of the perturbation."""

    def drives(self, spectra: Array, grid: Grid, points: int | None = None) -> Drives:
        """Paths of everything that drives the unit.

        Args:
            spectra: S_k of every distinct covariance s²⟨ψψ'⟩, shape (distinct, n/2 + 1).
            grid: The times.
            points: Number of steps the local fields are interpolated to; by default the grid's.
        """
        sampler = self.sampler
        fields = [
            self._periodic(field, spectra[k], points or grid.points)
            for field, k in zip(self._fields, sampler.reads, strict=True)
        ]
        flat = np.ones(grid.modes + 1) / (grid.points if sampler.unit.discrete else grid.window)
        noises = [
            noise.paths(2 * d * flat, grid.points)
            for noise, d in zip(self._noises, sampler.intensities, strict=True)
        ]
        return Drives(fields, noises, self._statics)

    def _periodic(self, field: GaussianPaths, spectrum: Array, points: int) -> Array:
        """A path on half steps of a flow (steps of a map), its first point repeated at the end."""
        fine = points if self.sampler.unit.discrete else 2 * points
        values = field.paths(spectrum, fine)
        return np.concatenate([values, values[:1]])

    def run(self, spectra: Array, grid: Grid) -> Paths:
        """Response to fields of given covariances over one period."""
        unit = self.sampler.unit
        drives = self.drives(spectra, grid)
        if self.state is None:
            start = np.zeros((len(unit.dynamic), self.paths))
            self.state = integrate(unit, drives, start, grid.points, grid.step).end
        found = integrate(unit, drives, self.state, grid.points, grid.step)
        self.seam = _change(self.state, found.end)
        self.state = found.end
        return found

    def map(self, spectra: Array, grid: Grid) -> Array:
        """Spectra of s²⟨ψψ'⟩ that fields of given spectra lead to, shape as given."""
        outputs = self.run(spectra, grid).outputs
        return np.array([
            scale * power(outputs[a])
            for scale, a in zip(self.sampler.scale, self.sampler.signals, strict=True)
        ])  # fmt: skip

    @cached_property
    def _kicks(self) -> list[GaussianPaths]:
        return [GaussianPaths(self._modes, self.paths, self._kick_rng) for _ in self.sampler.reads]

    def tangent_map(self, spectra: Array, gains: Array, growth: float, grid: Grid) -> Array:
        """Spectra of s²⟨(R u)(R u)'⟩ for a perturbation u = v e^{−λt} kicked by given δη e^{−λt}.

        Args:
            spectra: Spectra of the local fields.
            gains: Spectra of δη e^{−λt}, shape (distinct, n/2 + 1).
            growth: λ.
            grid: The times.
        """
        unit = self.sampler.tangent_unit
        drives = self.tangent_drives(self.drives(spectra, grid), gains, grid)
        if self.state is None:
            self.run(spectra, grid)
        assert self.state is not None
        if self._tangent is None:
            empty = np.vstack([self.state, np.zeros_like(self.state)])
            self._tangent = integrate(unit, drives, empty, grid.points, grid.step, growth).end
        found = integrate(unit, drives, self._tangent, grid.points, grid.step, growth)
        fields = len(self.state)
        self.tangent_seam = _change(self._tangent[fields:], found.end[fields:])
        self._tangent = found.end
        return np.array([
            scale * power(found.outputs[a])
            for scale, a in zip(self.sampler.scale, self.sampler.signals, strict=True)
        ])  # fmt: skip

    def rescale_tangent(self, factor: float) -> None:
        """Multiply the perturbation by a factor."""
        if self._tangent is not None:
            self._tangent[len(self._tangent) // 2 :] *= factor

    def forget_tangent(self) -> None:
        """Start from no perturbation the next time."""
        self._tangent = None

    def tangent_drives(self, drives: Drives, spectra: Array, grid: Grid) -> Drives:
        """The same drives with perturbations of the local fields, of given spectra."""
        kicks = [
            self._periodic(kick, spectra[k], grid.points)
            for kick, k in zip(self._kicks, self.sampler.reads, strict=True)
        ]
        return Drives(drives.smooth, drives.noises, drives.statics, (), kicks)


class Pool:
    """Several replicas as one with all their paths: maps are averaged.

    Args:
        replicas: The replicas.
    """

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.replicas = tuple(replicas)
        self.sampler = self.replicas[0].sampler

    @property
    def seam(self) -> float:
        """The largest over replicas."""
        return max(r.seam for r in self.replicas)

    @property
    def tangent_seam(self) -> float:
        """The largest over replicas."""
        return max(r.tangent_seam for r in self.replicas)

    def map(self, spectra: Array, grid: Grid) -> Array:
        """As :meth:`Replica.map`."""
        return np.asarray(np.mean([r.map(spectra, grid) for r in self.replicas], axis=0))

    def tangent_map(self, spectra: Array, gains: Array, growth: float, grid: Grid) -> Array:
        """As :meth:`Replica.tangent_map`."""
        images = [r.tangent_map(spectra, gains, growth, grid) for r in self.replicas]
        return np.asarray(np.mean(images, axis=0))

    def rescale_tangent(self, factor: float) -> None:
        """As :meth:`Replica.rescale_tangent`."""
        for r in self.replicas:
            r.rescale_tangent(factor)

    def forget_tangent(self) -> None:
        """As :meth:`Replica.forget_tangent`."""
        for r in self.replicas:
            r.forget_tangent()


def _change(before: Array, after: Array) -> float:
    """Largest change of a field, relative to its spread over paths; shapes (fields, M)."""
    spread = np.sqrt(np.mean(after**2, axis=1)) + 1e-300
    moved = np.sqrt(np.mean((after - before) ** 2, axis=1))
    return float(np.max(moved / spread, initial=0.0))


def spawn(seed: int, what: int, count: int) -> Sequence[np.random.SeedSequence]:
    """Seeds of independent replicas.

    Args:
        seed: The user's seed.
        what: Number of the stage, so that stages draw independently.
        count: Number of replicas.
    """
    return np.random.SeedSequence((seed, what)).spawn(count)

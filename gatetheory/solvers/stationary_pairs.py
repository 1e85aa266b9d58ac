"""The law of a unit's fields at two times of a stationary state, at any lags.

With S_a the covariance of local field a and K_kl,a the response of a pair of fields to it,
C_kl(τ) = Σ_a K_kl,a * S_a + what white noise and static inputs add; C_kl(−τ) = C_lk(τ).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, ImmutableDenseMatrix, Symbol

from gatetheory.codegen.pairs_numpy import PairProgram, compile_pairs
from gatetheory.equations.adjoint_system import AdjointSystem
from gatetheory.functions import instantiate
from gatetheory.solvers.correlations import every_covariance, observed, positive
from gatetheory.solvers.lag_filter import Filter, reduce
from gatetheory.solvers.lag_functions import LagFunctions
from gatetheory.solvers.lag_problem import LagPoint, LagProblem

Array = NDArray[np.float64]

_TOLERANCE = 1e-14  # of averages, relative to the size of their functions
_NOTHING = 1e-6  # size, beside the largest, of a function that may vanish but for rounding
_PROBES = 24  # lags between nodes at which interpolation is checked


class StationaryPairs:
    """A stationary state in the fields of an adjoint system, F of them.

    Args:
        system: The equations.
        parameters: Exact values.
        problem: The lag problem of the state.
        point: Its solution.
    """

    def __init__(
        self,
        system: AdjointSystem,
        parameters: Mapping[Symbol, Expr],
        problem: LagProblem,
        point: LagPoint,
    ) -> None:
        self.system, self.parameters = system, dict(parameters)
        self.problem, self.point = problem, point
        linear = system.linear
        self.discrete = linear.discrete
        self.mass = self.row(linear.mass)
        self.drift, self.drives = self.matrix(linear.drift), self.matrix(linear.drives)
        self.statics, self.means = self.matrix(linear.statics), self.matrix(linear.means)[:, 0]
        self.noises = self.matrix(linear.noises)
        self.intensities, self.variances = self.row(linear.intensities), self.row(linear.variances)
        self.fields, self.couplings = len(linear.fields), len(system.couplings)
        self._compiled: dict[tuple[Expr, ...], PairProgram] = {}

    # ---- numbers -----------------------------------------------------------------------------

    def matrix(self, entries: ImmutableDenseMatrix) -> Array:
        """A matrix of expressions as numbers."""
        return self.row(tuple(entries)).reshape(entries.shape)

    def row(self, entries: Sequence[Expr]) -> Array:
        """Expressions in parameters as numbers."""
        definite = (instantiate(e, self.system.definitions) for e in entries)
        return np.array([float(e.xreplace(self.parameters)) for e in definite], dtype=float)

    @property
    def is_noisy(self) -> bool:
        """Whether white noise acts, so that covariances have a kink at lag 0."""
        return bool((self.intensities > 0).any())

    def filter(self, drives: Array) -> Filter:
        """The reduced linear system, forward in time."""
        return reduce(self.mass.tolist(), self.drift, drives, self.discrete)

    def adjoint_filter(self) -> Filter:
        """The reduced transposed system, one drive for each field."""
        identity = np.eye(self.fields)
        return reduce(self.mass.tolist(), self.drift.T, identity, self.discrete)

    # ---- covariances -------------------------------------------------------------------------

    @cached_property
    def _sources(self) -> tuple[Array, Array]:
        """S_a − S_a(∞) of every coupling at the nodes, shape (A, n), and S_a(∞)."""
        lag_system = self.problem.program.system
        lagged, equal, plateau = every_covariance(self.problem, self.point)
        table = np.hstack([lagged, equal[:, None], plateau[:, None]])
        values = observed(self.problem, table, positive(equal))[len(lag_system.observables) :]
        rows = values[list(lag_system.drive_sources[: self.couplings])]
        return rows[:, :-2] - rows[:, -1:], rows[:, -1]

    def local_covariances(self, lags: Array) -> Array:
        """⟨η_a(t+τ) η_a(t)⟩, shape (A, m); lags of shape (m,) and any sign."""
        decays, plateaus = self._sources
        at = np.abs(lags)
        rows = [self.point.grid.interpolate(d, at) for d in decays]
        return np.array(rows) + plateaus[:, None]

    @cached_property
    def _lagged(self) -> tuple[Array, Array, Array]:
        """Without noise: decaying parts at nodes, (F, F, n), at lag 0 and at infinity, (F, F)."""
        grid, identity = self.point.grid, np.eye(self.fields)
        decays, plateaus = self._sources
        whole, still = self.filter(self.drives), self.filter(self.statics)
        size, n = self.fields, len(grid.nodes)
        nodes, zero, far = (np.zeros(s) for s in ((size, size, n), (size, size), (size, size)))
        for k in range(size):
            for m in range(size):
                for a in range(self.couplings):
                    ahead = whole.kernel(identity[k], identity[m], a)
                    behind = whole.kernel(identity[m], identity[k], a)
                    if not (ahead.instant or len(ahead.rates) or len(behind.rates)):
                        continue
                    moved = grid.convolve(ahead, behind) @ decays[a]
                    nodes[k, m] += moved[:-1]
                    zero[k, m] += moved[-1]
                    far[k, m] += ahead.total * plateaus[a]
                for w, variance in enumerate(self.variances):
                    far[k, m] += variance * still.kernel(identity[k], identity[m], w).total
        return nodes, zero, far

    def covariances(self, lags: Array) -> Array:
        """C_kl at lags of any sign, shape (F, F, m)."""
        nodes, _, far = self._lagged
        at, negative = np.abs(lags), lags < 0
        size = range(self.fields)
        table = np.zeros((self.fields, self.fields, len(lags)))
        for k in size:
            for m in size:
                if nodes[k, m].any():
                    table[k, m] = self.point.grid.interpolate(nodes[k, m], at)
        table += far[:, :, None] + self.noise(at)
        return np.where(negative, table.transpose(1, 0, 2), table)

    def noise(self, lags: Array) -> Array:
        """What white noise adds to C_kl at lags ≥ 0, shape (F, F, m)."""
        table = np.zeros((self.fields, self.fields, len(lags)))
        if self.is_noisy:
            identity, white = np.eye(self.fields), self.filter(self.noises)
            for k in range(self.fields):
                for m in range(self.fields):
                    for w, d in enumerate(self.intensities):
                        kernel = white.kernel(identity[k], identity[m], w)
                        if self.discrete:
                            values = sum(
                                np.real(c * r**lags)
                                for c, r in zip(kernel.weights, kernel.rates, strict=True)
                            )
                            table[k, m] += 2 * d * (values + kernel.instant * (lags == 0))
                        else:
                            table[k, m] += 2 * d * kernel.flow(lags)
        return table

    @cached_property
    def equal(self) -> Array:
        """C_kl(0), shape (F, F)."""
        _, zero, far = self._lagged
        return np.asarray(zero + far + self.noise(np.zeros(1))[:, :, 0])

    # ---- averages ----------------------------------------------------------------------------

    def functions(self, outputs: Sequence[Expr]) -> LagFunctions:
        """Expressions with averages over pairs at t = t' + lag, as functions of the lag.

        Args:
            outputs: In the symbols of the pair's law and of parameters.
        """
        grid = self.point.grid
        nodes = grid.nodes
        far = 10 * nodes[-1] + 1
        between = np.floor(nodes) if self.discrete else (nodes[1:] + nodes[:-1]) / 2
        between = between[:: max(len(between) // _PROBES, 1)]
        values = self.averages(outputs, np.concatenate([nodes, -nodes, [far], between]))
        n, last = len(nodes), 2 * len(nodes)
        found = LagFunctions(grid, values[:, :n], values[:, n:last], values[:, last], 0.0)
        size = np.abs(found.ahead).max(axis=1, initial=0.0)
        size = np.maximum(size, _NOTHING * size.max(initial=0.0) + 1e-300)
        missed = np.abs(found(between) - values[:, last + 1 :]).max(axis=1) / size
        return replace(found, error=float(missed.max(initial=0.0)))

    @cached_property
    def signals(self) -> LagFunctions:
        """⟨ψ_a ψ_a'⟩ of every coupling."""
        return self.functions(self.system.signals)

    @cached_property
    def readouts(self) -> tuple[list[tuple[int, int, int]], LagFunctions]:
        """Nonzero entries of W_b,kl, by (b, k, l)."""
        size = range(self.fields)
        entries = {
            (b, k, m): matrix[k, m]
            for b, matrix in enumerate(self.system.readouts)
            for k in size
            for m in size
            if matrix[k, m] != 0
        }
        return list(entries), self.functions(list(entries.values()))

    def averages(self, outputs: Sequence[Expr], lags: Array) -> Array:
        """The same at given lags, shape (outputs, m)."""
        if not outputs:
            return np.zeros((0, len(lags)))
        known = self._arguments(lags)
        definite = tuple(self._definite(e) for e in outputs)
        if definite not in self._compiled:
            self._compiled[definite] = compile_pairs(definite, tuple(known))
        return self._compiled[definite](*known.values(), tolerance=_TOLERANCE)

    def _definite(self, e: Expr) -> Expr:
        """Definitions and parameters put in; both times of the pair have the same law."""
        return instantiate(e, self.system.definitions).xreplace(self._same | self.parameters)

    @cached_property
    def _same(self) -> dict[Symbol, Symbol]:
        law = self.system.pair
        size = range(law.size)
        same = {
            law.covariance[law.size + i, law.size + j]: law.covariance[i, j]
            for i in size
            for j in size
            if law.covariance[i, j].is_Symbol
        }
        return same | dict(zip(law.means_then, law.means_now, strict=True))

    def _arguments(self, lags: Array) -> dict[Symbol, float | Array]:
        law = self.system.pair
        across, size = self.covariances(lags), range(law.size)
        known: dict[Symbol, float | Array] = {}
        for i in size:
            known[law.means_now[i]] = float(self.means[i])
            for j in size:
                equal, lagged = law.covariance[i, j], law.covariance[i, law.size + j]
                if equal.is_Symbol:
                    known[equal] = float(self.equal[i, j])
                if lagged.is_Symbol:
                    known[lagged] = across[i, j]
        return known

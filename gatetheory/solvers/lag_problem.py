"""A lag system at given parameters, discretised: residual and Jacobian of y = S(K * y).

The unknowns are the sources y_s(τ) = plateau_s + decay_s(τ) on a grid. Covariances follow from
them, C_k = Σ_s M_ks decay_s + t_ks plateau_s + given part, and have to reproduce the sources. The
Jacobian is made of Price's derivatives, at lag τ and at lag 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.codegen.pairs_numpy import PairProgram, compile_pairs
from gatetheory.equations.lag_system import KAPPA, Covariance, LagSystem
from gatetheory.errors import ConvergenceError
from gatetheory.functions import instantiate
from gatetheory.solvers.lag_continuity import Continuity
from gatetheory.solvers.lag_filter import Kernel, reduce
from gatetheory.solvers.lag_grid import ElementGrid, Grid

Array = NDArray[np.float64]

_INPUTS = ("drives", "noises", "statics")
_STRENGTHS = ("intensities", "variances")


class LagProgram:
    """A lag system compiled once for all parameters.

    Only the core is iterated: sources that feed covariances that sources read.
    """

    def __init__(self, system: LagSystem) -> None:
        self.system = system
        names = list(system.sources)
        covariances = system.covariances
        core = _core(system)
        self.sources = [names.index(n) for n in core]
        self.read = [
            k
            for k, c in enumerate(covariances)
            if any(system.sources[n].has(c.symbol, c.equal) for n in core)
        ]
        self.variances_read = [
            row for row, k in enumerate(self.read) if covariances[k].first == covariances[k].second
        ]
        mains = [row for row, k in enumerate(self.read) if covariances[k].name == system.main]
        self.main = mains[0] if mains else self.variances_read[0]
        self.arguments = (
            *(c.symbol for c in covariances),
            *(c.equal for c in covariances),
            KAPPA,
            *system.parameters,
        )
        slopes, equal = system.slopes, system.equal_time_slopes
        values = [system.sources[n] for n in core]
        at_lag = [slopes[s, k] for s in self.sources for k in self.read]
        at_zero = [equal[s, k] for s in self.sources for k in self.read]
        self.values = self._compile(values)
        self.with_slopes = self._compile([*values, *at_lag, *at_zero])
        self.lag_slopes = self._compile(at_lag)
        self.outputs = self._compile([*system.observables.values(), *system.sources.values()])
        self.definite = [instantiate(e, system.definitions) for e in system.exact_where]
        put = partial(instantiate, definitions=system.definitions)
        self.matrices = {n: put(getattr(system, n)) for n in ("drift", *_INPUTS)}
        self.rows = {n: [*map(put, getattr(system, n))] for n in ("mass", *_STRENGTHS)}
        self.weights = [([*map(put, c.first)], [*map(put, c.second)]) for c in covariances]

    def _compile(self, expressions: list[Expr]) -> PairProgram:
        definite = [instantiate(e, self.system.definitions) for e in expressions]
        return compile_pairs(definite, self.arguments)


def _core(system: LagSystem) -> list[str]:
    """Names of the sources that the covariances read by sources depend on."""
    fed: dict[str, set[str]] = {}
    for name, source in system.sources.items():
        fed[name] = {c.name for c in system.covariances if source.has(c.symbol, c.equal)}
    reads = {name: _feeding(system, covariances) for name, covariances in fed.items()}
    # A source is in the core when it lies on a loop or upstream of one: drop what nobody reads.
    core = set(system.sources)
    while True:
        read = set().union(*(reads[n] for n in core))
        if core <= read:
            return [n for n in system.sources if n in core]
        core &= read


def _feeding(system: LagSystem, covariances: set[str]) -> set[str]:
    """Sources with a path through the linear system into any of the covariances."""
    names = list(system.sources)
    found: set[str] = set()
    reach = _reach(system)
    for c in system.covariances:
        if c.name in covariances:
            used = {i for i, (a, b) in enumerate(zip(c.first, c.second, strict=True)) if a or b}
            for drive, source in enumerate(system.drive_sources):
                if any(reach[i][drive] for i in used):
                    found.add(names[source])
    return found


def _reach(system: LagSystem) -> list[list[bool]]:
    """Whether a drive influences a field, directly or through other fields."""
    n, m = system.drives.shape
    table = [[system.drives[i, a] != 0 for a in range(m)] for i in range(n)]
    for _ in range(n):
        for i in range(n):
            for j in range(n):
                if i != j and system.drift[i, j] != 0:
                    table[i] = [x or y for x, y in zip(table[i], table[j], strict=True)]
    return table


@dataclass(frozen=True)
class LagPoint:
    """Sources on a grid.

    Args:
        grid: The grid.
        plateau: Values at infinite lag, shape (sources,).
        decay: The rest at the nodes, shape (sources, n).
        scale: Factor μ on every source; 1 for the problem itself.
    """

    grid: Grid
    plateau: Array
    decay: Array
    scale: float = 1.0

    @property
    def vector(self) -> Array:
        """Unknowns in one vector."""
        return np.concatenate([self.plateau, self.decay.ravel()])

    def moved(self, vector: Array, scale: float | None = None) -> LagPoint:
        """The same grid with other unknowns."""
        s = len(self.plateau)
        return replace(
            self,
            plateau=vector[:s],
            decay=vector[s:].reshape(s, -1),
            scale=self.scale if scale is None else scale,
        )

    def on(self, grid: Grid) -> LagPoint:
        """Interpolated to another grid."""
        rows = [self.grid.interpolate(row, grid.nodes) for row in self.decay]
        return replace(self, grid=grid, decay=np.array(rows))


@dataclass(frozen=True)
class Covariances:
    """Covariances that belong to a point, by index into those that sources read.

    Args:
        lagged: At the nodes, shape (covariances, n).
        equal: At lag 0.
        plateau: At infinite lag.
    """

    lagged: Array
    equal: Array
    plateau: Array


class LagProblem:
    """A lag program with numbers for the parameters.

    Raises:
        ConvergenceError: If the linear system does not forget its initial state.
    """

    def __init__(self, program: LagProgram, parameters: Mapping[Symbol, Expr]) -> None:
        self.program = program
        system = program.system
        self.values = [_number(parameters[p]) for p in system.parameters]

        at = dict(parameters)

        def row(entries: Sequence[Expr]) -> Array:
            return np.array([_number(e.xreplace(at)) for e in entries], dtype=float)

        mass = row(program.rows["mass"]).tolist()
        drift, *inputs = (
            row(list(m)).reshape(m.shape)
            for m in (program.matrices[n] for n in ("drift", *_INPUTS))
        )
        self.filter, self._noise, self._static = (
            reduce(mass, drift, matrix, system.discrete) for matrix in inputs
        )
        self.intensities, self.variances = (row(program.rows[n]) for n in _STRENGTHS)
        self._weights = [(row(first), row(second)) for first, second in program.weights]
        self._continuity: dict[Grid, Continuity] = {}
        self._matrices: dict[tuple[Grid, float], tuple[Array, Array]] = {}
        self._kernels: dict[tuple[int, int, float], tuple[Kernel, Kernel]] = {}

    @property
    def sources(self) -> int:
        """Number of sources in the core."""
        return len(self.program.sources)

    @property
    def covariances(self) -> tuple[Covariance, ...]:
        """Every covariance of the system."""
        return self.program.system.covariances

    @property
    def is_noisy(self) -> bool:
        """Whether white noise of positive intensity acts."""
        return bool((self.intensities > 0).any())

    def kernel(self, k: int, drive: int, rate: float = 0.0) -> tuple[Kernel, Kernel]:
        """Kernels of covariance k for one drive at positive and at negative lags."""
        key = k, drive, rate
        if key not in self._kernels:
            first, second = self._weights[k]
            ahead = behind = self.filter.kernel(first, second, drive, rate)
            if (first != second).any():
                behind = self.filter.kernel(second, first, drive, rate)
            self._kernels[key] = ahead, behind
        return self._kernels[key]

    def response(self, grid: Grid, k: int, rate: float = 0.0) -> tuple[Array, Array]:
        """M_k of every source, shape (all sources, n + 1, n), and t_k, shape (all sources,)."""
        n = len(grid.nodes)
        count = len(self.program.system.sources)
        matrices, totals = np.zeros((count, n + 1, n)), np.zeros(count)
        for drive, source in enumerate(self.program.system.drive_sources):
            ahead, behind = self.kernel(k, drive, rate)
            if ahead.instant or len(ahead.rates) or len(behind.rates):
                matrices[source] += grid.convolve(ahead, behind)
                totals[source] += ahead.total
        return matrices, totals

    def given(self, grid: Grid, k: int) -> tuple[Array, float]:
        """White-noise part at the nodes and lag 0, shape (n + 1,), and static part."""
        first, second = self._weights[k]
        white = np.zeros(len(grid.nodes) + 1)
        for w, intensity in enumerate(self.intensities):
            if intensity:
                white += 2 * intensity * grid.sample(self._noise.kernel(first, second, w))
        static = sum(
            v * self._static.kernel(first, second, w).total for w, v in enumerate(self.variances)
        )
        return white, float(static)

    def odd_response(self, grid: ElementGrid, rates: Array) -> Array:
        """Derivatives of the covariances read that odd sources leave, shape (K, n)."""
        n = len(grid.nodes)
        result = np.zeros((len(self.program.read), n))
        for row, k in enumerate(self.program.read):
            for drive, source in enumerate(self.program.system.drive_sources):
                if source in self.program.sources:
                    ahead, behind = self.kernel(k, drive)
                    matrix = grid.convolve(ahead, behind, parity=-1)[:n]
                    result[row] += matrix @ rates[self.program.sources.index(source)]
        return result

    def given_derivative(self, grid: ElementGrid) -> Array:
        """Derivatives of what white noise leaves of the covariances read, shape (K, n)."""
        result = np.zeros((len(self.program.read), len(grid.nodes)))
        for row, k in enumerate(self.program.read):
            first, second = self._weights[k]
            for w, intensity in enumerate(self.intensities):
                if intensity:
                    kernel = self._noise.kernel(first, second, w)
                    faster = replace(kernel, weights=kernel.weights * kernel.rates)
                    result[row] += 2 * intensity * faster.flow(grid.nodes)
        return result

    def operators(self, grid: Grid, rate: float = 0.0) -> tuple[Array, Array]:
        """M and t between core sources and covariances read, shapes (K, S, n + 1, n), (K, S)."""
        key = grid, rate
        if key not in self._matrices:
            if len(self._matrices) > 6:
                self._matrices.pop(next(iter(self._matrices)))
            parts = [self.response(grid, k, rate) for k in self.program.read]
            core = self.program.sources
            self._matrices[key] = (
                np.array([m[core] for m, _ in parts]),
                np.array([t[core] for _, t in parts]),
            )
        return self._matrices[key]

    def covariances_at(self, point: LagPoint) -> Covariances:
        """Covariances that sources read."""
        matrices, totals = self.operators(point.grid)
        full = np.einsum("ksij,sj->ki", matrices, point.decay)
        plateau = totals @ point.plateau
        given = [self.given(point.grid, k) for k in self.program.read]
        white, static = np.array([w for w, _ in given]), np.array([s for _, s in given])
        full = full + plateau[:, None] + white + static[:, None]
        return Covariances(full[:, :-1], full[:, -1], plateau + static)

    def evaluate(
        self, point: LagPoint, tolerance: float, *, slopes: bool = True
    ) -> tuple[Array, Array | None, Array | None]:
        """S at the nodes and at infinite lag, and its derivatives.

        Returns:
            S, shape (S, n + 1), infinite lag last; ∂S/∂C(τ) and ∂S/∂C(0), shape (S, K, n + 1).

        Raises:
            ConvergenceError: If the covariances are no covariances.
        """
        c = self.covariances_at(point)
        lagged = np.hstack([c.lagged, c.plateau[:, None]])
        program = self.program.with_slopes if slopes else self.program.values
        found = program(*self.pair_arguments(lagged, c.equal), tolerance=tolerance)
        if not np.isfinite(found).all():
            raise ConvergenceError("averages over the pair are not finite at these covariances")
        s, k = self.sources, len(self.program.read)
        if not slopes:
            return point.scale * found, None, None
        found = found * point.scale
        at_lag = found[s : s + s * k].reshape(s, k, -1)
        return found[:s], at_lag, found[s + s * k :].reshape(s, k, -1)

    def continuity(self, grid: Grid) -> Continuity:
        """What plateaus and decays must meet on a grid."""
        if grid not in self._continuity:
            own = grid.continuity(self.filter.slowest)
            self._continuity = {grid: own.repeated(self.sources, before=self.sources)}
        return self._continuity[grid]

    @property
    def slowest_rate(self) -> float:
        """Decay rate of a unit's slowest mode."""
        return 1 / max(self.filter.slowest, 1e-3)

    def replica_slopes(self, point: LagPoint, tolerance: float, rate: float) -> Array:
        """∂S/∂C(τ) at the nodes, variances fixed, replicas separating at a rate; (S, K, n)."""
        c = self.covariances_at(point)
        arguments = self.pair_arguments(c.lagged, c.equal, rate)
        found = self.program.lag_slopes(*arguments, tolerance=tolerance)
        if not np.isfinite(found).all():
            raise ConvergenceError("averages over the pair are not finite at these covariances")
        return found.reshape(self.sources, len(self.program.read), -1)

    def sources_of(self, shape: Array, tolerance: float) -> Array:
        """S where every autocovariance has a given shape, cross-covariances 0; shape (S, n + 1).

        Args:
            shape: At the nodes, 1 at lag 0.
            tolerance: Accuracy of averages.
        """
        rows = len(self.program.read)
        equal, lagged = np.zeros(rows), np.zeros((rows, len(shape) + 1))
        equal[self.program.variances_read] = 1.0
        lagged[self.program.variances_read, :-1] = shape
        return self.program.values(*self.pair_arguments(lagged, equal), tolerance=tolerance)

    def pair_arguments(self, lagged: Array, equal: Array, rate: float = 0.0) -> list[float | Array]:
        """Arguments of compiled pairs at covariances that sources read."""
        count = len(self.covariances)
        at_lag: list[float | Array] = [0.0] * count
        at_zero: list[float | Array] = [1.0] * count
        for row, k in enumerate(self.program.read):
            at_lag[k], at_zero[k] = lagged[row], float(equal[row])
        return [*at_lag, *at_zero, rate, *self.values]

    def residual(self, point: LagPoint, tolerance: float) -> Array:
        """S − y, shape as the vector of unknowns."""
        values = self.evaluate(point, tolerance, slopes=False)[0]
        return self._residual(point, values)

    def _residual(self, point: LagPoint, values: Array) -> Array:
        nodes = values[:, :-1] - point.plateau[:, None] - point.decay
        return np.concatenate([values[:, -1] - point.plateau, nodes.ravel()])

    def linearized(self, point: LagPoint, tolerance: float) -> tuple[Array, Array, Array]:
        """Residual, its Jacobian, and its derivative by the scale μ."""
        values, at_lag, at_zero = self.evaluate(point, tolerance)
        assert at_lag is not None
        assert at_zero is not None
        matrices, totals = self.operators(point.grid)
        s, n = self.sources, len(point.grid.nodes)
        decays = np.einsum("aki,kbij->aibj", at_lag[:, :, :-1], matrices[:, :, :-1])
        decays += np.einsum("aki,kbj->aibj", at_zero[:, :, :-1], matrices[:, :, -1])
        plateaus = np.einsum("aki,kb->aib", at_lag + at_zero, totals)
        jacobian = -np.eye(s * (n + 1))
        jacobian[s:, s:] += decays.reshape(s * n, s * n)
        jacobian[s:, :s] += plateaus[:, :-1].reshape(s * n, s)
        jacobian[:s, :s] += plateaus[:, -1]
        end = np.einsum("ak,kbj->abj", at_zero[:, :, -1], matrices[:, :, -1])
        jacobian[:s, s:] += end.reshape(s, s * n)
        jacobian[s:, :s] -= np.repeat(np.eye(s), n, axis=0)
        by_scale = np.concatenate([values[:, -1], values[:, :-1].ravel()]) / point.scale
        return self._residual(point, values), jacobian, by_scale


def _number(value: Expr) -> float:
    return float(value)

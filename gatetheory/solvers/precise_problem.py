"""A lag system at exact parameters on a grid, to any number of digits.

The unknowns and equations are those of :mod:`gatetheory.solvers.lag_problem`: sources
y_s(τ) = plateau_s + decay_s(τ) that reproduce themselves, y = S(K * y). Residuals and products with
the Jacobian are balls; the Jacobian itself, which only steers chord steps, is one of doubles.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray
from sympy import Expr, Symbol, sympify

from gatetheory.codegen.pairs_ball import PairProgram, compile_pairs
from gatetheory.codegen.precision_ball import bits_of, exact_to_ball, working_precision
from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.functions import instantiate
from gatetheory.solvers.lag_problem import LagProgram
from gatetheory.solvers.precise_convolution import Convolution
from gatetheory.solvers.precise_filter import PreciseFilter, PreciseKernel, reduce_precisely, row_of
from gatetheory.solvers.precise_grid import PreciseGrid

Array = NDArray[np.float64]

SPARE_DIGITS = 8  # carried beyond those asked for


class PreciseProgram:
    """A lag system compiled once for any number of digits.

    Raises:
        ParameterError: If it is a map: its lags are counted, not resolved.
    """

    def __init__(self, program: LagProgram) -> None:
        self.program = program
        system = program.system
        if system.discrete:
            raise ParameterError(
                "many digits are computed in continuous time only; for a map use digits=15"
            )
        names = list(system.sources)
        values = [system.sources[names[s]] for s in program.sources]
        slopes, equal = system.slopes, system.equal_time_slopes
        at_lag = [slopes[s, k] for s in program.sources for k in program.read]
        at_zero = [equal[s, k] for s in program.sources for k in program.read]
        linear = [*system.mass, *system.drift, *system.drives, *system.noises, *system.statics]
        linear += [*system.intensities, *system.variances]
        linear += [e for c in system.covariances for e in (*c.first, *c.second)]
        self.linear_symbols: set[Symbol] = set()
        for entry in linear:
            definite = instantiate(sympify(entry), system.definitions)
            self.linear_symbols |= definite.free_symbols
        self.values = self._compile(values)
        self.with_slopes = self._compile([*values, *at_lag, *at_zero])
        self.outputs = self._compile([*system.observables.values(), *system.sources.values()])

    def _compile(self, expressions: Sequence[Expr]) -> PairProgram:
        definitions = self.program.system.definitions
        return compile_pairs(
            [instantiate(e, definitions) for e in expressions], self.program.arguments
        )


@dataclass(frozen=True)
class PreciseCovariances:
    """Covariances read by sources: at the nodes, at lag 0 and at infinite lag."""

    lagged: list[list[arb]]
    equal: list[arb]
    plateau: list[arb]


@dataclass(frozen=True)
class Slopes:
    """∂S_a/∂C_k(τ) and ∂S_a/∂C_k(0), infinite lag last; indexed [a][k][node]."""

    at_lag: list[list[list[arb]]]
    at_zero: list[list[list[arb]]]


class PreciseProblem:
    """See the module's text. The vector of unknowns is plateaus, then decays source by source.

    Args:
        program: The compiled system.
        parameters: Exact values.
        grid: Where functions of the lag are represented.
        digits: Digits of the averages; everything is computed with :data:`SPARE_DIGITS` more.
    """

    def __init__(
        self,
        program: PreciseProgram,
        parameters: Mapping[Symbol, Expr],
        grid: PreciseGrid,
        digits: int,
    ) -> None:
        self.program, self.parameters, self.grid = program, dict(parameters), grid
        self.digits, self.bits = digits, bits_of(digits + SPARE_DIGITS)
        system = program.program.system
        self.system = system
        with self.precision():
            self.values = [exact_to_ball(parameters[p]) for p in system.parameters]
            self._weights = [
                (row_of(system, parameters, c.first), row_of(system, parameters, c.second))
                for c in system.covariances
            ]
            self._drives, self._noises, self._statics = (
                reduce_precisely(system, parameters, columns)
                for columns in (system.drives, system.noises, system.statics)
            )
            self._intensities = row_of(system, parameters, system.intensities).entries()
            self._variances = row_of(system, parameters, system.variances).entries()
            parts = [self._linear(k) for k in program.program.read]
        core = program.program.sources
        self._terms = [
            [(core.index(source), c) for source, c in terms if source in core]
            for terms, _, _ in parts
        ]
        self._given = [(white, static) for _, white, static in parts]

    def _linear(self, k: int) -> tuple[list[tuple[int, Convolution]], list[arb], arb]:
        """What makes a covariance: convolutions by source, the white and the static part."""
        terms = [
            (source, Convolution(self.grid, kernel))
            for drive, source in enumerate(self.system.drive_sources)
            if not (kernel := self._kernel(self._drives, k, drive)).is_zero
        ]
        static = arb(0)
        for w, variance in enumerate(self._variances):
            static += variance * self._kernel(self._statics, k, w).total
        return terms, self._noise(k), static

    def at(self, symbol: Symbol, value: Expr) -> PreciseProblem:
        """The same with another value of one parameter; what does not change is shared."""
        parameters = {**self.parameters, symbol: value}
        if symbol in self.program.linear_symbols:
            return PreciseProblem(self.program, parameters, self.grid, self.digits)
        other = copy.copy(self)
        other.parameters = parameters
        with self.precision():
            other.values = [exact_to_ball(parameters[p]) for p in self.system.parameters]
        return other

    def precision(self) -> AbstractContextManager[None]:
        """The working precision of everything here."""
        return working_precision(self.bits)

    def _kernel(self, filtered: PreciseFilter, k: int, column: int) -> PreciseKernel:
        first, second = self._weights[k]
        covariance = self.system.covariances[k]
        kernel = filtered.kernel(first, second, column)
        if covariance.first == covariance.second:  # one side serves for both
            return PreciseKernel(kernel.ahead, kernel.ahead, kernel.instant, kernel.total)
        return kernel

    def _noise(self, k: int) -> list[arb]:
        """What white noise leaves at the nodes and at lag 0."""
        lags = [*self.grid.nodes(), arb(0)]
        result = [arb(0)] * len(lags)
        for w, intensity in enumerate(self._intensities):
            if intensity.is_zero():
                continue
            side = self._kernel(self._noises, k, w).ahead
            result = [r + 2 * intensity * side.at(lag) for r, lag in zip(result, lags, strict=True)]
        return result

    @property
    def sources(self) -> int:
        """Number of sources in the core."""
        return len(self.program.program.sources)

    @property
    def size(self) -> int:
        """Number of unknowns."""
        return self.sources * (self.grid.size + 1)

    def split(self, vector: Sequence[arb]) -> tuple[list[arb], list[list[arb]]]:
        """Plateaus and decays of a vector of unknowns."""
        s, n = self.sources, self.grid.size
        return list(vector[:s]), [list(vector[s + a * n : s + (a + 1) * n]) for a in range(s)]

    def response(self, vector: Sequence[arb]) -> PreciseCovariances:
        """The covariances' linear part: what the sources leave of them."""
        plateaus, decays = self.split(vector)
        known = dict(enumerate(zip(plateaus, decays, strict=True)))
        rows = [self._responding(terms, known) for terms in self._terms]
        return PreciseCovariances([r[:-2] for r in rows], [r[-2] for r in rows], [r[-1] for r in rows])

    def _responding(
        self, terms: Sequence[tuple[int, Convolution]], known: Mapping[int, tuple[arb, list[arb]]]
    ) -> list[arb]:
        """What sources, given as plateau and decay, leave at the nodes, lag 0 and infinity."""
        total, constant = [arb(0)] * (self.grid.size + 1), arb(0)
        for a, convolution in terms:
            plateau, decay = known[a]
            total = [t + f for t, f in zip(total, convolution(decay), strict=True)]
            constant += convolution.kernel.total * plateau
        return [*(t + constant for t in total), constant]

    def covariance(self, k: int, known: Mapping[int, tuple[arb, list[arb]]]) -> list[arb]:
        """Any covariance from all sources: at the nodes, at lag 0 and at infinite lag."""
        terms, white, static = self._linear(k)
        found = self._responding(terms, known)
        return [x + w + static for x, w in zip(found, [*white, arb(0)], strict=True)]

    def covariances(self, vector: Sequence[arb]) -> PreciseCovariances:
        """Covariances that sources read."""
        c = self.response(vector)
        for row, (white, static) in enumerate(self._given):
            c.lagged[row] = [
                x + w + static for x, w in zip(c.lagged[row], white[:-1], strict=True)
            ]
            c.equal[row] += white[-1] + static
            c.plateau[row] += static
        return c

    def residual(self, vector: Sequence[arb]) -> list[arb]:
        """S − y, ordered as the unknowns."""
        with self.precision():
            found = self._evaluated(self.program.values, vector)
            return self._difference([list(row) for row in found.tolist()], vector)

    def linearized(self, vector: Sequence[arb]) -> tuple[list[arb], Slopes]:
        """The residual and what its Jacobian is made of."""
        s, reads = self.sources, len(self._terms)
        with self.precision():
            table = self._evaluated(self.program.with_slopes, vector).tolist()
            blocks = [table[s + a * reads : s + (a + 1) * reads] for a in range(2 * s)]
            return self._difference(table[:s], vector), Slopes(blocks[:s], blocks[s:])

    def _evaluated(self, program: PairProgram, vector: Sequence[arb]) -> arb_mat:
        c = self.covariances(vector)
        count = len(self.system.covariances)
        at_lag: list[list[arb]] = [[arb(0)]] * count
        at_zero = [arb(1)] * count
        for row, k in enumerate(self.program.program.read):
            at_lag[k] = [*c.lagged[row], c.plateau[row]]
            at_zero[k] = c.equal[row]
        covariances = self.system.covariances
        for row, k in enumerate(self.program.program.read):
            if covariances[k].first == covariances[k].second and not at_zero[k] > 0:
                raise ConvergenceError(f"the variance in {covariances[k].name} is not positive")
        lags = [row if len(row) > 1 else row[0] for row in at_lag]
        return program(*lags, *at_zero, arb(0), *self.values, digits=self.digits)

    def _difference(self, values: Sequence[Sequence[arb]], vector: Sequence[arb]) -> list[arb]:
        plateaus, decays = self.split(vector)
        ends = [row[-1] - p for row, p in zip(values, plateaus, strict=True)]
        result = list(ends)
        for row, p, decay in zip(values, plateaus, decays, strict=True):
            result += [v - p - y for v, y in zip(row[:-1], decay, strict=True)]
        return result

    def times_jacobian(self, slopes: Slopes, vector: Sequence[arb]) -> list[arb]:
        """The Jacobian of the residual times a vector."""
        with self.precision():
            c = self.response(vector)
            changes = []
            for lag, zero in zip(slopes.at_lag, slopes.at_zero, strict=True):
                total = [arb(0)] * (self.grid.size + 1)
                for k in range(len(self._terms)):
                    lagged = [*c.lagged[k], c.plateau[k]]
                    total = [
                        t + a * x + b * c.equal[k]
                        for t, a, x, b in zip(total, lag[k], lagged, zero[k], strict=True)
                    ]
                changes.append(total)
            return self._difference(changes, vector)

    def jacobian(self, slopes: Slopes) -> Array:
        """The Jacobian in doubles, shape (unknowns, unknowns)."""
        s, n = self.sources, self.grid.size
        at_lag, at_zero = (
            np.array([[[float(x) for x in row] for row in rows] for rows in table])
            for table in (slopes.at_lag, slopes.at_zero)
        )
        result = np.zeros((s * (n + 1), s * (n + 1)))
        own = [slice(s + a * n, s + (a + 1) * n) for a in range(s)]
        for k, terms in enumerate(self._terms):
            for b, convolution in terms:
                matrix, total = convolution.matrix(), float(convolution.kernel.total)
                for a in range(s):
                    lag, zero = at_lag[a, k], at_zero[a, k]
                    result[own[a], own[b]] += lag[:n, None] * matrix[:n]
                    result[own[a], own[b]] += np.outer(zero[:n], matrix[n])
                    result[a, own[b]] += zero[n] * matrix[n]
                    result[own[a], b] += total * (lag + zero)[:n]
                    result[a, b] += total * (lag + zero)[n]
        for a in range(s):
            result[own[a], a] -= 1
        return result - np.eye(len(result))

    def amplitude_row(self) -> Array:
        """C(0) − C(∞) of the main covariance as a linear form of the unknowns, in doubles."""
        n, row = self.grid.size, np.zeros(self.size)
        for a, convolution in self._terms[self.program.program.main]:
            start = self.sources + a * n
            row[start : start + n] += convolution.matrix()[-1]
        return row

    def amplitude(self, vector: Sequence[arb]) -> arb:
        """C(0) − C(∞) of the main covariance, white noise left out."""
        with self.precision():
            c, row = self.response(vector), self.program.program.main
            return c.equal[row] - c.plateau[row]

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
from flint import arb
from numpy.typing import NDArray
from sympy import Expr, Symbol, sympify

from gatetheory.codegen.pairs_ball import PairProgram, compile_pairs
from gatetheory.codegen.precision_ball import bits_of, exact_to_ball, working_precision
from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.functions import instantiate
from gatetheory.solvers.lag_problem import LagProgram
from gatetheory.solvers.precise_grid import PreciseGrid
from gatetheory.solvers.precise_linear import Lagged, PreciseLinear, known_sources

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
                "many digits of correlations are computed in continuous time only; for a map use "
                "digits=15"
            )
        names = list(system.sources)
        values = [system.sources[names[s]] for s in program.sources]
        slopes, equal = system.slopes, system.equal_time_slopes
        at_lag = [slopes[s, k] for s in program.sources for k in program.read]
        at_zero = [equal[s, k] for s in program.sources for k in program.read]
        linear = [*system.mass, *system.drift, *system.drives, *system.noises, *system.statics]
        linear += [*system.intensities, *system.variances]
        linear += [e for c in system.covariances for e in (*c.first, *c.second)]
        definite = [instantiate(sympify(e), system.definitions) for e in linear]
        self.linear_symbols: set[Symbol] = set().union(*(e.free_symbols for e in definite))
        self.values = self._compile(values)
        self.with_slopes = self._compile([*values, *at_lag, *at_zero])
        self.outputs = self._compile([*system.observables.values(), *system.sources.values()])

    def _compile(self, expressions: Sequence[Expr]) -> PairProgram:
        definitions = self.program.system.definitions
        return compile_pairs(
            [instantiate(e, definitions) for e in expressions], self.program.arguments
        )


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
        self.system, self.digits, self.bits = (
            program.program.system, digits, bits_of(digits + SPARE_DIGITS),
        )  # fmt: skip
        with self.precision():
            self.values = [exact_to_ball(parameters[p]) for p in self.system.parameters]
            self.linear = PreciseLinear(self.system, parameters, grid)
            self._rows = [self.linear.row(k) for k in program.program.read]

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

    @property
    def sources(self) -> int:
        """Number of sources in the core."""
        return len(self.program.program.sources)

    def split(self, vector: Sequence[arb]) -> tuple[list[arb], list[list[arb]]]:
        """Plateaus and decays of a vector of unknowns."""
        s, n = self.sources, self.grid.size
        return list(vector[:s]), [list(vector[s + a * n : s + (a + 1) * n]) for a in range(s)]

    def _known(self, vector: Sequence[arb]) -> dict[int, tuple[arb, list[arb]]]:
        return known_sources(self.program.program.sources, *self.split(vector))

    def covariances(self, vector: Sequence[arb]) -> list[Lagged]:
        """Covariances that sources read."""
        known = self._known(vector)
        return [row.covariance(known) for row in self._rows]

    def residual(self, vector: Sequence[arb]) -> list[arb]:
        """S − y, ordered as the unknowns."""
        with self.precision():
            return self._difference(self._evaluated(self.program.values, vector), vector)

    def linearized(self, vector: Sequence[arb]) -> tuple[list[arb], Slopes]:
        """The residual and what its Jacobian is made of."""
        s, reads = self.sources, len(self._rows)
        with self.precision():
            table = self._evaluated(self.program.with_slopes, vector)
            blocks = [table[s + a * reads : s + (a + 1) * reads] for a in range(2 * s)]
            return self._difference(table[:s], vector), Slopes(blocks[:s], blocks[s:])

    def _evaluated(self, program: PairProgram, vector: Sequence[arb]) -> list[list[arb]]:
        covariances = self.system.covariances
        lags: list[arb | list[arb]] = [arb(0)] * len(covariances)
        equal = [arb(1)] * len(covariances)
        for k, c in zip(self.program.program.read, self.covariances(vector), strict=True):
            if covariances[k].first == covariances[k].second and not c.equal > 0:
                raise ConvergenceError(f"the variance in {covariances[k].name} is not positive")
            lags[k], equal[k] = [*c.nodes, c.plateau], c.equal
        try:
            found = program(*lags, *equal, arb(0), *self.values, digits=self.digits)
        except ParameterError as error:  # an iterate is no covariance
            raise ConvergenceError(
                f"the iteration left what can be a covariance ({error}); start nearer to the "
                "solution"
            ) from error
        return [list(row) for row in found.tolist()]

    def _difference(self, values: Sequence[Sequence[arb]], vector: Sequence[arb]) -> list[arb]:
        plateaus, decays = self.split(vector)
        result = [row[-1] - p for row, p in zip(values, plateaus, strict=True)]
        for row, p, decay in zip(values, plateaus, decays, strict=True):
            result += [v - p - y for v, y in zip(row[:-1], decay, strict=True)]
        return result

    def times_jacobian(self, slopes: Slopes, vector: Sequence[arb]) -> list[arb]:
        """The Jacobian of the residual times a vector."""
        with self.precision():
            known = self._known(vector)
            moved = [row.linear(known) for row in self._rows]
            changes = []
            for lag, zero in zip(slopes.at_lag, slopes.at_zero, strict=True):
                total = [arb(0)] * (self.grid.size + 1)
                for a, b, c in zip(lag, zero, moved, strict=True):
                    rows = zip(total, a, [*c.nodes, c.plateau], b, strict=True)
                    total = [t + slope * x + other * c.equal for t, slope, x, other in rows]
                changes.append(total)
            return self._difference(changes, vector)

    def jacobian(self, slopes: Slopes) -> Array:
        """The Jacobian in doubles, shape (unknowns, unknowns)."""
        s, n = self.sources, self.grid.size
        at_lag, at_zero = (
            np.array([[[float(x) for x in row] for row in rows] for rows in table])
            for table in (slopes.at_lag, slopes.at_zero)
        )
        result = -np.eye(s * (n + 1))
        own = [slice(s + a * n, s + (a + 1) * n) for a in range(s)]
        for k, b, matrix, total in self._matrices():
            for a in range(s):
                lag, zero = at_lag[a, k], at_zero[a, k]
                result[own[a], own[b]] += lag[:n, None] * matrix[:n] + np.outer(zero[:n], matrix[n])
                result[a, own[b]] += zero[n] * matrix[n]
                result[own[a], b] += total * (lag + zero)[:n]
                result[a, b] += total * (lag + zero)[n]
        for a in range(s):
            result[own[a], a] -= 1
        return result

    def _matrices(self) -> list[tuple[int, int, Array, float]]:
        """Row, number in the core, convolution's matrix and total of every pair that is linked."""
        core = self.program.program.sources
        return [
            (k, core.index(source), convolution.matrix, float(convolution.kernel.total))
            for k, row in enumerate(self._rows)
            for source, convolution in row.terms
            if source in core
        ]

    def amplitude_row(self) -> Array:
        """C(0) − C(∞) of the main covariance as a linear form of the unknowns, in doubles."""
        s, n = self.sources, self.grid.size
        row = np.zeros(s * (n + 1))
        for k, b, matrix, _ in self._matrices():
            if k == self.program.program.main:
                row[s + b * n : s + (b + 1) * n] += matrix[-1]
        return row

    def amplitude(self, vector: Sequence[arb]) -> arb:
        """C(0) − C(∞) of the main covariance, white noise left out."""
        with self.precision():
            main = self._rows[self.program.program.main].linear(self._known(vector))
            return main.equal - main.plateau

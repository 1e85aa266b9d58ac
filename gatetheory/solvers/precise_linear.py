"""What sources leave of covariances through the linear laws of the fields, to many digits.

Exact parameters and a grid are given. C_k(τ) = Σ_s ∫K_ks(τ − τ') y_s(τ') dτ' + white part + static
part, with y_s(τ) = plateau_s + decay_s(τ); the white and static parts are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flint import arb
from sympy import Expr, Symbol

from gatetheory.equations.lag_system import LagSystem
from gatetheory.solvers.precise_convolution import Convolution
from gatetheory.solvers.precise_filter import PreciseFilter, PreciseKernel, reduce_precisely, row_of
from gatetheory.solvers.precise_grid import PreciseGrid

Known = Mapping[int, tuple[arb, list[arb]]]
"""Plateau and decay of sources, by number."""


@dataclass(frozen=True)
class Lagged:
    """A function of the lag: at the nodes, at lag 0 and at infinite lag."""

    nodes: list[arb]
    equal: arb
    plateau: arb


@dataclass(frozen=True)
class Row:
    """What makes one covariance.

    Args:
        terms: Convolutions, each with the number of its source.
        white: What white noise leaves at the nodes and, last, at lag 0.
        static: What static inputs leave at every lag.
    """

    terms: list[tuple[int, Convolution]]
    white: list[arb]
    static: arb

    def linear(self, known: Known) -> Lagged:
        """What sources leave; those that are not known count as 0."""
        size = len(self.white)
        total, constant = [arb(0)] * size, arb(0)
        for source, convolution in self.terms:
            if source in known:
                plateau, decay = known[source]
                total = [t + f for t, f in zip(total, convolution(decay), strict=True)]
                constant += convolution.kernel.total * plateau
        return Lagged([t + constant for t in total[:-1]], total[-1] + constant, constant)

    def covariance(self, known: Known) -> Lagged:
        """The covariance."""
        found = self.linear(known)
        nodes = [x + w + self.static for x, w in zip(found.nodes, self.white[:-1], strict=True)]
        return Lagged(
            nodes, found.equal + self.white[-1] + self.static, found.plateau + self.static
        )


class PreciseLinear:
    """Makes rows; everything is computed at flint's precision on creation.

    Args:
        system: The lag system.
        parameters: Exact values.
        grid: Where functions of the lag are represented.
    """

    def __init__(
        self, system: LagSystem, parameters: Mapping[Symbol, Expr], grid: PreciseGrid
    ) -> None:
        self.system, self.grid = system, grid
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
        self._rows: dict[int, Row] = {}

    def row(self, k: int) -> Row:
        """What makes covariance k."""
        if k not in self._rows:
            terms = [
                (source, Convolution(self.grid, kernel))
                for drive, source in enumerate(self.system.drive_sources)
                if not (kernel := self._kernel(self._drives, k, drive)).is_zero
            ]
            static = arb(0)
            for w, variance in enumerate(self._variances):
                static += variance * self._kernel(self._statics, k, w).total
            self._rows[k] = Row(terms, self._noise(k), static)
        return self._rows[k]

    def _kernel(self, filtered: PreciseFilter, k: int, column: int) -> PreciseKernel:
        first, second = self._weights[k]
        covariance = self.system.covariances[k]
        kernel = filtered.kernel(first, second, column)
        if covariance.first == covariance.second:  # one side serves for both
            return PreciseKernel(kernel.ahead, kernel.ahead, kernel.instant, kernel.total)
        return kernel

    def _noise(self, k: int) -> list[arb]:
        lags = [*self.grid.nodes(), arb(0)]
        result = [arb(0)] * len(lags)
        for w, intensity in enumerate(self._intensities):
            if not intensity.is_zero():
                side = self._kernel(self._noises, k, w).ahead
                result = [
                    r + 2 * intensity * side.at(lag) for r, lag in zip(result, lags, strict=True)
                ]
        return result


def known_sources(
    numbers: Sequence[int], plateaus: Sequence[arb], decays: Sequence[list[arb]]
) -> dict[int, tuple[arb, list[arb]]]:
    """Plateaus and decays by number of source."""
    return dict(zip(numbers, zip(plateaus, decays, strict=True), strict=True))

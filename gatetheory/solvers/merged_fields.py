"""Local fields and inputs that enter a unit only through a sum, and what else is known of them.

Where a field at rest is x = Σ_i c_i η_i + … and nothing else reads the η_i, the state is described
by x alone. Perturbations are correlated with the local fields themselves; given x these are

    η_i = (c_i Δ_i / V) x + Σ_j o_ij ρ_j,     V = ⟨x²⟩,     o oᵀ = diag Δ − (cΔ)(cΔ)ᵀ/V,

with ρ_j independent of x and of each other, of variance 1. The same holds for static inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy
from sympy import Dummy, Expr, ImmutableDenseMatrix, Symbol

from gatetheory.equations.shapes import SpectralCondition
from gatetheory.equations.single_site_process import SingleSiteProcess
from gatetheory.errors import DerivationError
from gatetheory.functions import Nonlinear, differentiate


@dataclass(frozen=True)
class _Source:
    """A Gaussian source: its symbol, its variance, and ∂F by it at the state."""

    symbol: Symbol
    variance: Expr
    drive: ImmutableDenseMatrix


class MergedFields:
    """The local fields and inputs of a state that its law does not contain.

    Args:
        condition: Local pieces of the Jacobian at the state.
        process: The single-site process.
    """

    def __init__(self, condition: SpectralCondition, process: SingleSiteProcess) -> None:
        self.condition = condition
        self._fields = process.fields
        self._groups: dict[Symbol, list[_Source]] = {}
        for source in _sources(condition, process):
            drawn = condition.law.variables
            if source.symbol not in drawn and self._is_bare(source.symbol):
                self._groups.setdefault(self._carrier(source), []).append(source)
        self.variables: tuple[Symbol, ...] = ()
        self.coefficients: tuple[Symbol, ...] = ()
        self.replaced: dict[Symbol, Expr] = {}
        self._slopes: dict[Symbol, list[Expr]] = {}
        for x, members in self._groups.items():
            size = range(len(members))
            self._slopes[x] = [self._slope(x, m) for m in members]
            rest = [Dummy(f"rho_{j}", real=True) for j in size]
            along = [Dummy(f"beta_{i}", real=True) for i in size]
            across = [[Dummy(f"o_{i}{j}", real=True) for j in size] for i in size]
            self.variables += tuple(rest)
            self.coefficients += (*along, *(o for row in across for o in row))
            for i, m in enumerate(members):
                others = sympy.Add(*(o * r for o, r in zip(across[i], rest, strict=True)))
                self.replaced[m.symbol] = along[i] * x + others

    def _is_bare(self, symbol: Symbol) -> bool:
        """Whether the law leaves a source in place of itself."""
        return symbol in self.condition.law.expressions[symbol].free_symbols

    def _carrier(self, source: _Source) -> Symbol:
        """The field that is the variable a source has become part of."""
        for x in self.condition.law.variables:
            if x in self._fields and self._slope(x, source) != 0:
                return x
        raise DerivationError(f"no variable of the fixed point's law depends on {source.symbol}")

    def _slope(self, x: Symbol, source: _Source) -> Expr:
        """∂x by the source at rest, −A⁻¹ ∂F."""
        drift, drive = self.condition.drift_matrix, source.drive
        nodes = {n: Dummy(real=True) for n in (*drift.atoms(Nonlinear), *drive.atoms(Nonlinear))}
        moved = drift.xreplace(nodes).LUsolve(drive.xreplace(nodes))
        return sympy.cancel(-moved[self._fields.index(x)])

    def values(self, known: Mapping[Symbol, float]) -> dict[Symbol, float]:
        """Numbers for the coefficients.

        Args:
            known: Values of parameters and order parameters.
        """
        law = self.condition.law
        found: list[float] = []
        for x, members in self._groups.items():
            k = law.variables.index(x)
            variance = _number(law.covariance[k, k], known)
            delta = np.array([_number(m.variance, known) for m in members])
            tied = delta * [_number(c, known) for c in self._slopes[x]]
            rest = np.diag(delta) - np.outer(tied, tied) / variance if variance else np.diag(delta)
            power, axes = np.linalg.eigh(rest)
            across = axes * np.sqrt(np.maximum(power, 0.0))
            found += [*(tied / variance if variance else 0 * tied), *across.ravel()]
        return dict(zip(self.coefficients, map(float, found), strict=True))


def _number(e: Expr, known: Mapping[Symbol, float]) -> float:
    return float(e.xreplace({s: sympy.Float(known[s]) for s in e.free_symbols}))


def _sources(condition: SpectralCondition, process: SingleSiteProcess) -> list[_Source]:
    """Local fields, then static inputs."""
    law = condition.law
    found = [
        _Source(eta, law.unknowns[a], condition.drives[:, a])
        for a, eta in enumerate(process.local_fields)
    ]
    for symbol, (_, variance) in process.inputs.statics.items():
        column = [law(differentiate(f, symbol)) for f in process.laws]
        found.append(_Source(symbol, variance, ImmutableDenseMatrix(column)))
    return found

"""The sources of two replicas as polynomials in what is unknown, with functions of the lag before.

All parameters are done at once, since their averages have most functions in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Dummy, Expr, Symbol

from gatetheory.equations.adjoint_system import SensitivitySystem, Unknowns
from gatetheory.equations.averages import GaussianAverage
from gatetheory.solvers.lag_functions import LagFunctions
from gatetheory.solvers.stationary_pairs import StationaryPairs

Array = NDArray[np.float64]

Monomial = tuple[Symbol, ...]
"""A product of unknowns; empty for the constant term."""


@dataclass(frozen=True)
class Polynomial:
    """One expression as Σ c_m(τ) m.

    Args:
        places: For every monomial m the number of its coefficient among the functions.
        functions: Functions of the lag, common to many expressions.
    """

    places: Mapping[Monomial, int]
    functions: LagFunctions

    def tables(self, lags: Array) -> dict[Monomial, Array]:
        """The coefficients at lags, of their shape."""
        chosen = list(self.places.values())
        f = self.functions
        own = LagFunctions(f.grid, f.ahead[chosen], f.behind[chosen], f.far[chosen], f.error)
        return dict(zip(self.places, own(lags), strict=True))


@dataclass(frozen=True)
class Sources:
    """Derivatives of the sources by one parameter, one polynomial per coupling.

    Args:
        first: ∂_θ₂.
        second: ∂_θ₁∂_θ₂.
    """

    first: tuple[Polynomial, ...]
    second: tuple[Polynomial, ...]

    @property
    def error(self) -> float:
        """Relative error of the functions of the lag."""
        return max((p.functions.error for p in (*self.first, *self.second)), default=0.0)


def source_polynomials(
    pairs: StationaryPairs, systems: Mapping[str, SensitivitySystem]
) -> dict[str, Sources]:
    """Take the sources of all parameters apart and compute their coefficients.

    Args:
        pairs: The stationary state.
        systems: Derivatives by each parameter, by name.
    """
    unknown = _symbols(pairs.system.unknowns)
    split = {
        name: [[_monomials(e, unknown) for e in group] for group in (s.first, s.second)]
        for name, s in systems.items()
    }
    order: dict[Expr, int] = {}
    for groups in split.values():
        for group in groups:
            for terms in group:
                for coefficient in terms.values():
                    order.setdefault(coefficient, len(order))
    functions = pairs.functions(list(order))

    def gathered(group: Sequence[Mapping[Monomial, Expr]]) -> tuple[Polynomial, ...]:
        return tuple(
            Polynomial({m: order[c] for m, c in terms.items()}, functions) for terms in group
        )

    return {name: Sources(*(gathered(g) for g in groups)) for name, groups in split.items()}


def _symbols(unknowns: Unknowns) -> list[Symbol]:
    tables = (unknowns.forward, unknowns.backward, unknowns.both, unknowns.now, unknowns.then,
              unknowns.mean_now, unknowns.mean_then)  # fmt: skip
    return [s for table in tables for s in table.values()]


def _monomials(expression: Expr, unknown: Sequence[Symbol]) -> dict[Monomial, Expr]:
    """Coefficients by monomial; averages do not contain unknowns."""
    if expression == 0:
        return {}
    short = {a: Dummy() for a in expression.atoms(GaussianAverage)}
    long = {d: a for a, d in short.items()}
    plain = sympy.sympify(expression).xreplace(short)
    present = [s for s in unknown if plain.has(s)]
    if not present:
        return {(): expression}
    found: dict[Monomial, Expr] = {}
    for powers, coefficient in sympy.Poly(plain, *present).terms():
        factors = [s for s, k in zip(present, powers, strict=True) for _ in range(k)]
        found[tuple(factors)] = coefficient.xreplace(long)
    return found

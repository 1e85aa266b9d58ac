"""The shapes that derived equations take, named by their mathematics.

A shape is what codegen and solvers see of a model: symbols, expressions with averages, and
definitions of the nonlinearities. It says nothing about how it is solved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

from sympy import Expr, ImmutableDenseMatrix, Lambda, Symbol

from gatetheory.equations.provenance import Equation, EquationSet

Bind = Callable[[Mapping[str, Any] | None], dict[Symbol, Expr]]


@dataclass(frozen=True)
class SelfConsistency:
    """Unknown numbers u that reproduce themselves, u = G(u).

    Args:
        equations: The equations as people read them, tagged by the unknown's name.
        unknowns: The unknowns u, in order; all are non-negative (variances).
        maps: G, one expression per unknown, with averages and abstract nonlinearities.
        parameters: Symbols that stand for parameters.
        definitions: Definition of every nonlinearity.
        bind: Turns names and values into exact values of all parameters, defaults filled in.
        linearization: Derives the spectrum at a solution, which decides on its stability.
    """

    equations: EquationSet
    unknowns: tuple[Symbol, ...]
    maps: tuple[Expr, ...]
    parameters: tuple[Symbol, ...]
    definitions: Mapping[str, Lambda] = field(hash=False)
    bind: Bind = field(hash=False, compare=False)
    linearization: Callable[[], SpectralCondition] | None = field(
        default=None, hash=False, compare=False
    )

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()

    @cached_property
    def core(self) -> tuple[Symbol, ...]:
        """The smallest set of unknowns that, once given, make all others explicit.

        A feedback vertex set of the graph "u_i appears in G_j"; when it has one member, the whole
        problem is a search on a line.
        """
        reads = {
            u: g.free_symbols & set(self.unknowns)
            for u, g in zip(self.unknowns, self.maps, strict=True)
        }
        for size in range(len(self.unknowns) + 1):
            for chosen in combinations(self.unknowns, size):
                if _is_acyclic({u: r - set(chosen) for u, r in reads.items() if u not in chosen}):
                    return chosen
        return self.unknowns

    @cached_property
    def reduced(self) -> dict[Symbol, Expr]:
        """Every map as an expression in the core unknowns alone."""
        expressions = dict(zip(self.unknowns, self.maps, strict=True))
        explicit = {u: g for u, g in expressions.items() if u not in self.core}
        for _ in explicit:
            explicit = {u: g.subs(explicit) for u, g in explicit.items()}
        return {u: expressions[u].subs(explicit) for u in self.unknowns}


@dataclass(frozen=True)
class StateLaw:
    """The distribution of a unit's symbols at a state.

    Args:
        expressions: Every field and local field as a function of the Gaussian variables.
        variables: The Gaussian variables, mean zero.
        covariance: Their covariance.
        unknowns: Order parameters the covariance contains.
    """

    expressions: Mapping[Symbol, Expr] = field(hash=False)
    variables: tuple[Symbol, ...]
    covariance: ImmutableDenseMatrix
    unknowns: tuple[Symbol, ...]

    def __call__(self, expression: Expr) -> Expr:
        """The expression at the state, in terms of the Gaussian variables."""
        return expression.xreplace(dict(self.expressions))


@dataclass(frozen=True)
class SpectralCondition:
    """A matrix function of a complex λ whose spectral radius decides where the support is.

    The support of the spectrum is where the spectral radius of the transfer matrix K(λ) is at
    least one, together with the modes that K does not see.

    Args:
        equations: The equations as people read them.
        spectral_parameter: λ.
        transfer: K(λ), entries with averages over the state.
        law: The state the averages are taken over.
        drift_matrix: A at the state, as a function of the Gaussian variables.
        drives: L, a column per coupling.
        readouts: R, a row per coupling.
        mass: Diagonal of E (time constants; 0 for algebraic fields).
        discrete: Whether λ is a multiplier, the border of stability being the unit circle.
        couplings: Names of the couplings, in the order of K's rows.
        parameters: Symbols that stand for parameters.
        definitions: Definition of every nonlinearity.
        bind: Turns names and values into exact values of all parameters, defaults filled in.
        state: What determines the order parameters of the law; None where they are given.
    """

    equations: EquationSet
    spectral_parameter: Symbol
    transfer: ImmutableDenseMatrix
    law: StateLaw
    drift_matrix: ImmutableDenseMatrix
    drives: ImmutableDenseMatrix
    readouts: ImmutableDenseMatrix
    mass: tuple[Expr, ...]
    discrete: bool
    couplings: tuple[str, ...]
    parameters: tuple[Symbol, ...]
    definitions: Mapping[str, Lambda] = field(hash=False)
    bind: Bind = field(hash=False, compare=False)
    state: SelfConsistency | None

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()


@dataclass(frozen=True)
class MatrixMoments:
    """Moments of the Jacobian at a state, as averages.

    Args:
        equations: The equations as people read them.
        moments: (1/N)⟨Tr (D Dᵀ)^k⟩ for k = 1, 2, …
        trace: (1/N)⟨Tr D⟩.
        time_constants: Time constants of the fields, none of which may be zero.
        law: The state the averages are taken over.
        parameters: Symbols that stand for parameters.
        definitions: Definition of every nonlinearity.
        bind: Turns names and values into exact values of all parameters, defaults filled in.
        state: What determines the order parameters of the law; None where they are given.
    """

    equations: EquationSet
    moments: tuple[Expr, ...]
    trace: Expr
    time_constants: tuple[Expr, ...]
    law: StateLaw
    parameters: tuple[Symbol, ...]
    definitions: Mapping[str, Lambda] = field(hash=False)
    bind: Bind = field(hash=False, compare=False)
    state: SelfConsistency | None

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()


def _is_acyclic(reads: Mapping[Symbol, set[Symbol]]) -> bool:
    remaining = dict(reads)
    while remaining:
        free = [u for u, others in remaining.items() if not others & set(remaining)]
        if not free:
            return False
        for u in free:
            del remaining[u]
    return True

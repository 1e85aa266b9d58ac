"""Stationary correlations as a lag system: what solvers see of them.

Unknown are covariances C_kl(τ) = ⟨δu_k(t+τ) δu_l(t)⟩ of linear combinations u of Gaussian fields.
The fields obey a linear system driven by Gaussian noises whose covariances, the *sources*, are
averages over the fields themselves:

    C_kl = Σ_a K_kl,a * S_a(C(τ), C(0)) + (static and white inputs),

with K_kl,a(τ) the covariance that white noise in drive a would leave. In two replicas the same
holds at growth rate κ, with every mode of K decaying faster by κ and with S_a varied by the
cross-replica covariances alone: an eigenproblem in κ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sympy import Expr, ImmutableDenseMatrix, Lambda, Symbol

from gatetheory.equations.provenance import Equation, EquationSet
from gatetheory.equations.shapes import Bind

KAPPA = Symbol("kappa", real=True)
"""Growth rate of the difference between two replicas."""


@dataclass(frozen=True)
class Covariance:
    """A covariance function C_kl(τ), τ ≥ 0; the negative side is that of C_lk.

    Args:
        name: Its name, ``C_<field>`` for the autocovariance of a field.
        first: u_k as coefficients of the fields.
        second: u_l.
        symbol: Stands for C_kl(τ) in sources.
        equal: Stands for C_kl(0).
    """

    name: str
    first: tuple[Expr, ...]
    second: tuple[Expr, ...]
    symbol: Symbol
    equal: Symbol


@dataclass(frozen=True)
class LagSystem:
    """See the module's text.

    Args:
        equations: The equations as people read them.
        closure: ``"constant"`` or ``"factorized"``.
        exact_where: Expressions that all vanish where the closure leaves nothing out.
        covariances: The unknown functions.
        sources: S_a as expressions in the covariances' symbols (and κ), by name.
        drive_sources: For every column of ``drives`` the index of its source.
        mass: Diagonal of E of the linear system E ẋ = D x + B η (or x(t+1) = …).
        drift: D.
        drives: B.
        noises: Columns by which white noises enter.
        intensities: Their intensities D, ⟨ξξ'⟩ = 2Dδ.
        statics: Columns by which static Gaussian inputs enter.
        variances: Their variances.
        fields: The fields.
        means: Their stationary means.
        observables: Further covariances by name, as expressions like the sources.
        main: Name of the covariance that solutions are ordered by.
        discrete: Whether lags count steps.
        parameters: Symbols that stand for parameters.
        definitions: Definition of every nonlinearity.
        bind: Turns names and values into exact values of all parameters, defaults filled in.
    """

    equations: EquationSet
    closure: str
    exact_where: tuple[Expr, ...]
    covariances: tuple[Covariance, ...]
    sources: Mapping[str, Expr] = field(hash=False)
    drive_sources: tuple[int, ...]
    mass: tuple[Expr, ...]
    drift: ImmutableDenseMatrix
    drives: ImmutableDenseMatrix
    noises: ImmutableDenseMatrix
    intensities: tuple[Expr, ...]
    statics: ImmutableDenseMatrix
    variances: tuple[Expr, ...]
    fields: tuple[Symbol, ...]
    means: ImmutableDenseMatrix
    observables: Mapping[str, Expr] = field(hash=False)
    main: str
    discrete: bool
    parameters: tuple[Symbol, ...]
    definitions: Mapping[str, Lambda] = field(hash=False)
    bind: Bind = field(hash=False, compare=False)

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()

    @cached_property
    def slopes(self) -> ImmutableDenseMatrix:
        """∂S_a/∂C_k(τ) by Price's theorem, variances fixed: the two-replica variation."""
        return ImmutableDenseMatrix(
            [[s.diff(c.symbol) for c in self.covariances] for s in self.sources.values()]
        )

    @cached_property
    def equal_time_slopes(self) -> ImmutableDenseMatrix:
        """∂S_a/∂C_k(0) by Price's theorem; with :attr:`slopes` the Jacobian of Newton's method."""
        return ImmutableDenseMatrix(
            [[s.diff(c.equal) for c in self.covariances] for s in self.sources.values()]
        )

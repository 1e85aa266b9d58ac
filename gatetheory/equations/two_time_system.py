"""Covariances at two times, for units whose fields are Gaussian.

The shape of the initial value problem: a linear system driven by local fields whose covariance is
an average over the pair (x(t), x(t')) of the very fields they drive,

    E ẋ = D x + B η + W ξ + G s + b + c(t),
    ⟨η_a(t) η_a(t')⟩ = F_a(C(t,t'), C(t,t), C(t',t'), m),

or x(t+1) = … in a map. It is causal: what happens at t depends on earlier times alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sympy import Expr, ImmutableDenseMatrix, Lambda, Symbol

from gatetheory.equations.provenance import Equation, EquationSet
from gatetheory.equations.shapes import Bind
from gatetheory.equations.single_site_process import SingleSiteProcess
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.functions import instantiate

CLOSURES = ("constant", "sampled")


@dataclass(frozen=True)
class PairLaw:
    """The joint law of the fields at two times: x(t) = m + u, x(t') = m' + u', (u, u') ~ N(0, Σ).

    Args:
        now: u, the deviations at t, one per field.
        then: u', the deviations at t'.
        means_now: m(t).
        means_then: m(t').
        covariance: Σ, of (u, u'); 0 where two fields share neither source nor initial value.
    """

    now: tuple[Symbol, ...]
    then: tuple[Symbol, ...]
    means_now: tuple[Symbol, ...]
    means_then: tuple[Symbol, ...]
    covariance: ImmutableDenseMatrix

    @property
    def size(self) -> int:
        """Number of fields."""
        return len(self.now)


@dataclass(frozen=True)
class TwoTimeSystem:
    """A causal self-consistency of covariances at two times.

    Args:
        equations: The equations as people read them.
        fields: Names of the fields x.
        couplings: Names of the couplings.
        mass: Diagonal of E; 0 for algebraic fields.
        drift: D; the row of an algebraic field is that of value − x.
        drives: B, a column per coupling.
        noises: W, a column per white noise.
        intensities: D of every white noise.
        statics: G, a column per static Gaussian input.
        variances: Variance of every static input.
        offsets: b, shape (fields, 1).
        timed: Column and function of time of every time-dependent input.
        law: The law of the fields at two times, that the averages below are taken over.
        kernels: F, the covariance of every local field.
        observables: Further averages at two times, by name: ``C_<field>``, ``C_<nonlinearity>``.
        fluctuations: What must vanish for the closure to be exact.
        discrete: Whether time counts steps.
        closure: How gates were treated.
        parameters: Symbols that stand for parameters.
        definitions: Definition of every nonlinearity.
        bind: Turns names and values into exact values of all parameters, defaults filled in.
    """

    equations: EquationSet
    fields: tuple[str, ...]
    couplings: tuple[str, ...]
    mass: tuple[Expr, ...]
    drift: ImmutableDenseMatrix
    drives: ImmutableDenseMatrix
    noises: ImmutableDenseMatrix
    intensities: tuple[Expr, ...]
    statics: ImmutableDenseMatrix
    variances: tuple[Expr, ...]
    offsets: ImmutableDenseMatrix
    timed: tuple[tuple[ImmutableDenseMatrix, Lambda], ...]
    law: PairLaw
    kernels: tuple[Expr, ...]
    observables: Mapping[str, Expr] = field(hash=False)
    fluctuations: tuple[Expr, ...]
    discrete: bool
    closure: str
    parameters: tuple[Symbol, ...]
    definitions: Mapping[str, Lambda] = field(hash=False)
    bind: Bind = field(hash=False, compare=False)

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()

    def is_exact(self, parameters: Mapping[Symbol, Expr]) -> bool:
        """Whether the closure leaves nothing out at parameters."""
        values = dict(parameters)
        left = (instantiate(f, self.definitions).xreplace(values) for f in self.fluctuations)
        return all(f.simplify() == 0 for f in left)


@dataclass(frozen=True)
class TwoTimeProblem:
    """Covariances at two times of a model, under every closure it has.

    Args:
        equations: The equations as people read them.
        system: The closed system, for the closure ``constant``; None where there is none.
        refusal: Why not.
        process: The single-site process, for the closure ``sampled``.
        bind: Turns names and values into exact values of all parameters, defaults filled in.
    """

    equations: EquationSet
    system: TwoTimeSystem | None
    refusal: str
    process: SingleSiteProcess
    bind: Bind = field(hash=False, compare=False)

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()

    def closure(self, parameters: Mapping[Symbol, Expr], chosen: str | None) -> tuple[str, str]:
        """The closure to use at parameters, and why.

        Args:
            parameters: Exact values.
            chosen: What the user asked for, or None.

        Raises:
            ParameterError: If there is no closure of this name.
            DerivationError: If the model has no such closure.
        """
        if chosen is not None and chosen not in CLOSURES:
            raise ParameterError(
                f"no closure {chosen!r} of two times; there is {' and '.join(CLOSURES)}"
            )
        if chosen == "sampled":
            return "sampled", "asked for; exact up to the sampling error"
        if self.system is None:
            if chosen is not None:
                raise DerivationError(self.refusal)
            return "sampled", self.refusal
        if self.system.is_exact(parameters):
            return "constant", "exact: no gate fluctuates at these parameters"
        if chosen is not None:
            return chosen, "asked for; an approximation, since a gate fluctuates"
        return "sampled", "a gate that multiplies a drift fluctuates at these parameters"

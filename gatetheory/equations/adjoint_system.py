"""The adjoint and the sensitivities of units whose fields are Gaussian, as closed equations.

The fields obey a linear law E ẋ = D x + B η + …, so that the averages over backward paths close on
second moments: with G = ⟨μ μ'ᵀ⟩ and s, s' counted backward from the horizon,

    (E∂_s − Dᵀ) G (E∂_s' − D) = Σ_a W_a(s − s') q_a(s, s'),      q_a = ⟨(B_aᵀμ)(B_aᵀμ)'⟩,

W_a = s_a² ⟨R_aᵀ R_a'⟩ an average over the stationary pair. Sensitivities come from two replicas at
parameters θ₁ and θ₂ with common couplings and initial state: ⟨x v'⟩ = ∂_θ₂ C¹² and
⟨v v'⟩ = ∂_θ₁∂_θ₂ C¹², closed by the same derivatives of the sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sympy import Expr, ImmutableDenseMatrix, Lambda, Symbol

from gatetheory.equations.lag_system import LagSystem
from gatetheory.equations.two_time_system import PairLaw
from gatetheory.functions import instantiate


@dataclass(frozen=True)
class LinearLaw:
    """E ẋ = D x + B η + W ξ + G s + b (x(t+1) = … in a map), with all entries exact.

    Args:
        fields: Names of the fields, F of them.
        mass: Diagonal of E; 0 for algebraic fields, whose row is that of value − x.
        drift: D.
        drives: B, a column per coupling.
        noises: W, a column per white noise.
        intensities: D of every white noise.
        statics: G, a column per static Gaussian input.
        variances: Variance of every static input.
        offsets: b, shape (F, 1).
        means: Stationary means of the fields, shape (F, 1).
        discrete: Whether time counts steps.
    """

    fields: tuple[str, ...]
    mass: tuple[Expr, ...]
    drift: ImmutableDenseMatrix
    drives: ImmutableDenseMatrix
    noises: ImmutableDenseMatrix
    intensities: tuple[Expr, ...]
    statics: ImmutableDenseMatrix
    variances: tuple[Expr, ...]
    offsets: ImmutableDenseMatrix
    means: ImmutableDenseMatrix
    discrete: bool


@dataclass(frozen=True)
class Unknowns:
    """Symbols that stand for the derivatives of covariances by the parameters of two replicas.

    Args:
        forward: ⟨x_i(t) v_j(t')⟩ = ∂_θ₂ C¹²_ij, by (i, j).
        backward: ⟨v_i(t) x_j(t')⟩ = ∂_θ₁ C¹²_ij.
        both: ⟨v_i(t) v_j(t')⟩ = ∂_θ₁∂_θ₂ C¹²_ij.
        now: ∂_θ C_ij(t, t), i ≤ j.
        then: ∂_θ C_ij(t', t').
        mean_now: ∂_θ m_i(t).
        mean_then: ∂_θ m_i(t').
    """

    forward: Mapping[tuple[int, int], Symbol] = field(hash=False)
    backward: Mapping[tuple[int, int], Symbol] = field(hash=False)
    both: Mapping[tuple[int, int], Symbol] = field(hash=False)
    now: Mapping[tuple[int, int], Symbol] = field(hash=False)
    then: Mapping[tuple[int, int], Symbol] = field(hash=False)
    mean_now: Mapping[int, Symbol] = field(hash=False)
    mean_then: Mapping[int, Symbol] = field(hash=False)


@dataclass(frozen=True)
class SensitivitySystem:
    """Derivatives by one parameter θ; definitions are put in, averages stay.

    Args:
        parameter: θ.
        mass: ∂_θE.
        drift: ∂_θD.
        drives: ∂_θB.
        statics: ∂_θG, with the change of the inputs' size: G σ' / σ.
        offsets: ∂_θb.
        noisy: Whether a white noise depends on θ.
        fluctuations: ∂_θ of what must vanish for the closure to be exact; where one of them does
            not vanish either, the closure leaves out how θ acts.
        first: ∂_θ₂ of s_a²⟨ψ_a(t) ψ_a(t')⟩, linear in the unknowns, per coupling.
        second: ∂_θ₁∂_θ₂ of it.
    """

    parameter: Symbol
    mass: tuple[Expr, ...]
    drift: ImmutableDenseMatrix
    drives: ImmutableDenseMatrix
    statics: ImmutableDenseMatrix
    offsets: ImmutableDenseMatrix
    noisy: bool
    fluctuations: tuple[Expr, ...]
    first: tuple[Expr, ...]
    second: tuple[Expr, ...]


@dataclass(frozen=True)
class AdjointSystem:
    """See the module's text.

    Args:
        lag_system: The stationary state.
        linear: The law of the fields.
        places: For every field of the model its index in ``linear``; None where no signal depends
            on it, so that it has no adjoint.
        pair: The law of the fields at two times; at equal times and at the lag.
        signals: ⟨ψ_a ψ_a'⟩, one per coupling.
        kernels: s_a² ⟨ψ_a ψ_a'⟩.
        readouts: W_a, shape (F, F), entry (k, l) of R_k(t) and R_l(t').
        unknowns: Symbols of the sensitivities.
        sensitivity: Derives the sensitivities of one parameter.
        fluctuations: What must vanish for the closure to be exact.
        couplings: Names of the couplings.
        parameters: Symbols that stand for parameters.
        definitions: Definition of every nonlinearity.
    """

    lag_system: LagSystem
    linear: LinearLaw
    places: tuple[int | None, ...]
    pair: PairLaw
    signals: tuple[Expr, ...]
    kernels: tuple[Expr, ...]
    readouts: tuple[ImmutableDenseMatrix, ...]
    unknowns: Unknowns
    sensitivity: Callable[[Symbol], SensitivitySystem] = field(hash=False, compare=False)
    fluctuations: tuple[Expr, ...]
    couplings: tuple[str, ...]
    parameters: tuple[Symbol, ...]
    definitions: Mapping[str, Lambda] = field(hash=False)

    def is_exact(self, parameters: Mapping[Symbol, Expr]) -> bool:
        """Whether the closure leaves nothing out at parameters."""
        return all(self.vanishes(f, parameters) for f in self.fluctuations)

    def vanishes(self, expression: Expr, parameters: Mapping[Symbol, Expr]) -> bool:
        """Whether an expression is 0 at parameters, whatever the fields are."""
        definite = instantiate(expression, self.definitions).xreplace(dict(parameters))
        return bool(definite.simplify() == 0)

"""Gradients of a loss as averages over one unit: what solvers see of the adjoint theory.

With μ = E⁻¹λ the adjoint of the fields and v = ∂x/∂θ their sensitivity,

    −E μ̇ = Aᵀμ + Σ_a R_aᵀ ζ_a,      ⟨ζ_a ζ_a'⟩ = s_a² ⟨(L_aᵀμ)(L_aᵀμ)'⟩,       E μ(T) = c ∂f/∂x,
    E v̇ = A v + Σ_a L_a δη_a + ∂_θF − ∂_θE ẋ,   ⟨δη_a δη_a'⟩ = s_a² ⟨u_a u_a'⟩,   v(0) = 0,
    ⟨η_a δη_a'⟩ = s_a² ⟨ψ_a u_a'⟩,               u_a = R_a v + ∂_θψ_a + ψ_a ∂_θ ln s_a.

Backward fields ζ are independent of the forward ones; δη and η are jointly Gaussian.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sympy import Expr, Symbol

from gatetheory.equations.adjoint_system import AdjointSystem
from gatetheory.equations.provenance import Equation, EquationSet
from gatetheory.equations.shapes import Bind, SpectralCondition
from gatetheory.equations.single_site_process import SingleSiteProcess
from gatetheory.equations.stationary import StationaryState


@dataclass(frozen=True)
class ExternalLoss:
    """A loss c f(x): its gradient is external up to a factor of the state, of symmetric sign.

    Args:
        slopes: ∂f/∂x, one per field.
        running: Whether it is integrated over time.
        text: The loss, for people.
    """

    slopes: tuple[Expr, ...]
    running: bool
    text: str

    @property
    def is_linear(self) -> bool:
        """Whether f is a linear combination of fields."""
        return all(s.is_number for s in self.slopes)


@dataclass(frozen=True)
class ParameterSlopes:
    """Explicit derivatives by one parameter θ, definitions put in, at fixed x, η and couplings.

    Args:
        parameter: θ.
        laws: ∂_θF, inputs included, one per field.
        mass: ∂_θE, one per field.
        signals: ∂_θψ_a, one per coupling.
        scales: ∂_θ ln s_a, one per coupling.
    """

    parameter: Symbol
    laws: tuple[Expr, ...]
    mass: tuple[Expr, ...]
    signals: tuple[Expr, ...]
    scales: tuple[Expr, ...]


@dataclass(frozen=True)
class GradientProblem:
    """Second moments of the gradients of a loss, for a state that is stationary at t = 0.

    Args:
        equations: The equations as people read them.
        process: The single-site process with its derivatives A, L, R.
        slopes: Explicit derivatives by every parameter, by name.
        state: The stationary state, under every closure it has.
        spectrum: Derives the condition for the Jacobian's spectrum at a fixed point; it holds the
            law of the units there.
        adjoint_spectrum: Derives the same for the transposed Jacobian: where backward fields at a
            fixed point grow.
        closed: The closed equations of the closure ``constant``; None where there are none.
        refusal: Why not.
        loss: Turns a loss (text or expression, or None for the default) and whether it is running
            into a loss that the theory can treat, or refuses it.
        bind: Turns names and values into exact values of all parameters, defaults filled in.
    """

    equations: EquationSet
    process: SingleSiteProcess
    slopes: Mapping[str, ParameterSlopes] = field(hash=False)
    state: StationaryState
    spectrum: Callable[[], SpectralCondition] = field(hash=False, compare=False)
    adjoint_spectrum: Callable[[], SpectralCondition] = field(hash=False, compare=False)
    closed: AdjointSystem | None
    refusal: str
    loss: Callable[[str | Expr | None, bool], ExternalLoss] = field(hash=False, compare=False)
    bind: Bind = field(hash=False, compare=False)

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()

r"""Gradients: the adjoint mean-field theory.

The adjoint λ(t) = √N ∂L/∂x(t) of a trajectory obeys −λ̇ = (∂ẋ/∂x)ᵀ λ. With μ = E⁻¹λ and the local
pieces A, L, R of the Jacobian,

    −E μ̇ = Aᵀ μ + Σ_a R_aᵀ ζ_a + ∂ℓ/∂x,        ζ_a = J^aᵀ (L_aᵀ μ),        E μ(T) = ∂ℓ_T/∂x.

(In a map μ(t) = λ(t+1) and −E∂_t becomes the shift to t − 1.) The same couplings make η and ζ. When
the loss gradient is proportional to weights c_i from outside and of symmetric sign, averages that
tie the two vanish: each contains an odd number of c_i. ζ_a then is a Gaussian field of its own,
independent of η and of the other ζ_b, with covariance s_a² ⟨(L_aᵀμ)(L_aᵀμ)'⟩. For any other loss,
½h² say, they do not vanish, and ζ_a(t) gains s_a² ∫ S_a(t, t') ψ_a(t') dt' with
S_a = ⟨δ(L_aᵀμ)(t)/δη_a(t')⟩; such losses are refused. With L_a, R_a, ψ_a at unit i or j,

    ∂L/∂J^a_ij = N^{-1/2} ∫ (L_aᵀμ)_i ψ_a,j dt,
    N ⟨(∂L/∂J^a_ij)²⟩ = ∫∫ ⟨(L_aᵀμ)(L_aᵀμ)'⟩ ⟨ψ_a ψ_a'⟩ dt dt'.

The derivative by a parameter sums over units, which are correlated at order 1/N: sensitivities
v = ∂x/∂θ are marched forward instead, driven by δη that is jointly Gaussian with η.

Source: Krishnamurthy, Can and Schwab (2022), Sec. VII; L. S. Pontryagin et al. (1962) for the
adjoint.
"""

from __future__ import annotations

from dataclasses import replace

import sympy
from sympy import Expr

from gatetheory.equations.adjoint_system import AdjointSystem
from gatetheory.equations.gradient_problem import ExternalLoss, GradientProblem
from gatetheory.equations.shapes import SpectralCondition
from gatetheory.equations.stationary import StationaryState
from gatetheory.errors import DerivationError
from gatetheory.functions import differentiate
from gatetheory.model import Model
from gatetheory.model.loss import make_loss
from gatetheory.theory.adjoint import derive_adjoint_system
from gatetheory.theory.explicit_slopes import parameter_slopes
from gatetheory.theory.fixed_points import derive_fixed_points, fixed_point_law
from gatetheory.theory.gradient_equations import gradient_equations
from gatetheory.theory.jacobian import JacobianParts, jacobian_parts
from gatetheory.theory.single_site import SingleSite
from gatetheory.theory.spectrum import derive_spectrum


def derive_gradients(single_site: SingleSite, state: StationaryState) -> GradientProblem:
    """Equations for the second moments of gradients.

    Args:
        single_site: What the average over the couplings leaves.
        state: The stationary state.
    """
    model = single_site.model
    closed: AdjointSystem | None = None
    refusal = state.refusals.get("constant", "")
    if "constant" in state.lag_systems:
        try:
            closed = derive_adjoint_system(single_site, state.lag_systems["constant"])
        except DerivationError as error:
            refusal = str(error)

    def loss(density: str | Expr | None = None, running: bool = False) -> ExternalLoss:
        return external_loss(model, density, running)

    return GradientProblem(
        equations=gradient_equations(single_site, closed),
        process=state.process,
        slopes={n: parameter_slopes(model, p) for n, p in model.symbols.items()},
        state=state,
        spectrum=lambda: _spectrum(single_site),
        adjoint_spectrum=lambda: derive_adjoint_spectrum(single_site),
        closed=closed,
        refusal=refusal,
        loss=loss,
        bind=model.bind,
    )


def _spectrum(single_site: SingleSite) -> SpectralCondition:
    law = fixed_point_law(single_site.model)
    determined_by = derive_fixed_points(single_site)
    return derive_spectrum(single_site, law, "a fixed point", determined_by)


def transposed(parts: JacobianParts) -> JacobianParts:
    """The local pieces of Dᵀ = Aᵀ + Σ_a R_aᵀ J^aᵀ L_aᵀ: driven by R, read by L."""
    return replace(parts, drift=parts.drift.T, drives=parts.readouts.T, readouts=parts.drives.T)


def derive_adjoint_spectrum(single_site: SingleSite) -> SpectralCondition:
    """Where backward fields at a fixed point grow: s_a² ⟨|L_aᵀ (λE − Aᵀ)⁻¹ R_bᵀ|²⟩ reaches 1.

    Raises:
        DerivationError: If the model has no fixed points in closed form.
    """
    model = single_site.model
    return derive_spectrum(
        single_site,
        fixed_point_law(model),
        "a fixed point, of the transposed Jacobian",
        derive_fixed_points(single_site),
        transposed(jacobian_parts(model)),
    )


def external_loss(model: Model, density: str | Expr | None, running: bool) -> ExternalLoss:
    """A loss c f(x), or a refusal that says what the theory would need.

    Raises:
        ParameterError: If the loss is no formula in fields and weight.
        DerivationError: If its gradient is not proportional to the weight.
    """
    loss = make_loss(model, density, running=running)
    slopes = [
        sympy.cancel(differentiate(loss.density, f.symbol) / loss.weight) for f in model.fields
    ]
    reading = {f.symbol for f in model.fields}
    if any(s.has(loss.weight) for s in slopes):
        names = ", ".join(c.name for c in model.couplings)
        depends = any(s.free_symbols & reading for s in slopes)
        kind = "depends on the state" if depends else "has no symmetric sign"
        raise DerivationError(
            f"the gradient of the loss {loss.density} {kind}: it is not proportional to the "
            f"external weight {loss.weight}, so that backward fields are not independent of "
            f"forward ones. The average over the couplings ({names}) then adds "
            "s² ∫ ⟨δ(Lᵀμ)(t)/δη(t')⟩ ψ(t') dt' to each backward field, which is not solved here; "
            f"multiply the loss by {loss.weight}, or measure it with simulate_gradients"
        )
    for f, w in zip(model.fields, slopes, strict=True):
        if w != 0 and f.is_algebraic and not (running and model.time == "continuous"):
            raise DerivationError(
                f"the loss reads {f.name}, a field without dynamics, at single times: its gradient "
                "is a pulse there, which is not solved here; read a field with dynamics"
            )
    return ExternalLoss(tuple(slopes), running, str(loss))

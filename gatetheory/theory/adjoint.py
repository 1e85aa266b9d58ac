r"""Adjoint equations closed on second moments, for units whose fields are Gaussian.

With a linear law E ẋ = D x + B η the adjoint obeys −E μ̇ = Dᵀμ + Σ_a R_a(x)ᵀ ζ_a. Backward fields ζ
are independent of the forward ones, so that the average of a product splits,

    ⟨R_a,k ζ_a R_a,l' ζ_a'⟩ = ⟨R_a,k R_a,l'⟩ s_a² ⟨(B_aᵀμ)(B_aᵀμ)'⟩,

and the equation applied at s and at s' closes on G = ⟨μ μ'ᵀ⟩.

Source: Krishnamurthy, Can and Schwab (2022), Sec. VII.
"""

from __future__ import annotations

from functools import lru_cache

from sympy import Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.adjoint_system import (
    AdjointSystem,
    LinearLaw,
    SensitivitySystem,
    Unknowns,
)
from gatetheory.equations.lag_system import LagSystem
from gatetheory.equations.two_time_system import PairLaw
from gatetheory.functions import differentiate
from gatetheory.theory.gaussian_fields import GaussianFields, gaussian_fields
from gatetheory.theory.replica_slopes import derive_sensitivity
from gatetheory.theory.single_site import SingleSite
from gatetheory.theory.two_time_fields import pair_average, pair_law, with_combinations


def derive_adjoint_system(single_site: SingleSite, lag_system: LagSystem) -> AdjointSystem:
    """Closed equations of adjoint and sensitivities in the stationary state.

    Args:
        single_site: The process.
        lag_system: Its stationary state under the closure ``constant``.

    Raises:
        DerivationError: If a field that signals depend on is not Gaussian.
    """
    model = single_site.model
    linear, read = with_combinations(gaussian_fields(model), [c.signal for c in model.couplings])
    law = pair_law(linear)
    signals = [c.signal.xreplace(read) for c in model.couplings]

    def pair(first: Expr, second: Expr) -> Expr:
        return pair_average(linear, law, {}, first, second)

    size = len(linear.fields)
    readouts = []
    for c, signal in zip(model.couplings, signals, strict=True):
        slopes = [differentiate(signal, x) for x in linear.fields]
        readouts.append(
            ImmutableDenseMatrix(
                size, size, lambda k, m, s=slopes, v=c.variance: v * pair(s[k], s[m])
            )
        )
    averages = tuple(pair(f, f) for f in signals)
    unknowns = _unknowns(law)

    @lru_cache(maxsize=64)
    def sensitivity(parameter: Symbol) -> SensitivitySystem:
        return derive_sensitivity(model, linear, law, signals, unknowns, parameter)

    index = {x: k for k, x in enumerate(linear.fields)}
    return AdjointSystem(
        lag_system=lag_system,
        linear=_linear_law(linear),
        places=tuple(index.get(f.symbol) for f in model.fields),
        pair=law,
        signals=averages,
        kernels=tuple(c.variance * f for c, f in zip(model.couplings, averages, strict=True)),
        readouts=tuple(readouts),
        unknowns=unknowns,
        sensitivity=sensitivity,
        fluctuations=tuple(f for gate in linear.gates for f in gate.fluctuations),
        couplings=tuple(c.name for c in model.couplings),
        parameters=tuple(model.symbols.values()),
        definitions=model.definitions,
    )


def _linear_law(linear: GaussianFields) -> LinearLaw:
    return LinearLaw(
        fields=tuple(x.name for x in linear.fields),
        mass=linear.mass,
        drift=linear.drift,
        drives=linear.drives,
        noises=linear.noises,
        intensities=linear.intensities,
        statics=linear.statics,
        variances=linear.variances,
        offsets=linear.offsets,
        means=linear.means,
        discrete=linear.discrete,
    )


def _unknowns(law: PairLaw) -> Unknowns:
    """Names for the derivatives of everything the law of a pair contains."""
    size = range(law.size)
    names = [u.name.split("(")[0] for u in law.now]
    across = law.covariance[: law.size, law.size :]
    within = law.covariance[: law.size, : law.size]
    tied = [(i, j) for i in size for j in size if across[i, j] != S.Zero]
    equal = [(i, j) for i in size for j in size if i <= j and within[i, j] != S.Zero]

    def symbols(stem: str, pairs: list[tuple[int, int]]) -> dict[tuple[int, int], Symbol]:
        return {(i, j): Symbol(stem.format(names[i], names[j]), real=True) for i, j in pairs}

    return Unknowns(
        forward=symbols("<{} v_{}'>", tied),
        backward=symbols("<v_{} {}'>", tied),
        both=symbols("<v_{} v_{}'>", tied),
        now=symbols("dC_{},{}(t)", equal),
        then=symbols("dC_{},{}(t')", equal),
        mean_now={i: Symbol(f"dm_{names[i]}(t)", real=True) for i in size},
        mean_then={i: Symbol(f"dm_{names[i]}(t')", real=True) for i in size},
    )

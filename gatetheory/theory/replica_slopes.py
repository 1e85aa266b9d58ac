r"""Sensitivities to a parameter from two replicas at different values of it.

Two networks with the same couplings and the same state at t = 0, at parameters θ₁ and θ₂, have
cross-covariances C¹²(t, t'). Since x(θ₁) and x(θ₂) are both known there,

    ⟨x(t) v(t')⟩ = ∂_θ₂ C¹²(t, t'),      ⟨v(t) v(t')⟩ = ∂_θ₁ ∂_θ₂ C¹²(t, t'),      v = ∂x/∂θ,

at θ₁ = θ₂ = θ. The average over the couplings gives C¹² the source s(θ₁) s(θ₂) ⟨ψ(x₁; θ₁)
ψ(x₂; θ₂)⟩ over a Gaussian pair whose variances depend on one parameter each. Its derivatives follow
from the chain rule, with Price's theorem for those by covariances. Unlike the adjoint average, this
keeps what units have in common: a parameter acts on all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy
from sympy import Add, Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.adjoint_system import SensitivitySystem, Unknowns
from gatetheory.equations.two_time_system import PairLaw
from gatetheory.functions import differentiate, instantiate
from gatetheory.model import Model
from gatetheory.theory.gaussian_fields import GaussianFields
from gatetheory.theory.two_time_fields import factorised, pair_average


def derive_sensitivity(
    model: Model,
    linear: GaussianFields,
    law: PairLaw,
    signals: Sequence[Expr],
    unknowns: Unknowns,
    parameter: Symbol,
) -> SensitivitySystem:
    """Derivatives of the linear law and of the sources by one parameter.

    Args:
        model: The model.
        linear: Its Gaussian fields.
        law: Their law at two times.
        signals: ψ_a, in the fields of ``linear``.
        unknowns: Symbols for the derivatives of covariances.
        parameter: θ.
    """

    def slope(e: Expr) -> Expr:
        return differentiate(instantiate(e, model.definitions), parameter)

    def slopes(matrix: ImmutableDenseMatrix) -> ImmutableDenseMatrix:
        return ImmutableDenseMatrix(matrix.applyfunc(slope))

    sizes = sympy.diag(*(slope(v) / (2 * v) for v in linear.variances))
    statics = slopes(linear.statics) + linear.statics * sizes if sizes else linear.statics
    replicas = [
        _replica_source(model, linear, law, signal, c.variance, parameter)
        for signal, c in zip(signals, model.couplings, strict=True)
    ]
    first = [_second_replica(source, law, unknowns, two) for source, _, two in replicas]
    second = [
        _first_replica(f, law, unknowns, one)
        for f, (_, one, _) in zip(first, replicas, strict=True)
    ]

    def together(e: Expr, one: Symbol, two: Symbol) -> Expr:
        return factorised(e.xreplace({one: parameter, two: parameter}))

    return SensitivitySystem(
        parameter=parameter,
        mass=tuple(slope(m) for m in linear.mass),
        drift=slopes(linear.drift),
        drives=slopes(linear.drives),
        statics=ImmutableDenseMatrix(statics),
        offsets=slopes(linear.offsets),
        noisy=any(slope(e) != 0 for e in (*linear.intensities, *linear.noises)),
        fluctuations=tuple(slope(f) for gate in linear.gates for f in gate.fluctuations),
        first=tuple(together(f, o, t) for f, (_, o, t) in zip(first, replicas, strict=True)),
        second=tuple(together(f, o, t) for f, (_, o, t) in zip(second, replicas, strict=True)),
    )


def _replica_source(
    model: Model,
    linear: GaussianFields,
    law: PairLaw,
    signal: Expr,
    variance: Expr,
    parameter: Symbol,
) -> tuple[Expr, Symbol, Symbol]:
    """s(θ₁) s(θ₂) ⟨ψ(x(t); θ₁) ψ(x(t'); θ₂)⟩, and the two parameters."""
    assumptions = parameter.assumptions0
    one, two = (Symbol(f"{parameter.name}_{k}", **assumptions) for k in (1, 2))
    scaled = sympy.sqrt(variance) * instantiate(signal, model.definitions)
    source = pair_average(linear, law, {}, scaled.subs(parameter, one), scaled.subs(parameter, two))
    return source, one, two


def _second_replica(source: Expr, law: PairLaw, unknowns: Unknowns, two: Symbol) -> Expr:
    """∂_θ₂ of a source: of what the second replica is at, and of the covariance between them."""
    covariances = _entries(law, unknowns.forward, across=True)
    covariances |= _entries(law, unknowns.then, across=False, first=law.size)
    means = {law.means_then[i]: s for i, s in unknowns.mean_then.items()}
    return _chain(source, covariances | means, two)


def _first_replica(slope: Expr, law: PairLaw, unknowns: Unknowns, one: Symbol) -> Expr:
    """∂_θ₁ of the former; ⟨x v'⟩ = ∂_θ₂ C¹² becomes ⟨v v'⟩."""
    covariances = _entries(law, unknowns.backward, across=True)
    covariances |= _entries(law, unknowns.now, across=False, first=0)
    means = {law.means_now[i]: s for i, s in unknowns.mean_now.items()}
    moved = {unknowns.forward[k]: s for k, s in unknowns.both.items()}
    return _chain(slope, covariances | means | moved, one)


def _entries(
    law: PairLaw,
    derivatives: Mapping[tuple[int, int], Symbol],
    *,
    across: bool,
    first: int = 0,
) -> dict[Symbol, Symbol]:
    """Entries of the pair's covariance, and what stands for their derivatives."""
    column = law.size if across else first
    row = 0 if across else first
    return {law.covariance[row + i, column + j]: s for (i, j), s in derivatives.items()}


def _chain(e: Expr, inner: Mapping[Symbol, Symbol], parameter: Symbol) -> Expr:
    """Σ ∂e/∂y · y' over what depends on the parameter, and the explicit derivative."""
    terms = [e.diff(y) * slope for y, slope in inner.items() if e.has(y)]
    return Add(differentiate(e, parameter) if e.has(parameter) else S.Zero, *terms)

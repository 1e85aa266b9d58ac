r"""What slowly varying sources leave of covariances, from the linear law of the fields.

A field follows its drives through G(s) = (sE − D)⁻¹ B, s = ∂_t (a map: e^{∂_t} E − D). Between two
replicas separating at rate κ, ∂_t = κ + ∂_τ and ∂_t' = κ − ∂_τ, so that a source y_a leaves

    C_kl = Σ_a G_ka(κ + ∂) G_la(κ − ∂) y_a = Σ_a (t + t_κ κ + t_2 ∂² + …) y_a.

Odd powers of ∂ cancel between C_kl and C_lk wherever a source, which is even in τ, reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import Expr, ImmutableDenseMatrix, S

from gatetheory.equations.lag_system import LagSystem
from gatetheory.errors import DerivationError


@dataclass(frozen=True)
class SlowResponse:
    """Coefficients of the response of covariances to sources, shapes (covariances, sources).

    Args:
        static: t.
        growth: t_κ.
        curvature: t_2.
    """

    static: ImmutableDenseMatrix
    growth: ImmutableDenseMatrix
    curvature: ImmutableDenseMatrix


def slow_response(system: LagSystem) -> SlowResponse:
    """Expand the filter of a lag system about frequency zero.

    Raises:
        DerivationError: If the linear law of the fields is singular there.
    """
    value, slope, bend = _gains(system)
    shape = len(system.covariances), len(system.sources)
    parts = {key: sympy.zeros(*shape) for key in ("static", "growth", "curvature")}
    for k, c in enumerate(system.covariances):
        first, second = (ImmutableDenseMatrix([list(u)]) for u in (c.first, c.second))
        f0, f1, f2 = (first * g for g in (value, slope, bend))
        l0, l1, l2 = (second * g for g in (value, slope, bend))
        for drive, source in enumerate(system.drive_sources):
            parts["static"][k, source] += f0[drive] * l0[drive]
            parts["growth"][k, source] += f1[drive] * l0[drive] + f0[drive] * l1[drive]
            parts["curvature"][k, source] += (
                f2[drive] * l0[drive] + f0[drive] * l2[drive] - f1[drive] * l1[drive]
            )
    return SlowResponse(
        **{key: ImmutableDenseMatrix(m.applyfunc(sympy.factor)) for key, m in parts.items()}
    )


def _gains(system: LagSystem) -> tuple[ImmutableDenseMatrix, ...]:
    """G, G' and ½G'' by ∂_t at 0, shape (fields, drives)."""
    mass = sympy.diag(*system.mass)
    pencil = (mass if system.discrete else sympy.zeros(*mass.shape)) - system.drift
    determinant = sympy.factor(pencil.det(method="berkowitz"))
    if determinant == S.Zero:
        names = ", ".join(map(str, system.fields))
        raise DerivationError(f"the linear law of {names} holds no constant drive; add a leak")
    inverse = (pencil.adjugate() / determinant).applyfunc(sympy.cancel)
    terms: list[Expr] = [inverse * system.drives]
    for _ in range(2):
        terms.append((-inverse * mass * terms[-1]).applyfunc(sympy.cancel))
    value, first, second = terms
    if system.discrete:  # the pencil depends on e^∂ − 1 = ∂ + ½∂² + …
        second = second + first / 2
    return value, first, second

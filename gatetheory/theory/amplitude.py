r"""The amplitude equation near the onset, from a lag system (Lyapunov and Schmidt).

Sources y_a = S_a(C(τ), C(0)) with C = (t + t_κ κ + t_2 ∂²) y. Near the onset y = v A(τ) + slaved
parts, with B v = v, B_ab = Σ_k ∂S_a/∂C_k t_kb. C(τ) and C(0) are different variables: S has terms in
C(τ)², in C(τ) C(0), and none in C(0) alone (else covariances would not decay). Projected on the left
null vector,

    c₁ A'' − b κ A + (μ + m A₀) A + q A² + p A₀ A² + γ A³ = 0,      A₀ = A(0),

with A normalised to be one of the covariances. Slaved parts y = y_Q A² + y_M A₀ A of the second
order contribute to p and γ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy
from sympy import Dummy, Expr, ImmutableDenseMatrix, Poly, S, Symbol

from gatetheory.equations.lag_system import KAPPA, LagSystem
from gatetheory.errors import DerivationError
from gatetheory.theory.critical_mode import CriticalMode
from gatetheory.theory.exact_values import vanishes, without_vanishing
from gatetheory.theory.slow_response import SlowResponse
from gatetheory.theory.small_covariance import SmallExpansion, expand_small

ORDER = 3


@dataclass(frozen=True)
class SourceExpansion:
    """Sources of a lag system as polynomials in C(τ), C(0) and κ at the zero state.

    Args:
        system: The lag system.
        response: What slow sources leave of covariances.
        sources: One expansion per source, in C_1(τ) …, C_1(0) ….
        slopes: ∂S_a/∂C_k at κ = 0, shape (sources, covariances).
        growth_slopes: Its derivative by κ.
    """

    system: LagSystem
    response: SlowResponse
    sources: tuple[SmallExpansion, ...]
    slopes: ImmutableDenseMatrix
    growth_slopes: ImmutableDenseMatrix

    @property
    def gain(self) -> ImmutableDenseMatrix:
        """B, shape (sources, sources)."""
        return ImmutableDenseMatrix(self.slopes * self.response.static)

    def along(
        self,
        lagged: ImmutableDenseMatrix,
        equal: ImmutableDenseMatrix,
        amplitudes: tuple[Symbol, ...],
    ) -> list[Poly]:
        """Every source where C(τ) and C(0) are given polynomials in amplitudes."""
        count = len(self.system.covariances)
        result = []
        for expansion in self.sources:
            values = dict(zip(expansion.symbols, [*lagged, *equal], strict=True))
            assert len(values) == 2 * count
            total = sum((expansion.of_degree(d) for d in range(1, ORDER + 1)), S.Zero).subs(
                KAPPA, 0
            )
            result.append(Poly(total.xreplace(values), *amplitudes))
        return result


def expand_sources(
    system: LagSystem, response: SlowResponse, at: Mapping[Symbol, Expr]
) -> SourceExpansion:
    """Expand the sources at the zero state.

    Raises:
        DerivationError: If zero is no fixed point, or covariances do not decay to zero near it.
    """
    if any(not vanishes(e.subs(dict(at))) for e in (*system.intensities, *system.variances)):
        raise DerivationError("zero is not a fixed point: noise or a static input acts on it")
    symbols = (*(c.symbol for c in system.covariances), *(c.equal for c in system.covariances))
    lagged = {c.symbol for c in system.covariances}
    expansions = []
    for name, source in system.sources.items():
        raw = expand_small(source, symbols, ORDER)
        terms = {}
        for powers, coefficient in raw.terms.items():
            value = without_vanishing(coefficient, system.definitions, at)
            if value != 0:
                terms[powers] = value
        _require_zero_state(name, symbols, lagged, terms)
        expansions.append(SmallExpansion(symbols, terms))
    slopes = [[e.slope(c.symbol) for c in system.covariances] for e in expansions]
    return SourceExpansion(
        system,
        response,
        tuple(expansions),
        ImmutableDenseMatrix([[s.subs(KAPPA, 0) for s in row] for row in slopes]),
        ImmutableDenseMatrix([[s.diff(KAPPA).subs(KAPPA, 0) for s in row] for row in slopes]),
    )


def _require_zero_state(
    name: str,
    symbols: tuple[Symbol, ...],
    lagged: set[Symbol],
    terms: Mapping[tuple[int, ...], Expr],
) -> None:
    rest = terms.get((0,) * len(symbols), S.Zero)
    if rest != 0:
        raise DerivationError(
            f"zero is not a fixed point: {name} would be {rest}; set biases and inputs to zero"
        )
    for powers, value in terms.items():
        read = {s for s, p in zip(symbols, powers, strict=True) if p}
        if not read & lagged:
            raise DerivationError(
                f"{name} does not vanish where C(τ) does (a term {value} in C(0) alone), so that "
                "covariances keep a plateau; the expansion needs signals with an odd factor"
            )


@dataclass(frozen=True)
class AmplitudeEquation:
    """Coefficients of the amplitude equation; see the module's text.

    Args:
        measured: Index of the covariance that A is.
        sources: v, what A leaves of every source.
        covariances: t v, what it leaves of every covariance.
        inertia: c₁.
        damping: b.
        growth: μ.
        feedback: m.
        quadratic: q.
        cubic: γ, of the third order in A(τ).
        squared: y_Q.
        mixed: y_M.
    """

    measured: int
    sources: ImmutableDenseMatrix
    covariances: ImmutableDenseMatrix
    inertia: Expr
    damping: Expr
    growth: Expr
    feedback: Expr
    quadratic: Expr
    cubic: Expr
    squared: ImmutableDenseMatrix
    mixed: ImmutableDenseMatrix


def amplitude_equation(
    expansion: SourceExpansion, mode: CriticalMode, measured: int
) -> AmplitudeEquation:
    """Reduce the expanded sources to one amplitude.

    Args:
        expansion: The expanded sources.
        mode: The critical mode.
        measured: Index of the covariance that is to be A.
    """
    response = expansion.response
    raw = response.static * mode.right
    scale = raw[measured]
    v = ImmutableDenseMatrix((mode.right / scale).applyfunc(sympy.factor))
    u = ImmutableDenseMatrix((raw / scale).applyfunc(sympy.factor))
    growth = expansion.slopes * response.growth + expansion.growth_slopes * response.static
    overlap = mode.project(v)

    def projected(vector: ImmutableDenseMatrix) -> Expr:
        return sympy.factor(mode.project(vector) / overlap)

    A, A0 = Dummy("A"), Dummy("A_0")
    first = expansion.along(u * A, u * A0, (A, A0))
    square = coefficients_of(first, (2, 0))
    product = coefficients_of(first, (1, 1))
    squared = mode.slaved(square)
    mixed = mode.slaved(product)
    static = response.static
    second = expansion.along(u * A + static * squared * A**2, u * A0, (A, A0))
    return AmplitudeEquation(
        measured=measured,
        sources=v,
        covariances=u,
        inertia=projected(expansion.slopes * response.curvature * v),
        damping=projected(-growth * v),
        growth=mode.growth,
        feedback=projected(product),
        quadratic=projected(square),
        cubic=projected(coefficients_of(second, (3, 0))),
        squared=squared,
        mixed=mixed,
    )


def coefficients_of(polynomials: list[Poly], powers: tuple[int, int]) -> ImmutableDenseMatrix:
    """Coefficients of one monomial in every source, a column."""
    return ImmutableDenseMatrix(
        [[p.coeff_monomial(p.gens[0] ** powers[0] * p.gens[1] ** powers[1])] for p in polynomials]
    )

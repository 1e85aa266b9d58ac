r"""The decaying solution of an amplitude equation, and the mode that grows on it.

    c₁ A'' + E A + g Aⁿ = 0,  A'(0) = 0, A → 0:      A = A₀ sechᵖ(kτ/p),
    c₁ χ'' + (E − b κ + n g Aⁿ⁻¹) χ = 0:             χ = sechˡ(kτ/p), without a node.

Both are put in as powers of sech and compared power by power. The second is the Pöschl–Teller
problem; its mode without a node belongs to the largest κ.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import Expr, Poly, S, Symbol, sech, tanh

from gatetheory.errors import DerivationError

_X = Symbol("x", real=True)
_SECH2 = Symbol("S", positive=True)


@dataclass(frozen=True)
class SolitaryProfile:
    """A solution in units in which g A₀ⁿ⁻¹/c₁ = 1 and b/c₁ = 1.

    Args:
        power: p.
        mode: l.
        rate_squared: k² (in units of g A₀ⁿ⁻¹/c₁).
        energy: E (in units of g A₀ⁿ⁻¹).
        growth: κ (in units of g A₀ⁿ⁻¹/b).
    """

    power: Expr
    mode: Expr
    rate_squared: Expr
    energy: Expr
    growth: Expr

    def at(self, lag: Expr, rate: Expr) -> Expr:
        """A(τ)/A₀."""
        return sech(rate * lag / self.power) ** self.power


def solitary_profile(order: int) -> SolitaryProfile:
    """Solve both equations for n = order.

    Raises:
        DerivationError: If a power of sech is left over.
    """
    p, ell, k2 = sympy.symbols("p l k2", positive=True)
    E, kappa = sympy.symbols("E kappa", real=True)
    (power,) = sympy.solve(p * (order - 1) - 2, p)  # Aⁿ has to be as steep as the rest of A''
    shape = k2 / power**2 * curvature(power) + E + _SECH2
    solved = _matched(shape, (k2, E))
    rate_squared, energy = solved[k2], solved[E]
    (mode,) = [
        root
        for root in sympy.solve(
            _terms(rate_squared / power**2 * curvature(ell) + order * _SECH2)[1], ell
        )
        if root.is_positive
    ]
    growing = rate_squared / power**2 * curvature(mode) + energy - kappa + order * _SECH2
    growth = _matched(growing, (kappa,))[kappa]
    return SolitaryProfile(power, mode, rate_squared, energy, growth)


def curvature(power: Expr) -> Expr:
    """f''/f of f = sechᵖ(x), in S = sech²."""
    f = sech(_X) ** power
    ratio = sympy.expand(sympy.powsimp(sympy.expand(f.diff(_X, 2) / f)))
    return sympy.expand(
        ratio.subs(tanh(_X) ** 2, 1 - sech(_X) ** 2).subs(sech(_X), sympy.sqrt(_SECH2))
    )


def _terms(expression: Expr) -> tuple[Expr, Expr]:
    """Coefficients of 1 and of sech², the only powers there may be."""
    polynomial = Poly(sympy.expand(expression), _SECH2)
    if polynomial.degree() > 1:
        raise DerivationError(f"{expression} has a power of sech that nothing balances")
    return polynomial.coeff_monomial(1), polynomial.coeff_monomial(_SECH2)


def _matched(expression: Expr, unknowns: tuple[Symbol, ...]) -> dict[Symbol, Expr]:
    conditions = [c for c in _terms(expression) if c != S.Zero]
    (solution,) = sympy.solve(conditions, unknowns, dict=True)
    return {u: solution[u] for u in unknowns}

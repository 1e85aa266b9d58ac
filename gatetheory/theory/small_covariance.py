r"""Averages at small variances, as polynomials in the covariances.

The average of a smooth function over Gaussian variables of small covariance Σ has the series

    ⟨f⟩ = Σ_α ∂^α f(0)/α! ⟨x^α⟩ = exp(½ Σ_ij Σ_ij ∂_i ∂_j) f |₀,

which is Price's theorem, taken again and again at Σ = 0. The moments ⟨x^α⟩ are Isserlis'.

*Assumptions*: f is smooth at 0; the series is asymptotic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy
from sympy import Add, DiracDelta, Expr, Heaviside, Mul, Poly, S, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.errors import DerivationError
from gatetheory.functions import differentiate


@dataclass(frozen=True)
class SmallExpansion:
    """A polynomial Σ c_m Π s_i^{m_i} in small quantities.

    Args:
        symbols: The small quantities s.
        terms: Coefficients by powers.
    """

    symbols: tuple[Symbol, ...]
    terms: dict[tuple[int, ...], Expr]

    def of_degree(self, degree: int) -> Expr:
        """The homogeneous part, as an expression."""
        return Add(
            *(
                c * Mul(*(s**p for s, p in zip(self.symbols, powers, strict=True)))
                for powers, c in self.terms.items()
                if sum(powers) == degree
            )
        )

    def slope(self, symbol: Symbol) -> Expr:
        """Coefficient of one quantity alone."""
        return self.terms.get(tuple(int(s == symbol) for s in self.symbols), S.Zero)


def expand_small(expression: Expr, small: Sequence[Symbol], order: int) -> SmallExpansion:
    """Expand an expression with averages in quantities that its covariances are made of.

    Args:
        expression: Averages whose covariances vanish with the small quantities, and polynomials.
        small: The small quantities.
        order: Highest total degree kept.

    Raises:
        DerivationError: If a covariance stays finite, an integrand is not smooth at zero, or the
            expression depends on the small quantities in another way.
    """
    symbols = tuple(small)
    averages = {a: _series(a, symbols, order) for a in expression.atoms(GaussianAverage)}
    try:
        polynomial = Poly(expression.xreplace(averages), *symbols)
    except sympy.PolynomialError as error:
        raise DerivationError(
            f"{expression} is no polynomial in its averages; it cannot be expanded about zero"
        ) from error
    return SmallExpansion(symbols, {m: c for m, c in polynomial.terms() if sum(m) <= order})


def _series(average: GaussianAverage, small: tuple[Symbol, ...], order: int) -> Expr:
    names, sigma = average.variables, average.covariance
    nothing = dict.fromkeys(small, S.Zero)
    remaining = [e for e in sigma if e.subs(nothing) != 0]
    if remaining:
        raise DerivationError(
            f"zero is not a fixed point: a variance {remaining[0]} stays; set inputs to zero"
        )
    table = _derivatives(average.integrand, names, 2 * order)
    taylor = Add(
        *(
            value / Mul(*(sympy.factorial(n) for n in powers))
            * Mul(*(x**n for x, n in zip(names, powers, strict=True)))
            for powers, value in table.items()
            if sum(powers) % 2 == 0
        )
    )  # fmt: skip
    return GaussianAverage(taylor, names, sigma)


def _derivatives(f: Expr, names: tuple[Symbol, ...], highest: int) -> dict[tuple[int, ...], Expr]:
    """∂^α f(0) up to a total order; of a product variable by variable where it separates."""
    constant, factors = f.as_independent(*names, as_Add=False)
    separate = [Mul(*(g for g in Mul.make_args(factors) if g.has(x))) for x in names]
    if Mul(*separate) == factors and all(
        not g.has(*(y for y in names if y != x)) for g, x in zip(separate, names, strict=True)
    ):
        table: dict[tuple[int, ...], Expr] = {(): constant}
        for g, x in zip(separate, names, strict=True):
            row = _along(g, x, highest)
            table = {
                (*powers, n): value * slope
                for powers, value in table.items()
                for n, slope in enumerate(row)
                if sum(powers) + n <= highest and slope != 0
            }
        return table
    return _all_derivatives(f, names, highest)


def _all_derivatives(
    f: Expr, names: tuple[Symbol, ...], highest: int
) -> dict[tuple[int, ...], Expr]:
    if not names:
        return {(): f}
    x, *rest = names
    table = {}
    for n in range(highest + 1):
        inner = _all_derivatives(_smooth(f, x).xreplace({x: S.Zero}), tuple(rest), highest - n)
        table |= {(n, *powers): value for powers, value in inner.items() if value != 0}
        f = differentiate(f, x)
    return table


def _along(f: Expr, x: Symbol, highest: int) -> list[Expr]:
    """f(0), f'(0), …"""
    values = []
    for _ in range(highest + 1):
        values.append(_smooth(f, x).xreplace({x: S.Zero}))
        f = differentiate(f, x)
    return values


def _smooth(f: Expr, x: Symbol) -> Expr:
    if f.has(DiracDelta, Heaviside, sympy.sign, sympy.Abs):
        raise DerivationError(f"{f} is not smooth at {x} = 0; there is no expansion about it")
    return f

"""Integrands with pairs of poles that pinch the real axis: resolvents 1/|P|².

Next to the spectrum, averages such as ⟨N(z)/((x + σ(z))² + y²)⟩ have poles at a distance ∝ y from
the real axis. With 1/|P|² = 1/(P Q), P = U + iV and Q = U - iV (U, V real on the axis), a zero ζ of
Q is where P = 2iV: small, but known without cancellation. This module finds P and Q in an
expression and prepares the Taylor coefficients from which residues at ζ follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy
from sympy import Dummy, Expr, I, S, Symbol

MAXIMAL_ORDER = 4


@dataclass(frozen=True)
class Pinch:
    """f = ∑_k N_k / (P Q)^k near the zeros of Q, with N_k = ∑_j numerators[k-1][j] U^j.

    Numerators are written in powers of U because U = Q + iV is known at a zero of Q without
    cancellation.

    Everything is a function of slots A_k, of outer symbols, and of ``slopes`` dA_k/du: entry n of a
    Taylor tuple is the n-th derivative along u.

    Args:
        base: |P|², possibly times a factor, as it stands in the expression.
        slopes: Symbols for dA_k/du, one per slot.
        root: Q and its derivatives.
        half_mate: V and its derivatives; P = Q + 2iV.
        terms: The terms that cancel in U at a zero of Q.
        numerators: For every order k and power j the coefficient and its derivatives.
    """

    base: Expr
    slopes: tuple[Symbol, ...]
    root: tuple[Expr, ...]
    half_mate: tuple[Expr, ...]
    terms: tuple[Expr, ...]
    numerators: tuple[tuple[tuple[Expr, ...], ...], ...]

    @property
    def order(self) -> int:
        """Highest power of 1/(P Q)."""
        return len(self.numerators)


def find_pinches(expression: Expr, slots: Sequence[Symbol]) -> tuple[Pinch, ...]:
    """Every factor 1/|P|² with P transcendental in the slots and V depending on outer symbols."""
    found = []
    for base in _denominators(expression, slots):
        pair = _conjugate_pair(base, slots)
        if pair is None:
            continue
        real, imaginary, rest = pair
        pinch = _prepared(expression, base, real, imaginary, rest, slots)
        if pinch is not None:
            found.append(pinch)
    return tuple(found)


def _denominators(expression: Expr, slots: Sequence[Symbol]) -> list[Expr]:
    mine = set(slots)
    bases = {
        p.base
        for p in expression.atoms(sympy.Pow)
        if p.exp.is_Integer and p.exp.is_negative and p.base.free_symbols & mine
    }
    return sorted(bases, key=sympy.default_sort_key)


def _conjugate_pair(base: Expr, slots: Sequence[Symbol]) -> tuple[Expr, Expr, Expr] | None:
    """(U, V, R) with base = (U² + V²) R."""
    mine = set(slots)
    functions = [f for f in base.atoms(sympy.Function) if f.free_symbols & mine]
    if not functions:
        return None
    if base.is_Add and len(base.args) == 2:
        first, second = (_square_root(a) for a in base.args)
        if first is not None and second is not None:
            return _accepted(first, second, S.One, mine)
    names = {f: Dummy(real=True) for f in functions}
    plain = base.xreplace(names)
    if not plain.is_polynomial(*plain.free_symbols):
        return None
    back = {name: f for f, name in names.items()}
    _, factors = sympy.factor_list(plain, gaussian=True)
    for factor, multiplicity in factors:
        conjugate = sympy.expand(sympy.conjugate(factor))
        if multiplicity != 1 or conjugate == sympy.expand(factor):
            continue
        real = sympy.expand((factor + conjugate) / 2)
        imaginary = sympy.expand((factor - conjugate) / (2 * I))
        rest = sympy.cancel(plain / (real**2 + imaginary**2))
        if rest.is_polynomial(*plain.free_symbols):
            return _accepted(
                real.xreplace(back), imaginary.xreplace(back), rest.xreplace(back), mine
            )
    return None


def _square_root(e: Expr) -> Expr | None:
    coefficient, factors = e.as_coeff_mul()
    root = sympy.sqrt(coefficient)
    if not root.is_Rational:
        return None
    for f in factors:
        base, exponent = f.as_base_exp()
        if not (exponent.is_Integer and exponent.is_even):
            return None
        root *= base ** (exponent / 2)
    return root


def _accepted(
    real: Expr, imaginary: Expr, rest: Expr, mine: set[Symbol]
) -> tuple[Expr, Expr, Expr] | None:
    """Only pairs that come together when an outer symbol vanishes; V is what vanishes with it."""
    outer = (real.free_symbols | imaginary.free_symbols) - mine
    for u, v in ((real, imaginary), (imaginary, real)):
        if any(v.xreplace({s: S.Zero}) == 0 for s in outer) and u.free_symbols & mine:
            return u, v, rest
    return None


def _prepared(
    expression: Expr, base: Expr, real: Expr, imaginary: Expr, rest: Expr, slots: Sequence[Symbol]
) -> Pinch | None:
    inverse = Dummy("inverse", real=True)
    replaced = expression.replace(
        lambda e: isinstance(e, sympy.Pow) and e.base == base and e.exp.is_Integer and e.exp < 0,
        lambda e: (inverse / rest) ** (-e.exp),
    )
    if replaced.has(base) or not replaced.is_polynomial(inverse):
        return None
    polynomial = sympy.Poly(replaced, inverse)
    order = int(polynomial.degree())
    if order > MAXIMAL_ORDER:
        return None
    slopes = tuple(Dummy(f"slope_{k}", real=True) for k in range(len(slots)))
    along = list(zip(slots, slopes, strict=True))

    def taylor(e: Expr, highest: int) -> tuple[Expr, ...]:
        derivatives = [e]
        for _ in range(highest):
            last = derivatives[-1]
            derivatives.append(sympy.Add(*(last.diff(a) * s for a, s in along)))
        return tuple(derivatives)

    return Pinch(
        base,
        slopes,
        taylor(real - I * imaginary, max(order, 2)),
        taylor(imaginary, order - 1),
        sympy.Add.make_args(real),
        tuple(
            tuple(taylor(c, k - 1) for c in _in_powers(polynomial.coeff_monomial(inverse**k), real))
            for k in range(1, order + 1)
        ),
    )


def _in_powers(expression: Expr, of: Expr) -> tuple[Expr, ...]:
    """Coefficients c_j of expression = ∑_j c_j of^j, by repeated division of polynomials."""
    functions = sorted(
        of.atoms(sympy.Function) | expression.atoms(sympy.Function), key=sympy.default_sort_key
    )
    names = {f: Dummy(real=True) for f in functions}
    back = {name: f for f, name in names.items()}
    rest, divisor = expression.xreplace(names), of.xreplace(names)
    first = [names[f] for f in functions if names[f] in divisor.free_symbols]
    others = (rest.free_symbols | divisor.free_symbols) - set(first)
    generators = [*first, *sorted(others, key=sympy.default_sort_key)]
    if not rest.is_polynomial(*generators) or not divisor.is_polynomial(*generators):
        return (expression,)
    coefficients: list[Expr] = []
    while rest != 0 and len(coefficients) <= 2 * MAXIMAL_ORDER:
        (rest,), remainder = sympy.reduced(rest, [divisor], *generators)
        coefficients.append(remainder.xreplace(back))
    return tuple(coefficients) if rest == 0 and coefficients else (expression,)

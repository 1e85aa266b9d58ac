"""How far from the real axis functions of one variable are analytic, read off their expressions."""

from __future__ import annotations

from sympy import Dummy, Expr, Function, ImmutableDenseMatrix, Min, S, Symbol, exp, sympify

from gatetheory.codegen.integrand import Integrand, analyse
from gatetheory.codegen.lowering import Quadrature
from gatetheory.errors import DerivationError

_ENTIRE_REACH = 2.0  # entire functions grow off the axis: treated as if singular at this distance


def reach(functions: list[Expr], slot: Symbol) -> Expr:
    """Distance of the nearest singularity of any function from the real axis.

    Raises:
        DerivationError: If a function has kinks, or singularities that are not located.
    """
    for f in functions:
        if has_hidden_poles(f, slot):
            raise DerivationError(
                f"the singularities of {f} next to the real axis are not located; use "
                'closure="sampled"'
            )
    return known_reach(functions, slot)


def known_reach(functions: list[Expr], slot: Symbol) -> Expr:
    """Distance of the nearest singularity that the arguments of functions show."""
    reaches = [S(10**6)]
    one = ImmutableDenseMatrix([[1]])
    for f in functions:
        if not f.has(slot):
            continue
        integrand = analyse(Quadrature(Dummy(), f, (slot,), one))
        _require_analytic(integrand, f)
        for s in integrand.slots:
            distance = min(s.reach, _ENTIRE_REACH) if s.reach == float("inf") else s.reach
            if integrand.expression.has(s.symbol) and not _is_polynomial(integrand, s.symbol):
                reaches.append(sympify(distance) / abs(s.slopes[0]))
    return Min(*reaches) if len(reaches) > 1 else reaches[0]


def _is_polynomial(integrand: Integrand, symbol: Symbol) -> bool:
    return bool(integrand.expression.is_polynomial(symbol))


def has_hidden_poles(f: Expr, slot: Symbol) -> bool:
    """Whether the distance of the nearest pole, or the growth, is not read off the slots."""
    if not f.has(slot):
        return False
    integrand = analyse(Quadrature(Dummy(), f, (slot,), ImmutableDenseMatrix([[1]])))
    nested = any(
        e.has(slot) and any(a.atoms(Function) & f.atoms(Function) for a in e.args if a.has(slot))
        for e in f.atoms(Function)
    )
    return bool(integrand.curves or integrand.pinches or nested or f.has(exp))


def _require_analytic(integrand: Integrand, f: Expr) -> None:
    if not integrand.is_analytic:
        raise DerivationError(
            f"{f} is not analytic (kinks or jumps), as averages over pairs need; use "
            'closure="sampled"'
        )

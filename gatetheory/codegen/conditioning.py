"""How an integrand oscillates, and how much rounding its evaluation amplifies.

Both are read from the expression: an entire function that oscillates looks smooth to the
trapezoidal rule's error estimate when step and period agree, and a denominator that cancels is
rounded more than the sum of its values suggests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import sympy
from sympy import Abs, Add, Expr, Pow, S, Symbol

_PERIODIC = (sympy.sin, sympy.cos, sympy.tan)
_UNKNOWN = 4
"""Harmonics assumed of a function of an oscillating function."""


def phases(expression: Expr, slots: Iterable[Symbol], smooth: tuple[type, ...]) -> dict[Expr, int]:
    """Arguments of oscillating functions and the highest harmonic of each.

    Args:
        expression: An integrand in terms of slots.
        slots: Its slots.
        smooth: Functions known not to oscillate.
    """

    def own(e: Expr) -> dict[Expr, int]:
        oscillates = isinstance(e, _PERIODIC) or not isinstance(e, smooth)
        return {a: 1 for a in e.args if a.free_symbols & set(slots)} if oscillates else {}

    return _degrees(expression, set(slots), own)


def pole_order(expression: Expr, slots: Iterable[Symbol], orders: Mapping[type, int]) -> int:
    """Highest order of a pole, if all singular functions have poles at the same place.

    Args:
        expression: An integrand in terms of slots.
        slots: Its slots.
        orders: Order of the poles of each function that has any.
    """

    def own(e: Expr) -> dict[Expr, int]:
        return {S.One: orders[type(e)]} if type(e) in orders else {}

    return _degrees(expression, set(slots), own).get(S.One, 1)


def _degrees(e: Expr, mine: set[Symbol], own: Callable[[Expr], dict[Expr, int]]) -> dict[Expr, int]:
    """Degrees of an expression in certain features of functions: they add up in products."""
    if not e.args or not e.free_symbols & mine:
        return {}
    inside = [_degrees(a, mine, own) for a in e.args]
    if e.is_Add:
        return _merged(inside, max)
    if e.is_Mul:
        return _merged(inside, lambda a, b: a + b)
    if e.is_Pow and e.exp.is_Integer and e.exp > 0:
        return {k: int(n * e.exp) for k, n in inside[0].items()}
    found = {k: _UNKNOWN * n for k, n in _merged(inside, max).items()}
    if isinstance(e, sympy.Function):
        found |= own(e)
    return found


def _merged(
    parts: Iterable[dict[Expr, int]], combine: Callable[[int, int], int]
) -> dict[Expr, int]:
    total: dict[Expr, int] = {}
    for part in parts:
        for key, n in part.items():
            total[key] = combine(total[key], n) if key in total else n
    return total


def amplification(expression: Expr, slots: Iterable[Symbol], ignored: Iterable[Expr]) -> Expr:
    """Relative rounding of the value in units of the last place, beyond that of its factors.

    Negative and fractional powers of a sum contribute ∑|terms|/|sum|, the exponential of a sum
    ∑|terms|.

    Args:
        expression: An integrand in terms of slots.
        slots: Its slots.
        ignored: Bases that are known to be harmless.
    """
    mine, harmless = set(slots), set(ignored)
    total = S.Zero
    for e in expression.atoms(Pow, sympy.exp):
        if not e.free_symbols & mine:
            continue
        if isinstance(e, sympy.exp):
            if isinstance(e.args[0], Add):
                total += Add(*(Abs(t) for t in e.args[0].args))
            continue
        cancels = isinstance(e.base, Add) and e.base not in harmless and not _is_positive(e.base)
        if cancels and not (e.exp.is_Integer and e.exp > 0):
            terms = Add(*(Abs(t) for t in e.base.args))
            total += Abs(e.exp) * terms / Abs(e.base)
    return total


def _is_positive(total: Add) -> bool:
    """Whether no two terms of a sum can have opposite signs."""
    return all(t.is_nonnegative for t in total.args)

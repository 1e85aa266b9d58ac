"""Where the expressions of a model are real and finite, and where they are not negative.

SymPy's assumptions prove what they can. What they cannot prove is tried at a few dozen points, and
the first point at which it fails is named. That finds mistakes, it is no proof: a quotient that
fails at one odd point without changing its sign, 1/(1 + sin x), is let through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sympy
from sympy import Expr, Interval, Pow, Rational, Symbol

from gatetheory.errors import ModelError

_POINTS = tuple(map(Rational, (0, 1, -1, "1/3", "-1/2", 2, -3, 7, -20, 20)))


def check_real(
    where: str, expression: Expr, domains: Mapping[Symbol, tuple[Expr, Interval]]
) -> None:
    """Refuse an expression that is complex or infinite somewhere.

    Args:
        where: Name of the expression.
        expression: The expression, without abstract nonlinearities.
        domains: Default and domain of every parameter; any other symbol is any real number.

    Raises:
        ModelError: If a logarithm, a root or a quotient fails at a point.
    """
    for node in sorted(expression.atoms(Pow, sympy.log), key=str):
        base, needed = _requirement(node)
        if needed is None:
            continue
        seen: set[int] = set()
        for point in _points(base, domains):
            sign = int(sympy.sign(base.xreplace(point).evalf(30, maxn=400)))
            seen.add(sign)
            if sign == 0 or seen == {-1, 1} or (sign < 0 and needed == "positive"):
                at = ", ".join(f"{s} = {v}" for s, v in point.items())
                raise ModelError(
                    f"{where} contains {node}, which is not real and finite for every value of "
                    f"its symbols: {base} must be {needed} but is not{' near ' * bool(at)}{at}"
                )


def check_nonnegative(
    where: str, expression: Expr, domains: Mapping[Symbol, tuple[Expr, Interval]]
) -> None:
    """Refuse an expression in the parameters that is zero or can be negative.

    Raises:
        ModelError: If it is 0, or negative somewhere in the domain of the parameters.
    """
    if expression.is_zero:
        raise ModelError(f"{where} is 0, so it has no effect; remove it")
    if expression.is_nonnegative:
        return
    for point in _points(expression, domains):
        if expression.xreplace(point).evalf(30, maxn=400) < 0:
            at = ", ".join(f"{s} = {v}" for s, v in point.items()) or "any value"
            raise ModelError(
                f"{where} is {expression}, which is negative at {at}; narrow the domain of its "
                "parameters (POSITIVE or NONNEGATIVE) or square it"
            )


def _requirement(node: Expr) -> tuple[Expr, str | None]:
    """What must hold for the argument of a logarithm or the base of a power, None if it does."""
    if isinstance(node, sympy.log):
        return node.args[0], None if node.args[0].is_positive else "positive"
    base, exponent = node.args
    if base.is_positive or (exponent.is_integer and exponent.is_nonnegative):
        return base, None
    if exponent.is_integer:
        return base, None if base.is_negative else "different from 0"
    return base, "positive"


def _points(
    expression: Expr, domains: Mapping[Symbol, tuple[Expr, Interval]]
) -> Iterator[dict[Symbol, Expr]]:
    """Points to try: parameters at their defaults, or across their domain if there is but one."""
    symbols = sorted(expression.free_symbols, key=str)
    free = [s for s in symbols if s not in domains or len(symbols) == 1]
    fixed = {s: domains[s][0] for s in symbols if s not in free}
    for i in range(len(_POINTS)):
        for stride in (0, 1, 3) if len(free) > 1 else (0,):
            moved = {s: _POINTS[(i + stride * k) % len(_POINTS)] for k, s in enumerate(free)}
            if all(domains[s][1].contains(v) for s, v in moved.items() if s in domains):
                yield {**fixed, **moved}
        if not free:
            return
    for s in free:
        if s in domains:
            default, domain = domains[s]
            yield from ({s: v} for v in (default, domain.start, domain.end) if v in domain)

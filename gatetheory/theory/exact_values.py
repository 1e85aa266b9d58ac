"""Exact values of abstract coefficients: definitions put in, zeros and signs decided.

Expansions about the zero state leave φ(0), φ'(0), σ'(0), … in their coefficients. What such a
number is follows from the definition of the nonlinearity at given parameters; others may be open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import sympy
from sympy import Expr, Lambda, Rational, S, Symbol

from gatetheory.errors import DerivationError, ParameterError
from gatetheory.functions import Nonlinear, instantiate, logistic

_SATURATING = (logistic, sympy.tanh, sympy.sech, sympy.sinh, sympy.cosh)
# Where an expression that might vanish identically is tried: no simple relation among the values.
_TRIALS = (Rational(17, 13), Rational(29, 31), Rational(41, 19), Rational(7, 23), Rational(53, 47))
_SMALL = 1e-25


def tidy(expression: Expr) -> Expr:
    """One fraction in exponentials, factored."""
    plain = sympy.sympify(expression).rewrite(_SATURATING, sympy.exp)
    factored = sympy.factor(sympy.cancel(sympy.together(plain)))
    numerator, denominator = sympy.fraction(factored)
    if denominator.is_Add or denominator.is_Mul and numerator.could_extract_minus_sign():
        numerator, denominator = _without_minus(numerator, denominator)
        return numerator / denominator
    return factored


def _without_minus(numerator: Expr, denominator: Expr) -> tuple[Expr, Expr]:
    """−a/(x − y) as a/(y − x)."""
    if not numerator.could_extract_minus_sign():
        return numerator, denominator
    factors = list(sympy.Mul.make_args(denominator))
    for i, factor in enumerate(factors):
        if factor.is_Add:
            factors[i] = sympy.expand(-factor)
            return -numerator, sympy.Mul(*factors)
    return numerator, denominator


def defined(expression: Expr, definitions: Mapping[str, Lambda], at: Mapping[Symbol, Expr]) -> Expr:
    """An expression with the definitions of its nonlinearities and values of parameters put in."""
    return tidy(instantiate(sympy.sympify(expression), definitions).subs(dict(at)))


def vanishes(expression: Expr) -> bool:
    """Whether an expression is zero whatever its symbols are."""
    e = sympy.sympify(expression)
    if e.is_zero:
        return True
    if e.is_number:
        return _number_is_zero(e)
    for shift in (0, 2):
        value = sympy.N(e.subs(_trial_point(e.free_symbols, shift)), 30)
        if value.is_number and not value.has(S.NaN, S.ComplexInfinity) and abs(value) > _SMALL:
            return False
    return bool(tidy(e).is_zero or sympy.simplify(e.rewrite(_SATURATING, sympy.exp)) == 0)


def _number_is_zero(number: Expr) -> bool:
    if abs(sympy.N(number, 30, maxn=400)) > _SMALL:
        return False
    return bool(sympy.simplify(number) == 0)


def _trial_point(symbols: Iterable[Symbol], shift: int) -> dict[Symbol, Expr]:
    ordered = sorted(symbols, key=str)
    return {s: _TRIALS[(i + shift) % len(_TRIALS)] + i for i, s in enumerate(ordered)}


def sign_of(expression: Expr) -> int | None:
    """−1, 0 or 1; None if it depends on the symbols, or SymPy cannot tell."""
    e = sympy.sympify(expression)
    if vanishes(e):
        return 0
    if e.is_positive or e.is_negative:
        return 1 if e.is_positive else -1
    if e.is_number and e.is_real is not False:
        return 1 if sympy.re(sympy.N(e, 30, maxn=400)) > 0 else -1
    return None


def without_vanishing(
    expression: Expr, definitions: Mapping[str, Lambda], at: Mapping[Symbol, Expr]
) -> Expr:
    """An expression with those φ⁽ⁿ⁾(x₀) set to 0 that vanish by definition (odd φ, closed gate)."""
    nodes = (n for n in expression.atoms(Nonlinear))
    zero = {n: S.Zero for n in nodes if vanishes(defined(n, definitions, at))}
    return expression.xreplace(zero)


Check = Callable[[Mapping[str, Expr]], object]


def solve_exactly(equation: Expr, symbol: Symbol) -> tuple[Expr, ...]:
    """Closed forms of the real roots that lie in the symbol's domain of signs.

    A root whose sign depends on open parameters is kept; of two that differ by their sign alone,
    only the one is that is positive in the range where both are real.

    Raises:
        DerivationError: If there is no closed form.
    """
    if symbol not in equation.free_symbols:
        raise DerivationError(f"the condition does not depend on {symbol}")
    numerator = sympy.fraction(tidy(equation))[0]
    try:
        roots = sympy.solve(numerator, symbol)
    except NotImplementedError as error:
        raise DerivationError(f"no closed form for {symbol}: {error}") from error
    found: list[Expr] = []
    for root in roots:
        simple = neat(root)
        if simple.has(symbol, sympy.RootOf) or simple.is_real is False or simple.has(S.NaN):
            continue
        if simple.is_number and abs(sympy.im(sympy.N(simple, 30))) > _SMALL:
            continue
        if symbol.is_nonnegative and _is_below_zero(simple):
            continue
        if symbol.is_positive and vanishes(simple):
            continue
        found.append(simple)
    return tuple(found)


def neat(expression: Expr) -> Expr:
    """A closed form as people write it."""
    e = sympy.sympify(expression)
    if e.is_number:
        short = sympy.sqrtdenest(sympy.simplify(e))
        return short if short.has(sympy.exp, sympy.cosh, sympy.sinh) else sympy.radsimp(short)
    return sympy.simplify(e)


def divides(factor: Expr, expression: Expr) -> bool:
    """Whether an expression is a multiple of another, so that it vanishes where the other does."""
    numerator = sympy.fraction(tidy(factor))[0]
    rest = sympy.fraction(tidy(expression / numerator))[1]
    return (
        not rest.free_symbols & numerator.free_symbols
        or not sympy.gcd(rest, numerator).free_symbols
    )


def real_where(values: Sequence[Expr]) -> tuple[Expr, ...]:
    """What has to be positive for closed forms with roots and logarithms to be real."""
    found: list[Expr] = []
    for value in values:
        for node in value.atoms(sympy.Pow, sympy.log):
            inside = node.args[0]
            root = node.is_Pow and not node.exp.is_integer and inside != S.Exp1
            if (root or isinstance(node, sympy.log)) and inside.is_positive is None:
                found.append(inside)
    return tuple(dict.fromkeys(found))


def _is_below_zero(root: Expr) -> bool:
    if root.is_number:
        return bool(sympy.re(sympy.N(root, 30)) < 0)
    if root.is_negative:
        return True
    # Roots come in pairs ±: the sign is tried where the root is real.
    signs = set()
    for shift in range(len(_TRIALS)):
        for factor in (S.One, Rational(1, 7), S(-1), S(5)):
            point = {
                s: v * (abs(factor) if s.is_nonnegative else factor)
                for s, v in _trial_point(root.free_symbols, shift).items()
            }
            value = sympy.N(root.subs(point), 20)
            if value.is_number and value.is_real and value.is_finite and value != 0:
                signs.add(bool(value > 0))
    return signs == {False}


def lies_in_domain(values: Mapping[Symbol, Expr], at: Mapping[Symbol, Expr], bind: Check) -> bool:
    """Whether a point made of numbers is one the model accepts; open points always are."""
    known = {**at, **values}
    numbers = {s.name: v for s, v in known.items() if sympy.sympify(v).is_number}
    try:
        bind(numbers)
    except ParameterError:
        return False
    return True


def pivot(matrix: Sequence[Sequence[Expr]]) -> tuple[int, int] | None:
    """Position of the first entry that does not vanish."""
    for i, row in enumerate(matrix):
        for j, entry in enumerate(row):
            if not vanishes(entry):
                return i, j
    return None

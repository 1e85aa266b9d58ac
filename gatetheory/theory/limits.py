"""Limits of derived expressions in the parameters of their model.

A limit is taken where the parameters stand, in the definitions of the nonlinearities and in
explicit coefficients, so that averages over a saturated gate fold by themselves.

*Assumptions*: the limit of an average is the average of the limit (the nonlinearities are bounded
uniformly, or dominated).
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy import Dummy, Expr, Lambda, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.errors import DerivationError
from gatetheory.functions import instantiate, logistic

# Not "rewrite all": that would turn a power φ² into exp(2 log φ).
_SATURATING = (logistic, sympy.tanh, sympy.sech, sympy.sinh, sympy.cosh)


def limit_of_definitions(
    definitions: Mapping[str, Lambda], limits: Mapping[Symbol, Expr]
) -> dict[str, Lambda]:
    """Pointwise limits of nonlinearities."""
    return {name: Lambda(d.variables, limit_of(d.expr, limits)) for name, d in definitions.items()}


def limit_of(expression: Expr, limits: Mapping[Symbol, Expr]) -> Expr:
    """Limit of an expression; finite values are substituted, infinite ones taken one by one.

    Raises:
        DerivationError: If SymPy cannot take the limit.
    """
    finite = {s: v for s, v in limits.items() if sympy.sympify(v).is_finite}
    expression = expression.subs(finite)
    for symbol, value in limits.items():
        if symbol in finite or symbol not in expression.free_symbols:
            continue
        expression = _limit(expression, symbol, value)
    return expression


def _limit(expression: Expr, symbol: Symbol, value: Expr) -> Expr:
    """One limit; averages are constants to SymPy, and their own limits are taken inside them."""
    known = {
        a: Dummy(real=True)
        for a in expression.atoms(GaussianAverage)
        if symbol not in a.free_symbols
    }
    short = expression.xreplace(known).rewrite(_SATURATING, sympy.exp)
    if short.has(GaussianAverage):
        raise DerivationError(
            f"the limit {symbol} → {value} reaches into an average; take it in the definitions of "
            "the nonlinearities"
        )
    try:
        result = sympy.limit(short, symbol, value)
    except NotImplementedError as error:
        raise DerivationError(f"no limit {symbol} → {value} of {expression}: {error}") from error
    if result.has(sympy.Limit, sympy.AccumBounds):
        raise DerivationError(f"no limit {symbol} → {value} of {expression}")
    return result.xreplace({d: a for a, d in known.items()})


def derived_limit(
    expression: Expr, definitions: Mapping[str, Lambda], limits: Mapping[Symbol, Expr]
) -> Expr:
    """A derived expression in a limit, with the limiting nonlinearities put in.

    Args:
        expression: Any derived expression, averages included.
        definitions: Definitions of its nonlinearities.
        limits: Value, or ±∞, for each parameter that goes to a limit.
    """
    defined = instantiate(expression, limit_of_definitions(definitions, limits))
    return limit_of(defined, limits)

"""Splits expressions with averages into a sequence of plain quadratures and plain arithmetic.

Shared by all backends: what they add is how a quadrature is done in their arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Dummy, Expr, ImmutableDenseMatrix, Symbol

from gatetheory.codegen.sifting import without_deltas
from gatetheory.equations.averages import GaussianAverage
from gatetheory.errors import DerivationError


@dataclass(frozen=True)
class Quadrature:
    """One Gaussian average, free of other averages.

    Args:
        symbol: Stands for its value in later steps.
        integrand: Function of the variables, of the program's arguments, and of the symbols of
            earlier quadratures.
        variables: Integration variables.
        covariance: Their covariance, in the same symbols as the integrand.
    """

    symbol: Dummy
    integrand: Expr
    variables: tuple[Symbol, ...]
    covariance: ImmutableDenseMatrix


@dataclass(frozen=True)
class Lowered:
    """Outputs as arithmetic on the arguments and on the values of quadratures done in order.

    Args:
        arguments: Symbols that are given.
        quadratures: To be done in this order; equal averages appear once.
        outputs: Expressions in arguments and quadrature symbols, free of averages.
    """

    arguments: tuple[Symbol, ...]
    quadratures: tuple[Quadrature, ...]
    outputs: tuple[Expr, ...]

    def sensitivities(self) -> list[dict[Dummy, Expr]]:
        """∂output/∂quadrature for every output: how errors of averages travel to outputs.

        The dependence of a later quadrature on an earlier one through its covariance is included
        by Price's theorem as long as it is smooth; see the backends for how it is used.
        """
        return [
            {q.symbol: d for q in self.quadratures if (d := o.diff(q.symbol)) != 0}
            for o in self.outputs
        ]


def lower(outputs: Sequence[Expr], arguments: Sequence[Symbol]) -> Lowered:
    """Replace every average by a symbol, innermost first.

    Raises:
        DerivationError: If an output contains a symbol that is not an argument.
    """
    found: dict[Expr, Quadrature] = {}

    def flatten(expression: Expr) -> Expr:
        outermost = _outermost(expression)
        replacement = {}
        for average in outermost:
            covariance = ImmutableDenseMatrix(average.covariance.applyfunc(flatten))
            plain = GaussianAverage(
                flatten(average.integrand), average.variables, covariance, evaluate=False
            )
            key = plain.canonical()
            if key not in found:
                found[key] = Quadrature(
                    Dummy(f"average_{len(found)}", real=True),
                    plain.integrand,
                    plain.variables,
                    plain.covariance,
                )
            replacement[average] = found[key].symbol
        return expression.xreplace(replacement)

    flat = tuple(flatten(without_deltas(o)) for o in outputs)
    result = Lowered(tuple(arguments), tuple(found.values()), flat)
    _check_closed(result)
    return result


def _outermost(expression: Expr) -> list[GaussianAverage]:
    if isinstance(expression, GaussianAverage):
        return [expression]
    return [a for argument in expression.args for a in _outermost(argument)]


def _check_closed(lowered: Lowered) -> None:
    known: set[Symbol] = set(lowered.arguments)
    for q in lowered.quadratures:
        needed = (q.integrand.free_symbols - set(q.variables)) | q.covariance.free_symbols
        if needed - known:
            raise _undefined(needed - known, "average", q.integrand)
        known.add(q.symbol)
    for o in lowered.outputs:
        if o.free_symbols - known:
            raise _undefined(o.free_symbols - known, "output", o)


def _undefined(symbols: set[Symbol], where: str, expression: Expr) -> DerivationError:
    names = ", ".join(sorted(map(str, symbols)))
    return DerivationError(
        f"the {where} {expression} contains {names}, which no argument gives a value to"
    )

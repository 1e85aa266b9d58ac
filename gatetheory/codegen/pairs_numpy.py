"""Averages over a pair of Gaussian variables at many covariances at once, in doubles.

What equations for covariances need: ⟨f(x) g(y)⟩ for hundreds of covariances c of a pair, with f and
g analytic near the real axis; variances, and what f and g contain, may differ from pair to pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import (
    Dummy,
    Expr,
    ImmutableDenseMatrix,
    Mul,
    S,
    Symbol,
    expand,
    sympify,
)

from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.integrand import analyse
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.lowering import Quadrature, lower
from gatetheory.codegen.pair_quadrature_numpy import CompiledPair, Pair
from gatetheory.codegen.quadrature_numpy import NumpyQuadrature
from gatetheory.codegen.rewriting import stable
from gatetheory.errors import DerivationError, ParameterError

Array = NDArray[np.float64]


def compile_pairs(outputs: Sequence[Expr], arguments: Sequence[Symbol]) -> PairProgram:
    """Compile expressions with averages over one variable or over a pair.

    Raises:
        DerivationError: If an average is over more variables, is no product of functions of one
            variable each, or has kinks.
    """
    return _compiled(tuple(map(sympify, outputs)), tuple(arguments))


@lru_cache(maxsize=128)
def _compiled(outputs: tuple[Expr, ...], arguments: tuple[Symbol, ...]) -> PairProgram:
    return PairProgram(outputs, arguments)


class PairProgram:
    """Compiled outputs; arguments are numbers, or arrays of one common length.

    Args:
        outputs: What is evaluated.
        arguments: Symbols whose values a call expects.
    """

    def __init__(self, outputs: tuple[Expr, ...], arguments: tuple[Symbol, ...]) -> None:
        self.outputs, self.arguments = outputs, arguments
        lowered = lower(outputs, arguments)
        self._single: list[tuple[Dummy, NumpyQuadrature, tuple[Symbol, ...]]] = []
        pairs: dict[ImmutableDenseMatrix, Pair] = {}
        sums: dict[Dummy, Expr] = {}
        for q in lowered.quadratures:
            if len(q.variables) == 1:
                integrand = analyse(q)
                self._single.append((q.symbol, NumpyQuadrature(integrand), integrand.outer))
            else:
                sums[q.symbol] = _split(q, pairs)
        singles = [s for s, _, _ in self._single]
        for q in lowered.quadratures:
            nested = (q.integrand.free_symbols | q.covariance.free_symbols) - set(arguments)
            if nested - set(q.variables):
                raise DerivationError(
                    f"the average of {q.integrand} contains an average; lag equations need their "
                    "averages side by side"
                )
        self._pairs = [CompiledPair(p, arguments) for p in pairs.values()]
        products = [s for p in pairs.values() for s, _, _ in p.products]
        results = [stable(o.xreplace(sums)) for o in lowered.outputs]
        self._order = [*arguments, *singles, *products]
        self._arithmetic = compile_kernel(results, [], self._order, DOUBLES)

    def __call__(self, *values: Any, tolerance: float = 1e-14) -> Array:
        """Values of the outputs, shape (number of outputs, length of the arguments).

        Args:
            values: One per argument: a number or an array of shape (n,).
            tolerance: Accuracy relative to the size of the functions.
        """
        if len(values) != len(self.arguments):
            raise ParameterError(f"expected values for {self.arguments}, got {len(values)}")
        arrays = [np.asarray(v, dtype=float) for v in values]
        length = max((a.size for a in arrays if a.ndim), default=1)
        known: dict[Symbol, Any] = dict(zip(self.arguments, arrays, strict=True))
        with np.errstate(all="ignore"):
            found: list[Any] = []
            for _, quadrature, outer in self._single:
                given = [_number(known[s]) for s in outer]
                found.append(quadrature(given, max(tolerance, 1e-13)).value)
            for pair in self._pairs:
                found += list(pair(known, length, tolerance))
            results = self._arithmetic(*arrays, *found)()
        return np.stack([np.broadcast_to(np.asarray(r, dtype=float), (length,)) for r in results])


def _number(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def _split(q: Quadrature, pairs: dict[ImmutableDenseMatrix, Pair]) -> Expr:
    """Write an average over a pair as a sum of products of functions of one variable each."""
    if len(q.variables) > 2:
        raise DerivationError(
            f"the average of {q.integrand} ties {len(q.variables)} variables; lag equations can "
            'average over a pair only: use closure="sampled"'
        )
    covariance = q.covariance
    pair = pairs.setdefault(covariance, Pair(covariance))
    total = S.Zero
    terms = separate(q.integrand, q.variables)
    for constant, f, g in terms:
        symbol = Dummy("pair", real=True)
        x, y = q.variables
        pair.add(f.xreplace({x: pair.slot}), g.xreplace({y: pair.slot}), symbol)
        total += constant * symbol
    return total


def separate(integrand: Expr, variables: tuple[Symbol, ...]) -> list[tuple[Expr, Expr, Expr]]:
    """Write an integrand as a sum of constant · f(x) g(y).

    Raises:
        DerivationError: If it is no such sum.
    """
    x, y = variables
    for form in (integrand, expand(integrand)):
        found = []
        for term in form.args if form.is_Add else (form,):
            constant, rest = term.as_independent(x, y, as_Add=False)
            factors = Mul.make_args(rest)
            if any(f.has(x) and f.has(y) for f in factors):
                break
            f = Mul(*(f for f in factors if f.has(x)))
            found.append((constant, f, Mul(*(g for g in factors if not g.has(x)))))
        else:
            return found
    raise DerivationError(
        f"{integrand} is no product of functions of {x} and {y}; lag equations average products "
        'only: use closure="sampled"'
    )

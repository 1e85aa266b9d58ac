"""Compiles expressions with Gaussian averages to programs of any precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
from sympy import Expr, Symbol, sympify

from gatetheory.codegen.functions_mpmath import CONTEXT, MULTIPLE, exact_to_context
from gatetheory.codegen.integrand import analyse
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.lowering import lower
from gatetheory.codegen.program import Evaluation
from gatetheory.codegen.quadrature_mpmath import MpmathQuadrature
from gatetheory.codegen.rewriting import stable
from gatetheory.errors import ParameterError

name = "mpmath"
DIGITS = 30
"""Default number of digits."""
_ATTEMPTS = 3


def compile(
    outputs: Sequence[Expr], arguments: Sequence[Symbol], digits: int = DIGITS
) -> MpmathProgram:
    """Compile real expressions in real symbols; averages included.

    Compiling the same again costs nothing.
    """
    return _compiled(tuple(map(sympify, outputs)), tuple(arguments), digits)


@lru_cache(maxsize=512)
def _compiled(
    outputs: tuple[Expr, ...], arguments: tuple[Symbol, ...], digits: int
) -> MpmathProgram:
    return MpmathProgram(outputs, arguments, digits)


class MpmathProgram:
    """Expressions compiled to multiple precision.

    Args:
        outputs: What is evaluated.
        arguments: Symbols whose values a call expects.
        digits: Digits of the results, when a call does not say.
    """

    def __init__(
        self, outputs: tuple[Expr, ...], arguments: tuple[Symbol, ...], digits: int = DIGITS
    ) -> None:
        self.outputs, self.arguments, self.digits = outputs, arguments, digits
        lowered = lower(outputs, arguments)
        symbols = [q.symbol for q in lowered.quadratures]
        known = [*arguments, *symbols]
        place = {s: i for i, s in enumerate(known)}
        integrands = [analyse(q) for q in lowered.quadratures]
        self._quadratures = [(MpmathQuadrature(f), [place[s] for s in f.outer]) for f in integrands]
        slopes = [o.diff(s) for o in lowered.outputs for s in symbols]
        self._arithmetic = compile_kernel(
            [stable(e) for e in (*lowered.outputs, *slopes)], [], known, MULTIPLE
        )

    def __call__(
        self, *values: Any, tolerance: float | None = None, digits: int | None = None
    ) -> Evaluation:
        """Evaluate to a number of digits; exact values (int, Fraction, SymPy) stay exact.

        Args:
            values: One per argument.
            tolerance: Another way to ask for digits: 10^-digits.
            digits: Correct digits wanted in every output. Where outputs cancel, averages are
                done again with more.

        Returns:
            ``mpmath.mpf`` values and error estimates.
        """
        if len(values) != len(self.arguments):
            raise ParameterError(
                f"expected {len(self.arguments)} values, for {self.arguments}; got {len(values)}"
            )
        if digits is None:
            digits = self.digits if tolerance is None else math.ceil(-math.log10(tolerance))
        kept = CONTEXT.prec
        extra = 2
        try:
            for attempt in range(_ATTEMPTS):
                results, errors = self._evaluate(values, digits + extra)
                lost = max(map(_digits_lost, results, errors)) + digits
                if lost <= 0 or attempt == _ATTEMPTS - 1:
                    break
                extra += min(math.ceil(lost) + 2, digits + 20)
        finally:
            CONTEXT.prec = kept
        return Evaluation([_public(r) for r in results], [_public(e) for e in errors])

    def _evaluate(self, values: Sequence[Any], digits: int) -> tuple[list[Any], list[Any]]:
        CONTEXT.dps = math.ceil(1.15 * digits) + 25
        known = [exact_to_context(v) for v in values]
        first = len(known)
        errors: list[Any] = []
        for quadrature, places in self._quadratures:
            average = quadrature([known[i] for i in places], digits)
            error = average.error
            for i in places:
                if i >= first and errors[i - first]:
                    error += _slope(quadrature, places, known, i) * errors[i - first]
            known.append(average.value)
            errors.append(error)
        outcome = self._arithmetic(*known)()
        n = len(self.outputs)
        results, total = list(outcome[:n]), []
        for i in range(n):
            slopes = outcome[n + i * len(errors) : n + (i + 1) * len(errors)]
            error = abs(results[i]) * CONTEXT.mpf(10) ** (-digits - 5)
            error += sum(abs(s) * e for s, e in zip(slopes, errors, strict=True) if s != 0)
            total.append(error if CONTEXT.isfinite(results[i]) else CONTEXT.inf)
        return results, total


def _slope(quadrature: MpmathQuadrature, places: list[int], known: list[Any], i: int) -> Any:
    """|∂average/∂(earlier average)|, in doubles."""
    floats = [float(known[k]) for k in places]
    at = places.index(i)
    shift = 1e-6 * abs(floats[at]) or 1e-6
    moved = [x + shift * (k == at) for k, x in enumerate(floats)]
    with np.errstate(all="ignore"):
        change = quadrature.doubles(moved, 1e-9).value - quadrature.doubles(floats, 1e-9).value
    return CONTEXT.mpf(abs(float(change)) / shift) if np.isfinite(change) else CONTEXT.inf


def _digits_lost(value: Any, error: Any) -> float:
    """log10 of the relative error; what is 0 within its error is left at that."""
    if not CONTEXT.isfinite(error) or error == 0 or abs(value) <= 10 * error:
        return -math.inf
    return float(CONTEXT.log10(error / abs(value)))


def _public(x: Any) -> Any:
    """As a number of mpmath's own context, not rounded."""
    return mpmath.mp.make_mpf(CONTEXT.convert(x)._mpf_)

"""Compiles expressions with Gaussian averages to programs whose results are proven.

A program encloses its outputs for *every* argument in given balls. Averages over one Gaussian
variable, nested ones included, are enclosed by :mod:`~gatetheory.codegen.quadrature_ball`; the
arithmetic between them is ball arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from flint import arb
from sympy import Expr, Symbol, sympify

from gatetheory.codegen.functions_ball import BALLS
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.lowering import Lowered, Quadrature, lower
from gatetheory.codegen.precision_ball import (
    bits_of,
    exact_to_ball,
    midpoint,
    radius,
    working_precision,
)
from gatetheory.codegen.program import Evaluation
from gatetheory.codegen.quadrature_ball import BallQuadrature
from gatetheory.codegen.rewriting import stable
from gatetheory.errors import ConvergenceError, ParameterError

name = "ball"
DIGITS = 30
"""Default number of digits."""
_GUARD = 24
_ATTEMPTS = 5


def compile(
    outputs: Sequence[Expr], arguments: Sequence[Symbol], digits: int = DIGITS
) -> BallProgram:
    """Compile real expressions in real symbols; averages included.

    Compiling the same again costs nothing.

    Raises:
        DerivationError: If a function has no ball arithmetic, or an average ties several variables.
    """
    return _compiled(tuple(map(sympify, outputs)), tuple(arguments), digits)


@lru_cache(maxsize=512)
def _compiled(outputs: tuple[Expr, ...], arguments: tuple[Symbol, ...], digits: int) -> BallProgram:
    return BallProgram(outputs, arguments, digits)


class BallProgram:
    """Expressions compiled to ball arithmetic.

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
        self._symbols = [q.symbol for q in lowered.quadratures]
        self._groups = [
            (
                BallQuadrature(group),
                compile_kernel(
                    [stable(group[0].covariance[0, 0])], [], [*arguments, *self._symbols], BALLS
                ),
                [q.symbol for q in group],
            )
            for group in _groups(lowered)
        ]
        known = [*arguments, *self._symbols]
        self._arithmetic = compile_kernel([stable(o) for o in lowered.outputs], [], known, BALLS)

    def enclose(self, *values: Any, digits: float | None = None) -> list[arb]:
        """Balls that contain the outputs for every argument in the given balls.

        Args:
            values: One per argument: a ball, or an exact number (int, Fraction, SymPy, decimal
                text, mpf).
            digits: Accuracy aimed at, relative to the size of the integrands; what is reached is
                the radius of the results.

        Raises:
            ParameterError: If a value is no real number or a variance is negative.
            ConvergenceError: If a tail cannot be bounded.
        """
        if len(values) != len(self.arguments):
            raise ParameterError(
                f"expected {len(self.arguments)} values, for {self.arguments}; got {len(values)}"
            )
        bits = bits_of(self.digits if digits is None else digits)
        with working_precision(bits + 2 * _GUARD):
            given = [exact_to_ball(v) for v in values]
            known = dict(zip(self.arguments, given, strict=True))
            known |= dict.fromkeys(self._symbols, arb(0))
            for quadrature, variance, symbols in self._groups:
                (v,) = variance(*known.values())()
                outer = [known[s] for s in quadrature.outer]
                known |= dict(zip(symbols, quadrature(arb(v), outer, bits + _GUARD), strict=True))
            return [arb(r) for r in self._arithmetic(*known.values())()]

    def __call__(
        self, *values: Any, tolerance: float | None = None, digits: int | None = None
    ) -> Evaluation:
        """Evaluate to a number of digits, with proven errors.

        Args:
            values: One per argument, exact numbers stay exact.
            tolerance: Another way to ask for digits: 10^-digits.
            digits: Correct digits wanted in every output that is not 0 within 10^-digits of the
                size of its integrands.

        Returns:
            ``mpmath.mpf`` midpoints and radii.

        Raises:
            ConvergenceError: If the digits are not reached.
        """
        if digits is None:
            digits = self.digits if tolerance is None else math.ceil(-math.log10(tolerance))
        extra = 0
        for _ in range(_ATTEMPTS):
            results = self.enclose(*values, digits=digits + extra)
            missing = max(_missing(r, digits) for r in results)
            if missing <= 0:
                return Evaluation([midpoint(r) for r in results], [radius(r) for r in results])
            extra += missing + 2
        worst = max(results, key=lambda r: _missing(r, digits))
        raise ConvergenceError(
            f"{digits} digits were not reached ({worst.str(10)}): the arguments are not known well "
            "enough, the value is exactly 0, or the integrand is too steep"
        )


def _missing(ball: arb, digits: int) -> int:
    """Decimal digits that a ball lacks; exact zeros lack none."""
    if ball.is_exact() and ball.is_finite():
        return 0
    return (
        digits - math.floor(int(ball.rel_accuracy_bits()) / math.log2(10))
        if (ball.is_finite())
        else digits + 1
    )


def _groups(lowered: Lowered) -> list[list[Quadrature]]:
    """Averages over variables of equal variance together, each after those that it needs."""
    waiting = list(lowered.quadratures)
    known = set(lowered.arguments)
    groups = []
    while waiting:
        ready = [q for q in waiting if _needs(q) <= known]
        group = [
            q for q in ready
            if q.covariance == ready[0].covariance and len(q.variables) == len(ready[0].variables)
        ]  # fmt: skip
        groups.append(group)
        known |= {q.symbol for q in group}
        waiting = [q for q in waiting if q not in group]
    return groups


def _needs(q: Quadrature) -> set[Symbol]:
    return set((q.integrand.free_symbols - set(q.variables)) | q.covariance.free_symbols)

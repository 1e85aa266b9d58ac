"""Compiles expressions with Gaussian averages to programs whose results are proven.

A program encloses its outputs for *every* argument in given balls. Averages over one Gaussian
variable, nested ones included, are enclosed by :mod:`~gatetheory.codegen.quadrature_ball`; the
arithmetic between them is ball arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from flint import arb
from sympy import Add, Expr, Symbol, sympify

from gatetheory.codegen.functions_ball import BALLS
from gatetheory.codegen.growth_ball import largest
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.lowering import Lowered, Quadrature, lower
from gatetheory.codegen.precision_ball import (
    BITS_PER_DIGIT,
    bits_of,
    exact_to_ball,
    midpoint,
    radius,
    working_precision,
)
from gatetheory.codegen.program import Evaluation
from gatetheory.codegen.quadrature_ball import BallQuadrature
from gatetheory.codegen.rewriting import stable
from gatetheory.errors import ConvergenceError, DerivationError, ParameterError

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


def can_enclose(outputs: Sequence[Expr], arguments: Sequence[Symbol]) -> bool:
    """Whether all averages and functions of some outputs have an enclosure."""
    try:
        compile(outputs, arguments)
    except DerivationError:
        return False
    return True


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
        terms = [t for o in lowered.outputs for t in Add.make_args(o)]
        self._lengths = [len(Add.make_args(o)) for o in lowered.outputs]
        self._arithmetic = compile_kernel(
            [stable(e) for e in (*lowered.outputs, *terms)], [], known, BALLS
        )

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
        self._check(values)
        return [r for r, _ in self._outcome(values, self.digits if digits is None else digits)]

    def _outcome(self, values: Sequence[Any], digits: float) -> list[tuple[arb, arb]]:
        """Every output with the size of its largest term."""
        bits = bits_of(digits)
        with working_precision(bits + 2 * _GUARD):
            given = [exact_to_ball(v) for v in values]
            known = dict(zip(self.arguments, given, strict=True))
            known |= dict.fromkeys(self._symbols, arb(0))
            for quadrature, variance, symbols in self._groups:
                (v,) = variance(*known.values())()
                outer = [known[s] for s in quadrature.outer]
                known |= dict(zip(symbols, quadrature(arb(v), outer, bits + _GUARD), strict=True))
            results = [arb(r) for r in self._arithmetic(*known.values())()]
        n = len(self.outputs)
        terms = iter([abs(t).upper() for t in results[n:]])
        return [(results[i], largest(list(islice(terms, k)))) for i, k in enumerate(self._lengths)]

    def __call__(
        self, *values: Any, tolerance: float | None = None, digits: int | None = None
    ) -> Evaluation:
        """Evaluate to a number of digits, with proven errors.

        Args:
            values: One per argument, exact numbers stay exact.
            tolerance: Another way to ask for digits: 10^-digits.
            digits: Correct digits wanted in every output; of one that is 0 for all that is
                known, relative to the largest term of its sum.

        Returns:
            ``mpmath.mpf`` midpoints and radii.

        Raises:
            ConvergenceError: If the digits are not reached.
        """
        if digits is None:
            digits = self.digits if tolerance is None else math.ceil(-math.log10(tolerance))
        self._check(values)
        extra, missing = 0, [0]
        outcome: list[tuple[arb, arb]] = []
        for attempt in range(_ATTEMPTS):
            outcome = self._outcome(values, digits + extra)
            cancelled = attempt > 0
            missing = [_missing(r, size, digits, cancelled) for r, size in outcome]
            if max(missing) <= 0:
                balls = [r for r, _ in outcome]
                return Evaluation([midpoint(b) for b in balls], [radius(b) for b in balls])
            extra += min(max(missing) + 2, digits + 20)
        worst = missing.index(max(missing))
        raise ConvergenceError(
            f"{digits} digits of {self.outputs[worst]} were not reached "
            f"({outcome[worst][0].str(10)}): the arguments are not known well enough, or the value "
            "is exactly 0"
        )

    def _check(self, values: Sequence[Any]) -> None:
        if len(values) != len(self.arguments):
            raise ParameterError(
                f"expected {len(self.arguments)} values, for {self.arguments}; got {len(values)}"
            )


def _missing(ball: arb, size: arb, digits: int, cancelled: bool) -> int:
    """Decimal digits that a ball lacks; exact numbers lack none.

    Args:
        ball: The ball.
        size: Of the largest term of the sum that it is.
        digits: Digits wanted.
        cancelled: Whether a ball that contains 0 is measured by ``size``.
    """
    if not ball.is_finite():
        return digits + 1
    if ball.is_exact():
        return 0
    if cancelled and ball.contains(0) and ball.rad() < size * arb(10) ** -digits:
        return 0
    return digits - math.floor(int(ball.rel_accuracy_bits()) / BITS_PER_DIGIT)


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

"""The precision of ball arithmetic, and numbers on their way into balls and out of them.

flint keeps one precision for the whole process. Whoever computes with balls sets it in
:func:`working_precision`, which puts the caller's back whatever happens.

A ball [m ± r] is read as the set of real numbers it contains: conversions into balls contain the
exact number, conversions out of balls are exact or rounded outward.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import flint
import mpmath
import sympy
from flint import acb, arb, fmpq
from mpmath.libmp import from_man_exp

from gatetheory.codegen.functions_ball import BALLS
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.errors import DerivationError, ParameterError

BITS_PER_DIGIT = math.log2(10)


def bits_of(digits: float) -> int:
    """Bits that hold so many decimal digits."""
    return math.ceil(digits * BITS_PER_DIGIT)


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Compute with ``bits`` bits inside, with the caller's precision again afterwards."""
    kept = flint.ctx.prec
    flint.ctx.prec = max(int(bits), 2)
    try:
        yield
    finally:
        flint.ctx.prec = kept


# ---- into balls --------------------------------------------------------------------------------


def exact_to_ball(value: Any) -> arb:
    """A ball that contains an exact real number, as narrow as the present precision allows.

    Args:
        value: ``int``, ``Fraction``, ``float`` (its binary value), decimal or fraction text,
            ``mpmath.mpf``, a real SymPy number such as ``sqrt(2)``, or a ball, which is kept.

    Raises:
        ParameterError: If it is not a finite real number.
    """
    ball = _converted(value)
    if ball is None or not ball.is_finite():
        raise ParameterError(f"{value!r} is not a finite real number")
    return ball


def _converted(value: Any) -> arb | None:
    if isinstance(value, arb):
        return value
    if isinstance(value, acb):
        return value.real if value.imag.is_zero() else None
    if isinstance(value, numbers.Integral):
        return arb(int(value))
    if isinstance(value, numbers.Rational):
        return arb(fmpq(int(value.numerator), int(value.denominator)))
    if isinstance(value, str):
        try:
            return _converted(Fraction(value))
        except (ValueError, ZeroDivisionError):
            return None
    if hasattr(value, "_mpf_"):
        return _from_binary(value._mpf_)
    if isinstance(value, sympy.Expr):
        return _from_sympy(value)
    try:
        return arb(float(value))
    except (TypeError, ValueError):
        return None


def _from_binary(parts: tuple[int, int, int, int]) -> arb | None:
    """From mpmath's (sign, mantissa, exponent, bits)."""
    sign, mantissa, exponent, _ = parts
    if not mantissa:
        return arb(0) if not exponent else None
    return arb((-int(mantissa) if sign else int(mantissa), int(exponent)))


def _from_sympy(value: sympy.Expr) -> arb | None:
    if value.is_Float:
        return _from_binary(value._mpf_)
    if not value.is_number or value.is_real is False:
        return None
    try:
        (ball,) = compile_kernel([value], [], [], BALLS)()()
    except DerivationError:
        return None
    return _converted(ball)


# ---- out of balls ------------------------------------------------------------------------------


def midpoint(ball: arb) -> Any:
    """The midpoint of a finite ball as an exact ``mpf`` of mpmath's own context."""
    mantissa, exponent = ball.mid().man_exp()
    return mpmath.mp.make_mpf(from_man_exp(int(mantissa), int(exponent)))


def radius(ball: arb) -> Any:
    """The radius as an exact ``mpf``; infinite if the ball is not finite."""
    if not ball.is_finite():
        return mpmath.mp.make_mpf(mpmath.libmp.finf)
    return midpoint(ball.rad())


def decimal_bounds(ball: arb, digits: int, *, inward: bool = False) -> tuple[str, str]:
    """Decimal texts (low, high) with low ≤ ball ≤ high, each of ``digits`` significant digits.

    The ends are exact binary fractions; they are rounded outward in integer arithmetic.

    Args:
        ball: The ball.
        digits: Significant digits of each end.
        inward: Round inward instead: what holds everywhere in the ball holds between the ends,
            and few digits may leave nothing between them (low > high).

    Raises:
        ParameterError: If the ball is not finite.
    """
    if not ball.is_finite():
        raise ParameterError(f"the ball {ball} has no finite bounds")
    ends = (_exact_fraction(ball.mid()), _exact_fraction(ball.rad()))
    return (
        _rounded(ends[0] - ends[1], digits, up=inward),
        _rounded(ends[0] + ends[1], digits, up=not inward),
    )


def _exact_fraction(point: arb) -> Fraction:
    mantissa, exponent = (int(p) for p in point.man_exp())
    return Fraction(mantissa) * Fraction(2) ** exponent


def _rounded(number: Fraction, digits: int, *, up: bool) -> str:
    """Decimal text of a number, rounded up or down at the given significant digit."""
    if number == 0:
        return "0"
    size = abs(number)
    magnitude = len(str(size.numerator)) - len(str(size.denominator))
    if size < Fraction(10) ** magnitude:
        magnitude -= 1
    place = magnitude - digits + 1
    scaled = number / Fraction(10) ** place
    whole = math.ceil(scaled) if up else math.floor(scaled)
    sign, figures = "-" * (whole < 0), str(abs(whole))
    place += len(figures) - 1  # rounding may have carried into a new figure
    text = figures.rstrip("0") or "0"
    if -7 <= place < 0:
        return f"{sign}0.{'0' * (-place - 1)}{text}"
    if 0 <= place <= 15:
        text = text.ljust(place + 1, "0")
        return f"{sign}{text[: place + 1]}{'.' * (len(text) > place + 1)}{text[place + 1 :]}"
    return f"{sign}{text[0]}{'.' * (len(text) > 1)}{text[1:]}e{place:+d}"

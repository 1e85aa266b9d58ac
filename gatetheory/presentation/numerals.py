"""Numbers as scripts read them."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
from sympy import Expr

DOUBLE = 15  # digits up to which numbers are doubles

Json = float | int | str | None


def json_number(value: Any, digits: int = DOUBLE) -> Json:
    """A number for JSON: a double, or text of so many digits; None if it is not finite."""
    if value is None:
        return None
    if digits <= DOUBLE or isinstance(value, int | float):
        number = float(value)
        if not math.isfinite(number):
            return None
        return number if digits <= DOUBLE else mpmath.nstr(mpmath.mpf(number), digits)
    if not mpmath.isfinite(value):
        return None
    return str(mpmath.nstr(value, digits, strip_zeros=False))


def json_error(value: Any) -> Json:
    """An error estimate or residual: a double, or text where doubles underflow."""
    if value is None or not mpmath.isfinite(value):
        return None
    number = float(value)
    return str(mpmath.nstr(value, 3)) if number == 0 and value != 0 else number


def json_exact(value: Expr) -> Json:
    """An exact number that ``--set`` reads back: a number of up to 15 digits, otherwise text."""
    if value.is_Integer and abs(value) < 10**DOUBLE:
        return int(value)
    if value.is_Rational:
        shown = repr(float(value))
        few = sum(map(str.isdigit, shown.partition("e")[0])) <= DOUBLE + 1
        if few and Fraction(shown) == Fraction(int(value.p), int(value.q)):
            return float(value)
    return str(value)


def json_finite(value: float | None) -> float | None:
    """A double, or null where it is missing, infinite or not a number."""
    return None if value is None or not math.isfinite(value) else float(value)

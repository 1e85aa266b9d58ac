"""Parameters of a model: symbol, default, domain and meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
from sympy import Expr, Integer, Interval, Rational, Symbol, oo

from gatetheory.errors import ModelError, ParameterError

POSITIVE = Interval.open(0, oo)
NONNEGATIVE = Interval(0, oo)
REAL = Interval(-oo, oo)

# What doubles can hold with room for a product or a quotient.
_LARGEST = Integer(10) ** 300
_SMALLEST = 1 / _LARGEST
_OUT_OF_RANGE = "the value lies beyond the range of double precision"
_HUGE_EXPONENT = re.compile(r"e[+-]?\d{4,}", re.IGNORECASE)


@dataclass(frozen=True)
class Parameter:
    """A number that the model leaves open.

    Args:
        name: Name used in ``at=`` and ``--set``; the symbol is made from it.
        default: Exact value used when none is given (an integer, a fraction, a SymPy number).
        domain: Values that make sense, as a SymPy ``Interval``.
        meaning: What the parameter is, in words.

    Raises:
        ModelError: If the default is inexact or outside the domain.
    """

    name: str
    default: Expr
    domain: Interval = REAL
    meaning: str = ""

    def __post_init__(self) -> None:
        """Turn the default into an exact SymPy number and check it."""
        if not isinstance(self.name, str):
            raise ModelError(f"the name of a parameter must be text, got {self.name!r}")
        if not isinstance(self.domain, Interval):
            raise ModelError(
                f"parameter {self.name}: the domain must be a sympy.Interval, "
                f"POSITIVE, NONNEGATIVE or REAL, got {self.domain!r}"
            )
        try:
            default = exact(self.default)
        except ParameterError as error:
            raise ModelError(f"parameter {self.name}: default {error}") from error
        object.__setattr__(self, "default", default)
        if self.domain.contains(default) is not sympy.true:
            raise ModelError(
                f"parameter {self.name}: default {default} lies outside its domain "
                f"{_interval_text(self.domain)}; widen the domain or change the default"
            )

    @property
    def symbol(self) -> Symbol:
        """The SymPy symbol, with the sign that the domain implies."""
        if self.domain.start.is_zero:
            if self.domain.left_open:
                return Symbol(self.name, positive=True)
            return Symbol(self.name, nonnegative=True)
        if self.domain.start.is_positive:
            return Symbol(self.name, positive=True)
        return Symbol(self.name, real=True)

    def check(self, value: Any) -> Expr:
        """Return the value as an exact number of the domain.

        Raises:
            ParameterError: If it is not a finite number or lies outside the domain.
        """
        try:
            number = exact(value)
        except ParameterError as error:
            raise ParameterError(f"{self.name}: {error}") from error
        if self.domain.contains(number) is not sympy.true:
            raise ParameterError(
                f"{self.name} = {value} lies outside its domain {_interval_text(self.domain)}"
            )
        return number


def exact(value: Any) -> Expr:
    """An exact SymPy number from anything that denotes one.

    Decimals are taken at their word: ``0.1`` and ``"0.1"`` are 1/10.

    Raises:
        ParameterError: If the value is not a finite real number, or one that doubles cannot hold.
    """
    number = value if isinstance(value, Expr) else _rational(value)
    if isinstance(number, sympy.Float):
        number = _rational(str(number))
    if number.has(sympy.Float):
        raise ParameterError(f"{value} contains a Float; write its numbers as fractions")
    if not (number.is_number and number.is_real and number.is_finite):
        raise ParameterError(f"{value} is not a finite real number")
    if number != 0 and not _SMALLEST <= abs(number) <= _LARGEST:
        raise ParameterError(_OUT_OF_RANGE)
    return number


def _rational(value: Any) -> Rational:
    if isinstance(value, bool):
        raise ParameterError(f"{value} is not a number")
    number = value if isinstance(value, int | Fraction) else str(value).strip()
    if isinstance(number, str) and _HUGE_EXPONENT.search(number):  # Fraction would write it out
        raise ParameterError(_OUT_OF_RANGE)
    try:
        fraction = Fraction(number)
    except (ValueError, ZeroDivisionError) as error:
        raise ParameterError(f"{value!r} is not a finite real number") from error
    return Rational(fraction.numerator, fraction.denominator)


def _interval_text(domain: Interval) -> str:
    left = "(" if domain.left_open else "["
    right = ")" if domain.right_open else "]"
    return f"{left}{domain.start}, {domain.end}{right}".replace("oo", "∞")

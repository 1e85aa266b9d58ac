"""Parameters of a model: symbol, default, domain and meaning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
from sympy import Expr, Interval, Rational, Symbol, oo

from gatetheory.errors import ModelError, ParameterError

POSITIVE = Interval.open(0, oo)
NONNEGATIVE = Interval(0, oo)
REAL = Interval(-oo, oo)


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
        try:
            default = exact(self.default)
        except ParameterError as error:
            raise ModelError(f"parameter {self.name}: default {error}") from error
        object.__setattr__(self, "default", default)
        if self.domain.contains(default) is not sympy.true:
            raise ModelError(
                f"parameter {self.name}: default {default} lies outside its domain {self.domain}; "
                "widen the domain or change the default"
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
        ParameterError: If the value is not a finite real number.
    """
    if isinstance(value, Expr) and not isinstance(value, sympy.Float):
        if value.is_number and value.is_real and value.is_finite:
            return value
        raise ParameterError(f"{value} is not a finite real number")
    if isinstance(value, bool):
        raise ParameterError(f"{value} is not a number")
    if isinstance(value, str):
        text = value.strip()
        try:
            fraction = Fraction(text)
        except (ValueError, ZeroDivisionError) as error:
            raise ParameterError(f"{value!r} is not a finite real number") from error
        return Rational(fraction.numerator, fraction.denominator)
    try:
        if not math.isfinite(value):
            raise ParameterError(f"{value} is not a finite real number")
        fraction = Fraction(value if isinstance(value, int | Fraction) else str(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise ParameterError(f"{value!r} is not a finite real number") from error
    return Rational(fraction.numerator, fraction.denominator)


def _interval_text(domain: Interval) -> str:
    left = "(" if domain.left_open else "["
    right = ")" if domain.right_open else "]"
    return f"{left}{domain.start}, {domain.end}{right}".replace("oo", "∞")

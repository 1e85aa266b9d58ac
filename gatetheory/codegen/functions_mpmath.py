"""Multiple-precision functions for generated code, bound to a private context.

The context is nobody else's: the caller's ``mpmath.mp`` is neither read nor changed.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import sympy
from sympy import Expr
from sympy.printing.pycode import MpmathPrinter

from gatetheory.errors import DerivationError, ParameterError

CONTEXT: Any = mpmath.MPContext()
"""The context in which generated code computes; its precision is set by whoever runs the code."""


def exact_to_context(value: Any) -> Any:
    """A number at the context's present precision; exact numbers are rounded only here.

    Raises:
        ParameterError: If it is not a real number.
    """
    if isinstance(value, int | float):
        return CONTEXT.mpf(value)
    if isinstance(value, Fraction):
        return CONTEXT.mpf(value.numerator) / value.denominator
    if hasattr(value, "_mpf_"):
        return CONTEXT.make_mpf(value._mpf_)
    if isinstance(value, sympy.Rational):
        return CONTEXT.mpf(int(value.p)) / int(value.q)
    if isinstance(value, sympy.Expr) and value.is_number and value.is_real:
        return CONTEXT.make_mpf(value._to_mpmath(CONTEXT.prec + 10)._mpf_)
    try:
        if isinstance(value, str):
            return exact_to_context(Fraction(value))
        return CONTEXT.mpf(float(value))
    except (TypeError, ValueError) as failure:
        raise ParameterError(f"{value!r} is not a real number") from failure


def logistic(x: Any) -> Any:
    """1/(1 + e^{-x})."""
    return 1 / (1 + CONTEXT.exp(-x))


def softplus(x: Any) -> Any:
    """log(1 + e^x)."""
    return CONTEXT.log1p(CONTEXT.exp(x)) if x.real < 0 else x + CONTEXT.log1p(CONTEXT.exp(-x))


def logcosh(x: Any) -> Any:
    """Log cosh x."""
    right = -x if x.real < 0 else x
    return right + CONTEXT.log1p(CONTEXT.exp(-2 * right)) - CONTEXT.ln2


def heaviside(x: Any) -> Any:
    """The unit step, 1/2 at 0."""
    return CONTEXT.mpf(0) if x.real < 0 else CONTEXT.mpf(1) if x > 0 else CONTEXT.mpf(1) / 2


NAMES: dict[str, Any] = {
    "nan": CONTEXT.nan,
    "logistic": logistic,
    "softplus": softplus,
    "logcosh": logcosh,
    "Heaviside": heaviside,
    "sign": CONTEXT.sign,
    "Abs": abs,
    "power": lambda x, n: x**n,
    "real_power": lambda x, y: x**y,
    "larger": max,
    "smaller": min,
    "both": lambda a, b: a and b,
    "either": lambda a, b: a or b,
    "negation": lambda a: not a,
    "rational": lambda p, q: CONTEXT.mpf(p) / q,
    "number": exact_to_context,
    "sqrt": CONTEXT.sqrt,
    "exp": CONTEXT.exp,
    "imaginary_unit": CONTEXT.mpc(0, 1),
}


class MultipleArithmetic:
    """mpmath at the precision of the private context."""

    names = NAMES
    eager = False

    def constant(self, number: Expr) -> str:
        """An expression that is exact until it is run."""
        if number is sympy.S.ImaginaryUnit:
            return "imaginary_unit"
        if number.is_Rational:
            return f"rational({number.p}, {number.q})"
        if number in (sympy.S.Infinity, sympy.S.NegativeInfinity):
            return f"number(float('{'-' * (number < 0)}inf'))"
        key = f"constant_{type(number).__name__}_{abs(hash(number))}"
        self.names[key] = number
        return f"number({key})"

    def function(self, function: type[sympy.Function]) -> str:
        """Own functions first, then mpmath's function of that name."""
        name = function.__name__
        if name not in self.names:
            translated = MpmathPrinter().known_functions.get(name, name).rsplit(".", 1)[-1]
            if not hasattr(CONTEXT, translated):
                raise DerivationError(f"the function {name} has no multiple-precision definition")
            self.names[name] = getattr(CONTEXT, translated)
        return name


MULTIPLE = MultipleArithmetic()

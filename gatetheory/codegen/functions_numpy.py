"""Double-precision functions for generated code: arrays, no overflow, real or complex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
import sympy
from sympy import Expr

from gatetheory.errors import DerivationError


def _towards_right(x: Any) -> Any:
    """X or -x, whichever lies in the right half plane."""
    return np.where(x.real < 0, -x, x) if np.iscomplexobj(x) else np.abs(x)


def logistic(x: Any) -> Any:
    """1/(1 + e^{-x}), accurate in both tails (an overflowing exponential gives 0)."""
    if np.iscomplexobj(x):
        decayed = np.exp(-_towards_right(x))
        value = 1.0 / (1.0 + decayed)
        return np.where(x.real < 0, decayed * value, value)
    return 1.0 / (1.0 + np.exp(-x))


def tanh(x: Any) -> Any:
    """Hyperbolic tangent; NumPy's complex one fails for large arguments."""
    if np.iscomplexobj(x):
        decayed = np.expm1(-2.0 * _towards_right(x))
        value = -decayed / (2.0 + decayed)
        return np.where(x.real < 0, -value, value)
    return np.tanh(x)


def sech(x: Any) -> Any:
    """1/cosh x."""
    if np.iscomplexobj(x):
        right = _towards_right(x)
        return 2.0 * np.exp(-right) / (1.0 + np.exp(-2.0 * right))
    return 1.0 / np.cosh(x)


def csch(x: Any) -> Any:
    """1/sinh x."""
    if np.iscomplexobj(x):
        right = _towards_right(x)
        value = -2.0 * np.exp(-right) / np.expm1(-2.0 * right)
        return np.where(x.real < 0, -value, value)
    return 1.0 / np.sinh(x)


def coth(x: Any) -> Any:
    """1/tanh x."""
    return 1.0 / tanh(x)


def softplus(x: Any) -> Any:
    """log(1 + e^x)."""
    right = _towards_right(x)
    return (x + right) / 2 + np.log1p(np.exp(-right))


def logcosh(x: Any) -> Any:
    """Log cosh x."""
    right = _towards_right(x)
    return right + np.log1p(np.exp(-2 * right)) - np.log(2.0)


def power(x: Any, n: int) -> Any:
    """x^n for an integer n ≥ 0 by squaring (``**`` is twenty times slower for n > 2)."""
    result = None
    while n:
        if n & 1:
            result = x if result is None else result * x
        n >>= 1
        if n:
            x = x * x
    return 1.0 if result is None else result


NAMES: dict[str, Any] = {
    "pi": np.pi,
    "nan": np.nan,
    "inf": np.inf,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": tanh,
    "sech": sech,
    "csch": csch,
    "coth": coth,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "atan2": np.arctan2,
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "sign": lambda x: np.sign(np.real(x)),
    "Abs": lambda x: x * np.sign(np.real(x)),
    "floor": np.floor,
    "ceiling": np.ceil,
    "logistic": logistic,
    "softplus": softplus,
    "logcosh": logcosh,
    "power": power,
    "real_power": np.power,
    "where": np.where,
    "larger": lambda a, b: np.where(np.real(a) >= np.real(b), a, b),
    "smaller": lambda a, b: np.where(np.real(a) <= np.real(b), a, b),
    "both": np.logical_and,
    "either": np.logical_or,
    "negation": np.logical_not,
    "Heaviside": lambda x: np.heaviside(np.real(x), 0.5),
}


class DoubleArithmetic:
    """IEEE doubles through NumPy."""

    name = "numpy"
    names = NAMES
    eager = True

    def constant(self, number: Expr) -> str:
        """The nearest double, or a name."""
        if number is sympy.S.Infinity:
            return "inf"
        if number is sympy.S.NegativeInfinity:
            return "(-inf)"
        if number is sympy.S.NaN:
            return "nan"
        if number.is_Rational:
            return f"({float(int(number.p) / int(number.q))!r})"
        if number is sympy.S.ImaginaryUnit:
            return "1j"
        return f"({float(number)!r})"

    def function(self, function: type[sympy.Function]) -> str:
        """Own functions first, then whatever SymPy can translate to NumPy or SciPy."""
        name = function.__name__
        if name not in self.names:
            self.names[name] = _translated(function)
        return name


def _translated(function: type[sympy.Function]) -> Callable[..., Any]:
    x = sympy.Symbol("x")
    try:
        translated: Callable[..., Any] = sympy.lambdify(x, function(x), modules=["scipy", "numpy"])
        translated(np.array([0.5]))
    except Exception as failure:
        raise DerivationError(
            f"the function {function.__name__} has no double-precision definition"
        ) from failure
    return translated


DOUBLES = DoubleArithmetic()

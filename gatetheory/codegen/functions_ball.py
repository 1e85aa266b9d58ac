"""Ball arithmetic for generated code: every result contains the exact value.

A kernel compiled with :data:`BALLS` takes ``arb`` (real) or ``acb`` (complex) balls; with
:data:`ANALYTIC` it returns a ball that is not finite wherever it cannot see that the integrand is
analytic on the whole (complex) argument, as contour integration needs. Functions with kinks or
jumps are continued off the axis piece by piece: by the sign of the real part.

A root or a real power is taken of the part of a real ball that is not negative.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import sympy
from flint import acb, arb, fmpq
from sympy import Expr

from gatetheory.codegen.sigmoids_ball import (
    even,
    is_real,
    like,
    logcosh,
    logistic,
    monotone,
    not_a_number,
    real_part,
    sech,
    softplus,
    tanh,
)  # fmt: skip
from gatetheory.errors import DerivationError

_CONSTANTS: dict[Expr, Callable[[], Any]] = {
    sympy.pi: arb.pi,
    sympy.E: arb.const_e,
    sympy.EulerGamma: arb.const_euler,
    sympy.Catalan: arb.const_catalan,
    sympy.GoldenRatio: lambda: (1 + arb(5).sqrt()) / 2,
}
_MEROMORPHIC = ("cos", "sin", "tan", "cot", "sec", "csc", "coth", "csch", "erf", "erfc", "erfi")
_RISING = ("exp", "sinh", "erf", "erfi", "atan", "asinh")


# ---- powers and logarithms -----------------------------------------------------------------------


def _number(x: Any) -> Any:
    return x if isinstance(x, arb | acb) else arb(x)


def power(x: Any, n: int) -> Any:
    """X to a positive integer; not below 0 for even n on the axis."""
    if isinstance(x, arb):
        if not x.contains(0):
            return x * x if n == 2 else x**n
        return x.lower() ** n if x.is_exact() else _power_across_zero(x, n)
    return x * x if n == 2 else x**n


def _power_across_zero(x: arb, n: int) -> arb:
    if n % 2:
        return (x.lower() ** n).union(x.upper() ** n)
    return arb(0).union(x.abs_upper() ** n)


def _root(x: Any, analytic: bool) -> Any:
    if isinstance(x, acb):
        return x.sqrt(analytic=analytic)
    x = arb(x)
    if x > 0:
        return monotone(arb.sqrt, x)
    return arb(0).union(x.upper().sqrt()) if x.upper() >= 0 else arb.nan()


def _real_power(x: Any, y: Any, analytic: bool) -> Any:
    if isinstance(x, acb) or isinstance(y, acb):
        return acb(x).pow(acb(y), analytic=analytic and isinstance(x, acb))
    x, y = arb(x), arb(y)
    if x > 0:
        return x**y
    if y > 0 and x.upper() >= 0:
        top = x.upper()
        return arb(0).union(top**y) if top > 0 else arb(0)
    return arb.nan()


def _log(x: Any, analytic: bool) -> Any:
    if isinstance(x, acb):
        return x.log(analytic=analytic)
    return monotone(arb.log, arb(x))


def _cut_beyond_i(name: str, x: Any, analytic: bool) -> Any:
    """``atan`` and ``asinh``: cut along the imaginary axis from ±i outward."""
    if is_real(x):
        return like(monotone(getattr(arb, name), real_part(x)), x)
    if analytic and x.real.contains(0) and not abs(x.imag) < 1:
        return not_a_number()
    # both are odd, and on the left flint's formula of asinh does not cancel
    return -getattr(-x, name)() if x.real > 0 else getattr(x, name)()


# ---- kinks, jumps and cases ----------------------------------------------------------------------


def _abs(x: Any, analytic: bool) -> Any:
    return x.real_abs(analytic=analytic) if isinstance(x, acb) else abs(_number(x))


def _sign(x: Any, analytic: bool) -> Any:
    return x.real_sgn(analytic=analytic) if isinstance(x, acb) else arb(x).sgn()


def _step(x: Any, analytic: bool) -> Any:
    """The unit step, 1/2 at 0."""
    return x.real_heaviside(analytic=analytic) if isinstance(x, acb) else (1 + arb(x).sgn()) / 2


def _extremum(name: str, x: Any, y: Any, analytic: bool) -> Any:
    if isinstance(x, acb) or isinstance(y, acb):
        return getattr(acb(x), f"real_{name}")(acb(y), analytic=analytic)
    return getattr(arb(x), name)(arb(y))


def _less(x: Any, y: Any) -> bool | None:
    """Whether x < y; None if the balls do not tell. Off the axis real parts are compared."""
    difference = _number(x).real - _number(y).real
    if difference < 0:
        return True
    return False if difference >= 0 else None


def _equal(x: Any, y: Any) -> bool | None:
    difference = _number(x) - _number(y)
    if not difference.contains(0):
        return False
    return True if difference.is_zero() else None


def _both(a: bool | None, b: bool | None) -> bool | None:
    if a is False or b is False:
        return False
    return True if a and b else None


def _negation(a: bool | None) -> bool | None:
    return None if a is None else not a


def _case(condition: bool | None, yes: Any, no: Any, analytic: bool) -> Any:
    """``yes`` or ``no``, or everything between them where the condition is not decided."""
    if condition is not None:
        return yes if condition else no
    if analytic:
        return not_a_number()
    if isinstance(yes, acb) or isinstance(no, acb):
        return acb(yes).union(acb(no))
    return arb(yes).union(arb(no))


# ---- the tables ----------------------------------------------------------------------------------


def _rising(name: str, x: Any) -> Any:
    if is_real(x):
        return like(monotone(getattr(arb, name), real_part(x)), x)
    return getattr(x, name)()


def _plain(name: str, x: Any) -> Any:
    return getattr(_number(x), name)()


def _cosh(x: Any) -> Any:
    return like(even(arb.cosh, real_part(x)), x) if is_real(x) else x.cosh()


def _erfc(x: Any) -> Any:
    if is_real(x):
        return like(monotone(arb.erfc, real_part(x), falling=True), x)
    return x.erfc()


def _table(analytic: bool) -> dict[str, Any]:
    forwarding: dict[str, Callable[..., Any]] = {
        "sqrt": _root, "real_power": _real_power, "log": _log, "Abs": _abs, "sign": _sign,
        "Heaviside": _step, "larger": partial(_extremum, "max"),
        "smaller": partial(_extremum, "min"), "where": _case,
        "atan": partial(_cut_beyond_i, "atan"), "asinh": partial(_cut_beyond_i, "asinh"),
    }  # fmt: skip
    table: dict[str, Any] = {name: partial(f, analytic=analytic) for name, f in forwarding.items()}
    table |= {name: partial(_plain, name) for name in _MEROMORPHIC}
    table |= {name: partial(_rising, name) for name in _RISING if name not in table}
    return table | {
        "nan": arb.nan(),
        "logistic": logistic, "softplus": softplus, "logcosh": logcosh, "tanh": tanh, "sech": sech,
        "cosh": _cosh, "erfc": _erfc, "power": power,
        "less": _less, "equal": _equal, "both": _both, "negation": _negation,
        "either": lambda a, b: _negation(_both(_negation(a), _negation(b))),
        "rational": lambda p, q: arb(fmpq(p, q)),
        "imaginary_unit": acb(0, 1),
    }  # fmt: skip


class BallArithmetic:
    """flint's balls at the precision that is set when a kernel is prepared and run.

    Args:
        analytic: Whether results must be analytic on their arguments to be finite.
    """

    eager = True

    def __init__(self, analytic: bool) -> None:
        self.names = _table(analytic)

    def constant(self, number: Expr) -> str:
        """An expression that is evaluated at the precision of the run."""
        if number is sympy.S.ImaginaryUnit:
            return "imaginary_unit"
        if number.is_Rational:
            return f"rational({number.p}, {number.q})"
        if number not in _CONSTANTS:
            raise DerivationError(
                f"the number {number} has no exact definition in ball arithmetic; "
                "write it with integers, fractions, pi, E and functions of them"
            )
        name = f"constant_{type(number).__name__}"
        self.names[name] = _CONSTANTS[number]
        return f"{name}()"

    def function(self, function: type[sympy.Function]) -> str:
        """The function's own name, or a refusal."""
        name = function.__name__
        if name not in self.names:
            raise DerivationError(f"the function {name} has no definition in ball arithmetic")
        return name


BALLS = BallArithmetic(analytic=False)
"""Contains the value; nothing is said about analyticity."""
ANALYTIC = BallArithmetic(analytic=True)
"""Not finite unless analytic on the whole argument."""

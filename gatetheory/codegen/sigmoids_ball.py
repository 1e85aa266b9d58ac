"""Sigmoids and their logarithms on balls, tight for wide and for huge arguments.

On a wide ball the formula of a sigmoid is useless: numerator and denominator vary independently,
and a bounded function comes out unbounded. Here instead

* on real balls monotonicity is used: the image is spanned by the images of the two ends;
* on complex boxes z = x + iy, where the formula fails, with |cosh z|² = sinh²x + cos²y,

      |tanh z| ≤ max(1, |sin y / cos y|),   |sech z| ≤ 1/|cos y|,   logistic(z) = (1 + tanh(z/2))/2,

  which is finite as long as the box keeps clear of the heights of the poles.

Every function takes ``arb`` (real) or ``acb`` (complex); a point where it is not analytic gives a
ball that is not finite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flint import acb, arb

_NARROW = arb(2) ** -7
"""Up to this radius formulas are tight."""


def monotone(function: Callable[[arb], arb], x: arb, *, falling: bool = False) -> arb:
    """Image of a real ball under a monotone function, as narrow as its ends allow."""
    if x.rad() < _NARROW:
        return function(x)
    low, high = x.lower(), x.upper()
    if falling:
        low, high = high, low
    return function(low).union(function(high))


def even(function: Callable[[arb], arb], x: arb) -> arb:
    """Image of a real ball under an even function that is monotone in |x|."""
    if x.rad() < _NARROW:
        return function(x)
    return function(x.abs_lower()).union(function(x.abs_upper()))


def is_real(x: Any) -> bool:
    """Whether a number is real by type or has no imaginary part at all."""
    return not isinstance(x, acb) or bool(x.imag.is_zero())


def real_part(x: Any) -> arb:
    """A real number as a real ball."""
    return x.real if isinstance(x, acb) else arb(x)


def like(value: arb, x: Any) -> Any:
    """A real value in the type of the argument."""
    return acb(value) if isinstance(x, acb) else value


# ---- logistic, tanh, sech ----------------------------------------------------------------------


def logistic(x: Any) -> Any:
    """1/(1 + e^{-x}), with no loss of relative accuracy in either tail."""
    if is_real(x):
        return like(monotone(_logistic, real_part(x)), x)
    direct: acb = _logistic(x)
    if _is_good(direct):
        return direct
    bounded: acb = (1 + tanh(x / 2)) / 2
    return bounded


def _logistic(x: Any) -> Any:
    if x.real < 0:
        small = x.exp()
        return small / (1 + small)
    return 1 / (1 + (-x).exp())


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    if is_real(x):
        return like(monotone(arb.tanh, real_part(x)), x)
    direct = x.tanh()
    if _is_good(direct):
        return direct
    slope = x.imag.sin() / x.imag.cos()
    return _disc(abs(slope).max(arb(1)))


def sech(x: Any) -> Any:
    """1/cosh."""
    if is_real(x):
        return like(even(arb.sech, real_part(x)), x)
    direct = x.sech()
    return direct if _is_good(direct) else _disc(1 / abs(x.imag.cos()))


def _is_good(value: acb) -> bool:
    """Whether a formula gave something better than a bound of the whole strip could."""
    return bool(value.is_finite()) and bool(value.real.rad() < 1) and bool(value.imag.rad() < 1)


def _disc(bound: arb) -> acb:
    """Everything with real and imaginary part up to a bound."""
    spread = arb(0, bound.upper())
    return acb(spread, spread)


# ---- softplus, logcosh -------------------------------------------------------------------------


def softplus(x: Any) -> Any:
    """log(1 + e^x), analytic for |Im x| < π."""
    if is_real(x):
        return like(monotone(_softplus, real_part(x)), x)
    return _softplus(x) if abs(x.imag) < arb.pi() else not_a_number()


def _softplus(x: Any) -> Any:
    return x.exp().log1p() if x.real < 0 else x + (-x).exp().log1p()


def logcosh(x: Any) -> Any:
    """Log cosh x, analytic for |Im x| < π/2."""
    if is_real(x):
        return like(even(_logcosh, real_part(x)), x)
    return _logcosh(x) if abs(x.imag) < arb.pi() / 2 else not_a_number()


def _logcosh(x: Any) -> Any:
    if x.real.contains(0):
        return x.cosh().log()
    right = -x if x.real < 0 else x
    return right + (-2 * right).exp().log1p() - arb.const_log2()


def not_a_number() -> acb:
    """The ball that says nothing."""
    return acb(arb.nan(), arb.nan())

"""How fast an integrand grows, proven: bounds of the tails of Gaussian averages.

On a half-line x = ± s t, t ≥ R ≥ 1, an expression is bounded by walking through its tree:

    |f| ≤ A t^n e^{c t + d t²},        low ≤ f ≤ high.

With k = ½ - d > 0 the logarithm of A t^n e^{c t - k t²} is concave, so that the tail lies below a
falling exponential: with m = 2kR - c - n/R > 0

    ∫_R^∞ |f| e^{-t²/2} dt ≤ A R^n e^{cR - kR²} / m.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy
from flint import arb
from sympy import Expr, Symbol
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import Boolean

from gatetheory.codegen.functions_ball import BALLS
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.rewriting import logcosh, softplus
from gatetheory.errors import DerivationError
from gatetheory.functions import logistic

_INF = arb("inf")
_ZERO = arb(0)
_LINEAR = (sympy.Abs, sympy.asinh, logcosh, softplus)
"""|f(g)| ≤ ln 2 + |g|."""
_MONOTONE: dict[type, tuple[Callable[[], arb], Callable[[], arb]]] = {
    sympy.tanh: (lambda: arb(-1), lambda: arb(1)),
    logistic: (lambda: arb(0), lambda: arb(1)),
    sympy.erf: (lambda: arb(-1), lambda: arb(1)),
    sympy.erfc: (lambda: arb(2), lambda: arb(0)),
    sympy.atan: (lambda: -arb.pi() / 2, lambda: arb.pi() / 2),
    sympy.Heaviside: (lambda: arb(0), lambda: arb(1)),
    sympy.sign: (lambda: arb(-1), lambda: arb(1)),
}
"""Bounded monotone functions with their limits at -∞ and ∞."""
_LIKE_EXPONENTIALS = (sympy.sinh, sympy.cosh)
_ARITHMETIC = (
    sympy.Add, sympy.Mul, sympy.Pow, sympy.exp, sympy.log, sympy.Max, sympy.Min, sympy.Piecewise,
    ExprCondPair,
)  # fmt: skip
_BOUNDED: dict[type, tuple[int, int]] = {sympy.sin: (-1, 1), sympy.cos: (-1, 1), sympy.sech: (0, 1)}


def refuse_unbounded(e: Expr, x: Symbol) -> None:
    """Refuse an expression with a function of x that nothing is known about.

    Raises:
        DerivationError: Naming the function.
    """
    known = (*_MONOTONE, *_BOUNDED, *_LINEAR, *_LIKE_EXPONENTIALS, *_ARITHMETIC)
    for node in sympy.preorder_traversal(e):
        if isinstance(node, Boolean) or not node.args or x not in node.free_symbols:
            continue
        if not isinstance(node, known):
            raise DerivationError(
                f"the function {type(node).__name__} in {node} has no bound for large {x}; "
                "averages of it are not enclosed in balls"
            )


@dataclass(frozen=True)
class Growth:
    """|f| ≤ scale t^power e^{rate t + square t²} and low ≤ f ≤ high for t ≥ R ≥ 1."""

    scale: arb
    power: arb = _ZERO
    rate: arb = _ZERO
    square: arb = _ZERO
    low: arb = -_INF
    high: arb = _INF

    def tail(self, start: arb) -> arb | None:
        """Bound of ∫_R^∞ |f| e^{-t²/2} dt/√(2π); None if R is too small to tell."""
        k = arb(0.5) - self.square
        slope = 2 * k * start - self.rate - self.power / start
        if not (k > 0 and slope > 0 and self.scale.is_finite()):
            return None
        height = (self.power * start.log() + self.rate * start - k * start**2).exp()
        return (self.scale * height / slope / (2 * arb.pi()).sqrt()).upper()


def _bounded(low: arb, high: arb) -> Growth:
    low, high = low.lower(), high.upper()
    return Growth(abs(low).max(abs(high)).upper(), low=low, high=high)


class HalfLine:
    """The bounds of expressions on x = slope·t, t ≥ start, at given values of other symbols.

    Args:
        x: The variable.
        slope: ± s, not containing 0 unless it is 0.
        start: R ≥ 1.
        values: Balls of all other symbols.
    """

    def __init__(self, x: Symbol, slope: arb, start: arb, values: Mapping[Symbol, arb]) -> None:
        self.x, self.slope, self.start, self.values = x, slope, start, values

    def __call__(self, e: Expr) -> Growth:
        """Bound an expression.

        Raises:
            DerivationError: Naming what cannot be bounded.
        """
        if self.x not in e.free_symbols:
            value = self._value(e)
            return _bounded(value, value)
        if e == self.x:
            nearest, size = self.slope * self.start, abs(self.slope).upper()
            if self.slope > 0:
                return Growth(size, arb(1), low=nearest.lower())
            if self.slope < 0:
                return Growth(size, arb(1), high=nearest.upper())
            return Growth(size, arb(1))
        if e.is_Add:
            return self._sum([self(a) for a in e.args])
        if e.is_Mul:
            return self._product([self(a) for a in e.args])
        if isinstance(e, sympy.exp):
            return self._exponential(e.args[0])
        if e.is_Pow:
            return self._power(e)
        if isinstance(e, sympy.Max | sympy.Min):
            return self._extremum(e)
        if isinstance(e, sympy.Piecewise):
            return _either([self(value) for value, _ in e.args])
        return self._function(e)

    def _value(self, e: Expr) -> arb:
        symbols = sorted(e.free_symbols, key=lambda s: s.sort_key())
        (value,) = compile_kernel([e], [], symbols, BALLS)(*(self.values[s] for s in symbols))()
        return arb(value)

    # ---- arithmetic ------------------------------------------------------------------------------

    def _sum(self, terms: list[Growth]) -> Growth:
        joint = _either(terms)
        scale, low, high = _ZERO, _ZERO, _ZERO
        for t in terms:
            scale += t.scale
            low = low + t.low if low.is_finite() and t.low.is_finite() else -_INF
            high = high + t.high if high.is_finite() and t.high.is_finite() else _INF
        return Growth(
            scale.upper(), joint.power, joint.rate, joint.square, low.lower(), high.upper()
        )

    def _product(self, factors: list[Growth]) -> Growth:
        result = factors[0]
        for f in factors[1:]:
            corners = [_times(a, b) for a in (result.low, result.high) for b in (f.low, f.high)]
            result = Growth(
                (result.scale * f.scale).upper(),
                result.power + f.power,
                result.rate + f.rate,
                result.square + f.square,
                _least(corners),
                largest(corners),
            )
        return result

    def _power(self, e: Expr) -> Growth:
        base, exponent = e.base, e.exp
        if self.x in exponent.free_symbols:
            return self._exponential(exponent * sympy.log(base))
        b, p = self(base), self._value(exponent)
        if p > 0:
            return self._rising_power(b, p, exponent)
        gap = largest([b.low, -b.high])
        if not (gap > 0 and p <= 0):
            raise DerivationError(
                f"{e} cannot be bounded for large {self.x}: its base may come close to 0"
            )
        high = (gap**p).upper()
        return Growth(high, low=_ZERO if b.low > 0 else -high, high=high)

    def _rising_power(self, b: Growth, p: arb, exponent: Expr) -> Growth:
        even = bool(exponent.is_Integer and exponent.is_even)
        low, high = -_INF, _INF
        if b.low >= 0 or even:
            ends = [abs(b.low), abs(b.high)]
            low = _least(ends) if b.low > 0 or b.high < 0 else _ZERO
            low = (low**p).lower() if low > 0 else _ZERO
            top = largest(ends)
            high = (top**p).upper() if top > 0 and top.is_finite() else top
        elif exponent.is_Integer and b.low.is_finite() and b.high.is_finite():
            low, high = (b.low ** int(exponent)).lower(), (b.high ** int(exponent)).upper()
        scale = (b.scale**p).upper() if b.scale > 0 else _ZERO
        return Growth(scale, b.power * p, b.rate * p, b.square * p, low, high)

    def _extremum(self, e: Expr) -> Growth:
        parts = [self(a) for a in e.args]
        joint = _either(parts)
        pick = largest if isinstance(e, sympy.Max) else _least
        low, high = pick([p.low for p in parts]), pick([p.high for p in parts])
        return Growth(joint.scale, joint.power, joint.rate, joint.square, low, high)

    # ---- functions -------------------------------------------------------------------------------

    def _exponential(self, g: Expr) -> Growth:
        poly = sympy.Poly(g, self.x) if g.is_polynomial(self.x) else None
        if poly is not None and poly.degree() <= 2:
            c0, c1, c2 = (self._value(poly.coeff_monomial(self.x**k)) for k in range(3))
            rate, square = (c1 * self.slope).upper(), (c2 * self.slope**2).upper()
            scale = c0.exp().upper()
            bounded = rate <= 0 and square <= 0
            high = scale * (rate * self.start + square * self.start**2).exp() if bounded else _INF
            return Growth(scale, _ZERO, rate, square, _ZERO, high.upper())
        return self._of_exponent(g, self(g), lambda end: end.exp())

    def _of_exponent(self, g: Expr, b: Growth, function: Callable[[arb], arb]) -> Growth:
        """e^g from the bounds of g."""
        if b.high.is_finite():
            high = function(b.high).upper()
            return Growth(high, low=_ZERO, high=high)
        if b.rate <= 0 and b.square <= 0 and b.power <= 2:
            if b.power <= 1:
                return Growth(arb(1), _ZERO, b.scale, _ZERO, _ZERO)
            return Growth(arb(1), _ZERO, _ZERO, b.scale, _ZERO)
        raise DerivationError(f"exp({g}) grows too fast in {self.x} to be bounded")

    def _function(self, e: Expr) -> Growth:
        kind = type(e)
        if kind in _BOUNDED:
            return _bounded(*(arb(end) for end in _BOUNDED[kind]))
        b = self(e.args[0])
        if kind in _MONOTONE:
            before, after = _MONOTONE[kind]
            function = BALLS.names[kind.__name__]
            ends = (
                function(b.low) if b.low.is_finite() else before(),
                function(b.high) if b.high.is_finite() else after(),
            )
            return _bounded(_least(list(ends)), largest(list(ends)))
        if kind is sympy.log:
            return self._logarithm(e, b)
        if kind in _LINEAR:
            low = -_INF if kind is sympy.asinh else _ZERO
            if kind is sympy.Abs:
                low = largest([b.low, -b.high, _ZERO])
            # ln 2 stays where |g| falls: neither may the bound fall
            rate, square = largest([b.rate, _ZERO]), largest([b.square, _ZERO])
            return Growth((b.scale + arb.const_log2()).upper(), b.power, rate, square, low)
        size = Growth(b.scale, b.power, b.rate, b.square, _ZERO, largest([-b.low, b.high]))
        grown = self._of_exponent(e.args[0], size, arb.exp)
        low = arb(1) if kind is sympy.cosh else -_INF
        return Growth(grown.scale, grown.power, grown.rate, grown.square, low, grown.high)

    def _logarithm(self, e: Expr, b: Growth) -> Growth:
        if not b.low > 0:
            raise DerivationError(
                f"{e} cannot be bounded for large {self.x}: its argument may come close to 0"
            )
        rate, square = largest([b.rate, _ZERO]), largest([b.square, _ZERO])
        size = abs(b.low.log()) + abs(b.scale.max(arb(1)).log()) + b.power + rate + square
        order = 2 if square > 0 else 1 if rate > 0 or b.power > 0 else 0
        high = b.high.log().upper() if b.high.is_finite() else _INF
        return Growth(size.upper(), arb(order), low=b.low.log().lower(), high=high)


# ---- ends of ranges, which may be infinite -------------------------------------------------------


def _either(parts: list[Growth]) -> Growth:
    """A bound of each of several functions."""
    return Growth(
        largest([p.scale for p in parts]),
        largest([p.power for p in parts]),
        largest([p.rate for p in parts]),
        largest([p.square for p in parts]),
        _least([p.low for p in parts]),
        largest([p.high for p in parts]),
    )


def largest(ends: list[arb]) -> arb:
    """An upper bound of several numbers; infinite ones allowed."""
    if any(e.is_nan() or e == _INF for e in ends):
        return _INF
    finite = [e.upper() for e in ends if e.is_finite()]
    result = finite[0] if finite else -_INF
    for e in finite[1:]:
        result = e if e > result else result
    return result


def _least(ends: list[arb]) -> arb:
    return -largest([-e for e in ends])


def _times(a: arb, b: arb) -> arb:
    return _ZERO if a.is_zero() or b.is_zero() else a * b

"""Changes of variables u = u(t) under which Gaussian averages converge geometrically.

The trapezoidal rule in t converges like exp(-2πδ/h) when the integrand is analytic for |Im t| < δ.
A chart is built from explicit analytic pieces, so it needs no inversion and runs in any arithmetic:

* a *base* u(s): the whole line, u = L s (Gaussian resolved by spacing L h), or a segment [A, B]
  with double-exponential ends, linear in between;
* *squeezes* s = p + asinh(q sinh t), 0 < q ≤ 1. A singularity at distance d above p lies, with
  q = sin d, at Im t = π/2, together with all others on the vertical line above it. The image of
  the strip |Im t| < π/2 lies inside |Im s| < π/2, so a squeeze never undoes what was gained before.

For one singularity c ± iw of the integrand on the line this is u = c + L asinh(sin(w/L) sinh t): a
sinh transformation near c, which turns linear at the length scale of the Gaussian.

Source: H. Takahasi and M. Mori, Publ. RIMS 9, 721 (1974); L. N. Trefethen and J. A. C. Weideman,
SIAM Review 56, 385 (2014) (trapezoidal rule); the squeeze is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Nodes = tuple[Any, Any, Any]
"""(origin, offset, |du/dt|): u = origin + offset, where offset is accurate relative to itself."""


class Elementary(Protocol):
    """The elementary functions of an arithmetic."""

    def sinh(self, x: Any) -> Any: ...  # noqa: D102
    def cosh(self, x: Any) -> Any: ...  # noqa: D102
    def asinh(self, x: Any) -> Any: ...  # noqa: D102
    def sqrt(self, x: Any) -> Any: ...  # noqa: D102
    def exp(self, x: Any) -> Any: ...  # noqa: D102
    def expm1(self, x: Any) -> Any: ...  # noqa: D102
    def log1p(self, x: Any) -> Any: ...  # noqa: D102


@dataclass(frozen=True)
class Squeeze:
    """s = p + asinh(q sinh t)."""

    p: Any
    q: Any

    def offset(self, t: Any, m: Elementary) -> tuple[Any, Any]:
        """(s - p, ds/dt)."""
        a = self.q * m.sinh(t)
        return m.asinh(a), self.q * m.cosh(t) / m.sqrt(1 + a * a)


@dataclass(frozen=True)
class Line:
    """u = slope · s over the whole line; ``origin`` is where the first squeeze is centred."""

    slope: Any
    origin: Any

    def nodes(self, offset: Any, m: Elementary) -> Nodes:
        """From s - origin/slope."""
        return self.origin, self.slope * offset, self.slope


@dataclass(frozen=True)
class Segment:
    """u from ``start`` (s → -∞) to ``start + sign · length`` (s → ∞).

    With ℓ = length/slope and g = s - e^{-s} + e^{s-ℓ},

        (u - start) sign = slope · log[(1 + e^g)/(1 + e^{g-ℓ})],

    which runs linearly in between and reaches both ends double-exponentially.
    """

    slope: Any
    start: Any
    length: Any
    sign: int

    def nodes(self, s: Any, m: Elementary) -> Nodes:
        """From s."""
        span = self.length / self.slope
        left, right = m.exp(-s), m.exp(s - span)
        x = m.exp(-(s - left + right))
        tail, rest = m.exp(-span), -m.expm1(-span)
        offset = self.slope * m.log1p(rest / (x + tail))
        rate = self.slope * rest / ((1 + 1 / x) * (x + tail)) * (1 + left + right)
        return self.start, self.sign * offset, rate


@dataclass(frozen=True)
class Chart:
    """A base and squeezes, the first of which is applied last.

    Args:
        base: The base.
        squeezes: The squeezes; on a line the first one is centred at its origin.
        low: Lower end of t.
        high: Upper end of t.
    """

    base: Line | Segment
    squeezes: tuple[Squeeze, ...]
    low: float
    high: float

    def nodes(self, t: Any, m: Elementary) -> Nodes:
        """The nodes u(t) and du/dt."""
        rate: Any = 1.0
        later: Sequence[Squeeze] = self.squeezes[1:] if self._centred else self.squeezes
        for squeeze in reversed(later):
            offset, slope = squeeze.offset(t, m)
            t, rate = squeeze.p + offset, rate * slope
        if self._centred:
            t, slope = self.squeezes[0].offset(t, m)
            rate = rate * slope
        origin, offset, slope = self.base.nodes(t, m)
        return origin, offset, rate * slope

    @property
    def _centred(self) -> bool:
        return isinstance(self.base, Line) and bool(self.squeezes)

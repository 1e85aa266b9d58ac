"""How far functions are analytic off the real axis, found and bounded by ball arithmetic.

For ⟨f(σu) he_k(u)⟩, u ~ N(0, 1), with he_k the normalised Hermite polynomials, the trapezoidal rule
of step h is wrong by at most

    4 M e^{y²/2} B_k(y) / (e^{2πy/h} − 1),      |f(σ(x ± iy))| ≤ M e^{x²/8},

if f(σ·) is analytic for |Im u| ≤ y. B_k(y) bounds |he_k(x + iy)| e^{−x²/4}; Mehler's formula for
Σ_k r^k |he_k|² gives, for every 0 < r < 1,

    B_k(y)² = r^{−k} (1 − r²)^{−1/2} e^{r y²/(1−r)},

which grows like e^{√k y}. Analyticity is proved by evaluating f on boxes that cover the strip: it
is analytic where ball arithmetic finds it finite. The boxes end where the Gaussian has hidden f;
that f grows no faster than e^{x²/8} beyond is assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, frexp, inf, isfinite, log, log1p, pi, sqrt

import flint

from gatetheory.codegen.precision_ball import working_precision
from gatetheory.errors import ConvergenceError

Functions = Callable[[flint.acb], Sequence[flint.acb | flint.arb]]
"""Values of several functions of u, on a ball."""

_BITS = 64  # of bounds
_FINENESS = 1.15  # ratio of neighbouring heights of strips that are tried
_LOWEST, _HIGHEST = 1e-4, 40.0
_DEPTH = 4  # how often a box is quartered before its function counts as singular
_SAFE = log(2.0)  # logarithms of bounds are rounded up by this


@dataclass(frozen=True)
class Strip:
    """Where functions of u are analytic, and how large they are there.

    Args:
        heights: Heights y of strips in which all functions are analytic, rising.
        bounds: log M for every height, the largest over the functions relative to their sizes.
        sizes: √⟨f²⟩ of every function, roughly.
        span: Beyond |u| = span, f e^{−u²/4} is below what is asked for.
    """

    heights: tuple[float, ...]
    bounds: tuple[float, ...]
    sizes: tuple[float, ...]
    span: float

    @property
    def reach(self) -> float:
        """Height of the highest strip."""
        return self.heights[-1]

    def step(self, order: int, exponent: float) -> tuple[int, int]:
        """Largest step h = s/2^t, 16 ≤ s < 32, with an error below e^{−exponent} up to he_order."""
        largest = 0.0
        for y, bound in zip(self.heights, self.bounds, strict=True):
            # The second is the condition for ⟨f²⟩, which the truncation is judged by.
            needed = exponent + log(4.0) + y * y / 2 + max(
                bound + log_hermite(order, y), 2 * bound
            )  # fmt: skip
            largest = max(largest, 2 * pi * y / (max(needed, 1.0) + _SAFE))
        mantissa, power = frexp(largest)  # in [1/2, 1)
        return int(mantissa * 32), 5 - power


def log_hermite(order: int, height: float) -> float:
    """Log of B_k(y); see the module's text."""
    gap = min(0.5, max(height / sqrt(order + 1.0), 1 / (order + 1.0)))
    r = 1 - gap
    return 0.5 * (-order * log(r) - 0.5 * log1p(-r * r) + r * height * height / gap)


def find_strip(functions: Functions, exponent: float) -> Strip:
    """Find strips in which functions of u are analytic.

    Args:
        functions: The functions, real on the real axis.
        exponent: What is smaller than e^{−exponent} relative to a function's size is hidden.

    Raises:
        ConvergenceError: If a function is not analytic near the real axis, or outgrows the
            Gaussian.
    """
    with working_precision(_BITS):
        span, sizes = _span(functions, exponent)
        lowest = _highest(functions, span)
        heights, bounds = [], []
        for part in (0.25, 0.5, 0.75, 0.9, 1.0):
            bound = _bound(functions, span, part * lowest, sizes)
            if isfinite(bound):
                heights.append(part * lowest)
                bounds.append(bound)
    if not heights:
        raise ConvergenceError("a function is not bounded next to the real axis")
    return Strip(tuple(heights), tuple(bounds), tuple(sizes), span)


def _span(functions: Functions, exponent: float) -> tuple[float, list[float]]:
    """Range that quadrature has to cover, and the sizes of the functions."""
    spacing = 0.25
    squares: list[float] = []
    falling: list[float] = []
    count, quiet = 0, 0
    largest = sqrt(4 * exponent) * 4 + 40
    while quiet < 8:
        x = count * spacing
        if x > largest:
            raise ConvergenceError(
                "a function grows too fast for its average with a Gaussian of this variance"
            )
        pair = [_magnitudes(functions(flint.acb(s * x))) for s in (1, -1)]
        values = [max(a, b) for a, b in zip(*pair, strict=True)]
        if not all(map(isfinite, values)):
            raise ConvergenceError("a function is not finite on the real axis")
        squares = squares or [0.0] * len(values)
        weight = spacing * exp(-x * x / 2) / sqrt(2 * pi)
        squares = [
            q + weight * sum(p[i] ** 2 for p in pair) / (1 if count else 2)
            for i, q in enumerate(squares)
        ]
        # Decay against everything that multiplies f in the sum: he_k e^{−u²/2} ≲ e^{−u²/4}.
        falling = [
            log(v) - x * x / 4 - 0.5 * log(q) if v > 0 and q > 0 else -inf
            for v, q in zip(values, squares, strict=True)
        ]
        count += 1
        quiet = quiet + 1 if max(falling, default=-inf) < -exponent and x > 2 else 0
    sizes = [sqrt(q) for q in squares]
    return (count - quiet) * spacing, sizes


def _highest(functions: Functions, span: float) -> float:
    """Height of the highest strip, on a geometric scale, that boxes prove free of singularities."""
    height = 1.0
    if _is_analytic(functions, span, height):
        while height < _HIGHEST and _is_analytic(functions, span, 2 * height):
            height *= 2
    else:
        while not _is_analytic(functions, span, height / 2):
            height /= 2
            if height < _LOWEST:
                raise ConvergenceError(
                    "a function is not analytic near the real axis, or so steep that its average "
                    'cannot be done to many digits; use closure="sampled" or digits=15'
                )
        height /= 2
    while height < _HIGHEST and _is_analytic(functions, span, height * _FINENESS):
        height *= _FINENESS
    return height


def _is_analytic(functions: Functions, span: float, height: float) -> bool:
    """Whether the functions are finite on boxes that cover |Re u| ≤ span, 0 ≤ Im u ≤ height."""
    columns = max(4, int(2 * span / height) + 1)
    half = span / columns
    centres = [(2 * i + 1 - columns) * half for i in range(columns)]
    # From the middle outwards: singularities are mostly near the transition, and end the search.
    return all(
        _is_finite(functions, x, height / 2, half, height / 2, _DEPTH)
        for x in sorted(centres, key=abs)
    )


def _is_finite(
    functions: Functions, x: float, y: float, half_x: float, half_y: float, depth: int
) -> bool:
    box = flint.acb(flint.arb(x, half_x * 1.0001), flint.arb(y, half_y * 1.0001))
    if all(isfinite(m) for m in _magnitudes(functions(box))):
        return True
    if not depth:
        return False
    return all(
        _is_finite(functions, x + sx * half_x / 2, y + sy * half_y / 2, half_x / 2, half_y / 2,
                   depth - 1)
        for sy in (1, -1)
        for sx in (-1, 1)
    )  # fmt: skip


def _bound(functions: Functions, span: float, height: float, sizes: Sequence[float]) -> float:
    """The log of M at a height, relative to the functions' sizes: over the line cut into pieces."""
    half = min(height / 4, 0.25)
    count = int(span / half) + 1
    largest = -inf
    for i in range(-count, count + 1):
        x = 2 * i * half
        if abs(x) > span + 2 * half:
            continue
        box = flint.acb(flint.arb(x, half), flint.arb(height))
        nearest = max(abs(x) - half, 0.0)
        for m, size in zip(_magnitudes(functions(box)), sizes, strict=True):
            if m > 0 and size > 0:
                largest = max(
                    largest, (log(m) if isfinite(m) else inf) - nearest**2 / 8 - log(size)
                )
    return largest + _SAFE if largest > -inf else 0.0


def _magnitudes(values: Sequence[flint.acb | flint.arb]) -> list[float]:
    found = []
    for v in values:
        size = abs(v) if isinstance(v, flint.acb | flint.arb) else flint.arb(abs(v))
        upper = float(size.upper()) if size.is_finite() else inf
        found.append(upper if upper == upper else inf)
    return found

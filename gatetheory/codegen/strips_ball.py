"""Where an integrand is analytic around the real axis, proven by covering with boxes.

A box on which the ball evaluation of an integrand is finite (and says so about analyticity) holds
no singularity. Boxes that are not finite are cut in two until they are, or until it is not worth
while. Everything here is in the standardised variable u, with x = s u.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from flint import acb, arb

Kernel = Callable[..., tuple[Any, ...]]
MOST_BOXES = 400
SEGMENT = 0.5
"""Length of the pieces of a line, before they are cut."""


def interval(low: float, high: float) -> arb:
    """A real ball that contains [low, high]; neighbours leave no gap."""
    return arb(low).union(arb(high))


def is_analytic(kernel: Kernel, s: arb, reach: float, height: float) -> bool:
    """Whether |Re u| ≤ reach, 0 ≤ Im u ≤ height is covered by boxes without singularities."""
    waiting = [(-reach, reach, 0.0, height)]
    for _ in range(MOST_BOXES):
        if not waiting:
            return True
        left, right, bottom, top = waiting.pop()
        if sizes(kernel, s * acb(interval(left, right), interval(bottom, top))) is not None:
            continue
        if right - left > 2 * (top - bottom):
            middle = (left + right) / 2
            waiting += [(left, middle, bottom, top), (middle, right, bottom, top)]
        else:
            middle = (bottom + top) / 2
            waiting += [(left, right, bottom, middle), (left, right, middle, top)]
    return not waiting


def sizes(kernel: Kernel, x: acb) -> list[arb] | None:
    """Upper bounds of |f| on a box, one per output; None if one of them is not finite."""
    values = [acb(v) for v in kernel(x)]
    if not all(v.is_finite() for v in values):
        return None
    return [v.abs_upper() for v in values]


def line_integrals(kernel: Kernel, s: arb, reach: float, height: float) -> list[arb] | None:
    """Bounds of ∫ |f(su) e^{-u²/2}| |du| along Im u = height, |Re u| ≤ reach.

    Returns:
        One bound per output; None if the line could not be covered.
    """
    count = max(round(2 * reach / SEGMENT), 2)
    ends = [-reach + 2 * reach * k / count for k in range(count)] + [reach]
    waiting = list(pairwise(ends))
    most = MOST_BOXES + 2 * count
    totals: list[arb] = []
    for _ in range(most):
        if not waiting:
            return totals
        left, right = waiting.pop()
        bounds = sizes(kernel, s * acb(interval(left, right), arb(height)))
        if bounds is None:
            middle = (left + right) / 2
            waiting += [(left, middle), (middle, right)]
            continue
        nearest = 0.0 if left < 0 < right else min(abs(left), abs(right))
        weight = ((arb(height) ** 2 - arb(nearest) ** 2) / 2).exp() * (arb(right) - arb(left))
        shares = [(b * weight).upper() for b in bounds]
        previous = totals or [arb(0)] * len(shares)
        totals = [(t + b).upper() for t, b in zip(previous, shares, strict=True)]
    return None if waiting else totals


def side_integrals(
    kernel: Kernel, s: arb, reach: float, height: float, turning: arb
) -> list[arb] | None:
    """Bounds of ∫ |f(su)| e^{(y² - R²)/2 - κy} dy on both sides Re u = ±R, 0 ≤ y ≤ height.

    The exponent is convex in y: on a piece of a side the weight is largest at one of its ends.

    Args:
        kernel: Gives f.
        s: Standard deviation.
        reach: R.
        height: Height of the sides.
        turning: κ.

    Returns:
        One bound per output; None if the sides could not be covered.
    """
    count = max(round(height / SEGMENT), 1)
    ends = [height * k / count for k in range(count)] + [height]
    waiting = [(side, *piece) for side in (-reach, reach) for piece in pairwise(ends)]
    most = MOST_BOXES + 2 * count
    totals: list[arb] = []
    for _ in range(most):
        if not waiting:
            return totals
        side, bottom, top = waiting.pop()
        bounds = sizes(kernel, s * acb(arb(side), interval(bottom, top)))
        if bounds is None:
            middle = (bottom + top) / 2
            waiting += [(side, bottom, middle), (side, middle, top)]
            continue
        weights = [
            ((arb(y) ** 2 - arb(reach) ** 2) / 2 - turning * arb(y)).exp() for y in (bottom, top)
        ]
        share = weights[0].max(weights[1]) * (arb(top) - arb(bottom))
        previous = totals or [arb(0)] * len(bounds)
        totals = [(t + b * share).upper() for t, b in zip(previous, bounds, strict=True)]
    return None if waiting else totals

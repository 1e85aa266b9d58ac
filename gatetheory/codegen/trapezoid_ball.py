"""The trapezoidal rule for Gaussian averages, with a proven error.

For f analytic in |Re u| ≤ R, |Im u| ≤ a, real on the axis, and R = (N + ½)h, integrate
F(z)/(1 - e^{-2πiz/h}), F = f e^{-u²/2}, around the rectangle. The residues at the nodes give the
sum, and what is left over is

    |∫_{-R}^{R} F du - h Σ_{|k| ≤ N} F(kh)| ≤ 2 M/(e^{2πa/h} - 1) + E,

M = ∫ |F| along Im z = a (by reflection the same below). On the sides Re z = ±R the exponential is
negative real, so that with F = f e^{-u²/2} and z = ±R + iy they leave at most

    E = 2 Σ_± ∫_0^a |f| e^{(y² - R²)/2 - 2πy/h} dy.

M and E come from ball evaluations on boxes.

Source: L. N. Trefethen and J. A. C. Weideman, SIAM Rev. 56, 385 (2014), theorem 5.1, cut off at R.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flint
from flint import arb

from gatetheory.codegen.precision_ball import working_precision
from gatetheory.codegen.strips_ball import Kernel, is_analytic, line_integrals, side_integrals

BOX_BITS = 64
_NEAR_POLE = 0.9
"""The strip ends at this fraction of the way to the nearest singularity."""
_SHRINK = 0.75
_SHRINKINGS = 10
_LARGEST_STEP = 0.5
_BLOCK = 16
_SLACK = 32
"""Bits kept in reserve for terms that grow within a block of nodes."""


@dataclass(frozen=True)
class Rule:
    """Step and number of nodes on each side of 0, with the error proven for them.

    Args:
        step: H, an exact binary fraction.
        nodes: N.
        reach: R = (N + ½)h.
        errors: Bound of the error of ∫_{-R}^{R} f e^{-u²/2} du, one per output.
    """

    step: float
    nodes: int
    reach: float
    errors: tuple[arb, ...]


def choose_rule(
    kernel: Kernel,
    s: arb,
    reach: float,
    nearest: float,
    tolerances: Sequence[arb],
    bits: int,
    most: int,
) -> Rule | None:
    """The rule with the fewest nodes found; None if no strip can be proven or it needs too many.

    Args:
        kernel: Proves analyticity: not finite on a box with a singularity.
        s: Standard deviation: f is evaluated at x = s u.
        reach: R at least.
        nearest: Where the nearest singularity seems to be, |Im u|; ∞ if none is known.
        tolerances: Errors aimed at.
        bits: Accuracy that they mean relative to the integrands.
        most: Nodes that are acceptable, on each side of 0.
    """
    with working_precision(BOX_BITS):
        wide = reach + _LARGEST_STEP
        digits = math.log(2) * bits
        height = min(math.sqrt(2 * digits), _NEAR_POLE * nearest)
        if reach * digits > most * 2 * math.pi * height:
            return None
        for _ in range(_SHRINKINGS):
            if is_analytic(kernel, s, wide, height):
                lines = line_integrals(kernel, s, wide, height)
                if lines is not None:
                    return _rule(kernel, s, reach, height, lines, tolerances, most)
            height *= _SHRINK
    return None


def _rule(
    kernel: Kernel,
    s: arb,
    reach: float,
    height: float,
    lines: list[arb],
    goals: Sequence[arb],
    most: int,
) -> Rule | None:
    ratio = max(_log(1 + 2 * m / t) for m, t in zip(lines, goals, strict=True))
    step = min(2 * math.pi * height / ratio, _LARGEST_STEP)
    step = math.ldexp(math.floor(math.ldexp(step, 20)), -20)
    nodes = math.ceil(reach / step - 0.5) if step else most + 1
    if nodes > most:
        return None
    end = (nodes + 0.5) * step
    turning = 2 * arb.pi() / arb(step)
    sides = side_integrals(kernel, s, end, height, turning)
    if sides is None:
        return None
    gain = (turning * height).exp() - 1
    errors = [(2 * (m / gain + e)).upper() for m, e in zip(lines, sides, strict=True)]
    return Rule(step, nodes, end, tuple(errors))


def trapezoid(
    prepare: Callable[[], Callable[..., tuple[Any, ...]]],
    s: arb, rule: Rule, scales: Sequence[arb], bits: int, *, even: bool,
) -> list[arb]:  # fmt: skip
    """Enclosures of ∫_{-R}^{R} f(su) e^{-u²/2} du.

    Far nodes weigh little, so they are computed with fewer bits: as many as their term needs.

    Args:
        prepare: Gives the kernel at the present precision.
        s: Standard deviation.
        rule: From :func:`choose_rule`.
        scales: Sizes of the results, of which ``bits`` bits are wanted.
        bits: See ``scales``.
        even: Whether every output is even in u.
    """
    guard = 2 * max(rule.nodes, 2).bit_length() + 12
    full = bits + guard
    with working_precision(full):
        step = arb(rule.step)
        spacing = step * s
        weight, factor = arb(1), (-(step**2) / 2).exp()
        square = factor * factor
        kernel = prepare()
        totals = [arb(v) for v in kernel(arb(0))]
        if even:
            totals = [t / 2 for t in totals]
        for start in range(1, rule.nodes + 1, _BLOCK):
            last: Sequence[Any] = ()
            block = [arb(0)] * len(totals)
            for k in range(start, min(start + _BLOCK, rule.nodes + 1)):
                weight, factor = weight * factor, factor * square
                x = k * spacing
                last = kernel(x) if even else _pair(kernel, x)
                block = [b + weight * value for b, value in zip(block, last, strict=True)]
            present = flint.ctx.prec
            with working_precision(full):
                totals = [t + b for t, b in zip(totals, block, strict=True)]
            needed = _bits_needed(weight, last, scales) + full + _SLACK
            if needed < present - _SLACK:
                flint.ctx.prec = max(needed, BOX_BITS)
                kernel = prepare()
        flint.ctx.prec = full
        twice = 2 if even else 1
        return [twice * step * t + arb(0, e) for t, e in zip(totals, rule.errors, strict=True)]


def _pair(kernel: Kernel, x: arb) -> list[Any]:
    return [a + b for a, b in zip(kernel(x), kernel(-x), strict=True)]


def _bits_needed(weight: arb, values: Sequence[Any], scales: Sequence[arb]) -> int:
    """log2 of the present terms relative to the results."""
    with working_precision(BOX_BITS):
        sizes = [(abs(arb(v)).upper() / s).max(arb(1)) for v, s in zip(values, scales, strict=True)]
        largest = max(_log(weight * r) for r in sizes)
    return math.ceil(largest / math.log(2)) if math.isfinite(largest) else 0


def _log(x: arb) -> float:
    """Logarithm of an upper bound of a positive number, as a float of any exponent."""
    return float(x.upper().log().upper())

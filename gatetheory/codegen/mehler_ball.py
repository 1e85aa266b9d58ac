"""Mehler's formula: ⟨f(x) g(y)⟩ = Σ_k f_k g_k ρ^k for many products and many ρ at once.

A polynomial in ρ of degree K − 1 for every product: with k = m a + b and m ≈ √K, the sums over b
are one matrix product, and those over a are done by Horner's rule in ρ^m. Correlations are sorted
into blocks, so that weak ones do not pay for the terms that strong ones need.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isqrt, log

import flint

from gatetheory.codegen.hermite_ball import HermiteSeries

_BLOCK = 64  # correlations done at once
_ROOM = 4  # digits by which the terms left out lie below those asked for


def mehler_sums(
    first: HermiteSeries,
    second: HermiteSeries,
    pairs: Sequence[tuple[int, int]],
    ratios: Sequence[flint.arb],
    digits: int,
) -> list[list[flint.arb]]:
    """Averages of products.

    Args:
        first: Coefficients of the functions of x.
        second: Coefficients of the functions of y.
        pairs: Which function of each.
        ratios: ρ, in [−1, 1].
        digits: Digits asked for; terms far below are left out, and counted in the radii.

    Returns:
        Shape (pairs, ratios).
    """
    terms = min(first.terms, second.terms)
    products = [
        [a * b for a, b in zip(first.coefficients[i], second.coefficients[j], strict=False)]
        for i, j in pairs
    ]
    result: list[list[flint.arb]] = [[flint.arb(0)] * len(ratios) for _ in pairs]
    order = sorted(range(len(ratios)), key=lambda n: -abs(float(ratios[n])))
    for start in range(0, len(order), _BLOCK):
        members = order[start : start + _BLOCK]
        kept = min(terms, _terms_for(abs(float(ratios[members[0]])), digits))
        left = [(first.tail(i, kept) * second.tail(j, kept)).sqrt().upper() for i, j in pairs]
        block = [ratios[n] for n in members]
        for row, values in enumerate(_polynomials([p[:kept] for p in products], block)):
            for n, value in zip(members, values, strict=True):
                result[row][n] = value + flint.arb(0, left[row] * (abs(ratios[n]) ** kept).upper())
    return result


def _terms_for(size: float, digits: int) -> int:
    if size <= 0:
        return 1
    if size >= 1:
        return 1 << 62
    return ceil((digits + _ROOM) * log(10) / -log(size)) + 1


def _polynomials(
    coefficients: Sequence[Sequence[flint.arb]], points: Sequence[flint.arb]
) -> list[list[flint.arb]]:
    """Values of several polynomials at several points, shape (polynomials, points)."""
    terms = len(coefficients[0])
    width = isqrt(terms - 1) + 1
    groups = -(-terms // width)
    powers = [[flint.arb(1)] * len(points)]
    for _ in range(width):
        powers.append([p * x for p, x in zip(powers[-1], points, strict=True)])
    giant = powers.pop()
    rows = []
    for row in coefficients:
        padded = [*row, *[flint.arb(0)] * (groups * width - terms)]
        rows += [padded[g * width : (g + 1) * width] for g in range(groups)]
    sums = (flint.arb_mat(rows) * flint.arb_mat(powers)).tolist()
    result = []
    for p in range(len(coefficients)):
        own = sums[p * groups : (p + 1) * groups]
        values = own[-1]
        for lower in reversed(own[:-1]):
            values = [v * g + s for v, g, s in zip(values, giant, lower, strict=True)]
        result.append(values)
    return result

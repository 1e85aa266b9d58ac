"""Means over networks, and their limit for many units."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import special

import gatetheory.simulation as simulation
from gatetheory.comparison import LIMIT, Comparison
from gatetheory.solvers.records import Spectrum

PINCHED = 1e-3  # an abscissa below this is compared on a logarithmic scale


def limit(by_size: Mapping[int, list[float]]) -> tuple[float, float]:
    """Mean and standard error, extrapolated in 1/N where there are several sizes.

    A variance from a few networks is itself uncertain, and weights made from it are biased. The
    variances are therefore pooled over sizes, as if they fell like 1/N, and the larger of the
    pooled and the own one is used, widened by Student's distribution so that four standard errors
    mean the same for few networks as for many.
    """
    samples = {n: np.array(s) for n, s in by_size.items() if len(s) > 1}
    pooled = float(np.mean([n * s.var(ddof=1) for n, s in samples.items()]))
    freedom = sum(len(s) - 1 for s in samples.values())
    widening = -float(special.stdtrit(freedom, special.ndtr(-LIMIT))) / LIMIT
    estimates = {}
    for n, s in samples.items():
        variance = max(pooled / n, float(s.var(ddof=1)))
        stderr = widening * float(np.sqrt(variance / len(s)))
        estimates[n] = simulation.Estimate(float(s.mean()), stderr, tuple(s))
    if len(estimates) > 1 and pooled > 0:
        line = simulation.extrapolate(estimates)
        return line.value, line.stderr
    last = estimates[max(estimates)]
    return last.mean, last.stderr


def scatter_row(
    spectrum: Spectrum, by_size: Mapping[int, list[float]], meaning: str, note: str
) -> Comparison:
    """The outermost eigenvalue of the largest networks, with its scatter between them.

    It is not self-averaging, and its bias falls as N^(-1/2) like its scatter. The mean is therefore
    extrapolated in N^(-1/2) and compared within the scatter, not within a standard error. A support
    that ends far closer to the border than it is wide is compared by powers of ten.
    """
    sizes = sorted(n for n, s in by_size.items() if len(s) > 1)
    largest = np.array(by_size[sizes[-1]])
    tail = "± is the scatter between networks"
    if spectrum.origin == "edge":
        tail += "; the support ends at an edge that finite networks approach from inside"
        mean, scatter = float(largest.mean()), float(largest.std(ddof=1))
        where = f"{note}; N = {sizes[-1]}, {tail}"
        return Comparison(spectrum.quantity, meaning, None, mean, scatter, where)
    theory = float(spectrum.value)
    if spectrum.quantity == "abscissa" and 0 < theory < PINCHED:
        positive = np.log10(largest[largest > 0])
        if len(positive) < 2:
            where = f"{note}; too few networks have an eigenvalue to the right of 0"
            return Comparison(spectrum.quantity, meaning, theory, None, None, where)
        where = f"{note}; N = {sizes[-1]}, in powers of ten, {len(positive)} networks; {tail}"
        return Comparison(
            "log10 abscissa",
            meaning,
            float(np.log10(theory)),
            float(positive.mean()),
            float(positive.std(ddof=1)),
            where,
        )
    samples = [np.array(by_size[n]) for n in sizes]
    intercept = np.ones(1)
    if len(sizes) > 1:
        line = np.column_stack([np.ones(len(sizes)), np.array(sizes) ** -0.5])
        intercept = np.linalg.pinv(line)[0]
        tail = f"extrapolated in 1/√N; {tail}, with the extrapolation's error"
    value = float(intercept @ [s.mean() for s in samples])
    drift = intercept @ np.diag([s.var(ddof=1) / len(s) for s in samples]) @ intercept
    spread = float(np.sqrt(drift + largest.var(ddof=1)))
    return Comparison(spectrum.quantity, meaning, theory, value, spread, f"{note}; {tail}")


def listed(sizes: tuple[int, ...]) -> str:
    """Sizes, for a note."""
    return ", ".join(map(str, sizes))

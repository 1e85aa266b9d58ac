"""Means over networks, and their limit for many units."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import gatetheory.simulation as simulation
from gatetheory.comparison import Comparison
from gatetheory.solvers.records import Spectrum

PINCHED = 1e-3  # an abscissa below this is compared on a logarithmic scale


def limit(by_size: Mapping[int, list[float]]) -> tuple[float, float]:
    """Mean and standard error, extrapolated in 1/N where there are several sizes."""
    estimates = {n: simulation.estimate(s) for n, s in by_size.items() if len(s) > 1}
    if len(estimates) > 1 and all(e.stderr > 0 for e in estimates.values()):
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
    means = [float(np.mean(by_size[n])) for n in sizes]
    value = means[-1]
    if len(sizes) > 1:
        value = float(np.polyfit(np.array(sizes) ** -0.5, means, 1)[1])
        tail = f"extrapolated in 1/√N; {tail}"
    where = f"{note}; {tail}"
    return Comparison(spectrum.quantity, meaning, theory, value, float(largest.std(ddof=1)), where)


def listed(sizes: tuple[int, ...]) -> str:
    """Sizes, for a note."""
    return ", ".join(map(str, sizes))

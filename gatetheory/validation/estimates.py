"""Means over networks, and their limit for many units."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import gatetheory.simulation as simulation
from gatetheory.comparison import Comparison
from gatetheory.solvers.records import Spectrum


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
    extrapolated in N^(-1/2) and compared within the scatter, not within a standard error.
    """
    largest = max(by_size)
    sizes = [n for n, s in by_size.items() if len(s) > 1]
    means = [float(np.mean(by_size[n])) for n in sizes]
    scatter = float(np.std(by_size[largest], ddof=1))
    tail = "± is the scatter between networks"
    if spectrum.origin == "edge":
        tail += "; the support ends at an edge that finite networks approach from inside"
        return Comparison(
            spectrum.quantity, meaning, None, means[-1], scatter, f"{note}; N = {largest}, {tail}"
        )
    value = means[-1]
    if len(sizes) > 1:
        value = float(np.polyfit(np.array(sizes) ** -0.5, means, 1)[1])
        tail = f"extrapolated in 1/√N; {tail}"
    return Comparison(
        spectrum.quantity, meaning, float(spectrum.value), value, scatter, f"{note}; {tail}"
    )


def listed(sizes: tuple[int, ...]) -> str:
    """Sizes, for a note."""
    return ", ".join(map(str, sizes))

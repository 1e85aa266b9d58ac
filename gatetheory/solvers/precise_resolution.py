"""Grids that resolve functions of the lag to a number of digits.

The first grid follows the elements of a solution in doubles, extended until what decays has
decayed; then elements are cut until their Legendre series end below the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, log2

import numpy as np
from flint import arb
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.lag_grid import ElementGrid
from gatetheory.solvers.lag_problem import LagPoint
from gatetheory.solvers.precise_grid import PreciseGrid
from gatetheory.solvers.precise_problem import PreciseProblem

Array = NDArray[np.float64]

LARGEST = 6000  # unknowns whose matrix of doubles is still factorised
_BITS = 24  # of an edge: widths are then exact, and shared by several elements
_LONGEST = 60.0  # elements stay this short, in memories of a unit, so that the kernel ties them
_WIDEST = 3  # an element is cut into at most 2^3 at once
_TAIL = 0.75  # share of the digits to which functions are resolved: C(0) converges faster
_BEYOND = 3  # digits added to it
_STATIC = 1e-9  # decays smaller than this share of the plateaus are rounding


def degree(digits: int) -> int:
    """Nodes per element."""
    return 8 + round(0.8 * digits)


def tail(digits: int) -> float:
    """Digits to which functions of the lag are resolved for so many digits of C(0)."""
    return _TAIL * digits + _BEYOND


def sampled(start: LagPoint, grid: PreciseGrid) -> list[arb]:
    """Unknowns on a grid from a solution in doubles."""
    nodes = np.array([float(x) for x in grid.nodes()])
    rows = [start.grid.interpolate(row, nodes) for row in start.decay]
    return [arb(float(x)) for row in (start.plateau, *rows) for x in row]


def moved(problem: PreciseProblem, vector: Sequence[arb], grid: PreciseGrid) -> list[arb]:
    """Unknowns on another grid."""
    with problem.precision():
        plateaus, decays = problem.split(vector)
        rows = [problem.grid.moved(decay, grid) for decay in decays]
        return [*plateaus, *(x for row in rows for x in row)]


def better_grid(
    problem: PreciseProblem, vector: Sequence[arb], digits: float
) -> PreciseGrid | None:
    """A grid that resolves the decays of a solution; None if its own does."""
    with problem.precision():
        return _improved(problem.grid, problem.split(vector)[1], digits)


def first_grid(start: LagPoint, digits: float, degree: int, slowest: float) -> PreciseGrid:
    """A grid for so many digits from a solution in doubles.

    Args:
        start: The solution.
        digits: Digits to which decays are followed.
        degree: Nodes per element.
        slowest: Memory of a unit; elements stay shorter than a multiple of it.

    Raises:
        ConvergenceError: If the solution does not decay, or the grid is too large.
    """
    grid = start.grid
    if not isinstance(grid, ElementGrid):
        raise ConvergenceError("a solution on elements is needed to start from")
    size = np.abs(start.decay).max()
    if size <= _STATIC * max(float(np.abs(start.plateau).max()), 1e-300):
        raise ConvergenceError("the solution to start from is static: nothing depends on the lag")
    last = np.abs(start.decay.reshape(len(start.decay), grid.elements, -1)[:, -1]).max()
    fallen = -np.log10(max(float(last / size), 1e-14))
    if fallen < 1:
        raise ConvergenceError("the solution to start from does not decay within its range")
    edges = [_short(e) for e in grid.edges]
    edges = list(_bounded(_extended(edges, edges[-1] * (digits + 1) / fallen), slowest))
    return _affordable(PreciseGrid(tuple(edges), degree), len(start.decay), digits)


def _affordable(grid: PreciseGrid, sources: int, digits: float) -> PreciseGrid:
    """The grid itself.

    Raises:
        ConvergenceError: If it has too many nodes.
    """
    if grid.size * sources > LARGEST:
        raise ConvergenceError(
            f"{grid.size * sources} unknowns are needed for {digits:.0f} digits here; ask for "
            "fewer digits, or keep away from an onset, where correlation times grow"
        )
    return grid


def _short(edge: float) -> float:
    """An edge rounded to few bits."""
    if edge == 0:
        return 0.0
    unit = 2.0 ** (ceil(log2(edge)) - _BITS)
    return round(edge / unit) * unit


def _extended(edges: Sequence[float], end: float) -> list[float]:
    result = list(edges)
    width = result[-1] - result[-2]
    while result[-1] < end:
        result.append(result[-1] + width)
    return result


def _bounded(edges: Sequence[float], slowest: float) -> tuple[float, ...]:
    result = [edges[0]]
    for low, high in pairwise(edges):
        count = 1
        while (high - low) / count > _LONGEST * slowest:
            count *= 2
        result += [low + (high - low) * (k + 1) / count for k in range(count)]
    return tuple(result)


def _improved(
    grid: PreciseGrid, decays: Sequence[Sequence[arb]], digits: float
) -> PreciseGrid | None:
    """A grid whose elements end below 10^−digits of the largest value; None if this one does.

    Raises:
        ConvergenceError: If that takes too many nodes.
    """
    cuts, last = np.zeros(grid.elements, dtype=int), -1e9
    for values in decays:
        spectrum = grid.spectrum(values)
        size = float(spectrum.max())
        if size < -1e8:
            continue
        relative = spectrum - size
        cuts = np.maximum(cuts, [_halvings(row, -digits) for row in relative])
        last = max(last, float(relative[-1].max()))
    edges = [0.0]
    for j, count in enumerate(cuts):
        low, high = grid.edges[j], grid.edges[j + 1]
        parts = 2 ** int(count)
        edges += [low + (high - low) * (k + 1) / parts for k in range(parts)]
    if last > -digits:
        edges = _extended(edges, edges[-1] * min((digits + 1) / max(-last, 1.0), 2.0))
    better = PreciseGrid(tuple(edges), grid.degree)
    if better == grid:
        return None
    return _affordable(better, len(decays), digits)


def richer(
    grid: PreciseGrid, decays: Sequence[Sequence[arb]], digits: float, degree: int
) -> PreciseGrid:
    """More nodes in the same elements, and as many more elements as further decay takes.

    Raises:
        ConvergenceError: If that takes too many nodes.
    """
    fallen = np.inf
    for values in decays:
        spectrum = grid.spectrum(values)
        if spectrum.max() > -1e8:
            fallen = min(fallen, float(spectrum.max() - spectrum[-1].max()))
    end = grid.edges[-1] * (digits + 1) / max(min(fallen, digits + 1), 1.0)
    longer = PreciseGrid(tuple(_extended(grid.edges, end)), degree)
    return _affordable(longer, len(decays), digits)


def _halvings(spectrum: Array, target: float) -> int:
    """How often an element must be halved for its series to end below the target.

    A series that falls geometrically, by f powers of ten in all, falls by about log10(2) more per
    coefficient on half the element.
    """
    tail = float(spectrum[-2:].max())
    if tail <= target:
        return 0
    gain = len(spectrum) * np.log10(2)
    return int(min(max(ceil((tail - target) / gain), 1), _WIDEST))


def confirming(grid: PreciseGrid) -> PreciseGrid:
    """Another grid of at least the same resolution: other edges, more nodes in each element.

    Edges are moved by a seventh of the shorter neighbour, so that no node is shared.
    """
    edges = [0.0]
    for low, here, high in zip(grid.edges[:-2], grid.edges[1:-1], grid.edges[2:], strict=True):
        edges.append(_short(here - min(here - low, high - here) / 7))
    end = grid.edges[-1]
    edges.append(_short(end + (end - grid.edges[-2]) / 7))
    return PreciseGrid(tuple(edges), grid.degree + 6)

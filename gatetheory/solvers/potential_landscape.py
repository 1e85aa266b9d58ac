r"""The potential of an equation C − τ² C'' = S(C; C₀) in doubles: where its solutions lie.

Read as motion in time τ, C starts at rest at C₀ and has to come to rest at a static root C∞. With

    W(C) = ∫^C (x − S(x; C₀)) dx,     ½ τ² C'² = W(C) − W(C∞),

that takes E = W(C₀) − W(C∞) = 0, with W(C) > W(C∞) on the way. One polynomial in θ = asin(C/C₀),
where S is smooth, gives all roots and energies at a C₀.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.optimize
from numpy.polynomial import Chebyshev

from gatetheory.errors import GatetheoryError
from gatetheory.solvers.potential_values import SourceProgram

_DEGREE = 64
_SAMPLES = 400  # even: C = 0 is no sample
_PER_DECADE = 12
_SMALLEST, _LARGEST = 1e-8, 1e4
_NARROW = 1e-5
_CLOSE = 1e-7  # of amplitudes, relative: solutions as close as this may be missed
_ALLOWED = 1e-9  # negative kinetic energy, relative, that is rounding


@dataclass(frozen=True)
class Rest:
    """A root C∞ at which the motion can come to rest.

    Args:
        plateau: C∞.
        energy: E / C₀².
        is_reached: Whether C gets there from C₀, up to the sign of E.
    """

    plateau: float
    energy: float
    is_reached: bool


@dataclass(frozen=True)
class Orbit:
    """A solution in doubles.

    Args:
        equal: C₀.
        plateau: C∞.
    """

    equal: float
    plateau: float


def rests(source: SourceProgram, equal: float, parameter: float) -> list[Rest]:
    """All roots C∞ < C₀ that are saddles, from above."""
    half = np.pi / 2
    angles = half * np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
    lags = equal * np.sin(angles)
    jet = source([*lags, equal], equal, parameter)
    force = _fit(lags - jet.value[:-1].astype(float), half)
    work = (force * _fit(equal * np.cos(angles), half)).integ()
    samples = np.linspace(-half, half, _SAMPLES)
    values = force(samples)
    found = []
    # Not in the last interval: to stay at C₀ is no motion.
    for i in np.flatnonzero((values[:-2] < 0) & (values[1:-1] >= 0))[::-1]:
        root = float(scipy.optimize.brentq(force, samples[i], samples[i + 1], xtol=1e-15))
        kinetic = work(samples[samples > samples[i + 1]][:-1]) - work(root)
        size = np.abs(kinetic).max(initial=0.0)
        energy = float(work(half) - work(root))
        found.append(
            Rest(
                float(equal * np.sin(root)),
                energy / equal**2,
                bool((kinetic[:-1] > min(energy, 0.0) - _ALLOWED * size).all()),
            )
        )
    return found


def _fit(values: np.ndarray[tuple[int], np.dtype[np.float64]], half: float) -> Chebyshev:
    """The polynomial through values at Chebyshev's nodes."""
    n = len(values)
    angles = np.pi * (np.arange(n) + 0.5) / n
    coefficients = 2 / n * np.cos(np.outer(np.arange(n), angles)) @ values
    coefficients[0] /= 2
    return Chebyshev(coefficients, domain=[-half, half])


def amplitudes(source: SourceProgram, parameter: float) -> list[Orbit]:
    """All solutions C₀ that a scan finds, ascending."""
    grid = [(c, rests(source, c, parameter)) for c in _range(source, parameter)]
    grid = _with_dips(source, parameter, _refined(source, parameter, grid))
    found: list[Orbit] = []
    for (a, left), (b, right) in pairwise(grid):
        for index, (one, other) in enumerate(zip(left, right, strict=False)):
            if one.energy * other.energy > 0 or not (one.is_reached or other.is_reached):
                continue
            energy = _energy_of(source, parameter, index)
            equal = float(scipy.optimize.brentq(energy, a, b, rtol=1e-13))
            rest = rests(source, equal, parameter)[index]
            if rest.is_reached:
                found.append(Orbit(equal, rest.plateau))
    return found


def _refined(
    source: SourceProgram, parameter: float, grid: list[tuple[float, list[Rest]]]
) -> list[tuple[float, list[Rest]]]:
    """With more amplitudes where roots appear: a solution may lie between that and the next one."""
    result = grid[:1]
    for after in grid[1:]:
        waiting = [after]
        while waiting:
            (low, left), (high, right) = result[-1], waiting[-1]
            if len(left) == len(right) or high - low < _NARROW * high:
                result.append(waiting.pop())
            else:
                middle = (low + high) / 2
                waiting.append((middle, rests(source, middle, parameter)))
    return result


def _with_dips(
    source: SourceProgram, parameter: float, grid: list[tuple[float, list[Rest]]]
) -> list[tuple[float, list[Rest]]]:
    """With the extrema of E at which it crosses zero between amplitudes of one sign.

    Next to a fold both solutions lie there.
    """
    more = []
    for (a, left), (b, here), (c, right) in zip(grid, grid[1:], grid[2:], strict=False):
        for index in range(min(len(left), len(here), len(right))):
            sign = float(np.sign(here[index].energy))
            size = sign * here[index].energy
            if not 0 < size < min(sign * left[index].energy, sign * right[index].energy):
                continue
            energy = _energy_of(source, parameter, index, sign)
            least = scipy.optimize.minimize_scalar(energy, (a, b, c), tol=_CLOSE)
            if least.fun < 0:
                more.append((float(least.x), rests(source, float(least.x), parameter)))
    return sorted([*grid, *more], key=lambda entry: entry[0])


def _energy_of(
    source: SourceProgram, parameter: float, index: int, sign: float = 1.0
) -> Callable[[float], float]:
    """±E of the root of a number; infinite where there are fewer roots."""

    def energy(equal: float) -> float:
        found = rests(source, equal, parameter)
        return sign * found[index].energy if index < len(found) else np.inf

    return energy


def _range(source: SourceProgram, parameter: float) -> list[float]:
    """Amplitudes at which C'' < 0 at lag 0, C₀ < S(C₀; C₀), with the static roots at the ends."""

    def excess(c: float) -> float:
        return float(source([c], c, parameter).value[0]) - c

    decades = np.log10(_LARGEST / _SMALLEST)
    grid: list[tuple[float, float]] = []
    for c in np.geomspace(_SMALLEST, _LARGEST, int(decades * _PER_DECADE) + 1):
        try:
            grid.append((float(c), excess(float(c))))
        except GatetheoryError:  # averages that do not exist at so large a variance
            break
    found = [c for c, some in grid if some > 0]
    for (a, one), (b, other) in pairwise(grid):
        if one * other < 0:
            found.append(float(scipy.optimize.brentq(excess, a, b)))
    return sorted(found)

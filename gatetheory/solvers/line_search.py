"""All solutions of u = G(u) with one core unknown.

In s = ln u a Gaussian average is the convolution of its integrand with a kernel of width O(1),
whatever the gain, so that a grid of fixed spacing sees every feature of G. Every interval in which
the mismatch changes sign, or comes closest to zero without doing so, is interpolated by a Chebyshev
series, all of whose zeros are taken; an extremum that nearly touches zero (a fold) is located by
its slope. Newton's method with the slope from Price's theorem does the rest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy import optimize

from gatetheory.solvers.core_problem import (
    UNBOUNDED,
    CoreProblem,
    Root,
    Roots,
    as_root,
    at_zero,
    evaluate,
)

Array = NDArray[np.float64]

GRID_SPACING = 0.5  # in ln u; features have width of order one
SMALLEST = 1e-20  # of the physical range
NODES = 12
FLAT = 1e-8  # relative curvature on the grid below which a dip is rounding noise
NEARLY_TANGENT = 1e-4
LOUD = 4.0  # a mismatch counts as non-zero beyond this many error estimates
TANGENT = 1e-14  # relative mismatch below which an extremum counts as a double solution
NEWTON_STEPS = 20


def search_line(problem: CoreProblem, values: list[float], end: float) -> Roots:
    """All solutions with one core unknown between zero and the end of its range."""
    line = _Line(problem, values)
    name = problem.core[0]
    low, high = float(np.log(SMALLEST * min(end, 1.0))), float(np.log(end)) + 1e-9
    grid = np.linspace(low, high, int(np.ceil((high - low) / GRID_SPACING)) + 1)
    origin, height, noise = line.scan(grid)
    first = int(np.argmax(np.abs(height) > noise)) if origin == 0 else 0
    grid, height = grid[first:], height[first:]
    simple, double = line.zeros(grid, height)
    roots = [_polished(problem, float(np.exp(s)), values) for s in simple]
    roots += [_double(problem, float(np.exp(s)), values) for s in double]
    reach = f"{name} from {np.exp(low):.1e} to {end:.3g}"
    complete = end < UNBOUNDED
    if not complete:
        reach += "; the signal has no known bound, so larger solutions are not excluded"
    if origin == 0:
        reach += " and zero"
        rest = at_zero(problem, values)
        roots.append(as_root(problem, rest))
        if first:
            reach += f"; below {np.exp(grid[0]):.1e}, doubles cannot tell solutions from zero"
            complete = False
        elif height[0] * (rest.slopes[problem.problem.unknowns.index(name), 0] - 1) < 0:
            reach += "; a solution closer to zero than this exists as well"
            complete = False
    roots.sort(key=lambda r: float(r.values[name]))  # type: ignore[arg-type]
    return Roots(tuple(roots), complete, reach)


class _Line:
    """The mismatch (G − u)/(G + u) as a function of s = ln u: bounded, and zero where u = G."""

    def __init__(self, problem: CoreProblem, values: list[float]) -> None:
        self.problem, self.values = problem, values

    def scan(self, grid: Array) -> tuple[float, Array, Array]:
        """G at u = 0, and on a grid of s the mismatch and what may be rounding of it."""
        u = np.concatenate([[0.0], np.exp(grid)])
        result = self.problem.map(u, *self.values)
        g, total = np.asarray(result.values[0]), np.asarray(result.values[0][1:]) + u[1:]
        noise = LOUD * np.asarray(result.errors[0][1:]) / total
        return float(g[0]), (g[1:] - u[1:]) / total, noise

    def height(self, s: Array) -> Array:
        """The mismatch."""
        u = np.exp(s)
        g = np.asarray(self.problem.map(u, *self.values).values[0])
        return np.asarray((g - u) / (g + u))

    def slope(self, s: float) -> float:
        """Its derivative, with ∂G/∂u by Price's theorem."""
        u = float(np.exp(s))
        g, derivative = self.problem.jacobian(u, *self.values).values
        return float(2 * u * (derivative * u - g) / (g + u) ** 2)

    def zeros(self, grid: Array, height: Array) -> tuple[list[float], list[float]]:
        """Simple and double zeros; every suspicious interval is interpolated to 1e-9."""
        crossing = height[:-1] * height[1:] <= 0
        left, middle, right = (np.abs(height[k : len(height) - 2 + k]) for k in range(3))
        bend = left + right - 2 * middle
        dip = (middle <= left) & (middle <= right) & (bend > FLAT * middle)
        near = np.zeros_like(crossing)  # both intervals beside a dip that does not cross
        near[:-1] |= dip
        near[1:] |= dip
        chosen = np.flatnonzero(crossing | near)
        simple: list[float] = []
        double: list[float] = []
        if len(chosen) == 0:
            return simple, double
        nodes = 0.5 + 0.5 * chebyshev.chebpts1(NODES)
        samples = grid[chosen][:, None] + nodes * (grid[chosen + 1] - grid[chosen])[:, None]
        table = self.height(samples.ravel()).reshape(samples.shape)
        for i, row in zip(chosen, table, strict=True):
            low, high = float(grid[i]), float(grid[i + 1])
            series = chebyshev.Chebyshev(
                chebyshev.chebfit(2 * nodes - 1, row, NODES - 1), [low, high]
            )
            more = self._zeros_of(series, low, high)
            simple += more[0]
            double += more[1]
        return sorted(simple), double

    def _zeros_of(
        self, series: chebyshev.Chebyshev, low: float, high: float
    ) -> tuple[list[float], list[float]]:
        """Zeros of the mismatch in an interval on which a Chebyshev series approximates it."""
        turns = [t for t in _real(series.deriv().roots()) if low < t < high]
        ends = [low, *sorted(turns), high]
        heights = series(np.array(ends))
        simple, double = [], []
        for k in range(1, len(ends) - 1):
            around = min(abs(heights[k - 1]), abs(heights[k + 1]))
            nearly = abs(heights[k]) < min(NEARLY_TANGENT, 0.1 * around)
            if nearly and heights[k - 1] * heights[k + 1] > 0:
                ends[k], heights[k] = self._turning_point(ends[k], ends[k - 1], ends[k + 1])
                if abs(heights[k]) < TANGENT:
                    double.append(ends[k])
                    heights[k] = abs(heights[k]) * np.sign(heights[k - 1])
        for a, b, fa, fb in zip(ends, ends[1:], heights, heights[1:], strict=False):
            if fa * fb < 0 or (fa == 0 and a == low):
                simple.append(float(optimize.brentq(series, a, b)) if fa * series(b) < 0 else a)
        return simple, double

    def _turning_point(self, guess: float, low: float, high: float) -> tuple[float, float]:
        """An extremum of the mismatch that nearly touches zero, to full accuracy."""
        width = 0.25 * min(guess - low, high - guess)
        a, b = guess - width, guess + width
        if self.slope(a) * self.slope(b) < 0:
            guess = float(optimize.brentq(self.slope, a, b, xtol=1e-14))
        return guess, float(self.height(np.array([guess]))[0])


def _real(roots: Any) -> list[float]:
    return [float(r.real) for r in np.atleast_1d(roots) if abs(r.imag) < 1e-9]


def _polished(problem: CoreProblem, start: float, values: list[float]) -> Root:
    """Newton to the last digit from a solution of about nine digits."""
    u = start
    index = problem.problem.unknowns.index(problem.core[0])
    trial = evaluate(problem, np.array([u]), values)
    for _ in range(NEWTON_STEPS):
        if trial.slopes[index, 0] == 1:
            break
        step = (trial.images[index] - u) / (1 - trial.slopes[index, 0])
        if not 4e-16 * u < abs(step) < 0.1 * u:
            break
        u += step
        trial = evaluate(problem, np.array([u]), values)
        if abs(step) < 1e-8 * u:
            break  # quadratic convergence: the next step would be below rounding
    return as_root(problem, trial)


def _double(problem: CoreProblem, u: float, values: list[float]) -> Root:
    """A double solution; G − u stays below its own error as far as the curvature of G lets it."""
    index = problem.problem.unknowns.index(problem.core[0])
    trial = evaluate(problem, np.array([u]), values)
    root = as_root(problem, trial, multiple=True)
    step = 1e-4 * u
    after, before = (
        evaluate(problem, np.array([u + d]), values).slopes[index, 0] for d in (step, -step)
    )
    noise = float(trial.errors[index]) + float(abs(trial.images[index] - u)) + 2e-16 * u
    width = float(np.sqrt(2 * noise * 2 * step / abs(after - before)))
    names = problem.problem.unknowns
    errors = {x: float(abs(g)) * width for x, g in zip(names, trial.slopes[:, 0], strict=True)}
    return replace(root, errors=errors | {problem.core[0]: width})

"""All solutions of a self-consistency problem u = G(u).

With one core unknown the search runs on a line. In s = ln u, a Gaussian average is the convolution
of its integrand with a kernel of width O(1), whatever the gain, so that a grid of fixed spacing sees
every feature: sign changes are bracketed, and an extremum between grid points is followed until it
either crosses zero (two solutions) or does not. With several core unknowns solutions are collected
from many starting points, and the result says that the search is not proved complete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import mpmath
import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.stats import qmc
from sympy import Expr, Symbol

from gatetheory.codegen.program import Backend, Program
from gatetheory.equations.bounds import bounds
from gatetheory.equations.shapes import SelfConsistency
from gatetheory.errors import ConvergenceError
from gatetheory.functions import instantiate
from gatetheory.solvers.records import FixedPoint, FixedPoints, Provenance, by_name

Array = NDArray[np.float64]

GRID_SPACING = 0.4  # in ln u; features have width of order one
SMALLEST = 1e-20  # of the physical range
UNBOUNDED = 1e12  # end of the search when no bound on the signal is known
STARTS = 48
NEWTON_STEPS = 60
TANGENT = 1e-14  # relative mismatch below which an extremum counts as a double solution

Mismatch = Callable[[Array | float], tuple[Array, Array]]


@dataclass(frozen=True)
class Root:
    """One solution of u = G(u).

    Args:
        values: Every unknown.
        errors: Error estimate of every unknown, absolute.
        residual: Largest |u − G(u)|.
        multiple: Whether the solution is (numerically) a double root, as at a fold.
    """

    values: Mapping[Symbol, object]
    errors: Mapping[Symbol, object]
    residual: object
    multiple: bool = False


@dataclass(frozen=True)
class Roots:
    """Every solution found.

    Args:
        roots: Ascending in the first unknown.
        complete: Whether all solutions in the searched range were found.
        searched: What was searched, in words.
    """

    roots: tuple[Root, ...]
    complete: bool
    searched: str


class CoreProblem:
    """The problem reduced to its core unknowns, compiled for one arithmetic."""

    def __init__(self, problem: SelfConsistency, backend: Backend) -> None:
        self.problem = problem
        self.core = problem.core
        defined = {u: instantiate(g, problem.definitions) for u, g in problem.reduced.items()}
        self.maps = defined
        arguments = (*self.core, *problem.parameters)
        core_maps = [defined[u] for u in self.core]
        slopes = [g.diff(u) for g in core_maps for u in self.core]
        self.map: Program = backend.compile(core_maps, arguments)
        self.jacobian: Program = backend.compile(core_maps + slopes, arguments)
        everything = list(defined.values())
        sensitivities = [g.diff(u) for g in everything for u in self.core]
        self.everything: Program = backend.compile(everything + sensitivities, arguments)

    def upper_bounds(self, parameters: Mapping[Symbol, Expr]) -> list[float]:
        """Physical end of the range of every core unknown."""
        ends = []
        for u in self.core:
            high = bounds(self.maps[u].xreplace(dict(parameters)))[1]
            ends.append(float(high) if high.is_finite else UNBOUNDED)
        return ends


def find_roots(problem: CoreProblem, parameters: Mapping[Symbol, Expr]) -> Roots:
    """All solutions in doubles.

    Raises:
        ConvergenceError: If a bracketed solution could not be refined.
    """
    values = [float(parameters[p]) for p in problem.problem.parameters]
    ends = problem.upper_bounds(parameters)
    if not problem.core:
        return Roots((_complete(problem, np.empty(0), values),), True, "explicit")
    if len(problem.core) == 1:
        return _on_a_line(problem, values, ends[0])
    return _from_many_starts(problem, values, ends)


# ---- one core unknown --------------------------------------------------------------------------


def _on_a_line(problem: CoreProblem, values: list[float], end: float) -> Roots:
    def mismatch(s: Array | float) -> tuple[Array, Array]:
        """(G − u)/(G + u) and its derivative by ln u; bounded, and zero where u = G."""
        u = np.exp(s)
        g, slope = problem.jacobian(u, *values).values
        total = g + u
        return (g - u) / total, 2 * u * (slope * u - g) / total**2

    name = problem.core[0]
    start = float(np.log(SMALLEST * min(end, 1.0)))
    stop = float(np.log(end)) + 1e-9
    grid = np.linspace(start, stop, int(np.ceil((stop - start) / GRID_SPACING)) + 1)
    height, slope = mismatch(grid)
    zero = float(problem.map(0.0, *values).values[0]) == 0.0
    found, doubles = _crossings(mismatch, grid, height, slope)
    roots = [_complete(problem, np.zeros(1), values)] if zero else []
    roots += [_polished(problem, float(np.exp(s)), values) for s in found]
    roots += [_complete(problem, np.exp([s]), values, multiple=True) for s in doubles]
    roots.sort(key=lambda r: float(r.values[name]))  # type: ignore[arg-type]
    reach = f"{name} from {np.exp(start):.1e} to {end:.3g}" + (" and zero" if zero else "")
    bounded = end < UNBOUNDED
    below = zero and height[0] * (problem.jacobian(0.0, *values).values[1] - 1) < 0
    if below:
        reach += "; a solution closer to zero than this exists as well"
    if not bounded:
        reach += "; the signal has no known bound, so larger solutions are not excluded"
    return Roots(tuple(roots), bounded and not below, reach)


def _crossings(
    mismatch: Mismatch, grid: Array, height: Array, slope: Array, depth: int = 2
) -> tuple[list[float], list[float]]:
    """Simple and double zeros of a function known with its slope on a grid."""
    found: list[float] = []
    doubles: list[float] = []
    for i in range(len(grid) - 1):
        low, high = float(grid[i]), float(grid[i + 1])
        crossing = height[i] * height[i + 1] < 0
        direction = np.sign(height[i + 1] - height[i])
        plain = np.sign(slope[i]) == direction == np.sign(slope[i + 1])
        if height[i] == 0:
            found.append(low)
        elif crossing and not plain and depth:
            # The function turns inside: one crossing, or three.
            finer = np.linspace(low, high, 17)
            more = _crossings(mismatch, finer, *mismatch(finer), depth - 1)
            found += more[0]
            doubles += more[1]
        elif crossing:
            found.append(_bracketed(mismatch, low, high))
        elif height[i] * slope[i] < 0 and height[i + 1] * slope[i + 1] > 0:
            ends = float(mismatch(low)[1]), float(mismatch(high)[1])
            if ends[0] * ends[1] >= 0:
                continue  # a flat stretch, where the slope is rounding noise
            top = float(optimize.brentq(lambda s: float(mismatch(s)[1]), low, high, xtol=1e-13))
            peak = float(mismatch(top)[0])
            if peak * height[i] < 0:
                found += [_bracketed(mismatch, low, top), _bracketed(mismatch, top, high)]
            elif abs(peak) < TANGENT:
                doubles.append(top)
    return found, doubles


def _bracketed(mismatch: Mismatch, low: float, high: float) -> float:
    return float(optimize.brentq(lambda s: float(mismatch(s)[0]), low, high, xtol=1e-9))


def _polished(problem: CoreProblem, start: float, values: list[float]) -> Root:
    """Newton to the last digit from a bracketed solution."""
    u = start
    for _ in range(NEWTON_STEPS):
        g, slope = problem.jacobian(u, *values).values
        step = (g - u) / (1 - slope)
        if not abs(step) < 0.1 * u:
            break
        u += step
        if abs(step) <= 1e-15 * u:
            break
    return _complete(problem, np.array([u]), values)


def _complete(
    problem: CoreProblem, core: Array, values: list[float], *, multiple: bool = False
) -> Root:
    """All unknowns at given core values, with residual and error."""
    names = problem.problem.unknowns
    result = problem.everything(*core, *values)
    n, c = len(names), len(core)
    numbers = np.asarray(result.values, float)
    noise = np.asarray(result.errors, float)
    unknown = {u: float(v) for u, v in zip(names, numbers[:n], strict=True)}
    slopes = numbers[n:].reshape(n, c)
    index = [names.index(u) for u in problem.core]
    residual = np.abs(core - numbers[index]) if c else np.zeros(1)
    errors = noise[:n]
    if c:
        matrix = np.eye(c) - slopes[index]
        limit = residual + noise[index] + 2e-16 * np.abs(core)
        spread = np.abs(_inverse(matrix)) @ limit
        errors = errors + np.abs(slopes) @ spread
        for k, i in enumerate(index):
            errors[i] = spread[k]
            unknown[names[i]] = float(core[k])
    return Root(
        values=unknown,
        errors={u: float(e) for u, e in zip(names, errors, strict=True)},
        residual=float(residual.max()),
        multiple=multiple,
    )


def _inverse(matrix: Array) -> Array:
    try:
        return np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.inf)


# ---- several core unknowns ---------------------------------------------------------------------


def _from_many_starts(problem: CoreProblem, values: list[float], ends: list[float]) -> Roots:
    c = len(problem.core)

    def residual(u: Array) -> tuple[Array, Array]:
        both = np.asarray(problem.jacobian(*u, *values).values, float)
        return both[:c] - u, both[c:].reshape(c, c) - np.eye(c)

    found: list[Array] = []

    def keep(u: Array) -> None:
        scale = np.maximum(np.abs(u), 1e-12)
        if all(np.max(np.abs(u - v) / scale) > 1e-6 for v in found):
            found.append(u)

    if np.all(np.asarray(problem.map(*np.zeros(c), *values).values) == 0):
        keep(np.zeros(c))
    sample = qmc.Sobol(c, seed=0).random(STARTS)
    for start in np.asarray(ends) * 10.0 ** (-6 * sample):
        u = start
        for _ in range(8):  # a few plain iterations lead into the physical region
            u = np.asarray(problem.map(*u, *values, tolerance=1e-6).values, float)
        for guess in (start, u):
            root = optimize.root(residual, guess, jac=True, options={"xtol": 1e-14})
            small = np.max(np.abs(residual(root.x)[0])) < 1e-11 * max(1.0, float(np.max(root.x)))
            if small and np.all(root.x > -1e-14) and np.max(root.x) > 1e-10:
                keep(np.maximum(root.x, 0.0))
    if not found:
        raise ConvergenceError(
            f"no solution for {', '.join(map(str, problem.core))} from {STARTS} starting points"
        )
    roots = [_complete(problem, u, values) for u in found]
    roots.sort(key=lambda r: [float(r.values[u]) for u in problem.problem.unknowns])  # type: ignore[arg-type]
    names = ", ".join(map(str, problem.core))
    return Roots(tuple(roots), False, f"{STARTS} starting points for {names}; not proved complete")


# ---- any number of digits ----------------------------------------------------------------------


def refine_root(
    problem: CoreProblem, root: Root, parameters: Mapping[Symbol, Expr], digits: int
) -> Root:
    """A solution to ``digits`` digits, by Newton from its value in doubles.

    Args:
        problem: Compiled for an arithmetic of at least ``digits`` digits.
        root: The solution in doubles.
        parameters: Exact values.
        digits: Significant digits wanted.

    Raises:
        ConvergenceError: If Newton's method does not reach them (at a double root, say).
    """
    context = mpmath.mp.clone()
    context.dps = digits + 15
    values = [parameters[p] for p in problem.problem.parameters]
    core = [context.mpf(root.values[u]) for u in problem.core]
    c = len(core)
    goal = context.mpf(10) ** (-digits - 3)
    if any(core):
        for _ in range(NEWTON_STEPS):
            both = problem.jacobian(*core, *values).values
            gap = context.matrix([both[i] - core[i] for i in range(c)])
            matrix = context.matrix(c, c)
            for i in range(c):
                for j in range(c):
                    matrix[i, j] = (1 if i == j else 0) - both[c + i * c + j]
            step = context.lu_solve(matrix, gap)
            core = [u + step[i] for i, u in enumerate(core)]
            if all(abs(step[i]) <= goal * abs(core[i]) for i in range(c)):
                break
        else:
            raise ConvergenceError(
                f"Newton's method did not reach {digits} digits; the solution may be a double root "
                "(a fold): move the parameters away from it, or ask for fewer digits"
            )
    return _complete_exactly(problem, core, values, context, multiple=root.multiple)


def _complete_exactly(
    problem: CoreProblem, core: list[object], values: list[Expr], context: object, *, multiple: bool
) -> Root:
    names = problem.problem.unknowns
    result = problem.everything(*core, *values)
    n, c = len(names), len(core)
    unknown = dict(zip(names, result.values[:n], strict=True))
    errors = dict(zip(names, result.errors[:n], strict=True))
    residual = max((abs(u - unknown[x]) for u, x in zip(core, problem.core, strict=True)), default=0)
    if c == 1:
        k = names.index(problem.core[0])
        gain = 1 / abs(1 - result.values[n + k])
        spread = gain * (residual + result.errors[k])
        errors = {
            x: errors[x] + abs(result.values[n + i]) * spread for i, x in enumerate(names)
        }
        errors[problem.core[0]] = spread
    elif c:
        errors = {x: e + residual for x, e in errors.items()}
    unknown |= dict(zip(problem.core, core, strict=True))
    return Root(unknown, errors, residual, multiple)


# ---- the whole solve -----------------------------------------------------------------------------


def solve_fixed_points(
    problem: SelfConsistency,
    parameters: Mapping[Symbol, Expr],
    programs: CoreProblem,
    exact_programs: CoreProblem | None,
    stable: Callable[[Root], bool] | None,
    digits: int,
) -> FixedPoints:
    """All fixed points as people read them.

    Args:
        problem: The derived equations.
        parameters: Exact values.
        programs: Compiled for doubles.
        exact_programs: Compiled for ``digits`` digits; None for doubles.
        stable: Decides on the stability of a solution in doubles.
        digits: Digits asked for.

    Raises:
        ConvergenceError: If a search did not converge.
    """
    found = find_roots(programs, parameters)
    points = []
    for root in found.roots:
        final = root
        if exact_programs is not None:
            final = refine_root(exact_programs, root, parameters, digits)
        points.append(
            FixedPoint(
                values=by_name(final.values),
                errors=by_name(final.errors),
                residual=final.residual,
                stable=None if stable is None else stable(root),
                multiple=final.multiple,
            )
        )
    return FixedPoints(
        status="ok" if points else "no_solution",
        points=tuple(points),
        complete=found.complete,
        searched=found.searched,
        provenance=Provenance(
            by_name(parameters), digits, problem.equations.assumptions, problem.equations.references
        ),
    )

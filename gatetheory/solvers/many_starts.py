"""Solutions of u = G(u) with several core unknowns, collected from many starting points.

From every start a few plain iterations lead into the physical region, where most starts become one
and the same. Newton steps at low accuracy, with the slopes from Price's theorem, follow from what
is left and from the bare starts; each distinct solution is then polished to the last digit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.core_problem import (
    CoreProblem,
    Roots,
    Trial,
    as_root,
    at_zero,
    evaluate,
)

Array = NDArray[np.float64]

STARTS = 8
DECADES = 6  # starts are spread over so many decades below the end of the range
PLAIN, NEWTON, POLISH = 12, 15, 12
ROUGH = 1e-5
SAME = 1e-2  # relative distance below which two rough solutions are one


def search_many_starts(problem: CoreProblem, values: list[float], ends: list[float]) -> Roots:
    """Solutions with several core unknowns, zero included where it is one.

    Raises:
        ConvergenceError: If none was found.
    """
    from scipy.stats import qmc  # half a second, which most uses need not spend

    c = len(problem.core)
    starts = np.asarray(ends) * 10.0 ** (-DECADES * qmc.Sobol(c, seed=0).random(STARTS))
    plain = starts.T
    for _ in range(PLAIN):
        plain = np.asarray(problem.map(*plain, *values, tolerance=ROUGH).values)
    trials: list[Trial] = []
    if np.all(np.asarray(problem.map(*np.zeros(c), *values).values) == 0):
        trials.append(at_zero(problem, values))
    found: list[Array] = []
    for start in [*_distinct(list(plain.T)), *starts]:
        rough = _rough(problem, start, values, found)
        if rough is None:
            continue
        polished = _polished(problem, rough, values)
        if polished is not None and len(_distinct([*found, polished.core])) > len(found):
            found.append(polished.core)
            trials.append(polished)
    if not trials:
        raise ConvergenceError(
            f"no solution for {', '.join(map(str, problem.core))} from {STARTS} starting "
            "points; the model may have none at these parameters"
        )
    roots = [as_root(problem, t) for t in trials]
    roots.sort(key=lambda r: [float(r.values[v]) for v in problem.problem.unknowns])  # type: ignore[arg-type]
    names = ", ".join(map(str, problem.core))
    return Roots(tuple(roots), False, f"{STARTS} starting points for {names}")


def _rough(
    problem: CoreProblem, start: Array, values: list[float], found: list[Array]
) -> Array | None:
    """Newton at low accuracy; None where it leaves, or arrives at what was found before."""
    u, c = start, len(start)
    for _ in range(NEWTON):
        if any(np.max(np.abs(u / v - 1)) < SAME for v in found) or u.max() < 1e-12:
            return None
        both = np.asarray(problem.jacobian(*u, *values, tolerance=ROUGH).values)
        gap, matrix = both[:c] - u, np.eye(c) - both[c:].reshape(c, c)
        if not np.isfinite(both).all():
            return None
        new = np.clip(u + np.linalg.lstsq(matrix, gap)[0], 0.1 * u, 10 * u)
        if np.all(np.abs(new - u) <= 1e-3 * u):
            return np.asarray(new)
        u = new
    return None


def _distinct(candidates: list[Array]) -> list[Array]:
    found: list[Array] = []
    for u in candidates:
        if u.min() > 0 and all(np.max(np.abs(u / v - 1)) > SAME for v in found):
            found.append(u)
    return found


def _polished(problem: CoreProblem, start: Array, values: list[float]) -> Trial | None:
    """Newton at full accuracy; None where it does not settle on a positive solution."""
    index = [problem.problem.unknowns.index(v) for v in problem.core]
    u = start
    for _ in range(POLISH):
        trial = evaluate(problem, u, values)
        gap = trial.images[index] - u
        step = np.linalg.lstsq(np.eye(len(u)) - trial.slopes[index], gap)[0]
        if np.all(np.abs(step) <= 1e-14 * np.abs(u)) or np.all(np.abs(gap) <= 4e-16 * np.abs(u)):
            return trial
        u = u + step
        if not np.all(u > 0):
            return None
    return trial if np.all(np.abs(step) <= 1e-10 * np.abs(u)) else None

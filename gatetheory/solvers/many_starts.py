"""Solutions of u = G(u) with several core unknowns, collected from many starting points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.stats import qmc

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.core_problem import CoreProblem, Roots, as_root, evaluate

Array = NDArray[np.float64]

STARTS = 48


def search_many_starts(problem: CoreProblem, values: list[float], ends: list[float]) -> Roots:
    """Solutions with several core unknowns.

    Raises:
        ConvergenceError: If none was found.
    """
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
    roots = [as_root(problem, evaluate(problem, u, values)) for u in found]
    roots.sort(key=lambda r: [float(r.values[u]) for u in problem.problem.unknowns])  # type: ignore[arg-type]
    names = ", ".join(map(str, problem.core))
    return Roots(tuple(roots), False, f"{STARTS} starting points for {names}; not proved complete")

"""All fixed points of a model: solutions of the self-consistency problem Δ = G(Δ).

With one core unknown the search is on a line and finds every solution
(:mod:`gatetheory.solvers.line_search`); with several, solutions are collected from many starting
points (:mod:`gatetheory.solvers.many_starts`), and the result says that the search is not proved
complete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from sympy import Expr, Symbol

from gatetheory.equations.shapes import SelfConsistency
from gatetheory.solvers.core_problem import CoreProblem, Root, Roots, as_root, evaluate
from gatetheory.solvers.line_search import search_line
from gatetheory.solvers.many_starts import search_many_starts
from gatetheory.solvers.records import FixedPoint, FixedPoints, Provenance, by_name
from gatetheory.solvers.refinement import refine_double, refine_root


def find_roots(problem: CoreProblem, parameters: Mapping[Symbol, Expr]) -> Roots:
    """All solutions in doubles.

    Raises:
        ConvergenceError: If a bracketed solution could not be refined.
    """
    values = [float(parameters[p]) for p in problem.problem.parameters]
    ends = problem.upper_bounds(parameters)
    if not problem.core:
        return Roots((as_root(problem, evaluate(problem, np.empty(0), values)),), True, "explicit")
    if len(problem.core) == 1:
        return search_line(problem, values, ends[0])
    return search_many_starts(problem, values, ends)


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
        finals = [root]
        if exact_programs is not None:
            refine = refine_double if root.multiple else _refine_simple
            finals = refine(exact_programs, root, parameters, digits)
        verdict = None if stable is None else stable(root)
        points += [
            FixedPoint(
                values=by_name(final.values),
                errors=by_name(final.errors),
                residual=final.residual,
                stable=verdict,
                multiple=final.multiple,
            )
            for final in finals
        ]
    return FixedPoints(
        status="ok" if points else "no_solution",
        points=tuple(points),
        complete=found.complete,
        searched=found.searched,
        provenance=Provenance(
            by_name(parameters), digits, problem.equations.assumptions, problem.equations.references
        ),
    )


def _refine_simple(
    problem: CoreProblem, root: Root, parameters: Mapping[Symbol, Expr], digits: int
) -> list[Root]:
    return [refine_root(problem, root, parameters, digits)]

"""A solution of u = G(u) to any number of digits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import mpmath
from sympy import Expr, Symbol

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.core_problem import CoreProblem, Root

NEWTON_STEPS = 60


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


def refine_double(
    problem: CoreProblem, root: Root, parameters: Mapping[Symbol, Expr], digits: int
) -> list[Root]:
    """The one or two solutions that doubles cannot tell apart next to a fold.

    From either side of the pair Newton's method runs monotonically into its nearer member.

    Raises:
        ConvergenceError: If it does not, because there is none after all.
    """
    (u,) = problem.core
    value, width = float(root.values[u]), float(root.errors[u])  # type: ignore[arg-type]
    low, high = (
        refine_root(
            problem,
            replace(root, values={**root.values, u: value + side * width}, multiple=False),
            parameters,
            digits,
        )
        for side in (-2, 2)
    )
    gap = abs(high.values[u] - low.values[u])  # type: ignore[operator]
    if gap > mpmath.mpf(10) ** (2 - digits) * value:
        return [low, high]
    return [replace(low, multiple=True)]


def _complete_exactly(
    problem: CoreProblem, core: list[object], values: list[Expr], context: object, *, multiple: bool
) -> Root:
    names = problem.problem.unknowns
    at_rest = not any(core)  # G may not be differentiable at zero; its slopes are not needed there
    result = (problem.images if at_rest else problem.everything)(*core, *values)
    n, c = len(names), len(core)
    unknown = dict(zip(names, result.values[:n], strict=True))
    errors = dict(zip(names, result.errors[:n], strict=True))
    residual = max(
        (abs(u - unknown[x]) for u, x in zip(core, problem.core, strict=True)), default=0
    )
    if c == 1 and not at_rest:
        k = names.index(problem.core[0])
        gain = 1 / abs(1 - result.values[n + k])
        spread = gain * (residual + result.errors[k])
        errors = {x: errors[x] + abs(result.values[n + i]) * spread for i, x in enumerate(names)}
        errors[problem.core[0]] = spread
    elif c and not at_rest:
        errors = {x: e + residual for x, e in errors.items()}
    unknown |= dict(zip(problem.core, core, strict=True))
    return Root(unknown, errors, residual, multiple)

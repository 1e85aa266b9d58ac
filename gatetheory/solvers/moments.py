"""Moments of the Jacobian as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sympy import Expr, Symbol

from gatetheory.codegen.program import Backend
from gatetheory.equations.shapes import MatrixMoments
from gatetheory.errors import DerivationError
from gatetheory.functions import instantiate
from gatetheory.solvers.records import Moments, Provenance, Status, by_name


class MomentProgram:
    """Moments and trace compiled for one arithmetic."""

    def __init__(self, problem: MatrixMoments, backend: Backend) -> None:
        self.problem = problem
        outputs = [instantiate(m, problem.definitions) for m in (*problem.moments, problem.trace)]
        arguments = (*problem.law.unknowns, *problem.parameters)
        self.program = backend.compile(outputs, arguments)


def solve_moments(
    programs: MomentProgram,
    parameters: Mapping[Symbol, Expr],
    order_parameters: Mapping[Symbol, Any],
    digits: int,
) -> Moments:
    """(1/N)⟨Tr (D Dᵀ)^k⟩ and (1/N)⟨Tr D⟩ at a state.

    Args:
        programs: Compiled for the arithmetic wanted.
        parameters: Exact values.
        order_parameters: Values of the law's unknowns.
        digits: Digits asked for.

    Raises:
        DerivationError: If a time constant is zero, so that the Jacobian is infinite.
    """
    problem = programs.problem
    for zero in problem.time_constants:
        if zero.xreplace(dict(parameters)) == 0:
            raise DerivationError(
                f"moments of the Jacobian need dynamics for every field, but {zero} = 0 makes one "
                "algebraic; give it a time constant"
            )
    values = [order_parameters[u] for u in problem.law.unknowns]
    result = programs.program(*values, *(parameters[p] for p in problem.parameters))
    numbers, errors = list(result.values), list(result.errors)
    if digits <= 15:
        numbers, errors = [float(v) for v in numbers], [float(e) for e in errors]
    worst = max(e / max(abs(v), 1e-300) for v, e in zip(numbers, errors, strict=True))
    status: Status = "ok" if worst < 10.0 ** (-min(digits, 15) + 5) else "precision_lost"
    return Moments(
        status=status,
        values=tuple(numbers[:-1]),
        errors=tuple(errors[:-1]),
        trace=numbers[-1],
        state=by_name(order_parameters),
        provenance=Provenance(
            by_name(parameters), digits, problem.equations.assumptions, problem.equations.references
        ),
    )

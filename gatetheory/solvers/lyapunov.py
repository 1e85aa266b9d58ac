"""The largest Lyapunov exponent of the stationary state, from lag equations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from sympy import Expr, Symbol

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.solvers.correlation_records import Correlations, Lyapunov
from gatetheory.solvers.lag_growth import growth
from gatetheory.solvers.lag_problem import LagProblem, LagProgram


def solve_lyapunov(
    program: LagProgram,
    parameters: Mapping[Symbol, Expr],
    correlations: Correlations,
    branch: int,
    quiet_abscissa: Callable[[], float | None],
) -> Lyapunov:
    """λ_max of one stationary state.

    Args:
        program: The compiled lag system.
        parameters: Exact values.
        correlations: Its stationary states.
        branch: Which of them, as an index.
        quiet_abscissa: Gives the abscissa of the stable fixed point, for when there is no state.

    Raises:
        ParameterError: If there is no such branch.
        ConvergenceError: If the eigenproblem is not solved.
    """
    record = partial(
        Lyapunov,
        correlations=correlations,
        closure=correlations.closure,
        exact=correlations.exact,
        provenance=correlations.provenance,
    )
    if not len(correlations):
        return record(
            status="no_chaotic_state", value=None, error=None, residual=None,
            mode_lags=np.empty(0), mode={}, abscissa=quiet_abscissa(),
        )  # fmt: skip
    if not -len(correlations) <= branch < len(correlations):
        raise ParameterError(
            f"there is no branch {branch}: {len(correlations)} found, counted from 0"
        )
    problem = LagProblem(program, parameters)
    found = growth(problem, correlations[branch].point)
    if not found.decays:
        raise ConvergenceError(
            "the eigenfunction decays too slowly to be resolved: λ_max lies at the edge of a "
            "continuum, or the state is next to an onset"
        )
    names = list(program.system.sources)
    mode = {names[s]: row for s, row in zip(program.sources, found.mode.decay, strict=True)}
    return record(
        status="ok", value=found.rate, error=found.error, residual=found.residual,
        mode_lags=found.mode.grid.nodes, mode=mode, abscissa=None,
    )  # fmt: skip

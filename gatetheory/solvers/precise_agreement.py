"""How far two evaluations agree, and whether what they found is a covariance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor
from typing import Protocol, TypeVar

import numpy as np
from flint import arb

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.lag_checks import least_power, zero_mode_error
from gatetheory.solvers.lag_grid import ElementGrid
from gatetheory.solvers.lag_problem import LagPoint, LagProblem
from gatetheory.solvers.precise_grid import magnitude
from gatetheory.solvers.precise_problem import PreciseProblem
from gatetheory.solvers.precise_values import Values

_NEGATIVE, _ZERO_MODE = 1e-8, 1e-6  # negative power, miss of the zero mode; relative
_SPARE = 3  # digits asked for beyond those that were missed
_SMALLEST = -300.0  # log10 of what counts as zero


def relative(first: arb, second: arb) -> float:
    """log10 of the difference of two numbers relative to the second."""
    return magnitude(first - second) - max(magnitude(second), _SMALLEST)


def difference(first: Values, second: Values, problem: PreciseProblem) -> float:
    """log10 of the largest difference of a value or plateau, relative to the equal-time value."""
    with problem.precision():
        found = [_SMALLEST]
        for name, value in second.equal.items():
            size = max(magnitude(value), _SMALLEST)
            found.append(magnitude(first.equal[name] - value) - size)
            found.append(magnitude(first.plateau[name] - second.plateau[name]) - size)
        return max(found)


def agreed(error: float, digits: int) -> int:
    """Digits that a relative difference (its log10) leaves, at most those asked for."""
    return max(min(floor(-error), digits), 0)


def advice(error: float, digits: int) -> str:
    """What to do about fewer digits than asked for."""
    known = agreed(error, digits)
    if known >= digits:
        return ""
    return (
        f"two evaluations agree on {known} digits only; close to an onset correlations decay so "
        "slowly, and conditions are so bad, that digits are lost: ask for fewer"
    )


class _Counted(Protocol):
    @property
    def digits(self) -> int: ...


Result = TypeVar("Result", bound=_Counted)


def insist(evaluate: Callable[[int], Result], digits: int) -> Result:
    """Evaluate for a number of digits; once more for as many more as two evaluations missed.

    Args:
        evaluate: Computes with so many digits; its result counts those of them that were wanted.
        digits: The digits wanted.
    """
    found = evaluate(digits)
    missed = digits - found.digits
    if not missed:
        return found
    try:
        again = evaluate(digits + missed + _SPARE)
    except ConvergenceError:  # too large a grid: the first one says what it is worth
        return found
    return max(found, again, key=lambda r: r.digits)


def verify(problem: PreciseProblem, vector: Sequence[arb]) -> None:
    """Check in doubles that a solution is a covariance with C' as its zero mode.

    Raises:
        ConvergenceError: If it is not.
    """
    plateaus, decays = problem.split(vector)
    point = LagPoint(
        ElementGrid(problem.grid.edges, problem.grid.degree),
        np.array([float(x) for x in plateaus]),
        np.array([[float(x) for x in row] for row in decays]),
    )
    doubles = LagProblem(problem.program.program, problem.parameters)
    power, miss = least_power(doubles, point), zero_mode_error(doubles, point)
    if power < -_NEGATIVE or not miss < _ZERO_MODE:
        raise ConvergenceError(
            f"what was found is no stationary correlation (power down to {power:.1e} of its "
            f"largest, zero mode missed by {miss:.1e}); start nearer to the chaotic state"
        )

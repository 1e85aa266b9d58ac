"""Every quantity the theory predicts, beside simulated networks.

* Order parameters, by an iteration that draws the couplings afresh at every step: this tests the
  closure of the mean field alone, also where the fixed point is unstable.
* Order parameters and abscissa of the fixed points that networks reach, where one is stable.
* The Jacobian at states drawn independently of the couplings: its moments, the response from local
  field to local field, which is K(1 − K)⁻¹ outside the support, its outermost eigenvalue, and the
  share of eigenvalues outside the boundary.
* Where there is a chaotic state: equal-time correlations and the largest Lyapunov exponent, in
  networks that run in time.
* Gradients of a loss at the end of a horizon, by every coupling and by some parameters, at the
  chaotic state or, without one, at the stable fixed point.

Standard errors are over independent networks; means at several N are extrapolated in 1/N.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from gatetheory.comparison import Comparison, Validation
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.model import Model
from gatetheory.pipeline import derive, solve
from gatetheory.validation.chaos import chaos_rows
from gatetheory.validation.chaotic_state import ACCURACY, ChaoticState, chaotic_state, run_sizes
from gatetheory.validation.closure import closure_rows
from gatetheory.validation.gradient_state import GradientState, gradient_state
from gatetheory.validation.gradients import gradient_rows
from gatetheory.validation.jacobians import jacobian_rows
from gatetheory.validation.networks import network_rows
from gatetheory.validation.work import Progress, Work

SIZES, SEEDS = (100, 200, 400), 8


def validate(
    model: Model,
    at: Mapping[str, Any] | None = None,
    *,
    units: Sequence[int] | int | None = None,
    seeds: int = SEEDS,
    dynamics: bool | ChaoticState = True,
    gradients: bool | GradientState = True,
    accuracy: float = ACCURACY,
    progress: Progress | None = None,
) -> Validation:
    """Compare theory with simulated networks.

    Args:
        model: The model.
        at: Parameters by name; the rest take their defaults.
        units: Sizes N, over which means are extrapolated in 1/N. A single number is the largest
            of three sizes: N/4, N/2 and N. Networks that run in time are larger; see
            :func:`~gatetheory.validation.chaotic_state.run_sizes`.
        seeds: Independent networks of each size.
        dynamics: Whether to compare the chaotic state too, or the state as it was studied before.
            Where its theory must be sampled this takes up to a minute.
        gradients: Whether to compare gradients at that state too, or what was found of them before;
            never without ``dynamics``.
        accuracy: Relative standard error that a sampled theory aims at; it counts in z.
        progress: Called with (work done, work in all).

    Raises:
        ParameterError: For names, values or sizes that make no sense.
        DerivationError: If the model has neither a fixed point nor a chaotic state.
    """
    sizes, seeds = check_sizes(units), check_seeds(seeds)
    check_accuracy(accuracy)
    theory = derive(model)
    parameters = {s.name: v for s, v in model.bind(at).items()}
    work = Work(progress, 2 + _runs(dynamics, gradients) * len(sizes) * seeds)
    rows: list[Comparison] = []
    remarks: list[str] = []
    refusal = None
    points = None
    try:
        points = solve(theory.fixed_points, at)
        if points.points:
            rows += closure_rows(theory, at, points, work)
            rows += network_rows(theory, at, points, sizes, seeds, work)
        rows += jacobian_rows(theory, at, points, sizes, seeds, work)
    except DerivationError as error:
        refusal = error
        remarks.append(f"fixed points and Jacobian: {error}")
    if dynamics is True:
        dynamics = chaotic_state(
            theory, at, run_sizes(sizes), seeds, accuracy=accuracy, step=work.step
        )
    if dynamics is False:
        remarks.append("chaotic state: not asked for (dynamics=False)")
    else:
        rows += chaos_rows(dynamics)
        remarks += dynamics.remarks
        if gradients is True:
            gradients = gradient_state(
                theory, at, points, dynamics, sizes, seeds, accuracy=accuracy, step=work.step
            )
    if not isinstance(gradients, GradientState):
        remarks.append("gradients: not asked for")
    else:
        rows += gradient_rows(gradients)
        remarks += gradients.remarks
    if refusal is not None and not rows:
        raise refusal
    return Validation(model.name, parameters, sizes, seeds, tuple(rows), tuple(remarks))


def _runs(dynamics: bool | ChaoticState, gradients: bool | GradientState) -> int:
    """How often every network of a size is used, at most."""
    return 3 + 2 * (dynamics is True) + (gradients is True and dynamics is not False)


def check_seeds(seeds: int) -> int:
    """The number of networks of each size.

    Raises:
        ParameterError: If it makes no sense.
    """
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 2:
        raise ParameterError(f"seeds must be a whole number of at least 2 networks, got {seeds}")
    return seeds


def check_accuracy(accuracy: float) -> None:
    """Refuse what is no relative standard error.

    Raises:
        ParameterError: If it makes no sense.
    """
    if isinstance(accuracy, bool) or not (isfinite(accuracy) and accuracy > 0):
        raise ParameterError(f"accuracy must be a positive number, got {accuracy!r}")


def check_sizes(units: Sequence[int] | int | None) -> tuple[int, ...]:
    """Sizes in ascending order.

    Raises:
        ParameterError: If one makes no sense.
    """
    if units is None:
        return SIZES
    sizes = tuple(units) if isinstance(units, Sequence) else (units,)
    if not sizes or any(isinstance(n, bool) or not isinstance(n, int) or n < 2 for n in sizes):
        raise ParameterError(f"units must be whole numbers of at least 2, got {units}")
    if len(sizes) == 1:
        sizes = (max(sizes[0] // 4, 2), max(sizes[0] // 2, 2), sizes[0])
    return tuple(sorted(set(sizes)))

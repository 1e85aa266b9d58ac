"""Every quantity the theory predicts, beside simulated networks.

* Order parameters, by an iteration that draws the couplings afresh at every step: this tests the
  closure of the mean field alone, also where the fixed point is unstable.
* Order parameters and abscissa of the fixed points that networks reach, where one is stable.
* The Jacobian at states drawn independently of the couplings: its moments, the response from local
  field to local field, which is K(1 − K)⁻¹ outside the support, its outermost eigenvalue, and the
  share of eigenvalues outside the boundary.

Standard errors are over independent networks; means at several N are extrapolated in 1/N.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gatetheory.comparison import Comparison, Validation
from gatetheory.errors import ParameterError
from gatetheory.model import Model
from gatetheory.pipeline import derive, solve
from gatetheory.validation.closure import closure_rows
from gatetheory.validation.jacobians import jacobian_rows
from gatetheory.validation.networks import network_rows
from gatetheory.validation.work import Progress, Work

SIZES = (100, 200, 400)


def validate(
    model: Model,
    at: Mapping[str, Any] | None = None,
    *,
    units: Sequence[int] | int | None = None,
    seeds: int = 8,
    progress: Progress | None = None,
) -> Validation:
    """Compare theory with simulated networks.

    Args:
        model: The model.
        at: Parameters by name; the rest take their defaults.
        units: Sizes N, over which means are extrapolated in 1/N. A single number is the largest
            of three sizes: N/4, N/2 and N.
        seeds: Independent networks of each size.
        progress: Called with (work done, work in all).

    Raises:
        ParameterError: For names, values or sizes that make no sense.
        DerivationError: If the model has no fixed point.
    """
    sizes = check_sizes(units)
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 2:
        raise ParameterError(f"seeds must be a whole number of at least 2 networks, got {seeds}")
    theory = derive(model)
    points = solve(theory.fixed_points, at)
    work = Work(progress, 2 + 3 * len(sizes) * seeds)
    rows: list[Comparison] = []
    if points.points:
        rows += closure_rows(theory, at, points, work)
        rows += network_rows(theory, at, points, sizes, seeds, work)
    rows += jacobian_rows(theory, at, points, sizes, seeds, work)
    return Validation(model.name, points.provenance.parameters, sizes, seeds, tuple(rows))


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

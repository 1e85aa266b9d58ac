"""What a run of tangent vectors finds: Lyapunov exponents, their errors and dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from gatetheory.errors import ParameterError
from gatetheory.simulation.estimators import format_uncertain
from gatetheory.simulation.lowering import Array

_LEAST_BLOCKS = 8


@dataclass(frozen=True, eq=False)
class LyapunovSpectrum:
    """Lyapunov exponents of trajectories of one network, per unit of the model's own time.

    In discrete time they are per step. B trajectories, k exponents, T intervals.

    Args:
        times: End of each interval, counted from the end of the transient, shape (T,).
        rates: Growth rates within each interval, shape (T, B, k).
        at_rest: Whether each trajectory ended in a fixed point, shape (B,).
        dimensions: Dimension F N of the state space: the number of exponents there are.
        method: Scheme.
        step: Its step.
        precision: ``"double"`` or ``"single"``.
        evaluations: How often the laws were evaluated, the transient included.
        products: Products of one matrix with all rows (states and vectors), all couplings.
        final: Last states, shape (B, F, N).
    """

    times: Array
    rates: Array
    at_rest: tuple[bool, ...]
    dimensions: int
    method: str
    step: float
    precision: str
    evaluations: int
    products: int
    final: Array

    @cached_property
    def by_trajectory(self) -> Array:
        """Exponents of each trajectory, shape (B, k)."""
        lengths = np.diff(self.times, prepend=0.0)
        return np.asarray(np.einsum("t,tbk->bk", lengths, self.rates) / self.times[-1])

    @property
    def exponents(self) -> Array:
        """Exponents, means over trajectories, shape (k,).

        They come in the order of the vectors: descending, once the run is long enough.
        """
        return np.asarray(self.by_trajectory.mean(axis=0))

    @cached_property
    def stderr(self) -> Array:
        """Standard error of :attr:`exponents` by block averaging in time, shape (k,).

        Of this network, and for the time that was simulated: networks differ by more.
        """
        errors = np.array(
            [
                [block_error(self.rates[:, b, k]) for k in range(self.rates.shape[2])]
                for b in range(self.rates.shape[1])
            ]
        )
        return np.asarray(np.sqrt((errors**2).sum(axis=0)) / len(errors))

    @cached_property
    def halves(self) -> Array:
        """Exponents from the first and from the second half of the run, shape (2, k)."""
        lengths = np.diff(self.times, prepend=0.0)
        middle = max(1, int(np.searchsorted(self.times, self.times[-1] / 2)))
        parts = [slice(0, middle), slice(min(middle, len(lengths) - 1), None)]
        mean = self.rates.mean(axis=1)
        return np.array([lengths[p] @ mean[p] / lengths[p].sum() for p in parts])

    @property
    def largest(self) -> float:
        """The largest exponent."""
        return float(self.exponents[0])

    @cached_property
    def history(self) -> Array:
        """Running estimate of the exponents at :attr:`times`, mean over trajectories, (T, k)."""
        lengths = np.diff(self.times, prepend=0.0)[:, None]
        grown = np.cumsum(lengths * self.rates.mean(axis=1), axis=0)
        return np.asarray(grown / self.times[:, None])

    @property
    def dimension(self) -> float | None:
        """Kaplan–Yorke dimension; None if more exponents are needed (their sum is positive)."""
        try:
            return kaplan_yorke_dimension(self.exponents, self.dimensions)
        except ParameterError:
            return None

    def __str__(self) -> str:
        """The exponents with their errors."""
        shown = [
            format_uncertain(float(value), float(error))
            for value, error in zip(self.exponents[:5], self.stderr[:5], strict=True)
        ]
        dots = ", …" if len(self.exponents) > 5 else ""
        size = self.dimension
        tail = "" if size is None else f"\nKaplan–Yorke dimension {size:.4g} of {self.dimensions}"
        rest = sum(self.at_rest)
        died = (
            f"\n{rest} of {len(self.at_rest)} trajectories ended in a fixed point" if rest else ""
        )
        return f"Lyapunov exponents {', '.join(shown)}{dots} ({self.method}){tail}{died}"


def kaplan_yorke_dimension(exponents: ArrayLike, dimensions: int | None = None) -> float:
    """Kaplan–Yorke dimension j + (λ_1 + … + λ_j)/|λ_{j+1}|, j the last sum that is not negative.

    Args:
        exponents: Leading exponents in any order, at least so many that their sum is negative.
        dimensions: Dimension of the state space; if all exponents are given and their sum is not
            negative, it is the answer.

    Raises:
        ParameterError: If an exponent is not a number, or more exponents are needed.
    """
    values = np.sort(np.atleast_1d(np.asarray(exponents, dtype=np.float64)).ravel())[::-1]
    if len(values) == 0 or np.isnan(values).any() or (values == np.inf).any():
        raise ParameterError("exponents must be numbers, at least one")
    sums = np.cumsum(values)
    negative = np.flatnonzero(sums < 0)
    if len(negative) == 0:
        if dimensions is not None and len(values) >= dimensions:
            return float(dimensions)
        raise ParameterError(
            f"the {len(values)} exponents add up to {sums[-1]:.4g}, which is not negative: "
            "compute more of them (count=…)"
        )
    j = int(negative[0])
    return float(j + (sums[j - 1] / -values[j] if j else 0.0))


def block_error(series: ArrayLike) -> float:
    """Standard error of the mean of a correlated series: the largest over block lengths.

    Blocks are doubled while at least 8 remain, so that they outgrow the correlation time.

    Args:
        series: Shape (T,).

    Returns:
        The error; infinite for fewer than 8 entries.
    """
    values = np.asarray(series, dtype=np.float64)
    worst = 0.0 if len(values) >= _LEAST_BLOCKS else math.inf
    while len(values) >= _LEAST_BLOCKS:
        worst = max(worst, float(values.std(ddof=1)) / math.sqrt(len(values)))
        half = len(values) // 2
        values = (values[: 2 * half : 2] + values[1 : 2 * half : 2]) / 2
    return worst


def check_exponents(count: int, of: Sequence[int]) -> None:
    """Refuse more exponents than there are dimensions.

    Raises:
        ParameterError: If so.
    """
    fields, units = of
    if count > fields * units:
        raise ParameterError(
            f"count = {count}: the state of {fields} x {units} entries has only {fields * units} "
            "Lyapunov exponents"
        )

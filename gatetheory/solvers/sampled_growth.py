"""How fast perturbations of a sampled state grow: power iteration for their covariance.

Γ ← s²⟨(R u)(R u)'⟩ / μ for a perturbation e^{λt} u of the units that is kicked by δη e^{−λt} of
covariance Γ. The map of Γ is linear and positive and the random numbers stay the same, so that the
iteration settles on the covariance that grows fastest; μ(λ) falls with λ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.sampled_replica import Grid, Pool, Replica, Sampler

Array = NDArray[np.float64]

_MOST, _STEEPEST = 80, 8.0
_TOLERANCE = 1e-3
"""Of ln μ, and of the shape of Γ."""
_TRIES = 60


@dataclass(frozen=True, eq=False)
class Growth:
    """A solution of μ(λ) = 1.

    Args:
        rate: λ.
        gains: Spectra of δη e^{−λt}, of unit power in total.
        residual: |ln μ| left.
        settled: Whether both λ and the spectra have stopped to change.
    """

    rate: float
    gains: Array
    residual: float
    settled: bool


def grow(
    replica: Replica | Pool, spectra: Array, grid: Grid, guess: Growth | None, sampler: Sampler
) -> Growth:
    """Power iteration for Γ with λ corrected by the secant rule at every step."""
    gains = spectra if guess is None else guess.gains
    gains = gains / total(gains)
    rate = 0.0 if guess is None else guess.rate
    slope = -2.0 if sampler.unit.discrete else -2.0 * max(
        1.0, *(sampler.number(m) for m in sampler.process.mass)
    )  # fmt: skip
    steepest, known = slope * _STEEPEST, None
    residual = np.inf
    for _ in range(_MOST):
        image = replica.tangent_map(spectra, gains, rate, grid)
        size = total(image)
        if not (np.isfinite(size) and size > 0):
            raise ConvergenceError("perturbations of the single unit grow or vanish at once")
        image /= size
        replica.rescale_tangent(1 / np.sqrt(size))
        residual, moved = np.log(size), float(np.abs(image - gains).sum() / image.sum())
        if abs(residual) <= _TOLERANCE and moved <= 10 * _TOLERANCE:
            return Growth(rate, image, abs(residual), True)
        if known is not None and moved < 0.1 and abs(rate - known[0]) > 1e-6:
            secant = (residual - known[1]) / (rate - known[0])
            slope = float(np.clip(secant, steepest, slope / 4)) if secant < 0 else slope
        known = rate, residual
        gains, rate = image, rate - residual / slope
    return Growth(rate, gains, abs(float(residual)), False)


def total(spectra: Array) -> float:
    """Sum of the equal-time variances."""
    return float(spectra[:, [0, -1]].sum() + 2 * spectra[:, 1:-1].sum())


def is_unstable(replica: Replica, spectra: Array, grid: Grid) -> bool:
    """Whether perturbations of a quiet state grow, at a rate of a tenth of 1/T or more.

    Only static kicks are tried: those a quiet state passes on best. The response of slow units
    builds up over the iterations, so that the gain μ rises to its value.
    """
    rate = 0.1 / grid.window
    gains = np.zeros_like(spectra)
    gains[:, 0] = 1.0
    gains /= total(gains)
    size = before = 0.0
    for _ in range(_TRIES):
        image = replica.tangent_map(spectra, gains, rate, grid)
        size = total(image)
        if not np.isfinite(size) or size > 1:
            return True
        if size <= before * (1 + _TOLERANCE):
            return False
        gains, before = image / size, size
        replica.rescale_tangent(1 / np.sqrt(size))
    return False

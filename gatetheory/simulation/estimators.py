"""Means with standard errors over independent networks, and their limit N → ∞."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gatetheory.errors import ParameterError


@dataclass(frozen=True)
class Estimate:
    """A mean over independent samples.

    Args:
        mean: Mean.
        stderr: Standard error of the mean, from n - 1 degrees of freedom; infinite for n = 1.
        samples: The samples, one per network.
    """

    mean: float
    stderr: float
    samples: tuple[float, ...]

    def z_score(self, value: float, error: float = 0.0) -> float:
        """(mean - value) in units of the combined standard error.

        Args:
            value: What the mean is compared with.
            error: Standard error of that value, 0 for theory.
        """
        return z_score(self.mean, self.stderr, value, error)

    def __str__(self) -> str:
        """Mean ± standard error, digits cut at the error."""
        return format_uncertain(self.mean, self.stderr)


@dataclass(frozen=True)
class Extrapolation:
    """A straight line in 1/N through means at several N.

    Args:
        value: Value at N → ∞.
        stderr: Its standard error, from those of the means.
        slope: Coefficient of 1/N.
        slope_stderr: Its standard error.
        chi_squared: Sum of squared weighted residuals.
        degrees: Degrees of freedom, the number of sizes less 2.
    """

    value: float
    stderr: float
    slope: float
    slope_stderr: float
    chi_squared: float
    degrees: int

    def z_score(self, value: float, error: float = 0.0) -> float:
        """(value at infinity - value) in units of the combined standard error."""
        return z_score(self.value, self.stderr, value, error)

    def __str__(self) -> str:
        """Value ± standard error and the quality of the fit."""
        text = format_uncertain(self.value, self.stderr)
        return f"{text} (N → ∞; χ² = {self.chi_squared:.1f} for {self.degrees})"


def estimate(samples: ArrayLike) -> Estimate:
    """Mean and standard error of independent samples.

    Args:
        samples: One number per network, shape (n,). Time steps of one run are not independent.

    Raises:
        ParameterError: If there are none, or one is not finite.
    """
    values = np.atleast_1d(np.asarray(samples, dtype=np.float64))
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ParameterError("samples must be finite numbers, at least one")
    n = len(values)
    stderr = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    return Estimate(float(values.mean()), stderr, tuple(values.tolist()))


def extrapolate(estimates: Mapping[int, Estimate]) -> Extrapolation:
    """Weighted least squares of mean = value + slope/N.

    Args:
        estimates: Estimate by number of units N, at least two.

    Raises:
        ParameterError: For fewer than two sizes, or a standard error that is 0 or infinite.
    """
    if len(estimates) < 2:
        raise ParameterError("extrapolation needs at least two numbers of units")
    errors = np.array([e.stderr for e in estimates.values()])
    if not (np.isfinite(errors).all() and (errors > 0).all()):
        raise ParameterError(
            "extrapolation needs positive, finite standard errors; use two networks or more per N"
        )
    means = np.array([e.mean for e in estimates.values()])
    design = np.array([[1.0, 1.0 / n] for n in estimates])
    weighted = design / errors[:, None]
    covariance = np.linalg.inv(weighted.T @ weighted)
    value, slope = covariance @ (weighted.T @ (means / errors))
    residuals = (means - design @ np.array([value, slope])) / errors
    return Extrapolation(
        value=float(value),
        stderr=math.sqrt(covariance[0, 0]),
        slope=float(slope),
        slope_stderr=math.sqrt(covariance[1, 1]),
        chi_squared=float(residuals @ residuals),
        degrees=len(estimates) - 2,
    )


def z_score(value: float, stderr: float, other: float, other_stderr: float = 0.0) -> float:
    """Difference in units of the combined standard error; 0 if equal, infinite if exact but not.

    Args:
        value: A number.
        stderr: Its standard error.
        other: What it is compared with.
        other_stderr: Its standard error.
    """
    combined = math.hypot(stderr, other_stderr)
    if combined == 0:
        return 0.0 if value == other else math.copysign(math.inf, value - other)
    return (value - other) / combined


def format_uncertain(value: float, error: float) -> str:
    """``value ± error`` with two digits of the error."""
    if not math.isfinite(error):
        return f"{value:.6g} ± ?"
    if error <= 0:
        return f"{value:.6g} ± 0"
    digits = max(0, 1 - math.floor(math.log10(error)))
    if digits > 12:
        return f"{value:.10g} ± {error:.1e}"
    return f"{value:.{digits}f} ± {error:.{digits}f}"

"""Records of many-digit solutions of a lag system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PreciseState:
    """Stationary correlations to many digits.

    Args:
        values: Equal-time values by name of covariance or observable, ``mpf``.
        plateaus: The same at infinite lag.
        digits: Digits that two evaluations agree on in every value, at most those asked for.
        error: Largest difference of a value or plateau between the two evaluations, relative to
            the value.
        residual: Largest residual of the equations at the nodes, absolute.
        nodes: Nodes of the finer grid.
        advice: What could be done about fewer digits than asked for; empty if there are as many.
    """

    values: Mapping[str, Any]
    plateaus: Mapping[str, Any]
    digits: int
    error: float
    residual: float
    nodes: int
    advice: str = ""


@dataclass(frozen=True)
class PreciseFold:
    """A value of a parameter at which two stationary states merge.

    Args:
        along: Name of the parameter.
        value: Its value, ``mpf``.
        values: Equal-time values there by name of covariance or observable, ``mpf``.
        amplitude: C(0) − C(∞) of the main covariance there.
        curvature: d²p/da² of the parameter by that amplitude: positive where states exist above.
        digits: Digits of ``value`` that two evaluations agree on, at most those asked for.
        digits_of_values: The same of ``values``: next to a fold they move by the square root of
            what the parameter moves by, so that they may be known to fewer digits.
        error: Relative difference of ``value`` between the two evaluations.
        residual: Largest residual of the equations at the nodes, absolute.
        nodes: Nodes of the finer grid.
        advice: What could be done about fewer digits than asked for; empty if there are as many.
    """

    along: str
    value: Any
    values: Mapping[str, Any]
    amplitude: Any
    curvature: float
    digits: int
    digits_of_values: int
    error: float
    residual: float
    nodes: int
    advice: str = ""

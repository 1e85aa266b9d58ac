"""What a plane of two parameters is given as: names, ranges, numbers of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sympy import Expr

from gatetheory.errors import ParameterError
from gatetheory.model import exact

Axis = tuple[str, Any, Any, int]


def checked_axis(axis: Sequence[Any], name: str) -> tuple[str, Expr, Expr, int]:
    """Parameter, exact range and number of values of an axis.

    Args:
        axis: As the user gave it.
        name: ``"x"`` or ``"y"``, for complaints.

    Raises:
        ParameterError: If it is incomplete, empty, or has fewer than two values.
    """
    if len(axis) != 4:
        raise ParameterError(f"{name} takes a parameter, its range and a number of values")
    parameter, low, high, count = axis
    try:
        number = int(str(count))
    except ValueError as error:
        raise ParameterError(f"{name}: {count!r} is no number of values") from error
    if number < 2:
        raise ParameterError(f"{name}: at least 2 values are needed, got {number}")
    low, high = exact(low), exact(high)
    if not low < high:
        raise ParameterError(f"{name}: the range of {parameter} from {low} to {high} is empty")
    return str(parameter), low, high, number


def values_on(low: Expr, high: Expr, count: int) -> list[Expr]:
    """Equally spaced values of a range, exact, both ends included."""
    return [low + (high - low) * k / (count - 1) for k in range(count)]

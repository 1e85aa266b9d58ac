"""The range of a parameter over which a fixed point with infinitely steep gates is marginal.

Its ends are among the places where all units, or the open ones alone, reach the border of
stability, and those where the fixed point itself begins (a fold, or the zero state's instability).
Between neighbouring ones a look at the fixed points in the middle decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gatetheory.solvers.transition_program import Candidate
from gatetheory.solvers.transition_search import Unknowns

Growth = Callable[[Unknowns, float], tuple[float, float]]

SLACK = 1e-9


@dataclass(frozen=True)
class End:
    """A possible end of the region.

    Args:
        kind: The transition there: ``"stability"``, ``"open"``, ``"fold"`` or ``"zero-state"``.
        candidate: Where it is.
    """

    kind: str
    candidate: Candidate


def marginal_region(
    ends: Sequence[End],
    window: tuple[float, float],
    roots: Callable[[float], list[Unknowns]],
    growth: Growth,
) -> tuple[End | None, End | None] | None:
    """The first range, from below, in which a non-zero fixed point is marginal.

    Args:
        ends: Where it may begin and end.
        window: Range of the parameter.
        roots: Fixed points (core unknowns) at a value of the parameter.
        growth: Perron roots of K with all units and with the open ones.

    Returns:
        Its ends, None where the region reaches beyond the window; None if there is no region.
    """
    inside = sorted(
        (e for e in ends if window[0] < e.candidate.value < window[1]),
        key=lambda e: e.candidate.value,
    )
    marks: list[End | None] = [None, *inside, None]
    values = [window[0], *(e.candidate.value for e in inside), window[1]]
    first: int | None = None
    for k in range(len(values) - 1):
        middle = _middle(values[k], values[k + 1])
        if _is_marginal(middle, roots, growth):
            first = k if first is None else first
        elif first is not None:
            return marks[first], marks[k]
    return None if first is None else (marks[first], marks[-1])


def _middle(a: float, b: float) -> float:
    return float(np.sqrt(a * b)) if a > 0 else (a + b) / 2


def _is_marginal(value: float, roots: Callable[[float], list[Unknowns]], growth: Growth) -> bool:
    for unknowns in roots(value):
        if all(unknowns):
            every, opened = growth(unknowns, value)
            if every >= 1 - SLACK and opened <= 1 + SLACK:
                return True
    return False

"""Ends of the chaotic state's existence as records: continuous onsets and folds, to their digits.

A continuous onset is where a fixed point loses stability, and its digits come from those
conditions. A fold belongs to the lag equations: doubles give about 13 digits; beyond, one-field
problems are solved by their potential, all others by the lag equations in balls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath

from gatetheory.equations.transition import TransitionConditions
from gatetheory.solvers.chaos_curve import Fold
from gatetheory.solvers.chaos_path import LagPath
from gatetheory.solvers.chaos_transition import find_chaos
from gatetheory.solvers.correlations import every_covariance
from gatetheory.solvers.lag_newton import FINE
from gatetheory.solvers.lag_potential import fold_in_parameter, potential_of
from gatetheory.solvers.precise_fold import fold_precisely
from gatetheory.solvers.transition_program import Candidate
from gatetheory.solvers.transition_records import TransitionPoint

DOUBLE = 15

Onset = tuple[Candidate, TransitionConditions]


def chaos_transition(
    path: LagPath,
    onsets: Sequence[Onset],
    window: tuple[float, float],
    digits: int,
    refine_onset: Callable[[Candidate, TransitionConditions], TransitionPoint],
) -> tuple[tuple[TransitionPoint, ...], int | None, str]:
    """Every end of a chaotic branch in a range.

    Args:
        path: The lag system along the parameter.
        onsets: Where fixed points lose stability, in doubles.
        window: Range of the parameter.
        digits: Digits wanted.
        refine_onset: Brings a loss of stability to its digits.

    Returns:
        The transitions, ascending; the number of the first one met from the quiescent side; what
        was searched, in words.
    """
    found = find_chaos(path, [c.value for c, _ in onsets], window)
    points = []
    for boundary in found.boundaries:
        if boundary.fold is not None:
            points.append(_fold_point(path, boundary.fold, digits))
            continue
        near = min(onsets, key=lambda o: abs(o[0].value - boundary.value))
        points.append(refine_onset(*near))
    first = None if found.first is None else found.boundaries.index(found.first)
    return tuple(points), first, found.searched


def _fold_point(path: LagPath, fold: Fold, digits: int) -> TransitionPoint:
    if digits > DOUBLE:
        return _precise(path, fold, digits)
    problem = path.problem(fold.at.value)
    _, equal, _ = every_covariance(problem, fold.at.point)
    names = [c.name for c in path.program.system.covariances]
    residual = problem.residual(fold.at.point, FINE)
    relative = fold.error / max(abs(fold.at.value), 1e-300)
    known = DOUBLE if relative == 0 else int(min(DOUBLE, -mpmath.log10(relative)))
    return TransitionPoint(
        value=fold.at.value,
        kind="fold",
        at=dict(zip(names, equal.tolist(), strict=True)),
        digits=min(digits, known),
        residual=float(abs(residual).max()),
    )


def _precise(path: LagPath, fold: Fold, digits: int) -> TransitionPoint:
    system, start = path.program.system, fold.at
    (along,) = path.along.direction
    found: Any
    if potential_of(system, path.parameters, along) is not None:
        equal = path.problem(start.value).covariances_at(start.point).equal[path.program.main]
        found = fold_in_parameter(
            system, path.parameters, along, (float(equal), start.value), digits
        )
    else:
        found = fold_precisely(system, path.parameters, along, start.point, start.value, digits)
    return TransitionPoint(
        value=found.value, kind="fold", at=dict(found.values), digits=found.digits,
        residual=found.residual,
    )  # fmt: skip

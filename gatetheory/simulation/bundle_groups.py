"""Algebraic fields of many trajectories, and their tangent vectors, where no formula gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gatetheory.errors import ConvergenceError
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.unit_solver import Group, solve_group


class GroupSolver:
    """Newton's method for a group of fields of all units of all trajectories, in doubles.

    Args:
        group: The fields.
        fields: Number of fields of the model.
    """

    def __init__(self, group: Group, fields: int) -> None:
        self.group, self.fields = group, fields

    def __call__(
        self,
        own: Sequence[Array],
        fields: Sequence[Array],
        local: Sequence[Array],
        inputs: Sequence[Any],
        parameters: Sequence[float],
    ) -> None:
        """Solve, from 0, and write the result to ``own``; all arrays of shape (B, N)."""
        shape = own[0].shape
        known = np.zeros((self.fields, own[0].size))
        for i, field in enumerate(fields):
            if i not in self.group.fields:
                known[i] = np.reshape(field, -1)
        rest = [np.broadcast_to(np.asarray(v, np.float64), shape).reshape(-1) for v in local]
        rest += [np.broadcast_to(np.asarray(v, np.float64), shape).reshape(-1) for v in inputs]
        solve_group(self.group, known, (*rest, *parameters))
        for target, i in zip(own, self.group.fields, strict=True):
            target[...] = known[i].reshape(shape)


def solve_vectors(slopes: Sequence[Any], sources: Sequence[Array]) -> None:
    """Replace s by -A⁻¹ s, for every unit.

    Args:
        slopes: A, its k² entries row by row, each broadcast to (B, N).
        sources: s, k arrays of shape (B, m, N), overwritten.

    Raises:
        ConvergenceError: If A is singular in some unit.
    """
    stacked = np.stack(list(sources))
    k, b, _, n = stacked.shape
    matrix = np.empty((b, n, k * k))
    for i, entry in enumerate(slopes):
        matrix[:, :, i] = entry
    try:
        solved = np.linalg.solve(
            matrix.reshape(b, n, k, k), np.transpose(stacked, (1, 3, 0, 2)).astype(np.float64)
        )
    except np.linalg.LinAlgError as error:
        raise ConvergenceError(
            "algebraic fields are not determined by their laws at this state"
        ) from error
    for i, source in enumerate(sources):
        source[...] = -np.transpose(solved[:, :, i], (0, 2, 1))

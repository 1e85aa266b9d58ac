"""Solve the laws of a unit for fields, all units at once.

Fields that need each other form a group. A group of one field that its law contains linearly is an
explicit formula; any other group is solved by Newton's method, damped unit by unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import sympy
from sympy import Expr, Symbol

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.functions import differentiate
from gatetheory.simulation.lowering import Array, Kernel, compile_kernel

_MAX_ITERATIONS = 100
_MAX_HALVINGS = 30
_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Group:
    """Fields of a unit that are solved for together.

    Args:
        fields: Indices of the fields.
        names: Their names.
        reads: Symbols their laws contain.
        explicit: The solution as a formula, or None.
        residual: The expressions to make vanish, and their derivatives by the fields, row by row.
    """

    fields: tuple[int, ...]
    names: tuple[str, ...]
    reads: frozenset[Symbol]
    explicit: Kernel | None
    residual: Kernel


def make_groups(
    residuals: Mapping[int, Expr], symbols: Sequence[Symbol], arguments: tuple[Symbol, ...]
) -> tuple[Group, ...]:
    """Groups in an order in which each needs only earlier ones.

    Args:
        residuals: Expression to make vanish, by index of the field it is solved for.
        symbols: Symbol of every field.
        arguments: Arguments of the kernels.

    Raises:
        ParameterError: If a field does not appear in its own law.
    """
    solutions = {i: _explicit(law, symbols[i]) for i, law in residuals.items()}
    laws = {
        i: law if (formula := solutions[i]) is None else formula - symbols[i]
        for i, law in residuals.items()
    }
    needs = {
        i: {j for j in laws if j != i and symbols[j] in law.free_symbols} for i, law in laws.items()
    }
    reach = {i: set(direct) for i, direct in needs.items()}
    for _ in residuals:
        for met in reach.values():
            met.update(*(reach[j] for j in tuple(met)))
    groups: list[tuple[int, ...]] = []
    for i in residuals:
        together = tuple(j for j in residuals if j == i or (j in reach[i] and i in reach[j]))
        if together not in groups:
            groups.append(together)
    groups.sort(key=lambda group: len(reach[group[0]] | set(group)))
    return tuple(_make_group(group, laws, solutions, symbols, arguments) for group in groups)


def solve_group(group: Group, fields: Array, rest: Sequence[Any]) -> None:
    """Solve for a group of fields, in place.

    Args:
        group: What to solve for.
        fields: Every field of every unit, shape (F, N); the group's rows are the initial guess
            and are overwritten.
        rest: The kernels' other arguments: local fields, inputs, parameters.

    Raises:
        ConvergenceError: If Newton's method does not converge in some unit.
    """
    own = list(group.fields)
    if group.explicit is not None:
        group.explicit((*fields, *rest), fields[own[0]][None])
        return
    k, units = len(own), fields.shape[1]
    values = np.empty((k + k * k, units))
    point = fields.copy()
    group.residual((*point, *rest), values)
    for _ in range(_MAX_ITERATIONS):
        residual = values[:k]
        slopes = np.moveaxis(values[k:].reshape(k, k, units), 2, 0)
        try:
            move = -np.linalg.solve(slopes, residual.T[..., None])[..., 0].T
        except np.linalg.LinAlgError:
            break
        size = np.abs(residual).max(axis=0)
        done = np.abs(move) <= _TOLERANCE * (1 + np.abs(point[own]))
        trial = point.copy()
        for _ in range(_MAX_HALVINGS):
            trial[own] = point[own] + move
            group.residual((*trial, *rest), values)
            worse = ~(np.abs(values[:k]).max(axis=0) <= size) & ~done.all(axis=0)
            if not worse.any():
                break
            move[:, worse] /= 2
        point = trial
        if done.all():
            fields[own] = point[own]
            return
    raise ConvergenceError(
        f"no solution for field {', '.join(group.names)} was found in every unit within "
        f"{_MAX_ITERATIONS} Newton steps; its law may have none at these values"
    )


def _explicit(law: Expr, x: Symbol) -> Expr | None:
    """The root of a law that is linear in x; None if it is not linear."""
    slope = law.diff(x)
    if slope == 0:
        raise ParameterError(
            f"field {x} has no dynamics at these values, and its law does not determine it"
        )
    if slope.has(x):
        return None
    offset = sympy.expand_mul(law.xreplace({x: sympy.S.Zero}))
    # Term by term, so that a rate that multiplies every term cancels.
    return cast("Expr", sympy.Add(*(-term / slope for term in sympy.Add.make_args(offset))))


def _make_group(
    group: tuple[int, ...],
    laws: Mapping[int, Expr],
    solutions: Mapping[int, Expr | None],
    symbols: Sequence[Symbol],
    arguments: tuple[Symbol, ...],
) -> Group:
    own = [symbols[i] for i in group]
    rows = [laws[i] for i in group]
    formula = solutions[group[0]] if len(group) == 1 else None
    return Group(
        fields=group,
        names=tuple(x.name for x in own),
        reads=frozenset(s for row in rows for s in row.free_symbols),
        explicit=None if formula is None else compile_kernel(arguments, (formula,)),
        residual=compile_kernel(
            arguments, (*rows, *(differentiate(row, x) for row in rows for x in own))
        ),
    )

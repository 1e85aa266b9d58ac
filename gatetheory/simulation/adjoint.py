"""The transposed law of a network: what a covector of its rates becomes before the law.

With ω a covector of the rates (flow) or of the next state (map), the derivative of the law,
δF = A δx + Σ_a L_a J^a R_a δx, is transposed to

    x̄ = Aᵀω + Σ_a R_aᵀ ζ_a,   ζ_a = J^{aT} μ_a,   μ_a = L_aᵀ ω,

and μ_a ψ_aᵀ is what the matrix J^a gains. Algebraic fields are eliminated exactly: their part runs
through the stages of the unit in reverse order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gatetheory.simulation.linearization import Entries, Linearization
from gatetheory.simulation.lowering import Array

Covector = dict[int, Array]


@dataclass(frozen=True, eq=False)
class Covectors:
    """A covector carried back through the law; entries that vanish throughout are left out.

    Args:
        state: x̄ of the fields with dynamics, shape (fields, k, N).
        laws: By field, the covector of its law, shape (k, N): ω of a rate, or what the residual of
            an algebraic field receives.
        local: μ_a, the covector of the local field of coupling a, shape (k, N).
        signals: Covector of every distinct signal ψ, shape (k, N).
    """

    state: Array
    laws: Covector
    local: Covector
    signals: Covector


def pull_back(
    linear: Linearization, rates: Array | None, fields: Mapping[int, Array] | None = None
) -> Covectors:
    """Carry k covectors back through the law.

    Args:
        linear: The law, linearised at a state.
        rates: ω, shape (number of fields with dynamics, k, N); None for 0.
        fields: Covectors that act on fields at the state itself, algebraic ones too, by index,
            shape (k, N) each.

    Raises:
        ConvergenceError: If algebraic fields are not determined at the state.
    """
    unit = linear.network.unit
    on_fields: Covector = {f: np.array(v) for f, v in (fields or {}).items()}
    on_local: Covector = {}
    on_signals: Covector = {}
    laws: Covector = {}
    if rates is not None:
        laws = dict(zip(unit.dynamic, rates, strict=True))
        _spread(linear.direct, laws, on_fields, ())
        _spread(linear.driven, laws, on_local, ())
    algebraic = set(unit.algebraic)
    for stage in reversed(unit.stages):
        for group in reversed(stage.groups):
            own = [on_fields.pop(f, None) for f in group.fields]
            residuals = _solve(linear.inverses[group.fields], own)
            if residuals:
                part = dict(zip(group.fields, residuals, strict=True))
                laws |= part
                _spread(linear.direct, part, on_fields, group.fields)
                _spread(linear.driven, part, on_local, ())
        for s in stage.signals:
            covector = _transmit(linear, s, on_local)
            if covector is not None:
                on_signals[s] = covector
                _spread(linear.read, {s: covector}, on_fields, ())
    if algebraic & on_fields.keys():  # pragma: no cover (stages come in the order of need)
        raise AssertionError("a signal reads an algebraic field that is solved for later")
    shape = next(iter((*on_fields.values(), *laws.values()))).shape
    state = np.zeros((len(unit.dynamic), *shape))
    for row, f in zip(state, unit.dynamic, strict=True):
        if f in on_fields:
            row[...] = on_fields[f]
    return Covectors(state, laws, on_local, on_signals)


def _spread(entries: Entries, rows: Covector, into: Covector, leave_out: Sequence[int]) -> None:
    """Add row f times entry (f, g) to column g."""
    for (f, g), entry in entries.items():
        if f in rows and g not in leave_out:
            term = rows[f] * entry
            if g in into:
                into[g] += term
            else:
                into[g] = term


def _solve(inverse: Array, own: Sequence[Array | None]) -> list[Array]:
    """Covectors of the residuals of a group: -A_gg⁻ᵀ times those of its fields; [] for none."""
    if all(v is None for v in own):
        return []
    found = []
    for i in range(len(own)):
        terms = [-inverse[:, j, i] * v for j, v in enumerate(own) if v is not None]
        found.append(np.sum(terms, axis=0))
    return found


def _transmit(linear: Linearization, signal: int, on_local: Covector) -> Array | None:
    """ζ = Σ_a J^{aT} μ_a over the couplings that read a signal; None if no μ_a acts."""
    units = linear.network.units
    stack, readers = linear.network.stacks[signal], linear.network.unit.readers[signal]
    acting = [k for k, a in enumerate(readers) if a in on_local and on_local[a].any()]
    if not acting:
        return None
    if len(acting) == len(readers):
        return np.concatenate([on_local[a] for a in readers], axis=1) @ stack
    parts = [on_local[readers[k]] @ stack[k * units : (k + 1) * units] for k in acting]
    return np.asarray(np.sum(parts, axis=0))

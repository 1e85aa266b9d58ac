"""The linear equations of a network around a state, from derivatives taken by SymPy.

A perturbation of the fields follows δF = A δx + Σ_a L_a J^a R_a δx with A = ∂F/∂x, L_a = ∂F/∂η_a
and R_a = ∂ψ_a/∂x, arrays over units. Algebraic fields are eliminated exactly, in the order in
which the network evaluates them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from sympy import Expr, Symbol

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.functions import differentiate
from gatetheory.simulation.blocks import Block, Diagonal, accumulate, multiply, scale, to_dense
from gatetheory.simulation.lowering import Array, Kernel, compile_kernel, define
from gatetheory.simulation.network import Network, UnitState
from gatetheory.simulation.unit import Unit
from gatetheory.simulation.unit_solver import Group

Entries = Mapping[tuple[int, int], Array]


@dataclass(frozen=True, eq=False)
class Linearization:
    """A network linearised around a state; only entries that can differ from 0 are kept.

    Args:
        network: The network.
        direct: A_fg, by indices of two fields, shape (N,) each. Rows of fields with dynamics:
            dx/dt (time constants divided out) or x(t+1); rows of algebraic fields: a residual.
        driven: L_fa, by field and coupling.
        read: R_sg, by distinct signal and field.
    """

    network: Network
    direct: Entries
    driven: Entries
    read: Entries

    def apply(self, perturbation: Array) -> Array:
        """D times one perturbation, without forming D.

        Args:
            perturbation: Shape (number of fields with dynamics, N).

        Returns:
            Its rate (flow) or its next value (map), same shape.
        """
        columns: dict[int, Block] = {
            f: row[:, None] for f, row in zip(self.network.unit.dynamic, perturbation, strict=True)
        }
        out = np.zeros(self.network.shape)
        for row, block in zip(out, self._propagate(columns), strict=True):
            if block is not None:
                row[...] = to_dense(block)[:, 0]
        return out

    def dense(self) -> Array:
        """The Jacobian D, blocks in field order, shape (F N, F N) with F fields with dynamics."""
        n, dynamic = self.network.units, self.network.unit.dynamic
        out = np.zeros((len(dynamic) * n, len(dynamic) * n))
        for g, field in enumerate(dynamic):
            for f, block in enumerate(self._propagate({field: Diagonal(np.ones(n))})):
                if block is not None:
                    out[f * n : (f + 1) * n, g * n : (g + 1) * n] = to_dense(block)
        return out

    def _propagate(self, start: Mapping[int, Block]) -> list[Block | None]:
        """Rows of D applied to perturbations of the fields with dynamics."""
        unit, n = self.network.unit, self.network.units
        fields: dict[int, Block] = dict(start)
        local: dict[int, Block] = {}
        for stage in unit.stages:
            for s in stage.signals:
                signal = self._row(self.read, s, fields, None)
                if signal is None:
                    continue
                products = multiply(self.network.stacks[s], signal, n)
                local.update(zip(unit.readers[s], products, strict=True))
            for group in stage.groups:
                self._solve(group, fields, local)
        rows = []
        for f in unit.dynamic:
            row = self._row(self.direct, f, fields, None)
            rows.append(self._row(self.driven, f, local, row))
        return rows

    def _solve(self, group: Group, fields: dict[int, Block], local: dict[int, Block]) -> None:
        """Perturbations of algebraic fields: -A_gg⁻¹ (Σ A_gx δx + Σ L_ga δη_a)."""
        sources = []
        for f in group.fields:
            source = self._row(self.direct, f, fields, None)
            sources.append(self._row(self.driven, f, local, source))
        inverse = self.inverses[group.fields]
        for i, f in enumerate(group.fields):
            total: Block | None = None
            for j, source in enumerate(sources):
                if source is not None:
                    total = accumulate(total, scale(-inverse[:, i, j], source))
            if total is not None:
                fields[f] = total

    def _row(
        self, entries: Entries, row: int, blocks: Mapping[int, Block], total: Block | None
    ) -> Block | None:
        for (f, g), entry in entries.items():
            if f == row and g in blocks:
                total = accumulate(total, scale(entry, blocks[g]))
        return total

    @cached_property
    def inverses(self) -> dict[tuple[int, ...], Array]:
        """A_gg⁻¹ of every group of algebraic fields, shape (N, k, k)."""
        found = {}
        for stage in self.network.unit.stages:
            for group in stage.groups:
                k = len(group.fields)
                own = np.zeros((self.network.units, k, k))
                for i, f in enumerate(group.fields):
                    for j, g in enumerate(group.fields):
                        own[:, i, j] = self.direct.get((f, g), 0.0)
                try:
                    found[group.fields] = np.asarray(np.linalg.inv(own), dtype=np.float64)
                except np.linalg.LinAlgError as error:
                    raise ConvergenceError(
                        f"the law of field {', '.join(group.names)} does not determine it at this "
                        "state, so that it cannot be eliminated"
                    ) from error
        return found


def linearize(network: Network, state: Array | UnitState, time: float = 0.0) -> Linearization:
    """Linearise a network around a state.

    Args:
        network: The network.
        state: Shape (number of fields with dynamics, N); or a :class:`UnitState` that gives every
            field and local field, which need not belong to each other (a synthetic state).
        time: Time t, for inputs that depend on it (not used by a UnitState).

    Raises:
        ParameterError: If a UnitState leaves out (as NaN) what the derivatives need.
        ConvergenceError: If a derivative is not finite at the state.
    """
    at = state if isinstance(state, UnitState) else network.complete(np.asarray(state), time)
    derivatives = _derivatives(network.unit)
    for name, values in zip(
        (s.name for s in network.unit.arguments), (*at.fields, *at.local_fields), strict=False
    ):
        if name in derivatives.needs and not np.isfinite(values).all():
            raise ParameterError(f"the Jacobian needs {name}, which the state does not give")
    values = derivatives.kernel(
        network.arguments(at), np.empty((derivatives.kernel.size, network.units))
    )
    if not np.isfinite(values).all():
        raise ConvergenceError("the Jacobian is not finite at this state")
    rows = iter(values)
    direct, driven, read = (
        {place: next(rows) for place in places} for places in derivatives.places
    )
    return Linearization(network, direct, driven, read)


@dataclass(frozen=True)
class _Derivatives:
    """Compiled derivatives; ``places`` are the entries of A, L and R that are not 0 throughout."""

    places: tuple[tuple[tuple[int, int], ...], ...]
    needs: frozenset[str]
    kernel: Kernel


@lru_cache(maxsize=64)
def _derivatives(unit: Unit) -> _Derivatives:
    model = unit.model
    fields = [f.symbol for f in model.fields]
    local = [c.local_field for c in model.couplings]
    tables: list[tuple[tuple[Expr, ...], list[Symbol]]] = [
        (unit.laws, fields),
        (unit.laws, local),
        (unit.signals, fields),
    ]
    places: list[tuple[tuple[int, int], ...]] = []
    expressions: list[Expr] = []
    for laws, symbols in tables:
        table = {
            (i, j): define(differentiate(law, s), model.definitions)
            for i, law in enumerate(laws)
            for j, s in enumerate(symbols)
            if law.has(s)
        }
        table = {place: slope for place, slope in table.items() if slope != 0}
        places.append(tuple(table))
        expressions += table.values()
    return _Derivatives(
        places=tuple(places),
        needs=frozenset(s.name for e in expressions for s in e.free_symbols),
        kernel=compile_kernel(unit.arguments, tuple(expressions)),
    )

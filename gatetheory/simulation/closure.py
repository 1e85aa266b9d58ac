"""The closure by simulation: a network whose matrices are drawn afresh at every step.

With fresh J^a the local fields η^a = J^a ψ_a are exactly Gaussian and independent of the state, as
the mean-field theory supposes, whether or not the fixed point is stable or typical. So this tests
the closure Δ_a = s_a² ⟨ψ_a(x*)²⟩ alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.functions import Next
from gatetheory.model import Model
from gatetheory.simulation.draw import check_count, draw_network, draw_static_inputs, nonnegative
from gatetheory.simulation.estimators import Estimate, estimate
from gatetheory.simulation.lowering import Array, compile_kernel, define
from gatetheory.simulation.network import Network
from gatetheory.simulation.unit_solver import make_groups, solve_group

_CHUNK = 512


@dataclass(frozen=True)
class Closure:
    """Order parameters of a network redrawn at every step.

    Args:
        deltas: Δ_a by name of coupling: mean over steps; standard error over independent chains,
            so that correlations between the steps of a chain do no harm.
        units: N.
        chains: Number of independent chains.
        steps: Steps of each that are averaged.
        burn_in: Steps of each that were discarded before.
        exact_law: Whether η was drawn from its exact law instead of by multiplying matrices.
    """

    deltas: Mapping[str, Estimate]
    units: int
    chains: int
    steps: int
    burn_in: int
    exact_law: bool

    def __str__(self) -> str:
        """One line per order parameter."""
        return "\n".join(f"Delta_{name} = {value}" for name, value in self.deltas.items())


def annealed_closure(
    model: Model,
    at: Mapping[str, Any] | None = None,
    units: int = 4000,
    *,
    steps: int = 5,
    burn_in: int = 100,
    chains: int = 8,
    initial: Mapping[str, float] | None = None,
    exact_law: bool = False,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Closure:
    """Iterate x → solution of F(x, η) = 0 with η^a = J^a ψ_a(x), every J^a new at every step.

    Where the law of a unit has several solutions, that which Newton's method reaches from the
    unit's last state is taken; where the mean field has several, the start decides.

    Args:
        model: The model; its inputs must not change in time.
        at: Parameter values by name.
        units: N.
        steps: Steps that are averaged, with full matrices in float64.
        burn_in: Steps that are discarded. They use the exact law, which costs nothing.
        chains: Independent chains, at least 2: the standard error is over them.
        initial: Δ_a to start from by name of coupling; 1 where none is given.
        exact_law: Draw η^a_i ~ N(0, s_a² |ψ_a|²/N), which is the law of J^a ψ_a given ψ_a, in the
            averaged steps as well.
        seed: Seed of everything.
        threads: Threads that BLAS may use.
        progress: Called with (steps done, steps in all).

    Raises:
        ParameterError: For bad counts, names or values, or inputs that change in time.
        ConvergenceError: If the law of some unit could not be solved.
    """
    for name, count, least in (
        ("units", units, 1),
        ("steps", steps, 1),
        ("burn_in", burn_in, 0),
        ("chains", chains, 2),
    ):
        check_count(name, count, least)
    start = _starting_values(model, initial)
    probe = draw_network(model, at, 1, 0)
    if not probe.is_autonomous:
        raise ParameterError(
            f"model {model.name} has no closure at a fixed point: an input changes in time"
        )
    chain = _Chain(model, probe, units)
    means = []
    done, total = 0, chains * (steps + burn_in)
    with threadpool_limits(limits=threads, user_api="blas"):
        for child in np.random.SeedSequence(seed).spawn(chains):
            rng = np.random.default_rng(child)
            fields = chain.start(start, rng)
            seen = []
            for step in range(burn_in + steps):
                measured = step >= burn_in
                fields, deltas = chain.step(fields, rng, exact_law or not measured)
                if measured:
                    seen.append(deltas)
                done += 1
                if progress is not None:
                    progress(done, total)
            means.append(np.mean(seen, axis=0))
    table = np.array(means)
    measured_deltas = {c.name: estimate(table[:, a]) for a, c in enumerate(model.couplings)}
    return Closure(measured_deltas, units, chains, steps, burn_in, exact_law)


class _Chain:
    """Steps of one chain; the laws are compiled once."""

    def __init__(self, model: Model, probe: Network, units: int) -> None:
        self.model, self.units = model, units
        self.values, self.parameters = probe.values, probe.parameters
        self.constants = probe.inputs()
        self.scales = [
            nonnegative(c.variance.xreplace(dict(probe.values)), f"variance of coupling {c.name}")
            for c in model.couplings
        ]
        arguments = probe.unit.arguments
        here = {Next(f.symbol): f.symbol for f in model.fields}
        residuals = {
            i: define(f.residual.xreplace(here), model.definitions)
            for i, f in enumerate(model.fields)
        }
        self.groups = make_groups(residuals, [f.symbol for f in model.fields], arguments)
        signals = tuple(define(c.signal.xreplace(here), model.definitions) for c in model.couplings)
        self.signals = compile_kernel(arguments, signals)

    def start(self, deltas: Array, rng: np.random.Generator) -> Array:
        """Fields for local fields of given variances, shape (F, N)."""
        local = np.sqrt(deltas)[:, None] * rng.standard_normal((len(deltas), self.units))
        return self._solve(np.zeros((len(self.model.fields), self.units)), local, rng)

    def step(self, fields: Array, rng: np.random.Generator, exact: bool) -> tuple[Array, Array]:
        """Fields after fresh couplings, shape (F, N), and the new Δ_a, shape (A,)."""
        local = np.empty((len(self.scales), self.units))
        for psi, s2, eta in zip(self._signals(fields), self.scales, local, strict=True):
            if exact:
                eta[:] = math.sqrt(s2 * float(psi @ psi) / self.units) * rng.standard_normal(
                    self.units
                )
                continue
            for low in range(0, self.units, _CHUNK):
                rows = rng.standard_normal((min(_CHUNK, self.units - low), self.units))
                eta[low : low + len(rows)] = rows @ psi
            eta *= math.sqrt(s2 / self.units)
        fields = self._solve(fields, local, rng)
        psi2 = np.mean(self._signals(fields) ** 2, axis=1)
        return fields, np.array(self.scales) * psi2

    def _signals(self, fields: Array) -> Array:
        local = np.zeros((len(self.scales), self.units))
        known = (*fields, *local, *self.constants, *self.parameters)
        return self.signals(known, np.empty((len(self.scales), self.units)))

    def _solve(self, fields: Array, local: Array, rng: np.random.Generator) -> Array:
        drawn = draw_static_inputs(self.model, self.values, self.units, rng)
        inputs = [
            drawn.get(i.symbol.name, constant)
            for i, constant in zip(self.model.inputs, self.constants, strict=True)
        ]
        fields = fields.copy()
        for group in self.groups:
            solve_group(group, fields, (*local, *inputs, *self.parameters))
        if not np.isfinite(fields).all():
            raise ConvergenceError(
                "the law of some unit has no finite solution for its local field; "
                "the mean field has no fixed point of this kind"
            )
        return fields


def _starting_values(model: Model, initial: Mapping[str, float] | None) -> Array:
    names = [c.name for c in model.couplings]
    for name, value in (initial or {}).items():
        if name not in names:
            raise ParameterError(f"there is no coupling {name!r}; there are {', '.join(names)}")
        if not (math.isfinite(value) and value >= 0):
            raise ParameterError(f"initial Delta_{name} must be at least 0, got {value!r}")
    return np.array([float((initial or {}).get(name, 1.0)) for name in names])

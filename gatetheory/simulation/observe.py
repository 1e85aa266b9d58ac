"""Simulate independent networks of a model and average over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Expr

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.functions import Next, Nonlinear
from gatetheory.model import Model
from gatetheory.simulation.draw import check_count, draw_network, random_state
from gatetheory.simulation.estimators import Estimate, estimate
from gatetheory.simulation.fixed_points import stability
from gatetheory.simulation.lowering import Array, as_double
from gatetheory.simulation.network import Network
from gatetheory.simulation.relaxation import PARTS, Status, default_method, relax
from gatetheory.simulation.trajectory import Integrator


@dataclass(frozen=True)
class Observation:
    """What independent finite networks of a model do after a transient.

    Args:
        model: Name of the model.
        parameters: Value of every parameter, as text.
        units: N.
        duration: Time (steps) each network ran.
        statuses: What became of each network: it settled in a fixed point, or is still active.
        values: Mean and standard error over networks, by name. ``Delta_<coupling>`` = s_a² ⟨ψ_a²⟩,
            ``C_<field>`` = ⟨x²⟩, ``C_<nonlinearity>`` = ⟨φ²⟩: over units, in an active network also
            over the second half of the run. ``abscissa`` or ``radius``: of the Jacobian's spectrum,
            over the networks in a fixed point.
    """

    model: str
    parameters: Mapping[str, str]
    units: int
    duration: float
    statuses: tuple[Status, ...]
    values: Mapping[str, Estimate]

    @property
    def at_rest(self) -> int:
        """Number of networks that settled in a fixed point."""
        return self.statuses.count("fixed point")

    def __str__(self) -> str:
        """A plain-text table."""
        count = len(self.statuses)
        head = ", ".join(f"{name} = {value}" for name, value in self.parameters.items())
        lines = [
            f"{self.model} ({head})",
            f"{count} network{'s' if count > 1 else ''} of {self.units} units, "
            f"run for {self.duration:g}: {self.at_rest} in a fixed point, "
            f"{count - self.at_rest} still active",
        ]
        width = max(map(len, self.values), default=0)
        lines += [f"  {name:<{width}}  {value}" for name, value in self.values.items()]
        if 0 < self.at_rest < count:
            lines.append("  (means mix both kinds of network)")
        return "\n".join(lines)


def simulate(
    model: Model,
    at: Mapping[str, Any] | None = None,
    units: int = 1000,
    seeds: int = 8,
    *,
    duration: float | None = None,
    method: Integrator | None = None,
    initial_std: float = 1.0,
    spectrum: bool = True,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Observation:
    """Draw networks, let each run from a random state, and observe.

    Args:
        model: The model.
        at: Parameter values by name.
        units: N.
        seeds: Number of independent networks.
        duration: Time (steps) each network may run; by default 50 times the longest time constant,
            at least 50 (500 steps).
        method: Integrator; by default adaptive with rtol 1e-5, iteration for a map, and the
            stochastic Heun scheme with step 1/20 for a flow with white noise.
        initial_std: Standard deviation of the entries of the initial state.
        spectrum: Whether to compute the spectrum's edge at fixed points.
        seed: Seed of everything.
        threads: Threads that BLAS may use.
        progress: Called with (parts done, parts in all).

    Raises:
        ParameterError: For bad counts, names or values.
        ConvergenceError: If a network's state is no longer finite.
    """
    check_count("units", units)
    check_count("seeds", seeds)
    statuses: list[Status] = []
    samples: dict[str, list[float]] = {}
    edge = "abscissa" if model.time == "continuous" else "radius"
    length = _duration(model, at, duration)
    for k, child in enumerate(np.random.SeedSequence(seed).spawn(seeds)):
        wiring, start, noise = child.spawn(3)
        network = draw_network(model, at, units, wiring)

        def report(part: int, _: int, base: int = k * PARTS) -> None:
            if progress is not None:
                progress(base + part, seeds * PARTS)

        found = relax(
            network,
            random_state(network, start, initial_std),
            length,
            method or default_method(network, int(noise.generate_state(1)[0])),
            threads=threads,
            progress=report,
        )
        statuses.append(found.status)
        for name, value in _moments(network, found.states, found.times).items():
            samples.setdefault(name, []).append(value)
        if spectrum and found.status == "fixed point":
            samples.setdefault(edge, []).append(_edge(network, found.states[0], threads))
    return Observation(
        model=model.name,
        parameters={s.name: str(v) for s, v in model.bind(at).items()},
        units=units,
        duration=length,
        statuses=tuple(statuses),
        values={name: estimate(values) for name, values in samples.items()},
    )


def _moments(network: Network, states: Array, times: Array) -> dict[str, float]:
    """Second moments over units and times."""
    model = network.model
    expressions: dict[str, Expr] = {
        f"Delta_{c.name}": c.variance * s**2
        for s, readers in zip(network.unit.signals, network.unit.readers, strict=True)
        for c in (model.couplings[a] for a in readers)
    }
    expressions = {f"Delta_{c.name}": expressions[f"Delta_{c.name}"] for c in model.couplings}
    expressions |= {f"C_{f.name}": f.symbol**2 for f in model.fields}
    applied: dict[str, set[Expr]] = {}
    for law in (*(f.law for f in model.fields), *(c.signal for c in model.couplings)):
        for node in law.atoms(Nonlinear):
            applied.setdefault(node.name, set()).add(node)
    for name in model.definitions:
        nodes = applied.get(name, set())
        if len(nodes) == 1 and not any(node.has(Next) for node in nodes):
            expressions[f"C_{name}"] = nodes.pop() ** 2
    evaluate = network.observable(list(expressions.values()))
    total = np.zeros(len(expressions))
    for state, time in zip(states, times, strict=True):
        at = network.complete(state, float(time))
        total += evaluate(at).mean(axis=1)
    return dict(zip(expressions, (total / len(states)).tolist(), strict=True))


def _edge(network: Network, state: Array, threads: int) -> float:
    try:
        return stability(network, state, threads=threads).value
    except ConvergenceError:  # eigenvalues crowd at the edge: compute them all
        return stability(network, state, dense_limit=state.size, threads=threads).value


def _duration(model: Model, at: Mapping[str, Any] | None, duration: float | None) -> float:
    if duration is None:
        if model.time == "discrete":
            return 500.0
        values = model.bind(at)
        longest = max(as_double(f.time_constant.xreplace(values), f.name) for f in model.fields)
        return 50.0 * max(1.0, longest)
    if not (math.isfinite(duration) and duration > 0):
        raise ParameterError(f"duration must be a positive number, got {duration!r}")
    return float(duration)

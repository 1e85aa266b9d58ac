"""Let a network run until it rests in a fixed point, or its time is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gatetheory.errors import ConvergenceError
from gatetheory.simulation.fixed_points import find_fixed_point
from gatetheory.simulation.integrate import Adaptive, Iteration, integrate
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.network import Network
from gatetheory.simulation.stochastic import StochasticHeun
from gatetheory.simulation.trajectory import Integrator

Status = Literal["fixed point", "active"]

PARTS = 10  # of a run: progress is reported, and rest looked for, after each
_SAVED = 5  # states in a part
_SLOW = 1e-4  # relative rate below which Newton's method is asked for a fixed point
_NEAR = 1e-2  # relative distance within which that point is where the network was going


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Where a network went.

    Args:
        status: ``"fixed point"`` if it settled in one, else ``"active"``.
        states: The fixed point, or states from the second half of the run,
            shape (S, number of fields with dynamics, N).
        times: Their times, shape (S,).
    """

    status: Status
    states: Array
    times: Array


def relax(
    network: Network,
    initial: Array,
    duration: float,
    method: Integrator | None = None,
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Relaxation:
    """Run a network, and stop early in a fixed point, which Newton's method then makes exact.

    A network that only creeps, or circles in a limit cycle, counts as active.

    Args:
        network: The network.
        initial: Shape (number of fields with dynamics, N).
        duration: Longest time; for a map a number of steps.
        method: Integrator; :func:`default_method` if none is given.
        threads: Threads that BLAS may use.
        progress: Called with (parts done, parts in all).

    Raises:
        ConvergenceError: If the state is no longer finite.
    """
    method = default_method(network, 0) if method is None else method
    marks = np.linspace(0, duration, PARTS * _SAVED + 1)
    if network.model.time == "discrete":
        marks = np.unique(np.round(marks))
    parts = np.array_split(np.arange(1, len(marks)), PARTS)
    state = initial
    kept, times = [], []
    for k, part in enumerate(p for p in parts if len(p)):
        span = marks[part[0] - 1 : part[-1] + 1]
        trajectory = integrate(network, state, span, method, threads=threads)
        state = trajectory.final
        if 2 * k >= PARTS:
            kept.append(trajectory.states[1:])
            times.append(span[1:])
        if progress is not None:
            progress(k + 1, PARTS)
        rest = _rest(network, state, threads)
        if rest is not None:
            if progress is not None:
                progress(PARTS, PARTS)
            return Relaxation("fixed point", rest[None], span[-1:])
    if not kept:
        return Relaxation("active", state[None], marks[-1:])
    return Relaxation("active", np.concatenate(kept), np.concatenate(times))


def default_method(network: Network, seed: int) -> Integrator:
    """Adaptive with rtol 1e-5; iteration for a map; stochastic Heun with step 1/20 under noise.

    Args:
        network: The network.
        seed: Seed of the noise.
    """
    if network.model.time == "discrete":
        return Iteration(seed)
    return StochasticHeun(0.05, seed) if network.is_noisy else Adaptive(rtol=1e-5, atol=1e-7)


def _rest(network: Network, state: Array, threads: int) -> Array | None:
    """The fixed point in which the network rests, if it does."""
    if not network.is_autonomous:
        return None
    flow = network.model.time == "continuous"
    rate = network.drift(state) if flow else network.update(state) - state
    size = 1 + float(np.abs(state).max())
    if np.abs(rate).max() > _SLOW * size:
        return None
    try:
        found = find_fixed_point(network, state, check=False, max_iterations=20, threads=threads)
    except ConvergenceError:
        return None
    near = np.abs(found.state - state).max() <= _NEAR * size
    return found.state if found.status == "ok" and near else None

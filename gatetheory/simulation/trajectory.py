"""Trajectories, and the march with a fixed step that several integrators share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, cast

import numpy as np

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.network import Network


@dataclass(frozen=True, eq=False)
class Trajectory:
    """States of a network at saved times.

    Args:
        times: Saved times, shape (T,).
        states: Shape (T, number of fields with dynamics, N).
        fields: Names of the fields with dynamics.
        evaluations: How often the laws were evaluated.
    """

    times: Array
    states: Array
    fields: tuple[str, ...]
    evaluations: int

    def __getitem__(self, name: str) -> Array:
        """One field at the saved times, shape (T, N).

        Raises:
            ParameterError: If the field has no dynamics (see :meth:`Network.complete`).
        """
        if name not in self.fields:
            raise ParameterError(
                f"no trajectory of field {name!r}; there are {', '.join(self.fields)}"
            )
        return self.states[:, self.fields.index(name)]

    @property
    def final(self) -> Array:
        """The last state."""
        return cast("Array", self.states[-1])


class Integrator(Protocol):
    """An algorithm that :func:`gatetheory.simulation.integrate` can use."""

    def run(self, network: Network, state: Array, times: Array) -> tuple[Array, int]:
        """States at the times, shape (T, fields, N), and the number of evaluations.

        Args:
            network: The network.
            state: State at ``times[0]``.
            times: Increasing times.

        Raises:
            ParameterError: If the algorithm is not made for such a network.
            ConvergenceError: If the state is no longer finite.
        """
        ...


@np.errstate(all="ignore")  # overflow is found by its result
def march(
    state: Array, times: Array, step: float, advance: Callable[[Array, float, float], None]
) -> tuple[Array, int]:
    """Advance with a fixed step; the step is shortened so that saved times are met exactly.

    Args:
        state: State at ``times[0]``.
        times: Saved times, shape (T,).
        step: Longest step.
        advance: Takes (state, time, step) and advances the state in place.

    Returns:
        States at the times and the number of steps.

    Raises:
        ParameterError: If the step is not a positive number.
        ConvergenceError: If the state is no longer finite.
    """
    if not (math.isfinite(step) and step > 0):
        raise ParameterError(f"step must be a positive number, got {step!r}")
    states = np.empty((len(times), *state.shape))
    states[0] = state
    x = state.copy()
    total = 0
    for k, (start, stop) in enumerate(pairwise(times)):
        steps = max(1, math.ceil((stop - start) / step - 1e-9))
        h = float(stop - start) / steps
        for i in range(steps):
            advance(x, float(start) + i * h, h)
            if not np.isfinite(x).all():
                raise ConvergenceError(
                    f"the state is no longer finite at t = {start + (i + 1) * h:g}; "
                    f"take a step below {h:g}, or the model blows up"
                )
        total += steps
        states[k + 1] = x
    return states, total

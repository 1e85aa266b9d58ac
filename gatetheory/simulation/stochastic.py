"""Additive white noise in continuous time: the stochastic Heun scheme."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gatetheory.errors import ParameterError
from gatetheory.model import WhiteNoise
from gatetheory.simulation.draw import Seed, generator
from gatetheory.simulation.lowering import Array, as_double
from gatetheory.simulation.network import Network
from gatetheory.simulation.trajectory import march


@dataclass(frozen=True)
class StochasticHeun:
    """Heun's scheme for additive noise, with a fixed step.

    x* = x + a h + b ΔW,  x' = x + (a + a*) h/2 + b ΔW,  ΔW ~ N(0, h),  b = √(2D) ∂F/∂ξ.
    Averages converge with order 2 in the step, single paths with order 1.

    Args:
        step: Longest step.
        seed: Seed of the noise.
    """

    step: float
    seed: Seed = 0

    def run(self, network: Network, state: Array, times: Array) -> tuple[Array, int]:
        """States at the times, shape (T, fields, N), and the number of evaluations."""
        if network.model.time != "continuous":
            raise ParameterError(f"model {network.model.name} is a map; use Iteration()")
        rng = generator(self.seed)
        amplitudes = noise_amplitudes(network)
        slope, slope_next, ahead = (np.empty(state.shape) for _ in range(3))

        def advance(x: Array, t: float, h: float) -> None:
            white = rng.standard_normal((amplitudes.shape[1], network.units))
            kick = math.sqrt(h) * (amplitudes @ white)
            network.drift(x, t, out=slope)
            np.multiply(slope, h, out=ahead)
            np.add(ahead, x, out=ahead)
            np.add(ahead, kick, out=ahead)
            network.drift(ahead, t + h, out=slope_next)
            np.add(slope, slope_next, out=slope)
            np.multiply(slope, h / 2, out=slope)
            x += slope
            x += kick

        states, steps = march(state, times, self.step, advance)
        return states, 2 * steps


def noise_amplitudes(network: Network) -> Array:
    """√(2 D_w) ∂(dx_f/dt)/∂ξ_w, shape (number of fields with dynamics, number of noises).

    A model's noise is additive: the slopes contain parameters only.
    """
    noises = [i for i in network.model.inputs if isinstance(i, WhiteNoise)]
    slopes = [
        [
            as_double(network.unit.laws[f].diff(i.symbol).xreplace(dict(network.values)), "slope")
            for i in noises
        ]
        for f in network.unit.dynamic
    ]
    shape = (len(network.unit.dynamic), len(noises))
    return np.reshape(np.array(slopes), shape) * np.sqrt(2 * network.noise_intensities)

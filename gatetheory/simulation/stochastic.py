"""Additive white noise in continuous time: the stochastic Heun scheme."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gatetheory.errors import ParameterError
from gatetheory.model import WhiteNoise
from gatetheory.simulation.draw import Seed, generator
from gatetheory.simulation.lowering import Array, compile_kernel, define
from gatetheory.simulation.network import Network
from gatetheory.simulation.trajectory import march


@dataclass(frozen=True)
class StochasticHeun:
    """Heun's scheme for additive noise, with a fixed step.

    x* = x + a h + b ΔW,  x' = x + (a + a*) h/2 + (b + b*)/2 ΔW,  ΔW ~ N(0, h),  b = √(2D) ∂F/∂ξ.
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
            kick = rng.standard_normal((len(network.noise_intensities), network.units))
            kick *= math.sqrt(h)
            now, later = amplitudes(t), amplitudes(t + h)
            network.drift(x, t, out=slope)
            np.multiply(slope, h, out=ahead)
            np.add(ahead, x, out=ahead)
            np.add(ahead, now @ kick, out=ahead)
            network.drift(ahead, t + h, out=slope_next)
            np.add(slope, slope_next, out=slope)
            np.multiply(slope, h / 2, out=slope)
            x += slope
            x += (now + later) / 2 @ kick

        states, steps = march(state, times, self.step, advance)
        return states, 2 * steps


def noise_amplitudes(network: Network) -> Callable[[float], Array]:
    """√(2 D_w) ∂(dx_f/dt)/∂ξ_w as a function of time, shape (fields with dynamics, noises).

    A model's noise is additive: the slope contains inputs and parameters only.

    Raises:
        ParameterError: If an input that differs between units multiplies the noise.
    """
    model, unit = network.model, network.unit
    noises = [i.symbol for i in model.inputs if isinstance(i, WhiteNoise)]
    slopes = [unit.laws[f].diff(xi) for f in unit.dynamic for xi in noises]
    for s in set().union(*(slope.free_symbols for slope in slopes)):
        if s.name in network.static_inputs:
            raise ParameterError(
                f"input {s.name}, which differs between units, multiplies white noise; "
                "the simulator does not do that: add the two"
            )
    arguments = (*(i.symbol for i in model.inputs), *model.symbols.values())
    kernel = compile_kernel(arguments, tuple(define(e, model.definitions) for e in slopes))
    scale = np.sqrt(2 * network.noise_intensities)

    def amplitudes(time: float) -> Array:
        known = (*network.inputs(time), *network.parameters)
        values = kernel(known, np.empty((len(slopes), 1)))
        return values.reshape(len(unit.dynamic), -1) * scale

    return amplitudes

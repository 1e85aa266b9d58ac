"""The fixed-step schemes of the simulator, step by step forward and transposed.

Forward they are those of :mod:`gatetheory.simulation.schemes`. Back, each carries a covector
through the transpose of its own step, so that gradients are exact derivatives of what was computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gatetheory.simulation.adjoint_adams import AdamsScheme
from gatetheory.simulation.adjoint_steps import Point, Scheme, Step
from gatetheory.simulation.draw import Seed, generator
from gatetheory.simulation.ledger import Evaluation, Ledger
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.network import Network
from gatetheory.simulation.schemes import Method, check_method
from gatetheory.simulation.stochastic import noise_amplitudes

_TABLEAUX: dict[str, tuple[tuple[tuple[float, ...], ...], tuple[float, ...]]] = {
    "heun": (((), (1.0,)), (1 / 2, 1 / 2)),
    "rk4": (((), (1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
}


class MapScheme:
    """x(t+1) = F(x(t)), with noise of variance 2D at every step."""

    memory, stages = 0, 1

    def __init__(self, network: Network, seed: Seed) -> None:
        self.network = network
        self._rng = generator(seed)
        self._scale = np.sqrt(2 * network.noise_intensities)[:, None]

    def start(self, state: Array) -> Point:
        """The state, and where the noise starts."""
        return Point(state, noise=self._rng.bit_generator.state)

    def step(self, point: Point, time: float, length: float) -> tuple[Point, Step]:
        """One step."""
        noise = None
        if len(self._scale):
            self._rng.bit_generator.state = point.noise
            noise = self._scale * self._rng.standard_normal((len(self._scale), self.network.units))
        at = self.network.complete(point.state, time, noise)
        new = self.network.unit.law(self.network.arguments(at), np.empty(self.network.shape))
        after = Point(new, noise=self._rng.bit_generator.state)
        return after, Step(point.state, (Evaluation(at, time),), length)

    def back(self, step: Step, covector: list[Array], ledger: Ledger) -> list[Array]:
        """Its transpose."""
        return [ledger.through_law(step.evaluations[0], covector[0])]


class RungeKuttaScheme:
    """Heun's scheme, stochastic under white noise, and the classical one of order 4.

    p_i = x + h Σ_j a_ij f(p_j) + b ΔW (i > 1),  x' = x + h Σ_i b_i f(p_i) + b ΔW.
    """

    memory = 0

    def __init__(self, network: Network, method: str, seed: Seed) -> None:
        self.network = network
        self._rows, self._weights = _TABLEAUX[method]
        self.stages = len(self._weights)
        self._rng = generator(seed)
        self._amplitudes = noise_amplitudes(network) if network.is_noisy else None

    def start(self, state: Array) -> Point:
        """The state, and where the noise starts."""
        return Point(state, noise=self._rng.bit_generator.state)

    def step(self, point: Point, time: float, length: float) -> tuple[Point, Step]:
        """One step."""
        x, network = point.state, self.network
        kick, white = np.zeros(()), None
        if self._amplitudes is not None:
            self._rng.bit_generator.state = point.noise
            white = self._rng.standard_normal((self._amplitudes.shape[1], network.units))
            white *= math.sqrt(length)
            kick = self._amplitudes @ white
        slopes: list[Array] = []
        evaluations = []
        for row in self._rows:
            moved = x + kick if slopes else x
            moved = moved + length * _sum(row, slopes) if slopes else moved
            when = time + length * sum(row)
            at = network.complete(moved, when)
            evaluations.append(Evaluation(at, when))
            slopes.append(network.unit.law(network.arguments(at), np.empty(network.shape)))
        new = x + kick + length * _sum(self._weights, slopes)
        after = Point(new, noise=self._rng.bit_generator.state)
        return after, Step(x, tuple(evaluations), length, white=white)

    def back(self, step: Step, covector: list[Array], ledger: Ledger) -> list[Array]:
        """Its transpose, stage by stage from the last one."""
        (after,) = covector
        h = step.length
        slopes = [h * b * after for b in self._weights]
        before, kick = after.copy(), after.copy()
        for i in reversed(range(self.stages)):
            point = ledger.through_law(step.evaluations[i], slopes[i])
            before += point
            if i:
                kick += point
            for j, a in enumerate(self._rows[i]):
                if a:
                    slopes[j] += h * a * point
        if step.white is not None:
            ledger.by_parameter += ledger.slopes.through_noise(kick, step.white)
        return [before]


def make_scheme(network: Network, method: Method, step: float, seed: Seed) -> Scheme:
    """A scheme with its transpose.

    Args:
        network: The network.
        method: Name of the scheme.
        step: Its step; read by multistep schemes only.
        seed: Seed of the noise.

    Raises:
        ParameterError: If the scheme is not made for such a network.
    """
    check_method(network, method)
    if method == "iterate":
        return MapScheme(network, seed)
    if method in _TABLEAUX:
        return RungeKuttaScheme(network, method, seed)
    return AdamsScheme(network, method, step)


def _sum(weights: Sequence[float], arrays: Sequence[Array]) -> Array:
    total = np.zeros_like(arrays[0])
    for w, array in zip(weights, arrays, strict=False):
        if w:
            total += w * array
    return total

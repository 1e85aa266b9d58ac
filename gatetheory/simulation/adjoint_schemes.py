"""The fixed-step schemes of the simulator, step by step forward and transposed.

Forward they are those of :mod:`gatetheory.simulation.schemes`. Back, each carries a covector
through the transpose of its own step, so that gradients are exact derivatives of what was computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from gatetheory.simulation.bundle_source import compile_bundle
from gatetheory.simulation.draw import Seed, generator
from gatetheory.simulation.ledger import Evaluation, Ledger
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.network import Network
from gatetheory.simulation.schemes import Method, adams_weights, check_method
from gatetheory.simulation.stochastic import noise_amplitudes

_TABLEAUX: dict[str, tuple[tuple[tuple[float, ...], ...], tuple[float, ...]]] = {
    "heun": (((), (1.0,)), (1 / 2, 1 / 2)),
    "rk4": (((), (1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
}


@dataclass(frozen=True, eq=False)
class Point:
    """All that the next step reads.

    Args:
        state: Shape (F, N).
        memory: Rates of earlier steps, the newest first, shape (F, N) each.
        noise: State of the noise's generator, or None.
    """

    state: Array
    memory: tuple[Array, ...] = ()
    noise: Any = None


@dataclass(frozen=True, eq=False)
class Step:
    """What the transposed step reads.

    Args:
        before: State before.
        evaluations: The law's evaluations in turn, the first of them at the state before.
        length: Length h of the step.
        rates: Rates that a multistep scheme combined, the newest first.
        white: ΔW of a kick of white noise, shape (W, N), or None.
    """

    before: Array
    evaluations: tuple[Evaluation, ...]
    length: float
    rates: tuple[Array, ...] = ()
    white: Array | None = None


class Scheme(Protocol):
    """A scheme with its transpose."""

    @property
    def memory(self) -> int:
        """Number of earlier rates that a step reads."""
        ...

    @property
    def stages(self) -> int:
        """Evaluations of the law in a step."""
        ...

    def start(self, state: Array) -> Point:
        """The point that a run starts from."""
        ...

    def step(self, point: Point, time: float, length: float) -> tuple[Point, Step]:
        """One step."""
        ...

    def back(self, step: Step, covector: list[Array], ledger: Ledger) -> list[Array]:
        """The transposed step.

        Args:
            step: The step.
            covector: Of the state after it and of the rates in its memory, the newest first,
                shape (F, k, N) each.
            ledger: Carries covectors through the law, and books.

        Returns:
            The same before the step.
        """
        ...


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


class AdamsScheme:
    """Adams–Bashforth, exponential where constant leaks a are split off; see ``schemes.Adams``.

    x' = e^{ah} x + h Σ_j w_j(ah) N_{n-j},  N = F - a x. A derivative by the state takes the rates
    remembered from before as given. A leak may depend on parameters, through e^{ah} and w_j too.
    """

    stages = 1

    def __init__(self, network: Network, method: str, step: float) -> None:
        self.network, self.length = network, step
        self.order = int(method[-1])
        self.memory = self.order - 1
        exponential = method.startswith("exponential")
        program = compile_bundle(network.unit, False, False, exponential)
        self._expressions = program.leak
        values = dict(network.values)
        self._leak = np.array([float(e.xreplace(values)) for e in program.leak])
        tables = [adams_weights(a * step, self.order) for a in self._leak]
        self._decay = np.array([decay for decay, _ in tables])[:, None]
        self._weights = [
            np.array([rows[known] for _, rows in tables]) for known in range(self.order)
        ]
        slopes = [_weight_slopes(a * step, self.order) for a in self._leak]
        self._weight_slopes = [
            np.array([rows[known] for rows in slopes]) for known in range(self.order)
        ]

    def start(self, state: Array) -> Point:
        """The state; the first steps have no memory and are of lower order."""
        return Point(state)

    def step(self, point: Point, time: float, length: float) -> tuple[Point, Step]:
        """One step."""
        x, network = point.state, self.network
        at = network.complete(x, time)
        rate = network.unit.law(network.arguments(at), np.empty(network.shape))
        rates = (rate - self._leak[:, None] * x, *point.memory)
        new = self._decay * x
        for j, w in enumerate(self._weights[len(point.memory)].T):
            new = new + length * w[:, None] * rates[j]
        after = Point(new, rates[: self.memory])
        return after, Step(x, (Evaluation(at, time),), length, rates)

    def back(self, step: Step, covector: list[Array], ledger: Ledger) -> list[Array]:
        """Its transpose."""
        after, *remembered = covector
        known, h = len(step.rates) - 1, step.length
        on_rates = [h * w[:, None, None] * after for w in self._weights[known].T]
        for j, extra in enumerate(remembered[: known + 1]):
            on_rates[j] += extra
        leak = self._leak[:, None, None]
        newest = on_rates[0]
        before = self._decay[:, :, None] * after
        before += ledger.through_law(step.evaluations[0], newest) - leak * newest
        if self._leak.any() and len(ledger.slopes.names):
            x = step.before
            by_leak = h * self._decay * np.einsum("fkn,fn->fk", after, x)
            by_leak -= np.einsum("fkn,fn->fk", newest, x)
            for w, rate in zip(self._weight_slopes[known].T, step.rates, strict=True):
                by_leak += h**2 * w[:, None] * np.einsum("fkn,fn->fk", after, rate)
            ledger.by_parameter += ledger.slopes.of_numbers(self._expressions) @ by_leak
        older = on_rates[1:]
        nothing = [np.zeros_like(after)] * (self.memory - len(older))
        return [before, *older, *nothing]


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


def _weight_slopes(leak: float, order: int) -> list[Array]:
    """dw_j/d(ah): w_j = ∫₀¹ e^{(1-s)ah} ℓ_j(s) ds gives ∫₀¹ (1-s) e^{(1-s)ah} ℓ_j(s) ds."""
    nodes, mass = np.polynomial.legendre.leggauss(24)
    s = (nodes + 1) / 2
    kernel = mass / 2 * (1 - s) * np.exp((1 - s) * leak)
    found = []
    for count in range(1, order + 1):
        lagrange = [
            np.prod([(s + i) / (i - j) for i in range(count) if i != j], axis=0)
            for j in range(count)
        ]
        found.append(np.array([float(np.sum(kernel * values)) for values in lagrange]))
    return found

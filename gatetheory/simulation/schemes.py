"""One-step and multistep schemes with a fixed step for bundles of trajectories and vectors.

Every scheme is linear in the tangent vectors, so that marching the bundle marches the exact
derivative of the scheme itself (of a multistep scheme: with its memory of earlier rates).
"""

from __future__ import annotations

import math
from typing import Literal, Protocol, get_args

import numpy as np

from gatetheory.errors import ParameterError
from gatetheory.simulation.bundle import Bundle, BundleLaw, Precision
from gatetheory.simulation.draw import Seed, generator
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.network import Network
from gatetheory.simulation.stochastic import noise_amplitudes

Method = Literal[
    "iterate", "heun", "rk4", "ab2", "ab3", "ab4", "exponential1", "exponential2",
    "exponential3", "exponential4",
]  # fmt: skip


class Stepper(Protocol):
    """Marches one bundle."""

    @property
    def now(self) -> Bundle:
        """The bundle."""
        ...

    @property
    def memory(self) -> tuple[Bundle, ...]:
        """Every bundle that the next step reads, ``now`` among them.

        A change of basis of the tangent vectors has to be applied to all of them.
        """
        ...

    def advance(self, time: float) -> None:
        """One step, from time t."""
        ...


class Iterate:
    """x(t+1) = F(x(t)), with noise of variance 2D at every step."""

    def __init__(self, law: BundleLaw, seed: Seed) -> None:
        self.law, self.now, self._next = law, law.new(), law.new()
        self._rng = generator(seed)
        self._scale = np.sqrt(2 * law.network.noise_intensities)[:, None, None]

    @property
    def memory(self) -> tuple[Bundle, ...]:
        """The current bundle alone."""
        return (self.now,)

    def advance(self, time: float) -> None:
        """One step."""
        noise = None
        if len(self._scale):
            shape = (len(self._scale), *self.now.states.shape[1:])
            noise = (self._scale * self._rng.standard_normal(shape)).astype(self.law.dtype)
        self.law.evaluate(self.now, time, self._next, noise)
        self.now, self._next = self._next, self.now


class Heun:
    """Heun's scheme, stochastic under white noise; vectors see the same path of the noise."""

    def __init__(self, law: BundleLaw, step: float, seed: Seed) -> None:
        self.law, self.step, self.now = law, step, law.new()
        self.memory = (self.now,)
        self._slope, self._ahead, self._last = law.new(), law.new(), law.new()
        self._rng = generator(seed)
        amplitudes = math.sqrt(step) * noise_amplitudes(law.network)
        self._amplitudes = amplitudes if law.network.is_noisy else None

    def advance(self, time: float) -> None:
        """One step."""
        x, ahead, slope = self.now.array, self._ahead.array, self._slope.array
        self.law.evaluate(self.now, time, self._slope)
        np.multiply(slope, self.step, out=ahead)
        ahead += x
        if self._amplitudes is not None:
            shape = (self._amplitudes.shape[1], *self.now.states.shape[1:])
            kick = np.tensordot(self._amplitudes, self._rng.standard_normal(shape), 1)
            self._ahead.states[...] += kick
            self.now.states[...] += kick
        self.law.evaluate(self._ahead, time + self.step, self._last)
        slope += self._last.array
        slope *= self.step / 2
        x += slope


class RungeKutta:
    """The classical scheme of order 4."""

    def __init__(self, law: BundleLaw, step: float) -> None:
        self.law, self.step, self.now = law, step, law.new()
        self.memory = (self.now,)
        self._total, self._slope, self._point = law.new(), law.new(), law.new()

    def advance(self, time: float) -> None:
        """One step."""
        x, h, evaluate = self.now.array, self.step, self.law.evaluate
        total, slope, point = self._total.array, self._slope.array, self._point.array
        evaluate(self.now, time, self._total)
        for weight, node, last in ((2.0, h / 2, total), (2.0, h / 2, slope), (1.0, h, slope)):
            np.multiply(last, node, out=point)
            np.add(point, x, out=point)
            evaluate(self._point, time + node, self._slope)
            np.multiply(slope, weight, out=point)
            np.add(total, point, out=total)
        np.multiply(total, h / 6, out=point)
        np.add(x, point, out=x)


class Adams:
    """Adams–Bashforth: one evaluation a step; exponential where the law splits off a leak a.

    x' = e^{ah} x + h Σ_j w_j N(x_{n-j}),  w_j = ∫₀¹ e^{(1-s)ah} ℓ_j(s) ds, ℓ_j the Lagrange
    polynomials at s = 0, -1, …. The first steps use the orders that their memory allows.
    """

    def __init__(self, law: BundleLaw, step: float, order: int) -> None:
        self.law, self.step, self.order = law, step, order
        # now, then the rates of the last steps in turn: one array, so that a step is one product
        self._all: Array = np.zeros((1 + order, *law.shape), dtype=law.dtype)
        self.memory = tuple(Bundle(part, law.trajectories) for part in self._all)
        self.now = self.memory[0]
        self._next: Array = np.empty(law.shape, dtype=law.dtype)
        fields = len(law.leak)
        same = len(set(law.leak.tolist())) == 1
        ranges = [(0, fields)] if same else [(f, f + 1) for f in range(fields)]
        self._parts = [
            (
                self._all[0, i:j].reshape(-1),
                self._all[:, i:j].reshape(1 + order, -1),
                self._next[i:j].reshape(-1),
                self._rows(float(law.leak[i]) * step),
            )
            for i, j in ranges
        ]
        self._evaluate = [law.bound(self.now, rate) for rate in self.memory[1:]]
        self._steps = 0

    def advance(self, time: float) -> None:
        """One step."""
        slot = self._steps % self.order
        self._evaluate[slot](time)
        self.law.evaluations += 1
        known = min(self._steps, self.order - 1)
        for now, stacked, target, rows in self._parts:
            rows[known][slot].dot(stacked, target)
            now[...] = target
        self._steps += 1

    def _rows(self, leak: float) -> list[list[Array]]:
        """Weights of (now, memory), by the number of earlier rates known and the newest's slot."""
        decay, weights = adams_weights(leak, self.order)
        found = []
        for known, row in enumerate(weights):
            turned = []
            for slot in range(self.order):
                full = np.zeros(1 + self.order, dtype=self.law.dtype)
                full[0] = decay
                full[1 + (slot - np.arange(known + 1)) % self.order] = self.step * row
                turned.append(full)
            found.append(turned)
        return found


def adams_weights(leak: float, order: int) -> tuple[float, list[Array]]:
    """e^a and the weights w_j of an exponential Adams step, for every order up to one.

    Args:
        leak: a h, leak times step; 0 for Adams–Bashforth.
        order: Highest order.

    Returns:
        The decay, and for each order k = 1 … the weights of N_n, N_{n-1}, …, shape (k,).
    """
    nodes, mass = np.polynomial.legendre.leggauss(24)
    s = (nodes + 1) / 2
    kernel = mass / 2 * np.exp((1 - s) * leak)
    found = []
    for count in range(1, order + 1):
        lagrange = [
            np.prod([(s + i) / (i - j) for i in range(count) if i != j], axis=0)
            for j in range(count)
        ]
        found.append(np.array([float(np.sum(kernel * values)) for values in lagrange]))
    return math.exp(leak), found


def make_stepper(
    network: Network,
    method: Method,
    step: float,
    *,
    trajectories: int,
    tangents: int,
    precision: Precision = "double",
    seed: Seed = 0,
) -> tuple[Stepper, BundleLaw]:
    """A stepper with an empty bundle.

    Args:
        network: The network.
        method: Name of the scheme.
        step: Its step; not used by a map.
        trajectories: B.
        tangents: k.
        precision: Of states, vectors and matrices.
        seed: Seed of the noise.

    Raises:
        ParameterError: If the scheme is not made for such a network.
    """
    check_method(network, method)
    if not (math.isfinite(step) and step > 0):
        raise ParameterError(f"step must be a positive number, got {step!r}")
    law = BundleLaw(
        network,
        trajectories,
        tangents,
        precision=precision,
        split_leak=method.startswith("exponential"),
    )
    if method == "iterate":
        return Iterate(law, seed), law
    if method == "heun":
        return Heun(law, step, seed), law
    if method == "rk4":
        return RungeKutta(law, step), law
    return Adams(law, step, int(method[-1])), law


def check_method(network: Network, method: Method) -> None:
    """Refuse a scheme that is not made for a network.

    Raises:
        ParameterError: If there is no such scheme, or it does not fit time or noise of the model.
    """
    name = network.model.name
    if method not in get_args(Method):
        raise ParameterError(f"method must be one of {', '.join(get_args(Method))}, got {method!r}")
    if (network.model.time == "discrete") != (method == "iterate"):
        fit = "'iterate'" if network.model.time == "discrete" else "any but 'iterate'"
        raise ParameterError(f"method {method!r} does not fit the time of model {name}: use {fit}")
    if network.is_noisy and method not in ("iterate", "heun"):
        raise ParameterError(f"model {name} has white noise; use method='heun'")

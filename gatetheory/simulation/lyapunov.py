"""Lyapunov exponents of finite networks from tangent vectors and their QR decomposition."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import lapack
from threadpoolctl import ThreadpoolController

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.simulation.bundle import BundleLaw, Precision
from gatetheory.simulation.draw import Seed, check_count, generator
from gatetheory.simulation.linearization import linearize
from gatetheory.simulation.lowering import Array, as_double
from gatetheory.simulation.lyapunov_record import LyapunovSpectrum, check_exponents
from gatetheory.simulation.network import Network
from gatetheory.simulation.schemes import Method, Stepper, make_stepper

# Step times the fastest rate of a field alone, and times the spectral radius of the Jacobian.
_STEPS: dict[str, tuple[float, float]] = {
    "rk4": (0.4, 1.0),
    "heun": (0.1, 0.3),
    "ab2": (0.1, 0.25),
    "ab3": (0.1, 0.25),
    "ab4": (0.05, 0.12),
    "exponential1": (0.05, 0.12),
    "exponential2": (0.15, 0.4),
    "exponential3": (0.2, 0.5),
    "exponential4": (0.1, 0.25),
}
_POWERS = 12  # of the Jacobian, by which its spectral radius is estimated
_RESTARTS = 4  # with a shorter step
_SLOW = 1e-4  # relative rate below which a trajectory counts as resting
_SPREAD = 1e-3  # smallest over largest growth that Cholesky's factorisation may meet
_NARROW, _WIDE = 0.3, 0.01  # ... that lengthens, shortens the interval during the transient


def lyapunov_exponents(
    network: Network,
    initial: ArrayLike | None,
    duration: float,
    *,
    count: int = 1,
    transient: float | None = None,
    method: Method | None = None,
    step: float | None = None,
    trajectories: int = 1,
    renormalise_every: float | None = None,
    precision: Precision = "double",
    threads: int = 1,
    seed: Seed = 0,
    progress: Callable[[int, int], None] | None = None,
) -> LyapunovSpectrum:
    """The largest Lyapunov exponents of a network.

    Tangent vectors follow the derivative of the scheme itself and are made orthonormal at regular
    intervals; the logarithms of what that takes away are the growth (Benettin's algorithm). All
    trajectories and vectors share one matrix product per coupling and evaluation.

    Matrix products are what time goes into, so schemes were compared by products per unit of time.
    Bias of λ_max in percent, measured on common short segments (`classical`, g = 2, N = 200, 128
    trajectories; errors below 0.2 for biases below 0.5), by number of products per unit of time:

        ========================  =====  =====  =====  =====
        products per unit time      10     5      4      3
        ========================  =====  =====  =====  =====
        exponential3               0.03   0.18   0.32   0.7
        exponential2               0.4    1.4    2.2    --
        ab3                        0.02   0.08    --    --
        ab2                        0.15   0.6     --    --
        heun                       0.1    0.7    1.4    --
        rk4                        0.0   -0.1   -0.3    --
        ========================  =====  =====  =====  =====

    rk4 needs as few there, but its bias is -6 % at 4 products for g = 4, where exponential3 has
    0.0 ± 1.4. Single precision (7 digits) changes λ by less than the scatter of a run: its errors
    of rounding are far below those of the step. Gains above about 20 make slopes that a default
    step does not resolve (g = 30: λ a third too large); compare with half the step.

    Args:
        network: The network.
        initial: Initial states, shape (F, N) or (B, F, N); None draws them, of variance 1.
        duration: Time (steps) to average over.
        count: Number k of exponents.
        transient: Time (steps) before; states reach the attractor and vectors the leading
            directions. By default 50 times the longest time constant (500 steps), at least a tenth
            of the duration.
        method: Scheme. ``"exponential3"`` is the default of flows, ``"heun"`` under white noise,
            ``"iterate"`` the only one for maps.
        step: Step of the scheme; by default from :func:`default_step` at the initial state, and
            shortened if the state after the transient asks for it. Not used by a map.
        trajectories: B, if the initial states are drawn.
        renormalise_every: Time between QR decompositions; by default found during the transient.
        precision: ``"single"`` halves the traffic of matrices, and memory.
        threads: Threads that BLAS may use.
        seed: Seed of initial states, vectors and noise.
        progress: Called with (parts done, parts in all).

    Raises:
        ParameterError: For bad shapes, counts and numbers, or a scheme that does not fit.
        ConvergenceError: If a state or vector is no longer finite.
    """
    check_count("count", count)
    check_count("threads", threads)
    check_exponents(count, network.shape)
    states_rng, vectors_rng, noise_rng = generator(seed).spawn(3)
    noise_seed = int(noise_rng.integers(2**63))
    units = network.units
    states = initial_states(network, initial, trajectories, states_rng)
    discrete = network.model.time == "discrete"
    chosen: Method = method or default_method(network)
    before = default_transient(network, duration) if transient is None else transient
    for name, value, least in (("duration", duration, 0.0), ("transient", before, -1.0)):
        if not (math.isfinite(value) and value > least) or value < 0:
            raise ParameterError(f"{name} must be a positive number, got {value!r}")
    if renormalise_every is not None and not renormalise_every > 0:
        raise ParameterError(f"renormalise_every must be positive, got {renormalise_every!r}")
    length = 1.0 if discrete else step or default_step(network, states[0], chosen)
    vectors: Array = vectors_rng.standard_normal((network.shape[0], len(states), count, units))
    with limited_threads(threads), np.errstate(all="ignore"):
        for restart in range(_RESTARTS):
            stepper, law = make_stepper(
                network,
                chosen,
                length,
                trajectories=len(states),
                tangents=count,
                precision=precision,
                seed=np.random.default_rng(noise_seed),
            )
            stepper.now.states[...] = np.moveaxis(states, 0, 1)
            stepper.now.vectors[...] = vectors
            orthonormalise(stepper)
            run = _Run(stepper, length)
            every = renormalise_every or (10.0 if count == 1 else 1.0)
            interval = max(1, round(every / length))
            interval = run.settle(before, interval, renormalise_every is None and count > 1)
            if step is not None or discrete or restart == _RESTARTS - 1:
                break
            reached = np.asarray(stepper.now.states[:, 0], np.float64)
            allowed = default_step(network, reached, chosen)
            if allowed > 0.8 * length:
                break
            length = allowed
        times, rates = run.measure(duration, interval, progress)
        at_rest = is_at_rest(law, stepper)
    return LyapunovSpectrum(
        times=times,
        rates=rates,
        at_rest=at_rest,
        dimensions=states[0].size,
        method=chosen,
        step=length,
        precision=precision,
        evaluations=law.evaluations,
        products=law.evaluations * law.products,
        final=np.moveaxis(stepper.now.states, 1, 0).astype(np.float64),
    )


def limited_threads(threads: int) -> AbstractContextManager[Any]:
    """A context in which BLAS may use so many threads."""
    return cast("AbstractContextManager[Any]", _libraries().limit(limits=threads, user_api="blas"))


@lru_cache(maxsize=1)
def _libraries() -> Any:
    return ThreadpoolController()  # looks for the loaded libraries: 3 ms, once


class _Run:
    """Marches, and takes growth out of the vectors."""

    def __init__(self, stepper: Stepper, step: float) -> None:
        self.stepper, self.step = stepper, step
        self.steps = 0

    def march(self, steps: int) -> Array:
        """Advance; the logarithm of the growth of every direction, shape (B, k)."""
        advance, h = self.stepper.advance, self.step
        for i in range(self.steps, self.steps + steps):
            advance(i * h)
        self.steps += steps
        growth = orthonormalise(self.stepper)
        if not (np.isfinite(self.stepper.now.states).all() and np.isfinite(growth).all()):
            raise ConvergenceError(
                f"a state or tangent vector is no longer finite at t = {self.steps * h:g}: "
                f"take a step below {h:g} or renormalise more often, or the model blows up"
            )
        return growth

    def settle(self, duration: float, interval: int, adapt: bool) -> int:
        """The transient; returns the interval in steps."""
        left = round(duration / self.step)
        while left > 0:
            steps = min(left, interval)
            growth = self.march(steps)
            left -= steps
            spread = math.exp(float((growth.min(axis=1) - growth.max(axis=1)).min()))
            if adapt and steps == interval and spread < _WIDE:
                interval = max(1, interval // 2)
            elif adapt and steps == interval and spread > _NARROW and interval * self.step < 10:
                interval += max(1, interval // 4)
        return interval

    def measure(
        self, duration: float, interval: int, progress: Callable[[int, int], None] | None
    ) -> tuple[Array, Array]:
        """Times and rates of the intervals."""
        steps = max(1, round(duration / self.step))
        marks = [*range(interval, steps, interval), steps]
        rates, last = [], 0
        for i, mark in enumerate(marks):
            rates.append(self.march(mark - last) / ((mark - last) * self.step))
            last = mark
            if progress is not None:
                progress(i + 1, len(marks))
        return np.asarray(np.array(marks) * self.step, np.float64), np.asarray(rates)


def orthonormalise(stepper: Stepper) -> Array:
    """Make the tangent vectors of every trajectory orthonormal, in order.

    V = Q R; whatever else the scheme remembers of the vectors is multiplied by R⁻¹ too.

    Returns:
        ln R_ii, shape (B, k), in doubles.
    """
    vectors = stepper.now.vectors
    fields, trajectories, count, units = vectors.shape
    if count == 1:
        norms = np.sqrt(np.einsum("fbkn,fbkn->bk", vectors, vectors, dtype=np.float64))
        factors = (1 / norms)[:, :, None]
        for bundle in stepper.memory:
            np.multiply(bundle.vectors, factors, out=bundle.vectors, casting="same_kind")
        return np.asarray(np.log(norms))
    logs = np.empty((trajectories, count))
    for b in range(trajectories):
        rows = np.ascontiguousarray(vectors[:, b].swapaxes(0, 1), dtype=np.float64)
        factor = _triangle(rows.reshape(count, fields * units))
        diagonal = np.diagonal(factor)
        logs[b] = np.log(diagonal)
        inverse = lapack.dtrtri(factor, lower=1)[0].astype(vectors.dtype)
        for bundle in stepper.memory:
            part = bundle.vectors[:, b]
            part[...] = inverse @ part
    return logs


def _triangle(rows: Array) -> Array:
    """Lower triangle Rᵀ with positive diagonal, rows = Rᵀ Qᵀ."""
    try:
        factor = np.linalg.cholesky(rows @ rows.T)
        diagonal = np.diagonal(factor)
        if diagonal.min() > _SPREAD * diagonal.max():
            return np.asarray(factor, np.float64)
    except np.linalg.LinAlgError:
        pass
    upper = np.linalg.qr(rows.T, mode="r")
    signs = np.where(np.diagonal(upper) < 0, -1.0, 1.0)
    return np.asarray((signs[:, None] * upper).T)


def initial_states(
    network: Network, initial: ArrayLike | None, trajectories: int, rng: np.random.Generator
) -> Array:
    """States of shape (B, F, N).

    Raises:
        ParameterError: If their shape is wrong, or they are not finite.
    """
    check_count("trajectories", trajectories)
    if initial is None:
        return rng.standard_normal((trajectories, *network.shape))
    states = np.array(initial, dtype=np.float64)
    if states.ndim == 2:
        states = states[None]
    if states.shape[1:] != network.shape or not np.isfinite(states).all() or not len(states):
        raise ParameterError(
            f"initial states must be finite and of shape {network.shape} or (B, "
            f"{network.shape[0]}, {network.shape[1]}), got {np.shape(initial)}"
        )
    if trajectories not in (1, len(states)):
        raise ParameterError(
            f"trajectories = {trajectories}, but {len(states)} initial states are given: give as "
            "many, or None to draw them"
        )
    return states


def default_method(network: Network) -> Method:
    """``"iterate"`` for a map, ``"heun"`` under white noise, else ``"exponential3"``."""
    if network.model.time == "discrete":
        return "iterate"
    return "heun" if network.is_noisy else "exponential3"


def default_step(network: Network, state: Array, method: Method) -> float:
    """A step with little error in λ and a margin of stability, from the Jacobian at a state.

    An unstable multistep scheme need not blow up, as the nonlinearity bounds what oscillates.

    Args:
        network: The network.
        state: Shape (F, N).
        method: Scheme.
    """
    linear = linearize(network, state)
    own = [np.abs(a).max() for (f, g), a in linear.direct.items() if f == g]
    vector = np.random.default_rng(0).standard_normal(network.shape)
    logs = 0.0
    for _ in range(_POWERS):
        size = float(np.linalg.norm(vector))
        if size == 0 or not math.isfinite(size):
            break
        vector = linear.apply(vector / size)
        logs += math.log(max(float(np.linalg.norm(vector)), 1e-300))
    radius = math.exp(logs / _POWERS)
    fastest = max(1 / longest_time_constant(network), *map(float, own), 0.0)
    alone, together = _STEPS[method]
    return min(alone / fastest, together / radius)


def default_transient(network: Network, duration: float) -> float:
    """50 times the longest time constant (500 steps of a map), at least duration/10."""
    if network.model.time == "discrete":
        return float(max(500, math.ceil(duration / 10)))
    return max(50 * longest_time_constant(network), duration / 10)


def longest_time_constant(network: Network) -> float:
    """The longest time constant of a field; 1 if none has one."""
    values = dict(network.values)
    constants = (f.time_constant.xreplace(values) for f in network.model.fields)
    return max((as_double(tau, "time constant") for tau in constants if tau != 0), default=1.0)


def is_at_rest(law: BundleLaw, stepper: Stepper) -> tuple[bool, ...]:
    """Whether each trajectory rests: no entry changes by more than 1e-4 of the largest per time."""
    now = stepper.now
    if not law.network.is_autonomous:
        return (False,) * law.trajectories
    out = law.new()
    law.evaluate(now, 0.0, out)
    law.evaluations -= 1
    leak = law.leak.astype(law.dtype)[:, None, None]
    rate = out.states - now.states if law.is_map else out.states + leak * now.states
    size = 1 + np.abs(now.states).max(axis=(0, 2))
    speed = np.abs(rate).max(axis=(0, 2))
    return tuple((speed < _SLOW * size).tolist())

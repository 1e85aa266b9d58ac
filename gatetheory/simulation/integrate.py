"""Integrate a network in time: fixed-step Runge-Kutta, adaptive, and iteration of maps.

Matrix-vector products are bound by memory and one BLAS thread is the default: on an idle machine
with 2 cores two threads halve the time at N = 2000, but OpenBLAS threads spin, and on a busy one
two threads were measured 10 to 50 times slower than one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from threadpoolctl import threadpool_limits

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.simulation.draw import Seed, check_count, generator
from gatetheory.simulation.linearization import linearize
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.network import Network
from gatetheory.simulation.trajectory import Integrator, Trajectory, march

_solve_ivp: Any = solve_ivp  # its stubs know no options given as a mapping


@dataclass(frozen=True)
class RungeKutta4:
    """The classical Runge-Kutta scheme: error of order step⁴.

    Args:
        step: Longest step.
    """

    step: float

    def run(self, network: Network, state: Array, times: Array) -> tuple[Array, int]:
        """States at the times, shape (T, fields, N), and the number of evaluations."""
        _require_smooth_flow(network)
        slope, total, point = (np.empty(state.shape) for _ in range(3))

        def advance(x: Array, t: float, h: float) -> None:
            network.drift(x, t, out=total)
            for weight, node, last in ((2.0, h / 2, total), (2.0, h / 2, slope), (1.0, h, slope)):
                np.multiply(last, node, out=point)
                np.add(point, x, out=point)
                network.drift(point, t + node, out=slope)
                np.multiply(slope, weight, out=point)
                np.add(total, point, out=total)
            np.multiply(total, h / 6, out=point)
            np.add(x, point, out=x)

        states, steps = march(state, times, self.step, advance)
        return states, 4 * steps


@dataclass(frozen=True)
class Adaptive:
    """SciPy's ``solve_ivp``.

    Args:
        method: Any of its methods; the implicit ones get the Jacobian, dense.
        rtol: Relative tolerance.
        atol: Absolute tolerance.
        max_evaluations: Give up after as many evaluations of the laws.
    """

    method: str = "RK45"
    rtol: float = 1e-6
    atol: float = 1e-9
    max_evaluations: int = 1_000_000

    def run(self, network: Network, state: Array, times: Array) -> tuple[Array, int]:
        """States at the times, shape (T, fields, N), and the number of evaluations."""
        _require_smooth_flow(network)
        count = 0

        def rate(t: float, flat: Array) -> Array:
            nonlocal count
            count += 1
            if count > self.max_evaluations:
                raise ConvergenceError(
                    f"the adaptive integrator reached only t = {t:g} after {count - 1} "
                    "evaluations; the model may be stiff: try method='BDF' or a looser rtol"
                )
            return network.drift(flat.reshape(network.shape), t).ravel()

        if not np.isfinite(rate(float(times[0]), state.ravel())).all():
            raise ConvergenceError("the drift is not finite at the initial state")
        if len(times) == 1:
            return state[None].copy(), count
        implicit: dict[str, Any] = {}
        if self.method in ("BDF", "Radau", "LSODA"):
            implicit["jac"] = lambda t, flat: linearize(
                network, flat.reshape(network.shape), t
            ).dense()
        try:
            with np.errstate(all="ignore"):  # a trial step may overflow and is then refused
                solution = _solve_ivp(
                    rate,
                    (float(times[0]), float(times[-1])),
                    state.ravel(),
                    method=self.method,
                    t_eval=times,
                    rtol=self.rtol,
                    atol=self.atol,
                    **implicit,
                )
        except ValueError as error:
            raise ParameterError(f"scipy.integrate.solve_ivp: {error}") from error
        states = solution.y.T.reshape(-1, *network.shape)
        if not solution.success or not np.isfinite(states).all():
            reached = solution.t[-1] if len(solution.t) else times[0]
            raise ConvergenceError(
                f"the adaptive integrator stopped after t = {reached:g} ({solution.message}); "
                "the model may blow up, or jump: use RungeKutta4(step=...) for a step gate"
            )
        return states, count


@dataclass(frozen=True)
class Iteration:
    """Iterate a map; saved times count steps from the first one.

    Args:
        seed: Seed of the white noise, which has variance 2D at every step.
    """

    seed: Seed = 0

    def run(self, network: Network, state: Array, times: Array) -> tuple[Array, int]:
        """States at the times, shape (T, fields, N), and the number of evaluations."""
        if network.model.time != "discrete":
            raise ParameterError(f"model {network.model.name} is a flow; use RungeKutta4(step=...)")
        if not np.array_equal(times, np.round(times)):
            raise ParameterError("times of a map must be integers")
        rng = generator(self.seed)
        scale = np.sqrt(2 * network.noise_intensities)[:, None]

        def advance(x: Array, t: float, _: float) -> None:
            noise = scale * rng.standard_normal((len(scale), network.units))
            x[...] = network.update(x, t, noise)

        return march(state, times, 1.0, advance)


def integrate(
    network: Network,
    initial: ArrayLike,
    times: ArrayLike,
    method: Integrator | None = None,
    *,
    threads: int = 1,
) -> Trajectory:
    """Integrate a network.

    Args:
        network: The network.
        initial: State at the first time, shape (number of fields with dynamics, N).
        times: Times to save, increasing; the first is that of the initial state. Steps for a map.
        method: The algorithm: :class:`RungeKutta4`, :class:`Adaptive` (default of a flow),
            :class:`Iteration` (default of a map), :class:`StochasticHeun` (needed with white noise
            in continuous time).
        threads: Threads that BLAS may use.

    Raises:
        ParameterError: For a state of the wrong shape or not finite, times that do not increase,
            or an algorithm that is not made for such a network.
        ConvergenceError: If the state is no longer finite, or the tolerance cannot be met.
    """
    state = np.array(initial, dtype=np.float64)
    if state.shape != network.shape or not np.isfinite(state).all():
        raise ParameterError(
            f"the initial state must be finite and of shape {network.shape} "
            f"({', '.join(network.dynamic_fields)} by units), got shape {state.shape}"
        )
    saved = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if saved.ndim != 1 or not np.isfinite(saved).all() or not (np.diff(saved) > 0).all():
        raise ParameterError("times must be an increasing sequence of finite numbers")
    check_count("threads", threads)
    if method is None:
        method = Iteration() if network.model.time == "discrete" else Adaptive()
    with threadpool_limits(limits=threads, user_api="blas"):
        states, evaluations = method.run(network, state, saved)
    return Trajectory(saved, states, network.dynamic_fields, evaluations)


def _require_smooth_flow(network: Network) -> None:
    if network.model.time != "continuous":
        raise ParameterError(f"model {network.model.name} is a map; use Iteration()")
    if network.is_noisy:
        raise ParameterError(
            f"model {network.model.name} has white noise; use StochasticHeun(step=...)"
        )

"""RK4 of the gated network, N = 2000: time per step over the bare matrix-vector products it needs.

Run: ``python benchmarks/simulation_rk4.py``. The peer is what anyone must pay: four times a step,
J_h @ (N,) and the stacked [J_z; J_r] @ (N,), because z and r read the same signal. The two are
timed in turns, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from gatetheory.model import zoo
from gatetheory.simulation import RungeKutta4, draw_network, integrate, random_state


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(units: int, threads: int, steps: int, rounds: int) -> tuple[float, float]:
    """Best time of a step and of the products in it, in seconds."""
    network = draw_network(zoo.gated(), None, units, seed=0)
    state = random_state(network, seed=1)
    signal = np.ascontiguousarray(state[0])

    def products() -> None:
        with threadpool_limits(limits=threads, user_api="blas"):
            for _ in range(4 * steps):
                for stack in network.stacks:
                    stack @ signal

    def march() -> None:
        integrate(network, state, [0.0, 0.1 * steps], RungeKutta4(0.1), threads=threads)

    times = [(seconds(march), seconds(products)) for _ in range(rounds)]
    best = np.min(times, axis=0) / steps
    return float(best[0]), float(best[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{'N':>6} {'threads':>8} {'step / ms':>10} {'products / ms':>14} {'ratio':>6}")
    for units in options.units:
        for threads in options.threads:
            step, bare = measure(units, threads, options.steps, options.rounds)
            print(f"{units:6} {threads:8} {step * 1e3:10.2f} {bare * 1e3:14.2f} {step / bare:6.2f}")


if __name__ == "__main__":
    main()

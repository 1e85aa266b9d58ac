"""Lyapunov exponents of `classical` at g = 2, beside lyapax, chaotax and JiTCODE; one thread.

Run: ``python benchmarks/lyapunov_exponents.py --peers PYTHON``, PYTHON an interpreter that has the
peers (``pip install lyapax chaotax jitcode jax``); by default the one that runs this. A peer that
is not installed is left out with a message.

All get the same matrix, initial state and vectors, duration and transient, and the largest step
whose bias in λ is below 1% (``--bias`` measures it): the default scheme here with step 1/3, RK4
with step 1 for the peers on JAX, which leave the scheme to the user. JiTCODE adapts its step to a
tolerance of 1e-3. *first* is the wall time of the first run with whatever is compiled, *again* the
least processor time of several runs after it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gatetheory.model import zoo
from gatetheory.simulation import draw_network, lyapunov_exponents, random_state
from gatetheory.simulation.lyapunov import orthonormalise
from gatetheory.simulation.network import Network
from gatetheory.simulation.schemes import Stepper, make_stepper

GAIN, OWN_STEP, PEER_STEP = 2, 1 / 3, 1.0
PEERS = ("chaotax", "lyapax", "jitcode")


@dataclass(frozen=True)
class Work:
    """What to compute; also the time between QR decompositions."""

    units: int
    count: int
    duration: float
    renormalise_every: float

    def __str__(self) -> str:
        return f"N = {self.units}, {self.count} exponent(s), T = {self.duration:g}"


WORKS = (Work(200, 1, 1000, 10), Work(200, 50, 500, 5), Work(2000, 1, 500, 10))


def own(network: Network, state: np.ndarray, work: Work, precision: str, rounds: int) -> dict:
    def run() -> float:
        return lyapunov_exponents(
            network,
            state,
            work.duration,
            count=work.count,
            transient=work.duration / 10,
            method="exponential3",
            step=OWN_STEP,
            renormalise_every=work.renormalise_every,
            precision=precision,  # type: ignore[arg-type]
        ).largest

    start = time.perf_counter()
    run()
    first = time.perf_counter() - start
    times = []
    for _ in range(rounds):
        start = time.process_time()
        largest = run()
        times.append(time.process_time() - start)
    return {"first": first, "again": min(times), "largest": largest}


def peer(name: str, python: str, path: Path, work: Work, precision: str, rounds: int) -> dict:
    if name == "jitcode" and (work.units > 200 or work.count > 1):
        return {"missing": "would write out millions of terms in C: not tried"}
    if name == "jitcode" and precision == "single":
        return {"missing": "has doubles only"}
    job = {
        "count": work.count,
        "duration": work.duration,
        "transient": work.duration / 10,
        "renormalise_every": work.renormalise_every,
        "step": PEER_STEP,
        "gain": GAIN,
        "precision": precision,
        "rounds": rounds,
    }
    script = Path(__file__).with_name("lyapunov_peers.py")
    command = [python, str(script), name, str(path), json.dumps(job)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=240, check=False, cwd=path.parent
        )
    except subprocess.TimeoutExpired:
        return {"missing": "not done after 240 s"}
    if done.returncode:
        return {"missing": (done.stderr.strip().splitlines() or ["failed"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare(work: Work, precision: str, options: argparse.Namespace) -> None:
    network = draw_network(zoo.classical(), {"g": GAIN}, work.units, seed=1)
    state = random_state(network, 2)
    vectors = np.random.default_rng(3).standard_normal((work.count, work.units))
    print(f"\n{work}, {precision} precision", flush=True)
    rows = {"gatetheory": own(network, state, work, precision, options.rounds)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.npz"
        matrix = network.matrices[network.model.couplings[0].name]
        np.savez(path, J=matrix, state=state[0], vectors=vectors)
        for name in options.beside:
            rows[name] = peer(name, options.peers, path, work, precision, options.rounds)
    print(f"{'':>12} {'first / s':>10} {'again / s':>10} {'ratio':>6} {'lambda':>8}")
    base = rows["gatetheory"]["again"]
    for name, row in rows.items():
        if "missing" in row:
            print(f"{name:>12}  {row['missing']}", flush=True)
            continue
        line = f"{row['first']:10.3f} {row['again']:10.3f} {row['again'] / base:6.2f}"
        print(f"{name:>12} {line} {row['largest']:8.4f}", flush=True)


def bias(units: int, trajectories: int, segments: int) -> None:
    """Growth in the second half of common segments of length 20, beside RK4 with step 1/10."""
    network = draw_network(zoo.classical(), {"g": GAIN}, units, seed=1)
    cases = (("exponential3", OWN_STEP), ("rk4", PEER_STEP))
    exact = march(network, "rk4", 0.1, trajectories)
    exact.now.array[...] = np.random.default_rng(0).standard_normal(exact.now.array.shape)
    grow(exact, 0.1, 150.0)
    found: dict[str, list[np.ndarray]] = {name: [] for name, _ in cases}
    rates = []
    for _ in range(segments):
        start = exact.now.array.copy()
        grow(exact, 0.1, 10.0)
        rates.append(grow(exact, 0.1, 10.0))
        for name, step in cases:
            coarse = march(network, name, step, trajectories)
            coarse.now.array[...] = start
            grow(coarse, step, 10.0)
            found[name].append(grow(coarse, step, 10.0) - rates[-1])
    mean = np.mean(rates)
    print(f"\nbias in lambda = {mean:.4f}, N = {units}")
    for name, step in cases:
        errors = 100 * np.array(found[name]) / mean
        scatter = errors.std() / np.sqrt(errors.size)
        print(f"{name:>12}, step {step:.3g}: {errors.mean():6.2f}% ± {scatter:.2f}%")


def march(network: Network, method: str, step: float, trajectories: int) -> Stepper:
    return make_stepper(network, method, step, trajectories=trajectories, tangents=1)[0]  # type: ignore[arg-type]


def grow(stepper: Stepper, step: float, duration: float) -> np.ndarray:
    """Mean rate of growth of every vector."""
    orthonormalise(stepper)
    for i in range(round(duration / step)):
        stepper.advance(i * step)
    return orthonormalise(stepper)[:, 0] / duration


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", default=sys.executable, help="interpreter that has the peers")
    parser.add_argument("--beside", nargs="+", default=PEERS, choices=PEERS, help="which peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--works", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--precisions", nargs="+", default=["double", "single"])
    parser.add_argument("--bias", action="store_true", help="measure the bias of the steps")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if options.bias:
        bias(200, 128, 12)
    for number in options.works:
        for precision in options.precisions:
            compare(WORKS[number - 1], precision, options)


if __name__ == "__main__":
    main()

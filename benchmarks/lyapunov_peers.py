"""The works of ``lyapunov_exponents.py`` for one peer: started by it, in the peer's interpreter.

Needs NumPy and the peer, not gatetheory. Prints one line of JSON.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np

Run = Callable[[], np.ndarray]


def jax_run(peer: str, work: dict, arrays: dict[str, np.ndarray]) -> Run:
    """RK4 and the peer's own loop over tangent vectors, compiled as one program."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", work["precision"] == "double")
    dtype = jnp.float64 if work["precision"] == "double" else jnp.float32
    J, state, vectors = (jnp.asarray(arrays[k], dtype) for k in ("J", "state", "vectors"))
    h, gain, count = work["step"], work["gain"], work["count"]
    steps, before = round(work["duration"] / h), round(work["transient"] / h)

    def rhs(x):
        return -x + J @ jnp.tanh(gain * x)

    def step(x):
        k1 = rhs(x)
        k2 = rhs(x + h / 2 * k1)
        k3 = rhs(x + h / 2 * k2)
        k4 = rhs(x + h * k3)
        return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    if peer == "chaotax":
        import chaotax

        options = {"rollout_steps": steps, "warmup_steps": before, "discard_steps": 0, "dt": h}
        if count == 1:
            program = jax.jit(chaotax.lyapunov(step, **options))
            return lambda: np.ravel(program(state, vectors[0]).block_until_ready())
        program = chaotax.lyapunov_spectrum(step, num_exponents=count, **options)  # refuses jit
        return lambda: np.asarray(program(state, vectors).block_until_ready())
    import lyapax

    every = max(1, round(work["renormalise_every"] / h))
    program = jax.jit(
        lambda x: (
            lyapax.lyapunov_spectrum(
                step,
                x,
                dt=h,
                n_steps=steps // every * every,
                k=count,
                renorm_every=every,
                t_transient=before // every * every * h,
            ).exponents
        )
    )
    return lambda: np.asarray(program(state).block_until_ready())


def jitcode_run(work: dict, arrays: dict[str, np.ndarray]) -> Run:
    """C code with every matrix entry written out; adaptive Dormand–Prince."""
    import symengine
    from jitcode import jitcode_lyap, y

    J, state = arrays["J"], arrays["state"]
    n, gain = len(state), work["gain"]
    outputs = [symengine.Symbol(f"s{j}") for j in range(n)]
    helpers = [(s, symengine.tanh(gain * y(j))) for j, s in enumerate(outputs)]

    def rates():
        for i in range(n):
            yield symengine.Add(-y(i), *(float(J[i, j]) * outputs[j] for j in range(n)))

    system = jitcode_lyap(
        rates, helpers=helpers, n=n, n_lyap=work["count"], simplify=False, verbose=False
    )
    system.compile_C(extra_compile_args=["-O2", "-march=native"])

    def run() -> np.ndarray:
        system.set_integrator("dopri5", rtol=1e-3, atol=1e-3)
        system.set_initial_value(state, 0.0)
        every = work["renormalise_every"]
        marks = np.arange(every, work["transient"] + work["duration"] + every / 2, every)
        found = [system.integrate(t)[1] for t in marks]
        return np.mean(np.array(found)[marks > work["transient"]], axis=0)

    return run


def main() -> None:
    peer, path = sys.argv[1:3]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if importlib.util.find_spec(peer) is None:
        print(json.dumps({"missing": f"{peer} is not installed in {sys.executable}"}))
        return
    work = json.loads(sys.argv[3])
    arrays = dict(np.load(path))
    start = time.perf_counter()
    run = jitcode_run(work, arrays) if peer == "jitcode" else jax_run(peer, work, arrays)
    found = run()
    first = time.perf_counter() - start
    again = []
    for _ in range(work["rounds"]):
        start = time.process_time()
        found = run()
        again.append(time.process_time() - start)
    print(json.dumps({"first": first, "again": min(again), "largest": float(found[0])}))


if __name__ == "__main__":
    main()

"""Time to derive a theory: from the definition of a model to printable equations.

Run: ``python benchmarks/derivation.py``. Every line is a fresh interpreter, because SymPy caches
what it has simplified. The clock starts after the import, which is timed by itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import numpy as np

STAGES = ("import", "fixed points", "spectrum", "moments")
PROGRAM = """
import json, time
clock = [time.perf_counter()]
import gatetheory as gt
model, derive = gt.zoo.{model}(), gt.derive
clock.append(time.perf_counter())
theory = derive(model)
theory.fixed_points
clock.append(time.perf_counter())
theory.spectrum
clock.append(time.perf_counter())
if all(not f.is_algebraic for f in model.fields):
    theory.moments
clock.append(time.perf_counter())
print(json.dumps([b - a for a, b in zip(clock, clock[1:])]))
"""


def measure(model: str) -> list[float]:
    """Seconds of every stage, in an interpreter of its own."""
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(model=model)],
        check=True,
        capture_output=True,
        text=True,
    )
    times: list[float] = json.loads(answer.stdout)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["gated", "classical", "gru"])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{'seconds':>10}" + "".join(f"{s:>14}" for s in STAGES) + f"{'first two':>14}")
    for model in options.models:
        best = np.min([measure(model) for _ in range(options.rounds)], axis=0)
        times = "".join(f"{t:14.2f}" for t in best)
        print(f"{model:>10}{times}{best[1] + best[2]:14.2f}")


if __name__ == "__main__":
    main()

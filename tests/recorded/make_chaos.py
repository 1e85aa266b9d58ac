"""Simulate chaotic networks at several sizes and record what was seen in ``chaos.json``.

Run: ``python tests/recorded/make_chaos.py [CASE …]`` (about an hour on one core; cases that are
already recorded are kept unless named). Every number is an average over one network's
trajectories; standard errors are taken over networks, and N → ∞ by extrapolation in 1/N, by those
who read the file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from gatetheory.model import zoo
from gatetheory.simulation import correlations, draw_network, lyapunov_exponents

OUT = Path(__file__).with_name("chaos.json")
UNITS = (500, 1000, 2000)
NETWORKS = 16
CASES: dict[str, dict[str, Any]] = {
    "gated": {"model": "gated", "at": {}, "transient": 120, "duration": 200, "lags": 40.0},
    "gru": {"model": "gru", "at": {}, "transient": 400, "duration": 600, "lags": 60},
    "gated_slow_2": {
        "model": "gated",
        "at": {"g_h": 3, "alpha_r": 1, "alpha_z": 2, "tau_z": 1, "tau_r": 1},
        "transient": 150,
        "duration": 240,
        "lags": 60.0,
    },
    "gated_slow_5": {
        "model": "gated",
        "at": {"g_h": 3, "alpha_r": 1, "alpha_z": 5, "tau_z": 1, "tau_r": 1},
        "transient": 300,
        "duration": 300,
        "lags": 80.0,
    },
}


def observe(case: dict[str, Any], units: int, seed: int, trajectories: int = 8) -> dict[str, Any]:
    """One network: exponent, equal-time values, a few lags, and the change between both halves."""
    model = getattr(zoo, case["model"])()
    network = draw_network(model, case["at"], units, np.random.SeedSequence([seed, units]))
    growth = lyapunov_exponents(
        network, None, case["duration"], transient=case["transient"],
        trajectories=trajectories, precision="single", seed=seed,
    )  # fmt: skip
    discrete = model.time == "discrete"
    found = correlations(
        network, growth.final, case["duration"], transient=0, longest_lag=case["lags"],
        lag_step=1 if discrete else 1.0, precision="single", seed=seed,
    )  # fmt: skip
    halves = {n: [float(h.mean(axis=0)[0]) for h in found.halves[n]] for n in found.names}
    return {
        "lambda": growth.largest,
        "values": {n: float(found[n][0]) for n in found.names},
        "halves": halves,
        "C_h": [round(float(c), 8) for c in found["C_h"][::4]],
        "at_rest": sum(growth.at_rest),
    }


def main(names: list[str]) -> None:
    """Record the cases, one network after the other; what is there is kept."""
    data = json.loads(OUT.read_text()) if OUT.exists() else {}
    for name in names or [c for c in CASES if c not in data]:
        case = CASES[name]
        entry = {"model": case["model"], "at": case["at"], "lag_step": 4.0, "networks": {}}
        for units in UNITS:
            rows = []
            for seed in range(NETWORKS):
                rows.append(observe(case, units, seed))
                print(name, units, seed, rows[-1]["lambda"], rows[-1]["values"]["C_h"], flush=True)
            entry["networks"][str(units)] = rows
        data[name] = entry
        OUT.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

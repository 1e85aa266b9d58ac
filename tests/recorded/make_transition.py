"""Simulate large networks on both sides of the onset of chaos and record what becomes of them.

Run: ``python tests/recorded/make_transition.py`` (about half an hour on one core). At α_r = 10,
τ_r = 1 the chaotic state is predicted to appear in a fold at g_h = 1.8576404, below the instability
of the zero state at 2. Every network starts far from rest. Recorded in ``transition.json``, per
gain and network: ⟨h²⟩ over the last stretch, of all trajectories, how many of them came to rest,
and the largest Lyapunov exponent.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from gatetheory.model import zoo
from gatetheory.simulation import correlations, draw_network, lyapunov_exponents

OUT = Path(__file__).with_name("transition.json")
UNITS, NETWORKS, TRAJECTORIES = 4000, 3, 4
FIXED = {"alpha_r": 10, "tau_r": 1}
GAINS = ("1.80", "1.92", "1.76", "1.96", "1.84", "1.88")
TRANSIENT, DURATION, LAST = 250, 150, 60


def observe(gain: str, seed: int) -> dict[str, float]:
    """One network from a large state on."""
    model = zoo.gated()
    network = draw_network(model, FIXED | {"g_h": gain}, UNITS, np.random.SeedSequence([seed]))
    growth = lyapunov_exponents(
        network, None, DURATION, transient=TRANSIENT, trajectories=TRAJECTORIES,
        precision="single", seed=seed,
    )  # fmt: skip
    seen = correlations(
        network, growth.final, LAST, transient=0, longest_lag=4.0, lag_step=1.0,
        precision="single", seed=seed,
    )  # fmt: skip
    return {
        "C_h": float(seen["C_h"][0]),
        "lambda": float(growth.largest),
        "at_rest": int(sum(growth.at_rest)),
    }


def main() -> None:
    """Record gain after gain; what is there is kept."""
    data = json.loads(OUT.read_text()) if OUT.exists() else {}
    data |= {"at": FIXED, "units": UNITS, "trajectories": TRAJECTORIES}
    networks = data.setdefault("gains", {})
    for gain in GAINS:
        rows = networks.setdefault(gain, [])
        for seed in range(len(rows), NETWORKS):
            rows.append(observe(gain, seed))
            print(gain, seed, rows[-1], flush=True)
            OUT.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()

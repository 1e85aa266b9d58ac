"""What is left of |λ|² in networks at rest behind an update gate, in ``gradient_norms.json``.

Run: ``python tests/recorded/make_gradient_norms.py`` (two minutes on one core). Units whose gate is
nearly closed take hundreds of units of time to come to rest: a transient of 100 leaves |λ(0)|² at
T = 40 a seventh too high. Rows are networks, columns horizons.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from gatetheory.model import zoo
from gatetheory.simulation import simulate_gradients

OUT = Path(__file__).with_name("gradient_norms.json")
AT = {"g_h": "1.48", "beta_h": "1/2", "alpha_z": "10"}
HORIZONS = (5, 20, 40)
UNITS, NETWORKS, SEEDS = 1000, 4, (11, 12, 13)
TRANSIENT, STEP, DRAWS = 800, 0.8, 16


def main() -> None:
    """Simulate all networks and write the file."""
    norms = []
    for seed in SEEDS:
        found = simulate_gradients(
            zoo.gated(), AT, UNITS, HORIZONS, NETWORKS, draws=DRAWS, windows=1, couplings=False,
            parameters=[], transient=TRANSIENT, step=STEP, seed=seed,
        )  # fmt: skip
        norms += [[float(f"{v:.7g}") for v in row] for row in found.norms]
        print(found, flush=True)
    data = {
        "model": "gated", "at": AT, "horizons": list(HORIZONS), "units": UNITS, "draws": DRAWS,
        "transient": TRANSIENT, "step": STEP, "norms": norms,
    }  # fmt: skip
    text = json.dumps(data, indent=1)
    OUT.write_text(re.sub(r"\[[^\[\]{}]*\]", lambda m: re.sub(r"\s+", " ", m.group()), text) + "\n")


if __name__ == "__main__":
    main()

"""Gradients in simulated networks, recorded in ``gradients.json``.

Run: ``python tests/recorded/make_gradients.py [CASE …]`` (about half an hour on one core; what is
already recorded is kept unless its case is named). Every number belongs to one network, averaged
over draws of the loss and over windows of the trajectory: rows are networks, columns horizons.
Standard errors are taken over networks, and N → ∞ by extrapolation in 1/N, by those who read the
file.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gatetheory.model import zoo
from gatetheory.simulation import GradientObservation, simulate_gradients

OUT = Path(__file__).with_name("gradients.json")
NETWORKS = 16
CASES: dict[str, dict[str, Any]] = {
    "gated": {
        "model": "gated", "at": {}, "horizons": [2, 5, 10], "units": [1000, 500],
        "draws": 32, "windows": 4, "growth_window": 150, "step": 0.4,
    },
    "gated_rest": {
        "model": "gated", "at": {"g_h": "1.48", "beta_h": "1/2"},
        "horizons": [2, 5, 10, 20, 40], "units": [1000, 500],
        "draws": 32, "windows": 1, "step": 0.4,
    },
    "gru": {
        "model": "gru", "at": {}, "horizons": [5, 10], "units": [1000, 500],
        "draws": 32, "windows": 4,
    },
    "gated_slow_2": {
        "model": "gated", "at": {"g_h": 3, "alpha_r": 1, "alpha_z": 2, "tau_z": 1, "tau_r": 1},
        "horizons": [2, 5, 10], "units": [1000, 500],
        "draws": 32, "windows": 3, "transient": 80, "step": 0.3,
    },
    "gated_large": {
        "model": "gated", "at": {}, "horizons": [2, 5], "units": [2000], "networks": 4,
        "draws": 8, "windows": 1, "growth_window": 120, "transient": 60, "step": 0.4,
    },
}  # fmt: skip


def observe(case: Mapping[str, Any], units: int) -> dict[str, Any]:
    """All networks of one size."""

    def progress(done: int, count: int) -> None:
        print(case["model"], case["at"], units, f"{done}/{count}", flush=True)

    found = simulate_gradients(
        getattr(zoo, case["model"])(), case["at"], units, case["horizons"],
        case.get("networks", NETWORKS), draws=case["draws"], windows=case["windows"],
        growth_window=case.get("growth_window"), transient=case.get("transient"),
        step=case.get("step"),
        spacing=1000, seed=units, progress=progress,
    )  # fmt: skip
    print(found, flush=True)
    return {
        "statuses": found.statuses,
        "step": found.step,
        "method": found.method,
        "squares": rows(found.squares),
        "parameter_squares": rows(found.parameter_squares),
        "norms": rows({"": found.norms})[""],
        "growth": growth(found),
    }


def rows(table: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Networks by horizons, with seven digits."""
    return {name: [[float(f"{v:.7g}") for v in row] for row in a] for name, a in table.items()}


def growth(found: GradientObservation) -> list[float]:
    """Growth exponents of |λ|², one a network."""
    return [] if found.growth is None else [float(f"{v:.7g}") for v in found.growth]


def write(data: Mapping[str, Any]) -> None:
    """Write the file, innermost lists on one line."""
    text = json.dumps(data, indent=1)
    flat = re.sub(r"\[[^\[\]{}]*\]", lambda m: re.sub(r"\s+", " ", m.group()), text)
    OUT.write_text(flat + "\n")


def main(names: list[str]) -> None:
    """Record the cases, one size after the other; what is there is kept."""
    data = json.loads(OUT.read_text()) if OUT.exists() else {}
    for name in names:
        data.pop(name, None)
    for turn in (0, 1):  # every case at its first size, then at its second
        for name in names or CASES:
            case = CASES[name]
            settings = {k: v for k, v in case.items() if k not in ("units", "step")}
            entry = data.setdefault(name, settings | {"sizes": {}})
            for units in case["units"][turn : turn + 1]:
                if str(units) not in entry["sizes"]:
                    entry["sizes"][str(units)] = observe(case, units)
                    write(data)


if __name__ == "__main__":
    main(sys.argv[1:])

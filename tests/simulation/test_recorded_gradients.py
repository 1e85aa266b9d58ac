"""Recorded gradients: errors small enough to be of use, and growth backward as forward.

``tests/recorded/make_gradients.py`` made the record; that of the forward exponents is older and has
networks of its own.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatetheory.simulation import estimate, z_score

FOLDER = Path(__file__).parents[1] / "recorded"
RECORD = json.loads((FOLDER / "gradients.json").read_text())
FORWARD = json.loads((FOLDER / "chaos.json").read_text())
LARGEST = [(name, str(max(map(int, case["sizes"])))) for name, case in RECORD.items()]


@pytest.mark.parametrize(("name", "units"), [c for c in LARGEST if c[0] != "gated_large"])
def test_standard_errors_are_small(name: str, units: str) -> None:
    found: dict[str, Any] = RECORD[name]["sizes"][units]
    assert len(found["statuses"]) == 16
    for coupling, rows in found["squares"].items():
        for column in np.array(rows).T:
            seen = estimate(column)
            if RECORD[name]["at"].get("alpha_z", 0) == 0 and name != "gru" and coupling == "z":
                assert seen.mean == 0  # the gate is constant: nothing reads z
            else:
                allowed = 0.1 if coupling == "z" else 0.05  # a gate's share scatters more
                assert 0 < seen.stderr < allowed * seen.mean


@pytest.mark.parametrize("units", list(RECORD["gated"]["sizes"]))
def test_covectors_grow_backward_as_vectors_grow_forward(units: str) -> None:
    backward = estimate(RECORD["gated"]["sizes"][units]["growth"])
    forward = estimate([2 * row["lambda"] for row in FORWARD["gated"]["networks"][units]])
    assert backward.stderr < 0.03 * backward.mean
    assert abs(z_score(backward.mean, backward.stderr, forward.mean, forward.stderr)) < 3

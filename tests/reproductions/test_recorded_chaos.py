"""Recorded networks of three sizes, extrapolated in 1/N, beside the theory of the chaotic state.

``tests/recorded/make_chaos.py`` made the record: 16 networks each of 500, 1000 and 2000 units.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

import gatetheory as gt
from gatetheory.simulation import Extrapolation, estimate, extrapolate

RECORD = json.loads((Path(__file__).parents[1] / "recorded" / "chaos.json").read_text())


def limit(case: str, quantity: str) -> Extrapolation:
    """N → ∞ of a recorded quantity."""
    sizes = {}
    for units, rows in RECORD[case]["networks"].items():
        found = [r["lambda"] if quantity == "lambda" else r["values"][quantity] for r in rows]
        sizes[int(units)] = estimate(found)
    return extrapolate(sizes)


@pytest.mark.parametrize("quantity", ["C_h", "C_phi", "C_r", "lambda"])
def test_gated_with_a_constant_gate(quantity: str) -> None:
    theory = gt.derive(gt.zoo.gated())
    seen = limit("gated", quantity)
    if quantity == "lambda":
        value, allowed = gt.solve(theory.lyapunov).value, 0.03
    else:
        value, allowed = gt.solve(theory.correlations)[-1][quantity], 0.01
    assert seen.stderr < allowed * abs(value)
    assert abs(seen.z_score(value)) < 3


def test_networks_are_biased() -> None:
    """The check above has teeth: without extrapolation 2000 units are far off in λ."""
    theory = gt.derive(gt.zoo.gated())
    largest = estimate([r["lambda"] for r in RECORD["gated"]["networks"]["2000"]])
    assert abs(largest.z_score(gt.solve(theory.lyapunov).value)) > 5


@pytest.mark.parametrize("case", ["gated_slow_2", "gated_slow_5"])
def test_factorized_is_off_where_the_gate_fluctuates(case: str) -> None:
    """C(0) is within a few percent, λ_max is not: what the notebook warns of."""
    theory = gt.derive(gt.zoo.gated())
    at: dict[str, Any] = RECORD[case]["at"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.AssumptionWarning)
        found = gt.solve(theory.lyapunov, at, closure="factorized")
    assert found.correlations[-1]["C_h"] == pytest.approx(limit(case, "C_h").value, rel=0.05)
    assert limit(case, "lambda").z_score(found.value) < -5


@pytest.mark.slow
def test_gru_by_sampling() -> None:
    theory = gt.derive(gt.zoo.gru())
    found = gt.solve(theory.correlations, accuracy=0.01)
    seen = limit("gru", "C_h")
    assert found.status == "ok"
    assert found.errors["C_h"] < 0.02 * found["C_h"]
    assert abs(seen.z_score(found["C_h"], found.errors["C_h"])) < 3.5

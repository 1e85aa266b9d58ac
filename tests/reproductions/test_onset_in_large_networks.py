"""Networks of 4000 units on both sides of the discontinuous onset of chaos at α_r = 10.

``tests/recorded/make_transition.py`` made the record: three networks for each gain, every one
started far from rest. The theory's onset is a fold; the zero state loses stability at g_h = 2.
"""

import json
from pathlib import Path

import pytest

import gatetheory as gt
from gatetheory.simulation import estimate

RECORD = json.loads((Path(__file__).parents[1] / "recorded" / "transition.json").read_text())
GAINS = sorted(RECORD["gains"], key=float)
THEORY = gt.derive(gt.zoo.gated())
QUIET = {"C_h": 1e-6}


def rows(gain: str, quantity: str) -> list[float]:
    return [r[quantity] for r in RECORD["gains"][gain]]


@pytest.mark.slow
def test_activity_is_sustained_from_the_fold_on() -> None:
    found = gt.find_transition(THEORY, "chaos", "g_h", RECORD["at"], between=("1.7", "2.1"))
    assert found[0].kind == "fold"
    quiet = [g for g in GAINS if max(rows(g, "C_h")) < QUIET["C_h"]]
    active = [g for g in GAINS if min(rows(g, "C_h")) > found[0].at["C_h"]]
    assert sorted(quiet + active, key=float) == GAINS
    assert float(quiet[-1]) < found.value < float(active[0])
    assert float(active[-1]) < 2


@pytest.mark.parametrize("gain", [g for g in GAINS if float(g) < 1.85])
def test_decay_is_that_of_the_zero_state(gain: str) -> None:
    zero = gt.solve(THEORY.fixed_points, {**RECORD["at"], "g_h": gain})[0]
    assert zero["Delta_h"] == 0
    abscissa = gt.solve(THEORY.spectrum, {**RECORD["at"], "g_h": gain}, branch=0).value
    assert estimate(rows(gain, "lambda")).mean == pytest.approx(abscissa, abs=0.015)
    assert all(r["at_rest"] == RECORD["trajectories"] for r in RECORD["gains"][gain])


@pytest.mark.parametrize("gain", [g for g in GAINS if float(g) > 1.86])
@pytest.mark.slow
def test_activity_is_that_of_the_chaotic_state(gain: str) -> None:
    """λ_max jumps from below zero; finite networks stay below its limit, by less with distance."""
    found = gt.solve(THEORY.lyapunov, {**RECORD["at"], "g_h": gain})
    chaos = found.correlations[-1]
    size, growth = (estimate(rows(gain, q)) for q in ("C_h", "lambda"))
    assert abs(size.z_score(chaos["C_h"])) < 3
    assert 0.85 * found.value < growth.mean < 1.02 * found.value

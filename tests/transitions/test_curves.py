"""Transitions followed in a second parameter."""

import json
from pathlib import Path

import numpy as np
import pytest

import gatetheory as gt
from gatetheory.cli import main


@pytest.mark.slow
def test_a_fold_curve_passes_through_folds(gated: gt.Theory) -> None:
    (curve,) = gt.trace_transition(
        gated, "fold", "g_h", "alpha_r", between=(1, 3), over_between=(1, 20)
    )
    assert set(curve.ends) == {"range", "zero"}  # the zero end is the static tricritical point
    assert curve.second.min() == pytest.approx(np.sqrt(8), abs=1e-5)
    order = np.argsort(curve.second)
    for alpha_r, known in ((4, 1.963831344979071792), (10, 1.753983206535073887)):
        near = np.interp(alpha_r, curve.second[order], curve.first[order])
        assert near == pytest.approx(known, abs=2e-3)
    k = len(order) // 2
    alpha_r, g_h = float(curve.second[k]), float(curve.first[k])
    exact = gt.find_transition(gated, "fold", "g_h", {"alpha_r": repr(alpha_r)})
    assert g_h == pytest.approx(float(exact.value), rel=1e-10)


@pytest.mark.slow
def test_turning_points_are_passed(gated: gt.Theory) -> None:
    """With a bias the folds form a curve that turns back in β_h: two folds at one bias."""
    curves = gt.trace_transition(
        gated, "fold", "g_h", "beta_h", {"alpha_r": 10},
        between=(1, 3), over_between=("1/1000", "1/10"),
    )  # fmt: skip
    longest = max(curves, key=lambda c: len(c.first))
    turns = np.flatnonzero(np.diff(np.sign(np.diff(longest.second))))
    assert len(turns) >= 1
    cusp = longest.second[turns[0] + 1]
    inside, outside = (
        gt.find_transition(gated, "fold", "g_h", {"alpha_r": 10, "beta_h": repr(float(b))})
        for b in (0.8 * cusp, 1.2 * cusp)
    )
    assert len(inside) == 2
    assert outside.status == "no_solution"


def test_the_zero_state_as_a_curve(gated: gt.Theory) -> None:
    (curve,) = gt.trace_transition(
        gated, "zero-state", "g_h", "beta_r", between=(1, 10), over_between=(-2, 3)
    )
    np.testing.assert_allclose(curve.first, 1 + np.exp(curve.second), rtol=1e-12)
    assert curve.ends == ("range", "range")


@pytest.mark.slow
def test_phase_diagram_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["phase-diagram", "gated", "--x", "alpha_r", "2", "8", "20", "--y", "g_h", "1.7", "2.2",
             "20", "--set", "tau_r=1", "--out", str(tmp_path), "--json"]  # fmt: skip
    assert main(words) == 0
    record = json.loads(capsys.readouterr().out)
    kinds = {curve["kind"] for curve in record["values"]}
    assert kinds == {"zero-state", "fold", "chaos"}
    points = {p["kind"]: (p["x"], p["y"]) for p in record["tricritical"]}
    assert points["static"] == pytest.approx((np.sqrt(8), 2))
    assert points["dynamic"] == pytest.approx((np.sqrt(12), 2))
    assert (tmp_path / "phase_diagram.svg").read_text("utf-8").count("<path") > 10
    names, numbers = record["phases"]["names"], np.array(record["phases"]["numbers"])
    seen = {names[k] for k in np.unique(numbers)}
    assert seen == {"zero state only", "fixed points, no chaos", "chaos",
                    "chaos beside the stable zero state"}  # fmt: skip
    chaos = next(c for c in record["values"] if c["kind"] == "chaos")
    at_five = np.interp(5, *zip(*sorted(zip(chaos["x"], chaos["y"], strict=True)), strict=True))
    exact = gt.find_transition(
        gt.derive(gt.zoo.gated()), "chaos", "g_h", {"alpha_r": 5, "tau_r": 1},
        between=("1.9", "2.2"),
    )  # fmt: skip
    assert at_five == pytest.approx(exact.value, abs=2e-4)


def test_bad_axes(gated: gt.Theory) -> None:
    with pytest.raises(gt.ParameterError, match="at least 2"):
        gt.phase_diagram(gated, ("alpha_r", 0, 15, 1), ("g_h", 1, 3, 5))
    with pytest.raises(gt.ParameterError, match="twice"):
        gt.trace_transition(gated, "fold", "g_h", "g_h")
    with pytest.raises(gt.ParameterError, match="curves are traced of"):
        gt.trace_transition(gated, "marginal", "g_h", "alpha_r")

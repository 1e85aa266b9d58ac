"""Where gradients vanish, stay and explode."""

import json
import math
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

import gatetheory as gt
from gatetheory.cli import main
from gatetheory.presentation import plot_gradient_regions
from gatetheory.simulation import estimate
from gatetheory.transitions import GradientPoint, GradientRegions
from gatetheory.transitions.gradient_region_records import (
    EXPLODING,
    KINDS,
    MARGINAL,
    UNKNOWN,
    VANISHING,
)

RECORDED = Path(__file__).parents[1] / "recorded"


@pytest.fixture(scope="module")
def silent_or_chaotic(gated: gt.Theory) -> GradientRegions:
    """Two constant gates, below and above the onset of chaos."""
    return gt.gradient_regions(gated, ("tau_z", 1, 2, 2), ("g_h", "1.5", "2.5", 2), {"tau_r": 1})


@pytest.mark.slow
def test_rates_are_those_of_the_forward_theory(
    gated: gt.Theory, silent_or_chaotic: GradientRegions
) -> None:
    """At rest twice the abscissa of the Jacobian, in chaos twice λ_max: other equations."""
    rest, chaos = silent_or_chaotic.points
    spectrum = gt.solve(gated.spectrum, {"g_h": "1.5", "tau_r": 1}, branch=0)
    assert rest[0].rate == pytest.approx(2 * float(spectrum.value), rel=1e-9)
    assert rest[0].rate == pytest.approx(2 * (1.5 / 2 - 1) / 2)  # σ_z (g σ_r(0) − 1)
    exponent = gt.solve(gated.lyapunov, {"g_h": "2.5", "tau_r": 1})
    assert chaos[0].rate == pytest.approx(2 * exponent.value, rel=1e-8)
    assert (rest[0].state, chaos[0].state) == ("fixed point", "chaotic")
    assert silent_or_chaotic.kinds[0].tolist() == [VANISHING, VANISHING]
    assert silent_or_chaotic.kinds[1].tolist() == [EXPLODING, EXPLODING]


@pytest.mark.slow
def test_they_are_what_solve_says(gated: gt.Theory, silent_or_chaotic: GradientRegions) -> None:
    for k, g_h in ((0, "1.5"), (1, "2.5")):
        found = gt.solve(gated.gradients, {"g_h": g_h, "tau_r": 1}, horizon=1, by=[])
        assert silent_or_chaotic.rates[k, 0] == pytest.approx(found.growth_exponent, rel=1e-8)


@pytest.fixture(scope="module")
def gating(gated: gt.Theory) -> GradientRegions:
    """A fluctuating update gate, on both sides of the fixed point's stability (g_h ≈ 1.85)."""
    return gt.gradient_regions(
        gated, ("alpha_z", 1, 20, 3), ("g_h", "1.48", "2.4", 2), {"beta_h": "1/2"}
    )


def test_closed_gates_leave_the_state_marginal(gated: gt.Theory, gating: GradientRegions) -> None:
    """The exponent is 0 however small the gate's gain; what is left of |λ|² grows with it."""
    assert [p.origin for p in gating.points[0]] == ["edge"] * 3
    np.testing.assert_array_equal(gating.rates[0], 0)
    assert gating.kinds[0].tolist() == [MARGINAL] * 3
    left = gating.left[0]
    assert np.all(np.diff(left) > 0)
    assert left[0] < 1e-2 < 0.5 < left[2]
    at = {"alpha_z": 20, "g_h": "1.48", "beta_h": "1/2"}
    found = gt.solve(gated.gradients, at, horizon=40, by=[])
    assert left[2] == pytest.approx(found.norm[0], rel=1e-3)  # |λ(T)|² = 1


def test_nothing_is_guessed_where_only_sampling_tells(gating: GradientRegions) -> None:
    assert gating.kinds[1].tolist() == [UNKNOWN] * 3
    assert all(p.rate is None and "sampled" in p.reason for p in gating.points[1])
    assert "unknown at 3: no fixed point is stable and a gate fluctuates" in str(gating)


@pytest.mark.slow
def test_a_closure_that_is_named_is_noted(gated: gt.Theory) -> None:
    found = gt.gradient_regions(
        gated, ("alpha_z", "1/2", 1, 2), ("g_h", "2.8", 3, 2), {"alpha_r": 1}, closure="factorized"
    )
    exponent = gt.solve(gated.lyapunov, {"alpha_r": 1, "tau_r": 2}, closure="constant")
    assert found.kinds.tolist() == [[EXPLODING] * 2] * 2
    assert found.rates[1, 0] == pytest.approx(2 * exponent.value, rel=0.3)  # weakly gated
    assert found.notes == ("closure factorized where a gate fluctuates: an approximation",)
    assert found.notes[0] in str(found)


def test_a_map(gru: gt.Theory) -> None:
    """Discrete time: the rate is per step, twice the logarithm of the radius."""
    found = gt.gradient_regions(
        gru, ("alpha_r", 1, 2, 2), ("g_h", "0.5", 1, 2), {"alpha_z": 0}, horizon=20
    )
    at = {"alpha_r": 1, "g_h": "0.5", "alpha_z": 0}
    radius = float(gt.solve(gru.spectrum, at, branch=0).value)
    assert found.rates[0, 0] == pytest.approx(2 * math.log(radius), rel=1e-9)
    assert found.kinds[0, 0] == VANISHING


def place(rate: float | None, origin: str = "boundary", left: float | None = None) -> GradientPoint:
    state = "none" if rate is None else "fixed point"
    return GradientPoint(rate, None if rate is None else 0.0, state, origin, left, "why")


def plane(rows: list[list[GradientPoint]], threshold: float = 1.0) -> GradientRegions:
    grid = np.arange(float(len(rows[0]))), np.arange(float(len(rows)))
    provenance = gt.solve(gt.derive(gt.zoo.classical()).fixed_points).provenance
    points = tuple(tuple(row) for row in rows)
    return GradientRegions("a", "b", grid, points, 40.0, threshold, (), provenance)


def test_what_is_marginal() -> None:
    """|rate| · T below the threshold, on both sides."""
    row = [place(r) for r in (-0.026, -0.024, 0.0, 0.024, 0.026, None, -math.inf)]
    names = [KINDS[k] for k in plane([row]).kinds[0]]
    assert names == ["vanishing", *["marginal"] * 3, "exploding", "unknown", "vanishing"]
    assert KINDS[plane([row], threshold=2.0).kinds[0, 0]] == "marginal"
    with pytest.raises(FrozenInstanceError):
        plane([row]).horizon = 1.0  # type: ignore[misc]


def test_the_figure_shows_every_region() -> None:
    rows = [
        [place(-1.0), place(0.0, "edge", 0.01), place(0.0, "edge", 0.2)],
        [place(None), place(0.0, "edge", 0.05), place(0.0, "edge", 0.6)],
        [place(None), place(1.0), place(1.0)],
    ]
    figure = plot_gradient_regions(plane(rows))
    (ax,) = figure.axes
    legend = ax.get_legend()
    assert legend is not None
    texts = " ".join(t.get_text() for t in legend.get_texts())
    assert all(name in texts for name in KINDS)
    signs = [t.get_text() for t in ax.texts]
    assert [signs.count(s) for s in ("−", "0", "+", "?")] == [1, 4, 2, 2]
    written = [t.get_text() for t in ax.findobj(Text) if isinstance(t, Text)]
    assert "0.1 left" in written


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["gradient-regions", "gated", "--x", "alpha_z", "5", "10", "2", "--y", "g_h", "1.5",
             "2.5", "2", "--set", "beta_h=1/2", "--horizon", "20", "--out", str(tmp_path),
             "--json"]  # fmt: skip
    assert main(words) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["status"] == "ok"
    assert record["horizon"] == 20
    regions = [(p["x"], p["y"], p["region"], p["growth_exponent"]) for p in record["values"]]
    assert regions == [
        (5, 1.5, "marginal", 0), (10, 1.5, "marginal", 0),
        (5, 2.5, "unknown", None), (10, 2.5, "unknown", None),
    ]  # fmt: skip
    assert 0 < record["values"][0]["left"] < record["values"][1]["left"] < 1
    assert (tmp_path / "gradient_regions.svg").read_text("utf-8").startswith("<svg")
    assert json.loads((tmp_path / "gradient_regions.json").read_text("utf-8")) == record


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--x", "g_h", "1", "2", "2", "--y", "g_h", "1", "2", "2"], "cannot be both axes"),
        (["--x", "alpha_z", "1", "2", "2", "--y", "gh", "1", "2", "2"], "did you mean g_h"),
        (["--x", "alpha_z", "-1", "2", "2", "--y", "g_h", "1", "2", "2"], "alpha_z"),
        (["--x", "alpha_z", "1", "2", "1", "--y", "g_h", "1", "2", "2"], "at least 2 values"),
        (["--x", "alpha_z", "1", "2", "2", "--y", "g_h", "1", "2", "2", "--horizon", "0"],
         "horizon must be positive"),
        (["--x", "alpha_z", "1", "2", "2", "--y", "g_h", "1", "2", "2", "--set", "g_h=1"],
         "g_h is an axis"),
    ],
)  # fmt: skip
def test_bad_input(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gradient-regions", "gated", *words]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_bad_options(gated: gt.Theory) -> None:
    axes = ("alpha_z", 1, 2, 2), ("g_h", 1, 2, 2)
    with pytest.raises(gt.ParameterError, match="closure must be one of"):
        gt.gradient_regions(gated, *axes, closure="sampled")
    with pytest.raises(gt.ParameterError, match="threshold"):
        gt.gradient_regions(gated, *axes, threshold=0)


def test_what_is_left_in_networks(gated: gt.Theory) -> None:
    """|λ(0)|² behind an update gate, in recorded networks of 1000 units."""
    seen = json.loads((RECORDED / "gradient_norms.json").read_text("utf-8"))
    found = gt.solve(gated.gradients, seen["at"], horizon=seen["horizons"], by=[])
    for norm, row in zip(found.norm, np.transpose(seen["norms"]), strict=True):
        ours = estimate(row)
        assert ours.stderr < 0.05 * norm
        assert abs(ours.z_score(norm)) < 3, (norm, ours)

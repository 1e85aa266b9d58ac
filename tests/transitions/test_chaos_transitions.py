"""Where chaos appears: continuous onsets, folds of the chaotic branch, ranges in any parameter."""

import math

import pytest

import gatetheory as gt


def branches(theory: gt.Theory, **at: object) -> int:
    return len(gt.solve(theory.correlations, at))


@pytest.mark.slow
def test_continuous_below_the_dynamic_tricritical_point(gated: gt.Theory) -> None:
    found = gt.find_transition(
        gated, "chaos", "g_h", {"alpha_r": 3}, between=("1.5", "2.5"), digits=30
    )
    assert found.value == 2
    assert [p.kind for p in found] == ["continuous"]


@pytest.mark.slow
def test_fold_beyond_it(gated: gt.Theory) -> None:
    at = {"alpha_r": 10, "tau_r": 0}
    found = gt.find_transition(gated, "chaos", "g_h", at, between=("1.7", "2.3"))
    assert found.value == pytest.approx(1.8592711, abs=5e-8)
    assert [p.kind for p in found] == ["fold", "continuous"]
    assert found[0].digits >= 12
    below, above = (str(found.value * (1 + s)) for s in (-1e-4, 1e-4))
    assert branches(gated, g_h=below, **at) == 0
    assert branches(gated, g_h=above, **at) == 2


@pytest.mark.slow
def test_the_quiescent_side_may_be_the_upper_one(gated: gt.Theory) -> None:
    at = {"g_h": "1.9", "alpha_r": 10, "tau_r": 1}
    found = gt.find_transition(gated, "chaos", "beta_r", at, between=(-1, 1))
    assert [p.kind for p in found] == ["continuous", "fold"]
    assert float(found[0].value) == pytest.approx(math.log(0.9), rel=1e-12)
    assert found.value == found[1].value  # chaos ends there, coming from large β_r
    inside, outside = (str(found.value + s) for s in (-1e-4, 1e-4))
    assert branches(gated, beta_r=inside, g_h="1.9", alpha_r=10, tau_r=1) == 2
    assert branches(gated, beta_r=outside, g_h="1.9", alpha_r=10, tau_r=1) == 0


@pytest.mark.slow
def test_steep_curves_belong_to_the_onset_they_left(gated: gt.Theory) -> None:
    at = {"alpha_r": 10, "g_h": 3}
    found = gt.find_transition(gated, "chaos", "beta_r", at, between=(-2, 3))
    assert [p.kind for p in found] == ["continuous", "fold"]
    assert float(found[0].value) == pytest.approx(math.log(2), rel=1e-12)
    assert found.value == found[1].value


@pytest.mark.slow
def test_chaos_all_over_the_range_is_no_transition(gated: gt.Theory) -> None:
    at = {"alpha_r": 10, "g_h": 10, "tau_r": 5}
    found = gt.find_transition(gated, "chaos", "beta_r", at, between=(2, 4))
    assert found.status == "no_solution"
    assert found.value is None
    assert "1 of the curves leave(s) the range" in found.searched


@pytest.mark.slow
def test_a_network_of_our_own(paired: gt.Theory) -> None:
    found = gt.find_transition(paired, "chaos", "g", between=("1.5", 2))
    assert [p.kind for p in found] == ["fold", "continuous"]
    below, above = (str(found.value * (1 + s)) for s in (-1e-4, 1e-4))
    assert branches(paired, g=below) == 0
    assert branches(paired, g=above) == 2


@pytest.mark.slow
def test_a_biased_network_begins_at_its_marginal_gain(gated: gt.Theory) -> None:
    at = {"alpha_r": 1, "beta_h": "1/2", "tau_r": 1}
    chaos = gt.find_transition(gated, "chaos", "g_h", at, between=(2, 4))
    stability = gt.find_transition(gated, "stability", "g_h", at, between=(2, 4))
    assert [p.kind for p in chaos] == ["continuous"]
    assert chaos.value == stability.value


def test_only_samples_give_no_digits(gated: gt.Theory, gru: gt.Theory) -> None:
    for theory, at in ((gated, {"alpha_z": 1}), (gru, {})):
        with pytest.raises(gt.DerivationError, match="only samples"):
            gt.find_transition(theory, "chaos", "g_h", at)
    with pytest.raises(gt.DerivationError, match="only samples"):
        gt.find_transition(gated, "chaos", "alpha_z")  # exact at α_z = 0 alone


@pytest.mark.slow
def test_an_approximate_closure_warns(gated: gt.Theory) -> None:
    with pytest.warns(gt.AssumptionWarning, match="constant"):
        gt.find_transition(
            gated, "chaos", "g_h", {"alpha_z": 1, "alpha_r": 1}, between=("1.9", "2.1"),
            closure="constant",
        )  # fmt: skip

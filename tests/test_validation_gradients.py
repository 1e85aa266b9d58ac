"""Gradients in the validation table: they agree, fail when wrong, and say when they are absent."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import gatetheory as gt
from gatetheory.comparison import Comparison
from gatetheory.errors import ParameterError
from gatetheory.presentation.gradient_report_figure import plot_gradient_state
from gatetheory.solvers.gradient_records import Gradients
from gatetheory.theory.derive import Theory, derive
from gatetheory.validation.chaotic_state import ChaoticState, chaotic_state
from gatetheory.validation.gradient_state import GradientState, gradient_state
from gatetheory.validation.gradients import MOVING, RESTING, gradient_rows

SIZES, RUNS, SEEDS = (60, 120, 240), (120, 240, 480), 6


@pytest.fixture(scope="module")
def theory() -> Theory:
    return derive(gt.zoo.classical())


@pytest.fixture(scope="module")
def chaos(theory: Theory) -> ChaoticState:
    return chaotic_state(theory, None, RUNS, SEEDS)


@pytest.fixture(scope="module")
def moving(theory: Theory, chaos: ChaoticState) -> GradientState:
    return gradient_state(theory, None, gt.solve(theory.fixed_points), chaos, SIZES, SEEDS)


def by_name(state: GradientState) -> dict[str, Comparison]:
    return {r.quantity: r for r in gradient_rows(state)}


def solved(state: GradientState) -> Gradients:
    assert state.theory is not None
    return state.theory


@pytest.mark.slow
def test_the_chaotic_state_agrees(moving: GradientState) -> None:
    rows = by_name(moving)
    assert list(rows) == ["Q_h at T = 2", "(∂L/∂g)² at T = 2", "Q_h at T = 5", "(∂L/∂g)² at T = 5"]
    assert {r.verdict for r in rows.values()} == {"agrees"}, rows
    assert {r.meaning for r in rows.values()} == {MOVING}
    assert (rows["Q_h at T = 2"].stderr or 1) < 0.05 * (rows["Q_h at T = 2"].theory or 0)
    assert moving.sizes == RUNS[1:]  # of the smallest, some are not chaotic
    assert "left out" in moving.note
    assert solved(moving).growth_exponent == pytest.approx(moving.rate, rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_a_second_moment_that_is_off_differs(moving: GradientState, factor: float) -> None:
    """Two-sided: 30 per cent too small as well as too large."""
    found = solved(moving)
    wrong = {n: factor * v for n, v in found.couplings.items()}
    row = by_name(replace(moving, theory=replace(found, couplings=wrong)))["Q_h at T = 2"]
    assert row.verdict == "differs", row
    assert (row.z or 0) * (1 - factor) > 0


@pytest.mark.slow
def test_a_backward_field_that_is_off_differs(theory: Theory, chaos: ChaoticState) -> None:
    """The adjoint's closed equations with backward fields 1.5 times too strong."""
    problem = theory.gradients
    assert problem.closed is not None
    strong = tuple(3 * W / 2 for W in problem.closed.readouts)
    wrong = Theory(theory.model)
    wrong.__dict__["gradients"] = replace(problem, closed=replace(problem.closed, readouts=strong))
    state = gradient_state(wrong, None, None, chaos, SIZES, SEEDS)
    assert by_name(state)["Q_h at T = 5"].verdict == "differs"
    assert solved(state).growth_exponent != pytest.approx(state.rate, rel=0.01)


def test_a_network_can_be_drawn_again(theory: Theory) -> None:
    """With the couplings that the last state of its run belongs to."""
    options: dict[str, Any] = {"duration": 1.0, "transient": 0.0}
    run = gt.simulation.observe_lyapunov(theory.model, None, 40, 3, seed=5, **options)
    network = gt.simulation.network_again(theory.model, None, 40, 5, 2)
    rng = np.random.default_rng(np.random.SeedSequence(5).spawn(3)[2].spawn(2)[1])
    start = gt.simulation.random_state(network, rng)
    alone = gt.simulation.lyapunov_exponents(network, start, **options)
    assert np.allclose(alone.final, run.spectra[2].final)
    other = gt.simulation.network_again(theory.model, None, 40, 5, 1)
    elsewhere = gt.simulation.lyapunov_exponents(other, start, **options)
    assert not np.allclose(elsewhere.final, run.spectra[2].final, atol=1e-2)


@pytest.mark.slow
def test_fixed_points_agree_and_can_fail() -> None:
    at = {"g_h": "37/25", "beta_h": "1/2"}
    theory = derive(gt.zoo.gated())
    points = gt.solve(theory.fixed_points, at)
    quiet = ChaoticState(None, None, True)
    state = gradient_state(theory, at, points, quiet, SIZES, SEEDS)
    rows = by_name(state)
    assert {r.verdict for r in rows.values()} == {"agrees"}, rows
    assert {r.meaning for r in rows.values()} == {RESTING}
    assert "Q_z at T = 2" not in rows  # nothing to compare: it vanishes
    assert solved(state).growth_exponent == pytest.approx(state.rate, rel=1e-8)
    found = solved(state)
    wrong = replace(found, couplings={n: 2 * v for n, v in found.couplings.items()})
    assert by_name(replace(state, theory=wrong))["Q_h at T = 2"].verdict == "differs"


def test_without_a_state_it_says_so(theory: Theory) -> None:
    nowhere = ChaoticState(None, None, None)
    state = gradient_state(theory, None, None, nowhere, (20, 40), 2)
    assert gradient_rows(state) == []
    assert "no single stable fixed point" in state.remarks[0]
    with pytest.raises(ParameterError, match="no gradients"):
        plot_gradient_state(state)


def test_zero_is_not_compared_with_rounding(theory: Theory) -> None:
    """At the zero state no unit sends, and no network has a gradient by a coupling."""
    at: dict[str, Any] = {"g": "1/2"}
    points = gt.solve(theory.fixed_points, at)
    state = gradient_state(theory, at, points, ChaoticState(None, None, True), (20, 40), 2)
    assert state.exists
    assert gradient_rows(state) == []


def test_it_can_be_left_out_but_not_silently() -> None:
    found = gt.validate(gt.zoo.classical(), {"g": "1/2"}, units=(20, 40), seeds=2, gradients=False)
    assert all(r.meaning not in (MOVING, RESTING) for r in found)
    assert "gradients: not asked for" in found.remarks

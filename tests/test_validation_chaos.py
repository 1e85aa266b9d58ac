"""The chaotic state in the validation table: agrees, fails when wrong, says when it is absent."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy
from sympy import Lambda, Symbol, sin

import gatetheory as gt
from gatetheory.comparison import LIMIT, Comparison, Validation
from gatetheory.equations.averages import GaussianAverage
from gatetheory.errors import ParameterError
from gatetheory.presentation.json_records import validation_record
from gatetheory.solvers.sampled_records import SampledCorrelations
from gatetheory.theory.derive import Theory, derive
from gatetheory.validation.chaos import MEANING, chaos_rows, samples_at, usable_sizes
from gatetheory.validation.chaotic_state import ChaoticState, chaotic_state, run_sizes

pytestmark = pytest.mark.slow  # the networks of its fixture take seconds


def adapting() -> gt.Model:
    """Two fields, a sine, and an input that gives both a mean: no model of the zoo has these."""
    x, a = gt.fields("x a")
    eta, current, u = gt.local_field("x"), Symbol("I", real=True), Symbol("u", real=True)
    gain = gt.Parameter("g", 3, gt.POSITIVE, "gain")
    phi = gt.Nonlinearity("f", Lambda(u, sin(u)))
    return gt.Model(
        name="adapting",
        time="continuous",
        fields=(
            gt.Field(x, drift=-x - a / 2 + gain.symbol * eta + current),
            gt.Field(a, drift=-a + x, time_constant=3),
        ),
        couplings=(gt.Coupling(eta, signal=phi(x)),),
        parameters=(gain,),
        nonlinearities=(phi,),
        inputs=(gt.ConstantInput(current, sympy.Rational(1, 2)),),
    )


@pytest.fixture(scope="module")
def offset() -> ChaoticState:
    return chaotic_state(derive(adapting()), None, (60, 120, 240), 6)


def by_name(rows: list[Comparison]) -> dict[str, Comparison]:
    return {r.quantity: r for r in rows}


def test_a_model_of_ones_own_agrees(offset: ChaoticState) -> None:
    rows = by_name(chaos_rows(offset))
    assert set(rows) == {"C_x", "C_a", "C_f", "lambda_max", "moving"}
    assert {r.verdict for r in rows.values()} == {"agrees"}, rows
    assert all(r.stderr is not None and r.stderr < 0.06 * abs(r.theory or 0)
               for n, r in rows.items() if n != "moving")  # fmt: skip


def test_means_of_fields_are_taken_off(offset: ChaoticState) -> None:
    """⟨x⟩ = 1/3 here; without the subtraction C_a would differ by 1/9."""
    largest = offset.correlation_runs[240]
    raw = largest.samples("C_a")[:, 0]
    assert np.mean(raw - samples_at(offset, 240, "C_a")) == pytest.approx(1 / 9, rel=0.1)
    assert np.array_equal(samples_at(offset, 240, "C_f"), largest.samples("C_f")[:, 0])


def test_a_shifted_theory_differs(offset: ChaoticState) -> None:
    """Two-sided: as many standard errors too high as too low."""
    for factor in (0.8, 1.2):
        found = offset.lyapunov
        assert found is not None
        assert found.value is not None
        wrong = replace(found, value=factor * found.value)  # type: ignore[type-var]
        row = by_name(chaos_rows(replace(offset, lyapunov=wrong)))["lambda_max"]
        assert row.verdict == "differs", row
        assert (row.z or 0) * (1 - factor) > 0


def test_wrong_equations_fail() -> None:
    """Every source 1.3 times too large, as a forgotten factor would make it."""
    theory = Theory(gt.zoo.classical())
    state = theory.correlations
    system = state.lag_systems["constant"]

    def enlarged(e: Any) -> Any:
        return e.replace(
            lambda n: isinstance(n, GaussianAverage), lambda n: sympy.Rational(13, 10) * n
        )

    changed = replace(system, sources={n: enlarged(s) for n, s in system.sources.items()})
    wrong = replace(state, lag_systems={"constant": changed})
    theory.__dict__["correlations"] = wrong
    theory.__dict__["lyapunov"] = replace(theory.lyapunov, state=wrong)
    rows = by_name(chaos_rows(chaotic_state(theory, {"g": 3}, (100, 200, 400), 6)))
    assert rows["C_h"].verdict == "differs"
    assert rows["moving"].verdict == "agrees"


def test_without_chaos_the_table_says_why() -> None:
    found = gt.validate(gt.zoo.classical(), {"g": "1/2"}, units=(20, 40), seeds=2)
    assert all(r.meaning != MEANING for r in found)
    assert any("no chaotic state" in r for r in found.remarks)
    assert "no chaotic state" in str(found)
    assert validation_record(gt.zoo.classical(), found)["remarks"] == list(found.remarks)


def test_it_can_be_left_out_but_not_silently() -> None:
    found = gt.validate(gt.zoo.classical(), units=(20, 40), seeds=2, dynamics=False)
    assert all(r.meaning != MEANING for r in found)
    assert "chaotic state: not asked for (dynamics=False)" in found.remarks


def test_small_networks_near_the_onset_are_not_compared() -> None:
    """They rest or cycle; leaving out single networks would bias what is left."""
    state = chaotic_state(derive(gt.zoo.classical()), {"g": "6/5"}, (30, 60), 4)
    used, left_out = usable_sizes(state)
    assert used == ()
    assert "N = 30" in left_out
    rows = by_name(chaos_rows(state))
    assert rows["C_h"].verdict == rows["lambda_max"].verdict == "not compared"
    assert "not compared: fewer than two sizes" in rows["C_h"].note


def test_a_theory_of_motion_fails_where_networks_rest() -> None:
    theory = derive(gt.zoo.classical())
    active = chaotic_state(theory, {"g": 2}, (40, 80), 3)
    resting = chaotic_state(theory, {"g": "6/5"}, (10, 20), 4)
    mixed = replace(active, lyapunov_runs=resting.lyapunov_runs,
                    correlation_runs=resting.correlation_runs)  # fmt: skip
    assert all(len(r.died) > 2 for r in resting.lyapunov_runs.values())
    assert by_name(chaos_rows(mixed))["moving"].verdict == "differs"


def test_noise_moves_networks_whose_exponent_is_negative() -> None:
    """No fixed point, so that nothing but the stationary state is compared."""
    level = gt.Parameter("D", "1/5", gt.POSITIVE, "intensity")
    noisy = gt.zoo.classical().with_input(
        "h", gt.WhiteNoise(Symbol("xi", real=True), level.symbol), level
    )
    found = gt.validate(noisy, {"g": "1/2"}, units=(25, 50), seeds=4)
    rows = by_name(list(found))
    of_state = {"C_h", "C_phi", "lambda_max"}
    of_gradients = {f"{q} at T = {t}" for q in ("Q_h", "(∂L/∂g)²") for t in (2, 5)}
    assert set(rows) == of_state | of_gradients
    assert (rows["lambda_max"].theory or 0) < 0
    assert found.passed, str(found)
    assert any("never rests" in r for r in found.remarks)


def test_the_error_of_a_sampled_theory_counts() -> None:
    state = chaotic_state(derive(gt.zoo.gru()), None, (100, 200, 400), 4, accuracy=0.03)
    assert isinstance(state.correlations, SampledCorrelations)
    rows = by_name(chaos_rows(state))
    assert {"C_h", "C_phi", "lambda_max"} <= set(rows)
    for name in ("C_h", "lambda_max"):
        row = rows[name]
        assert row.theory_error > 0
        assert row.verdict == "agrees", row
        assert row.z is not None
        assert row.stderr is not None
        alone = ((row.simulation or 0) - (row.theory or 0)) / row.stderr
        assert abs(row.z) < abs(alone)


def test_a_standard_error_of_the_theory_enters_z() -> None:
    row = Comparison("q", "", 1.0, 1.5, 0.1, theory_error=0.1)
    assert row.z == pytest.approx(0.5 / np.hypot(0.1, 0.1))
    assert row.verdict == "agrees"
    assert replace(row, theory_error=0.0).verdict == "differs"
    assert "1 ± 0.1" in str(Validation("m", {}, (10,), 2, (row,)))
    assert LIMIT == 4


@pytest.mark.parametrize(
    ("sizes", "run"),
    [
        ((100, 200, 400), (200, 400, 800)),
        ((20, 40), (100, 200)),
        ((10, 20, 40), (100, 200, 400)),
        ((1000, 2000), (1000, 2000)),
        ((2, 400), (10, 2000)),
        ((500, 5000), (500, 5000)),
    ],
)
def test_networks_that_run_are_larger(sizes: tuple[int, ...], run: tuple[int, ...]) -> None:
    assert run_sizes(sizes) == run


def test_bad_accuracy_is_refused() -> None:
    with pytest.raises(ParameterError, match="accuracy"):
        gt.validate(gt.zoo.gru(), units=(4, 8), seeds=2, accuracy=-1.0)

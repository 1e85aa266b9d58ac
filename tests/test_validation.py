from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy

import gatetheory as gt
from gatetheory.comparison import Comparison, Validation
from gatetheory.equations.averages import GaussianAverage
from gatetheory.errors import ParameterError
from gatetheory.theory.derive import Theory, derive
from gatetheory.validation import run, validate
from gatetheory.validation.estimates import limit

# The error of a sampled theory stays below that of so few networks.
SMALL: dict[str, Any] = {"units": (60, 120, 240), "seeds": 6, "accuracy": 0.05}


# ---- one comparison ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theory", "simulation", "stderr", "tolerance", "verdict"),
    [
        (1.0, 1.03, 0.01, None, "agrees"),
        (1.0, 1.05, 0.01, None, "differs"),
        (1.0, 0.95, 0.01, None, "differs"),  # two-sided
        (None, 1.0, 0.1, None, "not compared"),
        (1.0, None, None, None, "not compared"),
        (0.0, 0.009, None, 0.01, "agrees"),
        (0.0, 0.011, None, 0.01, "differs"),
        (-2.0, -2.0, 0.0, 1e-9, "agrees"),
        (-2.0, -2.1, 0.0, 1e-9, "differs"),
    ],
)
def test_verdicts(
    theory: float | None,
    simulation: float | None,
    stderr: float | None,
    tolerance: float | None,
    verdict: str,
) -> None:
    row = Comparison("q", "", theory, simulation, stderr, tolerance=tolerance)
    assert row.verdict == verdict


def test_a_number_that_is_no_number_never_agrees() -> None:
    for theory, simulation, stderr in (
        (float("nan"), 1.0, 0.1),
        (1.0, float("nan"), 0.1),
        (1.0, 1.0, float("nan")),
        (float("inf"), 1.0, 0.1),
    ):
        assert Comparison("q", "", theory, simulation, stderr).verdict != "agrees"
        loose = Comparison("q", "", theory, simulation, stderr, tolerance=0.1)
        assert loose.verdict != "agrees" or (theory, simulation) == (1.0, 1.0)


def test_nothing_compared_is_not_passed() -> None:
    row = Comparison("q", "", 1.0, None, None)
    assert not Validation("m", {}, (10,), 2, (row,)).passed
    assert not Validation("m", {}, (10,), 2, ()).passed
    good, bad = (Comparison("q", "", 1.0, v, 0.1) for v in (1.1, 2.0))
    assert Validation("m", {}, (10,), 2, (row, good)).passed
    assert not Validation("m", {}, (10,), 2, (good, bad)).passed
    table = str(Validation("m", {}, (10,), 2, (good, bad)))
    assert "+1.00" in table
    assert "differs" in table


def test_extrapolation() -> None:
    rng = np.random.default_rng(0)
    samples = {n: list(3 + 5 / n + rng.standard_normal(40) / n) for n in (50, 100, 200)}
    value, stderr = limit(samples)
    assert abs(value - 3) < 4 * stderr < 0.05
    assert limit({10: [2.0, 2.0, 2.0]}) == (2.0, 0.0)


def test_the_standard_error_covers_what_it_should() -> None:
    """Two networks a size are few; four standard errors must still mean what they say."""
    rng = np.random.default_rng(1)
    z = []
    for _ in range(2000):
        samples = {n: list(1 + rng.standard_normal(3) / n) for n in (50, 100, 200)}
        value, stderr = limit(samples)
        z.append((value - 1) / stderr)
    assert np.mean(np.abs(z) > 4) < 2e-3
    assert 0.3 < np.std(z) < 1.5


# ---- whole models --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "at"),
    [
        ("classical", {}),
        ("classical", {"g": "1/2"}),
        pytest.param("gated", {}, marks=pytest.mark.slow),
        pytest.param("gated", {"alpha_z": 5, "beta_h": "1/2"}, marks=pytest.mark.slow),
        pytest.param("gated", {"g_h": "1.48", "beta_h": "1/2"}, marks=pytest.mark.slow),
        pytest.param("gated", {"tau_z": 0, "tau_r": 0, "alpha_z": 2}, marks=pytest.mark.slow),
        pytest.param("gru", {}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_theory_and_simulation_agree(model: str, at: dict[str, Any]) -> None:
    seen: list[tuple[int, int]] = []
    found = validate(
        gt.zoo.MODELS[model](), at, **SMALL, progress=lambda done, total: seen.append((done, total))
    )
    assert found.passed, str(found)
    names = {row.quantity for row in found}
    assert "outside" in names
    assert any(name.startswith("response_") for name in names)
    assert {"moment_1", "moment_3", "trace"} <= names or model == "gru" or "tau_z" in at
    assert any(name.startswith("Delta_") for name in names)
    assert seen
    assert all(0 < done <= total for done, total in seen)


def test_same_seeds_same_table() -> None:
    options: dict[str, Any] = {"units": (20, 40), "seeds": 2}
    first, second = (validate(gt.zoo.classical(), **options) for _ in range(2))
    assert str(first) == str(second)


def doubled(e: Any) -> Any:
    """Every average counts 1.3-fold."""
    return e.replace(lambda n: isinstance(n, GaussianAverage), lambda n: sympy.Rational(13, 10) * n)


@pytest.mark.parametrize("result", ["fixed_points", "spectrum", "moments"])
@pytest.mark.slow
def test_a_wrong_theory_fails(result: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part of the table can fail: averages 30% too large are noticed."""

    def wrong(model: Any) -> Theory:
        theory = derive(model)
        if result == "fixed_points":
            points = theory.fixed_points
            changed: Any = replace(points, maps=tuple(map(doubled, points.maps)))
        elif result == "spectrum":
            spectrum = theory.spectrum
            changed = replace(spectrum, transfer=spectrum.transfer.applyfunc(doubled))
        else:
            moments = theory.moments
            changed = replace(moments, moments=tuple(map(doubled, moments.moments)))
        theory.__dict__[result] = changed
        return theory

    monkeypatch.setattr(run, "derive", wrong)
    found = validate(gt.zoo.classical(), {"g": 3}, **SMALL)
    assert not found.passed
    differing = {row.quantity for row in found if row.verdict == "differs"}
    expected = {
        "fixed_points": "Delta_h",
        "spectrum": "response_hh",
        "moments": "moment_1",
    }[result]
    assert expected in differing


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"units": 0}, "units"),
        ({"units": 1}, "units"),
        ({"units": ()}, "units"),
        ({"units": (100, "x")}, "units"),
        ({"units": 2.5}, "units"),
        ({"units": True}, "units"),
        ({"seeds": 1}, "seeds"),
        ({"seeds": 0}, "seeds"),
        ({"seeds": 2.0}, "seeds"),
        ({"at": {"q": 1}}, "'q'"),
        ({"at": {"g": float("nan")}}, "nan"),
    ],
)
def test_bad_input(options: dict[str, Any], culprit: str) -> None:
    with pytest.raises(ParameterError, match=culprit):
        validate(gt.zoo.classical(), **options)

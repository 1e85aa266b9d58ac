import math

import numpy as np
import pytest

from gatetheory.errors import ParameterError
from gatetheory.simulation import Estimate, estimate, extrapolate, z_score


def test_mean_and_standard_error() -> None:
    found = estimate([1.0, 2.0, 4.0])
    assert found.mean == pytest.approx(7 / 3)
    assert found.stderr == pytest.approx(math.sqrt(7 / 3 / 3))
    assert found.samples == (1.0, 2.0, 4.0)
    assert found.z_score(0) == pytest.approx(found.mean / found.stderr)
    assert found.z_score(0, 2) == pytest.approx(found.mean / math.hypot(found.stderr, 2))


def test_one_network_has_no_error_bar() -> None:
    found = estimate([2.0])
    assert found.stderr == math.inf
    assert found.z_score(5) == 0
    assert str(found) == "2 ± ?"


def test_digits_are_cut_at_the_error() -> None:
    assert str(Estimate(0.123456, 0.0123, ())) == "0.123 ± 0.012"
    assert str(Estimate(1234.5, 20.0, ())) == "1234 ± 20"
    assert str(Estimate(1.0, 0.0, ())) == "1 ± 0"
    assert str(Estimate(1.0, 1e-15, ())) == "1 ± 1.0e-15"


def test_exact_numbers_agree_or_do_not() -> None:
    assert z_score(1, 0, 1) == 0
    assert z_score(2, 0, 1) == math.inf
    assert z_score(0, 0, 1) == -math.inf


def test_a_line_is_recovered() -> None:
    points = {n: Estimate(2 + 30 / n, 0.01, ()) for n in (100, 200, 400)}
    found = extrapolate(points)
    assert found.value == pytest.approx(2)
    assert found.slope == pytest.approx(30)
    assert found.chi_squared == pytest.approx(0, abs=1e-16)
    assert found.degrees == 1
    assert "N → ∞" in str(found)


def test_errors_of_the_extrapolation_are_honest() -> None:
    rng = np.random.default_rng(0)
    sizes = {100: 0.02, 200: 0.01, 800: 0.03, 400: 0.02}
    values, scores, fits = [], [], []
    for _ in range(2000):
        found = extrapolate(
            {n: Estimate(1 - 5 / n + e * rng.standard_normal(), e, ()) for n, e in sizes.items()}
        )
        values.append(found.value)
        scores.append(found.z_score(1))
        fits.append(found.chi_squared)
    assert np.std(values) == pytest.approx(found.stderr, rel=0.07)
    assert np.std(scores) == pytest.approx(1, rel=0.07)
    assert np.mean(fits) == pytest.approx(2, rel=0.1)


def test_bad_input_is_refused() -> None:
    for samples in ([], [1.0, np.nan], [[1.0], [2.0]]):
        with pytest.raises(ParameterError, match="samples"):
            estimate(samples)
    with pytest.raises(ParameterError, match="two numbers"):
        extrapolate({100: Estimate(1, 1, ())})
    with pytest.raises(ParameterError, match="standard errors"):
        extrapolate({100: Estimate(1, 1, ()), 200: Estimate(1, 0, ())})

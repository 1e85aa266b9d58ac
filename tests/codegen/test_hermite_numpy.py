"""Hermite series of functions of a Gaussian variable, and where their sums may be trusted."""

from __future__ import annotations

from math import factorial, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import erf

from gatetheory.codegen.hermite_numpy import (
    FULL,
    ROUGH,
    HermiteSeries,
    can_expand,
    hermite_functions,
    sums,
)

Array = NDArray[np.float64]
CORRELATIONS = np.array([-1.0, -0.99, -0.4, 0.0, 0.7, 0.9, 0.95, 0.99, 0.9999, 1.0])


def of_erf(gain: float) -> HermiteSeries:
    """erf is entire; it grows like e^{y²} off the axis, as if it had a pole at about 2/gain."""
    return HermiteSeries(lambda x: [erf(gain * x)], 1.0, 2 / gain, FULL, FULL.span)


def test_functions_are_orthonormal() -> None:
    z = np.linspace(-50, 50, 8001)
    table = hermite_functions(z, 300)
    overlaps = table @ table.T * (100 / 8000) / sqrt(2 * np.pi)
    assert np.abs(overlaps - np.eye(300)).max() < 1e-13


def test_a_polynomial_has_its_coefficients() -> None:
    """x⁴ = He₄ + 6 He₂ + 3, here of 2z."""
    series = HermiteSeries(lambda x: [x**4], 2.0, 1e6, FULL, FULL.span)
    expected = np.zeros(FULL.terms)
    expected[[0, 2, 4]] = 16 * np.array([3, 6 * sqrt(2), sqrt(factorial(4))])
    assert np.abs(series.coefficients[0] - expected).max() < 1e-13 * series.norms[0]
    assert series.norms[0] == pytest.approx(16 * sqrt(105), rel=1e-14)


@pytest.mark.parametrize("gain", [0.3, 1.0, 4.0, 30.0])
def test_sums_are_right_where_they_say_so(gain: float) -> None:
    """⟨erf(gx) erf(gy)⟩ = (2/π) asin(2g²ρ/(1 + 2g²))."""
    series = of_erf(gain)
    values, reached = sums(series, series, [(0, 0)], CORRELATIONS, 1e-15)
    exact = 2 / np.pi * np.arcsin(2 * gain**2 * CORRELATIONS / (1 + 2 * gain**2))
    assert np.abs(values[0] - exact)[reached].max() < 3e-15
    assert reached[np.abs(CORRELATIONS) <= 0.95].all()


def test_a_rough_series_is_as_accurate_as_it_claims() -> None:
    series = HermiteSeries(lambda x: [erf(2 * x)], 1.0, 1.0, ROUGH, ROUGH.span)
    values, reached = sums(series, series, [(0, 0)], CORRELATIONS, 1e-8)
    exact = 2 / np.pi * np.arcsin(8 * CORRELATIONS / 9)
    assert np.abs(values[0] - exact)[reached].max() < 1e-9
    assert reached.sum() > 7


def test_a_steep_function_is_not_trusted_near_full_correlation() -> None:
    series = of_erf(30.0)
    values, reached = sums(series, series, [(0, 0)], CORRELATIONS, 1e-15)
    exact = 2 / np.pi * np.arcsin(1800 * CORRELATIONS / 1801)
    assert abs(values[0, -1] - exact[-1]) > 1e-3
    assert not reached[[0, -2, -1]].any()


def test_what_cannot_be_expanded_is_said() -> None:
    assert can_expand(1.0, 0.1, FULL, FULL.span)
    assert not can_expand(1.0, 1e-3, FULL, FULL.span)
    with np.errstate(invalid="ignore"):
        infinite = HermiteSeries(lambda x: [np.where(x > 20, np.inf, x)], 2.0, 1.0, FULL, FULL.span)
        assert not sums(infinite, infinite, [(0, 0)], CORRELATIONS, 1e-15)[1].any()

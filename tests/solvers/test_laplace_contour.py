"""Transforms in two variables whose originals are known."""

from __future__ import annotations

import numpy as np
import pytest

from gatetheory.solvers.laplace_contour import Contour, FlowContour, MapContour


def original(contour: Contour, transform: np.ndarray, basis: np.ndarray) -> np.ndarray:
    a = contour.coefficients(transform)
    return np.einsum("nt,nm,mt->t", basis, a, basis)


@pytest.mark.parametrize("abscissa", [0.1, 1.0])
def test_products_of_exponentials(abscissa: float) -> None:
    contour = FlowContour(abscissa, 0.6, 96)
    p = contour.points
    times = np.array([0.0, 0.01, 1.0, 5.0, 20.0])
    transform = 1 / ((p[:, None] + 1) * (p + 0.05))
    found = original(contour, transform, contour.values(times))
    # Rounding grows like e^{2σT}.
    noise = 1e-14 * np.exp(2 * abscissa * times)
    assert np.all(np.abs(found - np.exp(-1.05 * times)) < noise)
    found = original(contour, transform, contour.sums(0, times))
    exact = (1 - np.exp(-times)) * (1 - np.exp(-0.05 * times)) / 0.05
    assert np.all(np.abs(found - exact) < 100 * noise * (1 + times))


def test_a_cut_that_ends_at_the_origin() -> None:
    """∫_0^1 e^{-ks} e^{-ks'} dk, rates as slow as may be."""
    contour = FlowContour(0.1, 0.33, 128)
    p = contour.points
    k, w = np.polynomial.legendre.leggauss(60)
    k, w = (k + 1) / 2, w / 2
    response = 1 / (p + k[:, None])
    transform = response.T @ (w[:, None] * response)
    times = np.array([1.0, 10.0, 40.0])
    found = original(contour, transform, contour.values(times))
    assert found == pytest.approx((1 - np.exp(-2 * times)) / (2 * times), rel=1e-11)


def test_long_and_short_times_do_not_overflow() -> None:
    contour = FlowContour(0.001, 30.0, 64)
    values = contour.values([1e-9, 1.0, 4000.0])
    assert np.isfinite(values).all()
    assert values[:, 0] == pytest.approx(1.0, abs=1e-5)
    assert np.abs(values).max() <= np.exp(4.0)


def test_powers_of_a_map() -> None:
    steps = np.array([0, 1, 2, 20])
    contour = MapContour(0.9 * np.exp(4 / 20), 240)
    z = contour.points
    transform = 1 / ((1 - 0.9 / z[:, None]) * (1 + 0.5 / z))
    found = original(contour, transform, contour.values(steps))
    assert found == pytest.approx(0.9**steps * (-0.5) ** steps, abs=1e-13)
    found = original(contour, transform, contour.sums(1, steps))
    exact = [
        sum(0.9**k for k in range(1, T + 1)) * sum((-0.5) ** k for k in range(1, T + 1))
        for T in steps
    ]
    assert found == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("contour", [FlowContour(0.2, 1.0, 33), MapContour(1.1, 32)])
def test_points_come_in_conjugate_pairs(contour: Contour) -> None:
    assert np.abs(contour.points - contour.points[::-1].conj()).max() < 1e-12

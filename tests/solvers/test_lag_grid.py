"""Functions of the lag on elements and on steps: convolutions, derivatives, power."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.linalg
from scipy.integrate import quad

from gatetheory.solvers.lag_filter import Kernel
from gatetheory.solvers.lag_grid import ElementGrid, StepGrid, doubling_edges, split

GRID = ElementGrid((0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0), 20)


def exponential(weights: list[complex], rates: list[complex], instant: float = 0.0) -> Kernel:
    return Kernel(np.array(weights, complex), np.array(rates, complex), instant, 0.0)


KERNELS = {
    "slow": (exponential([0.5], [-0.7]),) * 2,
    "fast": (exponential([40.0], [-80.0]),) * 2,
    "oscillating": (exponential([0.5 - 0.2j, 0.5 + 0.2j], [-0.4 + 3j, -0.4 - 3j]),) * 2,
    "one-sided": (exponential([1.0, -0.3], [-1.0, -0.2]), exponential([0.7], [-2.5])),
}


def bump(lag: float) -> float:
    return float(np.exp(-lag / 3) * np.cos(0.4 * lag) + 0.2 * np.exp(-0.5 * lag * lag))


@pytest.mark.parametrize("parity", [1, -1])
@pytest.mark.parametrize("name", KERNELS)
def test_convolution_against_quad(name: str, parity: int) -> None:
    """∫ [K(τ − τ') ± K(τ + τ')] y(τ') dτ' at some nodes and at lag 0."""
    ahead, behind = KERNELS[name]
    values = np.array([bump(x) for x in GRID.nodes])
    result = GRID.convolve(ahead, behind, parity) @ values

    def kernel(lag: float) -> float:
        side = ahead if lag >= 0 else behind
        return float(side.flow(np.array([abs(lag)]))[0])

    fastest = float(np.abs(ahead.rates).max())
    chosen = [0, 7, 35, 90, 130, len(GRID.nodes)]
    for k in chosen:
        lag = 0.0 if k == len(GRID.nodes) else float(GRID.nodes[k])
        cuts = sorted({min(max(lag + s * m / fastest, 0), 64.0) for s in (-1, 1) for m in (5, 40)}
                      | {0.0, lag, 5.0, 20.0, 64.0})  # fmt: skip
        expected = sum(
            quad(lambda x, t=lag: (kernel(t - x) + parity * kernel(t + x)) * bump(x), a, b,
                 epsabs=1e-13, limit=200)[0]
            for a, b in itertools.pairwise(cuts)
        )  # fmt: skip
        assert result[k] == pytest.approx(expected, abs=5e-11), lag


def test_convolution_with_an_exponential_in_closed_form() -> None:
    """K = e^{−|τ|}/2, y = e^{−a|τ|}: (K*y)(τ) = (e^{−a τ} − a e^{−τ})/(1 − a²)."""
    a = 0.5
    grid = ElementGrid(GRID.edges, 28)
    found = grid.convolve(*(exponential([0.5], [-1.0]),) * 2) @ np.exp(-a * grid.nodes)
    lags = np.append(grid.nodes, 0.0)
    assert np.abs(found - (np.exp(-a * lags) - a * np.exp(-lags)) / (1 - a * a)).max() < 2e-14


def test_instantaneous_part() -> None:
    kernel = exponential([], [], 2.5)
    values = np.array([bump(x) for x in GRID.nodes])
    found = GRID.convolve(kernel, kernel) @ values
    assert np.array_equal(found[:-1], 2.5 * values)
    assert found[-1] == pytest.approx(2.5 * bump(0.0), rel=1e-13)


def test_derivative_and_interpolation() -> None:
    values = np.array([bump(x) for x in GRID.nodes])
    lags = np.array([0.0, 0.011, 0.5, 1.234, 7.9, 33.0])
    expected = [
        -np.exp(-x / 3) * (np.cos(0.4 * x) / 3 + 0.4 * np.sin(0.4 * x))
        - 0.2 * x * np.exp(-0.5 * x * x)
        for x in GRID.nodes
    ]
    assert np.abs(GRID.derivative(values) - expected).max() < 1e-10
    assert np.abs(GRID.interpolate(values, lags) - [bump(x) for x in lags]).max() < 1e-12
    assert GRID.interpolate(values, np.array([64.5]))[0] == 0


def test_weights_integrate() -> None:
    assert GRID.weights @ np.exp(-GRID.nodes / 3) == pytest.approx(
        3 * (1 - np.exp(-64 / 3)), rel=1e-14
    )


def test_power_of_a_polynomial_is_exact() -> None:
    """2∫_0^2 (1 − τ²/4) cos ωτ dτ = (sin 2ω − 2ω cos 2ω)/ω³, up to high frequency."""
    grid = ElementGrid((0.0, 0.3, 2.0), 4)
    omega = np.array([1.0, 7.0, 300.0])
    exact = (np.sin(2 * omega) - 2 * omega * np.cos(2 * omega)) / omega**3
    found = grid.power(1 - grid.nodes**2 / 4, omega)
    assert np.abs(found - exact).max() < 1e-15
    assert grid.power(1 - grid.nodes**2 / 4, np.zeros(1))[0] == pytest.approx(8 / 3, rel=1e-14)


def test_power_of_an_exponential() -> None:
    omega = np.array([0.0, 0.4, 3.0, 25.0])
    grid = ElementGrid(GRID.edges, 28)
    found = grid.power(np.exp(-grid.nodes), omega)
    assert np.abs(found - 2 / (1 + omega**2)).max() < 1e-13


def test_coefficients_of_a_legendre_polynomial() -> None:
    grid = ElementGrid((0.0, 2.0), 5)
    table = grid.coefficients(np.polynomial.legendre.legval(grid.nodes - 1, [0, 0, 0, 2.0]))
    assert table[0] == pytest.approx([0, 0, 0, 2, 0], abs=1e-14)


def test_smooth_functions_meet_the_conditions() -> None:
    """Far beyond the kernel's reach continuity is asked for; a jump at an edge is projected out."""
    grid = ElementGrid((0.0, 5.0, 10.0, 20.0), 24)
    assert not len(grid.continuity(1.0).rows)
    found = grid.continuity(0.01)
    assert found.rows.shape == (5, 72)
    smooth = np.exp(-((grid.nodes / 3) ** 2))
    jump = np.where(grid.nodes < 5, 1.0, 0.0) * smooth
    assert np.abs(found.project(smooth) - smooth).max() < 1e-10
    assert np.abs(found.project(jump) - jump).max() > 1e-3


def test_equations_hold_within_the_conditions() -> None:
    """Against a basis of what meets them; a free unknown stands at the end."""
    rng = np.random.default_rng(0)
    conditions = ElementGrid((0.0, 5.0, 10.0), 8).continuity(0.01).repeated(2, before=1)
    free, size = 1, 1 + 32 + 1
    rows = np.hstack([conditions.rows, np.zeros((6, free))])
    basis = scipy.linalg.null_space(rows)
    matrix, right = rng.standard_normal((size, size)), rng.standard_normal(size)
    expected = basis @ np.linalg.solve(basis.T @ matrix @ basis, basis.T @ right)
    assert conditions.solve(matrix, right) == pytest.approx(expected, abs=1e-11)
    inner = matrix[:-1, :-1]
    projector = np.eye(33) - conditions.rows.T @ conditions.rows
    assert conditions.within(inner) == pytest.approx(projector @ inner @ projector, abs=1e-13)


def test_steps() -> None:
    """Convolution on the integers against the sum over all lags."""
    grid = StepGrid(60)
    ahead, behind = exponential([0.8], [0.5], 0.3), exponential([-0.4], [-0.7], 0.3)
    values = np.exp(-((grid.nodes / 6) ** 2))
    found = grid.convolve(ahead, behind) @ values

    def kernel(n: int) -> float:
        side = ahead if n >= 0 else behind
        return float(np.real((side.weights * side.rates ** abs(n)).sum())) + 0.3 * (n == 0)

    # Lag 0 belongs to both sides; the one ahead counts.
    for n in (0, 1, 5, 17):
        direct = sum(kernel(n - m) * np.exp(-((m / 6) ** 2)) for m in range(-60, 61))
        assert found[n] == pytest.approx(direct, abs=1e-13), n
    assert found[-1] == pytest.approx(found[0], rel=1e-14)
    assert grid.sample(ahead)[[0, 2, -1]] == pytest.approx([1.1, 0.2, 1.1])


def test_power_of_steps() -> None:
    """a^{|n|} has power (1 − a²)/(1 − 2a cos ω + a²)."""
    grid = StepGrid(200)
    omega = np.array([0.0, 1.0, np.pi])
    exact = (1 - 0.49) / (1 - 1.4 * np.cos(omega) + 0.49)
    assert grid.power(0.7**grid.nodes, omega) == pytest.approx(exact, rel=1e-13)


def test_edges() -> None:
    assert doubling_edges(0.5, 3.0) == (0.0, 0.5, 1.0, 2.0, 4.0)
    assert split(ElementGrid((0.0, 1.0, 3.0), 4), [1]).edges == (0.0, 1.0, 2.0, 3.0)

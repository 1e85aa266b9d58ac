"""Covariance kernels of linear systems against Fourier transforms and direct sums."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.lag_filter import Kernel, reduce

Array = NDArray[np.float64]
LAGS = np.array([0.0, 0.2, 1.0, 3.7])


def transformed(
    mass: list[float],
    drift: list[list[float]],
    drive: list[float],
    fields: tuple[int, int],
    rate: float = 0.0,
) -> Array:
    """∫ dω/2π e^{iωτ} G_k(iω) G_l(−iω), G = (E(s + κ) − D)⁻¹ B, for a decaying transform."""

    def answer(s: complex) -> NDArray[np.complex128]:
        matrix = np.diag(mass) * (s + rate) - np.array(drift)
        return np.asarray(np.linalg.solve(matrix, np.array(drive, dtype=complex)))

    def density(omega: float, part: str) -> float:
        g = answer(1j * omega)
        return float(getattr(g[fields[0]] * np.conj(g[fields[1]]), part) / np.pi)

    result = []
    for lag in LAGS:
        # ∫_{-∞}^∞ e^{iωτ} K(ω) dω/2π = (1/π) ∫_0^∞ [Re K cos ωτ − Im K sin ωτ] dω
        if lag == 0:
            even = quad(lambda w: density(w, "real"), 0, np.inf, limit=400, epsabs=1e-11)[0]
            odd = 0.0
        else:
            options = {"wvar": lag, "limit": 400, "limlst": 400, "epsabs": 1e-10}
            even = quad(lambda w: density(w, "real"), 0, np.inf, weight="cos", **options)[0]
            odd = quad(lambda w: density(w, "imag"), 0, np.inf, weight="sin", **options)[0]
        result.append(even - odd)
    return np.array(result)


def kernel(
    mass: list[float],
    drift: list[list[float]],
    drive: list[float],
    fields: tuple[int, int] = (0, 0),
    rate: float = 0.0,
    *,
    discrete: bool = False,
) -> Kernel:
    unit = np.eye(len(mass))
    system = reduce(mass, np.array(drift), np.array(drive)[:, None], discrete)
    return system.kernel(unit[fields[0]], unit[fields[1]], 0, rate)


CONTINUOUS = {
    "one field": ([0.7], [[-1.3]], [2.0], (0, 0)),
    "cascade": ([1.0, 3.0], [[-1.0, 0.0], [1.0, -1.0]], [1.0, 0.0], (1, 1)),
    "cascade, upper field first": ([1.0, 3.0], [[-1.0, 0.0], [1.0, -1.0]], [1.0, 0.0], (0, 1)),
    "cascade, lower field first": ([1.0, 3.0], [[-1.0, 0.0], [1.0, -1.0]], [1.0, 0.0], (1, 0)),
    "oscillator": ([1.0, 2.0], [[-0.4, -3.0], [1.0, -1.0]], [1.0, 0.5], (0, 0)),
    "oscillator, cross": ([1.0, 2.0], [[-0.4, -3.0], [1.0, -1.0]], [1.0, 0.5], (0, 1)),
    "algebraic field in a loop": (
        [1.0, 0.0],
        [[-1.0, -0.5], [2.0, -1.0]],
        [1.0, 0.0],
        (1, 1),
    ),
}


@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_kernel_is_the_transform_of_the_power_gain(name: str, rate: float) -> None:
    mass, drift, drive, chosen = CONTINUOUS[name]
    found = kernel(mass, drift, drive, chosen, rate)
    expected = transformed(mass, drift, drive, chosen, rate)
    assert found.instant == 0
    assert np.abs(found.flow(LAGS) - expected).max() < 1e-8


@pytest.mark.parametrize("name", CONTINUOUS)
def test_total_is_the_static_gain(name: str) -> None:
    """∫K = G_k(0) G_l(0), and equals the sum of both halves' integrals."""
    mass, drift, drive, (k, l_) = CONTINUOUS[name]
    static = np.linalg.solve(-np.array(drift), np.array(drive))
    ahead, behind = (kernel(mass, drift, drive, pair) for pair in ((k, l_), (l_, k)))
    halves = sum(float(np.real(-(h.weights / h.rates).sum())) for h in (ahead, behind))
    assert ahead.total == pytest.approx(static[k] * static[l_], rel=1e-12)
    assert halves == pytest.approx(ahead.total, rel=1e-12)


def test_closed_form_of_one_field() -> None:
    """(1/2τ_0) e^{−|τ|/τ_0} with unit gain; κ adds to the rate."""
    found = kernel([2.0], [[-1.0]], [1.0], rate=0.25)
    assert found.flow(LAGS) == pytest.approx(np.exp(-0.75 * LAGS) / (2 * 0.75 * 4), rel=1e-14)


@pytest.mark.parametrize(
    ("count", "shape"),
    [
        pytest.param(2, [1 / 4, 1 / 4]),
        pytest.param(3, [3 / 16, 3 / 16, 1 / 16]),
        pytest.param(4, [5 / 32, 5 / 32, 1 / 16, 1 / 96]),
    ],
)
def test_defective_matrix(count: int, shape: list[float]) -> None:
    """Equal time constants in a row: a polynomial times e^{−|τ|}, for two (1 + |τ|) e^{−|τ|}/4."""
    drift = np.diag([-1.0] * count) + np.diag([1.0] * (count - 1), -1)
    drive = [1.0, *[0.0] * (count - 1)]
    found = kernel([1.0] * count, drift.tolist(), drive, (count - 1, count - 1))
    exact = np.polynomial.polynomial.polyval(LAGS, shape) * np.exp(-LAGS)
    assert np.abs(found.flow(LAGS) - exact).max() < 1e-12


def test_nearly_defective_matrix() -> None:
    """Time constants 1 and 1 + δ: (e^{−τ} − T e^{−τ/T})/(2(1 − T²)) ."""
    for delta in (1e-2, 1e-4, 1e-6):
        t = 1 + delta
        found = kernel([1.0, t], [[-1.0, 0.0], [1.0, -1.0]], [1.0, 0.0], (1, 1))
        gap = -np.expm1(np.log1p(delta) - LAGS / t + LAGS)  # 1 − T e^{τ − τ/T}
        exact = np.exp(-LAGS) * gap / (2 * (1 - t * t))
        assert np.abs(found.flow(LAGS) - exact).max() < 1e-10, delta


def test_algebraic_fields_pass_the_drive_on() -> None:
    """y = x + u: an instantaneous part, and the cross term with x."""
    mass, drift, drive = [1.0, 0.0], [[-1.0, 0.0], [1.0, -1.0]], [1.0, 1.0]
    found = kernel(mass, drift, drive, (1, 1))
    # G = 1/(1+s) + 1 → |G|² = 1 + 3/(1 + ω²)
    assert found.instant == 1
    assert found.flow(LAGS) == pytest.approx(1.5 * np.exp(-LAGS), rel=1e-13)
    assert found.total == pytest.approx(4, rel=1e-14)
    assert kernel(mass, drift, drive, (1, 0)).flow(LAGS) == pytest.approx(
        0.5 * np.exp(-LAGS), rel=1e-13
    )


def test_only_algebraic_fields() -> None:
    found = kernel([0.0], [[-2.0]], [3.0])
    assert found.instant == pytest.approx(9 / 4)
    assert found.total == pytest.approx(9 / 4)
    assert not found.flow(LAGS).any()


MAPS = {
    "one field": ([1.0], [[0.7]], [1.0], (0, 0)),
    "alternating": ([1.0], [[-0.6]], [1.0], (0, 0)),
    "memoryless": ([1.0], [[0.0]], [1.5], (0, 0)),
    "two fields": ([1.0, 1.0], [[0.5, -0.3], [0.4, 0.6]], [1.0, -0.5], (0, 1)),
    "delay line of two": ([1.0, 1.0], [[0.0, 0.0], [1.0, 0.0]], [1.0, 0.0], (0, 1)),
    "algebraic": ([1.0, 0.0], [[0.7, 0.0], [0.5, -1.0]], [1.0, 1.0], (1, 1)),
    "algebraic, cross": ([1.0, 0.0], [[0.7, 0.0], [0.5, -1.0]], [1.0, 1.0], (1, 0)),
}


DELAYS = {
    "delay line": ([1.0, 1.0], [[0.0, 0.0], [1.0, 0.0]], [1.0, 0.0], (1, 0)),
    "delay line of three": (
        [1.0, 1.0, 1.0],
        [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
        [1.0, 0.0, 0.0],
        (2, 0),
    ),
}
MAPS |= DELAYS


@pytest.mark.parametrize("rate", [0.0, 0.1])
@pytest.mark.parametrize("name", list(MAPS))
def test_map_kernel_against_direct_sums(name: str, rate: float) -> None:
    """K(n) = Σ_m G_k(m + n) G_l(m) with the impulse responses G, faded by e^{−κ} per step."""
    mass, drift, drive, (k, l_) = MAPS[name]
    moving = np.array(mass) != 0
    d, b = np.array(drift), np.array(drive)
    fields, response = np.zeros(len(mass)), []
    for step in range(400):
        push = b if step == 0 else 0 * b
        value = fields.copy()
        still = ~moving
        if still.any():  # value = (rest of the law) at the same time
            inner = -d[np.ix_(still, still)]
            right = d[np.ix_(still, moving)] @ fields[moving] + push[still]
            value[still] = np.linalg.solve(inner, right)
        response.append(value * np.exp(-rate * step))
        fields = np.where(moving, d @ value + push, 0.0)
    table = np.array(response)
    found = kernel(mass, drift, drive, (k, l_), rate, discrete=True)
    for n in range(6):
        direct = table[n:, k] @ table[: len(table) - n, l_]
        power = np.real((found.weights * found.rates**n).sum()) + (found.instant if n == 0 else 0)
        assert power == pytest.approx(direct, abs=1e-12), n
    assert found.total == pytest.approx(table[:, k].sum() * table[:, l_].sum(), rel=1e-12)


def test_memory() -> None:
    system = reduce([1.0, 3.0], np.array([[-1.0, 0.0], [1.0, -1.0]]), np.eye(2)[:, :1], False)
    assert (system.slowest, system.fastest) == pytest.approx((3, 1))
    step = reduce([1.0], np.array([[0.5]]), np.eye(1), True)
    assert step.slowest == pytest.approx(1 / np.log(2))


@pytest.mark.parametrize(
    ("mass", "drift", "discrete"),
    [
        ([1.0], [[0.0]], False),
        ([1.0, 1.0], [[1.0, -3.0], [3.0, -0.9]], False),
        ([1.0], [[1.0]], True),
        ([1.0], [[-1.01]], True),
    ],
)
def test_a_law_that_does_not_forget_is_refused(
    mass: list[float], drift: list[list[float]], discrete: bool
) -> None:
    with pytest.raises(ConvergenceError, match="does not forget"):
        reduce(mass, np.array(drift), np.eye(len(mass))[:, :1], discrete)


def test_an_undetermined_algebraic_field_is_refused() -> None:
    with pytest.raises(ConvergenceError, match="does not determine"):
        reduce([1.0, 0.0], np.array([[-1.0, 0.0], [1.0, 0.0]]), np.eye(2)[:, :1], False)

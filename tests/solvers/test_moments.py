from typing import Any

import mpmath
import numpy as np
import pytest
from sympy import Symbol

from gatetheory import simulation
from gatetheory.errors import DerivationError
from gatetheory.model import zoo
from gatetheory.pipeline import solve
from gatetheory.theory.derive import Theory

UNITS = 100


def test_classical_by_hand(classical: Theory) -> None:
    """D = −1 + J φ': μ_1 = 1 + a, μ_2 = 1 + 4a + b + a², a = ⟨φ'²⟩, b = ⟨φ'⁴⟩."""
    found = solve(classical.moments, {"g": "1.5"})
    std = np.sqrt(float(found.state["Delta_h"]))
    x, w = np.polynomial.legendre.leggauss(300)
    x, w = 12 * x, 12 * w * np.exp(-72 * x**2) / np.sqrt(2 * np.pi)
    slope2 = (1.5 / np.cosh(1.5 * std * x) ** 2) ** 2
    a, b = (float(w @ slope2**k) for k in (1, 2))
    assert found.values[0] == pytest.approx(1 + a, rel=1e-9)
    assert found.values[1] == pytest.approx(1 + 4 * a + b + a**2, rel=1e-9)
    assert found.trace == -1


@pytest.mark.parametrize("state", [None, pytest.param({"Delta_dh": "0.5"}, marks=pytest.mark.slow)])
def test_against_finite_networks(gated: Theory, state: dict[str, Any] | None) -> None:
    """The issue's point (g_h, α_z, α_r) = (3, 5, 2), at and off the fixed point."""
    at = {"g_h": 3, "alpha_z": 5, "alpha_r": 2}
    fixed = solve(gated.moments, at)
    if state is None:
        found = fixed
        relation = {"eta_h": Symbol("h")}
        variances = {n: float(fixed.state[f"Delta_{n}"]) for n in "hzr"}
    else:
        given = {n: fixed.state[n] for n in ("Delta_h", "Delta_z", "Delta_r")}
        found = solve(gated.synthetic_moments, at, state=given | state)
        relation = {"eta_h": Symbol("h") + Symbol("d")}
        variances = {n: float(fixed.state[f"Delta_{n}"]) for n in "hzr"} | {"d": 0.5}
        assert all(v > f for v, f in zip(found.values, fixed.values, strict=True))
    samples = []
    for seed in range(8):
        network = simulation.draw_network(zoo.gated(), at, UNITS, seed=seed)
        drawn = simulation.synthetic_state(network, variances, relation, seed=seed + 100)
        matrix = simulation.jacobian(network, drawn)
        samples.append(
            [*simulation.singular_moments(matrix, UNITS), simulation.mean_trace(matrix, UNITS)]
        )
    mean, stderr = np.mean(samples, axis=0), np.std(samples, axis=0, ddof=1) / np.sqrt(8)
    expected = np.array([*found.values, found.trace], float)
    assert (np.abs(mean - expected) < 4 * stderr + 3 * np.abs(expected) / UNITS).all()
    assert (stderr < 0.15 * np.abs(expected)).all()


@pytest.mark.parametrize(
    "at",
    [
        {},
        pytest.param(
            {"g_h": 20, "alpha_r": 20, "alpha_z": 20, "beta_r": 3}, marks=pytest.mark.slow
        ),
        pytest.param({"tau_z": "1/50"}, marks=pytest.mark.slow),
    ],
)
def test_digits(gated: Theory, at: dict[str, Any]) -> None:
    doubles, precise = solve(gated.moments, at), solve(gated.moments, at, digits=30)
    for value, error, better, its in zip(
        doubles.values, doubles.errors, precise.values, precise.errors, strict=True
    ):
        with mpmath.workdps(50):
            assert abs(value - better) <= 3 * error + 1e-15 * abs(better)
            assert its <= abs(better) * mpmath.mpf(10) ** -29
        assert error < 1e-10 * value
    assert doubles.status == precise.status == "ok"


def test_zero_state(gated: Theory) -> None:
    """φ = 0 and σ_z = σ_r = ½: μ_1 = ¼ + ¼ (g/2)² + (1 + g²)/τ_z² + (1 + g²)/τ_r²."""
    found = solve(gated.moments, {"g_h": "1.2", "tau_z": 3}, branch=0)
    expected = 0.25 + 0.25 * 0.36 + (1 + 1.44) * (1 / 9 + 1 / 4)
    assert found.values[0] == pytest.approx(expected, rel=1e-14)
    assert found.trace == pytest.approx(-0.5 - 1 / 3 - 1 / 2)


def test_fields_without_dynamics_are_refused(gru: Theory, gated: Theory) -> None:
    with pytest.raises(DerivationError, match="algebraic"):
        solve(gru.moments)
    with pytest.raises(DerivationError, match="tau_r = 0"):
        solve(gated.moments, {"tau_r": 0})

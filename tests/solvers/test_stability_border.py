import math
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from sympy import Rational, Symbol, tanh

from gatetheory import simulation
from gatetheory.model import POSITIVE, Coupling, Field, Model, Parameter, fields, local_field, zoo
from gatetheory.pipeline import solve
from gatetheory.theory.derive import Theory, derive


def test_classical_in_closed_form(classical: Theory) -> None:
    """The support is the disc of radius √⟨φ'²⟩ around −1."""
    for gain in (0.5, 1.2, 2, 3, 20):
        for branch, point in enumerate(solve(classical.fixed_points, {"g": str(gain)})):
            std = np.sqrt(point["Delta_h"])

            def slope(x: float, gain: float = gain, std: float = std) -> float:
                weight = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
                return float(gain**2 / np.cosh(np.clip(gain * std * x, -150, 150)) ** 4 * weight)

            places = [-1.0, -0.3, -0.1, 0, 0.1, 0.3, 1.0]
            squared = quad(slope, -10, 10, points=places, epsabs=1e-13, limit=500)[0]
            found = solve(classical.spectrum, {"g": str(gain)}, branch=branch, trace=True)
            assert found.value == pytest.approx(np.sqrt(squared) - 1, abs=1e-11)
            assert abs(found.value - (np.sqrt(squared) - 1)) < found.error + 1e-11
            assert found.origin == "boundary"
            assert found.stable == (squared < 1) == point.stable
            assert found.boundary is not None
            (curve,) = found.boundary.curves
            assert np.abs(np.abs(curve + 1) - np.sqrt(squared)).max() < 1e-9
            assert found.boundary.holes == (False,)


def test_zero_state_in_closed_form(gated: Theory) -> None:
    """At Δ = 0: a disc around −σ_z(0) of radius σ_z(0) g_h σ_r(0), and two kinds of atoms."""
    at: dict[str, Any] = {"g_h": "1.2", "alpha_z": 20, "beta_z": "0.3", "beta_r": "-0.4"}
    found = solve(gated.spectrum, at | {"tau_z": 3, "tau_r": 5}, branch=0)
    rate, gate = 1 / (1 + np.exp(0.3)), 1 / (1 + np.exp(-0.4))
    edge = rate * (1.2 * gate - 1)
    assert sorted(a.real for a in found.atoms) == pytest.approx([-1 / 3, -1 / 5])
    assert found.segments == ()
    assert (found.value, found.origin) == (pytest.approx(max(edge, -0.2)), "boundary")
    assert found.error < 1e-13
    slow = solve(gated.spectrum, at | {"tau_z": 3, "tau_r": 50}, branch=0)
    assert (slow.value, slow.origin) == (-0.02, "atom")


@pytest.mark.parametrize("bias", ["-2", "0", "1", "3"])
def test_zero_loses_stability_at_one_plus_exp_beta_r(gated: Theory, bias: str) -> None:
    critical = 1 + math.exp(float(bias))
    for factor in (1 - 1e-9, 1 + 1e-9):
        at = {"g_h": repr(critical * factor), "beta_r": bias, "alpha_z": 3, "alpha_r": 7}
        zero = solve(gated.fixed_points, at)[0]
        assert zero["Delta_h"] == 0
        assert zero.stable == (factor < 1)


@pytest.mark.parametrize(
    "at",
    [
        {"g_h": "1.48", "beta_h": "1/2", "alpha_z": 1},
        {"g_h": "1.48", "beta_h": "1/2", "alpha_z": 20, "beta_z": 2},
        {"g_h": "1.2", "beta_h": "2/5", "alpha_r": 1, "alpha_z": "1/1000"},
        {"g_h": "1.48", "beta_h": "1/2", "alpha_z": 5, "tau_z": 0, "tau_r": 0},
        {"g_h": "1.48", "beta_h": "1/2", "alpha_z": 5, "tau_z": 10, "tau_r": 10},
    ],
)
@pytest.mark.parametrize("digits", [15, 25])
def test_a_fluctuating_update_gate_makes_the_abscissa_exactly_zero(
    gated: Theory, at: dict[str, Any], digits: int
) -> None:
    """No number that depends on the quadrature leaves: the segment ends at 0."""
    found = solve(gated.spectrum, at, digits=digits)
    assert found.value == 0
    assert found.error == 0
    assert found.origin == "edge"
    assert found.stable
    assert found.segments == ((-1.0, 0.0),)
    assert solve(gated.fixed_points, at)[-1].stable


@pytest.mark.parametrize(
    ("gain", "value"), [(10, 1e-2), (20, 1e-5)], ids=["alpha_z=10", "alpha_z=20"]
)
def test_slow_modes_pile_up_at_zero(
    gated: Theory, reference: type, gain: int, value: float
) -> None:
    """The abscissa falls by orders of magnitude with α_z and keeps its digits."""
    at = {"g_h": 3, "alpha_r": 1, "tau_z": 2, "alpha_z": gain}
    found = solve(gated.spectrum, at)
    exact = reference(g_h=3, alpha_r=1, tau_z=2, alpha_z=gain)
    expected, origin, _ = exact.abscissa(found.state["Delta_h"])
    assert found.value == pytest.approx(expected, rel=1e-9)
    assert found.origin == origin == "boundary"
    assert 0.05 * value < found.value < 20 * value
    assert found.error < 1e-10 * found.value
    assert not found.stable


def test_marginal_state_of_the_literature(gated: Theory) -> None:
    """Known: β_h = ½, α_r = 5 is marginal at g_h ≈ 1.8510248."""
    for gain, stable in (("1.8510247", True), ("1.8510250", False)):
        at = {"g_h": gain, "beta_h": "1/2", "alpha_r": 5}
        found = solve(gated.spectrum, at)
        assert found.stable is stable
        assert (found.value < 0) is stable
        assert abs(found.value) < 1e-6


# ---- time constants ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tau_z", "tau_r"),
    [("0", "0"), ("0", "2"), ("1/3", "0"), ("10", "1/1000"), ("10", "10")],
)
def test_time_constants(gated: Theory, reference: type, tau_z: str, tau_r: str) -> None:
    at = {"g_h": "2.5", "alpha_r": 4, "beta_r": "1/2", "tau_z": tau_z, "tau_r": tau_r}
    points = solve(gated.fixed_points, at)
    exact = reference(2.5, 0, 4, 0, 0, 0.5, float(Rational(tau_z)), float(Rational(tau_r)))
    for branch, point in enumerate(points):
        found = solve(gated.spectrum, at, branch=branch)
        value, origin, at_zero = exact.abscissa(point["Delta_h"])
        assert found.value == pytest.approx(value, rel=1e-9, abs=1e-12)
        assert found.origin == origin
        assert found.stable == (at_zero < 1 and value < 0) == point.stable
        assert np.isfinite(found.error)
        atoms = [-1 / float(Rational(tau_z))] if Rational(tau_z) else []
        assert set(atoms) <= {a.real for a in found.atoms}


def test_a_vanishing_time_constant_is_the_limit(gated: Theory) -> None:
    for name in ("tau_z", "tau_r"):
        at = {"g_h": 3, "alpha_z": 2}
        limit = solve(gated.spectrum, at | {name: 0}).value
        near = solve(gated.spectrum, at | {name: "1e-7"}).value
        assert near == pytest.approx(limit, rel=1e-6)
        assert near != limit or name == "tau_z"


# ---- synthetic states ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_state_in_motion_against_eigenvalues(gated: Theory) -> None:
    """With η_h ≠ h the update gate feeds back: the last term of the boundary equation."""
    at = {"g_h": 2, "alpha_z": 3, "alpha_r": 2, "tau_z": "1/2"}
    given = {"Delta_h": "0.3", "Delta_z": "0.6", "Delta_r": "0.6", "Delta_dh": "0.8"}
    found = solve(gated.synthetic_spectrum, at, state=given, trace=True)
    still = solve(gated.synthetic_spectrum, at, state=given | {"Delta_dh": 0})
    assert found.value > still.value + 0.1
    h, d = Symbol("h"), Symbol("d")
    network = simulation.draw_network(zoo.gated(), at, 300, seed=1)
    variances = {"h": 0.3, "z": 0.6, "r": 0.6, "d": 0.8}
    state = simulation.synthetic_state(network, variances, {"eta_h": h + d}, seed=2)
    eigenvalues = simulation.eigenvalues(simulation.jacobian(network, state))
    assert found.boundary is not None
    outside = ~found.boundary.contains(eigenvalues)
    outside &= found.boundary.distance(eigenvalues) > 0.15
    outside &= np.abs(eigenvalues.imag) > 0  # the segment
    assert outside.mean() < 0.01
    assert eigenvalues.real.max() == pytest.approx(found.value, abs=0.15)


def test_huge_and_vanishing_variances(gated: Theory) -> None:
    at = {"alpha_z": 20}
    wide = {"Delta_h": "0.2", "Delta_z": 5000, "Delta_r": "0.5", "Delta_dh": 0}
    slow = solve(gated.synthetic_spectrum, at, state=wide)
    assert 0 < slow.value < 0.1
    assert slow.error < 1e-10
    fast = solve(gated.synthetic_spectrum, at, state=wide | {"Delta_z": 5, "Delta_dh": 500})
    assert fast.value > 1
    nothing = dict.fromkeys(wide, 0)
    zero = solve(gated.synthetic_spectrum, at, state=nothing)
    assert zero.value == pytest.approx(0.25)  # ½ (g_h/2 − 1)
    assert np.isfinite(zero.error)


# ---- discrete time -------------------------------------------------------------------------------


def test_gru_without_gates_in_closed_form(gru: Theory) -> None:
    """α_z = α_r = 0: multipliers ½ + ½ J φ'/2, a disc around ½ of radius ¼ √⟨φ'²⟩."""
    for gain in ("1.5", "3"):
        at = {"g_h": gain, "alpha_z": 0, "alpha_r": 0}
        found = solve(gru.spectrum, at)
        variance, g = float(found.state["Delta_h"]), float(gain)
        std = np.sqrt(variance)
        weighted = lambda x: (  # noqa: E731
            g**2 / np.cosh(g * std * x) ** 4 * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)  # noqa: B023
        )
        squared = quad(weighted, -10, 10, epsabs=1e-13, points=[-1, 0, 1], limit=300)[0]
        assert found.quantity == "radius"
        assert found.value == pytest.approx(0.5 + 0.25 * np.sqrt(squared), abs=1e-10)
        assert found.stable == (found.value < 1)


def test_gru_edge_of_the_slow_units(gru: Theory) -> None:
    """With α_z > 0 the local multipliers 1 − σ_z fill [0, 1]: radius at least 1, stable or not."""
    found = solve(gru.spectrum, {"g_h": "1.5", "beta_h": "1/2", "alpha_z": 5})
    assert found.segments == ((0.0, 1.0),)
    assert (found.value, found.origin, found.stable, found.error) == (1.0, "edge", True, 0.0)
    exact = solve(gru.spectrum, {"g_h": "1.5", "beta_h": "1/2", "alpha_z": 5}, digits=25)
    assert exact.value == 1
    loose = solve(gru.spectrum, {"g_h": 8, "alpha_z": 5})
    assert loose.value > 1.1
    assert not loose.stable


# ---- digits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at",
    [
        {},
        pytest.param(
            {"alpha_z": 7, "beta_h": "-1.2", "g_h": 11, "alpha_r": 15}, marks=pytest.mark.slow
        ),
        pytest.param({"alpha_z": 20, "alpha_r": 1, "tau_z": 2}, marks=pytest.mark.slow),
        {"g_h": "1.2", "tau_r": 0, "tau_z": 7},  # an atom beside an algebraic field
        {"g_h": "1.2", "tau_r": 9, "tau_z": 0},
        {"tau_r": 0, "tau_z": 0},
    ],
)
def test_digits_agree(gated: Theory, at: dict[str, Any]) -> None:
    doubles = solve(gated.spectrum, at)
    thirty, twenty = (solve(gated.spectrum, at, digits=d) for d in (30, 20))
    with mpmath.workdps(50):
        assert abs(doubles.value - thirty.value) <= 3 * doubles.error + 2e-16
        assert abs(twenty.value / thirty.value - 1) < mpmath.mpf(10) ** -19
        assert thirty.error < mpmath.mpf(10) ** -29 * max(1, abs(thirty.value))


def test_huge_gains(classical: Theory) -> None:
    """⟨φ'²⟩ grows like g; the abscissa like √g."""
    values = [solve(classical.spectrum, {"g": g}).value for g in ("1e10", "1e12", "1e20")]
    assert values[1] / values[0] == pytest.approx(10, rel=1e-4)
    assert values[2] / values[1] == pytest.approx(1e4, rel=1e-5)


def test_no_loop_at_all() -> None:
    """A signal that feeds back into nothing it reads: atoms only."""
    x, y = fields("x y")
    eta = local_field("y")
    slow = Parameter("tau", 4, POSITIVE)
    model = Model(
        name="forward",
        time="continuous",
        fields=(
            Field(x, drift=-x, time_constant=slow.symbol),
            Field(y, drift=-y + eta),
        ),
        couplings=(Coupling(eta, signal=tanh(x)),),
        parameters=(slow,),
    )
    theory = derive(model)
    found = solve(theory.spectrum)
    assert (found.value, found.origin, found.stable) == (-0.25, "atom", True)
    assert sorted(a.real for a in found.atoms) == [-1, -0.25]
    assert solve(theory.spectrum, digits=30).value == mpmath.mpf("-0.25")

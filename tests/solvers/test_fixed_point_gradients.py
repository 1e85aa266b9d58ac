"""Gradients at fixed points: closed forms, equivalent models, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, i0
from sympy import Lambda, Symbol, tanh

from gatetheory.codegen import numpy_backend
from gatetheory.errors import ParameterError
from gatetheory.model import (
    POSITIVE,
    REAL,
    Coupling,
    Field,
    GaussianInput,
    Model,
    Nonlinearity,
    Parameter,
    fields,
    local_field,
)
from gatetheory.pipeline.states import state_values
from gatetheory.solvers.fixed_point_gradients import (
    adjoint_covariance,
    solve_fixed_point_gradients,
)
from gatetheory.solvers.gradient_records import Gradients
from gatetheory.solvers.spectrum import SpectralProblem
from gatetheory.solvers.transfer import State
from gatetheory.theory.derive import Theory, derive

QUIET = {"g_h": "1.48", "alpha_r": 5, "tau_r": 2, "beta_h": "1/2"}


def state_of(theory: Theory, at: dict[str, Any]) -> dict[Symbol, float]:
    condition = theory.gradients.spectrum()
    return state_values(condition.state, condition.law, at, 15, -1, None)


def solved(
    theory: Theory, at: dict[str, Any], horizons: Any, *, loss: str | None = None,
    running: bool = False, **options: Any,
) -> Gradients:  # fmt: skip
    problem = theory.gradients
    return solve_fixed_point_gradients(
        problem, problem.bind(at), state_of(theory, at), problem.loss(loss, running), horizons,
        **options,
    )  # fmt: skip


def made(name: str, *, two: bool = False, given: bool = False) -> Model:
    """One rate tanh(g x + b); two: a second coupling into x, given: a Gaussian input."""
    u = Symbol("u", real=True)
    (x,) = fields("x,")
    current = Symbol("I", real=True)
    eta_x, eta_y = local_field("x"), local_field("y")
    g = Parameter("g", 1, POSITIVE, "gain")
    b = Parameter("b", 1, REAL, "bias")
    s = Parameter("s", 1, POSITIVE, "size of the coupling")
    w = Parameter("w", 1, POSITIVE, "size of the second coupling, or of the input")
    phi = Nonlinearity("phi", Lambda(u, tanh(g.symbol * u + b.symbol)))
    drift = -x + eta_x + (eta_y if two else 0) + (current if given else 0)
    couplings = [Coupling(eta_x, signal=phi(x), variance=s.symbol**2)]
    if two:
        couplings.append(Coupling(eta_y, signal=phi(x), variance=w.symbol**2))
    return Model(
        name=name, time="continuous", fields=(Field(x, drift=drift),), couplings=tuple(couplings),
        parameters=(g, b, s, *((w,) if two or given else ())),
        nonlinearities=(phi,),
        inputs=(GaussianInput(current, w.symbol**2),) if given else (),
    )  # fmt: skip


@pytest.fixture(scope="module")
def rate() -> Theory:
    return derive(made("rate"))


def test_the_gated_network_has_its_known_values(gated: Theory) -> None:
    found = solved(gated, QUIET, [2, 5, 10, 20, 40], names=[])
    assert found.status == "ok"
    known = [0.046179, 0.12625, 0.21307, 0.29114, 0.32239]
    assert found["h"] == pytest.approx(known, rel=5e-5)
    assert np.all(found["z"] == 0)  # z does not matter at rest
    assert np.all(found.coupling_errors["h"] < 1e-9 * found["h"])
    assert found.growth_exponent == pytest.approx(-0.13738675616596652, abs=1e-12)
    assert found.residual is not None
    assert found.residual < 1e-11
    assert found.growth_error is not None
    assert found.growth_error < 1e-10


@pytest.mark.parametrize("alpha_z", [0, 3])
def test_the_reset_gate_gets_its_share_in_the_long_run(gated: Theory, alpha_z: int) -> None:
    """∫∫ over all times of the adjoint's equations: Q_r/Q_h = ⟨φ²⟩⟨σ_r'²⟩/⟨σ_r²⟩."""
    at = QUIET | {"alpha_z": alpha_z}
    found = solved(gated, at, [4000.0], names=[])
    (square,) = {v for s, v in state_of(gated, at).items() if s.name == "Delta_r"}
    u = np.linspace(-9, 9, 2001)
    weight = np.exp(-u * u / 2) / np.exp(-u * u / 2).sum()
    gate = expit(5 * np.sqrt(float(square)) * u)
    share = float(square) * (weight @ (5 * gate * (1 - gate)) ** 2) / (weight @ gate**2)
    # With a fluctuating gate the rest decays like a power of time.
    assert found["r"] / found["h"] == pytest.approx(share, rel=1e-9 if alpha_z == 0 else 1e-3)


@pytest.mark.parametrize(
    "at", [QUIET, QUIET | {"g_h": "0.7", "tau_r": 10}, QUIET | {"alpha_z": 4}, QUIET | {"g_h": 3}]
)
def test_adjoint_and_jacobian_grow_at_the_same_rate(gated: Theory, at: dict[str, Any]) -> None:
    condition = gated.gradients.spectrum()
    state = State(condition.bind(at), state_of(gated, at))
    border = SpectralProblem(condition, numpy_backend).border(state)[0]
    found = solved(gated, at, [1.0], names=[])
    assert found.growth_exponent == pytest.approx(2 * border.value, abs=1e-9)


def test_adjoint_and_jacobian_of_a_map_grow_at_the_same_rate(gru: Theory) -> None:
    at = {"g_h": "1.2", "alpha_z": 0, "alpha_r": 2, "beta_h": "1/2"}
    condition = gru.gradients.spectrum()
    state = State(condition.bind(at), state_of(gru, at))
    border = SpectralProblem(condition, numpy_backend).border(state)[0]
    found = solved(gru, at, [2], names=[])
    assert found.growth_exponent == pytest.approx(2 * np.log(border.value), abs=1e-9)


def test_a_constant_gate_is_the_limit_of_a_fluctuating_one(gated: Theory) -> None:
    exact = solved(gated, QUIET, [5.0], names=["g_h"])
    near = solved(gated, QUIET | {"alpha_z": "1/10000"}, [5.0], names=["g_h"])
    for name in ("h", "r", "g_h"):
        assert near[name] == pytest.approx(exact[name], rel=1e-6)


@pytest.mark.parametrize("alpha_z", [8, 20])
def test_steep_update_gates_and_long_horizons(gated: Theory, alpha_z: int) -> None:
    """Slow modes fill every neighbourhood of 0: gradients hardly fall, and never grow."""
    at = QUIET | {"alpha_z": alpha_z}
    found = solved(gated, at, [5, 20, 40], names=[])
    assert found.status == "ok"
    assert found.growth_exponent == 0
    assert np.all(found.norm_errors < 1e-8 * found.norm)
    alone = solved(gated, at, [40], names=[])
    assert alone["h"][0] == pytest.approx(found["h"][-1], rel=1e-9)
    shorter = solved(gated, at, [5], names=[])  # another contour
    assert shorter["h"][0] == pytest.approx(found["h"][0], rel=1e-9)
    assert found.norm[-1] > 10 * solved(gated, QUIET, [40], names=[]).norm[0]


def test_one_field_has_bessel_functions(rate: Theory) -> None:
    """(∂_s + 1)(∂_s' + 1) G = k G with G(s, 0) = e^{-s} is e^{-s-s'} I_0(2 √(k s s'))."""
    at = {"g": "3/2", "b": "1/2"}
    (delta,) = state_of(rate, at).values()
    u = np.linspace(-9, 9, 2001)
    weight = np.exp(-u * u / 2) / np.exp(-u * u / 2).sum()
    f = np.tanh(1.5 * np.sqrt(float(delta)) * u + 0.5)
    k, square = weight @ (1.5 * (1 - f * f)) ** 2, weight @ f**2
    horizons = np.array([0.5, 3.0, 12.0])
    found = solved(rate, at, horizons, names=[])
    exact = np.exp(-2 * horizons) * i0(2 * np.sqrt(k) * horizons)
    assert found.norm == pytest.approx(exact, rel=1e-9)
    nodes, weights = np.polynomial.legendre.leggauss(80)
    for T, q in zip(horizons, found["x"], strict=True):
        t, w = T * (nodes + 1) / 2, T * weights / 2
        G = np.exp(-t[:, None] - t) * i0(2 * np.sqrt(k * t[:, None] * t))
        assert q == pytest.approx(square * (w @ G @ w), rel=1e-9)
    problem = rate.gradients
    C = adjoint_covariance(
        problem, problem.bind(at), state_of(rate, at), problem.loss(None, False), [1.0, 2.0], [3.0]
    )["x"]
    s = np.array([[1.0], [2.0]])
    assert pytest.approx(np.exp(-s - 3) * i0(2 * np.sqrt(k * s * 3)), rel=1e-9) == C
    assert found.growth_exponent == pytest.approx(2 * (np.sqrt(k) - 1), abs=1e-10)


def test_sensitivities_of_one_field_marched_in_time(rate: Theory) -> None:
    """The same equations on a grid of times, second order, extrapolated to zero step."""
    at = {"g": "3/2", "b": "1/2"}
    (delta,) = state_of(rate, at).values()
    u = np.linspace(-9, 9, 801)
    weight = np.exp(-u * u / 2) / np.exp(-u * u / 2).sum()
    x = np.sqrt(float(delta)) * u
    f = np.tanh(1.5 * x + 0.5)
    slope = 1.5 * (1 - f * f)
    found = solved(rate, at, [1.0, 2.0])
    for name, explicit in (("g", x * (1 - f * f)), ("b", 1 - f * f), ("s", f)):
        coarse, fine = (_marched(x, weight, f, slope, explicit, n) for n in (100, 200))
        assert found[name][1] == pytest.approx((4 * fine - coarse) / 3, rel=1e-5)


def _marched(x: Any, weight: Any, f: Any, slope: Any, explicit: Any, n: int) -> float:
    """⟨v(2)²⟩, v = a x + w: a' = κ − a, and the same for ⟨w w'⟩ in both times."""
    delta, step = weight @ x**2, 2.0 / n
    gain, given = weight @ (f * slope * x) / delta, weight @ (f * explicit) / delta
    a = np.zeros(n + 1)
    for t in range(n):  # κ = gain a + given
        a[t + 1] = (a[t] * (1 + step * (gain - 1) / 2) + step * given) / (1 - step * (gain - 1) / 2)
    kappa = gain * a + given
    tied = slope * x * a[:, None] + explicit
    own = (tied * weight) @ tied.T - delta * np.outer(kappa, kappa)
    W, k = np.zeros((n + 1, n + 1)), weight @ slope**2
    up, down = 1 / step + 0.5, 1 / step - 0.5
    for i in range(n):
        for j in range(n):
            source = (own[i, j] + own[i + 1, j] + own[i, j + 1] + own[i + 1, j + 1]) / 4
            fed = k * (W[i, j] + W[i + 1, j] + W[i, j + 1]) / 4
            known = up * down * (W[i, j + 1] + W[i + 1, j]) - down * down * W[i, j]
            W[i + 1, j + 1] = (source + fed + known) / (up * up - k / 4)
    return float(weight @ (a[-1] * x) ** 2 + W[-1, -1])


def test_two_couplings_with_one_signal_are_one(rate: Theory) -> None:
    """η_x + η_y of variances s² and w² is one local field of variance s² + w²."""
    two = derive(made("two", two=True))
    at = {"g": "3/2", "b": "1/2"}
    both = solved(two, at | {"s": "3/5", "w": "4/5"}, [3.0, 8.0])
    one = solved(rate, at, [3.0, 8.0])
    assert both.status == "ok"
    assert both.norm == pytest.approx(one.norm, rel=1e-9)
    for name in ("g", "b"):
        assert both[name] == pytest.approx(one[name], rel=1e-9)
    assert both["x"] == pytest.approx(one["x"], rel=1e-9)
    # ∂_s adds η_x/s = (3/5) η/S + (4/5) noise that is independent of the state, whose moment is Q.
    assert both["s"] == pytest.approx(0.36 * one["s"] + 0.64 * one["x"], rel=1e-9)
    assert both["w"] == pytest.approx(0.64 * one["s"] + 0.36 * one["x"], rel=1e-9)


def test_a_static_input_of_no_size_changes_nothing(rate: Theory) -> None:
    given = derive(made("given", given=True))
    at = {"g": "3/2", "b": "1/2"}
    none = solved(given, at | {"w": "1/1000000"}, [3.0])
    one = solved(rate, at, [3.0])
    for name in ("x", "g", "b", "s"):
        assert none[name] == pytest.approx(one[name], rel=1e-9)


def test_a_running_loss_adds_up_readouts(rate: Theory) -> None:
    at = {"g": "1", "b": "1/2"}
    problem = rate.gradients
    state, bound = state_of(rate, at), problem.bind(at)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    t, w = 2.0 * (nodes + 1) / 2, weights
    C = adjoint_covariance(problem, bound, state, problem.loss(None, False), t, t)["x"]
    found = solved(rate, at, [2.0], running=True, names=[])
    # λ(0) of the running loss is the integral of the readouts' over their horizons, with one and
    # the same weight c for all times.
    assert found.norm[0] == pytest.approx(w @ C @ w, rel=1e-9)


def test_horizons_of_every_size_at_once(rate: Theory) -> None:
    at = {"g": "1", "b": "1/2"}
    together = solved(rate, at, [200.0, 1e-3, 0.0, 3.0], names=["b"])
    assert together.status == "ok"
    assert together["x"][2] == 0
    assert abs(together["b"][2]) <= together.parameter_errors["b"][2] < 1e-12
    assert together.norm[2] == pytest.approx(1.0, rel=1e-10)
    for k, T in ((1, 1e-3), (3, 3.0)):
        alone = solved(rate, at, [T], names=["b"])
        for name in ("x", "b"):
            assert together[name][k] == pytest.approx(alone[name][0], rel=1e-8)
    assert together["x"][1] < 1e-6


def test_what_makes_no_sense_is_refused(gated: Theory, gru: Theory) -> None:
    with pytest.raises(ParameterError, match="at least 0"):
        solved(gated, QUIET, [-1.0])
    with pytest.raises(ParameterError, match="larger than 0"):
        solved(gated, QUIET, [0.0])
    with pytest.raises(ParameterError, match="whole numbers"):
        solved(gru, {}, [1.5])
    with pytest.raises(ParameterError, match="g_h"):
        solved(gated, QUIET, [1.0], names=["gh"])
    with pytest.raises(ParameterError, match="without dynamics"):
        solved(gated, QUIET | {"tau_r": 0}, [1.0], loss="c*r")


def test_a_vanishing_time_constant_is_left_out(gated: Theory) -> None:
    found = solved(gated, QUIET | {"tau_r": 0}, [5.0], names=["tau_r", "tau_z", "g_h"])
    near = solved(gated, QUIET | {"tau_r": "1/100"}, [5.0], names=["tau_r", "g_h"])
    assert "tau_r" in found.left_out
    assert found["tau_z"] == 0
    assert found["h"] == pytest.approx(near["h"], rel=5e-3)
    assert found["g_h"] == pytest.approx(near["g_h"], rel=5e-3)


def test_at_the_zero_state_gradients_by_couplings_vanish(gated: Theory) -> None:
    found = solved(gated, {"g_h": 1, "beta_h": 0}, [3.0])
    assert found.status == "ok"
    assert found["h"] == found["r"] == 0
    assert "vanish" in found.advice
    assert found["beta_h"] > 0
    assert found["g_h"] == 0


def test_without_its_memory_of_the_local_field_a_sensitivity_is_off(rate: Theory) -> None:
    """κ is not an ornament: independent δη would be wrong."""
    at = {"g": "3/2", "b": "1/2"}
    found = solved(rate, at, [4.0], names=["b"])
    (delta,) = state_of(rate, at).values()
    u = np.linspace(-9, 9, 801)
    weight = np.exp(-u * u / 2) / np.exp(-u * u / 2).sum()
    f = np.tanh(1.5 * np.sqrt(float(delta)) * u + 0.5)
    k, source = weight @ (1.5 * (1 - f * f)) ** 2, weight @ (1 - f * f) ** 2
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t, w = 2 * (nodes + 1), 2 * weights
    naive = source * (w @ (np.exp(-t[:, None] - t) * i0(2 * np.sqrt(k * t[:, None] * t))) @ w)
    assert abs(naive / found["b"][0] - 1) > 0.02

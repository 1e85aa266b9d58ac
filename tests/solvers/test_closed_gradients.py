"""Gradients on chaotic states with closed equations, against independent calculations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sympy import Lambda, Rational, Symbol, atan, erf

from gatetheory.errors import DerivationError, ParameterError
from gatetheory.model import (
    NONNEGATIVE,
    POSITIVE,
    REAL,
    Coupling,
    Field,
    GaussianInput,
    Model,
    Nonlinearity,
    Parameter,
    WhiteNoise,
    fields,
    local_field,
)
from gatetheory.pipeline import solve
from gatetheory.simulation import simulate_gradients
from gatetheory.solvers.gradient_records import Gradients
from gatetheory.theory.derive import Theory, derive

u = Symbol("u", real=True)


@pytest.fixture(scope="module")
def chaotic(gated: Theory) -> Gradients:
    return solve(gated.gradients, {"g_h": 3, "alpha_r": 5, "tau_r": 2}, horizon=(2, 5, 10))


def test_the_answer_says_what_it_is(chaotic: Gradients) -> None:
    assert chaotic.status == "ok"
    assert chaotic.state == "chaotic"
    assert chaotic.closure == "constant"
    assert not chaotic.sampled
    assert list(chaotic.couplings) == ["h", "z", "r"]
    assert list(chaotic.left_out) == ["alpha_z"]
    assert "sampled" in chaotic.left_out["alpha_z"]
    assert "Krishnamurthy" in chaotic.cite()
    assert "Q_h = 0.0875649" in str(chaotic)


def test_coupling_gradients_are_small_or_large_as_they_should(chaotic: Gradients) -> None:
    np.testing.assert_allclose(chaotic["h"], [0.08756498797, 0.4004970732, 1.863902269], rtol=1e-8)
    assert not chaotic["z"].any()  # no gate: nothing reads z
    assert (chaotic.coupling_errors["h"] <= 1e-7 * chaotic["h"]).all()
    with pytest.raises(ParameterError, match="left out"):
        chaotic["alpha_z"]
    with pytest.raises(ParameterError, match="no gradient by"):
        chaotic["nothing"]


def test_the_adjoint_grows_at_twice_the_lyapunov_exponent(
    gated: Theory, classical: Theory, chaotic: Gradients
) -> None:
    forward = solve(gated.lyapunov, {"g_h": 3, "alpha_r": 5, "tau_r": 2})
    assert chaotic.growth_exponent == pytest.approx(2 * forward.value, abs=1e-10)
    backward = solve(classical.gradients, {"g": "3/2"}, horizon=2, by=[])
    forward = solve(classical.lyapunov, {"g": "3/2"})
    assert backward.growth_exponent == pytest.approx(2 * forward.value, abs=1e-10)


def test_the_classical_network_by_finite_differences(classical: Theory) -> None:
    """(∂_s + 1)(∂_s' + 1) G = ⟨φ'φ'⟩(s − s') G, G(s, 0) = e^{−s}, marched on a fine grid."""
    at, horizon = {"g": 2}, 4.0
    correlations = solve(classical.correlations, at)[-1]
    parts = classical.gradients.closed
    assert parts is not None

    def quadrature(steps: int) -> float:
        h = horizon / steps
        lags = h * np.arange(steps + 1)
        c0, c = correlations["C_h"], correlations.function("C_h", lags)
        slope, square = _sech_pairs(2.0, c0, c), correlations.function("C_phi", lags)
        G = np.zeros((steps + 1, steps + 1))
        G[0] = G[:, 0] = np.exp(-lags)
        for i in range(steps):
            for j in range(steps):
                # trapezoid of ∂∂'G + ∂G + ∂'G + G = W G over one cell
                corner, right, up = G[i, j], G[i + 1, j], G[i, j + 1]
                w = [1 - slope[abs(a - b)] for a, b in ((i, j), (i + 1, j), (i, j + 1))]
                last = 1 - slope[abs(i - j)]
                known = corner * (-1 + h - h * h * w[0] / 4)
                known += right * (1 - h * h * w[1] / 4) + up * (1 - h * h * w[2] / 4)
                G[i + 1, j + 1] = known / (1 + h + h * h * last / 4)
        weights = np.full(steps + 1, h)
        weights[[0, -1]] = h / 2
        table = square[np.abs(np.arange(steps + 1)[:, None] - np.arange(steps + 1))]
        return float(weights @ (G * table) @ weights)

    coarse, fine = quadrature(100), quadrature(200)
    want = fine + (fine - coarse) / 3
    found = solve(classical.gradients, at, horizon=horizon, by=[])
    assert found["h"][0] == pytest.approx(want, rel=2e-5)


def _sech_pairs(g: float, c0: float, c: np.ndarray) -> np.ndarray:
    """⟨φ'φ'⟩ for φ = tanh(g x) by two-dimensional Gauss-Hermite quadrature."""
    x, w = np.polynomial.hermite_e.hermegauss(80)
    w = w / np.sqrt(2 * np.pi)
    rho = np.clip(c / c0, -1, 1)
    first = g / np.cosh(g * np.sqrt(c0) * x) ** 2
    found = np.empty(len(c))
    for k, r in enumerate(rho):
        inside = r * x[:, None] + np.sqrt(1 - r * r) * x[None, :]
        second = g / np.cosh(g * np.sqrt(c0) * inside) ** 2
        found[k] = w @ (first[:, None] * second) @ w
    return found


def test_networks_agree_for_every_coupling_and_parameter(chaotic: Gradients) -> None:
    """Recorded networks of N = 1000; none of them knows the theory."""
    recorded = _recorded("gated")["1000"]
    checked = 0
    for table, ours in (("squares", chaotic.couplings), ("parameter_squares", chaotic.parameters)):
        for name, values in ours.items():
            rows = np.array(recorded[table][name])
            if not values.any():
                assert not rows.any()
                continue
            errors = rows.std(axis=0, ddof=1) / np.sqrt(len(rows))
            assert (errors < 0.08 * values).all(), name
            assert (np.abs(rows.mean(axis=0) - values) < 4 * errors).all(), name
            checked += 1
    assert checked == 8


def _recorded(case: str) -> dict[str, dict[str, dict[str, list[list[float]]]]]:
    path = Path(__file__).parents[1] / "recorded" / "gradients.json"
    return json.loads(path.read_text(encoding="utf-8"))[case]["sizes"]  # type: ignore[no-any-return]


# ---- other models --------------------------------------------------------------------------------


def leaky_map() -> Model:
    """A map with adaptation, static heterogeneity, a bias and a coupling variance of its own."""
    x, a = fields("x a")
    eta, given = local_field("x"), Symbol("I", real=True)
    g, b = Parameter("g", 2, POSITIVE), Parameter("b", "1/5", REAL)
    leak, s = Parameter("l", "3/10", REAL), Parameter("s", "1/2", NONNEGATIVE)
    v = Parameter("v", "5/4", POSITIVE)
    phi = Nonlinearity("phi", Lambda(u, atan(g.symbol * u + b.symbol)))
    return Model(
        name="leaky_map",
        time="discrete",
        fields=(
            Field(x, update=leak.symbol * x + eta + given - a / 4),
            Field(a, update=a / 2 + x / 3),
        ),
        couplings=(Coupling(eta, signal=phi(x), variance=v.symbol**2),),
        parameters=(g, leak, s, b, v),
        nonlinearities=(phi,),
        inputs=(GaussianInput(given, s.symbol**2, Rational(1, 10)),),
    )


def noisy() -> Model:
    x, xi = fields("x"), Symbol("xi", real=True)
    g, d = Parameter("g", 2, POSITIVE), Parameter("D", "1/10", NONNEGATIVE)
    phi = Nonlinearity("phi", Lambda(u, erf(g.symbol * u)))
    return Model(
        name="noisy",
        time="continuous",
        fields=(Field(x, drift=-x + local_field("x") + xi),),
        couplings=(Coupling(local_field("x"), signal=phi(x)),),
        parameters=(g, d),
        nonlinearities=(phi,),
        inputs=(WhiteNoise(xi, d.symbol),),
    )


@pytest.mark.slow
@pytest.mark.parametrize("running", [False, True])
def test_a_map_with_everything_in_it(running: bool) -> None:
    """Adaptation, static inputs with a mean, a bias, a scale: theory beside 24 networks."""
    model, horizons = leaky_map(), (3, 8)
    theory = derive(model)
    found = solve(theory.gradients, horizon=horizons, running=running)
    forward = solve(theory.lyapunov)
    assert found.growth_exponent == pytest.approx(2 * forward.value, abs=1e-9)
    seen = simulate_gradients(
        model, units=400, horizons=horizons, seeds=24, draws=16, windows=3, running=running, seed=1
    )
    assert set(found.parameters) == {"g", "l", "s", "b", "v"}
    for table, ours in (
        (seen.squares, found.couplings), (seen.parameter_squares, found.parameters)
    ):  # fmt: skip
        for name, values in ours.items():
            rows = table[name]
            errors = rows.std(axis=0, ddof=1) / np.sqrt(len(rows))
            assert (errors < 0.12 * values).all(), name
            assert (np.abs(rows.mean(axis=0) - values) < 4 * errors).all(), name


def test_white_noise_makes_a_kink_and_is_said_to_cost_digits() -> None:
    found = solve(derive(noisy()).gradients, horizon=2)
    assert found.status == "ok"
    assert 1e-9 < found.coupling_errors["x"][0] / found["x"][0] < 1e-3
    assert "white noise" in found.left_out["D"]


# ---- what is refused -----------------------------------------------------------------------------


def test_a_loss_that_is_not_linear_needs_sampling(gated: Theory) -> None:
    with pytest.raises(DerivationError, match="sampled"):
        solve(gated.gradients, loss="c*tanh(h)", by=[], closure="constant")


@pytest.mark.parametrize("horizon", [0, -1, float("nan"), "x", [], [1, -2]])
def test_horizons_are_positive(gated: Theory, horizon: object) -> None:
    with pytest.raises(ParameterError, match="horizon"):
        solve(gated.gradients, horizon=horizon)


def test_unknown_parameters_are_named(gated: Theory) -> None:
    with pytest.raises(ParameterError, match="g_h"):
        solve(gated.gradients, by=["gh"])
    with pytest.raises(ParameterError, match="branch"):
        solve(gated.gradients, branch=3, by=[])


def test_a_time_constant_of_zero_is_left_out(gated: Theory) -> None:
    found = solve(gated.gradients, {"tau_r": 0}, horizon=2, by=["tau_r", "g_h"])
    assert "singular" in found.left_out["tau_r"]
    assert found.status == "ok"
    assert found["g_h"][0] > 0

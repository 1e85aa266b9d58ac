"""Sampled stationary states beside exact solutions, lag equations and networks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import sympy
from sympy import Lambda, Rational, Symbol, sin, tanh

from gatetheory.equations.single_site_process import SingleSiteProcess
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.functions import logistic
from gatetheory.model import (
    Coupling,
    Field,
    GaussianInput,
    Model,
    Nonlinearity,
    TimeDependentInput,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.simulation import draw_network, random_state
from gatetheory.simulation.integrate import RungeKutta4, integrate
from gatetheory.solvers.sampled_correlations import solve_sampled_correlations
from gatetheory.solvers.sampled_lyapunov import solve_sampled_lyapunov
from gatetheory.solvers.sampled_records import SampledCorrelations
from gatetheory.theory.process import derive_process
from gatetheory.theory.single_site import SingleSite

X = Symbol("x", real=True)


def process_of(model: Model) -> SingleSiteProcess:
    return derive_process(SingleSite(model))


def solve(model: Model, at: Mapping[str, Any] | None = None, **options: Any) -> SampledCorrelations:
    process = process_of(model)
    return solve_sampled_correlations(process, process.bind(at), **options)


def linear(*, static: bool, discrete: bool = False) -> Model:
    """A linear network in white noise, which has exact covariances: s² = 1/4, D = 1/2."""
    (x,) = fields("x,")
    eta, xi, level = local_field("x"), Symbol("xi", real=True), Symbol("level", real=True)
    law = eta + xi + (level if static else 0)
    inputs: tuple[Any, ...] = (WhiteNoise(xi, Rational(1, 2)),)
    if static:
        inputs += (GaussianInput(level, Rational(1, 4), Rational(1, 3)),)
    kind = {"update": x / 3 + law} if discrete else {"drift": -x + law}
    return Model(
        name="linear",
        time="discrete" if discrete else "continuous",
        fields=(Field(x, **kind),),
        couplings=(Coupling(eta, x, Rational(1, 4)),),
        inputs=inputs,
    )


@pytest.mark.slow
def test_a_linear_flow_in_noise_has_its_exact_covariance_and_exponent() -> None:
    model = linear(static=False)
    found = solve(model, paths=64, replicas=4)
    rate = np.sqrt(1 - 0.25)  # (1 + ω² − s²) C(ω) = 2D
    exact = 0.5 / rate * np.exp(-rate * found.lags)
    assert found.status == "ok"
    near = found.lags < 5
    assert np.abs(found.functions["C_x"] - exact)[near].max() < 0.01 * exact[0]
    process = process_of(model)
    growth = solve_sampled_lyapunov(process, process.bind(), found)
    assert growth.value == pytest.approx(-0.5, abs=0.02)  # |λ + 1| = s


def test_a_linear_map_in_noise_has_its_exact_covariance_and_exponent() -> None:
    model = linear(static=False, discrete=True)
    found = solve(model, paths=512, replicas=4, window=128)
    omega = 2 * np.pi * np.arange(4096) / 4096
    spectrum = 2 * 0.5 / (np.abs(np.exp(1j * omega) - 1 / 3) ** 2 - 0.25)
    exact = np.fft.ifft(spectrum).real[:20]
    assert np.abs(found.functions["C_x"][:20] - exact).max() < 0.01 * exact[0]
    process = process_of(model)
    growth = solve_sampled_lyapunov(process, process.bind(), found)
    assert growth.value == pytest.approx(np.log(1 / 3 + 1 / 2), abs=0.02)  # |e^λ − a| = s


def test_static_heterogeneity_survives_to_infinite_lag() -> None:
    found = solve(linear(static=True), paths=256, replicas=4)
    raw = (0.25 + 1 / 9) / 0.75  # ⟨⟨x⟩_time²⟩ = (σ² + μ²)/(1 − s²), the mean not subtracted
    assert found.means["m_x"] == pytest.approx(1 / 3, abs=1e-6)
    assert found.plateaus["C_x"] == pytest.approx(raw - 1 / 9, rel=0.03)
    assert found["C_x"] == pytest.approx(raw - 1 / 9 + 0.5 / np.sqrt(0.75), rel=0.02)
    assert found["C_eta_x"] == pytest.approx((raw + 0.5 / np.sqrt(0.75)) / 4, rel=0.02)


@pytest.mark.slow
def test_the_classical_network_agrees_with_its_lag_equation() -> None:
    found = solve(zoo.classical(), {"g": 2}, accuracy=0.01)
    assert found.status == "ok"
    assert found.errors["C_h"] < 0.01
    assert abs(found["C_h"] - 0.481201353) < 4 * found.errors["C_h"] + 1e-3
    assert found.functions["C_h"][0] == found["C_h"]
    assert (np.array([s.min() for s in found.spectra]) >= 0).all()


def test_the_same_seed_gives_the_same_result_and_another_does_not() -> None:
    options = {"paths": 32, "replicas": 2, "window": 64, "step": 0.5, "accuracy": 0.05}
    one, same, other = (solve(zoo.classical(), None, seed=s, **options) for s in (1, 1, 2))
    assert one["C_h"] == same["C_h"]
    assert one["C_h"] != other["C_h"]


@pytest.mark.parametrize(
    "at",
    [
        {"g_h": "0.9"},
        {"g_h": "1.48", "beta_h": "0.5"},
    ],
)
def test_a_network_that_comes_to_rest_has_no_chaotic_state(at: dict[str, str]) -> None:
    found = solve(zoo.gated(), at)
    assert found.status == "no_chaotic_state"
    process = process_of(zoo.gated())
    growth = solve_sampled_lyapunov(process, process.bind(at), found)
    assert (growth.status, growth.value) == ("no_chaotic_state", None)


def test_a_window_that_is_too_short_is_noticed() -> None:
    at = {"g_h": 3, "alpha_r": 1, "alpha_z": 5, "tau_z": 1, "tau_r": 1}
    found = solve(zoo.gated(), at, longest=128)
    assert found.status == "not_converged"
    assert f"window={4 * found.window:g} and step={found.step:g}" in found.advice
    assert "C_h" not in str(found)  # numbers of a state that did not settle are not shown


@pytest.mark.slow
def test_a_steep_update_gate_is_never_given_an_unmarked_number() -> None:
    at = {"g_h": 3, "alpha_r": 1, "alpha_z": 10, "tau_z": 1, "tau_r": 1}
    assert solve(zoo.gated(), at, longest=512).status == "not_converged"


def test_a_vanishing_time_constant_makes_the_gate_follow_its_field() -> None:
    found = solve(zoo.gated(), {"tau_r": 0}, accuracy=0.02, paths=64, replicas=2)
    assert found["C_r"] == pytest.approx(found["C_eta_r"], rel=1e-4)


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"accuracy": 0}, "accuracy"),
        ({"paths": 2}, "paths"),
        ({"replicas": 1}, "replicas"),
        ({"window": -1}, "window"),
        ({"longest": 3}, "longest"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], culprit: str) -> None:
    with pytest.raises(ParameterError, match=culprit):
        solve(zoo.classical(), **options)


def test_inputs_that_depend_on_time_have_no_stationary_state() -> None:
    t, drive = Symbol("t", real=True), Symbol("drive", real=True)
    model = zoo.classical().with_input("h", TimeDependentInput(drive, Lambda(t, sin(t))))
    with pytest.raises(DerivationError, match="drive"):
        solve(model)


def test_correlations_of_other_parameters_are_refused() -> None:
    process = process_of(zoo.classical())
    found = solve(zoo.classical(), None, paths=16, replicas=2, window=32, step=0.5, accuracy=0.1)
    with pytest.raises(ParameterError, match="other parameters"):
        solve_sampled_lyapunov(process, process.bind({"g": 3}), found)


@pytest.mark.slow
def test_gated_with_a_constant_update_gate_is_reproduced() -> None:
    process = process_of(zoo.gated())
    parameters = process.bind({"g_h": 3, "alpha_r": 5, "tau_r": 2})
    found = solve_sampled_correlations(process, parameters)
    exact = {"C_h": 0.1446001454, "C_phi": 0.4423913541, "C_r": 0.3845032666}
    for name, value in exact.items():
        assert found.errors[name] < 0.008 * value
        assert abs(found[name] - value) < 3.5 * found.errors[name]
    growth = solve_sampled_lyapunov(process, parameters, found)
    assert growth.value is not None
    assert growth.error is not None
    assert growth.error < 0.005
    assert abs(growth.value - 0.1178941538) < 3.5 * growth.error


def adapting() -> Model:
    """A leaky unit whose gain adapts to its own power: non-Gaussian, and in no paper."""
    x, w = fields("x w")
    eta = local_field("x")
    gate = Nonlinearity("gate", Lambda(X, logistic(1 - 2 * X)), "gain that a loud unit turns down")
    f = Nonlinearity("f", Lambda(X, tanh(3 * X)))
    return Model(
        name="adapting",
        time="continuous",
        fields=(
            Field(x, drift=-x + 2 * gate(w) * eta),
            Field(w, drift=-w + 2 * x**2, time_constant=sympy.Integer(2)),
        ),
        couplings=(Coupling(eta, f(x)),),
        nonlinearities=(gate, f),
    )


@pytest.mark.slow
def test_a_model_that_nobody_named_agrees_with_its_networks() -> None:
    found = solve(adapting(), accuracy=0.01)
    assert found.status == "ok"
    units, samples = 600, []
    for seed in range(4):
        network = draw_network(adapting(), None, units, seed)
        start = random_state(network, 100 + seed, 0.5)
        run = integrate(network, start, np.arange(30.0, 230.0, 2.0), RungeKutta4(step=0.2))
        samples.append(np.mean(run.states**2, axis=(0, 2)))
    mean, error = np.mean(samples, axis=0), np.std(samples, axis=0, ddof=1) / 2
    raw = [found["C_x"] + found.means["m_x"] ** 2, found["C_w"] + found.means["m_w"] ** 2]
    for theory, network_mean, spread in zip(raw, mean, error, strict=True):
        assert spread < 0.05 * theory
        assert abs(theory - network_mean) < 4 * spread + 0.01 * theory

"""Correlation functions along trajectories against sums taken directly."""

from typing import Any

import numpy as np
import pytest
from sympy import Symbol, tanh

from gatetheory.errors import ParameterError
from gatetheory.model import Model, zoo
from gatetheory.simulation import (
    RungeKutta4,
    correlations,
    default_observables,
    draw_network,
    integrate,
    observe_correlations,
    observe_lyapunov,
    random_state,
)
from gatetheory.simulation.correlation_sums import LaggedSums


def direct(series: np.ndarray, longest: int) -> np.ndarray:
    """(1/pairs) Σ_t mean_i x_i(t) x_i(t+l), series of shape (T, N)."""
    count = len(series)
    return np.array([(series[: count - k] * series[k:]).mean() for k in range(longest + 1)])


@pytest.mark.parametrize(("longest", "count"), [(0, 5), (3, 7), (90, 200), (64, 400), (100, 1000)])
def test_sums_by_transforms_are_the_direct_ones(longest: int, count: int) -> None:
    """Several windows, a last one that is not full, and a run cut into two parts."""
    series = np.random.default_rng(0).standard_normal((count, 2, 3)) + 0.3
    sums = LaggedSums(longest, 2, 3)
    parts = []
    for k, sample in enumerate(series):
        sums.add(sample)
        if k == count // 2:
            parts.append(sums.take())
    parts.append(sums.take())
    total = sum(p[0] for p in parts) / sum(p[1] for p in parts)
    for g in range(2):
        np.testing.assert_allclose(total[g], direct(series[:, g], longest), atol=1e-12)
    np.testing.assert_allclose(sum(p[2] for p in parts), series.mean(axis=2).sum(axis=0))


def test_all_observables_of_a_map() -> None:
    network = draw_network(zoo.gru(), {"g_h": 3}, 20, seed=2)
    start = random_state(network, 3)
    found = correlations(network, start, 300, transient=7, longest_lag=90)
    states = integrate(network, start, np.arange(308)).states[7:]
    names = default_observables(network.model)
    evaluate = network.observable(list(names.values()))
    samples = np.array([evaluate(network.complete(x)) for x in states])
    assert found.names == tuple(names)
    assert found.samples == 301
    for k, name in enumerate(names):
        np.testing.assert_allclose(found[name], direct(samples[:, k], 90), atol=1e-10)
        np.testing.assert_allclose(found.means[name], samples[:, k].mean(), atol=1e-12)


def test_a_flow_with_observables_of_ones_own(strange: Model) -> None:
    """Local and algebraic fields, a lag step that the scheme's step does not divide."""
    network = draw_network(strange, {"tau_x": 1}, 6, seed=4)
    start = random_state(network, 5)
    m, eta = Symbol("m", real=True), Symbol("eta_x", real=True)
    found = correlations(
        network, start, 8, transient=1, longest_lag=2, lag_step=0.25, method="rk4", step=0.1,
        observables={"gate": tanh(m) * eta, "x": Symbol("x", real=True)},
    )  # fmt: skip
    assert found.step == pytest.approx(0.25 / 3)
    times = np.arange(0, 9.01, 0.25)
    states = integrate(network, start, times, RungeKutta4(0.25 / 3)).states
    evaluate = network.observable([tanh(m) * eta])
    pairs = list(zip(states, times, strict=True))[4:]
    samples = np.array([evaluate(network.complete(x, t))[0] for x, t in pairs])
    np.testing.assert_allclose(found["gate"], direct(samples, 8), atol=1e-9)
    np.testing.assert_allclose(found["x"], direct(states[4:, 0], 8), atol=1e-9)


def test_trajectories_together_are_those_alone() -> None:
    network = draw_network(zoo.classical(), {"g": 2}, 20, seed=5)
    states = np.random.default_rng(6).standard_normal((2, 1, 20))
    options: dict[str, Any] = {"transient": 0, "longest_lag": 3, "step": 0.1}
    both = correlations(network, states, 12, **options)
    for b in range(2):
        alone = correlations(network, states[b], 12, **options)
        np.testing.assert_allclose(both.by_trajectory["C_h"][b], alone["C_h"], atol=1e-9)
    halves = both.halves["C_h"].mean(axis=0)
    np.testing.assert_allclose(halves[:, 0], both.by_trajectory["C_h"][:, 0], rtol=0.02)


def test_the_correlation_of_independent_leaky_units(leaky: Model) -> None:
    """C(τ) = D e^{-τ}."""
    network = draw_network(leaky, {"D": "0.7"}, 400)
    found = correlations(network, None, 200, longest_lag=3, lag_step=0.5, step=0.1, seed=1)
    np.testing.assert_allclose(found["C_x"], 0.7 * np.exp(-found.lags), atol=0.015)


def test_bad_input_and_too_much_memory_are_refused() -> None:
    network = draw_network(zoo.classical(), None, 5)
    for wrong, said in (
        ({"longest_lag": 6}, "half"),
        ({"memory": 1e3}, "memory"),
        ({"observables": {"a": Symbol("nothing")}}, "nothing"),
        ({"observables": {}}, "observable"),
        ({"lag_step": 0}, "lag_step"),
        ({"transient": -1}, "transient"),
    ):
        with pytest.raises(ParameterError, match=said):
            correlations(network, None, 10, **wrong)  # type: ignore[arg-type]


def test_the_ensemble_says_which_networks_died() -> None:
    found = observe_lyapunov(zoo.classical(), {"g": "0.6"}, 30, 3, duration=60)
    assert found.died == (0, 1, 2)
    assert found.largest_active is None
    assert found.largest.mean < -0.1
    assert len(found.largest.samples) == 3
    assert found.dimension is not None
    assert found.dimension.mean == 0
    (alone,) = observe_lyapunov(zoo.classical(), {"g": "0.6"}, 30, 1, duration=60).spectra
    np.testing.assert_array_equal(alone.rates, found.spectra[0].rates)


def test_a_drift_is_noticed() -> None:
    """From large random states without a transient C decays; after one it does not."""
    options: dict[str, Any] = {"duration": 20, "longest_lag": 2, "initial_std": 5.0}
    moving = observe_correlations(zoo.classical(), {"g": "1.5"}, 60, 6, transient=0, **options)
    still = observe_correlations(zoo.classical(), {"g": "1.5"}, 60, 6, transient=60, **options)
    assert moving.stationary is False
    assert moving.drift["C_h(0)"] < -5
    assert still.stationary is True
    single = observe_correlations(zoo.classical(), {"g": 2}, 30, 1, transient=9, **options)
    assert single.stationary is None


@pytest.mark.slow
def test_published_numbers_of_chaos() -> None:
    """`classical`, g = 3: C(0) = 0.605147 and λ = 0.2355 as N → ∞; N = 500 is near."""
    options: dict[str, Any] = {"trajectories": 4, "seed": 1, "precision": "single"}
    seen = observe_correlations(zoo.classical(), {"g": 3}, 500, 6, duration=100, **options)
    variance = seen.estimate("C_h")
    assert variance.stderr < 0.02
    assert abs(variance.z_score(0.605147, 0.01)) < 4
    chaos = observe_lyapunov(zoo.classical(), {"g": 3}, 500, 6, duration=150, **options)
    assert chaos.largest.stderr < 0.012
    assert abs(chaos.largest.z_score(0.2355, 0.01)) < 4
    assert chaos.stationary
    assert chaos.died == ()

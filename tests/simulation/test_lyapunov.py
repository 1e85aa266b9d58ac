"""Lyapunov exponents against exact values, traces and schemes with a small step."""

from dataclasses import replace

import numpy as np
import pytest
import sympy
from scipy.integrate import simpson

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.model import Model, zoo
from gatetheory.simulation import (
    draw_network,
    jacobian,
    kaplan_yorke_dimension,
    linearize,
    lyapunov_exponents,
    random_state,
)
from gatetheory.simulation.lyapunov_record import block_error
from gatetheory.simulation.network import Network
from gatetheory.simulation.schemes import Method, make_stepper


@pytest.mark.parametrize("method", ["exponential3", "rk4", "ab2", "heun"])
def test_a_linear_network_has_the_real_parts_of_its_eigenvalues(method: Method) -> None:
    network = identity_network(12)
    found = lyapunov_exponents(
        network, None, 600, count=12, transient=100, method=method, step=0.05
    )
    values = np.linalg.eigvals(jacobian(network, np.zeros((1, 12))))
    exact = np.sort(values.real)[::-1]
    np.testing.assert_allclose(found.exponents, exact, atol=0.012)
    assert found.dimension == kaplan_yorke_dimension(exact, 12)


def identity_network(units: int) -> Network:
    """dh/dt = -h + J h with a spectral radius of about 0.8: stable, so that nothing grows."""
    (field,), (coupling,) = zoo.classical().fields, zoo.classical().couplings
    model = Model(
        name="identity",
        time="continuous",
        fields=(field,),
        couplings=(replace(coupling, signal=field.symbol, variance=sympy.Rational(16, 25)),),
    )
    return draw_network(model, None, units, seed=2)


def test_exponents_add_up_to_the_mean_trace_of_a_flow(strange: Model) -> None:
    """Σ λ = ⟨Tr D⟩ along the orbit, also with fields eliminated and a drive."""
    gated = draw_network(zoo.gated(), {"alpha_z": 2, "g_h": 4}, 8, seed=1)
    check_trace(gated, 600)
    check_trace(draw_network(strange, {"tau_x": 1}, 6, seed=4), 160)


def check_trace(network: Network, steps: int) -> None:
    start, h = random_state(network, 5), 0.05
    run = lyapunov_exponents(
        network, start, steps * h, count=start.size, transient=0, method="rk4", step=h,
        renormalise_every=0.5,
    )  # fmt: skip
    stepper, _ = make_stepper(network, "rk4", h, trajectories=1, tangents=0)
    stepper.now.states[:, 0] = start
    traces = []
    for i in range(steps + 1):
        at = linearize(network, stepper.now.states[:, 0], i * h)
        traces.append(float(np.trace(at.dense())))
        stepper.advance(i * h)
    mean = simpson(traces, dx=h) / (steps * h)
    assert abs(run.exponents.sum() - mean) < 1e-4 * abs(mean)


def test_exponents_add_up_to_the_mean_log_determinant_of_a_map() -> None:
    network = draw_network(zoo.gru(), None, 7, seed=1)
    state = start = random_state(network, 3)
    run = lyapunov_exponents(network, start, 100, count=7, transient=0, renormalise_every=1)
    logs = []
    for _ in range(100):
        logs.append(np.linalg.slogdet(jacobian(network, state))[1])
        state = network.update(state)
    np.testing.assert_allclose(run.exponents.sum(), np.mean(logs), rtol=1e-9)


@pytest.mark.parametrize("at", [{"g": 2}, {"g": 5}])
def test_the_default_step_is_fine_enough(at: dict[str, int]) -> None:
    """Many trajectories of one network: difference to a small step within the scatter."""
    network = draw_network(zoo.classical(), at, 100, seed=1)
    runs = [
        lyapunov_exponents(network, None, 100, trajectories=48, transient=60, seed=3),
        lyapunov_exponents(
            network, None, 100, trajectories=48, transient=60, seed=3, method="rk4", step=0.1
        ),
    ]
    means = [r.by_trajectory[:, 0].mean() for r in runs]
    errors = [r.by_trajectory[:, 0].std(ddof=1) / np.sqrt(48) for r in runs]
    assert np.hypot(*errors) < 0.012
    assert abs(means[0] - means[1]) < 4 * np.hypot(*errors)


def test_single_precision_on_the_way_to_the_same_exponent() -> None:
    network = draw_network(zoo.classical(), {"g": 2}, 100, seed=1)
    runs = [
        lyapunov_exponents(network, None, 20, transient=0, trajectories=4, precision=precision)
        for precision in ("double", "single")
    ]
    np.testing.assert_allclose(runs[0].by_trajectory, runs[1].by_trajectory, atol=1e-4)
    assert runs[1].precision == "single"


def test_a_dead_network_rests_and_has_the_abscissa_of_its_jacobian() -> None:
    network = draw_network(zoo.classical(), {"g": "0.7"}, 50, seed=1)
    run = lyapunov_exponents(network, None, 400, transient=100)
    edge = np.linalg.eigvals(jacobian(network, np.zeros((1, 50)))).real.max()
    assert run.at_rest == (True,)
    assert abs(run.largest - edge) < 5e-3
    assert run.dimension == 0
    assert "fixed point" in str(run)


def test_runs_repeat_and_the_history_ends_at_the_result() -> None:
    network = draw_network(zoo.gated(), None, 20, seed=1)
    a, b, c = (
        lyapunov_exponents(network, None, 30, count=3, trajectories=2, seed=s) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(a.rates, b.rates)
    assert not np.array_equal(a.rates, c.rates)
    np.testing.assert_allclose(a.history[-1], a.exponents, atol=1e-12)
    assert a.times[-1] == pytest.approx(30, abs=a.step)
    assert a.products == 3 * a.evaluations


def test_noise_drives_both_alike(leaky: Model) -> None:
    """Of dx/dt = -x + ξ the exponent is that of Heun's scheme for -1, whatever the noise."""
    network = draw_network(leaky, None, 4)
    run = lyapunov_exponents(network, None, 20, step=0.1, transient=1)
    assert run.method == "heun"
    assert run.largest == pytest.approx(np.log(1 - 0.1 + 0.005) / 0.1, abs=1e-9)


def test_kaplan_yorke_on_known_lists() -> None:
    assert kaplan_yorke_dimension([0.906, 0, -14.572]) == pytest.approx(2.0622, abs=1e-4)  # Lorenz
    assert kaplan_yorke_dimension([0.42, -1.62]) == pytest.approx(1.259, abs=1e-3)  # Hénon
    assert kaplan_yorke_dimension([-0.1, -2]) == 0
    assert kaplan_yorke_dimension([0, -1]) == 1
    assert kaplan_yorke_dimension([-1, 0.5]) == pytest.approx(1.5)
    assert kaplan_yorke_dimension([0.5, 0.1], 2) == 2
    with pytest.raises(ParameterError, match="compute more"):
        kaplan_yorke_dimension([0.5, 0.1])
    with pytest.raises(ParameterError):
        kaplan_yorke_dimension([0.5, np.nan])


def test_block_error_of_a_correlated_series() -> None:
    """AR(1) with coefficient a: variance of the mean is larger by (1+a)/(1-a)."""
    rng, a = np.random.default_rng(0), 0.8
    series = np.empty(2**14)
    x = 0.0
    for i, kick in enumerate(rng.standard_normal(len(series))):
        x = a * x + kick
        series[i] = x
    exact = 1 / (1 - a) / np.sqrt(len(series))
    assert 0.8 < block_error(series) / exact < 2


def test_bad_input_is_refused() -> None:
    network = draw_network(zoo.classical(), None, 5)
    for wrong in (
        {"count": 6},
        {"count": 0},
        {"transient": -1},
        {"step": -0.1},
        {"renormalise_every": 0.0},
        {"precision": "half"},
        {"initial": np.zeros((1, 4))},
        {"initial": np.full((1, 5), np.nan)},
        {"duration": 0},
        {"initial": np.zeros((2, 1, 5)), "trajectories": 3},
    ):
        arguments = {"initial": None, "duration": 5, **wrong}
        with pytest.raises(ParameterError):
            lyapunov_exponents(network, **arguments)  # type: ignore[arg-type]


def test_a_blow_up_is_said() -> None:
    network = draw_network(zoo.classical(), {"g": 2}, 5)
    with pytest.raises(ConvergenceError, match="finite"):
        lyapunov_exponents(network, None, 4000, transient=0, method="rk4", step=4.0)

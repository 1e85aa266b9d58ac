"""Bundles: the laws and their derivative for many trajectories at once, and the schemes."""

from typing import Any

import numpy as np
import pytest

from gatetheory.errors import ParameterError
from gatetheory.model import Model, zoo
from gatetheory.simulation import (
    RungeKutta4,
    StochasticHeun,
    draw_network,
    integrate,
    linearize,
    lyapunov_exponents,
    random_state,
)
from gatetheory.simulation.bundle import BundleLaw
from gatetheory.simulation.network import Network
from gatetheory.simulation.schemes import Method, Stepper, adams_weights, make_stepper

FLOWS: tuple[Method, ...] = ("heun", "rk4", "ab2", "ab3", "exponential2", "exponential3")


def started(network: Network, method: Method, trajectories: int, tangents: int) -> Stepper:
    stepper, _ = make_stepper(network, method, 0.07, trajectories=trajectories, tangents=tangents)
    return stepper


@pytest.fixture(params=["classical", "gated", "gru", "strange", "lstm", "adapting_map"])
def network(request: pytest.FixtureRequest, adapting_map: Model) -> Network:
    name = request.param
    if name in ("strange", "lstm"):
        model = request.getfixturevalue(name)
    else:
        model = adapting_map if name == "adapting_map" else getattr(zoo, name)()
    values = {"gated": {"alpha_z": 2, "tau_z": 3}}.get(name)
    return draw_network(model, values, 6, seed=3)


@pytest.mark.parametrize("split", [False, True])
def test_laws_and_derivatives_are_those_of_the_network(network: Network, split: bool) -> None:
    flow = network.model.time == "continuous"
    if split and not flow:
        pytest.skip("a map has no leak")
    law = BundleLaw(network, 3, 2, split_leak=split)
    at, out = law.new(), law.new()
    at.array[...] = np.random.default_rng(0).standard_normal(at.array.shape)
    law.evaluate(at, 0.3, out)
    leak = law.leak[:, None]
    for b in range(3):
        x = at.states[:, b]
        expected = network.drift(x, 0.3) if flow else network.update(x, 0.3)
        np.testing.assert_allclose(out.states[:, b] + leak * x, expected, atol=1e-12)
        linear = linearize(network, x, 0.3)
        for j in range(2):
            v = at.vectors[:, b, j]
            expected = linear.apply(v)
            np.testing.assert_allclose(out.vectors[:, b, j] + leak * v, expected, atol=1e-12)


@pytest.mark.parametrize("method", FLOWS)
def test_vectors_follow_the_derivative_of_the_scheme(strange: Model, method: Method) -> None:
    """Central differences of the scheme's own map over 12 steps."""
    compare_with_differences(draw_network(strange, {"tau_x": 1}, 5, seed=4), method)


def test_vectors_follow_the_derivative_of_a_map(lstm: Model) -> None:
    for model in (zoo.gru(), lstm):
        compare_with_differences(draw_network(model, None, 6, seed=4), "iterate")


def test_vectors_follow_the_derivative_of_gated() -> None:
    network = draw_network(zoo.gated(), {"alpha_z": 2, "tau_z": 3}, 6, seed=4)
    compare_with_differences(network, "exponential3")


def compare_with_differences(network: Network, method: Method) -> None:
    eps, rng = 1e-5, np.random.default_rng(1)
    x, v = rng.standard_normal((2, *network.shape))
    both = started(network, method, 1, 1)
    moved = started(network, method, 2, 0)
    both.now.states[:, 0], both.now.vectors[:, 0, 0] = x, v
    moved.now.states[:, 0], moved.now.states[:, 1] = x + eps * v, x - eps * v
    h = 1.0 if method == "iterate" else 0.07
    for i in range(12):
        both.advance(i * h)
        moved.advance(i * h)
    difference = (moved.now.states[:, 0] - moved.now.states[:, 1]) / (2 * eps)
    size = np.abs(difference).max()
    np.testing.assert_allclose(both.now.vectors[:, 0, 0], difference, atol=1e-6 * size)


@pytest.mark.parametrize(
    ("method", "order"),
    [("heun", 2), ("rk4", 4), ("ab2", 2), ("ab3", 3), ("exponential2", 2), ("exponential3", 3)],
)
def test_orders_of_the_schemes(method: Method, order: int) -> None:
    """Adams schemes start from an exact orbit, so that their first steps do not count."""
    network = draw_network(zoo.gated(), {"alpha_z": 2}, 10, seed=1)
    x = random_state(network, 2)
    exact = integrate(network, x, [0.0, 4.0], RungeKutta4(0.005)).final
    errors = []
    for h in (1 / 20, 1 / 40, 1 / 80):
        stepper, _ = make_stepper(network, method, h, trajectories=1, tangents=0)
        stepper.now.states[:, 0] = x
        warm_up(stepper, network, x, h, method)
        for i in range(round(4 / h)):
            stepper.advance(i * h)
        errors.append(np.abs(stepper.now.states[:, 0] - exact).max())
    rates = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (np.abs(rates - order) < 0.4).all(), rates


def warm_up(stepper: Any, network: Network, x: np.ndarray, h: float, method: str) -> None:
    if not hasattr(stepper, "order"):
        return
    past = [x]
    backward = draw_back(network, x, h, stepper.order - 1)
    past += backward
    for state in reversed(past[1:]):
        stepper.now.states[:, 0] = state
        stepper.advance(0.0)
    stepper.now.states[:, 0] = x


def draw_back(network: Network, x: np.ndarray, h: float, count: int) -> list[np.ndarray]:
    """States at -h, -2h, …, by the classical scheme with a negative step."""
    states, small = [], -h / 20
    for i in range(20 * count):
        k1 = network.drift(x)
        k2 = network.drift(x + small / 2 * k1)
        k3 = network.drift(x + small / 2 * k2)
        k4 = network.drift(x + small * k3)
        x = x + small / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        if (i + 1) % 20 == 0:
            states.append(x)
    return states


def test_adams_weights() -> None:
    _, weights = adams_weights(0.0, 4)
    np.testing.assert_allclose(weights[1], [3 / 2, -1 / 2])
    np.testing.assert_allclose(weights[2], np.array([23, -16, 5]) / 12)
    np.testing.assert_allclose(weights[3], np.array([55, -59, 37, -9]) / 24)
    decay, (first, *_) = adams_weights(-0.3, 1)
    np.testing.assert_allclose([decay, first[0]], [np.exp(-0.3), (1 - np.exp(-0.3)) / 0.3])


def test_a_batch_is_the_trajectories_one_by_one() -> None:
    network = draw_network(zoo.gated(), {"alpha_z": 1}, 30, seed=5)
    states = np.random.default_rng(6).standard_normal((3, *network.shape))
    together = lyapunov_exponents(network, states, 20, transient=0, step=0.1)
    for b, state in enumerate(states):
        alone = lyapunov_exponents(network, state, 20, transient=0, step=0.1)
        np.testing.assert_allclose(together.final[b], alone.final[0], atol=1e-8)


def test_large_products_are_cut_into_blocks() -> None:
    """More rows, more units than one small product takes; and single precision."""
    network = draw_network(zoo.gated(), None, 450, seed=7)
    for precision, tolerance in (("double", 1e-12), ("single", 2e-5)):
        law = BundleLaw(network, 2, 2, precision=precision)  # type: ignore[arg-type]
        at, out = law.new(), law.new()
        at.array[...] = np.random.default_rng(8).standard_normal(at.array.shape)
        law.evaluate(at, 0.0, out)
        expected = network.drift(at.states[:, 1].astype(float))
        np.testing.assert_allclose(out.states[:, 1], expected, atol=tolerance)


def test_noise_of_a_bundle_has_the_intensity(leaky: Model) -> None:
    """⟨x²⟩ = D/(1 - h/2) for Heun's scheme up to h², and both trajectories differ."""
    network = draw_network(leaky, {"D": "0.7"}, 500)
    stepper, _ = make_stepper(network, "heun", 0.1, trajectories=4, tangents=1, seed=1)
    stepper.now.vectors[...] = 1.0
    total, count = 0.0, 0
    for i in range(600):
        stepper.advance(0.1 * i)
        if i >= 80 and i % 20 == 0:
            total, count = total + (stepper.now.states**2).mean(), count + 1
    error = 0.7 * np.sqrt(2 / (2000 * count))
    assert abs(total / count - 0.7) < 4 * error + 0.7 * 0.1**2 / 4
    assert not np.allclose(stepper.now.states[:, 0], stepper.now.states[:, 1])
    np.testing.assert_allclose(stepper.now.vectors, (1 - 0.1 + 0.005) ** 600, rtol=1e-9)


def test_the_noise_is_that_of_the_network(leaky: Model) -> None:
    """One trajectory with a seed follows StochasticHeun with the same seed."""
    network = draw_network(leaky, None, 5)
    stepper, _ = make_stepper(network, "heun", 0.1, trajectories=1, tangents=0, seed=3)
    for i in range(10):
        stepper.advance(0.1 * i)
    path = integrate(network, np.zeros((1, 5)), [0.0, 1.0], StochasticHeun(0.1, 3)).final
    np.testing.assert_allclose(stepper.now.states[:, 0], path, atol=1e-12)


def test_schemes_that_do_not_fit_are_refused(leaky: Model) -> None:
    flow, noisy = draw_network(zoo.classical(), None, 3), draw_network(leaky, None, 3)
    for network, method in ((flow, "iterate"), (noisy, "rk4"), (flow, "euler")):
        with pytest.raises(ParameterError):
            make_stepper(network, method, 0.1, trajectories=1, tangents=0)  # type: ignore[arg-type]

"""Gradients of a whole run beside finite differences of the same run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import sympy

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.model import POSITIVE, ConstantInput, GaussianInput, Model, Parameter, zoo
from gatetheory.simulation import (
    Gradients,
    RungeKutta4,
    backpropagate,
    draw_network,
    integrate,
    random_state,
)
from gatetheory.simulation.network import Network
from gatetheory.simulation.schemes import Method, make_stepper

FLOWS: tuple[Method, ...] = (
    "rk4", "heun", "ab2", "ab3", "ab4", "exponential1", "exponential2", "exponential3",
    "exponential4",
)  # fmt: skip
EPS = 1e-5


def compare(model: Model, at: Mapping[str, Any], duration: float, **options: Any) -> Gradients:
    """Central differences by initial state, entries of matrices and parameters; to 1e-6."""
    options = {"step": 0.1, "draws": 2, "seed": 5} | options
    network = draw_network(model, at, 5, seed=3)
    x = random_state(network, 4)
    found = backpropagate(network, x, duration, couplings="matrices", **options)

    def value(other: Network, state: np.ndarray) -> np.ndarray:
        run = backpropagate(other, state, duration, couplings="none", parameters=(), **options)
        return run.values

    def check(plus: np.ndarray, minus: np.ndarray, exact: np.ndarray, scale: float) -> None:
        np.testing.assert_allclose((plus - minus) / (2 * EPS), exact, rtol=0, atol=1e-6 * scale)

    slopes = found.initial / np.sqrt(network.units)
    for f in range(network.shape[0]):
        move = np.zeros(network.shape)
        move[f, 1] = EPS
        scale = float(np.abs(slopes).max())
        check(value(network, x + move), value(network, x - move), slopes[f, :, 1], scale)
    for name, J in network.matrices.items():
        exact = found.matrices[name]
        for i, j in ((1, 2), (3, 3)):
            old, values = J[i, j], []
            for sign in (1, -1):
                J[i, j] = old + sign * EPS
                values.append(value(network, x))
            J[i, j] = old
            check(values[0], values[1], exact[:, i, j], float(np.abs(exact).max()))
        mean_square = 5 * (exact**2).mean(axis=(1, 2))
        np.testing.assert_allclose(found.squares[name][-1], mean_square, rtol=1e-10)
    bound = {s.name: v for s, v in network.values.items()}
    eps = sympy.Rational(1, 10**5)
    for name, exact in found.parameters.items():
        moved = [
            draw_network(model, bound | {name: bound[name] + sign * eps}, 5, seed=3)
            for sign in (1, -1)
        ]
        scale = max(float(np.abs(exact).max()), 1e-3)
        check(value(moved[0], x), value(moved[1], x), exact[-1], scale)
    return found


GATED = {"alpha_z": 2, "beta_z": "1/3", "beta_h": "1/5", "tau_z": "3/2"}


@pytest.mark.parametrize("method", FLOWS)
def test_gated(method: Method) -> None:
    found = compare(zoo.gated(), GATED, 0.7, method=method)
    assert set(found.parameters) == set(zoo.gated().symbols)


@pytest.mark.parametrize("method", ["rk4", "ab3", "exponential3"])
def test_algebraic_fields_and_inputs(strange: Model, method: Method) -> None:
    """An implicit algebraic field, leaks that depend on a parameter, inputs, variances."""
    found = compare(strange, {"tau_x": 1}, 0.5, method=method, start_time=0.7)
    assert set(found.parameters) == {"tau_x", "tau_u", "gain"}  # tau_k = 0 has no derivative


def test_inputs_that_depend_on_parameters() -> None:
    """Mean and variance of what is drawn once per unit, and a constant."""
    spread, mean = Parameter("spread", sympy.Rational(1, 2), POSITIVE), Parameter("mean", 1)
    drawn, constant = (sympy.Symbol(name, real=True) for name in ("drawn", "constant"))
    model = zoo.classical()
    source = GaussianInput(drawn, spread.symbol**2, mean.symbol / 3)
    model = model.with_input("h", source, spread, mean)
    model = model.with_input("h", ConstantInput(constant, mean.symbol**2 * spread.symbol))
    compare(model, {}, 0.6)


@pytest.mark.parametrize("method", FLOWS)
def test_algebraic_fields_that_need_each_other(paired: Model, method: Method) -> None:
    compare(paired, {}, 0.6, method=method, loss="c*u + v**2")


@pytest.mark.parametrize("running", [False, True])
def test_maps(lstm: Model, adapting_map: Model, running: bool) -> None:
    compare(zoo.gru(), {"alpha_r": 2}, 5, running=running)
    compare(adapting_map, {}, 4, running=running, loss="c*u**2")
    compare(lstm, {}, 4, running=running, loss="w*h", weight="w")


@pytest.mark.parametrize("loss", ["c*tanh(h) + z*c/2", "h**2/2", sympy.Symbol("h", real=True) ** 3])
@pytest.mark.parametrize("running", [False, True])
def test_losses_that_depend_on_the_state(loss: Any, running: bool) -> None:
    found = compare(zoo.gated(), GATED, 0.9, loss=loss, running=running)
    assert len(found.values) == (2 if "c" in str(loss) else 1)


def test_losses_that_read_an_algebraic_field(strange: Model) -> None:
    compare(strange, {"tau_x": 1}, 0.2, loss="c*k + m", running=True)
    for running in (False, True):
        compare(zoo.gru(), {}, 3, loss="c*z*r", running=running)


def test_white_noise_is_drawn_once(leaky: Model) -> None:
    """The same kicks forward, again from checkpoints, and in the differences."""
    found = compare(leaky, {"s": "1/2"}, 1.5, spacing=2)
    assert found.method == "heun"
    assert np.abs(found.parameters["D"]).min() > 1e-3


def test_runs_are_those_of_the_simulator(strange: Model) -> None:
    network = draw_network(strange, {"tau_x": 1}, 5, seed=3)
    x = random_state(network, 4)
    found = backpropagate(network, x, 1.2, step=0.1, method="rk4")
    np.testing.assert_allclose(
        found.final, integrate(network, x, [0, 1.2], RungeKutta4(0.1)).final, atol=1e-13
    )
    for method in FLOWS:
        stepper, _ = make_stepper(network, method, 0.1, trajectories=1, tangents=0)
        stepper.now.states[:, 0] = x
        for i in range(12):
            stepper.advance(0.1 * i)
        run = backpropagate(network, x, 1.2, step=0.1, method=method, couplings="none")
        np.testing.assert_allclose(run.final, stepper.now.states[:, 0], atol=1e-12)


@pytest.mark.parametrize("method", ["rk4", "ab3"])
def test_checkpoints_change_nothing(method: Method) -> None:
    network = draw_network(zoo.gated(), GATED, 6, seed=1)
    x = random_state(network, 2)
    runs = [
        backpropagate(network, x, 2, step=0.1, method=method, running=True, spacing=spacing)
        for spacing in (None, 1, 3, 20, 100)
    ]
    for other in runs[1:]:
        np.testing.assert_array_equal(other.initial, runs[0].initial)
        np.testing.assert_array_equal(other.norms, runs[0].norms)
        for name in other.squares:
            np.testing.assert_array_equal(other.squares[name], runs[0].squares[name])
        for name in other.parameters:
            np.testing.assert_array_equal(other.parameters[name], runs[0].parameters[name])


@pytest.mark.parametrize("running", [False, True])
def test_horizons_are_runs_of_their_own(running: bool) -> None:
    """Nested horizons of one sweep beside runs from the states at which they start."""
    network = draw_network(zoo.gated(), GATED, 6, seed=1)
    options: dict[str, Any] = {"step": 0.1, "running": running, "loss": "c*h + z**2", "seed": 4}
    start = random_state(network, 2)
    x = integrate(network, start, [0, 1.3], RungeKutta4(0.1)).final
    long = backpropagate(network, start, 2, horizons=[2, 0.7], save=[1.3, 0, 2], **options)
    short = backpropagate(network, x, 0.7, **options)
    np.testing.assert_array_equal(long.horizons, [0.7, 2])
    for name in long.squares:
        np.testing.assert_allclose(long.squares[name][0], short.squares[name][0], rtol=1e-9)
    for name in long.parameters:
        exact = short.parameters[name][0]
        np.testing.assert_allclose(long.parameters[name][0], exact, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(long.saved, [0, 1.3, 2])
    np.testing.assert_allclose(long.adjoint[1], short.initial, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(long.adjoint[0], long.initial)
    np.testing.assert_allclose(long.norms[0], (long.initial**2).sum(axis=(0, 2)) / 6)


def test_running_losses_are_integrals_and_sums() -> None:
    """The trapezoidal rule on the grid of a flow, the sum over steps 1 … T of a map."""
    for model, step, duration in ((zoo.gated(), 0.1, 1.0), (zoo.gru(), 1.0, 6.0)):
        network = draw_network(model, None, 6, seed=1)
        x, times = random_state(network, 2), step * np.arange(round(duration / step) + 1)
        found = backpropagate(network, x, duration, step=step, running=True, loss="h**2/2")
        method = RungeKutta4(step) if model.time == "continuous" else None
        states = integrate(network, x, times, method)["h"]
        values = (states**2).sum(axis=1) / 2 / np.sqrt(6)
        expected = np.trapezoid(values, times) if method else values[1:].sum()
        np.testing.assert_allclose(found.values, expected, rtol=1e-12)


def test_normalisation() -> None:
    network = draw_network(zoo.gated(), None, 6, seed=1)
    weights = np.random.default_rng(0).standard_normal((3, 6))
    found = backpropagate(network, random_state(network, 2), 1, weights=weights, save=[1])
    np.testing.assert_array_equal(found.adjoint[0, 0], weights)
    np.testing.assert_array_equal(found.adjoint[0, 1:], 0)
    np.testing.assert_allclose(found.values, weights @ found.final[0] / np.sqrt(6))
    signs = backpropagate(network, random_state(network, 2), 1, draws=4)
    assert signs.weights.shape == (4, 6)
    assert (np.abs(signs.weights) == 1).all()
    assert signs.loss == "c*h"


def test_bad_input_is_refused(strange: Model, leaky: Model) -> None:
    network = draw_network(zoo.gated(), None, 4)
    x = random_state(network)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"method": "iterate"}, "does not fit"),
        ({"method": "euler"}, "must be one of"),
        ({"method": "ab3", "step": 0.3}, "memory"),
        ({"horizons": [2]}, "horizons"),
        ({"horizons": [0.0]}, "horizons"),
        ({"save": [-1]}, "saved"),
        ({"step": 0}, "step"),
        ({"spacing": 0}, "spacing"),
        ({"draws": 0}, "draws"),
        ({"weights": np.ones(3)}, "weights"),
        ({"weights": np.full(4, np.nan)}, "weights"),
        ({"couplings": "all"}, "couplings"),
        ({"parameters": ["g"]}, "no parameter 'g'"),
        ({"loss": "c*q"}, "has no name 'q'"),
    ]
    for options, culprit in cases:
        with pytest.raises(ParameterError, match=culprit):
            backpropagate(network, x, 1, **options)
    with pytest.raises(ParameterError, match="shape"):
        backpropagate(network, x[:1], 1)
    with pytest.raises(ParameterError, match="duration"):
        backpropagate(network, x, 0)
    iterated = draw_network(zoo.gru(), None, 4)
    with pytest.raises(ParameterError, match="whole numbers"):
        backpropagate(iterated, np.ones((1, 4)), 3, horizons=[1.5])
    noisy = draw_network(leaky, None, 4)
    with pytest.raises(ParameterError, match="heun"):
        backpropagate(noisy, np.ones((1, 4)), 1, method="rk4")
    with pytest.raises(ParameterError, match="coupling x has variance 0"):
        backpropagate(noisy, np.ones((1, 4)), 1, parameters=["s"])
    odd = draw_network(strange, None, 4)
    with pytest.raises(ParameterError, match="time constant 0"):
        backpropagate(odd, random_state(odd), 0.2, parameters=["tau_k"])


def test_blow_up_is_said(linear_map: Model) -> None:
    network = draw_network(linear_map, {"s": 10**150}, 4)
    with pytest.raises(ConvergenceError, match="finite"):
        backpropagate(network, np.ones((1, 4)), 5)
    network = draw_network(linear_map, {"s": 10**100}, 4)
    with pytest.raises(ConvergenceError, match="gradients"):
        backpropagate(network, np.full((1, 4), 1e-300), 3)

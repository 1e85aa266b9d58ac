from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy
from sympy import Lambda, Symbol

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.model import (
    NONNEGATIVE,
    Coupling,
    Field,
    Model,
    Parameter,
    TimeDependentInput,
    fields,
    local_field,
    zoo,
)
from gatetheory.simulation import (
    Adaptive,
    Iteration,
    RungeKutta4,
    StochasticHeun,
    draw_network,
    integrate,
    random_state,
)


def alone(drift: sympy.Expr, name: str = "x", **more: Any) -> Model:
    """Uncoupled units with a given drift."""
    (x,) = fields(f"{name},")
    eta, strength = local_field(name), Parameter("s", 0, NONNEGATIVE)
    return Model(
        name="alone",
        time="continuous",
        fields=(Field(x, drift=drift + eta),),
        couplings=(Coupling(eta, signal=x, variance=strength.symbol),),
        parameters=(strength,),
        **more,
    )


def test_runge_kutta_is_of_fourth_order(strange: Model) -> None:
    network = draw_network(strange, {"tau_x": 1}, 20, seed=1)
    start = random_state(network, 2)
    times = [0.0, 1.0, 2.0]
    exact = integrate(network, start, times, Adaptive("DOP853", rtol=1e-13, atol=1e-13)).final
    errors = [
        np.abs(integrate(network, start, times, RungeKutta4(h)).final - exact).max()
        for h in (1 / 10, 1 / 20, 1 / 40)
    ]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (np.abs(orders - 4) < 0.4).all(), orders


@pytest.mark.parametrize("method", [RungeKutta4(0.05), Adaptive(rtol=1e-8), Adaptive("BDF")])
def test_an_input_that_changes_in_time(method: RungeKutta4 | Adaptive) -> None:
    t, drive, x = Symbol("t", real=True), Symbol("drive", real=True), Symbol("x", real=True)
    model = alone(-x + drive, inputs=(TimeDependentInput(drive, Lambda(t, sympy.sin(t))),))
    times = np.linspace(1, 4, 7)
    found = integrate(draw_network(model, None, 3), np.full((1, 3), 0.2), times, method)
    particular = (np.sin(times) - np.cos(times)) / 2
    exact = particular + (0.2 - particular[0]) * np.exp(1 - times)
    loose = 1e-2 if method == Adaptive("BDF") else 1e-6
    np.testing.assert_allclose(found["x"], np.repeat(exact[:, None], 3, axis=1), atol=loose)


@pytest.mark.slow
def test_implicit_methods_get_the_right_jacobian(strange: Model) -> None:
    network = draw_network(strange, None, 8, seed=3)
    start = random_state(network, 4)
    exact = integrate(network, start, [0, 1], Adaptive("DOP853", rtol=1e-11, atol=1e-11))
    radau = integrate(network, start, [0, 1], Adaptive("Radau", rtol=1e-9, atol=1e-9))
    np.testing.assert_allclose(radau.final, exact.final, atol=1e-6)
    assert radau.evaluations < 4000


def test_maps_are_iterated() -> None:
    network = draw_network(zoo.gru(), None, 10, seed=5)
    start = random_state(network, 6)
    found = integrate(network, start, [0, 1, 3])
    step = network.update(start)
    np.testing.assert_array_equal(found.states[1], step)
    np.testing.assert_array_equal(found.final, network.update(network.update(step)))
    assert found.evaluations == 3


def test_saved_times_are_met_exactly_whatever_the_step() -> None:
    network = draw_network(alone(-Symbol("x", real=True)), None, 2)
    times = [0.0, 0.37, 1.0]
    found = integrate(network, np.ones((1, 2)), times, RungeKutta4(0.1))
    np.testing.assert_allclose(found["x"][:, 0], np.exp(-np.array(times)), rtol=1e-6)
    assert found.evaluations == 4 * (4 + 7)


@pytest.mark.parametrize("method", [RungeKutta4(0.01), Adaptive(), StochasticHeun(0.01)])
def test_blow_up_is_said(method: Any) -> None:
    network = draw_network(alone(Symbol("x", real=True) ** 2), None, 2)
    with pytest.raises(ConvergenceError, match=r"finite|stopped"):
        integrate(network, np.ones((1, 2)), [0, 2], method)


def test_a_budget_ends_a_stiff_run() -> None:
    network = draw_network(alone(-(10**6) * Symbol("x", real=True)), None, 2)
    with pytest.raises(ConvergenceError, match="BDF"):
        integrate(network, np.ones((1, 2)), [0, 10], Adaptive(max_evaluations=500))
    stiff = integrate(network, np.ones((1, 2)), [0, 10], Adaptive("BDF", max_evaluations=500))
    assert np.abs(stiff.final).max() < 1e-6


def test_bad_input_is_refused(leaky: Model) -> None:
    network = draw_network(zoo.gated(), None, 4)
    start = random_state(network)
    cases: list[tuple[Any, Any, Any, str]] = [
        (start[:2], [0, 1], None, "shape"),
        (start * np.nan, [0, 1], None, "finite"),
        (start, [0, 1, 1], None, "times"),
        (start, [0, np.inf], None, "times"),
        (start, [0, 1], RungeKutta4(0), "step"),
        (start, [0, 1], RungeKutta4(float("nan")), "step"),
        (start, [0, 1], Iteration(), "flow"),
        (start, [0, 1], Adaptive("Euler"), "solve_ivp"),
    ]
    for state, times, method, culprit in cases:
        with pytest.raises(ParameterError, match=culprit):
            integrate(network, state, times, method)
    with pytest.raises(ParameterError, match="threads"):
        integrate(network, start, [0, 1], threads=0)
    with pytest.raises(ParameterError, match="no trajectory of field 'q'"):
        integrate(network, start, [0, 1], RungeKutta4(1))["q"]
    noisy = draw_network(leaky, None, 4)
    with pytest.raises(ParameterError, match="StochasticHeun"):
        integrate(noisy, np.zeros((1, 4)), [0, 1])
    iteration = draw_network(zoo.gru(), None, 4)
    for method, times in ((RungeKutta4(1), [0, 1]), (None, [0, 0.5])):
        with pytest.raises(ParameterError, match=r"map"):
            integrate(iteration, np.zeros((1, 4)), times, method)


def test_silent_noise_is_no_noise(leaky: Model) -> None:
    network = draw_network(leaky, {"D": 0}, 3)
    found = integrate(network, np.ones((1, 3)), [0, 1])
    np.testing.assert_allclose(found.final, np.exp(-1), rtol=1e-5)


def test_trajectories_are_records(leaky: Model) -> None:
    network = draw_network(leaky, {"D": 0}, 3)
    found = integrate(network, np.ones((1, 3)), [2.0])
    assert found.states.shape == (1, 1, 3)
    assert replace(found, evaluations=0).evaluations == 0

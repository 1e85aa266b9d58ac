import numpy as np
import pytest
from sympy import Rational, Symbol

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.model import GaussianInput, Model, zoo
from gatetheory.simulation import (
    draw_network,
    eigenvalues,
    find_fixed_point,
    jacobian,
    random_state,
    relax,
    stability,
)

STABLE = {"g_h": "1.48", "alpha_r": 5, "beta_h": "0.5"}


def test_a_fixed_point_satisfies_its_equations() -> None:
    network = draw_network(zoo.gated(), STABLE, 80, seed=1)
    found = find_fixed_point(network, random_state(network, 2), relax=30)
    h, z, r = found.state
    phi, j = np.tanh(1.48 * h + 0.5), network.matrices
    np.testing.assert_allclose(h, j["h"] @ (phi / (1 + np.exp(-5 * r))), atol=1e-12)
    np.testing.assert_allclose([z, r], [j["z"] @ phi, j["r"] @ phi], atol=1e-12)
    assert found.status == "ok"
    assert found.residual < 1e-12
    assert found.error < 1e-9


def test_newton_finds_unstable_ones_and_krylov_finds_the_same() -> None:
    network = draw_network(zoo.classical(), {"g": "1.2"}, 60, seed=3)
    guess = 0.5 * random_state(network, 4)
    dense = find_fixed_point(network, guess)
    krylov = find_fixed_point(network, dense.state + 1e-3, dense_limit=10)
    np.testing.assert_allclose(krylov.state, dense.state, atol=1e-10)
    zero = find_fixed_point(network, 1e-6 * guess)
    assert np.abs(zero.state).max() < 1e-12
    assert not stability(network, zero.state).stable


def test_of_a_map_with_heterogeneity() -> None:
    model = zoo.gru().with_input("z", GaussianInput(Symbol("I", real=True), Rational(1, 4)))
    network = draw_network(model, {"g_h": 1, "beta_h": "0.4"}, 60, seed=5)
    found = find_fixed_point(network, np.zeros(network.shape), relax=50)
    np.testing.assert_allclose(network.update(found.state), found.state, atol=1e-11)
    assert np.abs(found.state).max() > 0.01


@pytest.mark.parametrize("name", ["gated", "gru"])
def test_stability_is_the_edge_of_the_spectrum(name: str) -> None:
    model = zoo.MODELS[name]()
    network = draw_network(model, {"g_h": 1, "beta_h": "0.4"}, 60, seed=6)
    state = find_fixed_point(network, np.zeros(network.shape), relax=50).state
    every = eigenvalues(jacobian(network, state))
    edge = every.real.max() if name == "gated" else np.abs(every).max()
    for limit in (1000, 10):
        found = stability(network, state, dense_limit=limit)
        assert found.value == pytest.approx(edge, rel=1e-8)
        assert found.kind == ("abscissa" if name == "gated" else "radius")
        assert found.stable


def test_relaxation_tells_rest_from_activity() -> None:
    quiet = draw_network(zoo.gated(), STABLE, 60, seed=7)
    rest = relax(quiet, random_state(quiet, 8), 200)
    assert rest.status == "fixed point"
    assert rest.states.shape == (1, 3, 60)
    assert np.abs(quiet.drift(rest.states[0])).max() < 1e-11
    chaotic = draw_network(zoo.classical(), {"g": 4}, 60, seed=9)
    active = relax(chaotic, random_state(chaotic, 10), 40)
    assert active.status == "active"
    assert active.times[0] > 20
    assert active.times[-1] == 40
    assert len(active.states) == len(active.times)


def test_failure_is_a_status_that_carries_advice(leaky: Model) -> None:
    network = draw_network(zoo.classical(), {"g": 4}, 40, seed=11)
    guess = random_state(network, 12)
    with pytest.raises(ConvergenceError, match="another guess"):
        find_fixed_point(network, guess, max_iterations=1)
    found = find_fixed_point(network, guess, max_iterations=1, check=False)
    assert found.status == "not_converged"
    assert "guess" in found.advice
    noisy = draw_network(leaky, None, 3)
    with pytest.raises(ParameterError, match="changes in time"):
        find_fixed_point(noisy, np.zeros((1, 3)))
    with pytest.raises(ParameterError, match="shape"):
        find_fixed_point(network, guess[:, :5])

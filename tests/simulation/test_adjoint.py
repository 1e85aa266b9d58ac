"""The transposed law beside the dense Jacobian and its pieces."""

from typing import Any

import numpy as np
import pytest

from gatetheory.model import Model, zoo
from gatetheory.simulation import draw_network, linearize, random_state
from gatetheory.simulation.adjoint import pull_back
from gatetheory.simulation.coupling_sums import MatrixSums, PairSums
from gatetheory.simulation.network import Network


@pytest.fixture(params=["gated", "gru", "strange", "paired", "lstm", "adapting_map"])
def network(request: pytest.FixtureRequest) -> Network:
    name = request.param
    model: Model = (
        getattr(zoo, name)() if name in ("gated", "gru") else request.getfixturevalue(name)
    )
    return draw_network(model, {"alpha_z": 2} if name == "gated" else None, 6, seed=3)


def test_it_is_the_transposed_jacobian(network: Network) -> None:
    linear = linearize(network, random_state(network, 1), 0.3)
    fields, units = network.shape
    covectors = np.random.default_rng(2).standard_normal((fields, 3, units))
    found = pull_back(linear, covectors).state
    flat = np.moveaxis(covectors, 1, 0).reshape(3, -1) @ linear.dense()
    np.testing.assert_allclose(np.moveaxis(found, 1, 0).reshape(3, -1), flat, atol=1e-12)


def test_couplings_gain_what_a_change_of_a_matrix_does(network: Network) -> None:
    """ω · ∂F/∂J_12 by central differences, algebraic fields included."""
    x, eps = random_state(network, 1), 1e-5
    linear = linearize(network, x, 0.3)
    rates = np.random.default_rng(2).standard_normal((network.shape[0], 1, network.units))
    back = pull_back(linear, rates)
    law: Any = network.drift if network.model.time == "continuous" else network.update
    at = network.complete(x, 0.3)
    psi = network.observable([c.signal for c in network.model.couplings])(at)
    for a, coupling in enumerate(network.model.couplings):
        J = network.matrices[coupling.name]
        old, values = J[1, 2], []
        for sign in (1, -1):
            J[1, 2] = old + sign * eps
            values.append(float(np.sum(rates[:, 0] * law(x, 0.3))))
        J[1, 2] = old
        expected = (values[0] - values[1]) / (2 * eps)
        np.testing.assert_allclose(back.local[a][0, 1] * psi[a, 2], expected, atol=1e-8)


def test_algebraic_fields_can_be_read(strange: Model) -> None:
    """A covector that acts on the field k, which only its law determines."""
    network = draw_network(strange, None, 5, seed=3)
    x, eps = random_state(network, 1), 1e-6
    k = [f.name for f in strange.fields].index("k")
    weights, direction = np.random.default_rng(2).standard_normal((2, 5))
    back = pull_back(linearize(network, x), None, {k: weights[None]})
    for f in range(network.shape[0]):
        moved = np.zeros(network.shape)
        moved[f] = eps * direction
        change = network.complete(x + moved).fields[k] - network.complete(x - moved).fields[k]
        expected = weights @ change / (2 * eps)
        np.testing.assert_allclose(back.state[f, 0] @ direction, expected, atol=1e-7)


@pytest.mark.parametrize("count", [1, 64, 150])
def test_squares_need_no_matrices(count: int) -> None:
    rng = np.random.default_rng(0)
    pairs, matrices = PairSums(2, 3, 7, count), MatrixSums(2, 3, 7)
    expected = np.zeros((2, 3, 7, 7))
    for i in range(count):
        mu, psi = rng.standard_normal((2, 3, 7)), rng.standard_normal((2, 7))
        acting = {0: mu[0], 1: mu[1]} if i % 2 else {0: mu[0]}
        for sums in (pairs, matrices):
            sums.add(acting, psi)
        for a in acting:
            expected[a] += mu[a][:, :, None] * psi[a]
        if i == count // 3:  # looking in between changes nothing
            np.testing.assert_allclose(pairs.squares(), (expected**2).sum(axis=(2, 3)), atol=1e-9)
    np.testing.assert_allclose(matrices.matrices(), expected, atol=1e-12)
    for sums in (pairs, matrices):
        np.testing.assert_allclose(sums.squares(), (expected**2).sum(axis=(2, 3)), rtol=1e-10)

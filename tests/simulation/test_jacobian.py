from typing import Any

import numpy as np
import pytest
import sympy
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.model import Model, zoo
from gatetheory.simulation import (
    Network,
    draw_network,
    eigenvalues,
    extreme_eigenvalues,
    jacobian,
    linearize,
    mean_trace,
    random_state,
    singular_moments,
    synthetic_state,
)

TIME = 0.4


def by_differences(network: Network, state: NDArray[np.float64]) -> NDArray[np.float64]:
    """Central differences of fourth order."""

    def law(flat: NDArray[np.float64]) -> NDArray[np.float64]:
        x = flat.reshape(network.shape)
        if network.model.time == "continuous":
            return network.drift(x, TIME).ravel()
        return network.update(x, TIME).ravel()

    step, flat = 1e-3, state.ravel()
    columns = []
    for direction in np.eye(flat.size) * step:
        near = law(flat + direction) - law(flat - direction)
        far = law(flat + 2 * direction) - law(flat - 2 * direction)
        columns.append((8 * near - far) / (12 * step))
    return np.array(columns).T


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("gated", {"alpha_z": 3, "beta_h": "0.3", "beta_r": "0.5"}),
        ("gated", {"alpha_z": 3, "tau_z": 0}),
        ("gated", {"alpha_z": 3, "tau_z": 0, "tau_r": 0}),
        ("classical", {}),
        ("gru", {"alpha_z": 2, "alpha_r": 3}),
        ("strange", {}),
        ("strange", {"tau_k": 2, "tau_u": 0}),
        ("lstm", {}),
    ],
)
def test_jacobian_is_the_derivative_of_the_law(
    name: str, at: dict[str, Any], strange: Model, lstm: Model
) -> None:
    model = {"strange": strange, "lstm": lstm}.get(name) or zoo.MODELS[name]()
    network = draw_network(model, at, 7, seed=1)
    state = random_state(network, 2)
    found = jacobian(network, state, TIME)
    np.testing.assert_allclose(found, by_differences(network, state), atol=2e-8)
    linear = linearize(network, state, TIME)
    direction = random_state(network, 3)
    np.testing.assert_allclose(linear.apply(direction).ravel(), found @ direction.ravel())


def test_far_in_the_tails_nothing_overflows() -> None:
    network = draw_network(zoo.gated(), {"alpha_z": 4}, 6, seed=3)
    state = 1000 * np.sign(random_state(network, 4))
    assert np.isfinite(jacobian(network, state)).all()


def test_blocks_at_a_synthetic_state() -> None:
    """The block ∂ḣ/∂z = σ_z'(z)(η_h - h) takes η_h as it is given."""
    h, dh = sympy.symbols("h dh")
    network = draw_network(zoo.gated(), {"alpha_z": 2, "tau_z": 4}, 50, seed=5)
    at = synthetic_state(network, {"h": 1, "z": 2, "r": 3, "dh": "0.5"}, {"eta_h": h + dh}, seed=6)
    vh, vz, vr = at.fields
    found = jacobian(network, at)
    n = 50
    sigma = 1 / (1 + np.exp(-2 * vz))
    j, slope = network.matrices, 3 / np.cosh(3 * vh) ** 2
    reset = 1 / (1 + np.exp(-5 * vr))
    gap = at.local_fields[0] - vh
    expected_hz = np.diag(2 * sigma * (1 - sigma) * gap)
    expected_hh = sigma[:, None] * j["h"] * (slope * reset) - np.diag(sigma)
    expected_hr = sigma[:, None] * j["h"] * (np.tanh(3 * vh) * 5 * reset * (1 - reset))
    np.testing.assert_allclose(found[:n, n : 2 * n], expected_hz, atol=1e-12)
    np.testing.assert_allclose(found[:n, :n], expected_hh, atol=1e-12)
    np.testing.assert_allclose(found[:n, 2 * n :], expected_hr, atol=1e-12)
    np.testing.assert_allclose(found[n : 2 * n, :n], j["z"] * slope / 4, atol=1e-12)
    assert abs(gap.var() - 0.5) < 5 * 0.5 * np.sqrt(2 / n)


def test_an_algebraic_gate_at_a_synthetic_state() -> None:
    """`gru`, z = η_z eliminated: the multiplier through z is σ_z'(z)(φ(η_h) - h) J_z."""
    z, r = sympy.symbols("z r")
    network = draw_network(zoo.gru(), {"alpha_r": 0}, 30, seed=7)
    at = synthetic_state(
        network, {"h": 1, "z": 1, "r": 1, "eta_h": 2}, {"eta_z": z, "eta_r": r}, seed=8
    )
    vh, vz, _ = at.fields
    eta = at.local_fields[0]
    sigma = 1 / (1 + np.exp(-vz))
    j = network.matrices
    expected = (
        np.diag(1 - sigma)
        + (sigma * 4 / np.cosh(4 * eta) ** 2)[:, None] * j["h"] / 2
        + (sigma * (1 - sigma) * (np.tanh(4 * eta) - vh))[:, None] * j["z"]
    )
    np.testing.assert_allclose(jacobian(network, at), expected, atol=1e-12)


def test_what_a_synthetic_state_must_give() -> None:
    h = sympy.Symbol("h")
    network = draw_network(zoo.gated(), {"alpha_z": 1}, 5)
    given = {"h": 1, "z": 1, "r": 1}
    with pytest.raises(ParameterError, match="eta_h"):
        jacobian(network, synthetic_state(network, given))
    assert jacobian(network, synthetic_state(network, given, {"eta_h": h})).shape == (15, 15)
    cases: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({"h": 1, "z": 1}, {}, "field r"),
        ({**given, "h": -1}, {}, "variance of h"),
        ({**given, "h": float("nan")}, {}, "variance of h"),
        (given, {"h": h}, "give one"),
        (given, {"eta_q": h}, "eta_q"),
        (given, {"eta_h": sympy.Symbol("q")}, "no variance"),
        (given, {"eta_h": "h + 1"}, "SymPy expression"),
    ]
    for variances, relations, culprit in cases:
        with pytest.raises(ParameterError, match=culprit):
            synthetic_state(network, variances, relations)


def test_moments_of_a_random_matrix(linear_map: Model) -> None:
    """D = J of variance s²: (1/N) Tr (D Dᵀ)^k = s^{2k} Catalan_k, and with D = a + J more terms."""
    n, networks = 100, 30
    for a in (0, 1):
        samples = []
        for seed in range(networks):
            network = draw_network(linear_map, {"a": a}, n, seed)
            d = jacobian(network, random_state(network))
            samples.append([*singular_moments(d, n, 3), mean_trace(d, n)])
        mean, error = np.mean(samples, axis=0), np.std(samples, axis=0, ddof=1) / np.sqrt(networks)
        s2 = 9 / 4
        exact = [s2, 2 * s2**2, 5 * s2**3, 0.0]
        if a:
            exact = [1 + s2, 1 + 4 * s2 + 2 * s2**2, 1 + 9 * s2 + 15 * s2**2 + 5 * s2**3, 1.0]
        assert (error[:3] < 0.03 * np.array(exact[:3])).all()
        assert (np.abs(mean - exact) < 4 * error + 3 * np.abs(exact) / n**2).all()


def test_moments_of_any_order_and_per_unit() -> None:
    matrix = np.random.default_rng(1).standard_normal((6, 6))
    singular = np.linalg.svd(matrix, compute_uv=False)
    expected = [(singular ** (2 * k)).sum() / 2 for k in range(1, 8)]
    np.testing.assert_allclose(singular_moments(matrix, 2, 7), expected)


@pytest.mark.parametrize("which", ["LR", "LM"])
@pytest.mark.parametrize("name", ["gated", "gru"])
def test_extreme_eigenvalues_are_those_of_the_dense_matrix(name: str, which: Any) -> None:
    network = draw_network(zoo.MODELS[name](), {"alpha_z": 2}, 120, seed=9)
    state = 0.3 * random_state(network, 10)
    every = eigenvalues(jacobian(network, state))
    size = every.real if which == "LR" else np.abs(every)
    found = extreme_eigenvalues(network, state, 4, which)
    measure = found.real if which == "LR" else np.abs(found)
    np.testing.assert_allclose(measure[:4], np.sort(size)[::-1][:4], rtol=1e-7)


def test_what_is_refused() -> None:
    network = draw_network(zoo.gated(), None, 20, seed=11)
    state = random_state(network)
    with pytest.raises(ConvergenceError, match="basis above"):
        extreme_eigenvalues(network, state, 4, max_restarts=1, basis=10)
    which: Any = "SR"
    with pytest.raises(ParameterError, match="which"):
        extreme_eigenvalues(network, state, 4, which)
    with pytest.raises(ParameterError, match="count"):
        extreme_eigenvalues(network, state, 60)
    with pytest.raises(ParameterError, match="square"):
        eigenvalues(np.zeros((2, 3)))
    with pytest.raises(ParameterError, match="finite"):
        mean_trace(np.full((2, 2), np.nan), 2)

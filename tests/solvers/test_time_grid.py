"""Grids of times, and exact responses of linear systems on them."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gatetheory.solvers.lag_filter import reduce
from gatetheory.solvers.time_grid import TimeGrid, time_edges


def test_edges_contain_the_marks() -> None:
    edges = time_edges([2.0, 5.0], 1.5)
    assert {0.0, 2.0, 5.0} <= set(edges)
    assert np.diff(edges).max() <= 1.5
    assert list(edges) == sorted(edges)


@pytest.mark.parametrize("degree", [3, 8, 13])
def test_integrals_up_to_an_edge_are_exact_for_polynomials(degree: int) -> None:
    grid = TimeGrid(time_edges([2.0, 5.0], 1.0), degree)
    for power in range(2 * degree - 1):
        for end in (2.0, 5.0):
            value = grid.weights(end) @ grid.nodes**power
            assert value == pytest.approx(end ** (power + 1) / (power + 1), rel=1e-12)
    assert grid.nodes[grid.index(2.0)] == pytest.approx(2.0, abs=1e-14)


def test_a_sum_over_steps_leaves_out_the_last() -> None:
    grid = TimeGrid((0.0, 6.0), 0)
    assert grid.weights(4.0).tolist() == [1, 1, 1, 1, 0, 0, 0]


def test_the_response_of_a_stiff_system_with_an_algebraic_field() -> None:
    drift = np.array([[-0.5, 0.3, 0.2], [0.1, -1.0, 0.0], [0.1, 0.0, -1.0]])
    system = reduce([1.0, 1e-3, 0.0], drift, np.eye(3), False)
    grid = TimeGrid(time_edges([4.0], 1.0), 12)
    t = grid.nodes

    def drive(time: np.ndarray) -> np.ndarray:
        return np.stack([np.cos(2 * time), np.sin(time), np.cos(time)])

    def rate(time: float, state: np.ndarray) -> np.ndarray:
        return system.matrix @ state + system.inputs @ drive(np.array(time))

    start = np.array([0.3, -0.2])
    want = solve_ivp(rate, (0, 4), start, "Radau", t, rtol=1e-11, atol=1e-12)
    response, free = grid.response(system)
    found = np.einsum("ifjg,gj->if", response, drive(t)) + free @ start
    expected = (system.outputs @ want.y + system.feed @ drive(t)).T
    np.testing.assert_allclose(found, expected, atol=2e-9)


def test_the_response_of_a_map() -> None:
    matrix = np.array([[0.5, 0.1], [-0.2, 0.3]])
    system = reduce([1.0, 1.0], matrix, np.eye(2), True)
    response, free = TimeGrid((0.0, 4.0), 0).response(system)
    np.testing.assert_allclose(response[3, :, 0, :], matrix @ matrix, atol=1e-15)
    np.testing.assert_allclose(response[1, :, 0, :], np.eye(2), atol=1e-15)
    assert not response[2, :, 2, :].any()
    np.testing.assert_allclose(free[2], matrix @ matrix, atol=1e-15)


def test_a_chain_of_equal_modes_is_no_difficulty() -> None:
    drift = np.array([[-1.0, 1.0], [0.0, -1.0]])  # defective
    system = reduce([1.0, 1.0], drift, np.eye(2), False)
    grid = TimeGrid((0.0, 1.0, 2.0), 8)
    response, _ = grid.response(system)
    t = grid.nodes
    found = response[:, :, :, 1].sum(axis=2)
    np.testing.assert_allclose(found[:, 1], 1 - np.exp(-t), atol=1e-12)
    np.testing.assert_allclose(found[:, 0], 1 - np.exp(-t) * (1 + t), atol=1e-12)

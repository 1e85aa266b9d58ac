"""Second moments of gradients over networks."""

from typing import Any

import numpy as np
import pytest

from gatetheory.errors import ParameterError
from gatetheory.model import Model, zoo
from gatetheory.simulation import (
    backpropagate,
    draw_network,
    find_fixed_point,
    lyapunov_exponents,
    random_state,
    simulate_gradients,
    stability,
)

REST: dict[str, Any] = {"g_h": "1.48", "beta_h": "1/2"}


def test_same_seed_same_result() -> None:
    options: dict[str, Any] = {"draws": 3, "windows": 2, "transient": 5, "growth_window": 4}
    seen = [
        simulate_gradients(zoo.gated(), None, 20, (2, 1), 2, seed=seed, **options)
        for seed in (1, 1, 2)
    ]
    for name in ("h", "z", "r"):
        assert seen[0].squares[name].shape == (2, 2)
        np.testing.assert_array_equal(seen[0].squares[name], seen[1].squares[name])
    np.testing.assert_array_equal(seen[0].growth, seen[1].growth)
    assert (seen[0].squares["h"] != seen[2].squares["h"]).all()
    np.testing.assert_array_equal(seen[0].horizons, [1, 2])


def test_means_are_those_of_the_runs() -> None:
    """One window of one network by hand: at rest, where every window is the same."""
    seen = simulate_gradients(
        zoo.gated(), REST, 40, (1, 3), 1, draws=2000, windows=1, transient=400
    )
    assert seen.statuses == ("fixed point",)
    wiring, start, _, _ = np.random.SeedSequence(0).spawn(1)[0].spawn(4)
    network = draw_network(zoo.gated(), REST, 40, wiring)
    state = find_fixed_point(network, random_state(network, start), relax=400).state
    every = np.sqrt(40) * np.eye(40)  # an exact average over weights
    run = backpropagate(network, state, 3, horizons=(1, 3), weights=every, step=seen.step)
    for name in ("h", "r"):
        exact = run.squares[name].mean(axis=1)
        np.testing.assert_allclose(seen.squares[name][0], exact, rtol=0.1)
    for name in ("g_h", "beta_h", "alpha_r"):
        exact = (run.parameters[name] ** 2).mean(axis=1)
        np.testing.assert_allclose(seen.parameter_squares[name][0], exact, rtol=0.15)
    np.testing.assert_allclose(seen.norms[0, 1], run.norms[0].mean(), rtol=0.1)
    assert seen.square("h", 1).mean == seen.squares["h"][0, 1]
    assert seen.parameter_square("g_h").mean == seen.parameter_squares["g_h"][0, 1]
    assert seen.norm().mean == seen.norms[0, 1]
    assert seen.growth_exponent is None


def test_growth_at_rest_is_twice_the_abscissa() -> None:
    seen = simulate_gradients(
        zoo.gated(), REST, 40, (1,), 1, draws=2, windows=1, transient=200, growth_window=120,
        step=0.4, parameters=(), seed=2,
    )  # fmt: skip
    wiring, start, _, _ = np.random.SeedSequence(2).spawn(1)[0].spawn(4)
    network = draw_network(zoo.gated(), REST, 40, wiring)
    state = find_fixed_point(network, random_state(network, start), relax=200).state
    assert seen.growth_exponent is not None
    assert seen.growth_exponent.mean == pytest.approx(2 * stability(network, state).value, rel=0.01)


@pytest.mark.slow
def test_growth_in_chaos_is_twice_the_lyapunov_exponent() -> None:
    """The same networks forward: tangent vectors grow at half the rate of |λ|²."""
    seen = simulate_gradients(
        zoo.gated(), None, 200, (1,), 4, draws=1, windows=1, growth_window=400,
        couplings=False, parameters=(), step=0.4,
    )  # fmt: skip
    forward = []
    for child in np.random.SeedSequence(0).spawn(4):
        network = draw_network(zoo.gated(), None, 200, child.spawn(4)[0])
        found = lyapunov_exponents(network, None, 400, trajectories=4)
        forward.append(2 * found.largest)
    assert seen.growth is not None
    difference = seen.growth - np.array(forward)
    assert abs(difference.mean()) < 3.5 * max(difference.std(ddof=1) / 2, 0.004)
    assert abs(difference.mean()) < 0.15 * np.mean(forward)
    assert not seen.squares


def test_maps_and_noise(leaky: Model) -> None:
    seen = simulate_gradients(zoo.gru(), None, 20, (2, 3), 2, draws=2, windows=2, transient=20)
    assert seen.method == "iterate"
    assert seen.square("z").mean > 0
    assert seen.norm().mean > 0
    noisy = simulate_gradients(leaky, {"s": "1/2"}, 20, (1,), 2, draws=2, windows=2, transient=2)
    assert noisy.method == "heun"
    assert noisy.statuses == ("active", "active")


def test_it_prints_itself() -> None:
    done = []
    seen = simulate_gradients(
        zoo.classical(), None, 20, (1,), 2, draws=2, windows=1, transient=5, growth_window=2,
        running=True, progress=lambda k, n: done.append((k, n)),
    )  # fmt: skip
    text = str(seen)
    for part in ("loss c*h, integrated", "2 networks of 20 units", "horizon 1", "Q_h", "(dL/dg)²"):
        assert part in text
    assert "growth exponent" in text
    assert done == [(1, 2), (2, 2)]


def test_bad_input_is_refused() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"units": 0}, "units"),
        ({"seeds": 0}, "seeds"),
        ({"windows": 0}, "windows"),
        ({"horizons": ()}, "horizons"),
        ({"loss": "c*q"}, "'q'"),
    ]
    for options, culprit in cases:
        with pytest.raises(ParameterError, match=culprit):
            simulate_gradients(zoo.gated(), None, **({"units": 5, "transient": 1} | options))
    seen = simulate_gradients(zoo.classical(), None, 5, (1,), 1, windows=1, transient=1)
    with pytest.raises(ParameterError, match="no coupling 'z'"):
        seen.square("z")
    with pytest.raises(ParameterError, match="no parameter 'g_h'"):
        seen.parameter_square("g_h")

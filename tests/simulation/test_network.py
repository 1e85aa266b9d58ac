from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy
from scipy.special import expit
from sympy import Rational

from gatetheory.errors import ParameterError
from gatetheory.model import (
    NONNEGATIVE,
    Coupling,
    Field,
    Model,
    Parameter,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.simulation import draw_network, random_state


def test_gated_is_the_paper_s_equation() -> None:
    at = {"g_h": 2, "alpha_z": 3, "alpha_r": 4, "beta_h": "0.3", "beta_z": -1, "beta_r": "0.2"}
    network = draw_network(zoo.gated(), {**at, "tau_z": "0.5"}, 40, seed=1)
    h, z, r = state = random_state(network, 2)
    phi, j = np.tanh(2 * h + 0.3), network.matrices
    expected = [
        expit(3 * z + 1) * (-h + j["h"] @ (phi * expit(4 * r - 0.2))),
        2 * (-z + j["z"] @ phi),
        (-r + j["r"] @ phi) / 2,
    ]
    np.testing.assert_allclose(network.drift(state), expected, rtol=1e-12)


def test_gru_computes_its_gates_before_the_signal_they_multiply() -> None:
    network = draw_network(zoo.gru(), None, 30, seed=3)
    (h,) = state = random_state(network, 4)
    j = network.matrices
    z, r = j["z"] @ h, j["r"] @ h
    expected = (1 - expit(z)) * h + expit(z) * np.tanh(4 * (j["h"] @ (expit(r) * h)))
    np.testing.assert_allclose(network.update(state)[0], expected, rtol=1e-12)
    np.testing.assert_allclose(network.complete(state).fields, [h, z, r], rtol=1e-12)


def test_an_update_may_read_an_updated_value(lstm: Model) -> None:
    network = draw_network(lstm, None, 25, seed=5)
    c, h = state = random_state(network, 6)
    f, i, o = (network.matrices[name] @ h for name in "fio")
    c_next = expit(f) * c + expit(i) * np.tanh(network.matrices["c"] @ h)
    expected = [c_next, expit(o) * np.tanh(c_next)]
    np.testing.assert_allclose(network.update(state), expected, rtol=1e-12)


def test_algebraic_fields_solve_their_laws(strange: Model) -> None:
    network = draw_network(strange, None, 50, seed=7)
    at = network.complete(random_state(network, 8), time=0.7)
    x, y, _, m, k = at.fields
    eta_m = at.local_fields[3]
    np.testing.assert_allclose(m, 1.5 * eta_m / np.sqrt(1 + (1.5 * eta_m) ** 2) + x**2, rtol=1e-12)
    np.testing.assert_allclose(k + k**3 / 3, y + eta_m, rtol=1e-12)
    drive, static = at.inputs[1], at.inputs[0]
    assert drive == pytest.approx(np.sin(1.5 * 0.7) / 5)
    assert static is network.static_inputs["I"]


def test_couplings_of_one_signal_share_a_product_and_it_does_not_matter(strange: Model) -> None:
    network = draw_network(strange, None, 60, seed=9)
    assert [len(stack) // 60 for stack in network.stacks] == [2, 2]
    at = network.complete(random_state(network, 10))
    psi = network.observable([c.signal for c in strange.couplings])(at)
    for c, signal, eta in zip(strange.couplings, psi, at.local_fields, strict=True):
        np.testing.assert_allclose(eta, network.matrices[c.name] @ signal, rtol=1e-11, atol=1e-13)


def test_matrices_have_the_variance_asked_for_and_are_independent(strange: Model) -> None:
    n = 200
    network = draw_network(strange, None, n, seed=11)
    for c in strange.couplings:
        j = network.matrices[c.name]
        s2 = float(c.variance.xreplace(dict(network.values)))
        assert abs(n * j.var() / s2 - 1) < 5 * np.sqrt(2) / n
        assert abs(j.mean()) < 5 * np.sqrt(s2 / n) / n
    a, b = network.matrices["x"].ravel(), network.matrices["u"].ravel()
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / n


def test_same_seed_same_network(strange: Model) -> None:
    first, again, other = (draw_network(strange, None, 20, seed) for seed in (3, 3, 4))
    for name, j in first.matrices.items():
        assert np.array_equal(j, again.matrices[name])
        assert not np.array_equal(j, other.matrices[name])
    assert np.array_equal(first.static_inputs["I"], again.static_inputs["I"])


def test_a_time_constant_of_zero_is_the_limit_of_small_ones() -> None:
    at = {"alpha_z": 2, "tau_z": 0, "tau_r": 0}
    network = draw_network(zoo.gated(), at, 30, seed=12)
    assert network.dynamic_fields == ("h",)
    (h,) = state = random_state(network, 13)
    j, phi = network.matrices, np.tanh(3 * h)
    eta_h = j["h"] @ (phi * expit(5 * (j["r"] @ phi)))
    np.testing.assert_allclose(network.drift(state)[0], expit(2 * (j["z"] @ phi)) * (eta_h - h))


def test_fields_that_need_each_other_are_solved_together() -> None:
    x, y, u = fields("x y u")
    eta, tau = local_field("u"), Parameter("tau", 0, NONNEGATIVE)
    model = Model(
        name="knot",
        time="continuous",
        fields=(
            Field(x, drift=-x + sympy.sin(y) / 2 + eta, time_constant=tau.symbol),
            Field(y, drift=-y + sympy.cos(x) / 2 + u, time_constant=tau.symbol),
            Field(u, drift=-u + x),
        ),
        couplings=(Coupling(eta, signal=sympy.tanh(u)),),
        parameters=(tau,),
    )
    network = draw_network(model, None, 40, seed=14)
    at = network.complete(random_state(network, 15))
    vx, vy, vu = at.fields
    np.testing.assert_allclose(vx, np.sin(vy) / 2 + at.local_fields[0], atol=1e-12)
    np.testing.assert_allclose(vy, np.cos(vx) / 2 + vu, atol=1e-12)


def without_dynamics() -> Model:
    model = zoo.classical()
    tau = Parameter("tau", 1, NONNEGATIVE)
    (field,) = model.fields
    return replace(
        model,
        fields=(replace(field, time_constant=tau.symbol),),
        parameters=(*model.parameters, tau),
    )


def test_a_network_without_any_dynamics_is_refused() -> None:
    assert draw_network(without_dynamics(), {"tau": 1}, 5).shape == (1, 5)
    with pytest.raises(ParameterError, match="positive time constant"):
        draw_network(without_dynamics(), {"tau": 0}, 5)


def test_noise_needs_a_field_with_dynamics() -> None:
    model = without_dynamics().with_input(
        "h", WhiteNoise(sympy.Symbol("xi", real=True), Rational(1, 2))
    )
    with pytest.raises(ParameterError, match="white noise"):
        draw_network(model, {"tau": 0}, 5)


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"units": 0}, "units"),
        ({"units": 2.5}, "units"),
        ({"units": True}, "units"),
        ({"seed": -1}, "seed"),
        ({"seed": "one"}, "seed"),
        ({"at": {"g_k": 2}}, "g_h"),
        ({"at": {"tau_r": -1}}, "tau_r"),
        ({"at": {"alpha_r": float("nan")}}, "alpha_r"),
    ],
)
def test_bad_input_is_refused(options: dict[str, Any], culprit: str) -> None:
    with pytest.raises(ParameterError, match=culprit):
        draw_network(zoo.gated(), **{"units": 5, **options})


def test_flow_and_map_are_not_confused() -> None:
    flow, iteration = draw_network(zoo.gated(), None, 4), draw_network(zoo.gru(), None, 4)
    with pytest.raises(ParameterError, match=r"Network\.drift"):
        flow.update(random_state(flow))
    with pytest.raises(ParameterError, match=r"Network\.update"):
        iteration.drift(random_state(iteration))
    with pytest.raises(ParameterError, match="shape"):
        flow.drift(np.zeros((2, 4)))

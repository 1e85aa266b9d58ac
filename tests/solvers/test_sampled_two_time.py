"""Sampled covariances at two times beside exact ones."""

import numpy as np
import pytest
from sympy import Integer, Lambda, Rational, Symbol, sin

from gatetheory.errors import ParameterError
from gatetheory.model import (
    Coupling,
    Field,
    GaussianInput,
    Model,
    TimeDependentInput,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.solvers.sampled_two_time import SampledTwoTime, solve_sampled_two_time
from gatetheory.solvers.two_time import solve_two_time
from gatetheory.theory.process import derive_process
from gatetheory.theory.single_site import SingleSite
from gatetheory.theory.two_time import derive_two_time


def solve(model: Model, times: object, **options: object) -> SampledTwoTime:
    process = derive_process(SingleSite(model))
    return solve_sampled_two_time(process, process.bind(None), times, **options)  # type: ignore[arg-type]


def test_the_classical_network_agrees_with_its_two_time_equations() -> None:
    model = zoo.classical()
    exact = solve_two_time(
        derive_two_time(SingleSite(model)), model.bind(None), (8.0, 0.5), initial_std=0.5
    )
    found = solve(model, (8.0, 0.5), initial_std=0.5, paths=512, seed=4)
    assert found.status == "ok"
    for name in ("C_h", "C_phi", "C_eta_h"):
        error = np.abs(found[name] - exact[name]).max()
        assert error < 4 * found.errors[name].max() + 2e-3
        assert found.errors[name].max() < 0.02
    assert found["C_h"][0, 0] == pytest.approx(0.25, rel=1e-9)


def driven() -> Model:
    """A linear network with everything an input can be: solved by hand below."""
    (x,) = fields("x,")
    eta, t = local_field("x"), Symbol("t", real=True)
    level, wave, xi = (Symbol(n, real=True) for n in ("level", "wave", "xi"))
    return Model(
        name="driven",
        time="continuous",
        fields=(Field(x, drift=-x + eta + level + wave + xi),),
        couplings=(Coupling(eta, x, Rational(1, 4)),),
        inputs=(
            GaussianInput(level, Rational(1, 4), Integer(0)),
            TimeDependentInput(wave, Lambda(t, sin(t))),
            WhiteNoise(xi, Rational(1, 2)),
        ),
    )


def test_the_mean_of_a_linear_unit_follows_its_input() -> None:
    found = solve(driven(), (6.0, 0.5), initial_mean=2.0, initial_std=0.5, paths=2048, replicas=2)
    t = found.times
    mean = 2.5 * np.exp(-t) + (np.sin(t) - np.cos(t)) / 2  # ṁ = −m + sin t, m(0) = 2
    assert np.abs(found["m_x"] - mean).max() < 0.06  # four standard errors of 4096 paths
    assert found["C_x"][0, 0] == pytest.approx(4.25, rel=1e-9)


@pytest.mark.slow
def test_noise_and_heterogeneity_add_up_to_the_stationary_variance() -> None:
    model = driven()
    x, law = model.fields[0].symbol, model.fields[0].law - Symbol("wave", real=True)
    quiet = Model(
        name="quiet",
        time="continuous",
        fields=(Field(x, drift=law),),
        couplings=model.couplings,
        inputs=(model.inputs[0], model.inputs[2]),
    )
    found = solve(quiet, (16.0, 1.0), initial_std=1.0, paths=512, replicas=4)
    exact = 0.25 / 0.75 + 0.5 / np.sqrt(0.75)
    assert found["C_x"][-1, -1] == pytest.approx(exact, abs=4 * found.errors["C_x"][-1, -1] + 0.01)
    assert found["C_x"][-1, -9] == pytest.approx(0.25 / 0.75, abs=0.05)


def test_gru_relaxes_to_its_stationary_state() -> None:
    found = solve(zoo.gru(), (60, 1), paths=512)
    settled = np.diag(found["C_h"])[30:]
    assert settled.mean() == pytest.approx(0.478, abs=0.012)
    assert np.allclose(found["C_z"], found["C_eta_z"], atol=0.1)
    assert found.step_error == 0


def test_a_slow_start_is_grown_from_small_values() -> None:
    found = solve(zoo.classical(), (4.0, 0.5), initial_std={"h": 1e-3}, paths=64, replicas=2)
    growth = np.log(found["C_h"][-1, -1] / found["C_h"][4, 4]) / 2 / (found.times[-1] - 2)
    assert 0.3 < growth < 1.2  # between rest and g − 1 = 1, the growth rate of the linear network


@pytest.mark.parametrize(
    ("times", "options", "culprit"),
    [
        ((4.0, 0.5), {"initial_std": {"x": 1.0}}, "'x'"),
        ((4.0, 0.5), {"initial_std": -1.0}, "negative"),
        ([0.0, 1.0, 3.0], {}, "equally spaced"),
        ((1e5, 0.01), {}, "GB"),
        ((4.0, 0.5), {"paths": 2}, "paths"),
        ((4.0, 0.5), {"tolerance": 0.0}, "tolerance"),
    ],
)
def test_what_makes_no_sense_is_refused(
    times: object, options: dict[str, object], culprit: str
) -> None:
    with pytest.raises(ParameterError, match=culprit):
        solve(zoo.classical(), times, **options)


def test_a_map_counts_steps() -> None:
    with pytest.raises(ParameterError, match="count steps"):
        solve(zoo.gru(), (4.0, 0.5))

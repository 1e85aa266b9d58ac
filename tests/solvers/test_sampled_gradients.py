"""Sampled second moments of gradients beside networks, exact solutions and each other."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
from numpy.typing import NDArray
from scipy.special import i0
from sympy import Heaviside, Rational, Symbol, sin

from gatetheory.equations.gradient_problem import GradientProblem
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.model import (
    POSITIVE,
    Coupling,
    Field,
    Model,
    Parameter,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.solvers.gradient_records import Gradients
from gatetheory.solvers.sampled_gradients import solve_sampled_gradients
from gatetheory.theory.derive import derive

Array = NDArray[np.float64]
RECORDED = Path(__file__).parents[1] / "recorded" / "gru_gradients.json"
QUICK: dict[str, Any] = {"paths": 512, "growth": False, "accuracy": 0.5, "replicas": 2}


def problem_of(model: Model) -> GradientProblem:
    return derive(model).gradients


def solve(
    problem: GradientProblem,
    at: dict[str, Any] | None,
    horizons: list[float],
    loss: str | None = None,
    running: bool = False,
    **options: Any,
) -> Gradients:
    return solve_sampled_gradients(
        problem, problem.bind(at), problem.loss(loss, running), horizons, **options
    )


def rotor() -> Model:
    """A chaotic map with a rate that is no sigmoid: x(t+1) = x/2 + η, ψ = sin(g x)."""
    (x,) = fields("x,")
    g = Parameter("g", 3, POSITIVE)
    return Model(
        name="rotor",
        time="discrete",
        fields=(Field(x, update=x / 2 + local_field("x")),),
        couplings=(Coupling(local_field("x"), sin(g.symbol * x)),),
        parameters=(g,),
    )


def noisy(discrete: bool) -> Model:
    """A linear network in white noise: everything about its gradients is known."""
    (x,) = fields("x,")
    xi, tau = Symbol("xi", real=True), Parameter("tau", 1, POSITIVE)
    s, level = Parameter("s", Rational(1, 2), POSITIVE), Parameter("D", Rational(1, 2), POSITIVE)
    law = local_field("x") + xi
    kind: dict[str, Any] = (
        {"update": x / 3 + law} if discrete else {"drift": -x + law, "time_constant": tau.symbol}
    )
    return Model(
        name="noisy",
        time="discrete" if discrete else "continuous",
        fields=(Field(x, **kind),),
        couplings=(Coupling(local_field("x"), x, s.symbol**2),),
        parameters=(s, level) if discrete else (s, level, tau),
        inputs=(WhiteNoise(xi, level.symbol),),
    )


def adjoint_of_linear_map(steps: int, scale: float) -> tuple[Array, Array]:
    """⟨λ(t)λ(t')⟩ of λ(t) = λ(t+1)/3 + ζ(t), ⟨ζζ'⟩ = s²⟨λ(t+1)λ(t'+1)⟩, and ⟨x x'⟩."""
    G = np.zeros((steps + 1, steps + 1))
    for i in range(steps + 1):
        for j in range(steps + 1):
            if i and j:
                G[i, j] = (1 / 9 + scale) * G[i - 1, j - 1]
                G[i, j] += (G[i, j - 1] - G[i - 1, j - 1] / 3) / 3
                G[i, j] += (G[i - 1, j] - G[i - 1, j - 1] / 3) / 3
            else:
                G[i, j] = 3.0 ** -(i + j)
    omega = 2 * np.pi * np.arange(4096) / 4096
    spectrum = 1.0 / (np.abs(np.exp(1j * omega) - 1 / 3) ** 2 - scale)
    return G, np.fft.ifft(spectrum).real


def test_a_linear_map_has_its_exact_moments() -> None:
    found = solve(problem_of(noisy(True)), None, [1, 4], paths=4096, accuracy=0.2)
    G, C = adjoint_of_linear_map(8, 0.25)
    for k, T in enumerate((1, 4)):
        exact = sum(G[i, j] * C[abs(i - j)] for i in range(T) for j in range(T))
        assert found.status == "ok"
        assert found["x"][k] == pytest.approx(exact, rel=0.04)
        assert found.norm[k] == pytest.approx(G[T, T], rel=0.04)
    assert found.growth_exponent == pytest.approx(2 * np.log(1 / 3 + 1 / 2), abs=0.04)


def simulate_rotor(units: int, seed: int, horizon: int, running: bool) -> tuple[float, float]:
    """N·mean (dL/dJ)² and (dL/dg)² of one network, by backpropagation."""
    rng, g = np.random.default_rng(seed), 3.0
    J = rng.standard_normal((units, units)) / np.sqrt(units)
    x, c = rng.standard_normal(units), rng.choice([-1.0, 1.0], units)
    for _ in range(60):
        x = x / 2 + J @ np.sin(g * x)
    states = [x]
    for _ in range(horizon):
        states.append(states[-1] / 2 + J @ np.sin(g * states[-1]))
    lam, dJ, dg = c, np.zeros((units, units)), 0.0
    for t in range(horizon - 1, -1, -1):
        x = states[t]
        dJ += np.outer(lam, np.sin(g * x))
        dg += float(lam @ (J @ (x * np.cos(g * x))))
        lam = lam / 2 + g * np.cos(g * x) * (J.T @ lam) + (c if running and t else 0.0)
    return float(np.mean(dJ**2)), dg**2 / units


@pytest.mark.slow
@pytest.mark.parametrize("running", [False, True])
def test_a_map_that_is_no_sigmoid_agrees_with_backpropagation(running: bool) -> None:
    options: dict[str, Any] = {"paths": 8192, "growth": False, "accuracy": 0.1}
    found = solve(problem_of(rotor()), None, [1, 3], running=running, names=("g",), **options)
    for k, horizon in enumerate((1, 3)):
        runs = np.array([simulate_rotor(400, s, horizon, running) for s in range(300)])
        mean, error = runs.mean(axis=0), runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
        theory = np.array([found["x"][k], found["g"][k]])
        spread = np.array([found.coupling_errors["x"][k], found.parameter_errors["g"][k]])
        assert (spread < 0.04 * theory).all()
        assert (error < 0.12 * mean).all()
        assert (np.abs(mean - theory) < 3.5 * np.hypot(error, spread) + 0.01 * theory).all()


@pytest.mark.slow
def test_algebraic_gates_agree_with_backpropagation() -> None:
    options: dict[str, Any] = {"paths": 8192, "growth": False, "accuracy": 0.1}
    found = solve(problem_of(zoo.gru()), None, [4], names=("alpha_z",), **options)
    runs = np.array(json.loads(RECORDED.read_text())["moments"])
    mean, error = runs.mean(axis=0), runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    theory = np.array([found[n][0] for n in ("h", "z", "r", "alpha_z")])
    spread = np.array(
        [*(found.coupling_errors[n][0] for n in "hzr"), found.parameter_errors["alpha_z"][0]]
    )
    assert (spread < 0.04 * theory).all()
    assert (np.abs(mean - theory) < 3.5 * np.hypot(error, spread) + 0.01 * theory).all()


@pytest.mark.slow
def test_gated_with_a_constant_update_gate_has_its_known_moments() -> None:
    at = {"g_h": 3, "alpha_r": 5, "tau_r": 2}
    found = solve(problem_of(zoo.gated()), at, [2, 5, 10], names=("g_h",), paths=16384)
    known = {
        "h": [0.087565, 0.40050, 1.8639],
        "r": [0.0076349, 0.08724, 0.5022],
        "g_h": [0.0028806, 0.011326, 0.034618],
    }
    assert found.status == "ok"
    for name, exact in known.items():
        error = {**found.coupling_errors, **found.parameter_errors}[name]
        assert (error < 0.04 * found[name]).all()
        assert (np.abs(found[name] - exact) < 3.5 * error + 0.002 * np.array(exact)).all()
    assert found.growth_exponent == pytest.approx(0.2357883, abs=0.01)


def test_a_state_at_rest_has_its_known_moments() -> None:
    at = {"g_h": "1.48", "alpha_r": 5, "beta_h": "1/2"}
    found = solve(problem_of(zoo.gated()), at, [2, 10], replicas=2, growth=False, accuracy=0.2)
    assert (found.status, found.state) == ("ok", "fixed point")
    assert found["h"] == pytest.approx([0.046179, 0.21307], rel=0.05)


def test_the_same_seed_gives_the_same_result_and_another_does_not() -> None:
    problem = problem_of(rotor())
    one, same, other = (solve(problem, None, [2], seed=s, **QUICK) for s in (1, 1, 2))
    assert one["x"] == same["x"]
    assert one["x"] != other["x"]


@pytest.mark.slow
def test_parameters_that_cannot_be_followed_are_left_out_with_the_reason() -> None:
    found = solve(problem_of(noisy(False)), None, [1.0], names=("D", "tau", "s"), **QUICK)
    assert set(found.left_out) == {"D", "tau"}
    assert "white noise" in found.left_out["D"]
    assert found.parameters["s"][0] > 0
    with pytest.raises(ParameterError, match="left out"):
        found["D"]
    gated = problem_of(zoo.gated())
    still = solve(gated, {"g_h": "1/2", "tau_r": 0}, [1.0], names=("tau_r",), **QUICK)
    assert "tau_r is 0" in still.left_out["tau_r"]
    assert still["h"][0] == 0  # at the zero state nothing is sent
    exact = np.exp(-1) * i0(1 / 4)  # rate 1/2, fed by ζ with gain 1/4 of it
    assert still.norm[0] == pytest.approx(exact, rel=1e-3)


def test_jumps_are_refused() -> None:
    (x,) = fields("x,")
    eta = local_field("x")
    for signal, refused in ((2 * Heaviside(x) - 1, True), (sympy.Max(x, -1) / (1 + x**2), False)):
        model = Model(
            name="kinked",
            time="discrete",
            fields=(Field(x, update=x / 2 + 2 * eta),),
            couplings=(Coupling(eta, signal),),
        )
        if refused:
            with pytest.raises(DerivationError, match="jumps"):
                solve(problem_of(model), None, [1], **QUICK)
        else:
            assert solve(problem_of(model), None, [1], **QUICK).status in ("ok", "not_converged")


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"horizons": []}, "horizons"),
        ({"horizons": [-1]}, "horizons"),
        ({"horizons": [1.5]}, "steps"),
        ({"horizons": [0]}, "above 0"),
        ({"horizons": [1], "accuracy": 0}, "accuracy"),
        ({"horizons": [1], "paths": 3}, "paths"),
        ({"horizons": [1], "names": ("gain",)}, "gain"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], culprit: str) -> None:
    with pytest.raises(ParameterError, match=culprit):
        solve(problem_of(rotor()), None, **options)

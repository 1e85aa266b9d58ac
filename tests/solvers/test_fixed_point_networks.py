"""Gradients at fixed points beside those of finite networks, by brute force.

The Jacobian is written out by hand for each network; adjoint and sensitivities follow from its
matrix exponential, averaged exactly over the weights of the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.special import expit
from sympy import Lambda, Symbol, tanh

from gatetheory.functions import logistic
from gatetheory.model import (
    NONNEGATIVE,
    POSITIVE,
    REAL,
    Coupling,
    Field,
    Model,
    Nonlinearity,
    Parameter,
    fields,
    local_field,
)
from gatetheory.pipeline.states import state_values
from gatetheory.solvers.fixed_point_gradients import solve_fixed_point_gradients
from gatetheory.solvers.gradient_records import Gradients
from gatetheory.theory.derive import Theory, derive

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Linearized:
    """A network of F fields at a fixed point.

    Args:
        jacobian: Of the flow, shape (F N, F N).
        drives: For each coupling, the field it drives and ∂ẋ/∂η there.
        signals: ψ_a.
        sources: ∂_θ ẋ, couplings included, shape (F N,).
    """

    jacobian: Array
    drives: list[tuple[int, Array]]
    signals: list[Array]
    sources: dict[str, Array]

    def moments(self, horizon: float) -> dict[str, float]:
        """Q by number of the coupling, norm, E[(dL/dθ)²] by name; the loss reads field 0."""
        n = len(self.signals[0])
        flow = expm(self.jacobian * horizon)
        total = np.linalg.solve(self.jacobian, flow - np.eye(len(flow)))
        found = {"norm": (flow[:n] ** 2).sum() / n}
        for a, ((f, slope), psi) in enumerate(zip(self.drives, self.signals, strict=True)):
            pulled = total[:n, f * n : (f + 1) * n] * slope
            found[f"Q{a}"] = (pulled**2).sum() / n * (psi**2).mean()
        for name, source in self.sources.items():
            found[name] = ((total[:n] @ source) ** 2).mean()
        return found


def settled(step: Callable[[Array], Array], start: Array, most: int = 20_000) -> Array:
    """The fixed point that an iteration ends at."""
    for _ in range(most):
        new = step(start)
        if np.abs(new - start).max() < 1e-13:
            return new
        start = new
    raise AssertionError("the network does not settle")


def gated_network(
    n: int, seed: int, g: float, b: float, alpha_z: float, alpha_r: float
) -> Linearized:
    """`gated` with tau_z = 1 (z feeds nothing back at rest, and is left out) and tau_r = 2."""
    rng = np.random.default_rng(seed)
    J_h, J_z, J_r = rng.normal(size=(3, n, n)) / np.sqrt(n)

    def step(x: Array) -> Array:
        f = np.tanh(g * x[0] + b)
        return x + 0.25 * (np.stack([J_h @ (f * expit(alpha_r * x[1])), J_r @ f]) - x)

    h, r = settled(step, 0.1 * rng.normal(size=(2, n)))
    f, reset = np.tanh(g * h + b), expit(alpha_r * r)
    slope, rise = 1 - f * f, reset * (1 - reset)
    rate = expit(alpha_z * (J_z @ f))[:, None]
    one = np.eye(n)
    jacobian = np.block(
        [
            [rate * (J_h * (g * slope * reset) - one), rate * J_h * (alpha_r * f * rise)],
            [J_r * (g * slope) / 2, -one / 2],
        ]
    )

    def source(to_h: Array, to_r: Array) -> Array:
        return np.concatenate([rate[:, 0] * (J_h @ to_h), J_r @ to_r / 2])

    sources = {
        "g_h": source(h * slope * reset, h * slope),
        "beta_h": source(slope * reset, slope),
        "alpha_r": source(r * f * rise, 0 * h),
        "beta_r": source(-f * rise, 0 * h),
    }
    return Linearized(jacobian, [(0, rate[:, 0]), (1, np.full(n, 0.5))], [f * reset, f], sources)


def leaky_network(n: int, seed: int, g: float, b: float, a: float) -> Linearized:
    """ẋ = −σ(a z) x + η_x, ż = −z + η_z, both signals tanh(g x + b)."""
    rng = np.random.default_rng(seed)
    J_x, J_z = rng.normal(size=(2, n, n)) / np.sqrt(n)

    def step(state: Array) -> Array:
        x, z = state
        f = np.tanh(g * x + b)
        return state + 0.3 * np.stack([J_x @ f - expit(a * z) * x, J_z @ f - z])

    x, z = settled(step, 0.1 * rng.normal(size=(2, n)))
    f, leak = np.tanh(g * x + b), expit(a * z)
    slope, rise = 1 - f * f, leak * (1 - leak)
    jacobian = np.block(
        [
            [J_x * (g * slope) - np.diag(leak), np.diag(-a * rise * x)],
            [J_z * (g * slope), -np.eye(n)],
        ]
    )
    sources = {
        "g": np.concatenate([J_x @ (x * slope), J_z @ (x * slope)]),
        "b": np.concatenate([J_x @ slope, J_z @ slope]),
        "a": np.concatenate([-z * rise * x, 0 * z]),
    }
    return Linearized(jacobian, [(0, np.ones(n)), (1, np.ones(n))], [f, f], sources)


def gru_network(n: int, seed: int, values: dict[str, float], horizon: int) -> dict[str, float]:
    """`gru`: the adjoint by powers of the Jacobian, sensitivities by differences of two runs."""
    rng = np.random.default_rng(seed)
    J_h, J_z, J_r = rng.normal(size=(3, n, n)) / np.sqrt(n)

    def parts(h: Array, p: dict[str, float]) -> tuple[Array, Array, Array]:
        reset = expit(p["alpha_r"] * (J_r @ h) - p["beta_r"])
        update = expit(p["alpha_z"] * (J_z @ h) - p["beta_z"])
        return reset, update, np.tanh(p["g_h"] * (J_h @ (reset * h)) + p["beta_h"])

    def step(h: Array, p: dict[str, float] = values) -> Array:
        _, update, f = parts(h, p)
        return (1 - update) * h + update * f

    h = settled(step, np.zeros(n))
    reset, update, f = parts(h, values)
    gain = update * values["g_h"] * (1 - f * f)
    rise = values["alpha_r"] * reset * (1 - reset) * h
    jacobian = np.diag(1 - update) + gain[:, None] * (J_h * reset + (J_h * rise) @ J_r)
    power, total = np.eye(n), np.zeros((n, n))
    for _ in range(horizon):
        total += power
        power = jacobian.T @ power
    pulled = gain[:, None] * total
    found = {
        "h": (pulled**2).sum() / n * ((reset * h) ** 2).mean(),
        "r": ((rise[:, None] * (J_h.T @ pulled)) ** 2).sum() / n * (h * h).mean(),
        "norm": (power**2).sum() / n,
    }
    for name in ("g_h", "alpha_r", "beta_h", "beta_r"):
        ends = []
        for sign in (1, -1):
            x, p = h, values | {name: values[name] + sign * 1e-5}
            for _ in range(horizon):
                x = step(x, p)
            ends.append(x)
        found[name] = (((ends[0] - ends[1]) / 2e-5) ** 2).mean()
    return found


def solved(theory: Theory, at: dict[str, Any], horizons: Any, **options: Any) -> Gradients:
    problem = theory.gradients
    condition = problem.spectrum()
    state = state_values(condition.state, condition.law, at, 15, -1, None)
    loss = problem.loss(None, False)
    return solve_fixed_point_gradients(problem, problem.bind(at), state, loss, horizons, **options)


def leaky() -> Model:
    u = Symbol("u", real=True)
    x, z = fields("x z")
    eta_x, eta_z = local_field("x"), local_field("z")
    g = Parameter("g", 1, POSITIVE, "gain")
    b = Parameter("b", 1, REAL, "bias")
    a = Parameter("a", 1, NONNEGATIVE, "gain of the gate")
    phi = Nonlinearity("phi", Lambda(u, tanh(g.symbol * u + b.symbol)))
    sigma = Nonlinearity("sigma", Lambda(u, logistic(a.symbol * u)))
    return Model(
        name="leaky", time="continuous",
        fields=(Field(x, drift=-sigma(z) * x + eta_x), Field(z, drift=-z + eta_z)),
        couplings=(Coupling(eta_x, signal=phi(x)), Coupling(eta_z, signal=phi(x))),
        parameters=(g, b, a), nonlinearities=(phi, sigma),
    )  # fmt: skip


def _agree(theory: dict[str, float], rows: list[dict[str, float]], bias: float) -> None:
    """Within three standard errors and a finite-size bias; standard errors below 10%."""
    for name, exact in theory.items():
        values = np.array([r[name] for r in rows])
        error = values.std(ddof=1) / np.sqrt(len(values))
        assert error < 0.1 * exact, name
        assert abs(values.mean() - exact) < 3 * error + bias * exact, name


@pytest.mark.slow
def test_networks_with_a_fluctuating_update_gate(gated: Theory) -> None:
    at = {"g_h": "1.2", "alpha_z": 3, "alpha_r": 5, "tau_r": 2, "beta_h": "1/2"}
    names = ["g_h", "beta_h", "alpha_r", "beta_r"]
    found = solved(gated, at, [4.0], names=names)
    rows = [gated_network(300, k, 1.2, 0.5, 3.0, 5.0).moments(4.0) for k in range(8)]
    theory = {n: float(found[n][0]) for n in names}
    theory |= {"Q0": found["h"][0], "Q1": found["r"][0], "norm": found.norm[0]}
    _agree(theory, rows, 0.02)


@pytest.mark.slow
def test_networks_whose_rest_state_mixes_local_fields() -> None:
    """x* = η_x/σ(a z): averages over two variables together, and the gate feeds back."""
    theory = derive(leaky())
    found = solved(theory, {"g": "1/4", "b": "1/2", "a": 1}, [4.0])
    assert found.status == "ok"
    rows = [leaky_network(300, k, 0.25, 0.5, 1.0).moments(4.0) for k in range(6)]
    exact = {n: float(found[n][0]) for n in ("g", "b", "a")}
    exact |= {"Q0": found["x"][0], "Q1": found["z"][0], "norm": found.norm[0]}
    _agree(exact, rows, 0.02)


@pytest.mark.slow
def test_networks_of_a_map(gru: Theory) -> None:
    values = {
        "g_h": 1.6,
        "alpha_z": 3.0,
        "alpha_r": 2.0,
        "beta_h": 0.5,
        "beta_z": 0.0,
        "beta_r": 0.0,
    }
    at = {"g_h": "1.6", "alpha_z": 3, "alpha_r": 2, "beta_h": "1/2"}
    names = ["g_h", "alpha_r", "beta_h", "beta_r"]
    found = solved(gru, at, [4], names=names)
    rows = [gru_network(400, k, values, 4) for k in range(10)]
    theory = {n: float(found[n][0]) for n in (*names, "h", "r")} | {"norm": found.norm[0]}
    _agree(theory, rows, 0.02)

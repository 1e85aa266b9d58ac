"""The growth rate between replicas against Schrödinger problems and differences of operators."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import sympy as sp
from numpy.typing import NDArray

from gatetheory.errors import ParameterError
from gatetheory.model import (
    POSITIVE,
    Coupling,
    Field,
    Model,
    Nonlinearity,
    Parameter,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.solvers.correlation_records import Correlations, Lyapunov
from gatetheory.solvers.correlations import solve_correlations
from gatetheory.solvers.lag_problem import LagProgram
from gatetheory.solvers.lyapunov import solve_lyapunov
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.single_site import SingleSite

Array = NDArray[np.float64]
x = sp.Symbol("x", real=True)


@lru_cache(maxsize=64)
def program(model: Model, closure: str = "constant") -> LagProgram:
    return LagProgram(derive_correlations(SingleSite(model), closure))


def found(
    model: Model, closure: str = "constant", branch: int = -1, /, **values: Any
) -> tuple[Correlations, Lyapunov]:
    compiled, parameters = program(model, closure), model.bind(values)
    states = solve_correlations(compiled, parameters, "a test", True)
    return states, solve_lyapunov(compiled, parameters, states, branch, lambda: -0.25)


def rate(model: Model, closure: str = "constant", branch: int = -1, /, **values: Any) -> float:
    answer = found(model, closure, branch, **values)[1]
    assert answer.value is not None
    return answer.value


def slope_pair(gain: float, size: float, covariances: Array) -> Array:
    """⟨φ'φ'⟩ with φ = tanh(g ·), by the trapezoidal rule in two orthogonal directions."""
    u = np.linspace(-8.5, 8.5, 1201)
    p = np.exp(-(u**2) / 2) * (u[1] - u[0]) / np.sqrt(2 * np.pi)
    result = []
    for c in covariances:
        rho = min(c / size, 1.0)
        y = rho * u[:, None] + np.sqrt(1 - rho * rho) * u
        first = gain / np.cosh(gain * np.sqrt(size) * u) ** 2
        result.append(float((p * first) @ ((gain / np.cosh(gain * np.sqrt(size) * y) ** 2) @ p)))
    return np.array(result)


@pytest.mark.parametrize(
    "gain",
    [
        2.0,
        pytest.param(1.5, marks=pytest.mark.slow),
        pytest.param(3.0, marks=pytest.mark.slow),
    ],
)
def test_schroedinger_problem_of_the_classical_network(gain: float) -> None:
    """(1 + κ)² = −E₀, E₀ the ground state of −∂² − ⟨φ'φ'⟩(τ).

    The well is sampled at Chebyshev nodes in C and the operator is made of eighth-order differences
    of functions even in the lag.
    """
    states, answer = found(zoo.classical(), g=str(gain))
    branch = states[0]
    step = 0.05
    count = int(min(branch.lags[-1], 60) / step)
    lags = step * np.arange(count)
    values = np.clip(branch.function("C_h", lags), 0, branch["C_h"])
    angles = np.arcsin(np.clip(values / branch["C_h"], 0, 1))
    nodes = np.pi / 4 * (1 + np.cos(np.pi * (np.arange(60) + 0.5) / 60))
    at_nodes = slope_pair(gain, branch["C_h"], branch["C_h"] * np.sin(nodes))
    series = np.polynomial.chebyshev.chebfit(nodes * 4 / np.pi - 1, at_nodes, 50)
    well = np.polynomial.chebyshev.chebval(angles * 4 / np.pi - 1, series)
    stencil = [-205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560]
    operator = np.zeros((count, count))
    for offset, weight in enumerate(stencil):
        for sign in {1, -1} if offset else {1}:
            for i in range(count):
                j = abs(i + sign * offset)
                if j < count:
                    operator[i, j] -= weight / step**2
    operator += np.diag(-well)
    lowest = np.sort(np.linalg.eigvals(operator[: min(count, 700), : min(count, 700)]).real)[0]
    assert answer.value == pytest.approx(np.sqrt(-lowest) - 1, abs=3e-8)
    assert answer.error is not None
    assert answer.error < 1e-10


def test_eigenfunction() -> None:
    """One sign, decaying, largest 1."""
    answer = found(zoo.gated())[1]
    assert set(answer.mode) == {"C_eta_h", "C_eta_z"}
    largest = max(float(np.abs(row).max()) for row in answer.mode.values())
    assert largest == pytest.approx(1, rel=1e-9)
    for row in answer.mode.values():
        assert row.min() > -1e-9
        assert abs(row[-1]) < 1e-6


@pytest.mark.slow
def test_factorized_closure_without_gain() -> None:
    assert rate(zoo.gated(), "factorized", alpha_z=0) == pytest.approx(
        rate(zoo.gated(), alpha_z=0), abs=1e-10
    )


@pytest.mark.slow
def test_factorized_closure_with_gain_differs() -> None:
    constant, apart = (rate(zoo.gated(), c, alpha_z=2) for c in ("constant", "factorized"))
    assert apart > 0
    assert abs(apart - constant) > 1e-3


@pytest.mark.slow
def test_time_is_the_models() -> None:
    """All time constants scaled by 3 divide the rate by 3."""

    def scaled(tau: int) -> Model:
        u, w = fields("u w")
        eta = local_field("u")
        phi = Nonlinearity("phi", sp.Lambda(x, sp.tanh(3 * x)))
        return Model(
            name=f"scaled_{tau}", time="continuous",
            fields=(Field(u, drift=-u + eta, time_constant=sp.Integer(tau)),
                    Field(w, drift=u - w, time_constant=sp.Integer(2 * tau))),
            couplings=(Coupling(eta, signal=phi(u - w / 2)),),
            parameters=(), nonlinearities=(phi,),
        )  # fmt: skip

    slow, fast = rate(scaled(3)), rate(scaled(1))
    assert slow == pytest.approx(fast / 3, rel=1e-9)


@pytest.mark.slow
def test_noise_lowers_the_rate() -> None:
    """White noise decorrelates a unit's states and its slopes."""
    (h,) = fields("h,")
    eta = local_field("h")
    level = Parameter("D", "0.1", POSITIVE, "intensity")
    noise = WhiteNoise(sp.Symbol("xi", real=True), level.symbol)
    phi = Nonlinearity("phi", sp.Lambda(x, sp.tanh(2 * x)))
    model = Model(
        name="noisy", time="continuous", fields=(Field(h, drift=-h + eta + noise.symbol),),
        couplings=(Coupling(eta, signal=phi(h)),), parameters=(level,), nonlinearities=(phi,),
        inputs=(noise,),
    )  # fmt: skip
    quiet = rate(zoo.classical(), g=2)
    values = [rate(model, D=d) for d in ("1/1000", "0.05", "0.3")]
    assert quiet > values[0] > values[1] > values[2]
    assert quiet - values[0] < 5e-3


def test_map() -> None:
    """x(t+1) = x/2 + η: the largest eigenvalue e^{2κ} of a problem on the integers.

    χ(n+1, m+1) − (χ(n+1, m) + χ(n, m+1))/2 + χ(n, m)/4 = ⟨φ'φ'⟩ χ(n, m) with
    χ = e^{κ(n+m)} f(n−m).
    """
    (h,) = fields("h,")
    eta = local_field("h")
    phi = Nonlinearity("phi", sp.Lambda(x, sp.tanh(sp.Rational(3, 2) * x)))
    model = Model(
        name="map", time="discrete", fields=(Field(h, update=h / 2 + eta),),
        couplings=(Coupling(eta, signal=phi(h)),), parameters=(), nonlinearities=(phi,),
    )  # fmt: skip
    states, answer = found(model)
    count = 50
    values = states[0].function("C_h", np.arange(count))
    well = slope_pair(1.5, values[0], values)
    shift = np.zeros((count, count))  # f(n + 1) + f(n − 1) for even f
    for i in range(count):
        for j in (i + 1, abs(i - 1)):
            if j < count:
                shift[i, j] += 1
    one = np.eye(count)
    # e^{2κ} f − e^{κ} (f(d+1) + f(d−1))/2 + f/4 − well f = 0, quadratic in e^{κ}.
    companion = np.block([[shift / 2, np.diag(well) - one / 4], [one, 0 * one]])
    largest = scipy.linalg.eigvals(companion).real.max()
    assert answer.value == pytest.approx(np.log(largest), abs=1e-9)


@pytest.mark.slow
def test_each_branch_has_its_own() -> None:
    lower, upper = (rate(zoo.gated(), "constant", b, g_h="1.9", alpha_r=10) for b in (0, 1))
    assert 0 < lower < upper


def test_no_chaotic_state() -> None:
    answer = found(zoo.classical(), g="0.9")[1]
    assert (answer.status, answer.value, answer.abscissa) == ("no_chaotic_state", None, -0.25)
    assert "stable fixed point" in str(answer)


def test_no_such_branch() -> None:
    with pytest.raises(ParameterError, match="no branch 3"):
        found(zoo.classical(), "constant", 3, g=2)

"""Stationary correlations against quadrature, Fourier transforms and solvable networks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import brentq

from gatetheory.errors import GatetheoryError, ParameterError
from gatetheory.model import (
    POSITIVE,
    Coupling,
    Field,
    GaussianInput,
    Model,
    Nonlinearity,
    Parameter,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.solvers.correlation_records import CorrelationBranch, Correlations
from gatetheory.solvers.correlations import solve_correlations
from gatetheory.solvers.lag_grid import ElementGrid
from gatetheory.solvers.lag_problem import LagProgram
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.single_site import SingleSite

Array = NDArray[np.float64]
x = sp.Symbol("x", real=True)
GAIN = Parameter("g", 2, POSITIVE, "gain")


@lru_cache(maxsize=64)
def program(model: Model, closure: str = "constant") -> LagProgram:
    return LagProgram(derive_correlations(SingleSite(model), closure))


def solved(model: Model, closure: str = "constant", /, **values: Any) -> Correlations:
    return solve_correlations(program(model, closure), model.bind(values), "a test", True)


def one_field(definition: sp.Expr, **laws: Any) -> Model:
    """h follows a law and sends a nonlinearity of itself; continuous −h + η if none is given."""
    (h,) = fields("h,")
    eta = local_field("h")
    phi = Nonlinearity("phi", sp.Lambda(x, definition))
    law = Field(h, drift=-h + eta) if not laws else Field(h, **laws)
    return Model(
        name="one_field",
        time="discrete" if "update" in laws else "continuous",
        fields=(law,),
        couplings=(Coupling(eta, signal=phi(h)),),
        parameters=(GAIN,),
        nonlinearities=(phi,),
    )


def tensor(
    f: Callable[[Array], Array], g: Callable[[Array], Array], v: float, w: float, c: float
) -> float:
    """⟨f(x) g(y)⟩ at variances v, w and covariance c, by panels of Gauss-Legendre nodes."""
    base, weight = np.polynomial.legendre.leggauss(14)
    edges = np.linspace(-8.5, 8.5, 41)
    half = np.diff(edges) / 2
    u = ((edges[:-1] + edges[1:])[:, None] / 2 + half[:, None] * base).ravel()
    p = (half[:, None] * weight).ravel() * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)
    rho = c / np.sqrt(v * w)
    y = np.sqrt(w) * (rho * u[:, None] + np.sqrt(max(1 - rho * rho, 0)) * u)
    return float((p * f(np.sqrt(v) * u)) @ (g(y) @ p))


def average(f: Callable[[float], float], variance: float) -> float:
    s = np.sqrt(variance)
    value = quad(
        lambda u: f(s * u) * np.exp(-u * u / 2), -9, 9, epsabs=1e-14, epsrel=1e-13, limit=400
    )[0]
    return float(value / np.sqrt(2 * np.pi))


def log_cosh(value: float) -> float:
    return float(np.logaddexp(value, -value) - np.log(2))


def by_energy(primitive: Callable[[float], float], slope: float, low: float, high: float) -> float:
    """C(0) of C'' = C − ⟨φφ⟩ with C'(0+) = slope and decay: ½slope² = ½C(0)² − Var Φ."""

    def excess(c: float) -> float:
        mean = average(primitive, c)
        square = average(lambda v: primitive(v) ** 2, c)
        return c * c / 2 - (square - mean * mean) - slope * slope / 2

    return float(brentq(excess, low, high, xtol=1e-14, rtol=1e-14))


@pytest.mark.parametrize("gain", [1.5, 2.0, 3.0, 12.0])
def test_classical_size_by_conservation_of_energy(gain: float) -> None:
    """The decaying solution of C'' = −∂V/∂C starts at rest where V(C(0)) = V(0)."""
    (branch,) = solved(zoo.classical(), g=str(gain))
    expected = by_energy(lambda h: log_cosh(gain * h) / gain, 0.0, 0.05, 2.0)
    assert branch["C_h"] == pytest.approx(expected, rel=2e-12)
    assert branch.error < 1e-11


@pytest.mark.slow
def test_size_next_to_the_onset() -> None:
    """Energy again, in 60 digits: V(C(0)) − V(0) is there a difference of relative size ε²."""
    with mpmath.workdps(60):
        gain = mpmath.mpf("1.001")
        nodes = [mpmath.mpf(k) / 8 for k in range(1, 145)]
        weights = [mpmath.exp(-v * v / 2) for v in nodes]
        total = 1 + 2 * mpmath.fsum(weights)  # the primitive vanishes at 0

        def excess(c: Any) -> Any:
            values = [mpmath.log(mpmath.cosh(gain * mpmath.sqrt(c) * v)) / gain for v in nodes]
            mean = 2 * mpmath.fdot(weights, values) / total
            square = 2 * mpmath.fdot(weights, [v * v for v in values]) / total
            return c * c / 2 - (square - mean * mean)

        start = mpmath.mpf("0.001")
        expected = mpmath.findroot(excess, (start, start * 1.001), tol=1e-80, maxsteps=40)
    (branch,) = solved(zoo.classical(), g="1.001")
    assert branch["C_h"] == pytest.approx(float(expected), rel=1e-11)
    assert branch.error < 1e-9  # an estimate, and a cautious one


def test_energy_along_the_lag() -> None:
    """½C'² = ½C² − (⟨ΦΦ'⟩ − ⟨Φ⟩²) at every lag."""
    (branch,) = solved(zoo.classical(), g=2)
    grid = branch.point.grid
    assert isinstance(grid, ElementGrid)
    rates = grid.derivative(branch.functions["C_h"])
    primitive = lambda h: np.logaddexp(2 * h, -2 * h) / 2 - np.log(2) / 2  # noqa: E731
    size = branch["C_h"]
    rest = tensor(primitive, primitive, size, size, 0.0)
    for k in (0, 20, 40, 60, 80):
        c = float(branch.functions["C_h"][k])
        potential = c * c / 2 - (tensor(primitive, primitive, size, size, c) - rest)
        assert rates[k] ** 2 / 2 == pytest.approx(potential, abs=2e-12), k


def test_another_odd_nonlinearity() -> None:
    """Steps at ±½: tanh(gx + 1) + tanh(gx − 1), scaled."""
    phi = (sp.tanh(GAIN.symbol * x + 1) + sp.tanh(GAIN.symbol * x - 1)) / 2
    (branch,) = solved(one_field(phi), g=4)
    expected = by_energy(lambda h: (log_cosh(4 * h + 1) + log_cosh(4 * h - 1)) / 8, 0, 0.1, 2.0)
    assert branch["C_h"] == pytest.approx(expected, rel=1e-11)


def test_white_noise() -> None:
    """Noise makes a kink, C'(0+) = −D, below the onset and above it."""
    (h,) = fields("h,")
    noise = WhiteNoise(sp.Symbol("xi", real=True), sp.Rational(1, 5))
    eta = local_field("h")
    phi = Nonlinearity("phi", sp.Lambda(x, sp.tanh(GAIN.symbol * x)))
    model = Model(
        name="noisy", time="continuous", fields=(Field(h, drift=-h + eta + noise.symbol),),
        couplings=(Coupling(eta, signal=phi(h)),), parameters=(GAIN,), nonlinearities=(phi,),
        inputs=(noise,),
    )  # fmt: skip
    for gain in (0.5, 1.0, 2.0):
        (branch,) = solved(model, g=str(gain))
        expected = by_energy(lambda v, g=gain: log_cosh(g * v) / g, 0.2, 0.01, 3.0)
        assert branch["C_h"] == pytest.approx(expected, rel=1e-11)
        step = 1e-4
        near = branch.function("C_h", [0, step, 2 * step])
        assert (4 * near[1] - 3 * near[0] - near[2]) / (2 * step) == pytest.approx(-0.2, abs=1e-7)


def linear(strength: str, *inputs: Any, update: sp.Expr | None = None) -> Model:
    (h,) = fields("h,")
    eta = local_field("h")
    push = eta + sum(i.symbol for i in inputs)
    law = Field(h, drift=-h + push) if update is None else Field(h, update=update * h + push)
    return Model(
        name="linear",
        time="continuous" if update is None else "discrete",
        fields=(law,),
        couplings=(Coupling(eta, signal=h, variance=sp.Rational(strength)),),
        parameters=(),
        inputs=inputs,
    )


def test_linear_network_under_noise_and_heterogeneity() -> None:
    """(1 − g² − ∂²) C = 2D δ(τ) + v: D e^{−γ|τ|}/γ + v/γ² with γ² = 1 − g²."""
    noise = WhiteNoise(sp.Symbol("xi", real=True), sp.Rational(3, 10))
    spread = GaussianInput(sp.Symbol("theta", real=True), sp.Rational(1, 4))
    (branch,) = solved(linear("16/25", noise, spread))
    lags = np.array([0, 0.3, 2.0, 7.0])
    exact = 0.3 * np.exp(-0.6 * lags) / 0.6 + 0.25 / 0.36
    assert branch.function("C_h", lags) == pytest.approx(exact, rel=1e-10)
    assert branch.plateaus["C_h"] == pytest.approx(0.25 / 0.36, rel=1e-12)
    assert branch.half_width == pytest.approx(np.log(2) / 0.6, rel=1e-9)


def test_linear_map_under_noise() -> None:
    """Power 2D/(|1 − a e^{−iω}|² − g²), transformed back by a sum over frequencies."""
    noise = WhiteNoise(sp.Symbol("xi", real=True), sp.Rational(1, 2))
    (branch,) = solved(linear("1/4", noise, update=sp.Rational(1, 5)))
    omega = 2 * np.pi * np.arange(4096) / 4096
    power = 1.0 / (np.abs(1 - 0.2 * np.exp(-1j * omega)) ** 2 - 0.25)
    expected = np.fft.ifft(power).real
    found = branch.function("C_h", np.arange(10))
    scale = found[0] / expected[0]
    assert scale == pytest.approx(1.0, rel=1e-9)
    assert found == pytest.approx(expected[:10], rel=1e-9)


def check_sources(
    branch: CorrelationBranch,
    source: str,
    factors: list[tuple[Callable[[Array], Array], str]],
    lags: Array,
    tolerance: float,
) -> None:
    """A source is the product of ⟨f f⟩ over independent fields."""
    for lag, value in zip(lags, branch.function(source, lags), strict=True):
        product = 1.0
        for f, field in factors:
            size = branch[field]
            product *= tensor(f, f, size, size, float(branch.function(field, lag)[0]))
        assert value == pytest.approx(product, abs=tolerance), lag


def check_convolution(
    branch: CorrelationBranch,
    covariance: str,
    source: str,
    kernel: Callable[[float], float],
    lags: Array,
    tolerance: float,
) -> None:
    """A covariance is the convolution of its source with a kernel, beyond the plateaus."""
    end = float(branch.lags[-1])
    rest = lambda t: float(branch.function(source, t)[0]) - branch.plateaus[source]  # noqa: E731
    for lag in lags:
        cuts = sorted({0.0, min(lag, end), *(e for e in (1, 3, 8, 20, 50, 120) if e < end), end})
        total = sum(
            quad(lambda t, s=lag: (kernel(s - t) + kernel(s + t)) * rest(t), a, b, epsabs=1e-12)[0]
            for a, b in itertools.pairwise(cuts)
        )
        found = float(branch.function(covariance, lag)[0]) - branch.plateaus[covariance]
        assert found == pytest.approx(total, abs=tolerance), lag


def gate(value: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-value)))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"beta_h": "1/2", "beta_r": "1/2"},
        pytest.param({"g_h": "1.9", "alpha_r": 10}, marks=pytest.mark.slow),
    ],
)
def test_gated_equations_hold(values: Mapping[str, Any]) -> None:
    """Every equation of the system, evaluated again by other means."""
    at: dict[str, Any] = {"g_h": 3, "alpha_r": 5, "beta_h": 0, "beta_r": 0, **values}
    g, a, b, c = (float(sp.Rational(at[n])) for n in ("g_h", "alpha_r", "beta_h", "beta_r"))
    phi = lambda h: np.tanh(g * h + b)  # noqa: E731
    sigma = lambda r: gate(a * r - c)  # noqa: E731
    for branch in solved(zoo.gated(), **values):
        lags = np.array([0.0, 0.7, 3.3, 9.0, 25.0])
        check_sources(branch, "C_eta_h", [(phi, "C_h"), (sigma, "C_r")], lags, 2e-12)
        check_sources(branch, "C_eta_z", [(phi, "C_h")], lags, 2e-12)
        some = lags[1:4]
        check_convolution(branch, "C_h", "C_eta_h", lambda t: np.exp(-abs(t) / 2) / 4, some, 2e-11)
        check_convolution(branch, "C_r", "C_eta_z", lambda t: np.exp(-abs(t) / 2) / 4, some, 2e-11)
        check_convolution(branch, "C_z", "C_eta_z", lambda t: np.exp(-abs(t)) / 2, some, 2e-11)


def test_plateaus_solve_the_static_equations() -> None:
    (branch,) = solved(zoo.gated(), beta_h="1/2", beta_r="1/2")
    phi = lambda h: np.tanh(3 * h + 0.5)  # noqa: E731
    sigma = lambda r: gate(5 * r - 0.5)  # noqa: E731
    c_h, c_r = branch.plateaus["C_h"], branch.plateaus["C_r"]
    pairs = [tensor(phi, phi, branch["C_h"], branch["C_h"], c_h),
             tensor(sigma, sigma, branch["C_r"], branch["C_r"], c_r)]  # fmt: skip
    assert c_r > 0.01
    assert c_r == pytest.approx(pairs[0], abs=1e-12)
    assert c_h == pytest.approx(pairs[0] * pairs[1], abs=1e-12)


def test_static_heterogeneity() -> None:
    """C'' = C − ⟨φφ⟩ − v."""
    (h,) = fields("h,")
    eta = local_field("h")
    spread = GaussianInput(
        sp.Symbol("theta", real=True), sp.Rational(1, 10), mean=sp.Rational(1, 5)
    )
    phi = Nonlinearity("phi", sp.Lambda(x, sp.tanh(GAIN.symbol * x)))
    model = Model(
        name="spread", time="continuous", fields=(Field(h, drift=-h + eta + spread.symbol),),
        couplings=(Coupling(eta, signal=phi(h)),), parameters=(GAIN,), nonlinearities=(phi,),
        inputs=(spread,),
    )  # fmt: skip
    (branch,) = solved(model, g=3)
    # The mean 1/5 is that of h.
    f = lambda v: np.tanh(3 * (v + 0.2))  # noqa: E731
    primitive = lambda v: np.logaddexp(3 * (v + 0.2), -3 * (v + 0.2)) / 3  # noqa: E731
    size, end = branch["C_h"], branch.plateaus["C_h"]
    assert end == pytest.approx(tensor(f, f, size, size, end) + 0.1, abs=1e-12)
    potential = [
        c * c / 2 - 0.1 * c - tensor(primitive, primitive, size, size, c) for c in (size, end)
    ]
    assert potential[0] == pytest.approx(potential[1], abs=1e-12)


def test_map_of_our_own() -> None:
    """x(t+1) = a x + η with ψ = tanh(g x): C(n) = Σ_m a^{|n−m|}/(1 − a²) ⟨ψψ⟩(m)."""
    (h,) = fields("h,")
    model = one_field(sp.tanh(GAIN.symbol * x), update=h / 2 + local_field("h"))
    (branch,) = solved(model, g="1.3")
    lags = np.arange(120)
    values = branch.function("C_h", lags)
    f = lambda v: np.tanh(1.3 * v)  # noqa: E731
    source = [tensor(f, f, values[0], values[0], c) if abs(c) > 1e-13 else 0.0 for c in values]
    both = np.concatenate([source[:0:-1], source])
    kernel = 0.5 ** np.abs(np.arange(-119, 120)) / 0.75
    full = np.convolve(both, kernel)[238:358]
    assert values[0] > 0.1
    assert np.abs(full[:60] - values[:60]).max() < 1e-11


@lru_cache(maxsize=1)
def adapting() -> Model:
    """u with a slow field w that pulls it back; the signal is a function of u − w/2."""
    u, w = fields("u w")
    eta = local_field("u")
    phi = Nonlinearity("phi", sp.Lambda(x, sp.tanh(GAIN.symbol * x)))
    return Model(
        name="adapting", time="continuous",
        fields=(Field(u, drift=-u - w / 2 + eta),
                Field(w, drift=u - w, time_constant=sp.Integer(4))),
        couplings=(Coupling(eta, signal=phi(u - w / 2)),),
        parameters=(GAIN,), nonlinearities=(phi,),
    )  # fmt: skip


def test_two_fields_of_our_own() -> None:
    """The convolution done by a Fourier transform, on a fine uniform grid of lags."""
    (branch,) = solved(adapting(), g="3.5")
    step, count = 0.02, 1 << 15
    lags = step * np.minimum(np.arange(count), count - np.arange(count))
    source = branch.function("C_eta_u", lags)
    omega = 2 * np.pi * np.fft.fftfreq(count, step)
    g_w = 1 / ((1 + 1j * omega) * (1 + 4j * omega) + 0.5)
    g_u = (1 + 4j * omega) * g_w
    power = np.fft.fft(source).real
    chosen = np.array([0, 20, 80, 300, 1000])
    for name, gain in (("C_u", g_u), ("C_w", g_w)):
        expected = np.fft.ifft(np.abs(gain) ** 2 * power).real
        found = branch.function(name, lags[chosen])
        assert np.abs(found - expected[chosen]).max() < 2e-6 * branch[name]
    read = np.fft.ifft(np.abs(g_u - g_w / 2) ** 2 * power).real
    f = lambda v: np.tanh(3.5 * v)  # noqa: E731
    recomputed = [tensor(f, f, read[0], read[0], float(c)) for c in read[chosen]]
    assert np.abs(source[chosen] - recomputed).max() < 2e-6


@pytest.mark.slow
def test_the_slower_fields_do_not_matter_to_a_cascade_in_steady_state() -> None:
    """A field that reads the fast limit of another: τ_w → 0 gives one field again."""

    def chain(tau: str) -> Model:
        u, w = fields("u w")
        eta = local_field("u")
        phi = Nonlinearity("phi", sp.Lambda(x, sp.tanh(GAIN.symbol * x)))
        return Model(
            name="chain", time="continuous",
            fields=(Field(u, drift=-u + eta),
                    Field(w, drift=u - w, time_constant=sp.Rational(tau))),
            couplings=(Coupling(eta, signal=phi(w)),),
            parameters=(GAIN,), nonlinearities=(phi,),
        )  # fmt: skip

    (plain,) = solved(zoo.classical(), g=2)
    (none,) = solved(chain("0"), g=2)
    assert none["C_u"] == pytest.approx(plain["C_h"], rel=1e-11)
    gaps = [solved(chain(t), g=2)[0]["C_w"] - plain["C_h"] for t in ("1/50", "1/100")]
    assert gaps[0] / gaps[1] == pytest.approx(4, rel=0.1)


def test_two_branches_where_the_quiet_state_is_stable() -> None:
    found = solved(zoo.gated(), g_h="1.9", alpha_r=10)
    assert found.status == "ok"
    assert len(found) == 2
    assert found[0]["C_h"] < found[1]["C_h"]
    assert found.quiet_response is not None
    assert found.quiet_response < 1
    for branch in found:
        assert branch.residual < 1e-10
        assert branch.plateaus["C_h"] == 0


@pytest.mark.parametrize("distance", ["1e-3", "1e-5"])
def test_both_branches_next_to_their_fold(distance: str) -> None:
    """They merge with a square root; the gain of the fold is known to many digits."""
    fold = sp.Rational("1.85927108386303958414")
    found = solved(zoo.gated(), g_h=fold * (1 + sp.Rational(distance)), alpha_r=10, tau_r=0)
    assert len(found) == 2
    low, high = (b["C_h"] for b in found)
    apart = (high - low) / np.sqrt(float(sp.Rational(distance)))
    assert apart == pytest.approx(0.1803, rel=0.01)
    assert np.sqrt(high * low) == pytest.approx(0.0132998382, rel=0.02)


@pytest.mark.parametrize(
    ("model", "values"),
    [(zoo.gated(), {"g_h": "1.8", "alpha_r": 10}), (zoo.classical(), {"g": "0.9"})],
)
def test_no_chaotic_state(model: Model, values: Mapping[str, Any]) -> None:
    found = solved(model, **values)
    assert found.status == "no_chaotic_state"
    assert len(found) == 0
    assert "searched" in str(found)


def test_constant_gate_is_the_factorized_one_without_gain() -> None:
    constant = solved(zoo.gated(), "constant", alpha_z=0)[0]
    apart = solved(zoo.gated(), "factorized", alpha_z=0)[0]
    assert apart["C_h"] == pytest.approx(constant["C_h"], rel=1e-11)
    lags = np.array([0.5, 4.0, 12.0])
    assert apart.function("C_r", lags) == pytest.approx(constant.function("C_r", lags), rel=1e-9)


def test_factorized_equation_holds() -> None:
    """(−∂² + C_σ(τ)) C_h = C_σ C_η, with derivatives by differences."""
    constant = solved(zoo.gated(), "constant", alpha_z=2)[0]
    branch = solved(zoo.gated(), "factorized", alpha_z=2)[0]
    assert abs(branch["C_h"] / constant["C_h"] - 1) > 1e-3
    lags, step = np.array([0.5, 2.0, 6.0, 15.0]), 0.02
    around = [branch.function("C_h", lags + k * step) for k in (-2, -1, 0, 1, 2)]
    curved = (-around[0] + 16 * around[1] - 30 * around[2] + 16 * around[3] - around[4]) / (
        12 * step**2
    )
    sigma = lambda z: gate(2 * z)  # noqa: E731
    size = branch["C_z"]
    pairs = np.array([tensor(sigma, sigma, size, size, c) for c in branch.function("C_z", lags)])
    source = branch.function("C_eta_h", lags)
    assert np.abs(-curved + pairs * around[2] - pairs * source).max() < 1e-7


def test_functions_by_name() -> None:
    (branch,) = solved(zoo.classical(), g=2)
    assert branch.function("C_h", [0.0])[0] == pytest.approx(branch["C_h"], rel=1e-11)
    assert branch.function("C_h", -1.0) == branch.function("C_h", 1.0)
    at_half = float(branch.function("C_h", branch.half_width)[0])
    assert at_half == pytest.approx(branch["C_h"] / 2, rel=1e-10)
    with pytest.raises(ParameterError, match="no covariance"):
        branch.function("C_nothing", [0.0])


def test_a_drift_without_leak_is_refused() -> None:
    model = one_field(sp.tanh(GAIN.symbol * x), drift=local_field("h"))
    with pytest.raises(GatetheoryError):
        solved(model, g=2)


@pytest.mark.slow
def test_beside_a_bias_three_states_may_stand_side_by_side() -> None:
    """Between both folds of an S-shaped branch that begins at a continuous onset."""
    at = {"alpha_r": 10, "beta_h": "1/50", "tau_r": 0}
    gains = ("1.84", "1.845", "1.85")
    counts = {g: len(solved(zoo.gated(), g_h=g, **at)) for g in gains}
    assert counts == {"1.84": 1, "1.845": 3, "1.85": 1}

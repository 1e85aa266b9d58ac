"""Two-time covariances against closed forms, stationary values, and themselves at other steps."""

from math import comb

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import i0
from sympy import Lambda, Piecewise, Rational, Symbol, exp

from gatetheory.errors import AssumptionWarning, ConvergenceError, ParameterError
from gatetheory.model import (
    NONNEGATIVE,
    POSITIVE,
    ConstantInput,
    Coupling,
    Field,
    GaussianInput,
    Model,
    Parameter,
    TimeDependentInput,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.solvers.two_time import solve_two_time
from gatetheory.solvers.two_time_record import TwoTime
from gatetheory.theory.single_site import SingleSite
from gatetheory.theory.two_time import derive_two_time

G = Parameter("g", Rational(1, 2), POSITIVE)
D = Parameter("D", 0, NONNEGATIVE)
TIME = Symbol("t", real=True)


def solve(model: Model, at: dict, times: object, **options: object) -> TwoTime:
    return solve_two_time(derive_two_time(SingleSite(model)), model.bind(at), times, **options)


def linear(time: str = "continuous", leak: Rational | int = 1) -> Model:
    """ẋ = −x + gJx + ξ, or x(t+1) = (1 − leak) x + gJx + ξ."""
    (h,), eta, xi = fields("h,"), local_field("h"), Symbol("xi", real=True)
    law = (
        {"drift": -h + eta + xi} if time == "continuous" else {"update": (1 - leak) * h + eta + xi}
    )
    return Model(
        name="linear",
        time=time,
        fields=(Field(h, **law),),
        couplings=(Coupling(eta, signal=h, variance=G.symbol**2),),
        parameters=(G, D),
        inputs=(WhiteNoise(xi, D.symbol),),
    )


def linear_exact(g: float, noise: float, t: float, s: float) -> float:
    """e^{−t−s} I₀(2g√(ts)), and the same from every moment at which noise acted."""
    decayed = np.exp(-t - s) * i0(2 * g * np.sqrt(t * s))
    if noise == 0:
        return float(decayed)
    return float(
        decayed
        + 2 * noise * quad(
            lambda u: np.exp(2 * u - t - s) * i0(2 * g * np.sqrt((t - u) * (s - u))),
            0, min(t, s), epsabs=1e-12,
        )[0]
    )  # fmt: skip


@pytest.mark.parametrize("g", [Rational(4, 5), Rational(3, 2)])
def test_linear_network_has_its_closed_form_within_the_error(g: Rational) -> None:
    found = solve(linear(), {"g": g}, (4, 0.5), tolerance=1e-6)
    exact = [[linear_exact(float(g), 0, t, s) for s in found.times] for t in found.times]
    error = np.abs(found["C_h"] - exact).max()
    assert found.status == "ok"
    assert error < found.errors["C_h"] < 1e-6 * found["C_h"].max()
    assert found["C_eta_h"] == pytest.approx(float(g) ** 2 * found["C_h"], rel=1e-7)


@pytest.mark.parametrize(("noise", "order"), [(0, 4), (Rational(1, 2), 3)])
def test_error_falls_with_the_order_that_is_claimed(noise: Rational, order: int) -> None:
    errors = []
    for step in (0.5, 0.25, 0.125):
        found = solve(
            linear(), {"g": Rational(4, 5), "D": noise}, (3, step), tolerance=1e9, halvings=0
        )
        stride = round(0.5 / step)
        every = found["C_h"][::stride, ::stride]
        grid = 0.5 * np.arange(len(every))
        exact = [[linear_exact(0.8, float(noise), t, s) for s in grid] for t in grid]
        errors.append(np.abs(every - exact).max())
        assert errors[-1] < 3 * found.errors["C_h"]
    observed = np.log2(np.array(errors[:-1]) / errors[1:])
    assert order - 0.5 < observed[-1] < order + 0.7


def test_linear_map_is_exact_with_noise_and_with_an_algebraic_field_in_between() -> None:
    g, noise = 0.6, 0.3

    def exact(t: int, s: int) -> float:
        free = lambda n, m: sum(  # noqa: E731
            comb(n, k) * comb(m, k) * 0.25 ** (n + m - 2 * k) * g ** (2 * k) for k in range(9)
        )
        return 4 * free(t, s) + sum(2 * noise * free(t - u, s - u) for u in range(1, min(t, s) + 1))

    at = {"g": Rational(3, 5), "D": Rational(3, 10)}
    direct = solve(linear("discrete", Rational(3, 4)), at, (8, 1), initial_std=2)
    expected = [[exact(t, s) for s in range(9)] for t in range(9)]
    assert direct["C_h"] == pytest.approx(np.array(expected), rel=1e-12, abs=1e-13)
    assert max(direct.errors.values()) == 0
    h, u = fields("h u")
    eta, xi = local_field("h"), Symbol("xi", real=True)
    indirect = Model(
        name="indirect",
        time="discrete",
        fields=(Field(h, update=h / 4 + u + xi), Field(u, value=eta)),
        couplings=(Coupling(eta, signal=h, variance=G.symbol**2),),
        parameters=(G, D),
        inputs=(WhiteNoise(xi, D.symbol),),
    )
    found = solve(indirect, at, (8, 1), initial_std=2)
    assert found["C_h"] == pytest.approx(direct["C_h"], abs=1e-13)
    assert found["C_u"] == pytest.approx(g**2 * direct["C_h"], abs=1e-13)


def test_algebraic_field_that_reads_a_field_and_its_drive() -> None:
    h, u = fields("h u")
    eta = local_field("h")
    model = Model(
        name="mixed",
        time="discrete",
        fields=(Field(h, update=h / 4 + u), Field(u, value=eta - h / 3)),
        couplings=(Coupling(eta, signal=h, variance=G.symbol**2),),
        parameters=(G,),
    )
    found = solve(model, {"g": Rational(4, 5)}, (8, 1))
    c = found["C_h"]
    of_u = c[1:, 1:] - c[1:, :-1] / 4 - c[:-1, 1:] / 4 + c[:-1, :-1] / 16  # u = h(t+1) − h/4
    assert found["C_u"][:-1, :-1] == pytest.approx(of_u, abs=1e-13)
    direct = solve(linear("discrete", Rational(13, 12)), {"g": Rational(4, 5)}, (8, 1))
    assert c == pytest.approx(direct["C_h"], abs=1e-13)


def test_classical_network_relaxes_to_its_stationary_variance() -> None:
    found = solve(zoo.classical(), {"g": 2}, (80, 0.5), tolerance=3e-5)
    away = found.equal_time("C_h") - 0.481201353
    assert found.status == "ok"
    assert abs(away[-1]) < 4e-5
    assert abs(away[80]) > 10 * abs(away[-1])  # it decays, by a decade in 40 time units or more
    middle = len(found.times) // 2
    lagged = found["C_h"][middle, middle:]
    assert lagged[0] > lagged[4] > lagged[8] > 0


@pytest.mark.slow
def test_gated_network_relaxes_to_its_stationary_moments() -> None:
    at = {"g_h": 3, "alpha_r": 5, "tau_r": 2}
    near = {"h": 0.38, "z": 0.6, "r": 0.62}
    found = solve(zoo.gated(), at, (60, 1), initial_std=near, tolerance=1e-5)
    for name, value in (("C_h", 0.1446001454), ("C_phi", 0.4423913541), ("C_r", 0.3845032666)):
        assert found.equal_time(name)[-1] == pytest.approx(value, abs=found.errors[name])
    assert found["C_eta_r"] == pytest.approx(found["C_phi"])


def test_vanishing_time_constant_is_the_limit_of_small_ones() -> None:
    at = {"g_h": 3, "alpha_r": 5}
    values = [
        solve(zoo.gated(), {**at, "tau_r": tau}, (2, 0.25), tolerance=1e-4)["C_h"][-1, -1]
        for tau in (Rational(1, 10), Rational(1, 20), 0)
    ]
    first, second = values[0] - values[2], values[1] - values[2]
    assert 1e-4 < abs(second) < 0.02
    assert first / second == pytest.approx(2, abs=0.2)  # linear in τ


def test_means_follow_inputs_of_time_and_constants() -> None:
    drive, c = Symbol("I", real=True), Symbol("c", real=True)
    model = linear().with_input("h", TimeDependentInput(drive, Lambda(TIME, exp(-2 * TIME))))
    model = model.with_input("h", ConstantInput(c, Rational(1, 2)))
    found = solve(model, {}, (3, 0.25), initial_mean=2, tolerance=1e-3)
    t = found.times
    exact = 0.5 + 1.5 * np.exp(-t) + np.exp(-t) - np.exp(-2 * t)
    assert found["m_h"] == pytest.approx(exact, abs=1e-12)
    assert found.covariance("h")[0, 0] == pytest.approx(1)
    assert found["C_h"][0, 0] == pytest.approx(1 + 4)


def test_static_input_of_a_unit_without_coupling_to_itself() -> None:
    s, v = Symbol("s", real=True), Parameter("v", Rational(1, 3), POSITIVE)
    model = linear().with_input("h", GaussianInput(s, v.symbol), v)
    found = solve(model, {"g": Rational(1, 10**9)}, (3, 0.5), initial_std=0, tolerance=1e-6)
    rise = 1 - np.exp(-found.times)
    assert found["C_h"] == pytest.approx(np.outer(rise, rise) / 3, abs=1e-12)


def test_a_jump_of_the_input_shows_in_the_error() -> None:
    drive, t = Symbol("I", real=True), TIME
    step = Lambda(t, Piecewise((0, t < Rational(13, 10)), (2, True)))
    model = zoo.classical().with_input("h", TimeDependentInput(drive, step))
    rough = solve(model, {}, (3, 0.5), tolerance=1e9, halvings=0)
    fine = solve(model, {}, (3, 0.5), tolerance=1e9, halvings=4)
    assert fine.step == rough.step  # the tolerance was met at once
    fine = solve(model, {}, (3, 0.03125), tolerance=1e9, halvings=0)
    difference = np.abs(rough["C_h"] - fine["C_h"][::16, ::16]).max()
    assert 1e-3 < difference < 6 * rough.errors["C_h"]


def test_a_gate_that_fluctuates_warns() -> None:
    with pytest.warns(AssumptionWarning, match="constant"):
        found = solve(zoo.gated(), {"alpha_z": 1}, (2, 0.5), tolerance=1e-3)
    assert "constant" in found.advice
    assert "constant" in str(found)


def test_a_step_too_long_is_not_passed_off_as_a_solution() -> None:
    found = solve(zoo.classical(), {"g": 2}, (4, 1), tolerance=1e-9, halvings=0)
    assert found.status == "not_converged"
    assert "smaller" in found.advice
    assert np.isfinite(found["C_h"]).all()


def test_more_digits_than_doubles_have_are_not_promised() -> None:
    found = solve(linear("discrete"), {}, (5, 1), tolerance=1e-13)
    assert found.status == "precision_lost"
    assert "1e-11" in found.advice


@pytest.mark.slow
def test_what_diverges_is_given_as_far_as_it_goes() -> None:
    found = solve(linear(), {"g": 20}, (30, 0.25), tolerance=1e-2, halvings=1)
    assert found.status == "not_converged"
    assert "diverge" in found.advice
    assert 60 < len(found.times) < 90  # e^{38t} overflows at t = 18.7
    with pytest.raises(ConvergenceError, match="smaller step"):
        solve(linear(), {"g": 40}, (8, 1), halvings=0)
    assert np.isfinite(found["C_h"]).all()


def test_covariances_are_covariances() -> None:
    found = solve(zoo.gated(), {"g_h": 3}, (6, 0.5), tolerance=1e-4)
    for name, value in found.moments.items():
        assert (value == value.T).all(), name
        assert np.linalg.eigvalsh(value).min() > -1e-5, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": (1e6, 0.1)}, "GB"),
        ({"times": (-1, 0.1)}, "positive"),
        ({"times": [0, 1, 2, 4, 5]}, "equally spaced"),
        ({"times": [1, 2, 3, 4]}, "begin at 0"),
        ({"times": [0, 1, 2]}, "at least 4"),
        ({"times": (4, 0.5), "initial_std": -1}, "initial_std"),
        ({"times": (4, 0.5), "initial_std": {"q": 1}}, "'q' is no field"),
        ({"times": (4, 0.5), "initial_std": {"h": 1}}, "z, r"),
        ({"times": (4, 0.5), "initial_mean": float("nan")}, "finite"),
        ({"times": (4, 0.5), "tolerance": 0}, "tolerance"),
    ],
)
def test_bad_input_is_refused(options: dict, message: str) -> None:
    times = options.pop("times")
    with pytest.raises(ParameterError, match=message):
        solve(zoo.gated(), {}, times, **options)


def test_the_record_shows_itself_and_names_what_it_has() -> None:
    found = solve(zoo.classical(), {}, (2, 0.5), tolerance=1e-3)
    assert "C_phi" in str(found)
    assert "MB" in str(found)
    assert found.memory == sum(v.nbytes for v in found.moments.values())
    with pytest.raises(ParameterError, match="C_phi"):
        found["C_psi"]
    assert found.cite()

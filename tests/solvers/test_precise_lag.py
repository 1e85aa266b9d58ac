"""Correlations and folds by collocation to many digits, against closed forms and energies."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import mpmath
import pytest
from mpmath import mpf
from sympy import Lambda, Max, Symbol, atan, erf

import gatetheory as gt
from gatetheory.equations.lag_system import LagSystem
from gatetheory.errors import ConvergenceError, DerivationError, ParameterError
from gatetheory.solvers.correlations import stationary_points
from gatetheory.solvers.lag_potential import fold_in_parameter, potential_of, solve_amplitudes
from gatetheory.solvers.lag_problem import LagPoint, LagProblem, LagProgram
from gatetheory.solvers.precise_fold import fold_precisely
from gatetheory.solvers.precise_lag import solve_precisely
from gatetheory.solvers.precise_records import PreciseFold, PreciseState
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.single_site import SingleSite

u = Symbol("u", real=True)


@lru_cache(maxsize=16)
def lag_system(model: gt.Model) -> LagSystem:
    return derive_correlations(SingleSite(model), "constant")


@lru_cache(maxsize=16)
def one_field(kind: str) -> gt.Model:
    """h' = −h + η with a nonlinearity of h as its output."""
    (h,) = gt.fields("h,")
    eta = gt.local_field("h")
    g = gt.Parameter("g", 2, gt.POSITIVE, "gain")
    definition = {"erf": erf(g.symbol * u), "atan": atan(g.symbol * u), "ramp": Max(0, u) - 1}
    phi = gt.Nonlinearity("phi", Lambda(u, definition[kind]))
    return gt.Model(
        name="one_field", time="continuous", fields=(gt.Field(h, drift=-h + eta),),
        couplings=(gt.Coupling(eta, signal=phi(h)),), parameters=(g,), nonlinearities=(phi,),
    )  # fmt: skip


@lru_cache(maxsize=16)
def start(model: gt.Model, /, **values: Any) -> LagPoint:
    """The largest chaotic state in doubles."""
    system = lag_system(model)
    points, _, _ = stationary_points(LagProblem(LagProgram(system), system.bind(values)))
    return points[-1].point


def state(model: gt.Model, digits: int, /, **values: Any) -> PreciseState:
    system = lag_system(model)
    return solve_precisely(system, system.bind(values), start(model, **values), digits)


def fold(model: gt.Model, along: str, value: str, digits: int, /, **values: Any) -> PreciseFold:
    """By collocation, from the largest state at a value beside the fold."""
    system = lag_system(model)
    (symbol,) = (p for p in system.parameters if str(p) == along)
    point = start(model, **values, **{along: value})
    return fold_precisely(
        system, system.bind(values), symbol, point, float(mpf(value)), digits
    )  # fmt: skip


# ---- solutions at given parameters ---------------------------------------------------------------


@pytest.mark.parametrize("digits", [6, 20, pytest.param(40, marks=pytest.mark.slow)])
def test_error_function_in_closed_form(digits: int) -> None:
    """C₀²/2 = ∫ (2/π) asin(2g²C/(1 + 2g²C₀)) dC at g = 2."""
    found = state(one_field("erf"), digits, g=2)
    assert found.digits == digits
    assert not found.advice
    with mpmath.workdps(digits + 10):
        average = lambda c, equal: 2 / mpmath.pi * mpmath.asin(8 * c / (1 + 8 * equal))  # noqa: E731
        root = mpmath.findroot(
            lambda e: e / 2 - mpmath.quad(lambda c: average(c, e), [0, e / 2, e]) / e, (0.5, 0.6)
        )
        assert abs(found.values["C_h"] / root - 1) < mpf(10) ** -digits
        assert abs(found.values["C_phi"] / average(root, root) - 1) < mpf(10) ** -digits
    assert found.plateaus["C_h"] == 0


@pytest.mark.slow
def test_several_fields_in_their_classical_limit() -> None:
    """Constant gates: h has half the rate and an input halved; r follows φ with lag 2, as h does.

    Hence C_h(0) is a quarter, C_r(0) itself that of the classical network at g = 3/2.
    """
    found = state(gt.zoo.gated(), 20, g_h=3, alpha_r=0, tau_r=2)
    assert found.digits == 20
    with mpmath.workdps(30):
        known = mpf("0.33230505802373247438633916808153311982")
        assert abs(4 * found.values["C_h"] / known - 1) < mpf(10) ** -20
        assert abs(found.values["C_r"] / known - 1) < mpf(10) ** -20


@pytest.mark.slow
def test_digits_claimed_are_those_of_a_finer_calculation() -> None:
    """Where no closed form is known: a gate with a lag of its own leaves no potential."""
    model, values = gt.zoo.gated(), {"g_h": "1.9", "alpha_r": 10, "tau_r": 1}
    assert potential_of(lag_system(model), model.bind(values)) is None
    few, many = (state(model, d, **values) for d in (10, 20))
    assert (few.digits, many.digits) == (10, 20)
    for name, value in many.values.items():
        assert abs(few.values[name] / value - 1) < 1e-10


@pytest.mark.slow
def test_energy_and_collocation_agree_on_a_state() -> None:
    """An inverse tangent: its poles lie close to the real axis."""
    model = one_field("atan")
    system = lag_system(model)
    potential = potential_of(system, system.bind({"g": "5/4"}))
    assert potential is not None
    (orbit,) = solve_amplitudes(potential, 20)
    found = state(model, 20, g="5/4")
    assert orbit.digits == found.digits == 20
    with mpmath.workdps(30):
        assert abs(found.values["C_h"] / orbit.equal - 1) < mpf(10) ** -20


# ---- folds ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_energy_and_collocation_agree_on_the_fold_of_the_gated_network() -> None:
    """At τ_r = 0, to 20 digits, and with the published number."""
    model = gt.zoo.gated()
    system, at = lag_system(model), {"alpha_r": 10, "tau_r": 0}
    one = fold_in_parameter(
        system, system.bind(at), model.symbols["g_h"], (0.0133, 1.86), 20
    )  # fmt: skip
    other = fold(model, "g_h", "1.8594", 20, **at)
    assert one.digits == other.digits == other.digits_of_values == 20
    with mpmath.workdps(30):
        known = mpf("1.859271083863039584142144634967405726962433938949")
        assert abs(one.value / other.value - 1) < mpf(10) ** -20
        assert abs(other.value / known - 1) < mpf(10) ** -20
        assert abs(one.equal / other.values["C_h"] - 1) < mpf(10) ** -20
    assert other.curvature > 0  # states exist above it


@pytest.mark.slow
def test_energy_and_collocation_agree_on_the_fold_of_our_own(gated_by_erf: gt.Model) -> None:
    system = lag_system(gated_by_erf)
    one = fold_in_parameter(
        system, system.bind({"a": 10}), gated_by_erf.symbols["g"], (0.011, 1.535), 20
    )  # fmt: skip
    other = fold(gated_by_erf, "g", "1.536", 20, a=10)
    assert one.digits == other.digits == 20
    with mpmath.workdps(30):
        assert abs(one.value / other.value - 1) < mpf(10) ** -20
        assert abs(one.equal / other.values["C_x"] - 1) < mpf(10) ** -20


@pytest.mark.slow
def test_an_iteration_that_leaves_covariances_is_refused() -> None:
    """Chaos begins continuously, and far from the start."""
    with pytest.raises(ConvergenceError, match="start nearer to the solution"):
        fold(one_field("erf"), "g", "2", 10)


@pytest.mark.slow
def test_where_no_states_merge_there_is_no_fold() -> None:
    """Below the dynamic tricritical point √12 of the gate's gain."""
    with pytest.raises(ConvergenceError, match="no fold in g_h near the start"):
        fold(gt.zoo.gated(), "g_h", "2.05", 10, alpha_r=3, tau_r=0)


# ---- what is refused -----------------------------------------------------------------------------


def test_a_start_from_elsewhere_is_refused() -> None:
    model = one_field("erf")
    system, point = lag_system(model), start(model, g=2)
    with pytest.raises(ConvergenceError, match="no solution at these parameters"):
        solve_precisely(system, system.bind({"g": "21/10"}), point, 10)
    with pytest.raises(ConvergenceError, match="another scale"):
        solve_precisely(system, system.bind({"g": 2}), replace(point, scale=0.9), 10)
    static = replace(point, decay=0 * point.decay, plateau=point.plateau + 0.1)
    with pytest.raises(ConvergenceError, match="static"):
        solve_precisely(system, system.bind({"g": 2}), static, 10)


def test_next_to_an_onset_too_large_a_grid_is_refused() -> None:
    """15 600 unknowns and more; no memory is asked for their matrix."""
    with pytest.raises(ConvergenceError, match=r"unknowns are needed .* keep away from an onset"):
        state(gt.zoo.classical(), 15, g="101/100")


def test_bad_input_is_named() -> None:
    model = one_field("erf")
    system, point = lag_system(model), start(model, g=2)
    with pytest.raises(ParameterError, match="at least 5, not 4"):
        solve_precisely(system, system.bind({}), point, 4)
    with pytest.raises(ParameterError, match="parameter g has no value"):
        solve_precisely(system, {}, point, 10)
    with pytest.raises(ParameterError, match="x is no parameter of this system; there are g"):
        fold_precisely(system, system.bind({}), Symbol("x"), point, 2.0, 10)


def test_kinks_are_refused() -> None:
    system, point = lag_system(one_field("ramp")), start(one_field("erf"), g=2)
    with pytest.raises(DerivationError, match="not analytic"):
        solve_precisely(system, system.bind({}), point, 10)

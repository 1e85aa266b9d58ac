"""C(0) and folds from energy conservation, against closed forms and integrals written here.

With φ = erf(g x) averages over a pair are arcsines, so that the energy of such a network is an
elementary integral. For any odd φ with primitive Φ, Price's theorem gives
∫ ⟨φ φ⟩_C dC = ⟨Φ Φ⟩_C, so that C(0) of the classical network follows from two plain averages.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import mpmath
import pytest
from mpmath import mpf
from sympy import Expr, Lambda, Max, Rational, Symbol, erf

import gatetheory as gt
from gatetheory.equations.lag_system import LagSystem
from gatetheory.errors import ConvergenceError, DerivationError
from gatetheory.solvers.correlations import solve_correlations
from gatetheory.solvers.lag_potential import (
    PotentialState,
    fold_in_parameter,
    potential_of,
    solve_amplitudes,
)
from gatetheory.solvers.lag_problem import LagProgram
from gatetheory.solvers.potential_landscape import amplitudes
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.single_site import SingleSite

u = Symbol("u", real=True)


def slow(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


@lru_cache(maxsize=32)
def lag_system(model: gt.Model) -> LagSystem:
    return derive_correlations(SingleSite(model), "constant")


@lru_cache(maxsize=32)
def one_field(definition: Callable[[Expr], Expr], **more: Any) -> gt.Model:
    """τ h' = −h + η with a nonlinearity of h as its output."""
    (h,) = gt.fields("h,")
    eta = gt.local_field("h")
    g = gt.Parameter("g", 2, gt.POSITIVE, "gain")
    tau = gt.Parameter("tau", 1, gt.POSITIVE, "time constant")
    phi = gt.Nonlinearity("phi", Lambda(u, definition(g.symbol)))
    inputs = more.get("inputs", ())
    law = gt.Field(h, drift=-h + eta + sum(i.symbol for i in inputs), time_constant=tau.symbol)
    return gt.Model(
        name="one_field", time="continuous", fields=(law,),
        couplings=(gt.Coupling(eta, signal=phi(h)),),
        parameters=(g, tau), nonlinearities=(phi,), **more,
    )  # fmt: skip


def erf_of(g: Expr) -> Expr:
    return erf(g * u)


def shifted_erf_of(g: Expr) -> Expr:
    return erf(g * u + Rational(1, 3))


def ramp_of(g: Expr) -> Expr:
    return Max(0, g * u) - 1


def states(model: gt.Model, digits: int, **values: Any) -> list[PotentialState]:
    system = lag_system(model)
    potential = potential_of(system, system.bind(values))
    assert potential is not None
    return solve_amplitudes(potential, digits)


def fold(
    model: gt.Model, along: str, start: tuple[float, float], digits: int, **values: Any
) -> PotentialState:
    system = lag_system(model)
    (symbol,) = (p for p in system.parameters if str(p) == along)
    return fold_in_parameter(system, system.bind(values), symbol, start, digits)


# ---- energies by mpmath --------------------------------------------------------------------------


def normal_average(f: Callable[[Any], Any], variance: Any) -> Any:
    """⟨f(x)⟩ by the trapezoidal rule; f must be analytic near the axis."""
    step = mpf(1) / 40
    root = mpmath.sqrt(variance)
    total = mpmath.fsum(
        f(root * k * step) * mpmath.exp(-((k * step) ** 2) / 2) for k in range(-560, 561)
    )
    return step * total / mpmath.sqrt(2 * mpmath.pi)


def classical_energy(g: Any, equal: Any) -> Any:
    """C₀²/2 − (⟨Φ²⟩ − ⟨Φ⟩²) over C₀²; Φ(x) = ln cosh(g x)/g."""
    primitive = lambda x: mpmath.log(mpmath.cosh(g * x)) / g  # noqa: E731
    mean = normal_average(primitive, equal)
    return (equal**2 / 2 - normal_average(lambda x: primitive(x) ** 2, equal) + mean**2) / equal**2


def arcsine(gain: Any, lag: Any, equal: Any) -> Any:
    """⟨erf(g x) erf(g y)⟩."""
    return 2 / mpmath.pi * mpmath.asin(2 * gain**2 * lag / (1 + 2 * gain**2 * equal))


def energy(source: Callable[[Any, Any], Any], equal: Any) -> Any:
    """∫₀^C₀ (C − S(C; C₀)) dC / C₀²."""
    ends = [mpf(0), equal / 8, equal / 2, 7 * equal / 8, equal]
    return mpmath.quad(lambda c: c - source(c, equal), ends) / equal**2


def gated_by_erf_source(g: Any, a: Any) -> Callable[[Any, Any], Any]:
    def source(lag: Any, equal: Any) -> Any:
        rate, full = (arcsine(g, c, equal) for c in (lag, equal))
        return rate * (1 + arcsine(a, rate, full)) / 4

    return source


# ---- solutions at given parameters ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("g", "digits", "known"),
    [
        ("3/2", 20, "0.33230505802373247438633916808153311982"),
        slow("2", 20, "0.48120135343426454667434250263761557498128"),
        ("1001/1000", 20, None),
    ],
)  # fmt: skip
def test_classical_network(g: str, digits: int, known: str | None) -> None:
    (found,) = states(gt.zoo.classical(), digits, g=g)
    assert found.digits == found.digits_of_values == digits
    assert found.plateau == 0
    with mpmath.workdps(digits + 10):
        gain = mpmath.mpf(Rational(g).p) / Rational(g).q
        assert abs(classical_energy(gain, found.equal)) < mpf(10) ** -(digits + 1)
        off = found.equal * (1 + mpf(10) ** -digits)  # a change in the last digit is seen
        assert abs(classical_energy(gain, off)) > mpf(10) ** -(digits + 4)
        if known is not None:
            assert abs(found.equal / mpf(known) - 1) < mpf(10) ** -digits


@pytest.mark.slow
def test_error_function_in_closed_form() -> None:
    """At any time constant."""
    (found,) = states(one_field(erf_of), 25, g=2, tau="7/3")
    with mpmath.workdps(35):
        root = mpmath.findroot(
            lambda c: energy(lambda lag, equal: arcsine(2, lag, equal), c), (0.5, 0.6)
        )
        assert abs(found.equal / root - 1) < mpf(10) ** -25
        assert abs(found.values["C_phi"] / arcsine(2, root, root) - 1) < mpf(10) ** -24


@pytest.mark.slow
def test_static_input_adds_its_variance() -> None:
    """C − τ²C'' = S(C; C₀) + v: the plateau is not zero although φ is odd."""
    given = gt.GaussianInput(Symbol("b", real=True), variance=Rational(1, 10))
    (found,) = states(one_field(erf_of, inputs=(given,)), 10, g=2)
    with mpmath.workdps(20):
        source = lambda lag, equal: arcsine(2, lag, equal) + mpf(1) / 10  # noqa: E731
        low, equal = found.plateau, found.equal
        assert abs(low - source(low, equal)) < mpf(10) ** -10
        total = mpmath.quad(lambda c: c - source(c, equal), [low, (low + equal) / 2, equal])
        assert abs(total) / equal**2 < mpf(10) ** -10
        assert low > 0.1


@pytest.mark.slow
def test_biased_network_with_a_plateau() -> None:
    """⟨φ φ⟩ at the plateau and ⟨Φ Φ⟩ at both ends by double sums."""
    (found,) = states(one_field(shifted_erf_of), 18, g=2)
    with mpmath.workdps(25):
        low, equal, bias = found.plateau, found.equal, mpf(1) / 3

        def primitive(x: Any) -> Any:
            w = 2 * x + bias
            return (w * mpmath.erf(w) + mpmath.exp(-(w**2)) / mpmath.sqrt(mpmath.pi)) / 2

        step = mpf(1) / 4
        nodes = [step * k for k in range(-38, 39)]
        weights = [step * mpmath.npdf(x) for x in nodes]
        common = [mpmath.sqrt(low) * x for x in nodes]
        own = [mpmath.sqrt(equal - low) * x for x in nodes]

        def pair(f: Callable[[Any], Any]) -> Any:
            inner = [mpmath.fdot(weights, [f(c + o) for o in own]) for c in common]
            return mpmath.fdot(weights, [i * i for i in inner])

        top = normal_average(lambda x: primitive(x) ** 2, equal)
        assert abs(low - pair(lambda x: mpmath.erf(2 * x + bias))) < mpf(10) ** -17
        assert abs((equal**2 - low**2) / 2 - top + pair(primitive)) < mpf(10) ** -17


@pytest.mark.parametrize(
    "at",
    [
        slow({"alpha_r": "1904/100", "g_h": "178/100"}),
        {"alpha_r": "1083/100", "g_h": "158/100", "beta_h": "-82/1000", "beta_r": "-155/100"},
        slow(
            {"alpha_r": "2", "g_h": "278/100", "beta_h": "57/100", "beta_r": "1/4", "beta_z": "1"}
        ),
        slow({"alpha_r": "1163/100", "g_h": "274/100", "beta_h": "24/1000", "beta_r": "7/5"}),
        {"alpha_r": "109/10", "g_h": "169/100", "beta_h": "4/125"},
    ],
)
def test_the_landscape_has_every_state_that_collocation_finds(at: dict[str, str]) -> None:
    """In doubles: none, one and two states, with plateaus and without."""
    model = gt.zoo.gated()
    system = lag_system(model)
    parameters = model.bind({"tau_r": 0, **at})
    potential = potential_of(system, parameters)
    assert potential is not None
    orbits = amplitudes(potential.doubles, 0.0)
    branches = solve_correlations(LagProgram(system), parameters, "a test", True).branches
    assert len(orbits) == len(branches)
    for orbit, branch in zip(orbits, branches, strict=True):
        assert orbit.equal == pytest.approx(branch.values["C_h"], rel=1e-8)
        assert orbit.plateau == pytest.approx(branch.plateaus["C_h"], rel=1e-6, abs=1e-12)


# ---- folds ---------------------------------------------------------------------------------------

FOLD = "1.859271083863039584142144634967405726962433938949"
SIZE = "0.013299838223977265705526"


@pytest.mark.parametrize("digits", [20, slow(40)])
def test_fold_of_the_gated_network(digits: int) -> None:
    found = fold(gt.zoo.gated(), "g_h", (0.0133, 1.86), digits, alpha_r=10, tau_r=0)
    assert found.digits == found.digits_of_values == digits
    assert found.plateau == 0
    with mpmath.workdps(60):
        assert abs(found.value / mpf(FOLD) - 1) < mpf(10) ** -digits
        assert abs(found.equal / mpf(SIZE) - 1) < mpf(10) ** -min(digits, 22)


@pytest.mark.slow
def test_fold_of_a_network_of_our_own(gated_by_erf: gt.Model) -> None:
    """E = ∂E/∂C₀ = 0 with arcsines for averages."""
    found = fold(gated_by_erf, "g", (0.011, 1.535), 20, a=10)
    assert found.digits == found.digits_of_values == 20
    with mpmath.workdps(32):

        def total(equal: Any, g: Any) -> Any:
            return energy(gated_by_erf_source(g, 10), equal) * equal**2

        value, equal = found.value, found.equal
        assert abs(total(equal, value)) / equal**2 < mpf(10) ** -20
        slope = mpmath.diff(lambda c: total(c, value), equal, h=mpf(10) ** -11)
        assert abs(slope) / equal < mpf(10) ** -17


OWN_FOLD = 1.534049506791126459
"""Of the network above."""


@pytest.mark.parametrize(
    ("step", "count"), [slow(-1e-4, 0), (1e-6, 2), slow(1e-3, 2), slow(0.1, 2)]
)
@pytest.mark.slow
def test_two_states_next_to_a_fold(gated_by_erf: gt.Model, step: float, count: int) -> None:
    """They may be closer to each other than amplitudes of the scan."""
    system = lag_system(gated_by_erf)
    at = system.bind({"g": repr(OWN_FOLD * (1 + step)), "a": 10})
    potential = potential_of(system, at)
    assert potential is not None
    found = amplitudes(potential.doubles, 0.0)
    assert len(found) == count
    for orbit in found:
        left = energy(gated_by_erf_source(mpf(OWN_FOLD * (1 + step)), 10), mpf(orbit.equal))
        assert abs(left) < 1e-12


# ---- what has no potential -----------------------------------------------------------------------


def test_two_lagged_covariances_have_none() -> None:
    model = gt.zoo.gated()
    system = lag_system(model)
    assert potential_of(system, model.bind({"tau_r": 2})) is None
    assert potential_of(system, model.bind({"tau_r": 0})) is not None
    assert potential_of(system, model.bind({"tau_r": 2, "alpha_r": 0})) is not None
    tau_r = model.symbols["tau_r"]
    assert potential_of(system, model.bind({"tau_r": 0}), tau_r) is None
    with pytest.raises(DerivationError, match=r"tau_r open are not one equation .* not apply"):
        fold(model, "tau_r", (0.01, 0.0), 20, alpha_r=10)
    with pytest.raises(DerivationError, match="g_h open are not one equation"):
        fold(model, "g_h", (0.01, 1.9), 20, alpha_r=10, tau_r=1)


def test_noise_and_kinks_have_none() -> None:
    noise = gt.WhiteNoise(Symbol("xi", real=True), intensity=Rational(1, 10))
    for model in (one_field(erf_of, inputs=(noise,)), one_field(ramp_of)):
        system = lag_system(model)
        assert potential_of(system, system.bind({})) is None


def test_an_open_parameter_is_not_solved_at() -> None:
    model = gt.zoo.classical()
    potential = potential_of(lag_system(model), model.bind({}), model.symbols["g"])
    assert potential is not None
    with pytest.raises(DerivationError, match="g is open; give it a value"):
        solve_amplitudes(potential, 20)


def test_no_state_is_found_below_the_onset() -> None:
    assert states(gt.zoo.classical(), 20, g="99/100") == []


def test_a_start_that_decays_to_nothing() -> None:
    with pytest.raises(ConvergenceError, match="nothing decays from"):
        fold(gt.zoo.gated(), "g_h", (0.02, 50.0), 20, alpha_r=10, tau_r=0)


@pytest.mark.slow
def test_a_start_next_to_the_onset_does_not_pass_for_a_fold() -> None:
    with pytest.raises(ConvergenceError, match="did not settle"):
        fold(gt.zoo.gated(), "g_h", (0.001, 1.99), 20, alpha_r=10, tau_r=0)


@pytest.mark.slow
def test_too_steep_a_gain_is_refused() -> None:
    with pytest.raises(ConvergenceError, match="ask for fewer digits"):
        states(gt.zoo.classical(), 20, g=20)

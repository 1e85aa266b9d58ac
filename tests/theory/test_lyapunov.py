"""Equations of the difference between two replicas."""

from collections.abc import Callable

import pytest
import sympy
from sympy import Expr, Function, I, Lambda, Rational, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.lag_system import KAPPA
from gatetheory.equations.provenance import EquationSet
from gatetheory.functions import Nonlinear
from gatetheory.model import (
    POSITIVE,
    REAL,
    Model,
    Parameter,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.lyapunov import derive_lyapunov
from gatetheory.theory.single_site import SingleSite

Build = Callable[..., Model]

h, v, w, z = fields("h v w z")
eta_h, eta_z = (local_field(name) for name in "hz")
TAU = Symbol("tau", real=True)
T = Parameter("T", 3, POSITIVE, "time constant")
A = Parameter("a", Rational(1, 3), REAL, "memory")


def f(x: Expr) -> Expr:
    return Nonlinear("f", 0, x)


def s(x: Expr) -> Expr:
    return Nonlinear("s", 0, x)


def of_lag(name: str) -> Expr:
    return Function(name, real=True)(TAU)


def derive(model: Model, closure: str = "constant") -> tuple[EquationSet, EquationSet]:
    single_site = SingleSite(model)
    system = derive_correlations(single_site, closure)
    return system.equations, derive_lyapunov(single_site, system)


def same(left: Expr, right: Expr) -> bool:
    return sympy.expand((left - right).doit()) == 0


def test_classical_network() -> None:
    _, growth = derive(zoo.classical())
    chi = of_lag("chi_h")
    assert same(growth["chi_h"].lhs, (1 + KAPPA) ** 2 * chi - chi.diff(TAU, 2))
    rhs = growth["chi_eta_h"].rhs
    (average,) = rhs.atoms(GaussianAverage)
    assert same(rhs, average * chi)
    assert {n.order for n in average.integrand.atoms(Nonlinear)} == {1}


def test_variances_do_not_vary() -> None:
    """Nothing is differentiated twice, as a change of a variance would."""
    for closure in ("constant", "factorized"):
        _, growth = derive(zoo.gated(), closure)
        orders = {
            n.order
            for equation in growth
            for average in equation.rhs.atoms(GaussianAverage)
            for n in average.integrand.atoms(Nonlinear)
        }
        assert orders == {0, 1}


def test_factorized_gate() -> None:
    correlations, growth = derive(zoo.gated(), "factorized")
    chi, chi_z = of_lag("chi_h"), of_lag("chi_z")
    single = growth["chi_h"].lhs.diff(KAPPA).subs(KAPPA, 0)
    (mean,) = single.atoms(GaussianAverage)
    assert len(mean.variables) == 1
    assert same(single, 2 * mean * chi)
    through_gate = growth["chi_h"].rhs.diff(chi_z)
    assert through_gate.has(of_lag("C_eta_h"))
    assert through_gate.has(of_lag("C_h"))
    gate = correlations["C_h"].rhs / of_lag("C_eta_h")
    slope = gate.diff(of_lag("C_z"))
    assert same(through_gate, slope * (of_lag("C_eta_h") - of_lag("C_h")))


def zero_mode(model: Model, closure: str) -> None:
    """χ = C' solves the equations at κ = 0: they are then the derivative of those of C."""
    correlations, growth = derive(model, closure)
    applied = sympy.core.function.AppliedUndef
    names = {n.func.__name__ for e in growth for n in e.residual.atoms(applied)}
    slopes = {
        Function(name, real=True): Lambda(TAU, of_lag(f"C{name.removeprefix('chi')}").diff(TAU))
        for name in names
        if name.startswith("chi")
    }
    for equation in growth:
        tag = "C" + equation.tag.removeprefix("chi")
        residual = equation.residual.subs(KAPPA, 0)
        for chi, slope in slopes.items():
            residual = residual.replace(chi, slope)
        assert same(residual, correlations[tag].residual.diff(TAU)), tag


@pytest.mark.parametrize("closure", ["constant", "factorized"])
def test_a_shift_in_time_is_a_zero_mode(network: Build, closure: str) -> None:
    zero_mode(zoo.gated(), closure)
    model = network(
        {"h": f(h) * s(w), "z": (f(h), T.symbol)},
        h=s(z) * (eta_h - h),
        z={"drift": -z + eta_z, "time_constant": T.symbol},
        w=-2 * w + z,
        parameters=(T,),
    )
    zero_mode(model, closure)


def test_noise_is_not_shared_by_the_difference(network: Build) -> None:
    """Replicas see the same noise, so that it drops out of their difference."""
    xi, D = Symbol("xi", real=True), Parameter("D", 1, POSITIVE, "intensity")
    noisy = network(
        {"h": f(h)}, h=-h + eta_h + xi, inputs=(WhiteNoise(xi, D.symbol),), parameters=(D,)
    )
    quiet = network({"h": f(h)}, h=-h + eta_h)
    left, right = derive(noisy)[1], derive(quiet)[1]
    assert [e.residual for e in left] == [e.residual for e in right]


@pytest.mark.parametrize("memory", [Rational(1, 3), A.symbol, 1 - A.symbol], ids=str)
def test_map_grows_by_a_factor(network: Build, memory: Expr) -> None:
    """(e^κ z − a)(e^κ/z − a) χ = χ_η, on a wave."""
    model = network({"h": f(h)}, kind="update", h=memory * h + eta_h, parameters=(A,))
    _, growth = derive(model)
    omega, rate, a = Rational(7, 5), Rational(3, 10), Rational(2, 5)
    known = memory.subs(A.symbol, a)
    shifts = [sympy.exp(rate + sign * I * omega) - known for sign in (1, -1)]
    wave = sympy.exp(I * omega * TAU)
    residual = growth["chi_h"].residual.subs({KAPPA: rate, A.symbol: a})
    residual = residual.replace(Function("chi_h", real=True), Lambda(TAU, wave))
    source = Lambda(TAU, shifts[0] * shifts[1] * wave)
    residual = residual.replace(Function("chi_eta_h", real=True), source)
    assert abs(complex(sympy.N(residual.subs(TAU, Rational(1, 3)), 20))) < 1e-12


def test_time_constant_of_a_gated_field(network: Build) -> None:
    """τ ẋ = s(η − x): (τκ)² and 2τκ⟨s⟩ stand beside τ²∂²."""
    model = network(
        {"h": f(h), "z": f(h)},
        h={"drift": s(z) * (eta_h - h), "time_constant": T.symbol},
        z=-z + eta_z,
        parameters=(T,),
    )
    _, growth = derive(model, "factorized")
    chi, t_h = of_lag("chi_h"), T.symbol
    lhs = sympy.expand(growth["chi_h"].lhs)
    (mean,) = lhs.coeff(KAPPA, 1).atoms(GaussianAverage)
    ratio = lhs.coeff(KAPPA, 2).coeff(chi) / lhs.coeff(KAPPA, 1).coeff(chi)
    assert same(ratio, t_h / (2 * mean))


def test_tied_fields_vary_together(network: Build) -> None:
    _, growth = derive(network({"h": f(v) * s(w)}, v=-v + eta_h, w=-2 * w + eta_h))
    names = {
        n.func.__name__ for n in growth["chi_eta_h"].rhs.atoms(sympy.core.function.AppliedUndef)
    }
    assert {"chi_v", "chi_w", "chi_v,w", "chi_w,v"} <= names


def test_trace_and_assumptions() -> None:
    _, growth = derive(zoo.gated())
    assert {"two replicas", "stationary state", "constant gate"} <= {
        a.name for a in growth.assumptions
    }
    assert growth["chi_eta_h"].trace[-1].name == "Price's theorem"
    assert any(step.name == "two replicas" for step in growth["chi_r"].trace)

"""Printed lag equations are those of the linear filter that the fields are."""

from collections.abc import Callable

import pytest
import sympy
from sympy import Expr, Function, I, Lambda, Rational, S, Symbol

from gatetheory.equations.lag_system import LagSystem
from gatetheory.functions import Nonlinear
from gatetheory.model import (
    POSITIVE,
    REAL,
    Model,
    Parameter,
    fields,
    local_field,
)
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.single_site import SingleSite

Build = Callable[..., Model]

h, v, w, z = fields("h v w z")
eta_h, eta_v, eta_z = (local_field(name) for name in "hvz")
TAU = Symbol("tau", real=True)
T = Parameter("T", 3, POSITIVE, "time constant")
A = Parameter("a", Rational(1, 3), REAL, "memory")


def f(x: Expr) -> Expr:
    return Nonlinear("f", 0, x)


def s(x: Expr) -> Expr:
    return Nonlinear("s", 0, x)


def derive(model: Model, closure: str = "constant") -> LagSystem:
    return derive_correlations(SingleSite(model), closure)


def filtered(system: LagSystem, parameters: dict[Symbol, Expr]) -> None:
    """Insert C_η = S_a e^{iωτ} and C_kl = Σ G_ka G*_la S_a e^{iωτ} into every equation."""
    omega = Rational(7, 5)
    now, then = I * omega, -I * omega
    if system.discrete:
        now, then = sympy.exp(now), sympy.exp(then)
    mass = sympy.diag(*system.mass)
    gains = [(mass * e - system.drift).inv() * system.drives for e in (now, then)]
    strengths = dict(zip(system.sources, (S(2), S(3), S(5)), strict=False))
    heights = tuple(strengths.values())
    for covariance in system.covariances:
        now_gain, then_gain = (
            sympy.Matrix([list(u)]) * gain
            for u, gain in zip((covariance.first, covariance.second), gains, strict=True)
        )
        power = sum(
            (
                now_gain[column] * then_gain[column] * heights[k]
                for column, k in enumerate(system.drive_sources)
            ),
            S.Zero,
        )
        residual = system[covariance.name].residual
        known = {Function(covariance.name, real=True): power}
        known |= {Function(name, real=True): height for name, height in strengths.items()}
        for function, height in known.items():
            wave = Lambda(TAU, height * sympy.exp(I * omega * TAU))
            residual = residual.replace(function, wave)
        value = complex(sympy.N(residual.doit().subs(TAU, Rational(1, 3)).subs(parameters), 20))
        assert abs(value) < 1e-10, covariance.name


def test_chain_driven_twice(network: Build) -> None:
    model = network(
        {"h": f(h), "v": (f(h), S(9))},
        h={"drift": -h + 2 * w + eta_h, "time_constant": T.symbol},
        w=-3 * w + eta_v - eta_h,
        parameters=(T,),
    )
    filtered(derive(model), {T.symbol: Rational(13, 10)})


def test_crossed_covariances(network: Build) -> None:
    model = network(
        {"h": f(v - w) * s(v)},
        v={"drift": -v + eta_h, "time_constant": T.symbol},
        w=-3 * w + 2 * v - eta_h,
        parameters=(T,),
    )
    system = derive(model)
    assert {"C_u_1", "C_u_1,v", "C_v,u_1"} <= {c.name for c in system.covariances}
    filtered(system, {T.symbol: Rational(13, 10)})


def test_fields_that_feed_back(network: Build) -> None:
    model = network(
        {"h": f(h)},
        h=-h - 2 * w + eta_h,
        w={"drift": -w + h, "time_constant": T.symbol},
        parameters=(T,),
    )
    filtered(derive(model), {T.symbol: Rational(13, 10)})


def test_algebraic_field(network: Build) -> None:
    model = network({"h": s(z), "z": f(h)}, h=-h + z / 3 + eta_h, z={"value": h / 2 + eta_z})
    filtered(derive(model), {})


@pytest.mark.parametrize("memory", [Rational(1, 3), A.symbol, 1 - A.symbol], ids=str)
def test_map(network: Build, memory: Expr) -> None:
    model = network({"h": f(h)}, kind="update", h=memory * h + eta_h, parameters=(A,))
    filtered(derive(model), {A.symbol: Rational(2, 5)})


def test_map_with_two_fields(network: Build) -> None:
    model = network(
        {"h": f(h - w)}, kind="update", h=h / 3 + w / 5 + eta_h, w=h / 2 - w / 7 + 2 * eta_h
    )
    filtered(derive(model), {})


def test_map_with_a_gate_held_constant(network: Build) -> None:
    model = network(
        {"h": f(h), "z": f(h)},
        h={"update": (1 - s(z)) * h + s(z) * eta_h},
        z={"value": eta_z},
    )
    filtered(derive(model), {s(S.Zero): Rational(2, 5)})

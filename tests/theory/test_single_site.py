"""What is independent of what, and the covariances that follow."""

from collections.abc import Callable

import pytest
import sympy
from sympy import Expr, Function, Rational, Symbol, tanh

from gatetheory.equations.process import ProcessAverage
from gatetheory.functions import Next, Nonlinear
from gatetheory.model import GaussianInput, Model, fields, local_field, zoo
from gatetheory.theory.dependence import (
    ancestors,
    independent_factors,
    random_roots,
    reads,
    strongly_connected,
)
from gatetheory.theory.single_site import T1, T2, SingleSite, second_cumulant

Build = Callable[..., Model]

h, z, r, a, u = fields("h z r a u")
eta_h, eta_z, eta_r = (local_field(n) for n in "hzr")
theta = Symbol("theta", real=True)
k = Symbol("k", positive=True)


def f(x: Expr) -> Expr:
    return Nonlinear("f", 0, x)


def at(x: Symbol, t: Symbol) -> Expr:
    return Function(x.name, real=True)(t)


def both(integrand: Expr, *symbols: Symbol) -> Expr:
    """⟨f(t) f(t')⟩."""
    first, second = ({x: at(x, t) for x in symbols} for t in (T1, T2))
    return ProcessAverage(integrand.xreplace(first) * integrand.xreplace(second))


def test_the_graph_of_gated() -> None:
    model = zoo.gated()
    assert reads(model) == {h: {h, z}, z: {z}, r: {r}}
    assert ancestors(model) == {h: {h, z}, z: {z}, r: {r}}
    assert random_roots(model)[h] == {eta_h, eta_z}
    order = strongly_connected(model)
    assert order.index((z,)) < order.index((h,))


def test_dependence_passes_through_others(network: Build) -> None:
    model = network({"h": f(h), "z": f(z)}, h=-h + a + eta_h, a=-a + u, u=-u + z, z=-z + eta_z)
    assert ancestors(model)[h] == {h, a, u, z}
    assert random_roots(model)[h] == {eta_h, eta_z}
    assert random_roots(model)[a] == {eta_z}
    assert [c[0] for c in strongly_connected(model)] == [z, u, a, h]


def test_updated_values_carry_their_drivers(network: Build) -> None:
    model = network({"h": f(h), "z": f(z)}, kind="update", h=eta_h, a=Next(h) + a / 2, z=eta_z)
    assert random_roots(model)[a] == {eta_h}
    assert not SingleSite(model).independent(h, a)
    assert SingleSite(model).independent(a, z)


def test_loops_form_one_set(network: Build) -> None:
    model = network({"h": f(h)}, h=-h - a + eta_h, a=-a + h)
    assert strongly_connected(model) == [(h, a)]


def test_factors_are_multiplied_where_they_share_a_root() -> None:
    roots = {h: {1}, z: {2}, r: {3}, a: {1, 3}}
    product = k * f(h) * f(z) * f(r) ** 2
    parts = independent_factors(product, roots)
    assert {p for p in parts if not p.is_Symbol} == {f(h), f(z), f(r) ** 2}
    tied = independent_factors(f(h) * f(z) * f(r) * f(a), roots)
    assert set(tied) == {f(z), f(h) * f(r) * f(a)}
    assert sympy.prod(tied) == f(h) * f(z) * f(r) * f(a)


def test_what_shares_an_input_is_not_independent(network: Build) -> None:
    laws = {"h": -h + eta_h + theta, "z": -z + eta_z + theta}
    signals = {"h": f(h) * f(z), "z": f(z)}
    tied = SingleSite(network(signals, **laws, inputs=(GaussianInput(theta, 1),)))
    assert not tied.independent(h, z)
    assert tied.covariances[eta_h, eta_h] == both(f(h) * f(z), h, z)
    laws["z"] = -z + eta_z
    free = SingleSite(network(signals, **laws, inputs=(GaussianInput(theta, 1),)))
    assert free.covariances[eta_h, eta_h] == both(f(h), h) * both(f(z), z)


def test_a_signal_of_two_fields_with_one_driver_is_not_split(network: Build) -> None:
    model = network({"h": (f(h) * tanh(a), k**2)}, h=-h + eta_h, a=-a + eta_h)
    found = SingleSite(model).covariances[eta_h, eta_h]
    assert found == k**2 * both(f(h) * tanh(a), h, a)


def test_couplings_are_independent_even_with_one_signal(network: Build) -> None:
    model = network({"h": f(h), "z": f(h)}, h=-h + eta_h, z=-z + eta_z)
    site = SingleSite(model)
    assert site.covariances[eta_h, eta_z] == 0
    assert site.covariances[eta_z, eta_z] == both(f(h), h)
    assert second_cumulant(*model.couplings) == (0, 0)


def test_factors_without_fields_are_taken_out(network: Build) -> None:
    model = network({"h": (k * f(h) / 3, Rational(1, 2))}, h=-h + eta_h)
    assert SingleSite(model).covariances[eta_h, eta_h] == k**2 / 18 * both(f(h), h)
    assert SingleSite(model).average(k * sympy.S(2)) == 2 * k


@pytest.mark.parametrize("name", list(zoo.MODELS))
def test_every_covariance_tells_its_story(name: str) -> None:
    model = zoo.MODELS[name]()
    equations = SingleSite(model).equations
    assert equations.tags == tuple(f"C_eta_{c.name}" for c in model.couplings)
    for equation in equations:
        assert [s.name for s in equation.trace] == [
            "couplings", "average", "saddle point", "reduced equation",
        ]  # fmt: skip
        assert equation.trace[-1].expression == equation.rhs
        assert {a.name for a in equation.assumptions} >= {"large N", "independent couplings"}

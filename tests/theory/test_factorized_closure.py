"""Gate and field averaged apart, and where that is refused."""

from collections.abc import Callable

import pytest
import sympy
from sympy import Expr, Function, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.lag_system import KAPPA, LagSystem
from gatetheory.errors import DerivationError
from gatetheory.functions import Nonlinear
from gatetheory.model import (
    POSITIVE,
    REAL,
    ConstantInput,
    Model,
    Parameter,
    fields,
    local_field,
    zoo,
)
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.single_site import SingleSite

Build = Callable[..., Model]

h, v, w, z = fields("h v w z")
eta_h, eta_v, eta_z = (local_field(name) for name in "hvz")
TAU = Symbol("tau", real=True)
T = Parameter("T", 3, POSITIVE, "time constant")


def f(x: Expr) -> Expr:
    return Nonlinear("f", 0, x)


def s(x: Expr) -> Expr:
    return Nonlinear("s", 0, x)


def of_lag(name: str) -> Expr:
    return Function(name, real=True)(TAU)


def derive(model: Model, closure: str = "constant") -> LagSystem:
    return derive_correlations(SingleSite(model), closure)


def same(left: Expr, right: Expr) -> bool:
    return sympy.simplify((left - right).doit()) == 0


def gated_leak(network: Build, law: Expr, **options: object) -> Model:
    return network(
        {"h": f(h), "z": f(h)}, h={"drift": law, **options}, z=-z + eta_z, parameters=(T,)
    )


def test_time_constant_of_a_gated_field(network: Build) -> None:
    """τ ẋ = s (η − x) is ẋ = (s/τ)(η − x): the printed equation and the solver's agree."""
    system = derive(gated_leak(network, s(z) * (eta_h - h), time_constant=T.symbol), "factorized")
    C, T_ = of_lag("C_h"), T.symbol
    pair = system["C_h"].lhs.subs(C.diff(TAU, 2), 0).coeff(C)
    ratio = system["C_h"].lhs.coeff(C.diff(TAU, 2)) / pair
    (held,) = system["C_h"].rhs.atoms(GaussianAverage)
    assert same(ratio, -(T_**2) / held)


def test_source_of_a_gated_field_reproduces_its_equation(network: Build) -> None:
    """(ν² − ∂²) C = S and the factorized equation are one, with a time constant too."""
    system = derive(gated_leak(network, s(z) * (eta_h - h), time_constant=T.symbol), "factorized")
    nu = -system.drift[0, 0] / system.mass[0]
    assert same(system.drives[0, 2], system.mass[0])
    C = system.covariances[0].symbol
    source = system.sources["S_h"].subs(KAPPA, 0)
    gate = next(a for a in source.atoms(GaussianAverage) if a.integrand.has(s(z)))
    expected = gate / T.symbol**2 * (system.sources["C_eta_h"] - C) + nu**2 * C
    assert same(source, expected)


def test_two_gates_factorize_together(network: Build) -> None:
    model = network(
        {"h": f(h), "z": f(h), "v": f(h)},
        h=s(z) * s(v) * (eta_h - h),
        z=-z + eta_z,
        v=-v + eta_v,
    )
    system = derive(model, "factorized")
    lhs = system["C_h"].lhs
    gates = {
        next(iter(a.integrand.atoms(Nonlinear))).argument.name[0]
        for a in lhs.atoms(GaussianAverage)
    }
    assert gates == {"z", "v"}


@pytest.mark.parametrize(
    "law",
    [s(z) * (eta_h - 2 * h), s(z) * eta_h - h, -s(z) * h + eta_h, s(z) * (2 * eta_h - h)],
    ids=str,
)
def test_other_laws_are_not_factorized(network: Build, law: Expr) -> None:
    with pytest.raises(DerivationError, match=r'needs a law s\(y\) .*closure="sampled"'):
        derive(gated_leak(network, law), "factorized")


def test_nothing_to_factorize() -> None:
    with pytest.raises(DerivationError, match="nothing to factorize"):
        derive(zoo.classical(), "factorized")


def test_a_gated_field_and_another_on_one_drive_are_not_factorized(network: Build) -> None:
    """Averaged apart, h and w would lose the covariance that their common drive gives them."""
    model = network({"h": f(h) * s(w), "z": f(h)}, h=s(z) * (eta_h - h), z=-z + eta_z, w=-w + eta_h)
    with pytest.raises(DerivationError, match="eta_h"):
        derive(model, "factorized")


def test_an_input_of_the_gate_is_a_number_in_the_source(network: Build) -> None:
    I0, c = Symbol("I0", real=True), Parameter("c", 1, REAL, "level")
    model = network(
        {"h": f(h), "z": f(h)},
        h=s(z + I0) * (eta_h - h),
        z=-z + eta_z,
        inputs=(ConstantInput(I0, c.symbol),),
        parameters=(c,),
    )
    for closure in ("constant", "factorized"):
        system = derive(model, closure)
        known = {*system.parameters, KAPPA}
        known |= {k.symbol for k in system.covariances} | {k.equal for k in system.covariances}
        for source in system.sources.values():
            assert source.free_symbols <= known, closure

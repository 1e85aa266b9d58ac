"""Lag equations of the stationary state, and the systems that solvers get."""

from collections.abc import Callable

import pytest
import sympy
from sympy import Expr, Function, Lambda, Rational, S, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.lag_system import KAPPA, LagSystem
from gatetheory.errors import DerivationError
from gatetheory.functions import Nonlinear, instantiate
from gatetheory.model import (
    POSITIVE,
    REAL,
    ConstantInput,
    GaussianInput,
    Model,
    Parameter,
    TimeDependentInput,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.limits import derived_limit
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


def unknowns(expression: Expr) -> set[str]:
    """Names of the functions of the lag in an expression, in averages too."""
    return {n.func.__name__ for n in sympy.preorder_traversal(expression) if n.is_Function
            and n.func.__name__.startswith(("C_", "chi_"))}  # fmt: skip


# ---- models of the zoo ----------------------------------------------------------------------


def test_classical_network() -> None:
    system = derive(zoo.classical())
    C = of_lag("C_h")
    assert same(system["C_h"].lhs, C - C.diff(TAU, 2))
    assert system.main == "C_h"
    assert [c.name for c in system.covariances] == ["C_h"]
    assert tuple(system.sources) == ("C_eta_h",)
    assert system.drive_sources == (0,)
    assert set(system.observables) == {"C_phi"}
    assert not system.exact_where


def test_gated_network_shares_the_source_of_its_gates() -> None:
    system = derive(zoo.gated())
    assert tuple(system.sources) == ("C_eta_h", "C_eta_z")
    assert system.drive_sources == (0, 1, 1)
    assert "z and r" in system["C_eta_z"].meaning
    assert set(system.observables) == {"C_phi", "C_sigma_r"}
    assert system.exact_where
    names = {a.name for a in system.equations.assumptions}
    assert {"constant gate", "stationary state", "large N"} <= names


def test_factorized_gate_gets_a_source_of_its_own() -> None:
    system = derive(zoo.gated(), "factorized")
    assert tuple(system.sources) == ("C_eta_h", "C_eta_z", "S_h")
    assert system.drive_sources == (0, 1, 1, 2)
    assert system.drives == sympy.Matrix([[0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]])
    assert system.drift[0, 0] == -1  # the gate's largest value
    assert KAPPA in system.sources["S_h"].free_symbols
    assert "factorized gate" in {a.name for a in system.equations.assumptions}


def test_classical_is_a_limit_of_gated() -> None:
    gated, classical = zoo.gated(), zoo.classical()
    p, g = gated.symbols, classical.symbols["g"]
    opened = {
        **dict.fromkeys((p["alpha_z"], p["alpha_r"], p["beta_h"]), S.Zero),
        **dict.fromkeys((p["beta_z"], p["beta_r"]), -sympy.oo),
    }

    def canonical(expression: Expr) -> Expr:
        return expression.replace(lambda n: isinstance(n, GaussianAverage), lambda n: n.canonical())

    special = derive(classical)
    for closure in ("constant", "factorized"):
        general = derive(gated, closure)
        for tag in ("C_h", "C_eta_h"):
            found = derived_limit(general[tag].residual, gated.definitions, opened)
            expected = instantiate(special[tag].residual, classical.definitions)
            left, right = canonical(found.xreplace({p["g_h"]: g})), canonical(expected)
            assert sympy.expand((left - right).doit()) == 0, (closure, tag)


def test_gru_is_sent_to_sampling() -> None:
    with pytest.raises(DerivationError, match=r'h is non-Gaussian .*closure="sampled"'):
        derive(zoo.gru())


# ---- own models ----------------------------------------------------------------------------


def test_adaptation_is_one_slot(network: Build) -> None:
    model = network(
        {"h": f(v - w)},
        v=-v + eta_h,
        w={"drift": -w + v, "time_constant": T.symbol},
        parameters=(T,),
    )
    system = derive(model)
    assert [c.name for c in system.covariances] == ["C_v", "C_w", "C_u_1"]
    assert system.covariances[-1].first == (1, -1)
    assert system.main == "C_v"


def test_tied_fields_bring_their_cross_covariances(network: Build) -> None:
    system = derive(network({"h": f(v) * s(w)}, v=-v + eta_h, w=-2 * w + eta_h))
    assert {c.name for c in system.covariances} == {"C_v", "C_w", "C_v,w", "C_w,v"}
    assert system.slopes.shape == (1, 4)
    assert all(e != 0 for e in system.slopes)


@pytest.mark.parametrize("closure", ["constant", "factorized"])
def test_equations_close(network: Build, closure: str) -> None:
    """What stands on the right of one equation has an equation of its own."""
    system = derive(
        network(
            {"h": f(h) * s(v - w), "z": f(h) * f(v) * s(w)},
            h=s(z) * (eta_h - h),
            z=-z + eta_z,
            v=-2 * v + eta_z,
            w=-3 * w + v,
        ),
        closure,
    )
    tags = {e.tag for e in system.equations}
    for equation in system.equations:
        assert unknowns(equation.rhs) <= tags, equation.tag


def test_static_input_is_part_of_the_equation(network: Build) -> None:
    G, V = Symbol("G", real=True), Parameter("V", 1, POSITIVE, "variance")
    model = network(
        {"h": f(h)},
        h=-2 * h + eta_h + 3 * G,
        inputs=(GaussianInput(G, variance=V.symbol),),
        parameters=(V,),
    )
    system = derive(model)
    assert system.statics == sympy.Matrix([[3]])
    residual = system["C_h"].residual
    still = residual.replace(Function("C_eta_h", real=True), Lambda(TAU, 0))
    constant = Rational(9, 4) * V.symbol  # (3G/2)² where no other unit drives
    assert same(still.replace(Function("C_h", real=True), Lambda(TAU, constant)), S.Zero)


def test_white_noise_is_part_of_the_equations(network: Build) -> None:
    """Only the symbols are asked for: how a δ at τ = 0 is written is open."""
    xi, D = Symbol("xi", real=True), Parameter("D", 1, POSITIVE, "intensity")
    model = network(
        {"h": f(h) * s(w)},
        h=-h + eta_h,
        w=-w + xi,
        inputs=(WhiteNoise(xi, D.symbol),),
        parameters=(D,),
    )
    system = derive(model)
    assert system.noises == sympy.Matrix([0, 1])
    assert D.symbol in system["C_w"].residual.free_symbols


def test_means_enter_sources(network: Build) -> None:
    I0, c = Symbol("I0", real=True), Parameter("c", 1, REAL, "level")
    model = network(
        {"h": f(h)},
        h=-2 * h + eta_h + I0,
        inputs=(ConstantInput(I0, c.symbol),),
        parameters=(c,),
    )
    system = derive(model)
    assert system.means == sympy.Matrix([c.symbol / 2])
    (average,) = system.sources["C_eta_h"].atoms(GaussianAverage)
    arguments = {n.argument.subs(c.symbol, 0) for n in average.integrand.atoms(Nonlinear)}
    assert arguments == set(average.variables)


def test_equal_signals_of_unequal_strength_are_two_sources(network: Build) -> None:
    model = network({"h": f(h), "v": (f(h), S(9))}, h=-h + eta_h + eta_v)
    system = derive(model)
    assert system.drive_sources == (0, 1)
    assert system.sources["C_eta_v"] == 9 * system.sources["C_eta_h"]
    assert same(system["C_h"].rhs, of_lag("C_eta_h") + of_lag("C_eta_v"))


# ---- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize("closure", ["constant", "factorized"])
def test_an_input_in_time_has_no_stationary_state(network: Build, closure: str) -> None:
    drive, t = Symbol("drive", real=True), Symbol("t", real=True)
    model = network(
        {"h": f(h)},
        h=-h + eta_h + drive,
        inputs=(TimeDependentInput(drive, Lambda(t, sympy.sin(t))),),
    )
    with pytest.raises(DerivationError, match=r"drive depends on time.*two-time"):
        derive(model, closure)


def test_a_signal_without_fields_is_no_accident(network: Build) -> None:
    """A constant signal is a model like any other, or refused with a reason."""
    model = network({"h": S.One}, h=-h + eta_h)
    with pytest.raises(DerivationError, match="h"):
        derive(model)


def test_a_field_may_be_called_like_a_slot(network: Build) -> None:
    (u_1,) = fields("u_1,")
    model = network({"h": f(v - w) * s(u_1)}, v=-v + eta_h, w=-2 * w + v, u_1=-u_1 + eta_h)
    assert any(c.first == (1, -1, 0) for c in derive(model).covariances)

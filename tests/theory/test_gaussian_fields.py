"""The linear system of the Gaussian fields that signals depend on."""

from collections.abc import Callable

import pytest
import sympy
from sympy import Matrix, S, Symbol

from gatetheory.errors import DerivationError
from gatetheory.functions import Nonlinear
from gatetheory.model import (
    POSITIVE,
    REAL,
    ConstantInput,
    GaussianInput,
    Model,
    Parameter,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.theory.gaussian_fields import gaussian_fields

Build = Callable[..., Model]

h, v, w, y, z = fields("h v w y z")
eta_h, eta_v, eta_z = (local_field(name) for name in "hvz")
G, xi, I0 = (Symbol(name, real=True) for name in ("G", "xi", "I0"))
VARIANCE = Parameter("V", 1, POSITIVE, "variance")
INTENSITY = Parameter("D", 1, POSITIVE, "intensity")
LEVEL = Parameter("c", 1, REAL, "level")


def f(x: sympy.Expr, order: int = 0) -> sympy.Expr:
    return Nonlinear("f", order, x)


def s(x: sympy.Expr) -> sympy.Expr:
    return Nonlinear("s", 0, x)


def test_the_classical_network_is_one_leaky_field() -> None:
    found = gaussian_fields(zoo.classical())
    assert found.mass == (1,)
    assert found.drift == Matrix([[-1]])
    assert found.drives == Matrix([[1]])
    assert found.means == Matrix([[0]])
    assert not found.gates
    assert not found.discrete


def test_the_update_gate_is_held_at_its_mean() -> None:
    model = zoo.gated()
    found = gaussian_fields(model)
    rate = Nonlinear("sigma_z", 0, S.Zero)
    assert found.drift == sympy.diag(-rate, -1, -1)
    assert found.drives == sympy.diag(rate, 1, 1)
    assert found.mass == (1, model.symbols["tau_z"], model.symbols["tau_r"])
    (gate,) = found.gates
    assert gate.field == h
    assert gate.given == (z,)
    slope = Nonlinear("sigma_z", 1, z) * (eta_h - h)
    assert [sympy.expand(e - slope) for e in gate.fluctuations] == [0]


def test_a_gate_stands_at_the_mean_that_an_input_gives_it(network: Build) -> None:
    model = network(
        {"h": f(h), "z": f(h)},
        h=s(z) * (eta_h - h),
        z=-2 * z + eta_z + I0,
        inputs=(ConstantInput(I0, LEVEL.symbol),),
        parameters=(LEVEL,),
    )
    found = gaussian_fields(model)
    assert found.means == Matrix([0, LEVEL.symbol / 2])
    assert found.drift[0, 0] == -s(LEVEL.symbol / 2)


def test_a_gate_may_be_driven_by_a_gated_field(network: Build) -> None:
    model = network(
        {"h": f(h), "v": f(h), "z": f(h)},
        h=s(v) * (eta_h - h),
        v=s(z) * (eta_v - v),
        z=-z + eta_z,
    )
    found = gaussian_fields(model)
    assert {g.field for g in found.gates} == {h, v}
    assert found.drift == sympy.diag(-s(S.Zero), -s(S.Zero), -1)


def test_inputs_enter_by_their_columns(network: Build) -> None:
    model = network(
        {"h": f(h - w)},
        h={"drift": -h + eta_h + 3 * G + I0, "time_constant": S(2)},
        w=-5 * w + h + 2 * xi,
        inputs=(
            GaussianInput(G, mean=LEVEL.symbol, variance=VARIANCE.symbol),
            WhiteNoise(xi, INTENSITY.symbol),
            ConstantInput(I0, S(7)),
        ),
        parameters=(VARIANCE, INTENSITY, LEVEL),
    )
    found = gaussian_fields(model)
    assert found.fields == (h, w)
    assert found.mass == (2, 1)
    assert found.drift == Matrix([[-1, 0], [1, -5]])
    assert found.drives == Matrix([1, 0])
    assert found.noises == Matrix([0, 2])
    assert found.intensities == (INTENSITY.symbol,)
    assert found.statics == Matrix([3, 0])
    assert found.variances == (VARIANCE.symbol,)
    mean = 3 * LEVEL.symbol + 7
    assert (found.means - Matrix([mean, mean / 5])).applyfunc(sympy.expand) == Matrix([0, 0])


def test_an_algebraic_field_has_no_mass(network: Build) -> None:
    model = network({"h": s(z), "z": f(h)}, h=-h + z + eta_h, z={"value": h / 2 + eta_z})
    found = gaussian_fields(model)
    assert found.mass == (1, 0)
    assert found.drift == Matrix([[-1, 1], [sympy.Rational(1, 2), -1]])


def test_means_of_a_map_are_its_fixed_point(network: Build) -> None:
    model = network(
        {"h": f(h)},
        kind="update",
        h=h / 3 + eta_h + I0,
        inputs=(ConstantInput(I0, LEVEL.symbol),),
        parameters=(LEVEL,),
    )
    found = gaussian_fields(model)
    assert found.discrete
    assert found.means == Matrix([LEVEL.symbol * sympy.Rational(3, 2)])


def test_fields_that_no_signal_sees_are_left_out(network: Build) -> None:
    model = network({"h": f(h)}, h=-h + w + eta_h, w=-w + eta_h, y=-(y**3) + h)
    assert gaussian_fields(model).fields == (h, w)


@pytest.mark.parametrize(
    "law", [-(h**3) + eta_h, -h + f(eta_h), s(h) * (eta_h - h)], ids=["drift", "drive", "own gate"]
)
def test_non_gaussian_fields_are_sent_to_sampling(network: Build, law: sympy.Expr) -> None:
    with pytest.raises(DerivationError, match=r'h is non-Gaussian .*closure="sampled"'):
        gaussian_fields(network({"h": f(h)}, h=law))


def test_a_gate_that_shares_the_drive_is_refused(network: Build) -> None:
    model = network({"h": f(h)}, h=s(z) * (eta_h - h), z=-z + eta_h)
    with pytest.raises(DerivationError, match="eta_h drives both"):
        gaussian_fields(model)

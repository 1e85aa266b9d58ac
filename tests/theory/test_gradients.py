"""The adjoint theory as equations: what is derived, and what is refused."""

from collections.abc import Callable

import pytest
import sympy
from sympy import Rational, Symbol

from gatetheory.errors import DerivationError, ParameterError
from gatetheory.functions import Nonlinear
from gatetheory.model import POSITIVE, ConstantInput, GaussianInput, Model, Parameter, zoo
from gatetheory.theory.derive import derive
from gatetheory.theory.explicit_slopes import parameter_slopes
from gatetheory.theory.gradients import external_loss

Build = Callable[..., Model]
x, a = sympy.symbols("x a", real=True)
eta = Symbol("eta_x", real=True)


@pytest.fixture
def adapting(network: Build) -> Model:
    b, tau = Parameter("b", "1/2", POSITIVE), Parameter("tau", 5, POSITIVE)
    return network(
        {"x": _f(x)},
        parameters=(b, tau),
        x=-x - b.symbol * a + eta,
        a={"drift": -a + x, "time_constant": tau.symbol},
    )


def _f(argument: sympy.Expr) -> sympy.Expr:
    return Nonlinear("f", 0, argument)


def test_every_coupling_has_a_backward_field_and_a_gradient() -> None:
    tags = derive(zoo.gated()).gradients.equations.tags
    assert {"mu_h", "mu_z", "mu_r", "C_zeta_h", "Q_h", "Q_z", "Q_r", "G_h", "G_r"} <= set(tags)
    assert {"v_h", "C_delta_h", "C_eta_delta_h"} <= set(tags)


def test_the_adjoint_is_the_column_of_the_jacobian(adapting: Model) -> None:
    equations = derive(adapting).gradients.equations
    time = Symbol("t", real=True)
    mu = {n: sympy.Function(f"mu_{n}", real=True)(time) for n in "xa"}
    b = adapting.symbols["b"]
    # a reads x, so that x's adjoint reads a's; x reads −b a
    assert equations["mu_x"].rhs.coeff(mu["a"]) == 1
    assert equations["mu_a"].rhs == -mu["a"] - b * mu["x"]
    lhs = equations["mu_a"].lhs
    assert lhs == -adapting.symbols["tau"] * sympy.Derivative(mu["a"], time)


def test_a_map_steps_back(network: Build) -> None:
    model = network({"x": _f(x)}, kind="update", x=x / 3 + eta)
    time = Symbol("t", real=True)
    found = derive(model).gradients.equations["mu_x"]
    assert found.lhs == sympy.Function("mu_x", real=True)(time - 1)
    assert derive(model).gradients.equations["Q_x"].rhs.has(sympy.Sum)


def test_a_field_that_is_not_gaussian_has_no_closed_equations() -> None:
    problem = derive(zoo.gru()).gradients
    assert problem.closed is None
    assert "non-Gaussian" in problem.refusal
    assert "mu_h" in problem.equations.tags


@pytest.mark.parametrize("text", ["h**2/2", "tanh(h)", "c**2*h", "c*h + h**2"])
def test_a_loss_gradient_that_ties_both_directions_is_refused(text: str) -> None:
    with pytest.raises(DerivationError, match=r"∫ ⟨δ\(Lᵀμ\)\(t\)/δη\(t'\)⟩ ψ\(t'\) dt'"):
        external_loss(zoo.gated(), text, running=False)


def test_a_loss_without_a_symmetric_sign_is_refused() -> None:
    with pytest.raises(DerivationError, match="no symmetric sign"):
        external_loss(zoo.gated(), "h + r", running=False)


def test_losses_that_are_odd_in_the_weight_are_taken() -> None:
    loss = external_loss(zoo.gated(), "3*c*h/2 - c*r", running=True)
    assert loss.slopes == (Rational(3, 2), 0, -1)
    assert loss.is_linear
    assert not external_loss(zoo.gated(), "c*tanh(h)", running=False).is_linear


def test_a_field_without_dynamics_is_not_read_at_single_times() -> None:
    with pytest.raises(DerivationError, match="without dynamics"):
        external_loss(zoo.gru(), "c*z", running=False)
    with pytest.raises(ParameterError, match="may contain"):
        external_loss(zoo.gru(), "c*zz", running=False)


def test_inputs_carry_parameters_into_the_laws(network: Build) -> None:
    s, m = Parameter("w", 2, POSITIVE), Parameter("m", 1, POSITIVE)
    given, bias = sympy.symbols("I J", real=True)
    model = network(
        {"x": _f(x)},
        parameters=(s, m),
        inputs=(
            GaussianInput(given, s.symbol**2, m.symbol),
            ConstantInput(bias, m.symbol * s.symbol),
        ),
        x=-x + eta + 3 * given + bias,
    )
    by_s = parameter_slopes(model, s.symbol)
    by_m = parameter_slopes(model, m.symbol)
    assert sympy.simplify(by_s.laws[0] - 3 * (given - m.symbol) / s.symbol - m.symbol) == 0
    assert by_m.laws[0] == 3 + s.symbol


def test_definitions_and_scales_depend_on_parameters(network: Build) -> None:
    s = Parameter("w", 2, POSITIVE)
    model = network({"x": (_f(x), s.symbol**2)}, parameters=(s,), x=-x + eta)
    k = model.symbols["k"]
    assert parameter_slopes(model, k).signals[0] == x * sympy.sech(k * x) ** 2
    assert parameter_slopes(model, s.symbol).scales[0] == 1 / s.symbol


def test_the_transposed_jacobian_has_the_same_boundary() -> None:
    for name in ("gated", "classical", "gru"):
        theory = derive(zoo.MODELS[name]())
        ours, theirs = theory.gradients.adjoint_spectrum(), theory.spectrum
        assert sympy.expand(ours["boundary"].rhs - theirs["boundary"].rhs) == 0
        assert theirs.readouts == ours.drives.T

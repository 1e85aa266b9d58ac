"""The transfer matrix and the condition on it, against linear algebra and by hand."""

from collections.abc import Callable

import numpy as np
import pytest
import sympy
from sympy import Abs, Expr, Rational, Symbol, tanh

from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import Nonlinear, instantiate
from gatetheory.model import POSITIVE, Model, Parameter, fields, local_field, zoo
from gatetheory.theory.derive import derive
from gatetheory.theory.fixed_points import fixed_point_law
from gatetheory.theory.jacobian import jacobian_parts, synthetic_law
from gatetheory.theory.spectrum import (
    LAMBDA,
    boundary_condition,
    nest,
    squared_modulus,
    transfer_matrix,
)

Build = Callable[..., Model]

h, z, r, a = fields("h z r a")
eta_h, eta_z = local_field("h"), local_field("z")
k = Symbol("k", positive=True)
TAU = Parameter("tau", 3, POSITIVE)


def f(x: Expr, order: int = 0) -> Expr:
    return Nonlinear("f", order, x)


def s(x: Expr, order: int = 0) -> Expr:
    return Nonlinear("s", order, x)


def own(network: Build) -> Model:
    """Two fast fields, a gate on the input of one, and a signal that reads both."""
    return network(
        {"h": (f(h) * s(a), k / 2), "z": (f(h) + tanh(a), Rational(1, 3))},
        h=-h + s(z) * eta_h - a / 2,
        a={"drift": -a + h, "time_constant": TAU.symbol},
        z=-z + eta_z,
        parameters=(TAU,),
    )


def looped_map(network: Build) -> Model:
    return network(
        {"h": f(h) * a, "z": f(h)},
        kind="update",
        h=(1 - s(z)) * h + s(z) * tanh(eta_h),
        a=a / 2 + h * eta_z / 3,
        z={"value": eta_z + h / 5},
    )


@pytest.mark.parametrize("make", [own, looped_map], ids=["own", "looped_map"])
def test_every_entry_is_the_response_of_a_unit(
    network: Build, make: Callable[[Build], Model]
) -> None:
    """Before averaging: s_a² |R_a (λE − A)^{-1} L_b|² by numbers at random states."""
    model = make(network)
    parts = jacobian_parts(model)
    integrand = transfer_matrix(parts, lambda e: e)
    generator = np.random.default_rng(5)
    symbols = [*(x.symbol for x in model.fields), *(c.local_field for c in model.couplings)]
    for _ in range(3):
        at = dict(zip(symbols, map(float, generator.normal(size=len(symbols))), strict=True))
        lam = complex(*generator.normal(size=2))

        def number(matrix: sympy.Matrix, at: dict[Symbol, float] = at) -> np.ndarray:
            plain = instantiate(matrix, model.definitions).subs(model.bind())
            return np.array(plain.subs(at).evalf().tolist(), dtype=complex)

        A, L, R = (number(m) for m in (parts.drift, parts.drives, parts.readouts))
        E = np.diag(number(sympy.Matrix([parts.mass]))[0])
        variances = number(sympy.Matrix([parts.variances]))[0]
        response = R @ np.linalg.solve(lam * E - A, L)
        expected = variances[:, None] * np.abs(response) ** 2
        with_lam = integrand.subs(LAMBDA, sympy.sympify(lam))
        assert np.allclose(number(with_lam), expected, rtol=1e-9, atol=1e-12)


def test_a_readout_of_two_fields_keeps_its_cross_term(network: Build) -> None:
    """ψ = f(h) + h: the response is the square of the sum, not the sum of squares."""
    model = network({"h": f(h) + h}, h=-h + eta_h)
    transfer = derive(model).spectrum.transfer[0]
    D = Symbol("Delta_h", nonnegative=True)
    expected = GaussianAverage((1 + f(h, 1)) ** 2, (h,), [[D]]) / Abs(LAMBDA + 1) ** 2
    assert transfer == expected
    two = network({"h": f(h) + a}, h=-h + eta_h, a=-2 * a + eta_h)
    found = derive(two).spectrum.transfer[0]
    at_zero = found.subs({LAMBDA: 0, D: 0}).subs(f(sympy.S.Zero, 1), 3)
    assert at_zero == (3 + Rational(1, 2)) ** 2


def test_the_boundary_of_our_own_model(network: Build) -> None:
    """Solved by hand: the gate z is read nowhere but drives h, so K has rank one and a half."""
    model = own(network)
    theory = derive(model)
    law = fixed_point_law(model)
    lam, tau = LAMBDA, TAU.symbol
    h_of = {"h": s(z), "z": s(z, 1) * eta_h / (1 + lam)}  # what drives h, from each local field
    chi = 1 / (lam + 1 + Rational(1, 2) / (1 + tau * lam))
    entries = sympy.zeros(2, 2)
    for j, drive in enumerate(h_of.values()):
        d_h = chi * drive
        d_a = d_h / (1 + tau * lam)
        psi_h = f(h, 1) * s(a) * d_h + f(h) * s(a, 1) * d_a
        psi_z = f(h, 1) * d_h + sympy.sech(a) ** 2 * d_a
        for i, (variance, psi) in enumerate([(k / 2, psi_h), (Rational(1, 3), psi_z)]):
            square = squared_modulus(law(psi))
            average = GaussianAverage(square, law.variables, law.covariance)
            entries[i, j] = variance * average
    assert sympy.Matrix(theory.spectrum.transfer) == entries
    determinant = sympy.expand((sympy.eye(2) - entries).det())
    assert sympy.expand(theory.spectrum["boundary"].residual - determinant) == 0


def test_gated_in_the_form_of_the_brief() -> None:
    spectrum = derive(zoo.gated()).spectrum
    phi = [Nonlinear("phi", n, h) for n in range(2)]
    sigma = [Nonlinear("sigma_r", n, r) for n in range(2)]
    gate = Nonlinear("sigma_z", 0, z)
    D = {x: Symbol(f"Delta_{x}", nonnegative=True) for x in (h, z, r)}
    tau_r = zoo.gated().symbols["tau_r"]

    def avg(e: Expr) -> Expr:
        return GaussianAverage.independent(e, D)

    expected = avg(phi[1] ** 2 * gate**2 / Abs(LAMBDA + gate) ** 2) * (
        avg(sigma[0] ** 2) + avg(phi[0] ** 2) * avg(sigma[1] ** 2) / Abs(1 + tau_r * LAMBDA) ** 2
    )
    assert spectrum["boundary"].rhs == expected
    assert not spectrum.discrete
    assert derive(zoo.gru()).spectrum.discrete


def test_tags_name_the_couplings(network: Build) -> None:
    gated = derive(zoo.gated()).spectrum.equations.tags
    assert gated == ("boundary", "boundary_anywhere", "K_hh", "K_hr", "K_zh", "K_rh")
    u, uu = fields("u uu")
    laws = {"u": -u + local_field("u"), "uu": -uu + local_field("uu")}
    ambiguous = network({"u": f(u) * f(uu), "uu": f(u) * f(uu)}, **laws)
    tags = derive(ambiguous).spectrum.equations.tags
    assert len(set(tags)) == len(tags) == 6
    assert "K_u,uu" in tags


def test_modulus_stands_only_where_lambda_is() -> None:
    found = squared_modulus(k * f(h) * (LAMBDA + 1) / ((LAMBDA + s(z)) ** 2 * (1 + k)))
    expected = (k * f(h) / (1 + k)) ** 2 * Abs(LAMBDA + 1) ** 2 / Abs(LAMBDA + s(z)) ** 4
    assert found == expected
    assert squared_modulus(sympy.S.Zero) == 0


def test_nesting_changes_nothing() -> None:
    p, q, t, u = sympy.symbols("p q t u")
    flat = p * q * t + p * q * u - 2 * p**2 * t + q + 3
    assert sympy.expand(nest(flat) - flat) == 0
    assert nest(p * q + p * t) == p * (q + t)
    assert nest(sympy.S.Zero) == 0


def test_the_determinant_of_any_transfer_matrix() -> None:
    x = Symbol("x", real=True)
    entries = [
        GaussianAverage(Nonlinear(f"f{i}", 0, x) ** 2, (x,), [[k]]) * (i % 4) for i in range(9)
    ]
    K = sympy.ImmutableDenseMatrix(3, 3, entries)
    found = boundary_condition(K)
    assert sympy.expand(1 - found - (sympy.eye(3) - K).det()) == 0


def test_an_undriven_mode_is_no_part_of_the_transfer(network: Build) -> None:
    model = network({"h": f(h)}, h=-h + eta_h, a=-5 * a + h)
    assert derive(model).spectrum.transfer[0].atoms(Abs) == {Abs(LAMBDA + 1)}
    assert synthetic_law(model).variables == (h,)

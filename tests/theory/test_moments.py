"""Moments of the Jacobian against finite matrices, and where they do not exist."""

from collections.abc import Callable

import numpy as np
import pytest
import sympy
from sympy import Expr, Rational, Symbol, tanh

from gatetheory.equations.averages import GaussianAverage
from gatetheory.errors import DerivationError
from gatetheory.functions import Nonlinear
from gatetheory.model import POSITIVE, Model, Parameter, fields, local_field, zoo
from gatetheory.theory.derive import derive
from gatetheory.theory.jacobian import JacobianParts
from gatetheory.theory.moments import planar_moments

Build = Callable[..., Model]

h, z, a = fields("h z a")
eta_h, eta_z = local_field("h"), local_field("z")
k = Symbol("k", positive=True)
TAU = Parameter("tau", 3, POSITIVE)


def f(x: Expr) -> Expr:
    return Nonlinear("f", 0, x)


def test_one_field_by_hand() -> None:
    moments = derive(zoo.classical()).moments
    slope = Nonlinear("phi", 1, h)
    D = Symbol("Delta_h", nonnegative=True)
    m2, m4 = (GaussianAverage(slope**n, (h,), [[D]]) for n in (2, 4))
    assert moments.moments[0] == 1 + m2
    assert sympy.expand(moments["moment_2"].rhs - (1 + 4 * m2 + m4 + m2**2)) == 0
    assert moments["trace"].rhs == -1


def test_time_constants_divide_rates_and_drives(network: Build) -> None:
    tau = TAU.symbol
    law = {"drift": -h + eta_h, "time_constant": tau}
    slow = derive(network({"h": (f(h), k)}, h=law, parameters=(TAU,))).moments
    fast = derive(network({"h": (f(h), k)}, h=-h + eta_h)).moments
    for n in range(3):
        assert sympy.expand(slow.moments[n] * tau ** (2 * (n + 1)) - fast.moments[n]) == 0
    assert slow.trace == -1 / tau


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (2, 3)])
def test_finite_matrices(shape: tuple[int, int]) -> None:
    """Random local matrices on 300 units: Tr (D Dᵀ)^k / N over three networks."""
    F, couplings = shape
    units = 300
    generator = np.random.default_rng(17)
    u = Symbol("u", real=True)

    def local(rows: int, columns: int) -> sympy.ImmutableDenseMatrix:
        entries = [Rational(int(c), 8) for c in generator.integers(-8, 9, (rows * columns))]
        tilted = [c + u * Rational(n + 1, 4) for n, c in enumerate(entries)]
        return sympy.ImmutableDenseMatrix(rows, columns, tilted)

    parts = JacobianParts(
        local(F, F),
        local(F, couplings),
        local(couplings, F),
        (sympy.S.One,) * F,
        tuple(Rational(n + 1, 2) for n in range(couplings)),
    )
    states = generator.normal(size=units)

    def average(e: Expr) -> Expr:
        poly = sympy.Poly(e, u) if e.has(u) else None
        if poly is None:
            return e
        return sympy.Add(*(c * sympy.Float(np.mean(states**m)) for (m,), c in poly.terms()))

    expected = np.array([float(m) for m in planar_moments(parts, average, 3)])
    A, L, R = (
        np.array(
            [[sympy.lambdify(u, e)(states) * np.ones(units) for e in row] for row in m.tolist()]
        )
        for m in (parts.drift, parts.drives, parts.readouts)
    )
    found = []
    for _ in range(3):
        D = np.einsum("fgn,nm->fngm", A, np.eye(units))
        for c in range(couplings):
            J = generator.normal(0, np.sqrt(float(parts.variances[c]) / units), (units, units))
            D += np.einsum("fn,nm,gm->fngm", L[:, c], J, R[c])
        matrix = D.reshape(F * units, F * units)
        square = matrix @ matrix.T
        power = np.eye(F * units)
        traces = []
        for _ in range(3):
            power = power @ square
            traces.append(np.trace(power) / units)
        found.append(traces)
    deviation = np.mean(found, axis=0) / expected - 1
    assert np.all(np.abs(deviation) < [0.03, 0.06, 0.10]), deviation


def test_algebraic_fields_are_refused(network: Build) -> None:
    with pytest.raises(DerivationError, match=r"z is algebraic.*time constant"):
        _ = derive(network({"h": f(h), "z": f(h)}, h=-h + z * eta_h, z={"value": eta_z})).moments
    with pytest.raises(DerivationError, match="algebraic"):
        _ = derive(zoo.gru()).moments


def test_the_state_enters_through_its_law(network: Build) -> None:
    model = network({"h": f(h) * tanh(a)}, h=-h + eta_h, a=-a + 2 * h)
    first = derive(model).moments.moments[0]
    D = Symbol("Delta_h", nonnegative=True)
    assert first.free_symbols == {D}
    # A = [[−1, 0], [2, −1]]; L = (1, 0); R = (f' tanh a, f sech² a) with a = 2h.
    at_zero = {f(sympy.S.Zero): 0, Nonlinear("f", 1, sympy.S.Zero): 3}
    assert sympy.expand(first.subs(D, 0).subs(at_zero)) == 6
    tags = derive(model).moments.equations.tags
    assert tags == ("moment_1", "moment_2", "moment_3", "trace")

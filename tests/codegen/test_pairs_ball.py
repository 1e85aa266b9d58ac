"""Averages over pairs to many digits: closed forms, doubles, another quadrature, refusals."""

from __future__ import annotations

from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy as sp
from sympy import Expr, ImmutableDenseMatrix

import gatetheory as gt
from gatetheory.codegen import pairs_ball, pairs_numpy
from gatetheory.codegen.precision_ball import midpoint, working_precision
from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.lag_system import KAPPA
from gatetheory.errors import ConvergenceError, DerivationError, ParameterError
from gatetheory.functions import instantiate, logistic

X, Y = sp.symbols("x y", real=True)
C, V, W, G = sp.symbols("c v w g", real=True)
RATIOS = [Fraction(r) for r in ("0", "-1/2", "1/2", "9/10", "999/1000", "1", "-1")]


def pair(f: Expr, first: Expr = V, second: Expr = V) -> Expr:
    return GaussianAverage(f, (X, Y), ImmutableDenseMatrix([[first, C], [C, second]]))


def closed_form(name: str, c: flint.arb, v: flint.arb, g: flint.arb) -> flint.arb:
    if name == "erf":
        return 2 / flint.arb.pi() * (2 * g * g * c / (1 + 2 * g * g * v)).asin()
    if name == "exp":
        return (g * g * (v + c)).exp()
    return (-g * g * v).exp() * (g * g * c).sinh()


@pytest.mark.parametrize(("name", "f"), [("erf", sp.erf), ("exp", sp.exp), ("sin", sp.sin)])
def test_closed_forms_to_fifty_digits(name: str, f: type[sp.Function]) -> None:
    """⟨erf erf⟩ is an arcsine, ⟨exp exp⟩ an exponential, ⟨sin sin⟩ a hyperbolic sine."""
    program = pairs_ball.compile_pairs([pair(f(G * X) * f(G * Y))], [C, V, G])
    v, g = Fraction(3, 10), Fraction(7, 4)
    found = program([r * v for r in RATIOS], v, g, digits=50)
    with working_precision(300):
        scale = abs(found[0, 5])
        for i, r in enumerate(RATIOS):
            balls = [flint.arb(flint.fmpq(q.numerator, q.denominator)) for q in (r * v, v, g)]
            exact = closed_form(name, *balls)
            # Arguments are read as the midpoints of their balls, 1/3 or 3/10 too.
            assert abs(found[0, i].mid() - exact) < scale * flint.arb("1e-50")
            assert found[0, i].rad() < scale * flint.arb("1e-50")


def test_a_product_of_variables_is_their_covariance() -> None:
    program = pairs_ball.compile_pairs(
        [GaussianAverage(X * Y, (X, Y), [[V, C], [C, W]], evaluate=False)], [C, V, W]
    )
    found = program([0, 1, -2, Fraction(1, 4)], 1, 4, digits=40)
    for value, exact in zip(found.tolist()[0], (0, 1, -2, 0.25), strict=True):
        assert abs(value.mid() - exact) < flint.arb("1e-40")


SINGLE = {
    "tanh": (sp.tanh(G * X), mpmath.tanh),
    "logistic": (logistic(G * X - 1), lambda t: 1 / (1 + mpmath.exp(1 - t))),
}


def nested(f: object, g: mpmath.mpf, r: mpmath.mpf, context: object) -> mpmath.mpf:
    """⟨f(gx) f(gy)⟩ at unit variances by quadrature over x and the rest of y."""
    mp = context
    grid = [mp.mpf(j) / 8 for j in range(-100, 101)]
    weights = [mp.exp(-t * t / 2) / 8 / mp.sqrt(2 * mp.pi) for t in grid]
    rest = mp.sqrt(1 - r * r)
    outer = [(w * f(g * t), r * t) for w, t in zip(weights, grid, strict=True)]
    if not rest:
        return mp.fsum(a * f(g * s) for a, s in outer)
    return mp.fsum(
        a * mp.fsum(w * f(g * (s + rest * t)) for w, t in zip(weights, grid, strict=True))
        for a, s in outer
    )


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("ratio", ["-1/2", "999/1000", "1"])
def test_an_independent_quadrature_at_thirty_digits(name: str, ratio: str) -> None:
    """The trapezoidal rule over both variables, whose step 1/8 is far below what 30 digits need."""
    f, plain = SINGLE[name]
    g = Fraction(3, 8)
    program = pairs_ball.compile_pairs([pair(f * f.xreplace({X: Y}))], [C, V, G])
    found = program([Fraction(ratio)], 1, g, digits=30)[0, 0]
    with mpmath.workdps(40):
        r = mpmath.mpf(Fraction(ratio).numerator) / Fraction(ratio).denominator
        expected = nested(plain, mpmath.mpf(3) / 8, r, mpmath)
        assert abs(midpoint(found) - expected) < mpmath.mpf("1e-30")


def test_derivatives_and_unequal_variances_agree_with_doubles() -> None:
    e = pair(sp.tanh(G * X) * logistic(2 * Y - 1), V, W) + C * G
    outputs = [e, e.diff(C), e.diff(V), e.diff(W), e.diff(G), e.diff(C, 2)]
    exact = pairs_ball.compile_pairs(outputs, [C, V, W, G])
    plain = pairs_numpy.compile_pairs(outputs, [C, V, W, G])
    v, w, g = 0.5, 0.75, 1.25
    c = [r * (v * w) ** 0.5 * (1 - 1e-9) for r in map(float, RATIOS)]
    found = exact(c, v, w, g, digits=20)
    expected = plain(np.array(c), v, w, g)
    difference = np.array([[float(a) for a in row] for row in found.tolist()]) - expected
    assert np.abs(difference).max() < 2e-12 * np.abs(expected).max()


def test_sources_and_slopes_of_a_gated_network_agree_with_doubles() -> None:
    """All that Newton's method on the lag system asks for, at the point where chaos starts."""
    system = gt.derive(gt.zoo.gated()).correlations.lag_system("constant")
    values = system.bind({"g_h": "1.86", "alpha_r": 10, "tau_r": 1})
    outputs = [
        instantiate(s, system.definitions)
        for s in (*system.sources.values(), *system.slopes, *system.equal_time_slopes)
        if s != 0
    ]
    unknown = [k.symbol for k in system.covariances] + [k.equal for k in system.covariances]
    arguments = [*unknown, KAPPA, *system.parameters]
    exact = pairs_ball.compile_pairs(outputs, arguments)
    plain = pairs_numpy.compile_pairs(outputs, arguments)
    shape = np.array([1.0, 0.9, 0.5, 0.1, 0.0])
    equal = [Fraction(1, 50 - 7 * i) for i in range(len(system.covariances))]
    given = [
        *[[e * Fraction(int(10 * s), 10) for s in shape] for e in equal],
        *equal,
        0,
        *[values[p] for p in system.parameters],
    ]
    found = exact(*given, digits=20)
    doubles = [np.array(g, dtype=float) if isinstance(g, list) else float(g) for g in given]
    expected = plain(*doubles)
    for row, other in zip(found.tolist(), expected, strict=True):
        assert np.abs(np.array([float(a) for a in row]) - other).max() < 1e-12 * max(
            1.0, np.abs(other).max()
        )


def test_higher_precision_stays_inside_the_radii_and_tables_are_not_stale() -> None:
    e = pair(sp.tanh(G * X) * sp.tanh(G * Y))
    program = pairs_ball.compile_pairs([e, e.diff(V)], [C, V, G])
    first = program(["1/8", "1/10"], "1/8", 2, digits=25)
    other = program(["1/8", "1/10"], "1/8", 3, digits=25)
    finer = program(["1/8", "1/10"], "1/8", 2, digits=45)
    again = program(["1/8", "1/10"], "1/8", 2, digits=25)
    for a, b, d, o in zip(
        first.entries(), finer.entries(), again.entries(), other.entries(), strict=True
    ):
        assert a.overlaps(b)
        assert a.rad() < flint.arb("1e-24")
        assert a.mid() == d.mid()
        assert not a.overlaps(o)


def test_strong_correlations_after_weak_ones_get_the_terms_they_need() -> None:
    program = pairs_ball.compile_pairs([pair(sp.erf(G * X) * sp.erf(G * Y))], [C, V, G])
    program(["1/100"], 1, 2, digits=30)
    found = program([1], 1, 2, digits=30)[0, 0]
    with working_precision(200):
        exact = closed_form("erf", flint.arb(1), flint.arb(1), flint.arb(2))
        assert abs(found.mid() - exact) < flint.arb("1e-30")
        assert found.contains(exact)


def test_the_callers_precision_is_left_alone() -> None:
    before = flint.ctx.prec
    program = pairs_ball.compile_pairs([pair(sp.tanh(X) * sp.tanh(Y))], [C, V])
    program([0], 1, digits=30)
    with pytest.raises(ParameterError):
        program([2], 1, digits=30)
    assert flint.ctx.prec == before


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(DerivationError, match="not analytic"):
        pairs_ball.compile_pairs([pair(sp.Abs(X) * sp.tanh(Y))], [C, V])
    with pytest.raises(DerivationError, match="no product"):
        pairs_ball.compile_pairs([pair(sp.tanh(X * Y))], [C, V])
    program = pairs_ball.compile_pairs([pair(sp.tanh(G * X) * sp.tanh(G * Y))], [C, V, G])
    with pytest.raises(ParameterError, match="varies from pair to pair"):
        program([0, 0], [1, 2], 1, digits=20)
    with pytest.raises(ParameterError, match="larger than the variances"):
        program([2], 1, 1, digits=20)
    with pytest.raises(ParameterError, match="no variance"):
        program([0], -1, 1, digits=20)
    with pytest.raises(ParameterError, match="different lengths"):
        program([0, 0], [1, 1, 1], 1, digits=20)
    with pytest.raises(ConvergenceError, match="terms of a Hermite series"):
        program([1], 1, 60, digits=60)

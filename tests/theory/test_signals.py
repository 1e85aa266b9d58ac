"""Slots: what signals read, and what their averages at two times depend on."""

from collections.abc import Mapping

import sympy
from sympy import Expr, Rational, S, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import Nonlinear
from gatetheory.theory.signals import Slots

v, w, r = (Symbol(name, real=True) for name in "vwr")
root, other = Symbol("eta_v"), Symbol("eta_r")
ROOTS: Mapping[Symbol, frozenset[Symbol]] = {
    v: frozenset({root}),
    w: frozenset({root}),
    r: frozenset({other}),
}
C_v, C_w, C_r, C_vw, C_wv, C_u = (
    Symbol(f"C_{n}", real=True) for n in ("v", "w", "r", "v,w", "w,v", "u_1")
)


def f(x: Expr, order: int = 0) -> Expr:
    return Nonlinear("f", order, x)


def g(x: Expr, order: int = 0) -> Expr:
    return Nonlinear("g", order, x)


def slots(means: tuple[Expr, ...] = (S.Zero, S.Zero, S.Zero)) -> Slots:
    return Slots((v, w, r), means, ROOTS)


def source(signal: Expr, made: Slots | None = None) -> Expr:
    s = made or slots()
    reading = s.read(signal)
    return s.two_times(reading, reading)


def test_independent_fields_factor() -> None:
    found = source(f(v) * g(r))
    assert found == source(f(v)) * source(g(r))
    assert len(found.atoms(GaussianAverage)) == 2


def test_fields_of_one_drive_stay_together() -> None:
    made = slots()
    found = source(f(v) * g(w), made)
    (average,) = found.atoms(GaussianAverage)
    assert len(average.variables) == 4
    assert {C_v, C_w, C_vw, C_wv} <= found.free_symbols
    names = {c.name for c in made.covariances}
    assert {"C_v", "C_w", "C_v,w", "C_w,v"} == names


def test_equal_time_covariance_is_one_number_for_both_orders() -> None:
    found = source(f(v) * g(w))
    assert Symbol("C_v,w(0)", real=True) in found.free_symbols
    assert Symbol("C_w,v(0)", real=True) not in found.free_symbols


def test_the_later_field_is_named_first() -> None:
    """⟨v(t+τ) w(t)⟩ is C_v,w(τ), and the other order is C_w,v(τ)."""
    made = slots()
    assert made.two_times(made.read(v), made.read(w)) == C_vw
    assert made.two_times(made.read(w), made.read(v)) == C_wv


def test_a_difference_inside_a_nonlinearity_is_one_variable() -> None:
    made = slots()
    found = source(f(v - 2 * w), made)
    (average,) = found.atoms(GaussianAverage)
    assert len(average.variables) == 2
    (combined,) = made.covariances
    assert combined.first == combined.second == (1, -2, 0)
    assert found.diff(combined.symbol).has(Nonlinear)


def test_a_difference_read_twice_is_found_once() -> None:
    made = slots()
    found = source(f(v - w) * g(v - w), made)
    assert len(found.atoms(GaussianAverage)) == 1
    assert [c.name for c in made.covariances] == ["C_u_1"]


def test_a_difference_beside_its_part_is_tied_to_it() -> None:
    made = slots()
    source(f(v - w) * g(v), made)
    by_name = {c.name: c for c in made.covariances}
    assert set(by_name) == {"C_u_1", "C_v", "C_u_1,v", "C_v,u_1"}
    assert by_name["C_u_1,v"].first == (1, -1, 0)
    assert by_name["C_u_1,v"].second == (1, 0, 0)


def test_a_sum_of_independent_fields_is_tied_to_both() -> None:
    made = slots()
    source(f(v + r) * g(r) * g(v), made)
    names = {c.name for c in made.covariances}
    assert {"C_u_1,v", "C_u_1,r"} <= names
    assert not {"C_v,r", "C_r,v"} & names


def test_means_move_the_argument() -> None:
    a = Symbol("a", real=True)
    found = source(f(v), slots((a, S.Zero, S.Zero)))
    (average,) = found.atoms(GaussianAverage)
    arguments = {n.argument for n in average.integrand.atoms(Nonlinear)}
    early = Symbol("v'", real=True)
    assert arguments == {a + v, a + early}
    combined = slots((a, 2 * a, S.Zero)).read(f(v + w + 5))
    assert combined == f(Symbol("u_1", real=True) + 3 * a + 5)


def test_a_linear_signal_is_its_covariance() -> None:
    assert source(v - w) == C_v + C_w - C_vw - C_wv
    assert source(v / 2 + 3) == C_v / 4 + 9


def test_what_is_not_affine_is_left_to_its_fields() -> None:
    made = slots()
    source(f(v * w), made)
    assert {c.name for c in made.covariances} == {"C_v", "C_w", "C_v,w", "C_w,v"}


def test_slopes_follow_from_price() -> None:
    found = source(f(v))
    variance = Symbol("C_v(0)", real=True, nonnegative=True)
    early = Symbol("v'", real=True)
    matrix = [[variance, C_v], [C_v, variance]]

    def average(integrand: Expr) -> Expr:
        return GaussianAverage(integrand, (v, early), matrix)

    assert found.diff(C_v) == average(f(v, 1) * f(early, 1))
    both = average(f(v, 2) * f(early)) + average(f(v) * f(early, 2))
    assert sympy.expand(found.diff(variance) - both * Rational(1, 2)) == 0


def test_a_field_may_be_called_like_a_slot() -> None:
    """A combination of two fields is not mistaken for the field u_1."""
    u_1 = Symbol("u_1", real=True)
    made = Slots((v, w, u_1), (S.Zero,) * 3, {x: frozenset({root}) for x in (v, w, u_1)})
    assert made.read(f(v - w) * f(u_1)) != made.read(f(u_1) ** 2)

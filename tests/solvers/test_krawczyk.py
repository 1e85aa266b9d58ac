"""Proofs of roots: what is claimed must be true, and what is not so must not be proved."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product

import flint
import mpmath
import pytest
from flint import arb

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.solvers.krawczyk import Enclosure, prove

Scalar = Callable[[arb], arb]


def prove_one(function: Scalar, slope: Scalar, start: object, digits: int) -> Enclosure:
    return prove(lambda x: [function(*x)], lambda x: [[slope(*x)]], [start], digits)


def ends(interval: tuple[str, str]) -> tuple[Fraction, Fraction]:
    low, high = map(Fraction, interval)
    return low, high


def with_roots(*roots: Fraction) -> tuple[Scalar, Scalar]:
    """A polynomial with these roots, and its derivative."""
    balls = [arb(flint.fmpq(r.numerator, r.denominator)) for r in roots]

    def value(x: arb) -> arb:
        total = arb(1)
        for r in balls:
            total *= x - r
        return total

    def slope(x: arb) -> arb:
        total = arb(0)
        for k in range(len(balls)):
            part = arb(1)
            for r in balls[:k] + balls[k + 1 :]:
                part *= x - r
            total += part
        return total

    return value, slope


# ---- what is true --------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [1, 5, 30, 200, 1000])
@pytest.mark.parametrize("start", ["1.4", "1.41421356237309504880168872420969807857", 2])
def test_square_root_of_two(digits: int, start: object) -> None:
    found = prove_one(lambda x: x * x - 2, lambda x: 2 * x, start, digits)
    low, high = ends(found.intervals[0])
    assert low * low < 2 < high * high
    assert high - low < 3 * Fraction(10) ** -digits
    assert found.digits == digits


@pytest.mark.parametrize("digits", [1, 2, 3, 15])
@pytest.mark.parametrize("gap", [Fraction(1, 4), Fraction(29, 100), Fraction(1, 50), 10**-6])
def test_no_other_root_in_the_box(digits: int, gap: Fraction) -> None:
    """The box is proved free of others only as far as it was tested: rounding must not widen it."""
    one = Fraction(141, 100)
    roots = one - Fraction(gap), one, one + Fraction(gap)
    found = prove_one(*with_roots(*roots), "1.41", digits)
    low, high = ends(found.box[0])
    assert low < one < high
    assert not [r for r in roots if r != one and low <= r <= high]
    assert f"no other in [{found.box[0][0]}, {found.box[0][1]}]" in found.proved
    inner_low, inner_high = ends(found.intervals[0])
    assert inner_low <= one <= inner_high


def test_a_root_at_zero() -> None:
    found = prove_one(lambda x: x.sin(), lambda x: x.cos(), 0, 20)
    low, high = ends(found.intervals[0])
    assert low < 0 < high < Fraction(10) ** -20
    assert ends(found.box[0])[1] < 3.14


@pytest.mark.parametrize("size", [-400, 300])
def test_numbers_beyond_doubles(size: int) -> None:
    def unit() -> arb:
        return arb(10) ** size  # at the precision of the proof

    found = prove_one(
        lambda x: (x / unit()) ** 2 - 2, lambda x: 2 * x / unit() ** 2, f"1.5e{size}", 25
    )
    low, high = (Fraction(text) / Fraction(10) ** size for text in found.intervals[0])
    assert low * low < 2 < high * high
    assert high - low < 1e-24


def test_three_equations_against_mpmath() -> None:
    """x = cos y, y = cos z / 2, z = e^(−x) + 1 in ball arithmetic and by mpmath.findroot."""

    def values(u: list[arb]) -> list[arb]:
        x, y, z = u
        return [x - y.cos(), y - z.cos() / 2, z - (-x).exp() - 1]

    def jacobian(u: list[arb]) -> list[list[arb]]:
        x, y, z = u
        one, none = arb(1), arb(0)
        return [[one, y.sin(), none], [none, one, z.sin() / 2], [(-x).exp(), none, one]]

    found = prove(values, jacobian, ["1", "0.1", "1.3"], 60)
    with mpmath.workdps(80):
        roots = mpmath.findroot(
            lambda x, y, z: [
                x - mpmath.cos(y), y - mpmath.cos(z) / 2, z - mpmath.exp(-x) - 1
            ],
            (1, 0.1, 1.3), tol=1e-150,
        )  # fmt: skip
        for root, (low, high) in zip(roots, found.intervals, strict=True):
            assert mpmath.mpf(low) < root < mpmath.mpf(high)
            assert mpmath.mpf(high) - mpmath.mpf(low) < mpmath.mpf(10) ** -59


def test_pairs_of_roots_of_a_plane_system() -> None:
    """x² + y² = 25, x y = 12 has four solutions (±3, ±4), (±4, ±3); every one by itself."""

    def values(u: list[arb]) -> list[arb]:
        return [u[0] ** 2 + u[1] ** 2 - 25, u[0] * u[1] - 12]

    def jacobian(u: list[arb]) -> list[list[arb]]:
        return [[2 * u[0], 2 * u[1]], [u[1], u[0]]]

    roots = [(3, 4), (4, 3), (-3, -4), (-4, -3)]
    for root in roots:
        found = prove(values, jacobian, [r + 0.05 for r in root], 4)
        boxes = [ends(b) for b in found.box]
        inside = [r for r in roots if all(a <= v <= b for v, (a, b) in zip(r, boxes, strict=True))]
        assert inside == [root]


def test_digits_are_those_of_the_finer_proof() -> None:
    """A proof to few digits contains the one to many."""
    few, many = (
        prove_one(lambda x: x.exp() - 2 - x, lambda x: x.exp() - 1, "1.1", d) for d in (20, 40)
    )
    (a, b), (c, d) = ends(few.intervals[0]), ends(many.intervals[0])
    assert a < c < d < b
    assert d - c < Fraction(10) ** -39


# ---- what is not ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("digits", "start"), [*product([3, 30], ["1", "1.0000001", "1.3"])])
def test_a_double_root_is_not_proved(digits: int, start: str) -> None:
    with pytest.raises(ConvergenceError, match="no box around the approximate solution"):
        prove_one(lambda x: (x - 1) ** 2, lambda x: 2 * (x - 1), start, digits)


@pytest.mark.parametrize("missed", [1, 10**-6, 10**-30])
def test_no_root_is_not_proved(missed: float) -> None:
    """(x − 1)² + ε has none, however small ε."""
    with pytest.raises(ConvergenceError, match="no solution, a double one"):
        prove_one(lambda x: (x - 1) ** 2 + arb(missed), lambda x: 2 * (x - 1), "1", 30)


def test_two_close_roots_are_told_apart() -> None:
    """(x − 1)² − 10^-30 has two roots, 10^-15 from 1."""
    found = prove_one(
        lambda x: (x - 1) ** 2 - arb(10) ** -30, lambda x: 2 * (x - 1), "1.000000000000001", 30
    )
    low, high = ends(found.box[0])
    assert low > 1
    assert low < 1 + Fraction(1, 10**15) < high


def test_a_kink_at_the_root_is_not_proved() -> None:
    """|x| has a root but no sign change, and the slopes next to it have both signs."""

    def slope(x: arb) -> arb:
        return arb(0, 1) if x.contains(0) else arb(1 if x > 0 else -1)

    with pytest.raises(ConvergenceError, match="no box"):
        prove_one(abs, slope, 0, 10)


def test_a_function_without_a_value_is_no_root() -> None:
    with pytest.raises(ConvergenceError, match="no finite value"):
        prove_one(lambda x: 1 / x, lambda x: -1 / x**2, 0, 20)


def test_what_is_known_to_few_digits_is_not_enclosed_to_many() -> None:
    with pytest.raises(ConvergenceError, match=r"enclosed only within .*evaluate the equations"):
        prove_one(lambda x: x * x - 2 + arb(0, 1e-12), lambda x: 2 * x, "1.4", 20)


def test_shapes_are_checked() -> None:
    with pytest.raises(ParameterError, match="no unknowns"):
        prove(lambda x: [], lambda x: [], [], 10)
    with pytest.raises(ParameterError, match="2 equations for 1 unknowns"):
        prove(lambda x: [x[0], x[0]], lambda x: [[arb(1)]], ["1"], 10)
    with pytest.raises(ParameterError, match="not of shape 1 × 1"):
        prove(lambda x: [x[0]], lambda x: [[arb(1), arb(0)]], ["1"], 10)


def test_the_caller_keeps_its_precision() -> None:
    kept = flint.ctx.prec
    prove_one(lambda x: x * x - 2, lambda x: 2 * x, "1.4", 100)
    with pytest.raises(ConvergenceError):
        prove_one(lambda x: x * x, lambda x: 2 * x, "0", 100)
    assert flint.ctx.prec == kept

"""Numbers that scripts read back, and numbers that people read."""

import math

import mpmath
import pytest
from sympy import Integer, Rational, sqrt

from gatetheory.model import exact
from gatetheory.presentation.html import number, prose, uncertain
from gatetheory.presentation.numerals import json_error, json_exact, json_number


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_not_finite_is_null(value: float | None) -> None:
    assert json_number(value) is None
    assert json_number(value, 30) is None
    assert json_error(value) is None


def test_many_digits_become_text() -> None:
    context = mpmath.mp.clone()
    context.dps = 40
    third = context.mpf(1) / 3
    assert json_number(third) == 1 / 3
    assert json_number(third, 30) == "0." + 30 * "3"
    assert mpmath.mpf(str(json_number(context.mpf(0), 30))) == 0


def test_tiny_errors_are_not_lost() -> None:
    assert json_error(mpmath.mpf("1e-30")) == 1e-30
    assert json_error(mpmath.mpf("1e-400")) == "1.0e-400"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(Integer(3), 3), (Rational(1, 10), 0.1), (Rational(1, 3), "1/3"), (sqrt(2), "sqrt(2)")],
)
def test_exact_values(value: Rational, shown: object) -> None:
    assert json_exact(value) == shown
    if not str(shown).startswith("sqrt"):
        assert exact(json_exact(value)) == value


def test_more_than_fifteen_digits_are_text() -> None:
    assert json_exact(Integer(10) ** 20 + 1) == str(10**20 + 1)
    assert json_exact(Rational("0.12345678901234567")) == "12345678901234567/100000000000000000"


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0.0, 3, "0"),
        (-2.0, 6, "−2"),
        (240.0, 2, "240"),
        (0.159177520786, 6, "0.159178"),
        (1.0997e-5, 5, "1.0997·10<sup>−5</sup>"),
        (3e-16, 1, "3·10<sup>−16</sup>"),
        (-1.5e12, 2, "−1.5·10<sup>12</sup>"),
        (None, 2, "–"),
        (math.inf, 2, "–"),
    ],
)
def test_numbers_for_people(value: float | None, digits: int, shown: str) -> None:
    assert number(value, digits) == shown


def test_an_error_below_all_doubles_is_left_out() -> None:
    assert "±" not in uncertain(0.0, 4e-309)
    assert "±" in uncertain(0.5, 1e-16)


def test_prose_sets_symbols_and_escapes() -> None:
    assert "<i>Δ</i><sub>h</sub>" in prose("Delta_h < 1")
    assert "&lt;" in prose("Delta_h < 1")
    assert "<i>J</i><sup>h</sup><sub>ij</sub>" in prose("J^h_ij enters")
    assert prose("moment_1") == "moment_1"
    assert prose("(D Dᵀ)^2") == "(D Dᵀ)<sup>2</sup>"
    assert prose("from 1.0e-20") == "from 1.0·10<sup>−20</sup>"

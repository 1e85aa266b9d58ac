"""Parameters: exact values, domains, refusals."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from sympy import Expr, Interval, Rational, oo, pi, sqrt

from gatetheory.errors import GatetheoryError, ModelError, ParameterError
from gatetheory.model import NONNEGATIVE, POSITIVE, REAL, Parameter, exact

EXACT = [
    (3, 3),
    (0.1, "1/10"),
    ("0.1", "1/10"),
    ("1/3", "1/3"),
    (" -1/3 ", "-1/3"),
    ("1e-3", "1/1000"),
    (1e-300, Rational(1, 10**300)),
    (Fraction(2, 6), "1/3"),
    (Decimal("0.1"), "1/10"),
    (np.float64(0.1), "1/10"),
    (np.int64(3), 3),
    (sympy.Float("0.1"), "1/10"),
    (sympy.Float("0.1", 50), "1/10"),
    (Rational(1, 3), "1/3"),
    (0, 0),
]


@pytest.mark.parametrize(("value", "expected"), EXACT, ids=repr)
def test_values_are_exact(value: Any, expected: Any) -> None:
    number = exact(value)
    assert isinstance(number, sympy.Rational)
    assert number == Rational(expected)


@pytest.mark.parametrize("value", [pi, sqrt(2), sympy.E / 3, sympy.tanh(1)], ids=str)
def test_irrational_values_stay_what_they_are(value: Expr) -> None:
    assert exact(value) is value


NOT_NUMBERS = [
    *(
        float("nan"),
        float("inf"),
        float("-inf"),
        "nan",
        "inf",
        "-Infinity",
        "1/0",
        "",
        "abc",
        "1,5",
    ),
    *(None, True, False, sympy.true, np.bool_(True), 1j, [1], np.array([1.0, 2.0]), object),
    *(oo, -oo, sympy.nan, sympy.zoo, sympy.I, sympy.Symbol("q"), sqrt(2) * 0.5),
    *("1e400", "1e-400", "1e999999999", "-1E+99999", 10**400, Rational(1, 10**400)),
    *("__import__('os').getcwd()", "2**3", "pi"),
]


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=lambda v: str(v)[:20])
def test_what_is_not_a_finite_number_is_refused(value: Any) -> None:
    with pytest.raises(ParameterError):
        exact(value)


def test_a_parameter_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="not a finite real number"):
        exact("nan")
    assert issubclass(ParameterError, GatetheoryError)


@pytest.mark.parametrize(
    ("domain", "value", "inside"),
    [
        (POSITIVE, 0, False),
        (POSITIVE, "1e-9", True),
        (NONNEGATIVE, 0, True),
        (NONNEGATIVE, "-1e-9", False),
        (REAL, -5, True),
        (Interval(0, 1), 1, True),
        (Interval.open(0, 1), 1, False),
        (Interval(1, 4), pi, True),
    ],
)
def test_domains_are_kept(domain: Interval, value: Any, inside: bool) -> None:
    middle = {POSITIVE: 1, NONNEGATIVE: 1, REAL: 1}.get(domain, domain.start + Rational(1, 2))
    parameter = Parameter("p", middle, domain)
    if inside:
        assert parameter.check(value) == exact(value)
    else:
        with pytest.raises(ParameterError, match=r"p = .* lies outside its domain"):
            parameter.check(value)


def test_the_domain_is_shown_as_people_write_it() -> None:
    with pytest.raises(ParameterError, match=r"tau = -1 lies outside its domain \[0, ∞\)"):
        Parameter("tau", 1, NONNEGATIVE).check(-1)


@pytest.mark.parametrize(
    ("domain", "default", "assumption"),
    [
        (POSITIVE, 1, "positive"),
        (NONNEGATIVE, 1, "nonnegative"),
        (REAL, 1, "real"),
        (Interval(0, 1), 1, "nonnegative"),
        (Interval(1, 2), 1, "positive"),
        (Interval(-1, 1), 1, "real"),
    ],
    ids=str,
)
def test_the_symbol_has_the_sign_of_the_domain(
    domain: Interval, default: int, assumption: str
) -> None:
    assert Parameter("p", default, domain).symbol == sympy.Symbol("p", **{assumption: True})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("p", -1, POSITIVE), r"parameter p: default -1 lies outside its domain \(0, ∞\)"),
        (("p", float("nan")), r"parameter p: default nan is not a finite real number"),
        (("p", True), r"parameter p: default True is not a number"),
        (("p", sqrt(2) * 0.5), r"parameter p: default 0\.5\*sqrt\(2\) contains a Float"),
        (("p", 1, (0, 3)), r"parameter p: the domain must be a sympy.Interval"),
        (("p", 1, sympy.S.EmptySet), r"parameter p: the domain must be a sympy.Interval"),
        (("p", 1, sympy.FiniteSet(1)), r"parameter p: the domain must be a sympy.Interval"),
        ((3, 1), r"the name of a parameter must be text, got 3"),
    ],
    ids=str,
)
def test_bad_declarations_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Parameter(*arguments)


def test_a_default_given_as_a_decimal_is_taken_at_its_word() -> None:
    assert Parameter("p", 0.1).default == Rational(1, 10)

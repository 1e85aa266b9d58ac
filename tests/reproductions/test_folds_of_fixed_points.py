"""Folds of the gated network's fixed points, to the digits known from independent calculations.

Krishnamurthy, Can and Schwab (2022), Sec. V: pairs of non-zero fixed points are born at finite Δ.
"""

import mpmath
import pytest
from sympy import Rational

from gatetheory.model import zoo
from gatetheory.pipeline import fixed_point_programs, solve
from gatetheory.theory.derive import Theory, derive

FOLDS = [
    (4, "1.963831344979071792109956", "0.01290814570181268725251567"),
    (10, "1.753983206535073886751581", "0.02207281553134453659182931"),
]


@pytest.fixture(scope="module")
def theory() -> Theory:
    return derive(zoo.gated())


@pytest.mark.parametrize(("gain", "g_h", "delta"), FOLDS)
def test_the_map_touches_the_diagonal(theory: Theory, gain: int, g_h: str, delta: str) -> None:
    programs = fixed_point_programs(theory.fixed_points, 30)
    assert [u.name for u in programs.core] == ["Delta_h"]
    bound = theory.model.bind({"g_h": g_h, "alpha_r": gain})
    values = [bound[p] for p in theory.fixed_points.parameters]
    with mpmath.workdps(40):
        at = mpmath.mpf(delta)
        image, slope = programs.jacobian(at, *values).values
        assert abs(image - at) < mpmath.mpf(10) ** -24
        assert abs(slope - 1) < mpmath.mpf(10) ** -21


@pytest.mark.parametrize(("gain", "g_h", "delta"), FOLDS)
@pytest.mark.parametrize("step", ["1e-3", "1e-6", "1e-9", "1e-12"])
def test_three_above_one_below(theory: Theory, gain: int, g_h: str, delta: str, step: str) -> None:
    above = solve(
        theory.fixed_points, {"g_h": Rational(g_h) * (1 + Rational(step)), "alpha_r": gain}
    )
    below = solve(
        theory.fixed_points, {"g_h": Rational(g_h) * (1 - Rational(step)), "alpha_r": gain}
    )
    assert (len(above), len(below)) == (3, 1)
    low, high = (float(p["Delta_h"]) for p in list(above)[1:])
    assert low < float(delta) < high
    # The pair opens like a square root, and each error estimate knows how ill-conditioned it is.
    width = (high - low) / float(delta) / float(step) ** 0.5
    assert 10 < width < 40
    for point in above:
        assert point.errors["Delta_h"] < 0.05 * (high - low)
        assert not point.multiple


@pytest.mark.parametrize(("gain", "g_h", "delta"), FOLDS)
def test_a_double_root_at_the_fold(theory: Theory, gain: int, g_h: str, delta: str) -> None:
    found = solve(theory.fixed_points, {"g_h": g_h, "alpha_r": gain})
    assert [p.multiple for p in found] == [False, True]
    double = found[1]
    assert abs(double["Delta_h"] - float(delta)) < double.errors["Delta_h"] < 1e-6
    assert double.residual < 1e-14


@pytest.mark.slow
@pytest.mark.parametrize(("gain", "g_h", "delta"), FOLDS)
def test_more_digits_part_the_double_root(theory: Theory, gain: int, g_h: str, delta: str) -> None:
    """At a g_h of 24 digits, a pair 1e-13 apart that doubles see as one."""
    at = {"g_h": Rational(g_h) * (1 + Rational(1, 10**22)), "alpha_r": gain}
    assert len(solve(theory.fixed_points, at)) == 2
    found = solve(theory.fixed_points, at, digits=30)
    assert len(found) == 3
    low, high = (p["Delta_h"] for p in list(found)[1:])
    with mpmath.workdps(40):
        assert low < mpmath.mpf(delta) < high
        assert 1e-11 < (high - low) / low < 1e-9
    assert not any(p.multiple for p in found)

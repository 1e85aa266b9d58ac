from fractions import Fraction
from typing import Any

import pytest
import sympy

import gatetheory as gt
from gatetheory.errors import DerivationError, GatetheoryError, ParameterError
from gatetheory.pipeline import boundary, eq, solve
from gatetheory.theory.derive import Theory, derive


@pytest.fixture(scope="module")
def gated() -> Theory:
    return derive(gt.zoo.gated())


@pytest.fixture(scope="module")
def classical() -> Theory:
    return derive(gt.zoo.classical())


def test_the_flow(gated: Theory) -> None:
    """The figures of the issue at (g_h, α_r) = (3, 5)."""
    points = gt.solve(gated.fixed_points, {"g_h": 3, "alpha_r": 5})
    assert points.status == "ok"
    assert [round(float(p["Delta_h"]), 9) for p in points] == [0, 0.200083197]
    assert points[-1]["Delta_r"] == pytest.approx(0.5012871926824)
    spectrum = gt.solve(gated.spectrum, {"g_h": 3, "alpha_r": 5})
    assert spectrum.quantity == "abscissa"
    assert spectrum.value == pytest.approx(0.1591775207865)
    assert spectrum.boundary is None
    traced = boundary(gated.spectrum, spectrum)
    assert traced.boundary is not None
    assert max(c.real.max() for c in traced.boundary.curves) == pytest.approx(spectrum.value)
    assert gt.solve(gated.moments).values[0] == pytest.approx(5.99781091744)
    for result in (points, spectrum, gt.solve(gated.moments)):
        assert "Krishnamurthy" in result.cite()
        assert result.provenance.assumptions
        assert str(result)


def test_defaults_are_the_contract(gated: Theory) -> None:
    explicit = {"g_h": 3, "alpha_z": 0, "alpha_r": 5, "beta_h": 0, "beta_z": 0, "beta_r": 0}
    given = solve(gated.spectrum, explicit | {"tau_z": 1, "tau_r": 2})
    assert solve(gated.spectrum).value == given.value
    assert solve(derive(gt.zoo.classical()).fixed_points).provenance.parameters == {"g": 2}


def test_values_are_exact(classical: Theory) -> None:
    """0.1 is a tenth, however it is written."""
    values = {
        str(solve(classical.fixed_points, {"g": g}, digits=30)[1]["Delta_h"])
        for g in ("1.1", 1.1, "11/10", Fraction(11, 10), sympy.Rational(11, 10))
    }
    assert len(values) == 1


def test_branches(gated: Theory) -> None:
    at = {"g_h": "1.95"}
    points = solve(gated.fixed_points, at)
    assert len(points) == 3
    for branch in (0, 1, 2, -1, -3):
        found = solve(gated.spectrum, at, branch=branch)
        assert found.state == {n: points[branch][n] for n in found.state}
        assert found.stable == points[branch].stable
        moments = solve(gated.moments, at, branch=branch)
        assert moments.state == found.state
    assert [p.stable for p in points][:2] == [True, False]


def test_equations_by_tag(gated: Theory) -> None:
    assert eq(gated, "fixed_points.Delta_h") is gated.fixed_points["Delta_h"]
    assert eq(gated, "spectrum.boundary").lhs == 1
    for tag, culprit in (
        ("fixed_points.Delta_q", "Delta_q"),
        ("spectra.boundary", "spectra"),
        ("", "result"),
        ("fixed_points", "fixed_points"),
    ):
        with pytest.raises(ParameterError, match=culprit):
            eq(gated, tag)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"gh": 3}, "did you mean g_h"),
    ({"alpha_r": float("nan")}, "alpha_r.*nan"),
    ({"alpha_r": "nan"}, "alpha_r.*nan"),
    ({"g_h": float("inf")}, "g_h.*inf"),
    ({"g_h": 0}, "g_h = 0"),
    ({"g_h": -1}, "g_h = -1"),
    ({"tau_r": -1}, "tau_r = -1"),
    ({"tau_z": "-1/3"}, "tau_z = -1/3"),
    ({"alpha_z": "-0.1"}, "alpha_z"),
    ({"g_h": "three"}, "three"),
    ({"g_h": True}, "True"),
    ({"g_h": None}, "None"),
    ({"g_h": 1 + 2j}, "g_h"),
    ({"g_h": "1e400"}, "range"),
    ({"g_h": "__import__('os')"}, "not a finite real number"),
    ({"g_h": sympy.Symbol("q")}, "q"),
]


@pytest.mark.parametrize(("at", "culprit"), BAD, ids=str)
def test_bad_parameters(gated: Theory, at: dict[str, Any], culprit: str) -> None:
    for problem in (gated.fixed_points, gated.spectrum, gated.moments, gated.synthetic_spectrum):
        with pytest.raises(ParameterError, match=culprit) as caught:
            solve(problem, at)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("problem", "options", "culprit"),
    [
        ("spectrum", {"branch": 2}, "no fixed point number 2: 2 found"),
        ("spectrum", {"branch": -3}, "number -3"),
        ("moments", {"branch": 7}, "number 7"),
        ("spectrum", {"branch": 1.5}, "whole number.*1.5"),
        ("spectrum", {"branch": "1"}, "whole number.*'1'"),
        ("spectrum", {"branch": True}, "whole number"),
        ("spectrum", {"digits": 0}, "digits"),
        ("moments", {"digits": 1.5}, "digits"),
        ("fixed_points", {"digits": -1}, "digits"),
        ("spectrum", {"state": {"Delta_h": 1}}, "synthetic_spectrum"),
        ("moments", {"state": {}}, "synthetic_moments"),
        ("synthetic_spectrum", {}, "needs Delta_h"),
        ("synthetic_spectrum", {"state": {"Delta_h": 1, "Delta_z": 1}}, "needs Delta_r"),
        ("synthetic_moments", {"state": {"Delta_q": 1}}, "no variance 'Delta_q'"),
        (
            "synthetic_spectrum",
            {"state": {"Delta_h": -1, "Delta_z": 1, "Delta_r": 1}},
            "Delta_h = -1",
        ),
        (
            "synthetic_spectrum",
            {"state": {"Delta_h": float("nan"), "Delta_z": 1, "Delta_r": 1}},
            "nan",
        ),
    ],
)
def test_bad_options(gated: Theory, problem: str, options: dict[str, Any], culprit: str) -> None:
    with pytest.raises(GatetheoryError, match=culprit) as caught:
        solve(getattr(gated, problem), {}, **options)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_solved(gated: Theory) -> None:
    for problem in (gated, gt.zoo.gated(), "fixed_points", None):
        with pytest.raises(ParameterError, match="cannot solve"):
            solve(problem)
    with pytest.raises(ParameterError, match="mapping"):
        solve(gated.fixed_points, "g_h=3")
    with pytest.raises(DerivationError):
        solve(derive(gt.zoo.gru()).moments)

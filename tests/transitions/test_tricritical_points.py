"""Tricritical points as they are asked for: closed forms, numbers, and what they separate."""

import mpmath
import pytest
import sympy

import gatetheory as gt


def test_published_points(gated: gt.Theory) -> None:
    for kind, square in (("tricritical-static", 8), ("tricritical-dynamic", 12)):
        found = gt.find_transition(gated, kind, digits=30)
        with mpmath.workdps(35):
            assert abs(found.value["alpha_r"] - mpmath.sqrt(square)) < 1e-29
        assert found.value["g_h"] == 2
        assert found.along == ("alpha_r", "g_h")


def test_closed_forms_keep_the_other_parameters_open(gated: gt.Theory) -> None:
    symbols = gated.model.symbols
    s0 = 1 / (1 + sympy.exp(symbols["beta_r"]))
    forms = {
        "tricritical-static": 2 / ((1 - s0) * (2 - 3 * s0)),
        "tricritical-dynamic": 6 / ((1 - s0) * (5 - 8 * s0)),
    }
    for kind, square in forms.items():
        found = gt.find_transition(gated, kind, at={"beta_r": "1/4"})
        form = found[0].expression
        assert sympy.simplify((form["alpha_r"] ** 2 - square).rewrite(sympy.exp)) == 0
        assert sympy.simplify(form["g_h"] - 1 / s0) == 0
        number = form["alpha_r"].subs(symbols["beta_r"], sympy.Rational(1, 4)).evalf(20)
        assert float(found.value["alpha_r"]) == pytest.approx(float(number), rel=1e-14)


@pytest.mark.parametrize(
    ("kind", "border"), [("tricritical-static", "2/3"), ("tricritical-dynamic", "5/8")]
)
def test_none_for_an_open_reset_gate(gated: gt.Theory, kind: str, border: str) -> None:
    s0 = sympy.Rational(border)
    beta_r = float(sympy.log(1 / s0 - 1))
    assert gt.find_transition(gated, kind, at={"beta_r": str(beta_r + 0.01)}).status == "ok"
    none = gt.find_transition(gated, kind, at={"beta_r": str(beta_r - 0.01)})
    assert none.status == "no_solution"
    assert none.value is None


@pytest.mark.slow
def test_the_static_point_is_where_folds_begin(paired: gt.Theory) -> None:
    point = gt.find_transition(paired, "tricritical-static", "a", also="g", at={"b": "1/10"})
    a = float(point.value["a"])
    inside, outside = (
        gt.find_transition(paired, "fold", "g", {"a": str(a * (1 + s)), "b": "1/10"})
        for s in (0.02, -0.02)
    )
    assert inside.status == "ok"
    assert inside.value < point.value["g"]
    assert outside.status == "no_solution"


def test_which_parameters(classical: gt.Theory, gated: gt.Theory) -> None:
    with pytest.raises(gt.ParameterError, match="no parameter alpha_r"):
        gt.find_transition(classical, "tricritical-static")
    with pytest.raises(gt.ParameterError, match="is what is sought"):
        gt.find_transition(gated, "tricritical-static", at={"g_h": 2})

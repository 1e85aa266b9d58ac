"""Transitions of fixed points against independent calculations: mpmath, closed forms, formulas."""

import math

import mpmath
import numpy as np
import pytest
import sympy

import gatetheory as gt


def reference_fold(alpha_r: float, g_h: float, delta: float) -> tuple[object, object]:
    """F(Δ)/Δ − 1 and F'(Δ) − 1 by mpmath.quad, the slope by a difference quotient."""

    def average(f: object, variance: object) -> object:
        weight = lambda x: f(mpmath.sqrt(variance) * x) * mpmath.npdf(x)  # noqa: E731
        return mpmath.quad(weight, [-14, -6, -3, -1, 0, 1, 3, 6, 14])

    def image(d: object) -> object:
        inner = average(lambda h: mpmath.tanh(g_h * h) ** 2, d)
        return inner * average(lambda r: 1 / (1 + mpmath.exp(-alpha_r * r)) ** 2, inner)

    return image(delta) / delta - 1, mpmath.diff(image, delta, h=mpmath.mpf(10) ** -9) - 1


@pytest.mark.slow
def test_a_fold_satisfies_its_definition(gated: gt.Theory) -> None:
    found = gt.find_transition(gated, "fold", "g_h", {"alpha_r": 7}, digits=30)
    assert found.status == "ok"
    assert len(found) == 1
    (point,) = found
    assert point.kind == "fold"
    assert point.digits == 30
    with mpmath.workdps(30):
        value, slope = reference_fold(7, point.value, point.at["Delta_h"])
        assert abs(value) < 1e-20
        assert abs(slope) < 1e-12  # of the difference quotient


def test_published_folds(gated: gt.Theory) -> None:
    four = gt.find_transition(gated, "fold", "g_h", {"alpha_r": 4}, digits=25)
    assert mpmath.nstr(four.value, 25) == "1.963831344979071792109956"
    assert mpmath.nstr(four[0].at["Delta_h"], 25) == "0.01290814570181268725251567"
    ten = gt.find_transition(gated, "fold", "g_h", {"alpha_r": 10}, digits=25)
    assert mpmath.nstr(ten.value, 25) == "1.753983206535073886751581"
    assert mpmath.nstr(ten[0].at["Delta_h"], 25) == "0.02207281553134453659182931"


@pytest.mark.slow
def test_a_fold_separates_one_fixed_point_from_three(paired: gt.Theory) -> None:
    fold = gt.find_transition(paired, "fold", "g")
    around = [fold.value * (1 + s) for s in (-1e-4, 1e-4)]
    counts = [len(gt.solve(paired.fixed_points, {"g": str(g)})) for g in around]
    assert counts == [1, 3]


def test_two_folds_in_one_range_are_both_found(gated: gt.Theory) -> None:
    found = gt.find_transition(gated, "fold", "g_h", {"alpha_r": 10, "beta_h": "1/100"})
    assert len(found) == 2
    assert found.value == found[0].value < found[1].value
    for point in found:
        below, above = (
            len(gt.solve(gated.fixed_points,
                         {"alpha_r": 10, "beta_h": "1/100", "g_h": str(point.value * (1 + s))}))
            for s in (-1e-6, 1e-6)
        )  # fmt: skip
        assert abs(above - below) == 2


def test_no_fold_below_the_static_tricritical_point(gated: gt.Theory) -> None:
    found = gt.find_transition(gated, "fold", "g_h", {"alpha_r": "2.8"})
    assert found.status == "no_solution"
    assert found.value is None
    assert "g_h from 0.001 to 50" in found.searched
    assert gt.find_transition(gated, "fold", "g_h", {"alpha_r": "2.84"}).status == "ok"


def test_the_zero_state_in_closed_form(gated: gt.Theory, gru: gt.Theory) -> None:
    for theory in (gated, gru):
        found = gt.find_transition(theory, "zero-state", "g_h", {"beta_r": "1/3"}, digits=40)
        beta_r = theory.model.symbols["beta_r"]
        assert sympy.simplify(found[0].expression - 1 - sympy.exp(beta_r)) == 0
        with mpmath.workdps(45):
            assert abs(found.value - 1 - mpmath.exp(mpmath.mpf(1) / 3)) < 1e-39


def test_a_condition_that_does_not_depend_on_the_parameter(gated: gt.Theory) -> None:
    assert gt.find_transition(gated, "zero-state", "tau_r").status == "no_solution"


def test_the_zero_state_may_be_lost_to_oscillations(adapting: gt.Theory) -> None:
    found = gt.find_transition(adapting, "zero-state", "g", digits=20)
    omega = np.linspace(0.7, 0.8, 200_001)
    response = (1 + 5j * omega) / ((1 + 1j * omega) * (1 + 5j * omega) + 2)
    assert found.value == pytest.approx(1 / np.abs(response).max(), rel=1e-11)
    assert found[0].frequency == pytest.approx(omega[np.argmax(np.abs(response))], abs=1e-6)
    real = 1 / abs(1 / 3)  # where a real mode alone would be lost
    assert found.value < real


def test_marginal_gain_of_a_non_zero_fixed_point(gated: gt.Theory) -> None:
    at = {"alpha_r": 5, "beta_h": "1/2"}
    found = gt.find_transition(gated, "stability", "g_h", at)
    assert found.value == pytest.approx(1.8510248, abs=5e-8)
    for step, stable in ((-1e-6, True), (1e-6, False)):
        moved = at | {"g_h": str(found.value * (1 + step))}
        assert gt.solve(gated.fixed_points, moved)[-1].stable is stable


@pytest.mark.slow
def test_stability_of_a_map(gru: gt.Theory) -> None:
    at = {"beta_h": "1/2"}
    found = gt.find_transition(gru, "stability", "g_h", at, digits=25)
    radius = gt.solve(gru.spectrum, at | {"g_h": mpmath.nstr(found.value, 25)}, digits=20)
    assert abs(radius.value - 1) < 1e-18


@pytest.mark.slow
def test_along_any_parameter(gated: gt.Theory) -> None:
    g_h = gt.find_transition(gated, "fold", "g_h", {"alpha_r": 6}, digits=20).value
    back = gt.find_transition(gated, "fold", "alpha_r", {"g_h": mpmath.nstr(g_h, 20)})
    assert float(back.value) == pytest.approx(6, rel=1e-13)


@pytest.mark.slow
def test_marginal_region_of_a_steep_gate(gated: gt.Theory) -> None:
    found = gt.find_transition(gated, "marginal", "g_h", {"alpha_r": 1})
    low, high = found.value
    assert float(low) == pytest.approx(2, abs=1e-14)  # where the fixed point is born

    def unstable(g_h: object) -> float:
        """⟨φ'²⟩(⟨σ_r²⟩ + ⟨φ²⟩⟨σ_r'²⟩) at the fixed point, which is K(0) of steep gates too."""
        spectrum = gt.solve(gated.fixed_points, {"alpha_r": 1, "g_h": str(float(g_h))})[-1]
        h, r = (
            np.sqrt(float(spectrum[n])) * np.linspace(-9, 9, 4001) for n in ("Delta_h", "Delta_r")
        )
        weight = np.exp(-(np.linspace(-9, 9, 4001) ** 2) / 2) * 18 / 4000 / math.sqrt(2 * math.pi)
        phi, gate = np.tanh(float(g_h) * h), 1 / (1 + np.exp(-r))
        slope, gate_slope = float(g_h) * (1 - phi**2), gate * (1 - gate)
        inner = (weight * gate**2).sum() + (weight * phi**2).sum() * (weight * gate_slope**2).sum()
        return float((weight * slope**2).sum() * inner)

    assert unstable(high) == pytest.approx(2, rel=1e-10)  # half the gates are open


@pytest.mark.slow
def test_thresholds_move_the_marginal_region(gated: gt.Theory) -> None:
    half = gt.find_transition(gated, "marginal", "g_h", {"alpha_r": 1}).value[1]
    fewer = gt.find_transition(gated, "marginal", "g_h",
                               {"alpha_r": 1, "alpha_z": 10, "beta_z": 1}).value[1]  # fmt: skip
    same = gt.find_transition(gated, "marginal", "g_h",
                              {"alpha_r": 1, "alpha_z": 40, "beta_z": 4}).value[1]  # fmt: skip
    assert fewer > half  # fewer open units need more gain
    assert float(fewer) == pytest.approx(float(same), rel=1e-13)  # the quotient counts


def test_no_gate_no_marginal_region(classical: gt.Theory) -> None:
    with pytest.raises(gt.DerivationError, match="no nonlinearity sets the rate"):
        gt.find_transition(classical, "marginal", "g")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("foldd", "g_h"), {}, "did you mean fold"),
        (("fold", "gh"), {}, "did you mean g_h"),
        (("fold",), {}, "say along which"),
        (("fold", "g_h", {"g_h": 2}), {}, "is what is sought"),
        (("fold", "g_h"), {"between": (3, 2)}, "is empty"),
        (("fold", "g_h"), {"between": (-1, 2)}, "outside its domain"),
        (("fold", "g_h"), {"also": "alpha_r"}, "second parameter"),
        (("fold", "g_h"), {"closure": "constant"}, "belongs to chaos"),
        (("fold", "g_h"), {"digits": 0}, "digits"),
    ],
)
def test_bad_questions_are_refused(
    gated: gt.Theory, arguments: tuple[object, ...], options: dict[str, object], message: str
) -> None:
    with pytest.raises(gt.ParameterError, match=message):
        gt.find_transition(gated, *arguments, **options)


def test_zero_has_to_be_a_fixed_point(gated: gt.Theory) -> None:
    with pytest.raises(gt.DerivationError, match="zero is not a fixed point"):
        gt.find_transition(gated, "zero-state", "g_h", {"beta_h": 1})


@pytest.mark.parametrize(("kind", "place"), [("fold", 0.005463455), ("stability", 0.005446428)])
def test_narrow_ranges_around_zero_are_seen(gated: gt.Theory, kind: str, place: float) -> None:
    at = {"g_h": "1.95", "alpha_r": 10}
    found = gt.find_transition(gated, kind, "beta_h", at, between=(-1, 1))
    assert [float(p.value) for p in found] == pytest.approx([-place, place], rel=1e-6)


def test_the_proof_does_not_feel_the_callers_precision(gated: gt.Theory) -> None:
    digits = set()
    for dps in (15, 80):
        with mpmath.workdps(dps):
            found = gt.find_transition(
                gated, "fold", "g_h", {"alpha_r": 10}, digits=30, certify=True
            )
            assert mpmath.mp.dps == dps
        enclosure = found[0].enclosure
        assert enclosure is not None
        digits.add(enclosure.digits)
    assert len(digits) == 1

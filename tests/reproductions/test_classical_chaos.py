"""The classical network of Sompolinsky, Crisanti and Sommers (1988): its chaotic state."""

from typing import Any

import numpy as np
import pytest

from gatetheory.model import zoo
from gatetheory.solvers.correlation_records import CorrelationBranch
from gatetheory.solvers.correlations import solve_correlations
from gatetheory.solvers.lag_growth import growth
from gatetheory.solvers.lag_problem import LagProblem, LagProgram
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.single_site import SingleSite

MODEL = zoo.classical()
PROGRAM = LagProgram(derive_correlations(SingleSite(MODEL), "constant"))


def state(gain: Any) -> tuple[CorrelationBranch, float]:
    values = MODEL.bind({"g": gain})
    (branch,) = solve_correlations(PROGRAM, values, "one field", True)
    return branch, growth(LagProblem(PROGRAM, values), branch.point).rate


@pytest.mark.parametrize(
    ("gain", "size", "rate"),
    [("1.5", 0.332305058, 0.0467), ("2", 0.481201353, 0.1125), ("3", 0.605147343, 0.2355)],
)
def test_sizes_and_growth_rates(gain: str, size: float, rate: float) -> None:
    branch, found = state(gain)
    assert branch["C_h"] == pytest.approx(size, abs=6e-10)
    assert found == pytest.approx(rate, abs=5.1e-5)


@pytest.mark.slow
def test_shape_near_onset() -> None:
    """C = ε sech(ετ/√3) to leading order, the gain being in the nonlinearity's argument."""
    misses = []
    for epsilon in (0.02, 0.01):
        branch, _ = state(str(1 + epsilon))
        lags = np.array([0.0, 1.0, 2.5]) * np.sqrt(3) / epsilon
        misses.append(branch.function("C_h", lags) / epsilon * np.cosh([0.0, 1.0, 2.5]) - 1)
    assert np.abs(misses[-1]).max() < 0.05
    # Beyond leading order the misses fall in proportion to ε.
    assert misses[0] / misses[1] == pytest.approx(2, abs=0.3)


@pytest.mark.slow
def test_growth_near_onset() -> None:
    """λ_max → ε²/2."""
    ratios = [state(str(1 + e))[1] / (e * e / 2) for e in (0.04, 0.02)]
    assert abs(2 * ratios[-1] - ratios[-2] - 1) < 0.02
    assert abs(ratios[-1] - 1) < abs(ratios[0] - 1) < 0.2

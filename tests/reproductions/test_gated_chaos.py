"""The gated network of Krishnamurthy, Can and Schwab (2022): its chaotic states."""

from typing import Any

import pytest

from gatetheory.model import zoo
from gatetheory.solvers.correlation_records import Correlations
from gatetheory.solvers.correlations import solve_correlations
from gatetheory.solvers.lag_growth import growth
from gatetheory.solvers.lag_problem import LagProblem, LagProgram
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.single_site import SingleSite

MODEL = zoo.gated()
PROGRAM = LagProgram(derive_correlations(SingleSite(MODEL), "constant"))


def states(**values: Any) -> Correlations:
    return solve_correlations(PROGRAM, MODEL.bind(values), "no update gate", True)


def rate(found: Correlations, branch: int, **values: Any) -> float:
    return growth(LagProblem(PROGRAM, MODEL.bind(values)), found[branch].point).rate


def test_reference_point() -> None:
    at: dict[str, Any] = {"g_h": 3, "alpha_r": 5, "tau_r": 2}
    found = states(**at)
    assert len(found) == 1
    assert found[0]["C_h"] == pytest.approx(0.1446001454, abs=6e-11)
    assert found[0]["C_phi"] == pytest.approx(0.4423913541, abs=6e-11)
    assert found[0]["C_r"] == pytest.approx(0.3845032666, abs=6e-11)
    assert rate(found, 0, **at) == pytest.approx(0.1178941538, abs=6e-11)


@pytest.mark.slow
def test_chaos_beside_a_stable_quiet_state() -> None:
    """The discontinuous transition: below g_h = 2 two decaying solutions appear at once."""
    assert not states(g_h="1.8", alpha_r=10)
    found = states(g_h="1.9", alpha_r=10)
    assert [round(b["C_h"], 9) for b in found] == [0.003669765, 0.034024214]
    assert found.quiet_response is not None
    assert found.quiet_response == pytest.approx(0.95**2, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("alpha_r", [1, 2])
def test_size_near_a_continuous_onset(alpha_r: int) -> None:
    """g_h = 2(1 + ε): C_h(0) = ε/(4 − α_r²/3) in the limit."""
    ratios = []
    for epsilon in (0.02, 0.01):
        (branch,) = states(g_h=str(2 * (1 + epsilon)), alpha_r=alpha_r, tau_r=2)
        ratios.append(branch["C_h"] * (4 - alpha_r**2 / 3) / epsilon)
    assert abs(2 * ratios[1] - ratios[0] - 1) < 0.02
    assert abs(ratios[1] - 1) < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("alpha_r", [1, 2])
def test_growth_near_a_continuous_onset(alpha_r: int) -> None:
    """λ_max rises linearly: (5/4) α_r² ε/(12 − α_r²), halved by the update gate at rest."""
    ratios = []
    for epsilon in (0.02, 0.01):
        at: dict[str, Any] = {"g_h": str(2 * (1 + epsilon)), "alpha_r": alpha_r, "tau_r": 2}
        found = states(**at)
        limit = 5 / 8 * alpha_r**2 * epsilon / (12 - alpha_r**2)
        ratios.append(rate(found, 0, **at) / limit)
    assert abs(2 * ratios[1] - ratios[0] - 1) < 0.05


def test_plateau_under_a_bias() -> None:
    (branch,) = states(g_h=3, beta_h="1/2")
    assert 0 < branch.plateaus["C_h"] < branch["C_h"]
    assert branch.plateaus["C_h"] == pytest.approx(0.0533443647, abs=6e-11)

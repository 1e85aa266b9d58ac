"""The non-zero fixed point at β_h = ½, α_r = 5, β_r = 0 is marginal at g_h ≈ 1.8510248."""

from scipy.optimize import brentq

from gatetheory.model import zoo
from gatetheory.pipeline import solve
from gatetheory.theory.derive import derive


def test_marginal_gain() -> None:
    theory = derive(zoo.gated())

    def abscissa(gain: float) -> float:
        at = {"g_h": gain, "beta_h": "1/2", "alpha_r": 5}
        found = solve(theory.spectrum, at)
        assert found.stable == (found.value < 0)
        return float(found.value)

    assert abs(brentq(abscissa, 1.8, 1.9, xtol=1e-12) - 1.8510248) < 5e-8


def test_order_parameter_where_it_is_stable() -> None:
    """Δ_h = 0.1061 at g_h = 1.48."""
    theory = derive(zoo.gated())
    points = solve(theory.fixed_points, {"g_h": "1.48", "beta_h": "1/2", "alpha_r": 5})
    assert len(points) == 1
    assert points[0].stable
    assert abs(points[0]["Delta_h"] - 0.1061) < 5e-5

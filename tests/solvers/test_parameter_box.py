"""Points of the parameter box against SciPy's quad: number of branches, Δ, abscissa, stability.

Drawn at random (330 points, all of which agreed) and kept where something is special.
"""

from typing import Any

import mpmath
import numpy as np
import pytest

from gatetheory.pipeline import solve
from gatetheory.theory.derive import Theory

NAMES = ("g_h", "alpha_r", "alpha_z", "beta_r", "beta_h", "beta_z", "tau_z", "tau_r")
POINTS = [
    (14.7283, 3.5131, 17.2636, 0.7073, 0.0, -1.8867, 1.2428, 6.4719),
    (19.9456, 19.6167, 13.7108, 1.4422, 0.0, 0.886, 5.2535, 4.8584),
    (3.2895, 13.7785, 2.0801, 2.9852, 0.0, -1.7897, 3.2995, 0.0),
    (5.1178, 16.0255, 0.0, 0.1656, 0.0, 0.9383, 1.1367, 5.1674),
    (10.9568, 15.4821, 7.8733, 0.6387, -1.1791, -0.4452, 3.8047, 3.9297),
    (2.661, 0.5402, 0.0, 1.2001, 0.0, -0.5737, 0.0, 8.6644),
    (10.1665, 12.0692, 10.6501, 1.403, 0.5478, 0.0238, 0.0, 6.4409),
    (0.5, 20.0, 20.0, -2.0, 2.0, 2.0, 10.0, 10.0),
    (20.0, 20.0, 20.0, 3.0, 0.0, -2.0, 10.0, 10.0),
    (20.0, 0.0, 20.0, 3.0, -2.0, 2.0, 0.0, 0.0),
    (20.0, 20.0, 0.0, -2.0, 0.0, 0.0, 1.0, 0.0),
    (4.3, 20.0, 20.0, 1.7, 0.0, 2.0, 2.0, 10.0),
    (1.01, 3.0, 11.0, -2.0, 0.0, 0.0, 1.0, 1.0),
    (1.9, 6.0, 20.0, 0.2, 0.0, 1.0, 4.0, 2.0),
    (0.9, 9.0, 6.0, -1.0, 0.9, -1.0, 0.5, 7.0),
]


def brute_force(reference: Any, lowest: float = 1e-9) -> int:
    """Sign changes of G(Δ) − Δ on a dense grid."""
    grid = np.geomspace(lowest, 1.001, 60)
    return int(np.count_nonzero(np.diff(np.sign([reference.map(d) / d - 1 for d in grid]))))


@pytest.mark.parametrize(
    "point", [*POINTS[:5], *(pytest.param(p, marks=pytest.mark.slow) for p in POINTS[5:])], ids=str
)
def test_point(gated: Theory, reference: Any, point: tuple[float, ...]) -> None:
    values = dict(zip(NAMES, point, strict=True))
    at = {n: str(v) for n, v in values.items()}
    exact = reference(**values)
    points = solve(gated.fixed_points, at)
    assert points.complete
    assert len(points) == brute_force(exact) + (values["beta_h"] == 0)
    for branch, found in enumerate(points):
        delta = found["Delta_h"]
        assert found.residual <= 1e-12
        assert exact.map(delta) == pytest.approx(delta, rel=1e-10)
        spectrum = solve(gated.spectrum, at, branch=branch)
        value, origin, at_zero = exact.abscissa(delta)
        assert spectrum.value == pytest.approx(value, rel=1e-8)
        assert abs(spectrum.value - value) <= 20 * spectrum.error + 1e-9 * abs(value)
        assert spectrum.origin == origin
        assert spectrum.stable == found.stable == (at_zero < 1 and value <= 0)


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS[:7], ids=str)
def test_thirty_digits(gated: Theory, point: tuple[float, ...]) -> None:
    at = {n: str(v) for n, v in zip(NAMES, point, strict=True)}
    for branch, found in enumerate(solve(gated.fixed_points, at)):
        precise = solve(gated.fixed_points, at, digits=30)[branch]
        for name, value in found.values.items():
            with mpmath.workdps(40):
                assert abs(value - precise[name]) <= 3 * found.errors[name] + 2e-16 * abs(value)
        spectrum = solve(gated.spectrum, at, branch=branch)
        better = solve(gated.spectrum, at, branch=branch, digits=30)
        with mpmath.workdps(40):
            gap = abs(spectrum.value - better.value)
            assert gap <= 3 * spectrum.error + 2e-16 * abs(spectrum.value)

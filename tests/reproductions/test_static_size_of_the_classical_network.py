"""The static saddle of the classical network at g = 3 is Δ = 0.70.

It is not the size of a network's own fixed points; that is known, and so must the assumptions say
that travel with the result. Sompolinsky, Crisanti and Sommers (1988).
"""

import numpy as np
import pytest
from scipy.optimize import brentq

from gatetheory.model import zoo
from gatetheory.pipeline import solve
from gatetheory.theory.derive import derive


def test_delta() -> None:
    theory = derive(zoo.classical())
    points = solve(theory.fixed_points, {"g": 3})
    assert [round(float(p["Delta_h"]), 2) for p in points] == [0, 0.70]
    assert not any(p.stable for p in points)
    names = {a.name for a in points.provenance.assumptions}
    assert "mean-field fixed point" in names


@pytest.mark.parametrize("gain", ["1.1", "1.5", "2", "3", "20"])
def test_by_bracketing(gain: str) -> None:
    theory = derive(zoo.classical())
    x, step = np.linspace(-10, 10, 8001, retstep=True)
    w = step * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    g = float(gain)

    def excess(delta: float) -> float:
        return float(w @ np.tanh(g * np.sqrt(delta) * x) ** 2) / delta - 1

    delta = brentq(excess, 1e-4, 1, xtol=1e-15)
    assert solve(theory.fixed_points, {"g": gain})[1]["Delta_h"] == pytest.approx(delta, rel=1e-9)

"""theory.md §3: SCS at g = 3 has Δ = 0.70, and Δ = ⟨tanh²(g h)⟩ is a transcendental number of ours.

The static saddle is not the size of a network's own fixed points; theory.md says so, and so must the
assumptions that travel with the result. Sompolinsky, Crisanti and Sommers (1988).
"""

import numpy as np
import pytest

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
def test_by_direct_iteration(gain: str) -> None:
    theory = derive(zoo.classical())
    x, w = np.polynomial.legendre.leggauss(4000)
    x, w = 10 * x, 10 * w * np.exp(-50 * x**2) / np.sqrt(2 * np.pi)
    g, delta = float(gain), 1.0
    for _ in range(2000):
        delta = float(w @ np.tanh(g * np.sqrt(delta) * x) ** 2)
    assert solve(theory.fixed_points, {"g": gain})[1]["Delta_h"] == pytest.approx(delta, rel=1e-9)

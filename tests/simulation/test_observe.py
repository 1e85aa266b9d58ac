from typing import Any

import numpy as np
import pytest

from gatetheory.errors import ParameterError
from gatetheory.model import Model, zoo
from gatetheory.simulation import RungeKutta4, simulate

STABLE = {"g_h": "1.48", "alpha_r": 5, "beta_h": "0.5"}


def test_networks_at_rest() -> None:
    seen: list[tuple[int, int]] = []
    found = simulate(
        zoo.gated(), STABLE, 150, 4, duration=200, progress=lambda d, t: seen.append((d, t))
    )
    values = found.values
    assert found.statuses == ("fixed point",) * 4
    assert list(values) == [
        *("Delta_h", "Delta_z", "Delta_r", "C_h", "C_z", "C_r"),
        *("C_phi", "C_sigma_z", "C_sigma_r", "abscissa"),
    ]
    assert abs(values["Delta_h"].z_score(0.1061)) < 6
    assert values["Delta_z"] == values["Delta_r"] == values["C_phi"]
    assert values["C_sigma_z"].mean == 0.25
    assert values["abscissa"].mean < 0
    assert len(values["abscissa"].samples) == 4
    assert seen[-1] == (40, 40)
    assert "4 networks of 150 units" in str(found)
    assert "4 in a fixed point, 0 still active" in str(found)
    assert "abscissa" in str(found)
    assert "g_h = 37/25" in str(found)


def test_active_networks() -> None:
    """The classical network at g = 2: ⟨h²⟩ = 0.4812 for N → ∞, a bit less at 400."""
    found = simulate(zoo.classical(), {"g": 2}, 400, 6, duration=80, method=RungeKutta4(0.2))
    assert found.statuses == ("active",) * 6
    assert "abscissa" not in found.values
    variance = found.values["C_h"]
    assert variance.stderr < 0.02
    assert abs(variance.z_score(0.4812, error=0.01)) < 4
    assert found.values["Delta_h"] == found.values["C_phi"]


def test_maps_and_noise(leaky: Model) -> None:
    found = simulate(zoo.gru(), {"g_h": 1, "beta_h": "0.4"}, 80, 2, duration=150)
    assert found.at_rest == 2
    assert found.values["radius"].mean < 1
    noisy = simulate(leaky, {"D": "0.5"}, 100, 3, duration=40)
    assert noisy.statuses == ("active",) * 3
    assert abs(noisy.values["C_x"].mean - 0.5) < 0.1


def test_every_network_is_its_own_and_seeds_reproduce() -> None:
    options: dict[str, Any] = {"units": 40, "duration": 5, "seeds": 2}
    first = simulate(zoo.gated(), **options)
    assert first == simulate(zoo.gated(), **options)
    a, b = first.values["C_h"].samples
    assert a != b
    assert first.values["C_h"] != simulate(zoo.gated(), **options, seed=1).values["C_h"]
    assert simulate(zoo.gated(), **{**options, "seeds": 1}).values["C_h"].samples == (a,)


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"units": 0}, "units"),
        ({"seeds": 0}, "seeds"),
        ({"duration": -1.0}, "duration"),
        ({"duration": np.nan}, "duration"),
        ({"at": {"g_hh": 1}}, "did you mean g_h"),
        ({"method": RungeKutta4(-1)}, "step"),
    ],
)
def test_bad_input_is_refused(options: dict[str, Any], culprit: str) -> None:
    with pytest.raises(ParameterError, match=culprit):
        simulate(zoo.gated(), **{"units": 10, "seeds": 1, **options})

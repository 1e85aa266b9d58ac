from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from sympy import Rational, Symbol

from gatetheory.errors import ParameterError
from gatetheory.model import ConstantInput, GaussianInput, Model, zoo
from gatetheory.simulation import annealed_closure


def gaussian_average(f: Any, variance: float) -> float:
    def weighted(x: float) -> float:
        return float(f(np.sqrt(variance) * x) * np.exp(-x * x / 2) / np.sqrt(2 * np.pi))

    return float(quad(weighted, -12, 12, epsabs=1e-12, limit=200)[0])


@pytest.fixture(scope="module")
def classical_delta() -> float:
    """Δ = ⟨tanh²(2 √Δ x)⟩."""
    return float(
        brentq(lambda d: gaussian_average(lambda x: np.tanh(2 * x) ** 2, d) - d, 0.05, 1.0)
    )


@pytest.mark.parametrize("exact_law", [False, True])
def test_classical_against_quadrature(classical_delta: float, exact_law: bool) -> None:
    found = annealed_closure(
        zoo.classical(), {"g": 2}, 1000, steps=8, exact_law=exact_law, seed=1
    ).deltas["h"]
    assert found.stderr < 0.03 * classical_delta
    assert abs(found.z_score(classical_delta)) < 4
    assert abs(found.z_score(1.05 * classical_delta)) > 2  # the test can fail


@pytest.mark.slow
def test_gated_against_its_own_closure_with_many_units() -> None:
    """N = 4000 with full matrices against the mean field, Δ_h = 0.1061, at this point."""
    found = annealed_closure(
        zoo.gated(), {"g_h": "1.48", "alpha_r": 5, "beta_h": "0.5"}, 4000, steps=3, seed=2
    )
    assert found.deltas["h"].stderr < 0.001
    assert abs(found.deltas["h"].z_score(0.1061)) < 4
    assert found.deltas["z"].mean == pytest.approx(found.deltas["r"].mean, rel=1e-12)


def test_gated_satisfies_the_closure() -> None:
    found = annealed_closure(
        zoo.gated(), {"alpha_z": 3}, 1000, steps=40, exact_law=True, seed=3
    ).deltas
    phi = gaussian_average(lambda x: np.tanh(3 * x) ** 2, found["h"].mean)
    reset = gaussian_average(lambda x: (1 / (1 + np.exp(-5 * x))) ** 2, found["r"].mean)
    assert found["z"].mean == pytest.approx(phi, rel=0.02)
    assert found["h"].mean == pytest.approx(phi * reset, rel=0.02)


def test_laws_that_need_newton_and_inputs_of_every_kind(strange: Model, lstm: Model) -> None:
    model = zoo.classical().with_input("h", GaussianInput(Symbol("I", real=True), Rational(1, 2)))
    model = model.with_input("h", ConstantInput(Symbol("c", real=True), Rational(1, 3)))
    found = annealed_closure(model, {"g": 1}, 2000, steps=20, exact_law=True, seed=4).deltas["h"]
    law = gaussian_average(lambda x: np.tanh(x + 1 / 3) ** 2, found.mean + 0.5)
    assert found.mean == pytest.approx(law, abs=5 * found.stderr)
    assert set(annealed_closure(lstm, None, 200, steps=2).deltas) == set("cfio")
    with pytest.raises(ParameterError, match="changes in time"):
        annealed_closure(strange, None, 100)


def test_same_seed_same_numbers_and_progress() -> None:
    seen: list[tuple[int, int]] = []
    options: dict[str, Any] = {"units": 50, "steps": 2, "burn_in": 3, "chains": 2}
    first = annealed_closure(
        zoo.gru(), **options, progress=lambda done, total: seen.append((done, total))
    )
    assert first == annealed_closure(zoo.gru(), **options)
    assert first != annealed_closure(zoo.gru(), **options, seed=1)
    assert seen[-1] == (10, 10)
    assert all(b[0] == a[0] + 1 for a, b in pairwise(seen))
    assert str(first).startswith("Delta_h = ")


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"units": 0}, "units"),
        ({"steps": 0}, "steps"),
        ({"chains": 1}, "chains"),
        ({"initial": {"q": 1.0}}, "coupling 'q'"),
        ({"initial": {"h": -1.0}}, "Delta_h"),
        ({"at": {"g": 0}}, "g = 0"),
    ],
)
def test_bad_input_is_refused(options: dict[str, Any], culprit: str) -> None:
    with pytest.raises(ParameterError, match=culprit):
        annealed_closure(zoo.classical(), **{"units": 10, **options})

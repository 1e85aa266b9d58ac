from dataclasses import replace

import numpy as np
import sympy
from sympy import Rational, Symbol

from gatetheory.model import Model, WhiteNoise
from gatetheory.simulation import StochasticHeun, draw_network, integrate


def test_variance_of_independent_leaky_units(leaky: Model) -> None:
    """⟨x²⟩ = D for dx/dt = -x + ξ, ⟨ξξ'⟩ = 2D δ. An Euler step of 1/10 would be 5% off."""
    n, times = 500, np.arange(0.0, 401.0, 4.0)
    network = draw_network(leaky, {"D": "0.7"}, n)
    found = integrate(network, np.zeros((1, n)), times, StochasticHeun(0.1, seed=1))
    samples = (found["x"][3:] ** 2).mean(axis=1)  # every 4 time units: correlated by e^{-8}
    error = 0.7 * np.sqrt(2 / (n * len(samples)))
    assert error < 0.005
    assert abs(samples.mean() - 0.7) < 4 * error + 0.7 * 0.1**2 / 4


def test_noise_is_divided_by_the_time_constant(leaky: Model) -> None:
    """τ dx/dt = -x + ξ has ⟨x²⟩ = D/τ."""
    (field,) = leaky.fields
    slow = replace(leaky, fields=(replace(field, time_constant=sympy.Integer(2)),))
    n, times = 500, np.arange(0.0, 401.0, 8.0)
    network = draw_network(slow, None, n)
    found = integrate(network, np.zeros((1, n)), times, StochasticHeun(0.2, seed=5)).states[3:]
    error = 0.25 * np.sqrt(2 / found.size)
    assert error < 0.003
    assert abs((found**2).mean() - 0.25) < 4 * error + 0.25 * 0.1**2 / 4


def test_noise_in_a_map(linear_map: Model) -> None:
    """x' = a x + ξ with ⟨ξ²⟩ = 2D has ⟨x²⟩ = 2D/(1-a²)."""
    model = linear_map.with_input("x", WhiteNoise(Symbol("xi", real=True), Rational(1, 3)))
    n = 500
    network = draw_network(model, {"a": "0.6", "s": 0}, n)
    found = integrate(network, np.zeros((1, n)), np.arange(0, 1000, 10)).states[3:]
    exact = 2 / 3 / (1 - 0.36)
    assert abs((found**2).mean() - exact) < 4 * exact * np.sqrt(2 / found.size) + 1e-4


def test_same_seed_same_path(leaky: Model) -> None:
    network = draw_network(leaky, None, 5)
    a, b, c = (
        integrate(network, np.zeros((1, 5)), [0, 1], StochasticHeun(0.1, seed)).final
        for seed in (1, 1, 2)
    )
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)

"""Draw a finite network: couplings and static inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy

from gatetheory.errors import ParameterError
from gatetheory.model import GaussianInput, Model, WhiteNoise
from gatetheory.simulation.lowering import Array, as_double
from gatetheory.simulation.network import Network
from gatetheory.simulation.unit import make_unit

Seed = int | np.random.Generator | np.random.SeedSequence


def draw_network(
    model: Model, at: Mapping[str, Any] | None = None, units: int = 1000, seed: Seed = 0
) -> Network:
    """Draw a network of N units: J^a_ij ~ N(0, s_a²/N), static Gaussian inputs once per unit.

    Args:
        model: The model.
        at: Parameter values by name; the others take their defaults.
        units: N.
        seed: Same seed, same network.

    Raises:
        ParameterError: For an unknown parameter, a value outside its domain, a negative variance,
            N < 1, or values at which the model's fields cannot be computed.
    """
    check_count("units", units)
    values = model.bind(at)
    unit = make_unit(model, values)
    scales = [
        math.sqrt(nonnegative(c.variance.xreplace(values), f"variance of coupling {c.name}"))
        for c in model.couplings
    ]
    for i in model.inputs:
        if isinstance(i, WhiteNoise):
            nonnegative(i.intensity.xreplace(values), f"intensity of input {i.symbol}")
    rng = generator(seed)
    try:
        stacks = tuple(np.empty((len(readers) * units, units)) for readers in unit.readers)
    except MemoryError as error:
        size = 8e-9 * len(model.couplings) * units**2
        raise ParameterError(
            f"units = {units}: the matrices need {size:.0f} GB; use fewer units"
        ) from error
    for stack, readers in zip(stacks, unit.readers, strict=True):
        for k, a in enumerate(readers):
            block = stack[k * units : (k + 1) * units]
            rng.standard_normal(out=block)
            block *= scales[a] / math.sqrt(units)
    return Network(
        model=model,
        values=values,
        units=units,
        unit=unit,
        stacks=stacks,
        static_inputs=draw_static_inputs(model, values, units, rng),
    )


def random_state(network: Network, seed: Seed = 0, std: float = 1.0) -> Array:
    """A state with independent Gaussian entries.

    Args:
        network: The network.
        seed: Seed of the draw.
        std: Standard deviation of every entry.
    """
    return std * generator(seed).standard_normal(network.shape)


def draw_static_inputs(
    model: Model, values: Mapping[sympy.Symbol, sympy.Expr], units: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Every Gaussian input by name, shape (N,).

    Raises:
        ParameterError: For a negative variance.
    """
    drawn = {}
    for i in model.inputs:
        if isinstance(i, GaussianInput):
            variance = i.variance.xreplace(dict(values))
            mean = as_double(i.mean.xreplace(dict(values)), f"mean of {i.symbol}")
            scale = math.sqrt(nonnegative(variance, f"variance of input {i.symbol}"))
            drawn[str(i.symbol.name)] = mean + scale * rng.standard_normal(units)
    return drawn


def generator(seed: Seed) -> np.random.Generator:
    """The random generator of a seed.

    Raises:
        ParameterError: If the seed is not a non-negative integer, a Generator or a SeedSequence.
    """
    good = isinstance(seed, np.random.Generator | np.random.SeedSequence)
    if not good and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise ParameterError(f"seed must be a non-negative integer or a Generator, got {seed!r}")
    return np.random.default_rng(seed)


def check_count(name: str, count: Any, least: int = 1) -> None:
    """Refuse what is not an integer of at least ``least``.

    Raises:
        ParameterError: If it is not.
    """
    wrong = isinstance(count, bool) or not isinstance(count, int | np.integer) or count < least
    if wrong:
        raise ParameterError(f"{name} must be an integer of at least {least}, got {count!r}")


def nonnegative(number: sympy.Expr, what: str) -> float:
    """A number that may not be negative, as a double.

    Raises:
        ParameterError: If it is negative.
    """
    value = as_double(number, what)
    if value < 0:
        raise ParameterError(f"{what} is negative ({value:g})")
    return value

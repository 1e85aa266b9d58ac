"""Synthetic states: fields and local fields drawn as Gaussians, independent of the matrices.

The spectrum of the Jacobian at such a state tests the theory of the spectrum alone, because the
variances are known exactly and do not come from a simulation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy
from scipy.special import ndtri
from sympy import Expr

from gatetheory.errors import ParameterError
from gatetheory.simulation.draw import Seed, generator
from gatetheory.simulation.lowering import Array, compile_kernel, define
from gatetheory.simulation.network import Network, UnitState

_NOTHING: Mapping[str, Expr] = MappingProxyType({})


def synthetic_state(
    network: Network,
    variances: Mapping[str, Any],
    relations: Mapping[str, Expr] = _NOTHING,
    seed: Seed = 0,
    *,
    stratified: bool = False,
) -> UnitState:
    """Draw a state independent of the network's matrices.

    For ``gated`` with a local field that differs from h by a Gaussian of variance 0.2::

        h, dh = sympy.Symbol("h"), sympy.Symbol("dh")
        synthetic_state(network, {"h": 0.5, "z": 0.4, "r": 0.4, "dh": 0.2}, {"eta_h": h + dh})

    Args:
        network: The network.
        variances: Variance of every independent Gaussian variable of mean 0, by name. The name of
            a field (``h``) or local field (``eta_h``) sets it; any other name is an auxiliary one.
        relations: Expressions, in these variables, for further fields and local fields; symbols
            are matched by name. Local fields that the Jacobian does not contain may be left out.
        seed: Seed of the draw.
        stratified: Draw one unit from each of N equally likely intervals (Latin hypercube), so that
            averages over units fluctuate much less than N^(-1/2).

    Raises:
        ParameterError: For a negative variance, a name that is set twice or unknown, or a field
            that is not given.
    """
    fields = [f.name for f in network.model.fields]
    local = [str(c.local_field.name) for c in network.model.couplings]
    rng = generator(seed)
    drawn: dict[str, Array] = {}
    for name, variance in variances.items():
        value = float(variance)
        if not (math.isfinite(value) and value >= 0):
            raise ParameterError(f"variance of {name} must be at least 0, got {variance!r}")
        drawn[name] = math.sqrt(value) * _standard_normal(rng, network.units, stratified)
    known = dict(drawn)
    for name, relation in relations.items():
        if name not in (*fields, *local):
            raise ParameterError(
                f"{name} is no field or local field of model {network.model.name}; "
                f"it has {', '.join((*fields, *local))}"
            )
        if name in drawn:
            raise ParameterError(f"{name} has a variance and a relation; give one")
        known[name] = _evaluate(relation, drawn, network)
    missing = [name for name in fields if name not in known]
    if missing:
        raise ParameterError(f"give a variance or a relation for field {', '.join(missing)}")
    unknown = np.full(network.units, np.nan)
    return UnitState(
        fields=np.array([known[name] for name in fields]),
        local_fields=np.array([known.get(name, unknown) for name in local]),
        inputs=network.inputs(),
    )


def _standard_normal(rng: np.random.Generator, units: int, stratified: bool) -> Array:
    if not stratified:
        return rng.standard_normal(units)
    strata = (rng.permutation(units) + rng.random(units)) / units
    return np.asarray(ndtri(np.clip(strata, 1e-300, 1 - 1e-16)), dtype=np.float64)


def _evaluate(relation: Expr, drawn: Mapping[str, Array], network: Network) -> Array:
    if not isinstance(relation, Expr):  # never a string: SymPy would execute it
        raise ParameterError(f"a relation must be a SymPy expression, got {relation!r}")
    defined = define(relation, network.model.definitions)
    parameters = dict(zip(network.model.symbols, network.parameters, strict=True))
    values: dict[sympy.Symbol, Any] = {}
    for symbol in sorted(defined.free_symbols, key=str):
        if symbol.name not in drawn and symbol.name not in parameters:
            raise ParameterError(
                f"relation {relation} contains {symbol}, which has no variance; "
                f"there are {', '.join(drawn)}"
            )
        values[symbol] = drawn.get(symbol.name, parameters.get(symbol.name))
    kernel = compile_kernel(tuple(values), (defined,))
    return kernel(values.values(), np.empty((1, network.units))).reshape(network.units)

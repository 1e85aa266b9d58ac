"""Derivatives of a unit's laws and signals by the parameters, and what a covector makes of them.

A parameter θ acts through laws, signals, time constants, definitions of nonlinearities and inputs
at fixed draws of every random number: matrices are s_a(θ) times fixed ones, so that
∂η_a/∂θ = η_a ∂ ln s_a/∂θ; a Gaussian input is mean(θ) + σ(θ) times a fixed number.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import sympy
from sympy import Expr, Symbol

from gatetheory.errors import ParameterError
from gatetheory.functions import differentiate
from gatetheory.model import (
    ConstantInput,
    GaussianInput,
    Model,
    TimeDependentInput,
    WhiteNoise,
)
from gatetheory.model.parts import TIME
from gatetheory.simulation.adjoint import Covectors
from gatetheory.simulation.lowering import Array, Kernel, as_double, compile_kernel, define
from gatetheory.simulation.network import Network, UnitState
from gatetheory.simulation.unit import Unit


class ParameterSlopes:
    """∂/∂θ of the laws of a network, for some parameters θ.

    Args:
        network: The network.
        names: Names of the parameters; None for all that have a derivative.

    Raises:
        ParameterError: For an unknown name, or a parameter without a derivative at its value: a
            vanishing time constant, or what a vanishing variance depends on.
    """

    def __init__(self, network: Network, names: Sequence[str] | None) -> None:
        self.network = network
        model = network.model
        singular = _singular(network)
        if names is None:
            names = [name for name in model.symbols if name not in singular]
        for name in names:
            if name not in model.symbols:
                raise ParameterError(
                    f"model {model.name} has no parameter {name!r}; there are "
                    f"{', '.join(model.symbols) or 'none'}"
                )
            if name in singular:
                raise ParameterError(f"no derivative by {name} at its value: {singular[name]}")
        self.names = tuple(names)
        symbols = tuple(model.symbols[name] for name in self.names)
        self._compiled = _compile(network.unit, symbols)
        values = dict(network.values)
        self._strengths = {  # ∂ ln s_a/∂θ
            (p, a): as_double(
                (differentiate(c.variance, s) / (2 * c.variance)).xreplace(values), str(s)
            )
            for p, s in enumerate(symbols)
            for a, c in enumerate(model.couplings)
            if c.variance.has(s)
        }
        noises = [i for i in model.inputs if isinstance(i, WhiteNoise)]
        self._kicks: Array = np.array(  # ∂/∂θ of √(2D_w) ∂(dx_f/dt)/∂ξ_w, shape (P, F, W)
            [
                [
                    [
                        _number(
                            sympy.sqrt(2 * i.intensity)
                            * differentiate(network.unit.laws[f], i.symbol),
                            s,
                            values,
                        )
                        for i in noises
                    ]
                    for f in network.unit.dynamic
                ]
                for s in symbols
            ]
        ).reshape(len(symbols), len(network.unit.dynamic), len(noises))

    def through_law(self, at: UnitState, time: float, covectors: Covectors) -> Array:
        """What one evaluation of the law adds to dL/dθ, shape (parameters, k).

        Args:
            at: Where it was evaluated.
            time: When.
            covectors: What came back from it.
        """
        k = covectors.state.shape[1]
        total = np.zeros((len(self.names), k))
        if not len(total):
            return total
        places, kernel = self._compiled
        values = kernel(
            (time, *self.network.arguments(at)), np.empty((len(places), self.network.units))
        )
        for (kind, row, p), slope in zip(places, values, strict=True):
            source = covectors.laws if kind == "law" else covectors.signals
            if row in source:
                total[p] += source[row] @ slope
        for (p, a), slope in self._strengths.items():
            if a in covectors.local:
                total[p] += slope * (covectors.local[a] @ at.local_fields[a])
        return total

    def through_noise(self, covector: Array, white: Array) -> Array:
        """What a kick of white noise adds to dL/dθ, shape (parameters, k).

        Args:
            covector: Of the kick, shape (F, k, N).
            white: ΔW, shape (W, N).
        """
        return np.asarray(np.einsum("pfw,fkn,wn->pk", self._kicks, covector, white))

    def of_numbers(self, expressions: Sequence[Expr]) -> Array:
        """∂/∂θ of expressions in the parameters, shape (parameters, expressions)."""
        symbols = (self.network.model.symbols[name] for name in self.names)
        values = dict(self.network.values)
        found = [[_number(e, s, values) for e in expressions] for s in symbols]
        return np.array(found).reshape(len(self.names), len(expressions))


def _number(expression: Expr, symbol: Symbol, values: dict[Symbol, Expr]) -> float:
    """∂/∂θ at the values; 0 for what does not depend on it, wherever it is singular."""
    if not expression.has(symbol):
        return 0.0
    return as_double(differentiate(expression, symbol).xreplace(values), str(symbol))


def _singular(network: Network) -> dict[str, str]:
    """Parameters without a derivative at their values, and why."""
    model, values = network.model, dict(network.values)
    found: dict[str, str] = {}
    for f in model.fields:
        if f.time_constant.xreplace(values).is_zero:
            for s in f.time_constant.free_symbols:
                found[s.name] = f"field {f.name} has time constant 0"
    strengths = [(f"coupling {c.name}", c.variance) for c in model.couplings]
    for i in model.inputs:
        if isinstance(i, GaussianInput):
            strengths.append((f"input {i.symbol}", i.variance))
        elif isinstance(i, WhiteNoise):
            strengths.append((f"input {i.symbol}", i.intensity))
    for what, strength in strengths:
        if strength.xreplace(values).is_zero:
            for s in strength.free_symbols:
                found[s.name] = f"{what} has variance 0"
    return found


@lru_cache(maxsize=64)
def _compile(
    unit: Unit, symbols: tuple[Symbol, ...]
) -> tuple[tuple[tuple[str, int, int], ...], Kernel]:
    """∂_θ of laws and signals, all that can differ from 0, with inputs' dependence put in."""
    model = unit.model
    by_parameter = [_input_slopes(model, s) for s in symbols]
    places: list[tuple[str, int, int]] = []
    expressions: list[Expr] = []
    for kind, rows in (("law", unit.laws), ("signal", unit.signals)):
        for row, expression in enumerate(rows):
            defined = define(expression, model.definitions)
            for p, s in enumerate(symbols):
                slope = define(differentiate(defined, s), model.definitions)
                for source, rate in by_parameter[p].items():
                    if defined.has(source):
                        slope += define(differentiate(defined, source), model.definitions) * rate
                if slope != 0:
                    places.append((kind, row, p))
                    expressions.append(slope)
    return tuple(places), compile_kernel((TIME, *unit.arguments), tuple(expressions))


def _input_slopes(model: Model, s: Symbol) -> dict[Symbol, Expr]:
    """∂I/∂θ of every input that depends on a parameter."""
    found: dict[Symbol, Expr] = {}
    for i in model.inputs:
        if isinstance(i, ConstantInput):
            slope = differentiate(define(i.value, model.definitions), s)
        elif isinstance(i, TimeDependentInput):
            slope = differentiate(define(i.function(TIME), model.definitions), s)
        elif isinstance(i, GaussianInput):
            slope = differentiate(i.mean, s)
            if i.variance.has(s):
                slope += differentiate(i.variance, s) / (2 * i.variance) * (i.symbol - i.mean)
        else:  # the value of white noise in a map; in a flow the kernel reads 0
            slope = differentiate(i.intensity, s) / (2 * i.intensity) * i.symbol
        if slope != 0:
            found[i.symbol] = slope
    return found

"""A finite network drawn from a model, and its equations of motion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sympy import Expr, Symbol

from gatetheory.errors import ParameterError
from gatetheory.model import (
    ConstantInput,
    GaussianInput,
    Model,
    TimeDependentInput,
    WhiteNoise,
)
from gatetheory.model.parts import TIME
from gatetheory.simulation.lowering import Array, Kernel, as_double, compile_kernel, define
from gatetheory.simulation.unit import Unit
from gatetheory.simulation.unit_solver import solve_group


@dataclass(frozen=True, eq=False)
class UnitState:
    """Everything the laws of the units read at one time.

    Args:
        fields: Every field, shape (F, N), in the order of the model.
        local_fields: Every local field η, shape (A, N), in the order of the couplings.
        inputs: Every input, a number or an array of shape (N,).
    """

    fields: Array
    local_fields: Array
    inputs: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Network:
    """A network of N units with given matrices. Make one with :func:`draw_network`.

    A *state* is an array of shape (number of fields with dynamics, N).

    Args:
        model: The model.
        values: Exact value of every parameter.
        units: N.
        unit: The compiled laws of one unit.
        stacks: One array of shape (k N, N) per distinct signal: the matrices of the k couplings
            that read it, so that they share one product.
        static_inputs: Gaussian inputs, drawn once per unit, by name, shape (N,).
    """

    model: Model
    values: Mapping[Symbol, Expr]
    units: int
    unit: Unit
    stacks: tuple[Array, ...]
    static_inputs: Mapping[str, Array]

    @property
    def dynamic_fields(self) -> tuple[str, ...]:
        """Names of the fields with dynamics: the rows of a state."""
        return tuple(self.model.fields[i].name for i in self.unit.dynamic)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of a state: (number of fields with dynamics, N)."""
        return len(self.unit.dynamic), self.units

    @cached_property
    def matrices(self) -> dict[str, Array]:
        """The matrix J of every coupling, shape (N, N), by name (views)."""
        found = {}
        for stack, readers in zip(self.stacks, self.unit.readers, strict=True):
            for k, a in enumerate(readers):
                found[self.model.couplings[a].name] = stack[k * self.units : (k + 1) * self.units]
        return {c.name: found[c.name] for c in self.model.couplings}

    @cached_property
    def parameters(self) -> tuple[float, ...]:
        """Parameters as doubles, in the order of the kernels' arguments."""
        return tuple(as_double(self.values[s], s.name) for s in self.model.symbols.values())

    @cached_property
    def noise_intensities(self) -> Array:
        """Intensity D of every white noise, shape (W,), in the order of the inputs."""
        return np.array(
            [
                as_double(i.intensity.xreplace(dict(self.values)), i.symbol.name)
                for i in self.model.inputs
                if isinstance(i, WhiteNoise)
            ]
        )

    @property
    def is_noisy(self) -> bool:
        """Whether white noise of positive intensity acts."""
        return bool((self.noise_intensities > 0).any())

    @property
    def is_autonomous(self) -> bool:
        """Whether no input changes in time."""
        timed = any(isinstance(i, TimeDependentInput) for i in self.model.inputs)
        return not timed and not self.is_noisy

    def inputs(self, time: float = 0.0, noise: Array | None = None) -> tuple[Any, ...]:
        """Value of every input at a time: a number or an array of shape (N,).

        Args:
            time: Time t.
            noise: Value of every white noise, shape (W, N); without it 0.
        """
        values: list[Any] = []
        noises = iter(() if noise is None else noise)
        for i, kernel in zip(self.model.inputs, self._input_kernels, strict=True):
            if kernel is not None:
                value = kernel((time, *self.parameters), np.empty((1, 1)))[0, 0]
                values.append(float(value))
            elif isinstance(i, GaussianInput):
                values.append(self.static_inputs[i.symbol.name])
            else:
                values.append(next(noises, 0.0))
        return tuple(values)

    @np.errstate(all="ignore")  # a state that blows up is found by those who march
    def complete(self, state: Array, time: float = 0.0, noise: Array | None = None) -> UnitState:
        """Local fields and algebraic fields that go with a state.

        Args:
            state: Shape (number of fields with dynamics, N).
            time: Time t, for inputs that depend on it.
            noise: Value of every white noise, shape (W, N); without it 0.

        Raises:
            ParameterError: If the state has another shape.
            ConvergenceError: If an algebraic field has no solution.
        """
        if state.shape != self.shape:
            raise ParameterError(
                f"a state of this network has shape {self.shape} "
                f"({', '.join(self.dynamic_fields)} by units), got {state.shape}"
            )
        inputs = self.inputs(time, noise)
        fields = np.zeros((len(self.model.fields), self.units))
        fields[list(self.unit.dynamic)] = state
        local = np.zeros((len(self.model.couplings), self.units))
        known = (*inputs, *self.parameters)
        for stage in self.unit.stages:
            psi = stage.kernel(
                (*fields, *local, *known), np.empty((len(stage.signals), self.units))
            )
            for s, signal in zip(stage.signals, psi, strict=True):
                product = self.stacks[s] @ signal
                local[list(self.unit.readers[s])] = product.reshape(-1, self.units)
            for group in stage.groups:
                solve_group(group, fields, (*local, *known))
        return UnitState(fields, local, inputs)

    def drift(self, state: Array, time: float = 0.0, out: Array | None = None) -> Array:
        """dx/dt of every field with dynamics, shape as the state (white noise left out).

        Raises:
            ParameterError: In discrete time, or for a state of another shape.
        """
        if self.model.time != "continuous":
            raise ParameterError(f"model {self.model.name} is a map; use Network.update")
        return self._law(self.complete(state, time), out)

    def update(self, state: Array, time: float = 0.0, noise: Array | None = None) -> Array:
        """x(t+1) from x(t), shape as the state.

        Raises:
            ParameterError: In continuous time, or for a state of another shape.
        """
        if self.model.time != "discrete":
            raise ParameterError(f"model {self.model.name} is a flow; use Network.drift")
        return self._law(self.complete(state, time, noise), None)

    def arguments(self, at: UnitState) -> tuple[Any, ...]:
        """Arguments of the unit's kernels."""
        return (*at.fields, *at.local_fields, *at.inputs, *self.parameters)

    def observable(self, expressions: Sequence[Expr]) -> Callable[[UnitState], Array]:
        """Compile expressions in fields, local fields, inputs and parameters.

        Returns:
            A function of a :meth:`complete` state, with result of shape (number of expressions, N).
        """
        defined = tuple(define(e, self.model.definitions) for e in expressions)
        kernel = compile_kernel(self.unit.arguments, defined)

        def evaluate(at: UnitState) -> Array:
            return kernel(self.arguments(at), np.empty((len(defined), self.units)))

        return evaluate

    def _law(self, at: UnitState, out: Array | None) -> Array:
        out = np.empty(self.shape) if out is None else out
        return self.unit.law(self.arguments(at), out)

    @cached_property
    def _input_kernels(self) -> tuple[Kernel | None, ...]:
        """Kernel of (t, parameters) for every input that is the same for all units."""
        kernels: list[Kernel | None] = []
        for i in self.model.inputs:
            if isinstance(i, ConstantInput):
                law = i.value
            elif isinstance(i, TimeDependentInput):
                law = i.function(TIME)
            else:
                kernels.append(None)
                continue
            arguments = (TIME, *self.model.symbols.values())
            kernels.append(compile_kernel(arguments, (define(law, self.model.definitions),)))
        return tuple(kernels)

"""Conditions of a transition as programs in doubles: values and slopes on many points at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.codegen.program import Backend, Program
from gatetheory.equations.transition import FREQUENCY, TransitionConditions
from gatetheory.errors import ConvergenceError
from gatetheory.functions import instantiate
from gatetheory.solvers.transfer import perron

Array = NDArray[np.float64]

NEWTON_STEPS = 40
CLOSE = 1e-13  # last Newton step, relative, in doubles
ROUGH = 1e-10  # accuracy of averages where only signs are looked at
FLOOR = 1e-9  # steps below this that stop falling are rounding


@dataclass(frozen=True)
class Candidate:
    """A transition in doubles.

    Args:
        value: The parameter.
        unknowns: The state's unknowns.
        frequency: Where a pair of complex modes crosses; None for a real one.
    """

    value: float
    unknowns: tuple[float, ...]
    frequency: float | None = None


class TransitionProgram:
    """Conditions of a transition along one parameter, compiled for doubles.

    Args:
        conditions: The derived conditions.
        along: The parameter.
        backend: The arithmetic.
    """

    def __init__(self, conditions: TransitionConditions, along: Symbol, backend: Backend) -> None:
        self.conditions, self.along = conditions, along
        self.arguments = (*conditions.unknowns, *conditions.parameters)
        self.real = self.definite(conditions.conditions)
        self.crossing = (
            self.definite((*conditions.state, *conditions.crossing)) if conditions.crossing else ()
        )
        entries = self.definite([e for row in conditions.growth for e in row])
        self._values: Program = backend.compile(list(self.real), self.arguments)
        self._state: Program | None = None
        self._growth = backend.compile(list(entries), self.arguments) if entries else None
        self._order = len(conditions.growth)
        self._backend = backend
        self._newton: dict[bool, Program] = {}

    def definite(self, expressions: Sequence[Expr]) -> tuple[Expr, ...]:
        """Expressions with the definitions of the nonlinearities put in."""
        return tuple(instantiate(e, self.conditions.definitions) for e in expressions)

    def system(self, *, crossing: bool) -> tuple[tuple[Expr, ...], tuple[Symbol, ...]]:
        """Conditions and the symbols they determine, the parameter last."""
        if crossing:
            return self.crossing, (*self.conditions.unknowns, FREQUENCY, self.along)
        return self.real, (*self.conditions.unknowns, self.along)

    def given(self, parameters: Mapping[Symbol, Expr], value: Array | float) -> list[Array | float]:
        """Values of the parameters, the one of the transition being moved."""
        return [
            value if p == self.along else float(parameters[p]) for p in self.conditions.parameters
        ]

    def values(
        self, unknowns: Sequence[Array], parameters: Mapping[Symbol, Expr], value: Array
    ) -> tuple[Array, Array]:
        """Conditions and their error estimates, shape (conditions, points)."""
        result = self._values(*unknowns, *self.given(parameters, value))
        return np.asarray(result.values, float), np.asarray(result.errors, float)

    def state(
        self, unknowns: Sequence[Array], parameters: Mapping[Symbol, Expr], value: Array
    ) -> Array:
        """What the equations of the fixed points leave, shape (unknowns, points), roughly."""
        if self._state is None:
            equations = list(self.definite(self.conditions.state))
            self._state = self._backend.compile(equations, self.arguments)
        result = self._state(*unknowns, *self.given(parameters, value), tolerance=ROUGH)
        return np.asarray(result.values, float)

    def growth(
        self, unknowns: Sequence[Array], parameters: Mapping[Symbol, Expr], value: Array
    ) -> tuple[Array, Array]:
        """Largest eigenvalue of K at the real point of the border, and its error; shape (points,).

        Infinite where K is.
        """
        assert self._growth is not None
        result = self._growth(*unknowns, *self.given(parameters, value))
        n = self._order
        shape = (len(value), n, n)
        matrix = np.moveaxis(np.asarray(result.values, float), 0, -1).reshape(shape)
        noise = np.moveaxis(np.asarray(result.errors, float), 0, -1).reshape(shape)
        finite = np.isfinite(matrix).all(axis=(1, 2))
        root, error = np.full(len(value), np.inf), np.full(len(value), np.inf)
        root[finite], error[finite] = perron(matrix[finite], noise[finite])
        return root, error

    def newton(self, start: Candidate, parameters: Mapping[Symbol, Expr]) -> Candidate:
        """A transition to the accuracy of doubles.

        Raises:
            ConvergenceError: If the steps do not become small.
        """
        crossing = start.frequency is not None
        expressions, symbols = self.system(crossing=crossing)
        n = len(symbols)
        if crossing not in self._newton:
            slopes = [e.diff(s) for e in expressions for s in symbols]
            arguments = (*self.arguments, FREQUENCY) if crossing else self.arguments
            self._newton[crossing] = self._backend.compile([*expressions, *slopes], arguments)
        program = self._newton[crossing]
        x = np.array([*start.unknowns, *((start.frequency,) if crossing else ()), start.value])
        held = len(start.unknowns)  # unknowns stay positive: at most halved or doubled in a step
        last = np.inf
        for _ in range(NEWTON_STEPS):
            tail = [float(x[held])] if crossing else []
            found = program(*map(float, x[:held]), *self.given(parameters, float(x[-1])), *tail)
            numbers = np.asarray(found.values, float)
            if not np.isfinite(numbers).all():
                break
            try:
                step = np.linalg.solve(numbers[n:].reshape(n, n), numbers[:n])
            except np.linalg.LinAlgError:
                break
            scale = np.maximum(np.abs(x), 1e-3 * (np.arange(n) == n - 1))
            ratio = float(np.abs(step / np.where(scale > 0, scale, 1.0)).max())
            if ratio < CLOSE or (ratio < FLOOR and ratio > last / 4):
                return self._candidate(x if ratio > last else x - step, held, crossing=crossing)
            x = x - step / max(1.0, 2 * ratio)
            last = ratio
        raise ConvergenceError(f"Newton's method still moves by {last:.1e} of the transition")

    @staticmethod
    def _candidate(x: Array, held: int, *, crossing: bool) -> Candidate:
        return Candidate(
            float(x[-1]), tuple(map(float, x[:held])), float(x[held]) if crossing else None
        )

"""Marches a linear process along stretches of paths, its Gaussian fields drawn from itself.

Flows: the exponential Heun method with the end point iterated, of second order. Maps are iterated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.solvers.sampled_causal import CausalField, Matched
from gatetheory.solvers.sampled_linear_unit import LinearUnit
from gatetheory.solvers.sampled_paths import phi
from gatetheory.solvers.sampled_stretches import Stretches

Array = NDArray[np.float64]
Report = Callable[[int, Array, Array], None]
Pair = tuple[Array, Array]
"""State and outputs."""

_CORRECTIONS = 3


@dataclass(eq=False)
class Sources:
    """The Gaussian fields of a march, and the normal numbers for what is new in them.

    Args:
        fields: One per coupling.
        matched: Where numbers come from.
        rng: Random numbers.
    """

    fields: Sequence[CausalField]
    matched: Matched
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self._fresh = [self.matched.draw(self.rng) for _ in self.fields]

    def propose(self, coupling: int, vector: Array) -> Array:
        """The field of a coupling at the present time, if this is what makes it."""
        return self.fields[coupling].propose(vector, self._fresh[coupling])

    def accept(self) -> None:
        """Keep the last proposals."""
        for a, field in enumerate(self.fields):
            if field.accept(self._fresh[a]):
                self._fresh[a] = self.matched.draw(self.rng)


class LinearMarch:
    """A linear process along paths.

    Args:
        unit: The process.
        stretches: The paths, with the coefficients for outputs.
        sources: Its Gaussian fields.
        signs: The loss's weight, shape (M,).
        stride: Points of the circle in one step; negative for a march backward in time.
        first: Index of the first time.
    """

    def __init__(
        self,
        unit: LinearUnit,
        stretches: Stretches,
        sources: Sources,
        signs: Array,
        stride: int,
        first: int = 0,
    ) -> None:
        self.unit, self.linear = unit, unit.linear
        self.stretches, self.sources, self.signs = stretches, sources, signs
        self.stride, self.first = stride, first
        self.step = abs(stride) * stretches.circle.step
        rates = self.linear.fixed_rates(0.0)[:, None] * self.step
        self._decay = np.exp(rates)
        self._first, self._second = self.step * phi(1, rates), self.step * phi(2, rates)

    def outputs(self, state: Array, index: int) -> Array:
        """Outputs for a state at a step, no field and the loss switched on; shape (outputs, M)."""
        nothing = [np.zeros(1)] * len(self.sources.fields)
        return self.linear.record(state, [*self._coefficients(index), *nothing, self.signs], 0.0)

    def run_flow(self, state: Array, steps: int, weight: float, report: Report) -> None:
        """March a flow.

        Args:
            state: Where to start, shape (fields, M).
            steps: Number of steps.
            weight: 1 to switch the loss on, else 0.
            report: Called with step, state and outputs, the first time included.
        """
        loss = weight * self.signs
        zero = np.zeros((len(self.sources.fields), self.stretches.paths))
        now = [*self._coefficients(0), *zero, loss]
        self._draw(state, now)
        self.sources.accept()
        for n in range(steps + 1):
            report(n, state, self.linear.record(state, now, 0.0))
            if n == steps:
                return
            slope = self.linear.law(state, now, 0.0)
            carried = self._decay * state + self._first * slope
            count = len(self.sources.fields) + 1
            after = [*self._coefficients(n + 1), *now[-count:-1], loss]
            end = carried
            for k in range(_CORRECTIONS + 1):
                end = carried + self._second * (self.linear.law(end, after, 0.0) - slope)
                if k < _CORRECTIONS:
                    self._draw(end, after)
            self.sources.accept()
            state, now = end, after

    def run_map(
        self,
        steps: int,
        weights: Callable[[int], float],
        report: Callable[[int, Pair, Pair], None],
    ) -> None:
        """Iterate a map from 0.

        Args:
            steps: Number of the last step.
            weights: 1 at steps where the loss is switched on, else 0.
            report: Called with the step, and with the state after it and the outputs there: as if
                the loss were switched off, and as it is.
        """
        zero = np.zeros((len(self.sources.fields), self.stretches.paths))
        state = np.zeros((len(self.linear.dynamic), self.stretches.paths))
        for n in range(steps + 1):
            coefficients, weight = self._coefficients(n), weights(n)
            without = found = self._iterated(state, [*coefficients, *zero, 0 * self.signs])
            if weight:
                found = self._iterated(state, [*coefficients, *zero, weight * self.signs])
            self.sources.accept()
            report(n, without, found)
            state = found[0]

    def _iterated(self, state: Array, drives: list[Array]) -> Pair:
        self._draw(state, drives)
        return self.linear.law(state, drives, 0.0), self.linear.record(state, drives, 0.0)

    def _coefficients(self, n: int) -> list[Array]:
        return self.stretches.at(self.first + n * self.stride)

    def _draw(self, state: Array, drives: list[Array]) -> None:
        """Gaussian fields at a time, given the state there, in place."""
        place = len(drives) - 1 - len(self.sources.fields)
        for group in self.unit.order:
            outputs = self.linear.record(state, drives, 0.0)
            for a in group:
                drives[place + a] = self.sources.propose(a, outputs[a])

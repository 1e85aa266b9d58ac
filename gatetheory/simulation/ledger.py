"""Carries covectors back through single evaluations of the law and books what they leave there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gatetheory.simulation.adjoint import Covectors, pull_back
from gatetheory.simulation.coupling_sums import CouplingSums
from gatetheory.simulation.linearization import linearize
from gatetheory.simulation.lowering import Array, compile_kernel, define
from gatetheory.simulation.network import Network, UnitState
from gatetheory.simulation.parameter_slopes import ParameterSlopes


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One evaluation of the law on a forward run.

    Args:
        at: Everything that the laws of the units read there.
        time: When.
    """

    at: UnitState
    time: float


class Ledger:
    """Gradients of k losses, collected on the way back.

    Args:
        network: The network.
        draws: k.
        parameters: Names of parameters θ; None for all that have a derivative.
        sums: Collects dL/dJ; None if it is not wanted.
    """

    def __init__(
        self,
        network: Network,
        draws: int,
        parameters: Sequence[str] | None,
        sums: CouplingSums | None,
    ) -> None:
        self.network, self.sums = network, sums
        self.slopes = ParameterSlopes(network, parameters)
        self.by_parameter: Array = np.zeros((len(self.slopes.names), draws))
        unit = network.unit
        self._signal_of = [
            next(s for s, readers in enumerate(unit.readers) if a in readers)
            for a in range(len(network.model.couplings))
        ]
        defined = tuple(define(psi, network.model.definitions) for psi in unit.signals)
        self._signals = compile_kernel(unit.arguments, defined)

    def through_law(self, evaluation: Evaluation, rates: Array) -> Array:
        """The covector before the law, shape (F, k, N).

        Args:
            evaluation: The evaluation.
            rates: Covector of its result, shape (F, k, N).
        """
        linear = linearize(self.network, evaluation.at)
        return self._book(evaluation, pull_back(linear, rates))

    def at_state(self, evaluation: Evaluation, fields: Mapping[int, Array]) -> Array:
        """The covector of a state whose fields a loss reads, shape (F, k, N).

        Args:
            evaluation: The state.
            fields: Covector of every field that is read, by index, shape (k, N).
        """
        dynamic = self.network.unit.dynamic
        if not fields.keys() <= set(dynamic):
            linear = linearize(self.network, evaluation.at)
            return self._book(evaluation, pull_back(linear, None, fields))
        covector = np.zeros((len(dynamic), *next(iter(fields.values())).shape))
        for f, part in fields.items():
            covector[dynamic.index(f)] = part
        return covector

    def _book(self, evaluation: Evaluation, covectors: Covectors) -> Array:
        self.by_parameter += self.slopes.through_law(evaluation.at, evaluation.time, covectors)
        if self.sums is not None and covectors.local:
            arguments = self.network.arguments(evaluation.at)
            psi = self._signals(arguments, np.empty((self._signals.size, self.network.units)))
            self.sums.add(covectors.local, psi[self._signal_of])
        return covectors.state

"""A step of a fixed-step scheme: where it starts, what it leaves behind for its transpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from gatetheory.simulation.ledger import Evaluation, Ledger
from gatetheory.simulation.lowering import Array


@dataclass(frozen=True, eq=False)
class Point:
    """All that the next step reads.

    Args:
        state: Shape (F, N).
        memory: Rates of earlier steps, the newest first, shape (F, N) each.
        noise: State of the noise's generator, or None.
    """

    state: Array
    memory: tuple[Array, ...] = ()
    noise: Any = None


@dataclass(frozen=True, eq=False)
class Step:
    """What the transposed step reads.

    Args:
        before: State before.
        evaluations: The law's evaluations in turn, the first of them at the state before.
        length: Length h of the step.
        rates: Rates that a multistep scheme combined, the newest first.
        white: ΔW of a kick of white noise, shape (W, N), or None.
    """

    before: Array
    evaluations: tuple[Evaluation, ...]
    length: float
    rates: tuple[Array, ...] = ()
    white: Array | None = None


class Scheme(Protocol):
    """A scheme with its transpose."""

    @property
    def memory(self) -> int:
        """Number of earlier rates that a step reads."""
        ...

    @property
    def stages(self) -> int:
        """Evaluations of the law in a step."""
        ...

    def start(self, state: Array) -> Point:
        """The point that a run starts from."""
        ...

    def step(self, point: Point, time: float, length: float) -> tuple[Point, Step]:
        """One step."""
        ...

    def back(self, step: Step, covector: list[Array], ledger: Ledger) -> list[Array]:
        """The transposed step.

        Args:
            step: The step.
            covector: Of the state after it and of the rates in its memory, the newest first,
                shape (F, k, N) each.
            ledger: Carries covectors through the law, and books.

        Returns:
            The same before the step.
        """
        ...

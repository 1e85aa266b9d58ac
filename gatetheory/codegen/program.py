"""What a compiled set of expressions looks like, whatever the arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sympy import Expr, Symbol


@dataclass(frozen=True)
class Evaluation:
    """Values of the outputs and a bound estimate of the error of each.

    ``values[i]`` and ``errors[i]`` belong to output i. In the NumPy backend they carry the
    broadcast shape of the arguments, in the mpmath backend they are ``mpf`` numbers. An error is
    absolute; ``inf`` says that the value must not be used.
    """

    values: Any
    errors: Any


class Program(Protocol):
    """Compiled expressions: real arguments in, values with error estimates out."""

    @property
    def arguments(self) -> tuple[Symbol, ...]:
        """The symbols whose values a call expects, in order."""
        ...

    @property
    def outputs(self) -> tuple[Expr, ...]:
        """The expressions that are evaluated."""
        ...

    def __call__(self, *values: Any, tolerance: float | None = None) -> Evaluation:
        """Evaluate at the given values of the arguments.

        Args:
            values: One per argument.
            tolerance: Relative accuracy of every average with respect to ⟨|f|⟩;
                the backend's best when None.
        """
        ...


class Backend(Protocol):
    """An arithmetic: a name, and a compiler to programs."""

    @property
    def name(self) -> str:
        """Name of the arithmetic."""
        ...

    def compile(self, outputs: Sequence[Expr], arguments: Sequence[Symbol]) -> Program:
        """Compile real expressions in real symbols; averages included."""
        ...

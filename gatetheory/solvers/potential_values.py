r"""S(C; C(0)) of an equation C − τ² C'' = S, with derivatives, in doubles and in balls.

Covariances that were eliminated from S are computed one after another, with their derivatives by
C, C₀ = C(0) and an open parameter p carried along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.codegen import pairs_ball, pairs_numpy
from gatetheory.solvers.lag_elimination import SingleEquation

Numbers = NDArray[Any]
"""Doubles, or balls as objects."""
Compile = Callable[[Sequence[Expr], Sequence[Symbol]], Callable[..., Numbers]]


def in_doubles(outputs: Sequence[Expr], arguments: Sequence[Symbol]) -> Callable[..., Numbers]:
    """Averages over pairs in doubles."""
    return pairs_numpy.compile_pairs(outputs, arguments)


def in_balls(outputs: Sequence[Expr], arguments: Sequence[Symbol]) -> Callable[..., Numbers]:
    """Averages over pairs to many digits; calls say how many."""
    program = pairs_ball.compile_pairs(outputs, arguments)

    def values(*given: Any, digits: int) -> Numbers:
        return np.array(program(*given, digits=digits).tolist(), dtype=object)

    return values


@dataclass(frozen=True)
class Jet:
    """S at several C, and its derivatives.

    Args:
        value: S(C; C₀, p), shape (n,).
        by_lag: ∂S/∂C.
        by_equal: ∂S/∂C₀, where C does not move.
        by_parameter: ∂S/∂p; zero without an open parameter.
    """

    value: Numbers
    by_lag: Numbers
    by_equal: Numbers
    by_parameter: Numbers


class SourceProgram:
    """S compiled in one arithmetic.

    Args:
        equation: The equation.
        compile: Compiles averages over pairs; a program returns shape (outputs, n).
    """

    def __init__(self, equation: SingleEquation, compile: Compile) -> None:
        self.equation = equation
        along = equation.along
        known = [s.covariance for s in equation.stages[:-1]] + [equation.main]
        self._programs = []
        for stage in equation.stages:
            read = [c for c in known if stage.value.has(c.symbol, c.equal)]
            arguments = [*(c.symbol for c in read), *(c.equal for c in read)]
            by = [*arguments] if along is None else [*arguments, along]
            outputs = [stage.value, *(stage.value.diff(a) for a in by)]
            if along is not None:
                arguments.append(along)
            self._programs.append((stage, read, compile(outputs, arguments)))

    def __call__(self, lags: Sequence[Any], equal: Any, parameter: Any, **settings: Any) -> Jet:
        """S at several C, the last of which is read as C₀ itself.

        Args:
            lags: C, shape (n,).
            equal: C₀.
            parameter: P; ignored without an open parameter.
            settings: Accuracy, passed to the programs.
        """
        n = len(lags)
        one, none = equal / equal, equal * 0
        end = np.array([none] * (n - 1) + [one])
        # Value and derivatives by C, C₀ and p of every covariance at lag τ; those at lag 0 are
        # the last entries.
        jets: dict[str, tuple[Numbers, ...]] = {
            self.equation.main.name: (np.array(list(lags)), one - end, end, none * end)
        }
        found: tuple[Numbers, ...] = ()
        for stage, read, program in self._programs:
            inputs = [jets[c.name] for c in read]
            own = [] if self.equation.along is None else [parameter]
            outputs = program(
                *(list(j[0]) for j in inputs), *(j[0][-1] for j in inputs), *own, **settings
            )
            found = (outputs[0], *(none * end for _ in range(3)))
            for i, jet in enumerate(inputs):
                at_lag, at_zero = outputs[1 + i], outputs[1 + len(read) + i]
                found = (
                    found[0],
                    *(
                        f + at_lag * j + at_zero * j[-1]
                        for f, j in zip(found[1:], jet[1:], strict=True)
                    ),
                )
            if own:
                found = (*found[:3], found[3] + outputs[-1])
            jets[stage.covariance.name if stage is not self._programs[-1][0] else ""] = found
        return Jet(*found)

    def eliminated(self, equal: Any, parameter: Any, **settings: Any) -> dict[str, Any]:
        """Equal-time values of the covariances of all stages."""
        values = {self.equation.main.name: equal}
        for stage, read, program in self._programs[:-1]:
            given = [values[c.name] for c in read]
            own = [] if self.equation.along is None else [parameter]
            found = program(*([g] for g in given), *given, *own, **settings)
            values[stage.covariance.name] = found[0][0]
        return values

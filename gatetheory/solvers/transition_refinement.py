"""A transition to any number of digits: Newton's method with growing precision, then a check.

A step from a point of D digits with a Jacobian of D digits gives 2D, so that the Jacobian is only
ever needed to half the digits. At the end the conditions are evaluated once more, independently
(another working precision and with it another quadrature rule, or another arithmetic), and what the
step from there moves says how many digits agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
from sympy import Expr, Symbol

from gatetheory.codegen.program import Program
from gatetheory.equations.transition import FREQUENCY
from gatetheory.errors import ConvergenceError
from gatetheory.solvers.transition_program import Candidate, TransitionProgram

Compile = Callable[[Sequence[Expr], Sequence[Symbol], int], Program]

FIRST = 30  # digits of the first stage
EXTRA = 5  # digits beyond those asked
OTHER = 12  # digits by which the second evaluation is finer
STEPS = 12


@dataclass(frozen=True)
class Refined:
    """A transition to many digits.

    Args:
        value: The parameter.
        unknowns: The state's unknowns.
        frequency: Where a pair of complex modes crosses; None for a real one.
        digits: Digits of the parameter in which two independent evaluations agree, at most those
            asked for.
        residual: Largest condition left, in the second evaluation.
    """

    value: Any
    unknowns: tuple[Any, ...]
    frequency: Any
    digits: int
    residual: Any


class Newton:
    """Newton's method on the conditions of a transition.

    Args:
        program: The conditions.
        parameters: Exact values.
        crossing: Whether modes cross off the real axis.
    """

    def __init__(
        self, program: TransitionProgram, parameters: Mapping[Symbol, Expr], *, crossing: bool
    ) -> None:
        self.program, self.parameters = program, parameters
        self.expressions, self.symbols = program.system(crossing=crossing)
        given = program.conditions.parameters
        self.arguments = (*program.conditions.unknowns, *given, *((FREQUENCY,) * crossing))

    def residual(self, compile: Compile, x: Sequence[Any], digits: int) -> list[Any]:
        """The conditions at a point, to so many digits of 1, and of the smallest unknown.

        Programs give relative digits, which a quantity next to zero does not have: 1 is added
        before and taken off after.
        """
        held = [abs(v) for v in x[: len(self.program.conditions.unknowns)]]
        small = max([0, *(int(-mpmath.log10(v)) + 1 for v in held if 0 < v < 1)])
        program = compile([e + 1 for e in self.expressions], self.arguments, digits + small)
        context = mpmath.mp.clone()
        context.dps = digits + small + 10
        return [context.mpf(v) - 1 for v in program(*self.values_at(x)).values]

    def slopes(self, compile: Compile, x: Sequence[Any], digits: int) -> list[list[Any]]:
        """Their derivatives, a row for each condition."""
        n = len(self.symbols)
        rows = [e.diff(s) for e in self.expressions for s in self.symbols]
        flat = compile(rows, self.arguments, digits)(*self.values_at(x)).values
        return [list(flat[i * n : (i + 1) * n]) for i in range(n)]

    def values_at(self, x: Sequence[Any]) -> list[Any]:
        """Values of the arguments at a point."""
        known = dict(zip(self.symbols, x, strict=True))
        return [known[s] if s in known else self.parameters[s] for s in self.arguments]


def refine(
    program: TransitionProgram,
    parameters: Mapping[Symbol, Expr],
    start: Candidate,
    digits: int,
    compile: Compile,
    check: Compile,
) -> Refined:
    """A transition to ``digits`` digits.

    Args:
        program: The conditions.
        parameters: Exact values of the parameters; the one that is sought is ignored.
        start: The transition in doubles.
        digits: Significant digits wanted.
        compile: Compiles expressions to programs of so many digits.
        check: The same, for the second evaluation.

    Raises:
        ConvergenceError: If Newton's method does not settle: a degenerate transition.
    """
    newton = Newton(program, parameters, crossing=start.frequency is not None)
    context = mpmath.mp.clone()
    wanted = digits + EXTRA
    context.dps = wanted + OTHER + 10
    numbers = [*start.unknowns, *(() if start.frequency is None else (start.frequency,))]
    x = [context.mpf(v) for v in (*numbers, start.value)]
    known = 0.0  # digits so far
    precision = min(FIRST, wanted)
    rows = newton.slopes(compile, x, precision)
    moved = context.inf
    for _ in range(STEPS + wanted.bit_length()):
        step = _solve(context, rows, newton.residual(compile, x, precision))
        x = [a - b for a, b in zip(x, step, strict=True)]
        moved, before = _relative(context, x, step), moved
        known = min(2.0 * float(-context.log10(moved)) if moved else wanted, float(precision))
        if moved < context.mpf(10) ** (-wanted) or known >= wanted:
            break
        if moved > before / 4 and moved > context.mpf(10) ** (-precision + 5):
            raise ConvergenceError(_DEGENERATE)
        if known >= precision * 0.8:
            precision = min(2 * precision, wanted)
        if known < precision:
            rows = newton.slopes(compile, x, max(FIRST, precision // 2 + 5))
    again = newton.residual(check, x, wanted + OTHER)
    step = _solve(context, rows, again)
    agreed = _relative(context, x[-1:], step[-1:])
    got = digits if agreed == 0 else min(digits, int(context.floor(-context.log10(agreed))))
    x = [a - b for a, b in zip(x, step, strict=True)]
    held = len(start.unknowns)
    return Refined(
        value=_public(x[-1]),
        unknowns=tuple(_public(a) for a in x[:held]),
        frequency=_public(x[held]) if start.frequency is not None else None,
        digits=max(got, 0),
        residual=_public(max(abs(r) for r in again)),
    )


_DEGENERATE = (
    "Newton's method does not settle on the transition: two transitions lie close together, or it "
    "degenerates here (a cusp, a tricritical point); move the other parameters or narrow the range"
)


def _solve(context: Any, rows: list[list[Any]], right: list[Any]) -> list[Any]:
    try:
        return list(context.lu_solve(context.matrix(rows), context.matrix(right)))
    except ZeroDivisionError as error:
        raise ConvergenceError(_DEGENERATE) from error


def _relative(context: Any, x: Sequence[Any], step: Sequence[Any]) -> Any:
    """Largest relative step; a parameter at 0 counts by its absolute size."""
    return max(abs(s) / (abs(a) if abs(a) > context.mpf("1e-8") or i + 1 < len(x) else 1)
               for i, (a, s) in enumerate(zip(x, step, strict=True)))  # fmt: skip


def _public(x: Any) -> Any:
    """As a number of mpmath's own context, not rounded."""
    return mpmath.mp.make_mpf(x._mpf_)

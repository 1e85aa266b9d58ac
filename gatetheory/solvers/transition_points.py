"""From a transition in doubles to its digits, its order parameters and its proof.

Two arithmetics stand behind every number: balls, whose radii bound all errors, and mpmath, the
arithmetic of reference. One computes, the other checks. Where balls cannot enclose an average
(several variables tied together), mpmath does both, at two precisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mpmath
import sympy
from flint import arb
from sympy import Expr, Symbol

from gatetheory.codegen import ball_backend, mpmath_backend
from gatetheory.codegen.program import Program
from gatetheory.errors import DerivationError, PrecisionError
from gatetheory.functions import instantiate
from gatetheory.solvers.krawczyk import prove
from gatetheory.solvers.transition_program import Candidate, TransitionProgram
from gatetheory.solvers.transition_records import Enclosed, TransitionPoint
from gatetheory.solvers.transition_refinement import Newton, Refined, refine

REFERENCE = 60  # digits up to which mpmath is fast enough to check every number
LEAST = 8  # digits below which a number is not handed out
_KINKED = (sympy.Heaviside, sympy.sign, sympy.Abs, sympy.Max, sympy.Min, sympy.Piecewise)
MARGIN = 10  # digits by which a proof starts from a better value


def point_of(
    program: TransitionProgram,
    parameters: Mapping[Symbol, Expr],
    candidate: Candidate,
    digits: int,
    *,
    certify: bool,
    kind: str,
) -> TransitionPoint:
    """A transition to so many digits.

    Args:
        program: The conditions.
        parameters: Exact values of the other parameters.
        candidate: The transition in doubles.
        digits: Digits wanted.
        certify: Whether to prove it.
        kind: ``"continuous"`` or ``"fold"``.

    Raises:
        ConvergenceError: If Newton's method does not settle, or the proof does not succeed.
        PrecisionError: If two evaluations agree in too few digits.
    """
    wanted = digits + MARGIN if certify else digits
    refined = refine(program, parameters, candidate, wanted, *_arithmetics(program, wanted))
    got = min(refined.digits, digits)
    if got < min(digits, LEAST):
        raise PrecisionError(
            f"two evaluations of the transition agree in {got} digits only; it is nearly "
            "degenerate: move the other parameters"
        )
    return TransitionPoint(
        value=refined.value,
        kind="fold" if kind == "fold" else "continuous",
        at=_order_parameters(program, parameters, refined, digits),
        digits=got,
        residual=refined.residual,
        frequency=refined.frequency,
        enclosure=_proof(program, parameters, refined, digits) if certify else None,
    )


def _arithmetics(program: TransitionProgram, digits: int) -> tuple[Any, Any]:
    """The compiler that computes and the one that checks."""
    if not _can_enclose(program):
        return mpmath_backend.compile, mpmath_backend.compile
    if digits <= REFERENCE:
        return ball_backend.compile, mpmath_backend.compile
    return ball_backend.compile, ball_backend.compile


def _can_enclose(program: TransitionProgram) -> bool:
    """Whether balls can do all averages: one smooth integrand in one variable each."""
    if any(e.has(*_KINKED) for e in program.real):
        return False
    try:
        ball_backend.compile(program.real, program.arguments, LEAST)
    except DerivationError:
        return False
    return True


def _order_parameters(
    program: TransitionProgram, parameters: Mapping[Symbol, Expr], refined: Refined, digits: int
) -> dict[str, Any]:
    """Every order parameter at a transition."""
    conditions = program.conditions
    values = {u.name: v for u, v in zip(conditions.unknowns, refined.unknowns, strict=True)}
    others = {n: instantiate(e, conditions.definitions) for n, e in conditions.others.items()}
    if others:
        moved = {**parameters, program.along: refined.value}
        given = [*refined.unknowns, *(moved[p] for p in conditions.parameters)]
        compile, _ = _arithmetics(program, digits)
        found: Program = compile(list(others.values()), program.arguments, digits + 5)
        values |= dict(zip(others, found(*given).values, strict=True))
    return values


def _proof(
    program: TransitionProgram, parameters: Mapping[Symbol, Expr], refined: Refined, digits: int
) -> Enclosed:
    """An interval that is proved to contain the transition.

    Raises:
        DerivationError: If the conditions contain an average that balls cannot enclose.
        ConvergenceError: If the test fails.
    """
    if not _can_enclose(program):
        raise DerivationError(
            f"the conditions of {program.conditions.kind!r} contain an average that balls cannot "
            "enclose (jumps, kinks, or several variables tied together); leave the proof out"
        )
    newton = Newton(program, parameters, crossing=refined.frequency is not None)
    n = len(newton.symbols)
    rows = [e.diff(s) for e in newton.expressions for s in newton.symbols]
    conditions = ball_backend.compile(newton.expressions, newton.arguments, digits + MARGIN)
    slopes = ball_backend.compile(rows, newton.arguments, digits + MARGIN)

    def values(box: Sequence[arb]) -> list[arb]:
        return list(conditions.enclose(*newton.values_at(box)))

    def jacobian(box: Sequence[arb]) -> list[list[arb]]:
        flat = list(slopes.enclose(*newton.values_at(box)))
        return [flat[i * n : (i + 1) * n] for i in range(n)]

    tail = [] if refined.frequency is None else [refined.frequency]
    centre = [*refined.unknowns, *tail, refined.value]
    found = prove(values, jacobian, centre, digits)
    low, high = found.intervals[-1]
    context = mpmath.mp.clone()  # the caller's precision may be coarser than the interval
    context.dps = max(len(low), len(high)) + 10
    width, size = context.mpf(high) - context.mpf(low), abs(context.mpf(refined.value))
    agreed = int(-context.log10(width / size)) if width and size else digits
    return Enclosed(low, high, found.proved, agreed)

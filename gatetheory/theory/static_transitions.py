"""Transitions of fixed points as conditions: where they appear, and where they lose stability.

* ``zero-state``: the zero fixed point loses stability, det(1 − K) = 0 at the border, Δ = 0;
* ``fold``: a pair of fixed points is born, u = G(u) and det(1 − ∂G/∂u) = 0, the slopes by Price's
  theorem;
* ``stability``: a mode of a fixed point crosses the border, u = G(u) and det(1 − K) = 0;
* ``marginal``: with infinitely steep gates on the rates a fixed point is marginally stable from
  where ``stability`` would be lost up to where the open units alone are unstable.

All come from the derived fixed points and the derived transfer matrix K.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import sympy
from sympy import Expr, ImmutableDenseMatrix, Rational, S, Symbol

from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.equations.real_transfer import X, Y, real_transfer
from gatetheory.equations.shapes import SelfConsistency, SpectralCondition
from gatetheory.equations.transition import FREQUENCY, TransitionConditions
from gatetheory.errors import DerivationError
from gatetheory.functions import instantiate
from gatetheory.theory.spectrum import boundary_condition

PERRON = Assumption(
    "outermost mode",
    "the mode that crosses is the outermost one: the largest eigenvalue of K is the one that "
    "reaches 1 (checked in every solution)",
)


_TRIALS = (Rational(17, 13), Rational(29, 31), Rational(41, 19), Rational(7, 23))
_SMALL = 1e-25


def zero_state_conditions(
    fixed_points: SelfConsistency, spectrum: SpectralCondition, at: Mapping[Symbol, Expr]
) -> TransitionConditions:
    """The loss of stability of the zero fixed point.

    Args:
        fixed_points: Derived fixed points.
        spectrum: Derived spectrum at a fixed point.
        at: Values of the parameters that are not left open.

    Raises:
        DerivationError: If zero is no fixed point at these parameters.
    """
    nothing = dict.fromkeys(fixed_points.unknowns, S.Zero)
    for unknown, value in zip(fixed_points.unknowns, fixed_points.maps, strict=True):
        rest = instantiate(value, fixed_points.definitions).subs(nothing)
        if not vanishes_at(rest, at):
            raise DerivationError(
                f"zero is not a fixed point: {unknown} would be {sympy.simplify(rest)}; set biases "
                "and inputs to zero, or ask for the transition 'stability'"
            )
    return _zero_conditions(fixed_points, spectrum)


@lru_cache(maxsize=16)
def _zero_conditions(
    fixed_points: SelfConsistency, spectrum: SpectralCondition
) -> TransitionConditions:
    growth, crossing = _border(spectrum, dict.fromkeys(fixed_points.unknowns, S.Zero))
    critical = 1 - boundary_condition(growth)
    return _conditions(
        "zero-state", fixed_points, spectrum, (), critical, crossing, growth,
        dict.fromkeys((u.name for u in fixed_points.unknowns), S.Zero),
        "the zero fixed point loses stability",
    )  # fmt: skip


def fold_conditions(fixed_points: SelfConsistency) -> TransitionConditions:
    """The birth of a pair of fixed points.

    Raises:
        DerivationError: If no order parameter depends on itself, so that nothing can fold.
    """
    core = fixed_points.core
    if not core:
        raise DerivationError(
            "the order parameters of the fixed point are explicit: there is one fixed point, and "
            "none can appear in pairs"
        )
    maps = [fixed_points.reduced[u] for u in core]
    slopes = sympy.Matrix([[g.diff(u) for u in core] for g in maps])
    critical = (sympy.eye(len(core)) - slopes).det(method="berkowitz")
    equation = Equation(
        tag="fold",
        lhs=S.One,
        rhs=1 - critical,
        meaning="two fixed points merge: the map of the order parameters has slope 1",
        trace=(
            Step("fixed point", f"{', '.join(map(str, core))} reproduce themselves",
                 sympy.Tuple(*maps)),
            Step("slope", "differentiated by Price's theorem", sympy.ImmutableMatrix(slopes)),
        ),
        assumptions=fixed_points.equations.assumptions,
        references=fixed_points.equations.references,
    )  # fmt: skip
    return TransitionConditions(
        kind="fold",
        equations=EquationSet("transitions", (*_reduced(fixed_points), equation)),
        unknowns=core,
        state=tuple(u - g for u, g in zip(core, maps, strict=True)),
        critical=critical,
        crossing=(),
        growth=(),
        others=_others(fixed_points),
        parameters=fixed_points.parameters,
        definitions=fixed_points.definitions,
        bind=fixed_points.bind,
    )


def stability_conditions(
    fixed_points: SelfConsistency, spectrum: SpectralCondition
) -> TransitionConditions:
    """A mode of a fixed point crosses the border of stability."""
    reduced = {u: g for u, g in fixed_points.reduced.items() if u not in fixed_points.core}
    growth, crossing = _border(spectrum, reduced)
    maps = tuple(u - fixed_points.reduced[u] for u in fixed_points.core)
    return _conditions(
        "stability", fixed_points, spectrum, maps, 1 - boundary_condition(growth), crossing, growth,
        _others(fixed_points), "a fixed point loses stability through a real mode",
    )  # fmt: skip


def vanishes_at(expression: Expr, at: Mapping[Symbol, Expr]) -> bool:
    """Whether an expression is zero at values, whatever the symbols are that stay open.

    Decided by numbers to 30 digits: exact simplification of, say, exp(0.3123) takes for ever.
    """
    value = expression.subs(dict(at))
    if value.is_zero:
        return True
    for shift in (0, 1):
        point = {
            s: (_TRIALS[(i + shift) % len(_TRIALS)] + i)
            for i, s in enumerate(sorted(value.free_symbols, key=str))
        }
        if abs(sympy.N(value.subs(point), 30, maxn=400)) > _SMALL:
            return False
    return True


def _border(
    spectrum: SpectralCondition, state: Mapping[Symbol, Expr]
) -> tuple[ImmutableDenseMatrix, tuple[Expr, ...]]:
    """K at the real point of the border, and det(1 − K) = 0 = its slope along the border.

    Where modes cross in pairs, the largest Perron root on the border is attained off the real axis;
    there the determinant vanishes and so does its derivative along the border.
    """
    everywhere = real_transfer(spectrum)
    real = ImmutableDenseMatrix(everywhere.subs({X: S.Zero, Y: S.Zero}).subs(state))
    if real.has(sympy.zoo, sympy.nan):
        raise DerivationError(
            "the transfer matrix is infinite at the border of stability: local modes of the units "
            "lie on it"
        )
    if spectrum.discrete:
        on = {X: sympy.cos(FREQUENCY) - 1, Y: sympy.sin(FREQUENCY)}
    else:
        on = {X: S.Zero, Y: FREQUENCY}
    determinant = 1 - boundary_condition(ImmutableDenseMatrix(everywhere.subs(on).subs(state)))
    return real, (determinant, determinant.diff(FREQUENCY))


def _conditions(
    kind: str,
    fixed_points: SelfConsistency,
    spectrum: SpectralCondition,
    state: tuple[Expr, ...],
    critical: Expr,
    crossing: tuple[Expr, ...],
    growth: ImmutableDenseMatrix,
    others: Mapping[str, Expr],
    meaning: str,
) -> TransitionConditions:
    equation = Equation(
        tag=kind,
        lhs=S.One,
        rhs=1 - critical,
        meaning=meaning,
        trace=(
            *spectrum["boundary"].trace,
            Step("border", "the boundary passes the border of stability", critical),
        ),
        assumptions=(*spectrum["boundary"].assumptions, PERRON),
        references=spectrum["boundary"].references,
    )
    return TransitionConditions(
        kind=kind,
        equations=EquationSet(
            "transitions", (*(_reduced(fixed_points) if state else ()), equation)
        ),
        unknowns=fixed_points.core if state else (),
        state=state,
        critical=critical,
        crossing=crossing,
        growth=tuple(tuple(growth[i, :]) for i in range(growth.rows)),
        others=others,
        parameters=fixed_points.parameters,
        definitions=fixed_points.definitions,
        bind=fixed_points.bind,
    )


def _reduced(fixed_points: SelfConsistency) -> tuple[Equation, ...]:
    """The equations of the core unknowns, closed in themselves."""
    return tuple(
        replace(fixed_points[u.name], rhs=fixed_points.reduced[u]) for u in fixed_points.core
    )


def _others(fixed_points: SelfConsistency) -> dict[str, Expr]:
    return {
        u.name: fixed_points.reduced[u] for u in fixed_points.unknowns if u not in fixed_points.core
    }

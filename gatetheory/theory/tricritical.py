r"""Tricritical points: where a transition of the zero state turns discontinuous, in closed form.

*Static.* Near zero the order parameters obey Δ = BΔ + ½ H(Δ, Δ) + …; along the critical direction,
Δ = v a + slaved parts of the second order, 0 = μ a + f a² + … with f = ½ w·H(v, v)/w·v. A non-zero fixed
point is born continuously where f < 0, in a fold where f > 0; the two meet at f = 0 on μ = 0.

*Dynamic.* The amplitude of decaying correlations, A₀ = −μ/(m + ⅔q), diverges where m + ⅔q = 0
(:mod:`gatetheory.theory.weakly_nonlinear`).

Source: Krishnamurthy, Can and Schwab (2022), Secs. V and VI.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import sympy
from sympy import Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.lag_system import LagSystem
from gatetheory.equations.onset import TricriticalPoint
from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.equations.shapes import SelfConsistency
from gatetheory.errors import DerivationError, NoTransitionError
from gatetheory.references import PRICE
from gatetheory.theory.amplitude import expand_sources
from gatetheory.theory.critical_mode import critical_mode, is_first_instability, onset_condition
from gatetheory.theory.exact_values import (
    Check,
    defined,
    divides,
    lies_in_domain,
    neat,
    real_where,
    sign_of,
    solve_exactly,
    tidy,
    vanishes,
    without_vanishing,
)
from gatetheory.theory.onset_equations import NEAR_ONSET, SLOW_ONSET, closure_assumptions
from gatetheory.theory.reduction import NAMES, one_amplitude
from gatetheory.theory.slow_response import slow_response
from gatetheory.theory.small_covariance import SmallExpansion, expand_small
from gatetheory.theory.weakly_nonlinear import decisive_coefficient

Define = Callable[[Expr], Expr]
Decide = Callable[[Define], tuple[Expr, tuple[Step, ...]]]


def tricritical_static(
    fixed_points: SelfConsistency, first: Symbol, second: Symbol, at: Mapping[Symbol, Expr]
) -> TricriticalPoint:
    """Where the fold of fixed points meets the instability of the zero state.

    Args:
        fixed_points: Derived fixed points, with any number of unknowns.
        first: The first parameter to solve for.
        second: The second.
        at: Exact values of the others; those not named stay open.

    Raises:
        DerivationError: If zero is no fixed point, or there is no such point in the domain.
    """
    known = _known(first, second, at)
    unknowns = fixed_points.unknowns
    expansions = [
        _small_map(u, g, fixed_points, known)
        for u, g in zip(unknowns, fixed_points.maps, strict=True)
    ]
    gain = ImmutableDenseMatrix([[e.slope(u) for u in unknowns] for e in expansions])

    def decide(at_onset: Define) -> tuple[Expr, tuple[Step, ...]]:
        mode = critical_mode(gain, at_onset)
        direction = dict(zip(unknowns, mode.right, strict=True))
        bend = ImmutableDenseMatrix([[e.of_degree(2).xreplace(direction)] for e in expansions])
        coefficient = sympy.factor(mode.project(bend))
        steps = (
            *(
                Step("Price's theorem", f"{u} at small order parameters",
                     e.of_degree(1) + e.of_degree(2))
                for u, e in zip(unknowns, expansions, strict=True)
            ),
            Step("critical direction", "order parameters along it", mode.right),
            Step("second order", "coefficient of a² along it, slaved parts do not enter",
                 coefficient),
        )  # fmt: skip
        return coefficient, steps

    def define(e: Expr) -> Expr:
        return defined(e, fixed_points.definitions, known)

    conditions = _Conditions("static", gain, decide, define, known, fixed_points.bind)
    equations = fixed_points.equations
    return _point(conditions, (first, second), equations, equations.assumptions)


def tricritical_dynamic(
    system: LagSystem, first: Symbol, second: Symbol, at: Mapping[Symbol, Expr]
) -> TricriticalPoint:
    """Where the onset of decaying correlations turns from continuous to discontinuous.

    Args:
        system: Derived stationary correlations.
        first: The first parameter to solve for.
        second: The second.
        at: Exact values of the others; those not named stay open.

    Raises:
        DerivationError: If zero is no fixed point, or there is no such point in the domain.
    """
    known = _known(first, second, at)
    expansion = expand_sources(system, slow_response(system), known)

    def decide(at_onset: Define) -> tuple[Expr, tuple[Step, ...]]:
        mode, equation = one_amplitude(expansion, at_onset)
        coefficient = sympy.factor(decisive_coefficient({n: getattr(equation, n) for n in NAMES}))
        steps = (
            Step("critical mode", "covariances along it", equation.covariances),
            Step("feedback", "coefficient m of C(0) C(τ)", equation.feedback),
            Step("quadratic", "coefficient q of C(τ)²", equation.quadratic),
            Step("amplitude", "A₀ is μ over this; it diverges where it vanishes", coefficient),
        )
        return coefficient, steps

    def define(e: Expr) -> Expr:
        return defined(e, system.definitions, known)

    conditions = _Conditions("dynamic", expansion.gain, decide, define, known, system.bind)
    assumptions = (*closure_assumptions(system, known), SLOW_ONSET, NEAR_ONSET)
    return _point(conditions, (first, second), system.equations, assumptions)


def _known(first: Symbol, second: Symbol, at: Mapping[Symbol, Expr]) -> dict[Symbol, Expr]:
    if first == second:
        raise DerivationError(f"a tricritical point is one in two parameters, got {first} twice")
    return {s: sympy.sympify(v) for s, v in at.items() if s not in (first, second)}


def _small_map(
    unknown: Symbol, value: Expr, problem: SelfConsistency, at: Mapping[Symbol, Expr]
) -> SmallExpansion:
    expansion = expand_small(value.subs(dict(at)), problem.unknowns, 2)
    terms = {
        powers: without_vanishing(c, problem.definitions, at)
        for powers, c in expansion.terms.items()
    }
    rest = [c for powers, c in terms.items() if not any(powers) and c != 0]
    if rest:
        raise DerivationError(
            f"zero is not a fixed point: {unknown} would be {rest[0]}; set biases and inputs to "
            "zero"
        )
    return SmallExpansion(problem.unknowns, {p: c for p, c in terms.items() if c != 0})


@dataclass(frozen=True)
class _Conditions:
    """What a tricritical point has to satisfy.

    Args:
        kind: Of which transition.
        gain: B, abstract.
        decide: Coefficient that vanishes there, and steps, given values at the onset.
        define: Puts definitions and known parameters in.
        known: The known parameters.
        bind: Refuses values outside the model's domain.
    """

    kind: Literal["static", "dynamic"]
    gain: ImmutableDenseMatrix
    decide: Decide
    define: Define
    known: Mapping[Symbol, Expr]
    bind: Check

    def at_border(self, border: Expr, inner: Symbol | None, value: Expr) -> Define:
        """Values of abstract expressions where the zero state is at the border of stability."""
        if inner is not None:
            return lambda e: tidy(self.define(e).subs(inner, value))
        # Without a closed form of the border: what it divides vanishes there.
        return lambda e: S.Zero if divides(border, self.define(e)) else self.define(e)


def _point(
    conditions: _Conditions,
    parameters: tuple[Symbol, Symbol],
    source: EquationSet,
    assumptions: tuple[Assumption, ...],
) -> TricriticalPoint:
    """Solve both conditions, one parameter after the other, in the order that has closed forms."""
    border = conditions.define(onset_condition(conditions.gain))
    if not border.free_symbols & set(parameters):
        first, second = parameters
        raise NoTransitionError(
            f"the stability of the zero state depends neither on {first} nor on {second}"
        )
    for inner, outer in ((parameters[1], parameters[0]), parameters):
        try:
            found, coefficient, steps = _in_order(conditions, border, inner, outer)
        except _NoClosedForm:
            continue
        if not found:
            names = " and ".join(map(str, parameters))
            raise NoTransitionError(
                f"there is no {conditions.kind} tricritical point in the domain of {names} at these "
                "parameters"
            )
        values = tuple((p[parameters[0]], p[parameters[1]]) for p in found)
        break
    else:
        values = ()
        coefficient, steps = conditions.decide(conditions.at_border(border, None, S.Zero))
    deciding = conditions.define(coefficient)
    equations = _equations(
        conditions.kind, parameters, (border, deciding), values,
        (*steps, Step("definitions", "put into it", deciding)), source, assumptions,
    )  # fmt: skip
    return TricriticalPoint(conditions.kind, parameters, (border, deciding), values, equations)


class _NoClosedForm(Exception):
    """One of the conditions has no closed form for the parameter it is to be solved for."""


def _in_order(
    conditions: _Conditions, border: Expr, inner: Symbol, outer: Symbol
) -> tuple[list[dict[Symbol, Expr]], Expr, tuple[Step, ...]]:
    """All points, the border being solved for one parameter and the coefficient for the other."""
    found: list[dict[Symbol, Expr]] = []
    coefficient: Expr = S.Zero
    steps: tuple[Step, ...] = ()
    for value in _roots(border, inner):
        coefficient, steps = conditions.decide(conditions.at_border(border, inner, value))
        condition = tidy(conditions.define(coefficient).subs(inner, value))
        if vanishes(condition):
            raise DerivationError("the whole onset is tricritical at these parameters")
        if outer not in sympy.fraction(condition)[0].free_symbols:
            continue
        for root in _roots(condition, outer):
            point = {outer: root, inner: neat(value.subs(outer, root))}
            if _is_admissible(conditions, point):
                found.append(point)
    return found, coefficient, steps


def _roots(condition: Expr, symbol: Symbol) -> tuple[Expr, ...]:
    try:
        return solve_exactly(condition, symbol)
    except DerivationError as error:
        raise _NoClosedForm from error


def _is_admissible(conditions: _Conditions, point: Mapping[Symbol, Expr]) -> bool:
    """Whether the model takes the point, and the zero state is lost there for the first time."""
    for symbol, value in point.items():
        sign = sign_of(value)
        if symbol.is_nonnegative and sign == -1 or symbol.is_positive and sign == 0:
            return False
    gain = conditions.gain.applyfunc(lambda e: neat(conditions.define(e).subs(dict(point))))
    return lies_in_domain(point, conditions.known, conditions.bind) and is_first_instability(gain)


def _equations(
    kind: str,
    parameters: tuple[Symbol, Symbol],
    conditions: tuple[Expr, Expr],
    values: tuple[tuple[Expr, Expr], ...],
    steps: tuple[Step, ...],
    source: EquationSet,
    assumptions: tuple[Assumption, ...],
) -> EquationSet:
    references = tuple(dict.fromkeys((*source.references, PRICE)))
    meanings = (
        "the zero state is at the border of its stability",
        f"the {kind} transition turns from continuous to discontinuous",
    )
    found = [
        Equation(tag, value, S.Zero, meaning, steps, assumptions, references)
        for tag, value, meaning in zip(("border", "balance"), conditions, meanings, strict=True)
    ]
    if len(values) == 1:
        real = real_where(values[0])
        extra = (
            (Step("reality", f"needs {' and '.join(f'{r} > 0' for r in real)}"),) if real else ()
        )
        found += [
            Equation(
                p.name, p, v, f"{kind} tricritical point", (*steps, *extra), assumptions, references
            )
            for p, v in zip(parameters, values[0], strict=True)
        ]
    return EquationSet("tricritical", tuple(found))

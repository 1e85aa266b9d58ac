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
from itertools import product
from typing import Literal

import sympy
from sympy import Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.lag_system import LagSystem
from gatetheory.equations.onset import TricriticalPoint
from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.equations.shapes import SelfConsistency
from gatetheory.errors import DerivationError
from gatetheory.references import PRICE
from gatetheory.theory.amplitude import expand_sources
from gatetheory.theory.critical_mode import critical_mode, is_first_instability, onset_condition
from gatetheory.theory.exact_values import (
    Check,
    defined,
    lies_in_domain,
    neat,
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

Decide = Callable[[Callable[[Expr], Expr]], tuple[Expr, tuple[Step, ...]]]


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

    def decide(at_onset: Callable[[Expr], Expr]) -> tuple[Expr, tuple[Step, ...]]:
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

    return _solve(
        "static", gain, decide, (first, second), known,
        lambda e: defined(e, fixed_points.definitions, known), fixed_points.bind,
        fixed_points.equations, fixed_points.equations.assumptions,
    )  # fmt: skip


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

    def decide(at_onset: Callable[[Expr], Expr]) -> tuple[Expr, tuple[Step, ...]]:
        mode, equation = one_amplitude(expansion, at_onset)
        coefficient = sympy.factor(
            decisive_coefficient({n: getattr(equation, n) for n in NAMES})
        )
        steps = (
            Step("critical mode", "covariances along it", equation.covariances),
            Step("feedback", "coefficient m of C(0) C(τ)", equation.feedback),
            Step("quadratic", "coefficient q of C(τ)²", equation.quadratic),
            Step("amplitude", "A₀ is μ over this; it diverges where it vanishes", coefficient),
        )
        return coefficient, steps

    return _solve(
        "dynamic", expansion.gain, decide, (first, second), known,
        lambda e: defined(e, system.definitions, known), system.bind, system.equations,
        (*closure_assumptions(system, known), SLOW_ONSET, NEAR_ONSET),
    )  # fmt: skip


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


def _solve(
    kind: Literal["static", "dynamic"],
    gain: ImmutableDenseMatrix,
    decide: Decide,
    parameters: tuple[Symbol, Symbol],
    at: Mapping[Symbol, Expr],
    define: Callable[[Expr], Expr],
    bind: Check,
    source: EquationSet,
    assumptions: tuple[Assumption, ...],
) -> TricriticalPoint:
    """Solve both conditions one after the other, in whichever order has closed forms."""
    border = define(onset_condition(gain))
    missing = [str(p) for p in parameters if p not in border.free_symbols]
    if len(missing) == 2:
        raise DerivationError(
            f"the stability of the zero state depends neither on {missing[0]} nor on {missing[1]}"
        )
    deciding: Expr | None = None
    abstract: Expr = S.Zero
    steps: tuple[Step, ...] = ()
    values: list[tuple[Expr, Expr]] = []
    solved = False
    for inner, outer in ((parameters[1], parameters[0]), parameters):
        for value in _closed(border, inner):
            abstract, steps = decide(lambda e, s=inner, v=value: tidy(define(e).subs(s, v)))
            deciding = define(abstract)
            condition = tidy(deciding.subs(inner, value))
            if vanishes(condition):
                raise DerivationError("every point of the onset is tricritical")
            if outer not in condition.free_symbols:
                solved = solved or condition.is_number
                continue
            ...
    raise NotImplementedError

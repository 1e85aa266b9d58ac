"""Conditions for transitions, as expressions in the parameters.

So far: the loss of stability of the zero fixed point.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy import Expr, S, Symbol

from gatetheory.equations.provenance import Assumption, Equation, Step
from gatetheory.equations.shapes import SelfConsistency, SpectralCondition
from gatetheory.errors import DerivationError
from gatetheory.functions import instantiate, logistic
from gatetheory.theory.spectrum import boundary_condition

REAL_CROSSING = Assumption(
    "real crossing",
    "stability is lost at the real point of the border, where the spectral radius of K is largest; "
    "a unit that answers most strongly at a finite frequency (adaptation) loses it earlier",
)


def zero_state_condition(
    fixed_points: SelfConsistency, spectrum: SpectralCondition, at: Mapping[Symbol, Expr]
) -> Equation:
    """Where a real eigenvalue of the zero fixed point crosses the border of stability.

    All order parameters are set to zero in the boundary of the spectral support, at λ = 0
    (continuous time) or λ = 1 (discrete time).

    Args:
        fixed_points: Derived fixed points.
        spectrum: Derived spectrum at a fixed point.
        at: Values of the parameters that are not left open.

    Raises:
        DerivationError: If zero is not a fixed point at these parameters.
    """
    nothing = dict.fromkeys(fixed_points.unknowns, S.Zero)
    for tag, value in zip(fixed_points.unknowns, fixed_points.maps, strict=True):
        rest = instantiate(value, fixed_points.definitions).subs(at).subs(nothing)
        if sympy.simplify(rest) != 0:
            raise DerivationError(
                f"zero is not a fixed point: {tag} would be {rest}; set biases and inputs to zero"
            )
    border = S.One if spectrum.discrete else S.Zero
    defined = instantiate(boundary_condition(spectrum.transfer), spectrum.definitions)
    at_border = defined.subs(spectrum.spectral_parameter, border).subs(at).subs(nothing)
    return Equation(
        tag="zero_state",
        lhs=S.One,
        rhs=sympy.simplify(at_border.rewrite(logistic, sympy.exp)),
        meaning="the zero fixed point loses stability through a real eigenvalue",
        trace=(
            *spectrum["boundary"].trace,
            Step("zero state", "all order parameters vanish; averages are values at zero", defined),
            Step("border", f"a real eigenvalue reaches {border}", at_border),
        ),
        assumptions=(*spectrum["boundary"].assumptions, REAL_CROSSING),
        references=spectrum["boundary"].references,
    )


def solve_zero_state(condition: Equation, along: Symbol) -> tuple[Expr, ...]:
    """The condition solved for one parameter, in closed form.

    Solutions of the wrong sign and complex ones are dropped.

    Raises:
        DerivationError: If the condition does not contain the parameter, or has no closed form.
    """
    if along not in condition.rhs.free_symbols:
        raise DerivationError(f"the stability of the zero state does not depend on {along}")
    try:
        solutions = sympy.solve(condition.residual, along)
    except NotImplementedError as error:
        raise DerivationError(f"no closed form for {along}: {error}") from error
    simple = (sympy.simplify(s) for s in solutions)
    return tuple(s for s in simple if s.is_real is not False)

"""Marginal stability of fixed points when the gates on the rates become infinitely steep.

Nonlinearities that set the rates at which units forget (they stand beside λ in the transfer matrix)
are *gates*. Scaled to infinite steepness, σ(s A(x)) with s → ∞, a gate is open where its argument A
is positive and closed elsewhere. At λ = 0 the rates cancel from K, for any finite steepness; the
limit s → ∞ followed by λ → 0⁺ keeps the open units only. Between the two the bulk of the spectrum
is pinched at zero and the fixed point is marginally stable: it starts where K(0) reaches 1 and
ends where K of the open units does.

Source: Krishnamurthy, Can and Schwab (2022), Sec. IV.
"""

from __future__ import annotations

from dataclasses import replace

import sympy
from sympy import Abs, Expr, Heaviside, ImmutableDenseMatrix, Lambda, S, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.equations.real_transfer import X, Y, real_transfer
from gatetheory.equations.shapes import SelfConsistency, SpectralCondition
from gatetheory.equations.transition import TransitionConditions
from gatetheory.errors import DerivationError
from gatetheory.functions import Nonlinear
from gatetheory.theory.limits import limit_of
from gatetheory.theory.spectrum import boundary_condition
from gatetheory.theory.static_transitions import stability_conditions

STEEP = Assumption(
    "steep gates",
    "the gates on the rates are infinitely steep: open where their argument is positive, closed "
    "elsewhere; only the quotient of their parameters (the threshold) matters",
)


def marginal_conditions(
    fixed_points: SelfConsistency, spectrum: SpectralCondition
) -> tuple[TransitionConditions, TransitionConditions]:
    """Where K reaches 1 with all units, and with the open ones.

    Raises:
        DerivationError: If no gate sets a rate, or the fixed point itself depends on one.
    """
    gates = rate_gates(spectrum)
    if not gates:
        raise DerivationError(
            "no nonlinearity sets the rate at which a unit forgets, so that no gate can make its "
            "fixed points marginally stable"
        )
    lower = stability_conditions(fixed_points, spectrum)
    for expression in (*fixed_points.maps, *(e for row in lower.growth for e in row)):
        held = {n.name for n in expression.atoms(Nonlinear)} & gates
        if held:
            raise DerivationError(
                f"the fixed point depends on the gate {', '.join(sorted(held))} itself; its limit "
                "of infinite steepness is not the same state"
            )
    reduced = {u: g for u, g in fixed_points.reduced.items() if u not in fixed_points.core}
    on_axis = real_transfer(spectrum).subs({Y: S.Zero})
    steps = {name: step_of(spectrum.definitions[name]) for name in gates}
    open_units = ImmutableDenseMatrix(
        on_axis.applyfunc(
            lambda e: e.replace(
                lambda node: isinstance(node, GaussianAverage),
                lambda node: _steep(node, steps),
            ).subs(X, S.Zero)
        ).subs(reduced)
    )
    critical = 1 - boundary_condition(open_units)
    equation = Equation(
        tag="open",
        lhs=S.One,
        rhs=1 - critical,
        meaning="the open units alone become unstable: the end of the marginal region",
        trace=(
            *spectrum["boundary"].trace,
            Step("steep gates", "σ → step, then λ → 0⁺", open_units),
        ),
        assumptions=(*spectrum["boundary"].assumptions, STEEP),
        references=spectrum["boundary"].references,
    )
    upper = replace(
        lower,
        kind="open",
        equations=EquationSet("transitions", (*lower.equations.equations[:-1], equation)),
        critical=critical,
        crossing=(),
        growth=tuple(tuple(open_units[i, :]) for i in range(open_units.rows)),
    )
    return replace(lower, crossing=()), upper


def rate_gates(spectrum: SpectralCondition) -> set[str]:
    """Names of the nonlinearities that stand beside λ in the transfer matrix."""
    spectral = spectrum.spectral_parameter
    poles = {a for a in spectrum.transfer.atoms(Abs) if a.has(spectral)}
    return {n.name for a in poles for n in a.atoms(Nonlinear)}


def step_of(definition: Lambda) -> tuple[Lambda, Expr, Expr]:
    """A sigmoid as a step: its affine argument A, and its values where A → −∞ and A → ∞.

    Raises:
        DerivationError: If it is no bounded function of one affine argument.
    """
    (x,) = definition.variables
    inside = {
        a
        for f in definition.expr.atoms(sympy.Function)
        for a in f.args
        if a.has(x) and a.is_polynomial(x) and sympy.degree(a, x) == 1
    }
    v = Symbol("v", real=True)
    for argument in sorted(inside, key=sympy.default_sort_key):
        profile = definition.expr.xreplace({argument: v, -argument: -v})
        if profile.free_symbols <= {v}:
            low, high = (limit_of(profile, {v: end}) for end in (-sympy.oo, sympy.oo))
            if low.is_finite and high.is_finite:
                return Lambda(x, argument), low, high
    raise DerivationError(
        f"the gate {definition.expr} has no limit of infinite steepness: it must be a bounded "
        f"function of one argument that is linear in {x}"
    )


def _steep(average: GaussianAverage, steps: dict[str, tuple[Lambda, Expr, Expr]]) -> Expr:
    """An average with its gates replaced by steps, at λ → 0⁺."""
    integrand = average.integrand
    gates = [n for n in integrand.atoms(Nonlinear) if n.name in steps]
    if not gates:
        return average
    if any(n.order for n in gates):
        raise DerivationError("the slope of a gate enters K; it has no limit of infinite steepness")
    total = S.Zero
    cases: list[tuple[Expr, dict[Expr, Expr]]] = [(S.One, {})]
    for gate in gates:
        argument, low, high = steps[gate.name]
        is_open = Heaviside(argument(gate.argument))
        cases = [
            (weight * factor, {**values, gate: value})
            for weight, values in cases
            for factor, value in ((is_open, high), (1 - is_open, low))
        ]
    for weight, values in cases:
        rest = sympy.limit(sympy.cancel(integrand.xreplace(values)), X, 0, "+")
        total += weight * rest
    return GaussianAverage(sympy.expand(total), average.variables, average.covariance)

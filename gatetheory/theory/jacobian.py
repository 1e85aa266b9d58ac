"""The Jacobian of the network at a state, D = A + Σ_a L_a J^a R_a, by differentiation.

Algebraic fields stay in as rows of the pencil λE − D: their law is written value − x = 0 and their
entry of E is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy
from sympy import Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.shapes import StateLaw
from gatetheory.errors import DerivationError
from gatetheory.functions import differentiate
from gatetheory.model import Field, GaussianInput, Model, TimeDependentInput, WhiteNoise
from gatetheory.theory.fixed_points import solve_at_rest, static_inputs


@dataclass(frozen=True)
class JacobianParts:
    """The local pieces of the Jacobian of one unit, F fields and n couplings.

    Args:
        drift: A = ∂F/∂x, shape (F, F).
        drives: L = ∂F/∂η, shape (F, n).
        readouts: R = ∂ψ/∂x, shape (n, F).
        mass: Diagonal of E: the time constants, 1 for a map, 0 for an algebraic field.
        variances: s_a² of every coupling.
    """

    drift: ImmutableDenseMatrix
    drives: ImmutableDenseMatrix
    readouts: ImmutableDenseMatrix
    mass: tuple[Expr, ...]
    variances: tuple[Expr, ...]

    def at(self, law: StateLaw) -> JacobianParts:
        """The same pieces at a state, as functions of its Gaussian variables."""
        return replace(
            self,
            drift=self.drift.applyfunc(law),
            drives=self.drives.applyfunc(law),
            readouts=self.readouts.applyfunc(law),
        )


def jacobian_parts(model: Model) -> JacobianParts:
    """Differentiate laws and signals of a model."""
    units = [f.symbol for f in model.fields]
    local = [c.local_field for c in model.couplings]
    resolved = model.resolved_laws
    laws = [resolved[f.symbol] - (f.symbol if f.value is not None else 0) for f in model.fields]
    signals = [c.signal for c in model.couplings]
    return JacobianParts(
        drift=_gradients(laws, units),
        drives=_gradients(laws, local),
        readouts=_gradients(signals, units),
        mass=tuple(S.Zero if f.value is not None else f.time_constant for f in model.fields),
        variances=tuple(c.variance for c in model.couplings),
    )


def _gradients(functions: Sequence[Expr], variables: Sequence[Symbol]) -> ImmutableDenseMatrix:
    return ImmutableDenseMatrix([[differentiate(f, x) for x in variables] for f in functions])


def synthetic_law(model: Model) -> StateLaw:
    """A state drawn independently of the couplings: every field Gaussian with its own variance.

    The variance of field x is ``Delta_x``. Where a dynamic field at rest would follow its local
    field, x = η, the state draws the distance d = η − x with variance ``Delta_d<a>``; a local field
    without such a relation is drawn itself, with variance ``Delta_eta_<a>``. Algebraic fields obey
    their law exactly. Only variables that the Jacobian contains are drawn.

    Raises:
        DerivationError: If the Jacobian depends on time through an input, or an algebraic field is
            not a closed-form function of what it reads.
    """
    parts = jacobian_parts(model)
    inputs = static_inputs(model)
    given = {i.symbol: i.variance for i in model.inputs if isinstance(i, GaussianInput)}
    variances = {f.symbol: Symbol(f"Delta_{f.name}", nonnegative=True) for f in model.fields}
    followed = _followed(model)
    tied: dict[Symbol, Expr] = {}
    for coupling in model.couplings:
        eta = coupling.local_field
        variances[eta] = Symbol(f"Delta_{eta.name}", nonnegative=True)
        if eta in followed:
            x, tied[eta] = followed[eta]
            if not x.is_algebraic:
                distance = Symbol(f"d_{coupling.name}", real=True)
                tied[eta] += distance
                variances[distance] = Symbol(f"Delta_d{coupling.name}", nonnegative=True)
    drawn_fields = {x.symbol for x, _ in followed.values()}
    for f in model.fields:
        if f.is_algebraic and f.symbol not in drawn_fields:
            tied |= solve_at_rest((f.symbol,), [f.residual.xreplace(inputs)])
    for _ in tied:
        tied = {s: value.xreplace(tied) for s, value in tied.items()}
    variances |= given
    expressions = {s: s for s in variances} | inputs | tied
    everything = [*parts.drift, *parts.drives, *parts.readouts]
    used = set().union(*(e.xreplace(expressions).free_symbols for e in everything))
    for i in model.inputs:
        if isinstance(i, TimeDependentInput) and i.symbol in used:
            raise DerivationError(
                f"the Jacobian of model {model.name} depends on time through input {i.symbol}; "
                "make the input constant to have a spectrum"
            )
    drawn = tuple(v for v in variances if v in used)
    return StateLaw(
        expressions=expressions,
        variables=drawn,
        covariance=ImmutableDenseMatrix(sympy.diag(*(variances[v] for v in drawn))),
        unknowns=tuple(variances[v] for v in drawn if v not in given),
    )


def _followed(model: Model) -> dict[Symbol, tuple[Field, Expr]]:
    """For local fields that a field at rest follows linearly: the field, and η in terms of it.

    Inputs that never rest are left to the distance between the two.
    """
    local = {c.local_field for c in model.couplings}
    algebraic = {f.symbol for f in model.fields if f.is_algebraic}
    restless = {
        i.symbol: S.Zero for i in model.inputs if isinstance(i, WhiteNoise | TimeDependentInput)
    }
    found: dict[Symbol, tuple[Field, Expr]] = {}
    for f in model.fields:
        x, residual = f.symbol, f.residual.xreplace(static_inputs(model))
        residual = residual if f.is_algebraic else residual.xreplace(restless)
        slope = residual.diff(x)
        read = residual.free_symbols & local
        if len(read) != 1 or slope == 0 or slope.has(x):
            continue
        (eta,) = read
        value = sympy.cancel(-residual.subs(x, 0) / slope)
        others = value.free_symbols & ({g.symbol for g in model.fields} - {x})
        if eta in found or not (value.diff(eta).is_number and value.diff(eta) != 0):
            continue
        if not others & algebraic if f.is_algebraic else not others:
            found[eta] = f, sympy.expand((x - value.subs(eta, 0)) / value.diff(eta))
    return found

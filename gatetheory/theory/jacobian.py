"""The Jacobian of the network at a state, D = A + Σ_a L_a J^a R_a, by differentiation.

Algebraic fields stay in as rows of the pencil λE − D: their law is written value − x = 0 and their
entry of E is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.shapes import StateLaw
from gatetheory.model import GaussianInput, Model
from gatetheory.theory.fixed_points import rest_state


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
        return JacobianParts(
            *(m.applyfunc(law) for m in (self.drift, self.drives, self.readouts)),
            self.mass,
            self.variances,
        )


def jacobian_parts(model: Model) -> JacobianParts:
    """Differentiate laws and signals of a model."""
    units = [f.symbol for f in model.fields]
    local = [c.local_field for c in model.couplings]
    resolved = model.resolved_laws
    laws = ImmutableDenseMatrix(
        [resolved[f.symbol] - (f.symbol if f.value is not None else 0) for f in model.fields]
    )
    signals = ImmutableDenseMatrix([c.signal for c in model.couplings])
    return JacobianParts(
        drift=laws.jacobian(units),
        drives=laws.jacobian(local),
        readouts=signals.jacobian(units),
        mass=tuple(S.Zero if f.value is not None else f.time_constant for f in model.fields),
        variances=tuple(c.variance for c in model.couplings),
    )


def synthetic_law(model: Model) -> StateLaw:
    """A state drawn independently of the couplings: every field Gaussian with its own variance.

    The variance of field x is ``Delta_x``. Where a dynamic field at rest would follow its local
    field, x = η, the state draws the distance d = η − x with variance ``Delta_d<a>``; a local field
    without such a relation is drawn itself, with variance ``Delta_eta_<a>``. Algebraic fields obey
    their law exactly. Only variables that the Jacobian contains are drawn.
    """
    parts = jacobian_parts(model)
    units = {f.symbol: f for f in model.fields}
    local = {c.local_field: c for c in model.couplings}
    expressions: dict[Symbol, Expr] = {x: x for x in units}
    variances = {x: Symbol(f"Delta_{x.name}", nonnegative=True) for x in units}
    followed = _followed(model)
    for eta, coupling in local.items():
        if eta in followed:
            x, inverse = followed[eta]
            distance = Symbol(f"d_{coupling.name}", real=True)
            exact = units[x].value is not None
            expressions[eta] = inverse if exact else inverse + distance
            variances[distance] = Symbol(f"Delta_d{coupling.name}", nonnegative=True)
        else:
            expressions[eta] = eta
            variances[eta] = Symbol(f"Delta_{eta.name}", nonnegative=True)
    for i in model.inputs:
        if isinstance(i, GaussianInput):
            expressions[i.symbol] = i.mean + i.symbol
            variances[i.symbol] = sympy.sympify(i.variance)
    everything = [*parts.drift, *parts.drives, *parts.readouts]
    used = set().union(*(e.xreplace(expressions).free_symbols for e in everything))
    drawn = tuple(v for v in variances if v in used)
    return StateLaw(
        expressions=expressions,
        variables=drawn,
        covariance=ImmutableDenseMatrix(sympy.diag(*(variances[v] for v in drawn))),
        unknowns=tuple(variances[v] for v in drawn if variances[v].is_Symbol),
    )


def _followed(model: Model) -> dict[Symbol, tuple[Symbol, Expr]]:
    """For local fields that a field at rest follows linearly: the field, and η in terms of it."""
    local = {c.local_field for c in model.couplings}
    found: dict[Symbol, tuple[Symbol, Expr]] = {}
    for x, value in rest_state(model).items():
        read = value.free_symbols & local
        if len(read) != 1:
            continue
        (eta,) = read
        slope = value.diff(eta)
        if slope.is_number and eta not in found:
            found[eta] = (x, sympy.expand((x - value.subs(eta, 0)) / slope))
    return found

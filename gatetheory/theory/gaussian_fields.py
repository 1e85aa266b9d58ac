r"""The Gaussian part of the single-site process, as a linear system driven by the local fields.

The fields that signals depend on obey, once they are Gaussian,

    E ẋ = D x + B η + W ξ + G s + b        (continuous time; E has 0 for algebraic fields),
    x(t+1) = D x + B η + …                 (a map),

with constant D, B, W, G, b: ξ white noise, s Gaussian inputs that are static, b constant inputs. A
field that is only conditionally Gaussian, because a gate multiplies its law, enters under a
*closure*:

* ``constant``: the gate is held at its value at the mean of the field that drives it;
* ``factorized``: gate and field are averaged apart; see :mod:`gatetheory.theory.correlations`.

Anything else has no closed equation and is left to sampling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy
from sympy import Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.errors import DerivationError
from gatetheory.functions import differentiate
from gatetheory.model import (
    ConstantInput,
    GaussianInput,
    Model,
    TimeDependentInput,
    WhiteNoise,
)
from gatetheory.theory.classification import classify
from gatetheory.theory.dependence import strongly_connected


@dataclass(frozen=True)
class Gate:
    """A gate s(y) in a law ẋ = s(y)(…) of a field that is Gaussian given y.

    Args:
        field: x.
        given: The fields y.
        law: The law of x as the model has it.
        mean: The means of y, at which ``constant`` holds the gate.
    """

    field: Symbol
    given: tuple[Symbol, ...]
    law: Expr
    mean: Mapping[Symbol, Expr]

    @property
    def fluctuations(self) -> tuple[Expr, ...]:
        """Expressions that all vanish where the gate is constant, so that nothing is left out."""
        return tuple(differentiate(self.law, y) for y in self.given)


@dataclass(frozen=True)
class GaussianFields:
    """A linear system; see the module's text.

    Args:
        fields: x, those that signals depend on and what those depend on.
        local_fields: η.
        mass: Diagonal of E.
        drift: D, shape (fields, fields); for an algebraic field the row of value − x.
        drives: B, shape (fields, local fields).
        noises: W, shape (fields, white noises), and their intensities.
        intensities: D of every white noise.
        statics: G, shape (fields, static inputs), and their variances.
        variances: Variance of every static input.
        offsets: b.
        timed: Time-dependent inputs: coefficient by symbol, shape (fields,).
        gates: What was held constant to get here.
        discrete: Whether time counts steps.
    """

    fields: tuple[Symbol, ...]
    local_fields: tuple[Symbol, ...]
    mass: tuple[Expr, ...]
    drift: ImmutableDenseMatrix
    drives: ImmutableDenseMatrix
    noises: ImmutableDenseMatrix
    intensities: tuple[Expr, ...]
    statics: ImmutableDenseMatrix
    variances: tuple[Expr, ...]
    offsets: ImmutableDenseMatrix
    timed: Mapping[Symbol, ImmutableDenseMatrix]
    gates: tuple[Gate, ...]
    discrete: bool

    @property
    def means(self) -> ImmutableDenseMatrix:
        """Stationary means of the fields, −D⁻¹ b ((1 − D)⁻¹ b for a map), shape (fields, 1).

        Raises:
            DerivationError: If the linear law has no such state.
        """
        static = -self.drift
        if self.discrete:
            static = sympy.diag(*self.mass) - self.drift
        if static.rows == 0:
            return ImmutableDenseMatrix(0, 1, [])
        if self.offsets.is_zero_matrix:
            return ImmutableDenseMatrix(sympy.zeros(static.rows, 1))
        if static.det() == 0:
            names = ", ".join(map(str, self.fields))
            raise DerivationError(
                f"the linear law of {names} does not hold its fields anywhere, so that they have "
                "no stationary mean; give each a leak"
            )
        return ImmutableDenseMatrix((static.inv() * self.offsets).applyfunc(sympy.factor))


def gaussian_fields(model: Model) -> GaussianFields:
    """The linear system of the fields that signals depend on, gates held constant.

    Raises:
        DerivationError: If one of these fields is non-Gaussian; the message offers sampling.
    """
    relevant = _relevant(model)
    if not relevant:
        names = ", ".join(c.name for c in model.couplings)
        raise DerivationError(
            f"no signal of model {model.name} reads a field (couplings {names}), so that nothing "
            "fluctuates in time"
        )
    classes = classify(model)
    for x in relevant:
        if classes[x].kind == "non-Gaussian":
            raise DerivationError(
                f"{x} is non-Gaussian ({classes[x].reason}), so that its correlations obey no "
                'closed equation; use closure="sampled"'
            )
    inputs = {i.symbol: i.value for i in model.inputs if isinstance(i, ConstantInput)}
    laws = {x: law.xreplace(inputs) for x, law in model.resolved_laws.items() if x in relevant}
    gates = []
    for members in strongly_connected(model):
        for x in members:
            if x in laws and classes[x].kind == "conditionally Gaussian":
                upstream = tuple(y for y in laws if y != x and y not in members)
                known = _linear(model, {y: laws[y] for y in upstream}, inputs, ())
                mean = dict(zip(upstream, known.means, strict=True))
                given = classes[x].given
                gates.append(Gate(x, given, laws[x], {y: mean[y] for y in given}))
                laws[x] = laws[x].subs({y: mean[y] for y in given})
    # Fields that only fed a gate, and are read by no signal, still have correlations of their own.
    return _linear(model, laws, inputs, tuple(gates))


def _relevant(model: Model) -> tuple[Symbol, ...]:
    """Fields that signals depend on, through other fields too."""
    laws = model.resolved_laws
    found = set().union(*(c.signal.free_symbols for c in model.couplings)) & set(laws)
    for _ in laws:
        found |= set().union(*(laws[x].free_symbols for x in found), set()) & set(laws)
    return tuple(f.symbol for f in model.fields if f.symbol in found)


def _linear(
    model: Model,
    laws: Mapping[Symbol, Expr],
    inputs: Mapping[Symbol, Expr],
    gates: tuple[Gate, ...],
) -> GaussianFields:
    by_symbol = {f.symbol: f for f in model.fields}
    fields = tuple(laws)
    algebraic = {x for x in fields if by_symbol[x].value is not None}
    rows = [sympy.expand(laws[x].subs(inputs)) - (x if x in algebraic else 0) for x in fields]
    local = tuple(c.local_field for c in model.couplings)
    noises = [i for i in model.inputs if isinstance(i, WhiteNoise)]
    statics = [i for i in model.inputs if isinstance(i, GaussianInput)]
    timed = [i.symbol for i in model.inputs if isinstance(i, TimeDependentInput)]

    def slopes(symbols: list[Symbol] | tuple[Symbol, ...]) -> ImmutableDenseMatrix:
        entries = [sympy.factor(differentiate(row, s)) for row in rows for s in symbols]
        return ImmutableDenseMatrix(len(rows), len(symbols), entries)

    driving = [*fields, *local, *(i.symbol for i in noises), *(i.symbol for i in statics), *timed]
    zero = dict.fromkeys(driving, S.Zero)
    means = {i.symbol: i.mean for i in statics}
    offsets = [row.subs({**zero, **means}) for row in rows]
    return GaussianFields(
        fields=fields,
        local_fields=local,
        mass=tuple(S.Zero if x in algebraic else by_symbol[x].time_constant for x in fields),
        drift=slopes(fields),
        drives=slopes(local),
        noises=slopes([i.symbol for i in noises]),
        intensities=tuple(i.intensity for i in noises),
        statics=slopes([i.symbol for i in statics]),
        variances=tuple(i.variance for i in statics),
        offsets=ImmutableDenseMatrix(len(rows), 1, offsets),
        timed={s: slopes([s]) for s in timed},
        gates=gates,
        discrete=model.time == "discrete",
    )

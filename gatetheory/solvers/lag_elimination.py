r"""Lag systems that are one equation for one covariance: C − τ² C'' = S(C; C(0)).

With G_ka(s) the transfer function of a combination u_k of the fields to drive a, a covariance obeys
C_kl = Σ_a G_ka(s) G_la(−s) S_a at s = ∂_τ. Only covariances that the main one depends on count. If

* the main covariance has G G = c_a / (1 − τ² s²), with one τ for all its drives, and
* all others have a constant G G, and do not depend on themselves,

then these others are functions of C(τ) and C(0), and so is S. Parameters have their values, so that
a model may have this form at some parameters only. One parameter may be left open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import sympy
from sympy import Expr, Float, ImmutableDenseMatrix, Rational, S, Symbol

from gatetheory.equations.lag_system import KAPPA, Covariance, LagSystem
from gatetheory.functions import instantiate

_SHIFT = Symbol("s")


@dataclass(frozen=True)
class Stage:
    """A covariance as an expression in those of the stages before it and in the main one.

    Args:
        covariance: The covariance; of the last stage, the main one, whose S this is.
        value: The expression.
    """

    covariance: Covariance
    value: Expr


@dataclass(frozen=True)
class SingleEquation:
    """C − τ² C'' = S(C; C(0)) for the main covariance.

    Args:
        system: The lag system.
        stages: The eliminated covariances in an order in which they can be computed; S last.
        length: τ², an expression in the open parameter.
        along: The open parameter, or None.
        parameters: Values of all others.
    """

    system: LagSystem
    stages: tuple[Stage, ...]
    length: Expr
    along: Symbol | None
    parameters: Mapping[Symbol, Expr] = field(hash=False)

    @property
    def main(self) -> Covariance:
        """The covariance the equation is for."""
        return self.stages[-1].covariance

    @cached_property
    def observables(self) -> dict[str, Expr]:
        """Observables that only need covariances of the stages."""
        known = {s for stage in self.stages for s in _symbols(stage.covariance)}
        known |= {self.along} if self.along is not None else set()
        found = {n: _at(e, self.system, self.parameters) for n, e in
                 self.system.observables.items()}  # fmt: skip
        return {n: e for n, e in found.items() if e.free_symbols <= known}


def single_equation(
    system: LagSystem, parameters: Mapping[Symbol, Expr], along: Symbol | None = None
) -> SingleEquation | None:
    """The equation of the main covariance, or None if the system has no such form.

    Args:
        system: The lag system.
        parameters: Values of all parameters.
        along: A parameter that stays open.
    """
    given = {p: _exact(v) for p, v in parameters.items() if p != along}
    if system.discrete:
        return None
    pencil = _at(_SHIFT * sympy.diag(*system.mass) - system.drift, system, given)
    if sympy.cancel(pencil.det(method="berkowitz")) == 0:
        return None
    inverse = pencil.inv(method="ADJ")
    responses = [
        _at(columns, system, given) for columns in (system.drives, system.noises, system.statics)
    ]
    drives, noises, statics = (inverse * r for r in responses)
    intensities = [_at(e, system, given) for e in system.intensities]
    variances = [_at(e, system, given) for e in system.variances]
    names = list(system.sources)
    sources = {n: _at(e, system, given) for n, e in system.sources.items()}
    open_, order = [system.main], []
    values: dict[str, Expr] = {}
    reads: dict[str, set[str]] = {}
    lengths: set[Expr] = set()
    by_name = {c.name: c for c in system.covariances}
    if system.main not in by_name:
        return None
    while open_:
        name = open_.pop()
        if name in values:
            continue
        c = by_name[name]
        total = S.Zero
        for w, intensity in enumerate(intensities):
            if intensity != 0 and _response(noises, c, w) != 0:
                return None
        for w, variance in enumerate(variances):
            total += variance * _response(statics, c, w).subs(_SHIFT, 0)
        for drive, source in enumerate(system.drive_sources):
            response = _response(drives, c, drive)
            if response == 0:
                continue
            parts = _one_exponential(response)
            if parts is None or (parts[1] != 0) != (name == system.main):
                return None
            if name == system.main:
                if not _decays(drives, c, drive):
                    return None
                lengths.add(sympy.cancel(parts[1]))
            total += parts[0] * sources[names[source]]
        values[name] = total
        reads[name] = {k.name for k in system.covariances if total.free_symbols & set(_symbols(k))}
        open_ += reads[name]
    (length,) = lengths if len(lengths) == 1 else (None,)
    known = {s for n in values for s in _symbols(by_name[n])} | {along}
    if length is None or any(v.free_symbols - known for v in values.values()):
        return None
    waiting = set(values) - {system.main}
    while waiting:
        ready = [n for n in waiting if not reads[n] & waiting]
        if not ready:
            return None
        order += sorted(ready)
        waiting -= set(ready)
    stages = tuple(Stage(by_name[n], values[n]) for n in (*order, system.main))
    return SingleEquation(system, stages, length, along, given)


def _symbols(c: Covariance) -> tuple[Symbol, Symbol]:
    return c.symbol, c.equal


def _exact(value: Expr) -> Expr:
    """A number without rounding: common factors of rational functions cancel."""
    value = sympy.sympify(value)
    return Rational(value) if isinstance(value, Float) else value


def _at(e: Expr, system: LagSystem, values: Mapping[Symbol, Expr]) -> Expr:
    return instantiate(e, system.definitions).xreplace({**values, KAPPA: S.Zero})


def _response(table: ImmutableDenseMatrix, c: Covariance, column: int) -> Expr:
    """G_k(s) G_l(−s)."""
    first, second = (
        sum((u * g for u, g in zip(side, table[:, column], strict=True)), S.Zero)
        for side in (c.first, c.second)
    )
    return sympy.cancel(sympy.together(first * second.subs(_SHIFT, -_SHIFT)))


def _decays(table: ImmutableDenseMatrix, c: Covariance, column: int) -> bool:
    """Whether the poles of G_k lie in the left half plane; not asked with an open parameter."""
    g = sum((u * g for u, g in zip(c.first, table[:, column], strict=True)), S.Zero)
    _, denominator = sympy.fraction(sympy.cancel(sympy.together(g)))
    if denominator.free_symbols != {_SHIFT}:
        return True
    return all(sympy.re(r) < 0 for r in sympy.Poly(denominator, _SHIFT).nroots())


def _one_exponential(response: Expr) -> tuple[Expr, Expr] | None:
    """C and τ² of c / (1 − τ² s²); None if it is something else."""
    numerator, denominator = sympy.fraction(response)
    if numerator.has(_SHIFT):
        return None
    if not denominator.has(_SHIFT):
        return response, S.Zero
    d = sympy.Poly(denominator, _SHIFT)
    if d.degree() != 2 or d.coeff_monomial(_SHIFT) != 0 or d.coeff_monomial(1) == 0:
        return None
    constant = d.coeff_monomial(1)
    length = -d.coeff_monomial(_SHIFT**2) / constant
    return None if length.is_negative else (numerator / constant, length)

"""Signals as functions of scalar Gaussian variables, and their covariance at two times.

A signal reads fields through *slots*: a field x itself, or, where a nonlinearity takes several
fields at once, the affine combination it takes, φ(x − w). What one drive leaves correlated stays
correlated between slots; slots without a common random root are independent, and averages factor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy
from sympy import Expr, Function, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.averages import GaussianAverage, expand_averages
from gatetheory.equations.lag_system import Covariance
from gatetheory.functions import Nonlinear


@dataclass(frozen=True)
class Slot:
    """A scalar Gaussian variable u = Σ coefficients · fields, as deviation from its mean.

    Args:
        symbol: u.
        coefficients: One per field.
        mean: ⟨u⟩.
    """

    symbol: Symbol
    coefficients: tuple[Expr, ...]
    mean: Expr


class Slots:
    """Finds the slots of expressions and names the covariances between them.

    Args:
        fields: The Gaussian fields.
        means: Their means.
        roots: Random roots of every field; fields without a common one are independent.
    """

    def __init__(
        self,
        fields: Sequence[Symbol],
        means: Sequence[Expr],
        roots: Mapping[Symbol, frozenset[Symbol]],
    ) -> None:
        self.fields, self.means, self.roots = tuple(fields), tuple(means), roots
        self._slots: dict[tuple[Expr, ...], Slot] = {}
        self._covariances: dict[tuple[Symbol, Symbol], Covariance] = {}
        for f in fields:
            self._of({f: S.One}, f.name)

    def read(self, expression: Expr) -> Expr:
        """The expression in terms of slots, means put in."""
        inside = self._read_functions(expression)
        slots = {f: self._of({f: S.One}, f.name) for f in self.fields}
        return inside.xreplace({f: s.symbol + s.mean for f, s in slots.items()})

    def autocovariance(self, field: Symbol) -> Covariance:
        """C_x of a field."""
        slot = self._of({field: S.One}, field.name)
        return self._covariance(slot, slot)

    @property
    def covariances(self) -> tuple[Covariance, ...]:
        """Every covariance that was named, in order."""
        return tuple(self._covariances.values())

    def two_times(self, first: Expr, second: Expr) -> Expr:
        """⟨first(t+τ) second(t)⟩, factorised over independent slots.

        Args:
            first: In terms of slots, as :meth:`read` returns it.
            second: The same.
        """
        by_symbol = {s.symbol: s for s in self._slots.values()}
        early = {u: Symbol(f"{u.name}'", real=True) for u in by_symbol}
        later = [by_symbol[u] for u in by_symbol if first.has(u)]
        before = [by_symbol[u] for u in by_symbol if second.has(u)]
        everything = [(s, False) for s in later] + [(s, True) for s in before]
        names = [early[s.symbol] if primed else s.symbol for s, primed in everything]
        entries = [self._entry(a, b, pa, pb) for a, pa in everything for b, pb in everything]
        matrix = ImmutableDenseMatrix(len(names), len(names), entries)
        average = GaussianAverage(first * second.xreplace(early), names, matrix)
        return expand_averages(average)

    def _entry(self, a: Slot, b: Slot, a_early: bool, b_early: bool) -> Expr:
        if not self._tied(a, b):
            return S.Zero
        if a_early == b_early:
            return (
                self._covariance(a, b).equal
                if str(a.symbol) <= str(b.symbol)
                else (self._covariance(b, a).equal)
            )
        return self._covariance(b, a).symbol if a_early else self._covariance(a, b).symbol

    def _tied(self, a: Slot, b: Slot) -> bool:
        def roots(s: Slot) -> set[Symbol]:
            used = (f for f, c in zip(self.fields, s.coefficients, strict=True) if c != 0)
            return set().union(*(self.roots[f] for f in used))

        return bool(roots(a) & roots(b))

    def _read_functions(self, expression: Expr) -> Expr:
        """Replace affine arguments that tie several fields by slots of their own."""
        if not expression.args or not expression.has(*self.fields):
            return expression
        arguments = []
        for argument in expression.args:
            value = argument
            function = isinstance(expression, Nonlinear | Function)
            used = [f for f in self.fields if argument.has(f)]
            if function and len(used) > 1 and self._is_affine(argument, used):
                slopes = {f: argument.diff(f) for f in used}
                slot = self._of(slopes, self._free_name())
                rest = argument.subs(dict.fromkeys(used, S.Zero))
                value = slot.symbol + slot.mean + rest
            elif used:
                value = self._read_functions(argument)
            arguments.append(value)
        return expression.func(*arguments)

    def _free_name(self) -> str:
        """A name for a combination of fields that no field has."""
        taken = {s.symbol.name for s in self._slots.values()}
        return next(f"u_{k}" for k in range(1, len(taken) + 2) if f"u_{k}" not in taken)

    @staticmethod
    def _is_affine(argument: Expr, used: Sequence[Symbol]) -> bool:
        return all(not sympy.expand(argument.diff(f)).has(*used) for f in used)

    def _of(self, slopes: Mapping[Symbol, Expr], name: str) -> Slot:
        coefficients = tuple(slopes.get(f, S.Zero) for f in self.fields)
        if coefficients not in self._slots:
            mean = sum((c * m for c, m in zip(coefficients, self.means, strict=True)), S.Zero)
            self._slots[coefficients] = Slot(Symbol(name, real=True), coefficients, mean)
        return self._slots[coefficients]

    def _covariance(self, a: Slot, b: Slot) -> Covariance:
        key = a.symbol, b.symbol
        if key not in self._covariances:
            name = f"C_{a.symbol.name}" if a == b else f"C_{a.symbol.name},{b.symbol.name}"
            self._covariances[key] = Covariance(
                name=name,
                first=a.coefficients,
                second=b.coefficients,
                symbol=Symbol(name, real=True),
                equal=Symbol(f"{name}(0)", real=True, nonnegative=True if a == b else None),
            )
            if a != b:  # the other side of the same function
                self._covariance(b, a)
        return self._covariances[key]

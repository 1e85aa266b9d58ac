"""A transition as equations: conditions F(u, p) = 0 on the state's unknowns u and a parameter p.

One condition more than there are unknowns, so that the parameter is determined as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sympy import Expr, Lambda, Symbol

from gatetheory.equations.provenance import Equation, EquationSet
from gatetheory.equations.shapes import Bind

FREQUENCY = Symbol("omega", positive=True)
"""Angle or frequency at which a pair of complex modes crosses the border of stability."""


@dataclass(frozen=True)
class TransitionConditions:
    """See the module's text.

    Args:
        kind: ``"zero-state"``, ``"fold"``, ``"stability"``, …
        equations: The conditions as people read them.
        unknowns: The state's unknowns u.
        state: Expressions that reproduce them, u − G(u) = 0.
        critical: The condition that is special to the transition; it changes sign there.
        crossing: What takes its place where modes cross off the real axis: two conditions on u, p
            and :data:`FREQUENCY`; empty where a transition has no such form.
        growth: Transfer matrix at the border, (rows), whose Perron root reaches 1 at the
            transition; empty where the condition is another one.
        others: Further order parameters as expressions in the unknowns, by name.
        parameters: Symbols that stand for parameters.
        definitions: Definition of every nonlinearity.
        bind: Turns names and values into exact values of all parameters, defaults filled in.
    """

    kind: str
    equations: EquationSet
    unknowns: tuple[Symbol, ...]
    state: tuple[Expr, ...]
    critical: Expr
    crossing: tuple[Expr, ...]
    growth: tuple[tuple[Expr, ...], ...]
    others: Mapping[str, Expr] = field(hash=False)
    parameters: tuple[Symbol, ...]
    definitions: Mapping[str, Lambda] = field(hash=False)
    bind: Bind = field(hash=False, compare=False)

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()

    @property
    def conditions(self) -> tuple[Expr, ...]:
        """Every condition for a crossing on the real axis, in the order of the unknowns."""
        return (*self.state, self.critical)

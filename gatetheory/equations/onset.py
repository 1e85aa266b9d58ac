"""What an expansion near the onset of activity delivers: numbers and functions in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sympy import Expr, Symbol

from gatetheory.equations.provenance import Assumption, Equation, EquationSet
from gatetheory.references import Reference

EPSILON = Symbol("epsilon", real=True)
"""Distance of a parameter from its critical value, in units of that value (of 1 if it is 0)."""


@dataclass(frozen=True)
class OnsetExpansion:
    """The decaying state of a lag system next to the onset, to leading order in ε.

    Args:
        equations: The results as people read them: ``onset``, ``critical``, ``amplitude`` (the
            amplitude equation), ``C_<field>`` for every covariance, ``correlation_time``,
            ``lambda_max``.
        along: The parameter that crosses the onset.
        critical: Its value there.
        unit: The parameter is critical + unit · ε.
        case: ``"sech2"``, a balance with the square of the amplitude (lag ∝ ε^-1/2), or
            ``"sech"``, with its cube (lag ∝ 1/ε).
        general: Coefficients of the amplitude equation, nonlinearities abstract: ``inertia``,
            ``damping``, ``growth``, ``feedback``, ``quadratic``, ``cubic``.
        coefficients: The same with definitions and parameters put in, at the onset;
            ``growth`` is dμ/dε.
        amplitudes: C_k(0) by name.
        source_amplitudes: What sources are at lag 0, beyond their value in the zero state.
        profile: C_k(τ)/C_k(0), the same for every covariance, a function of ``tau``.
        rate: Rate at which covariances decay at large lag.
        correlation_time: Its inverse, in the model's own time.
        half_width: Lag at which covariances have fallen to half.
        lambda_max: Largest Lyapunov exponent, in the model's own time.
        criterion: Positive where the onset is continuous; it vanishes at a tricritical point.
        continuous: Whether the state exists on the side where the zero state is unstable; None
            if that depends on parameters left open.
        side: Sign of the ε at which it exists; None if that is open.
    """

    equations: EquationSet
    along: Symbol
    critical: Expr
    unit: Expr
    case: Literal["sech", "sech2"]
    general: Mapping[str, Expr] = field(hash=False)
    coefficients: Mapping[str, Expr] = field(hash=False)
    amplitudes: Mapping[str, Expr] = field(hash=False)
    source_amplitudes: Mapping[str, Expr] = field(hash=False)
    profile: Expr
    rate: Expr
    correlation_time: Expr
    half_width: Expr
    lambda_max: Expr
    criterion: Expr
    continuous: bool | None
    side: int | None

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """What the expansion rests on."""
        return self.equations.assumptions

    @property
    def references(self) -> tuple[Reference, ...]:
        """Where results and methods were published."""
        return self.equations.references

    def text(self) -> str:
        """Unicode text for a terminal."""
        return self.equations.text()

    def __str__(self) -> str:
        return self.text()

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()


@dataclass(frozen=True)
class TricriticalPoint:
    """Where a transition of the zero state turns from continuous to discontinuous.

    Args:
        kind: ``"static"`` (fixed points) or ``"dynamic"`` (decaying correlations).
        parameters: The two parameters that are solved for.
        conditions: Expressions that vanish at the point, free of averages: the zero state at the
            border of its stability, and the coefficient that decides.
        values: Every closed form found for the two parameters; empty if there is none.
        equations: The conditions, and the point if it is unique, with their derivation.
    """

    kind: Literal["static", "dynamic"]
    parameters: tuple[Symbol, Symbol]
    conditions: tuple[Expr, Expr]
    values: tuple[tuple[Expr, Expr], ...]
    equations: EquationSet

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    @property
    def expressions(self) -> dict[Symbol, Expr]:
        """The closed forms by parameter; empty if there are none."""
        return dict(zip(self.parameters, self.values[0], strict=True)) if self.values else {}

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """What the conditions rest on."""
        return self.equations.assumptions

    @property
    def references(self) -> tuple[Reference, ...]:
        """Where results and methods were published."""
        return self.equations.references

    def text(self) -> str:
        """Unicode text for a terminal."""
        return self.equations.text()

    def __str__(self) -> str:
        return self.text()

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()

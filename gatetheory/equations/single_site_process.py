"""The single-site process: one unit driven by Gaussian fields that its own signals make.

The shape that sampling works on. With x the fields of a unit, η its local fields, ξ white noise
and I everything else that comes from outside,

    E ẋ = F(x, η, ξ, I)   (rows with E = 0 are algebraic: 0 = F)   or   x(t+1) = F(x, η, ξ, I),
    ⟨η_a(t) η_b(t')⟩ = δ_ab s_a² ⟨ψ_a(x(t)) ψ_a(x(t'))⟩.

A small perturbation of the unit follows the derivatives A = ∂F/∂x, L_a = ∂F/∂η_a, R_a = ∂ψ_a/∂x.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sympy import Expr, ImmutableDenseMatrix, Lambda, Symbol

from gatetheory.equations.provenance import Equation, EquationSet
from gatetheory.equations.shapes import Bind


@dataclass(frozen=True)
class Inputs:
    """What drives a unit besides its local fields.

    Args:
        constants: Value of every constant input.
        statics: Mean and variance of every Gaussian input that is drawn once per unit.
        noises: Intensity D of every white noise, ⟨ξξ'⟩ = 2Dδ (2D per step in a map).
        timed: Function of time of every time-dependent input.
    """

    constants: Mapping[Symbol, Expr] = field(hash=False)
    statics: Mapping[Symbol, tuple[Expr, Expr]] = field(hash=False)
    noises: Mapping[Symbol, Expr] = field(hash=False)
    timed: Mapping[Symbol, Lambda] = field(hash=False)


@dataclass(frozen=True)
class SingleSiteProcess:
    """One unit in self-consistent Gaussian fields.

    Args:
        equations: The equations as people read them.
        fields: The fields x.
        laws: F, one per field: the right side of a flow, the update of a map, and value − x for an
            algebraic field. Nonlinearities are abstract, updated values are put in.
        mass: Diagonal of E: time constants, 1 in a map, 0 for algebraic fields. A time constant
            that is 0 at given parameters makes its field algebraic too.
        local_fields: η_a, one per coupling.
        signals: ψ_a, functions of the fields.
        variances: s_a².
        inputs: What else drives the unit.
        observables: Quantities whose correlation functions are wanted, by name: ``C_<field>``,
            ``C_<nonlinearity>`` for a nonlinearity that is applied to one argument only.
        main: Name of the observable that stands for the state.
        drift: A = ∂F/∂x, shape (fields, fields).
        drives: L = ∂F/∂η, shape (fields, couplings).
        readouts: R = ∂ψ/∂x, shape (couplings, fields).
        discrete: Whether time counts steps.
        parameters: Symbols that stand for parameters.
        definitions: Definition of every nonlinearity.
        bind: Turns names and values into exact values of all parameters, defaults filled in.
    """

    equations: EquationSet
    fields: tuple[Symbol, ...]
    laws: tuple[Expr, ...]
    mass: tuple[Expr, ...]
    local_fields: tuple[Symbol, ...]
    signals: tuple[Expr, ...]
    variances: tuple[Expr, ...]
    inputs: Inputs
    observables: Mapping[str, Expr] = field(hash=False)
    main: str
    drift: ImmutableDenseMatrix
    drives: ImmutableDenseMatrix
    readouts: ImmutableDenseMatrix
    discrete: bool
    parameters: tuple[Symbol, ...]
    definitions: Mapping[str, Lambda] = field(hash=False)
    bind: Bind = field(hash=False, compare=False)

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()

    @property
    def couplings(self) -> tuple[str, ...]:
        """Names of the couplings."""
        return tuple(str(s.name).removeprefix("eta_") for s in self.local_fields)

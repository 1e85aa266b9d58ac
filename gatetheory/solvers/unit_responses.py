r"""How a unit at a fixed point responds, as functions of its state and of the Laplace variable p.

From A, L, R and E at the law of the fixed point (p the multiplier in a map):

    rows of R (pE − A)⁻¹ and of ∂f/∂x (pE − A)⁻¹,      G_ab = R_a (pE − A)⁻¹ L_b,

each as a sum of products over groups of independent variables (:mod:`.unit_products`). The adjoint
needs nothing else: L_aᵀ (pE − Aᵀ)⁻¹ R_bᵀ is G_ba.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import sympy
from sympy import Expr, Symbol

from gatetheory.equations.gradient_problem import ExternalLoss, GradientProblem
from gatetheory.functions import instantiate
from gatetheory.solvers.merged_fields import MergedFields
from gatetheory.solvers.unit_products import Products, plus, products, times

Rows = tuple[tuple[Products, ...], ...]


class UnitResponses:
    """Responses of one unit at a fixed point of a model.

    Args:
        problem: The derived equations.
    """

    def __init__(self, problem: GradientProblem) -> None:
        self.problem = problem
        self.condition = problem.spectrum()
        self.law = self.condition.law
        self.process = problem.process
        self.merged = MergedFields(self.condition, self.process)
        self.variables = (*self.law.variables, *self.merged.variables)
        self.parameter = self.condition.spectral_parameter
        self.definitions = self.condition.definitions
        size = range(self.condition.drift_matrix.rows)
        pencil = self.parameter * sympy.diag(*self.condition.mass) - self.condition.drift_matrix
        self._pencil = self._defined(pencil)
        self.drives: Rows = tuple(
            tuple(
                self._taken_apart(self.condition.drives[f, b]) for b in range(len(self.couplings))
            )
            for f in size
        )
        self._known_rows: dict[tuple[Expr, ...], tuple[Products, ...]] = {}

    @property
    def couplings(self) -> tuple[str, ...]:
        """Names of the couplings."""
        return self.condition.couplings

    @property
    def arguments(self) -> tuple[Symbol, ...]:
        """Symbols whose values a number needs, besides variables and p."""
        return (*self.condition.parameters, *self.law.unknowns, *self.merged.coefficients)

    def split(self, expression: Expr) -> Products:
        """An expression in fields and local fields, put at the state, as a sum of products."""
        return self._taken_apart(self.law(expression))

    def _taken_apart(self, at_state: Expr) -> Products:
        full = self._defined(at_state.xreplace(self.merged.replaced))
        return products(full, self.variables)

    def _defined(self, expression: Expr) -> Expr:
        return instantiate(expression, self.definitions)

    def row(self, readout: Sequence[Expr]) -> tuple[Products, ...]:
        """The row w (pE − A)⁻¹ of a row w that is given at the state, one entry per field."""
        key = tuple(readout)
        if key not in self._known_rows:
            w = sympy.Matrix([[self._defined(e) for e in readout]])
            found = w * self._inverse
            self._known_rows[key] = tuple(products(e, self.variables) for e in found)
        return self._known_rows[key]

    @cached_property
    def _inverse(self) -> sympy.Matrix:
        """(pE − A)⁻¹, functions of the unit kept whole."""
        atoms = self._pencil.atoms(sympy.Function)
        short = {f: sympy.Dummy(real=True) for f in atoms}
        pencil = self._pencil.xreplace(short)
        determinant = pencil.det(method="berkowitz")
        inverse = pencil.adjugate() / sympy.factor(determinant)
        back = {d: f for f, d in short.items()}
        return inverse.applyfunc(sympy.cancel).xreplace(back)

    @cached_property
    def sent(self) -> Rows:
        """R (pE − A)⁻¹, a row per coupling."""
        rows = self.condition.readouts
        return tuple(self.row(rows[a, :]) for a in range(len(self.couplings)))

    def read(self, loss: ExternalLoss) -> tuple[Products, ...]:
        """∂f/∂x (pE − A)⁻¹."""
        return self.row([self.law(e) for e in loss.slopes])

    def to_local_field(self, row: Sequence[Products], b: int) -> Products:
        """A row applied to L_b."""
        return plus(times(e, lane[b]) for e, lane in zip(row, self.drives, strict=True))

    def to_source(self, row: Sequence[Products], source: Sequence[Products]) -> Products:
        """A row applied to a source, one entry per field."""
        return plus(times(e, s) for e, s in zip(row, source, strict=True))

    @cached_property
    def transfers(self) -> Rows:
        """G_ab."""
        n = range(len(self.couplings))
        return tuple(tuple(self.to_local_field(self.sent[a], b) for b in n) for a in n)

    @cached_property
    def signals(self) -> tuple[Products, ...]:
        """ψ_a."""
        return tuple(self.split(s) for s in self.process.signals)

    @cached_property
    def local_fields(self) -> tuple[Products, ...]:
        """η_a."""
        return tuple(self.split(s) for s in self.process.local_fields)

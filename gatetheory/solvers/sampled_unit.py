"""The single-site process at given parameters, compiled to functions of arrays over paths.

Algebraic fields whose law is linear in them are eliminated as expressions, one after the other, so
that laws and signals read only fields with dynamics and what drives the unit. Those that remain are
found by Newton's method at every time. The tangent process v = e^{λt} u of a small perturbation is
written as further fields u with laws of the same kind, so that one integrator serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import DiracDelta, Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.kernels import Kernel, compile_kernel
from gatetheory.codegen.rewriting import stable
from gatetheory.equations.single_site_process import SingleSiteProcess
from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.functions import canonical, differentiate, instantiate

Array = NDArray[np.float64]
Series = Sequence[Array]

GROWTH = Symbol("lambda", real=True)
"""Rate taken out of a tangent vector, v = e^{λt} u."""
_NEWTON, _SETTLED = 60, 1e-12


@dataclass(frozen=True, eq=False)
class Unit:
    """Compiled laws of one unit; every kernel takes (x, algebraic fields, drives, λ).

    Args:
        dynamic: Fields with dynamics.
        implicit: Algebraic fields that no formula gives.
        drives: Local fields, then white noises, static inputs and time-dependent inputs.
        laws: dx/dt (time constants divided out) or x(t+1), one per dynamic field.
        residuals: What vanishes for implicit fields.
        outputs: Quantities to record along a path, by name.
        discrete: Whether time counts steps.
        fixed: Coefficient of each dynamic field in its own law where it is constant, else 0; may
            contain λ.
    """

    dynamic: tuple[Symbol, ...]
    implicit: tuple[Symbol, ...]
    drives: tuple[Symbol, ...]
    laws: tuple[Expr, ...]
    residuals: tuple[Expr, ...]
    outputs: Mapping[str, Expr] = field(repr=False)
    discrete: bool

    @cached_property
    def fixed(self) -> tuple[Expr, ...]:
        """Constant coefficient of each dynamic field in its own law, else 0."""
        if self.discrete:
            return (S.Zero,) * len(self.laws)
        found = [sympy.expand(law.diff(x)) for law, x in zip(self.laws, self.dynamic, strict=True)]
        return tuple(s if s.free_symbols <= {GROWTH} else S.Zero for s in found)

    def fixed_rates(self, growth: float) -> Array:
        """Values of :attr:`fixed`, shape (dynamic fields,)."""
        return np.array([float(s.subs(GROWTH, growth)) for s in self.fixed])

    def law(self, state: Array, drives: Series, growth: float) -> Array:
        """dx/dt or x(t+1) with the constant rates taken out, shape of the state."""
        rest = self._implicit(state, drives, growth)
        return _rows(self._law_kernel(*state, *rest, *drives, growth), state.shape[1])

    def record(self, state: Array, drives: Series, growth: float) -> Array:
        """Outputs at a state, shape (outputs, M)."""
        rest = self._implicit(state, drives, growth)
        return _rows(self._output_kernel(*state, *rest, *drives, growth), state.shape[1])

    @property
    def arguments(self) -> tuple[Symbol, ...]:
        """Arguments of every kernel."""
        return (*self.dynamic, *self.implicit, *self.drives, GROWTH)

    @cached_property
    def _law_kernel(self) -> Kernel:
        rates = self.fixed
        laws = [
            sympy.expand(law) - rate * x if rate != 0 else law
            for law, x, rate in zip(self.laws, self.dynamic, rates, strict=True)
        ]
        return self._compile(laws)

    @cached_property
    def _output_kernel(self) -> Kernel:
        return self._compile(list(self.outputs.values()))

    @cached_property
    def _residual_kernel(self) -> Kernel:
        slopes = [differentiate(r, x) for r in self.residuals for x in self.implicit]
        return self._compile([*self.residuals, *slopes])

    def _compile(self, expressions: Sequence[Expr]) -> Kernel:
        ready = [stable(canonical(e)) for e in expressions]
        return compile_kernel(ready, self.arguments, (), DOUBLES)()

    def _implicit(self, state: Array, drives: Series, growth: float) -> Series:
        """Values of the implicit fields, found by Newton's method from 0, halved where it grows."""
        k = len(self.implicit)
        if not k:
            return ()
        paths = state.shape[1]
        point = np.zeros((k, paths))
        values = _rows(self._residual_kernel(*state, *point, *drives, growth), paths)
        for _ in range(_NEWTON):
            slopes = np.moveaxis(values[k:].reshape(k, k, paths), 2, 0)
            try:
                move = -np.linalg.solve(slopes, values[:k].T[..., None])[..., 0].T
            except np.linalg.LinAlgError:
                break
            done = np.abs(move) <= _SETTLED * (1 + np.abs(point))
            size = np.abs(values[:k]).max(axis=0)
            for _ in range(_NEWTON // 2):
                trial = point + move
                values = _rows(self._residual_kernel(*state, *trial, *drives, growth), paths)
                worse = ~(np.abs(values[:k]).max(axis=0) <= size) & ~done.all(axis=0)
                if not worse.any():
                    break
                move[:, worse] /= 2
            point = trial
            if done.all():
                return tuple(point)
        names = ", ".join(x.name for x in self.implicit)
        raise ConvergenceError(
            f"no value of the algebraic field {names} was found along the paths; its law may have "
            "none at these parameters: give it a time constant"
        )


def make_unit(process: SingleSiteProcess, parameters: Mapping[Symbol, Expr]) -> Unit:
    """The unit of a process at parameters, with its signals and observables for outputs.

    Outputs are named ``psi_<coupling>`` and as the observables of the process.
    """
    return Elimination(process, parameters).unit()


def make_tangent_unit(process: SingleSiteProcess, parameters: Mapping[Symbol, Expr]) -> Unit:
    """The unit together with a perturbation e^{λt} u of it.

    Drives are followed by the perturbations δη_a e^{−λt} of the local fields; outputs
    ``delta_<coupling>`` are e^{−λt} (R_a v).
    """
    return Elimination(process, parameters).tangent_unit()


class Elimination:
    """Which fields are algebraic at these parameters, and what they are in terms of the rest.

    Args:
        process: The single-site process.
        parameters: Exact values of all parameters.
    """

    def __init__(self, process: SingleSiteProcess, parameters: Mapping[Symbol, Expr]) -> None:
        self.process = process
        self.values = dict(parameters)
        constants = {s: self.definite(v) for s, v in process.inputs.constants.items()}
        self.values |= constants
        self.mass = [self.definite(m) for m in process.mass]
        self.laws = [self.definite(law) for law in process.laws]
        self.static = [i for i, m in enumerate(self.mass) if m == 0]
        self.moving = [i for i, m in enumerate(self.mass) if m != 0]
        self.formulas: dict[Symbol, Expr] = {}
        self._solve_linear()

    def definite(self, expression: Expr) -> Expr:
        """The expression with definitions and values put in."""
        found = instantiate(expression, self.process.definitions).xreplace(self.values)
        return found.replace(DiracDelta, lambda *_: S.Zero)

    def _solve_linear(self) -> None:
        """Formulas for algebraic fields, as long as one is linear in its own law."""
        fields = self.process.fields
        left = list(self.static)
        progress = True
        while progress:
            progress = False
            for i in left:
                x, law = fields[i], self.laws[i].xreplace(self.formulas)
                slope = sympy.expand(law).diff(x)
                if slope == 0:
                    raise ParameterError(
                        f"field {x} has no dynamics at these values, and its law does not "
                        "determine it; give it a positive time constant"
                    )
                if slope.has(x) or any(slope.has(fields[j]) for j in left):
                    slope = law.diff(x)
                    if slope.has(x):
                        continue
                offset = sympy.expand_mul(law.xreplace({x: S.Zero}))
                value = sympy.Add(*(-term / slope for term in sympy.Add.make_args(offset)))
                self.formulas = {y: f.xreplace({x: value}) for y, f in self.formulas.items()}
                self.formulas[x] = value
                left.remove(i)
                progress = True
                break
        self.implicit = left

    def reduce(self, expression: Expr) -> Expr:
        """A definite expression in terms of dynamic and implicit fields."""
        return expression.xreplace(self.formulas)

    @property
    def drives(self) -> tuple[Symbol, ...]:
        """Everything that drives the unit, in order."""
        inputs = self.process.inputs
        return (*self.process.local_fields, *inputs.noises, *inputs.statics, *inputs.timed)

    def unit(self) -> Unit:
        """The unit, with signals and observables for outputs."""
        process = self.process
        outputs = {
            f"psi_{name}": self.reduce(self.definite(signal))
            for name, signal in zip(process.couplings, process.signals, strict=True)
        }
        for name, observable in process.observables.items():
            outputs[name] = self.reduce(self.definite(observable))
        return Unit(
            dynamic=tuple(process.fields[i] for i in self.moving),
            implicit=tuple(process.fields[i] for i in self.implicit),
            drives=self.drives,
            laws=tuple(self.reduce(self.laws[i]) / self.mass[i] for i in self.moving),
            residuals=tuple(self.reduce(self.laws[i]) for i in self.implicit),
            outputs=outputs,
            discrete=process.discrete,
        )

    def tangent_unit(self) -> Unit:
        """The unit together with a perturbation."""
        unit, process = self.unit(), self.process
        drift, drives, readouts, direct = self.reduced_derivatives()
        tangents = [Symbol(f"tangent_{x.name}", real=True) for x in unit.dynamic]
        kicks = tuple(Symbol(f"delta_{e.name}", real=True) for e in process.local_fields)
        u, kick = sympy.Matrix(tangents), sympy.Matrix(kicks)
        flow = [row / self.mass[i] for row, i in zip(drift * u + drives * kick, self.moving,
                                                     strict=True)]  # fmt: skip
        if process.discrete:
            flow = [sympy.exp(-GROWTH) * row for row in flow]
        else:
            flow = [row - GROWTH * v for row, v in zip(flow, tangents, strict=True)]
        heard = readouts * u + direct * kick
        return Unit(
            dynamic=(*unit.dynamic, *tangents),
            implicit=unit.implicit,
            drives=(*unit.drives, *kicks),
            laws=(*unit.laws, *flow),
            residuals=unit.residuals,
            outputs={
                f"delta_{name}": row for name, row in zip(process.couplings, heard, strict=True)
            },
            discrete=process.discrete,
        )

    def reduced_derivatives(self) -> tuple[ImmutableDenseMatrix, ...]:
        """A, L, R without algebraic fields, and what signals hear of local fields at once."""
        process, d, s = self.process, self.moving, self.static
        every = list(range(len(process.local_fields)))
        drift, drives = self._part(process.drift, d, d), self._part(process.drives, d, every)
        readouts = self._part(process.readouts, every, d)
        direct = sympy.zeros(len(every), len(every))
        if s:
            to_fields, to_drives, _ = self.algebraic_response()
            drift += self._part(process.drift, d, s) * to_fields
            drives += self._part(process.drift, d, s) * to_drives
            readouts += self._part(process.readouts, every, s) * to_fields
            direct += self._part(process.readouts, every, s) * to_drives
        return drift, drives, readouts, direct

    def algebraic_response(self) -> tuple[sympy.Matrix, sympy.Matrix, sympy.Matrix]:
        """Factors of δx_d, δη and δF_s in δx_s = −A_ss⁻¹ (A_sd δx_d + L_s δη + δF_s)."""
        process, d, s = self.process, self.moving, self.static
        every = list(range(len(process.local_fields)))
        try:
            answer = -self._part(process.drift, s, s).inv()
        except sympy.matrices.exceptions.NonInvertibleMatrixError as error:
            names = ", ".join(process.fields[i].name for i in s)
            raise ParameterError(
                f"the laws of the algebraic fields {names} do not determine them at these "
                "values; give one of them a positive time constant"
            ) from error
        drift, drives = self._part(process.drift, s, d), self._part(process.drives, s, every)
        return answer * drift, answer * drives, answer

    def _part(
        self, matrix: ImmutableDenseMatrix, rows: list[int], columns: list[int]
    ) -> sympy.Matrix:
        return sympy.Matrix(
            len(rows),
            len(columns),
            lambda i, j: self.reduce(self.definite(matrix[rows[i], columns[j]])),
        )


def _rows(values: Sequence[Array], paths: int) -> Array:
    out = np.empty((len(values), paths))
    for row, value in zip(out, values, strict=True):
        row[...] = value
    return out


Evaluate = Callable[[Array, Series, float], Array]

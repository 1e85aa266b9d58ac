"""Kernels of a linear system to any number of digits, without its modes.

As in :mod:`gatetheory.solvers.lag_filter` the system is brought to ẋ = A x + b u, y = q x + f u,
and white u in one drive leaves K_kl(τ) = q_k e^{Aτ} (P q_l + b f_l) + f_k f_l δ(τ). Here the
exponential of A itself is kept instead of its eigenvalues, so that nothing is special about modes
that coincide. Every matrix is one of balls that contain the exact one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy
from flint import arb, arb_mat
from sympy import Expr, ImmutableDenseMatrix, Symbol

from gatetheory.codegen.precision_ball import exact_to_ball
from gatetheory.equations.lag_system import LagSystem
from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.functions import instantiate


@dataclass(frozen=True)
class Side:
    """K(τ) = row · e^{Aτ} · start for τ ≥ 0, without the instantaneous part.

    Args:
        matrix: A, d × d.
        row: 1 × d.
        start: d × 1.
    """

    matrix: arb_mat
    row: arb_mat
    start: arb_mat

    @property
    def order(self) -> int:
        """Number of states d."""
        return int(self.matrix.nrows())

    def at(self, lag: arb) -> arb:
        """K at a lag ≥ 0."""
        if not self.order:
            return arb(0)
        return (self.row * (self.matrix * lag).exp() * self.start)[0, 0]


@dataclass(frozen=True)
class PreciseKernel:
    """Covariance that white noise of unit intensity leaves.

    Args:
        ahead: At positive lags.
        behind: At negative lags, as a function of their modulus.
        instant: Coefficient of δ(τ).
        total: ∫K over all lags.
    """

    ahead: Side
    behind: Side
    instant: arb
    total: arb

    @property
    def is_zero(self) -> bool:
        """Whether structure alone makes it vanish."""
        return not self.ahead.order and not self.behind.order and self.instant.is_zero()


@dataclass(frozen=True)
class PreciseFilter:
    """A reduced linear system of balls; see the module's text.

    Args:
        matrix: A.
        inputs: b, dynamic fields × drives.
        outputs: q, fields × dynamic fields.
        feed: f, fields × drives.
    """

    matrix: arb_mat
    inputs: arb_mat
    outputs: arb_mat
    feed: arb_mat

    def kernel(self, first: arb_mat, second: arb_mat, drive: int) -> PreciseKernel:
        """K_kl of one drive.

        Args:
            first: u_k as a row of coefficients of the fields.
            second: u_l.
            drive: The drive.
        """
        column = _column(self.feed, drive)
        fk, fl = ((u * column)[0, 0] for u in (first, second))
        qk, ql = first * self.outputs, second * self.outputs
        b = _column(self.inputs, drive)
        kept = _involved(self.matrix, b, (qk, ql))
        a = _picked(self.matrix, kept, kept)
        b = _picked(b, kept, [0])
        qk, ql = (_picked(q, [0], kept) for q in (qk, ql))
        if not kept:
            return PreciseKernel(Side(a, qk, b), Side(a, ql, b), fk * fl, fk * fl)
        inside = _lyapunov(a, b)
        static = a.solve(b)
        total = (fk - (qk * static)[0, 0]) * (fl - (ql * static)[0, 0])
        ahead = Side(a, qk, inside * ql.transpose() + b * fl)
        behind = Side(a, ql, inside * qk.transpose() + b * fk)
        return PreciseKernel(ahead, behind, fk * fl, total)


def reduce_precisely(
    system: LagSystem, parameters: Mapping[Symbol, Expr], columns: ImmutableDenseMatrix
) -> PreciseFilter:
    """Eliminate algebraic fields at exact parameters.

    Args:
        system: Has mass and drift.
        parameters: Exact values.
        columns: How drives, noises or static inputs enter.

    Raises:
        ConvergenceError: If an algebraic field is not determined by its law.
    """
    mass = row_of(system, parameters, system.mass)
    drift = matrix_of(system, parameters, system.drift)
    drives = matrix_of(system, parameters, columns)
    fields = len(system.mass)
    still = [i for i in range(fields) if mass[0, i].is_zero()]
    moving = [i for i in range(fields) if i not in still]
    everything = list(range(drives.ncols()))
    outputs, feed = arb_mat(fields, len(moving)), arb_mat(fields, drives.ncols())
    for state, i in enumerate(moving):
        outputs[i, state] = 1
    if still:
        try:
            inner = _picked(drift, still, still).inv()
        except ZeroDivisionError as error:
            raise ConvergenceError(
                "the law of an algebraic field does not determine it at these parameters"
            ) from error
        states = inner * _picked(drift, still, moving)
        direct = inner * _picked(drives, still, everything)
        for k, i in enumerate(still):
            for state in range(len(moving)):
                outputs[i, state] = -states[k, state]
            for drive in everything:
                feed[i, drive] = -direct[k, drive]
    inverse = arb_mat(len(moving), len(moving))
    for state, i in enumerate(moving):
        inverse[state, state] = 1 / mass[0, i]
    rows = _picked(drift, moving, list(range(fields)))
    matrix = inverse * (rows * outputs)
    inputs = inverse * (_picked(drives, moving, everything) + rows * feed)
    return PreciseFilter(matrix, inputs, outputs, feed)


def row_of(
    system: LagSystem, parameters: Mapping[Symbol, Expr], entries: Sequence[Expr]
) -> arb_mat:
    """Entries at exact parameters, as a row."""
    return matrix_of(system, parameters, ImmutableDenseMatrix(1, len(entries), list(entries)))


def matrix_of(
    system: LagSystem, parameters: Mapping[Symbol, Expr], matrix: ImmutableDenseMatrix
) -> arb_mat:
    """A matrix at exact parameters.

    Raises:
        ParameterError: If an entry is no real number there.
    """
    result = arb_mat(matrix.rows, matrix.cols)
    for i in range(matrix.rows):
        for j in range(matrix.cols):
            entry = instantiate(sympy.sympify(matrix[i, j]), system.definitions)
            value = entry.xreplace(dict(parameters))
            if value.free_symbols:
                raise ParameterError(f"no values given for {value.free_symbols}")
            result[i, j] = exact_to_ball(value)
    return result


def _involved(matrix: arb_mat, b: arb_mat, rows: Sequence[arb_mat]) -> list[int]:
    """States that the drive reaches and that an output sees: the others cannot matter."""
    size = matrix.nrows()
    reached = {i for i in range(size) if not b[i, 0].is_zero()}
    seen = {i for i in range(size) if any(not q[0, i].is_zero() for q in rows)}
    for _ in range(size):
        for i in range(size):
            for j in range(size):
                if not matrix[i, j].is_zero():
                    if j in reached:
                        reached.add(i)
                    if i in seen:
                        seen.add(j)
    return sorted(reached & seen)


def _lyapunov(a: arb_mat, b: arb_mat) -> arb_mat:
    """P of A P + P Aᵀ + b bᵀ = 0."""
    d = a.nrows()
    system, right = arb_mat(d * d, d * d), arb_mat(d * d, 1)
    for i in range(d):
        for j in range(d):
            right[i * d + j, 0] = -b[i, 0] * b[j, 0]
            for k in range(d):
                system[i * d + j, k * d + j] += a[i, k]
                system[i * d + j, i * d + k] += a[j, k]
    flat = system.solve(right)
    return arb_mat(d, d, [flat[k, 0] for k in range(d * d)])


def _column(matrix: arb_mat, j: int) -> arb_mat:
    return _picked(matrix, list(range(matrix.nrows())), [j])


def _picked(matrix: arb_mat, rows: Sequence[int], columns: Sequence[int]) -> arb_mat:
    return arb_mat(len(rows), len(columns), [matrix[i, j] for i in rows for j in columns])

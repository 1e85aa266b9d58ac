"""The linear system of a two-time problem as numbers: exact steps in time.

With algebraic fields eliminated and static inputs s added to the state as fields that never move,

    Ẋ = M X + K η + noise (X(t+1) = … in a map),      x = L X + R η + m.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, ImmutableDenseMatrix, Symbol

from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.rewriting import stable
from gatetheory.equations.two_time_system import TwoTimeSystem
from gatetheory.errors import ParameterError
from gatetheory.functions import instantiate

Array = NDArray[np.float64]

_TIME = Symbol("t", real=True)


@dataclass(frozen=True)
class LinearSystem:
    """See the module's text; A local fields, S static inputs, D = moving fields + S.

    Args:
        fields: Names of all fields, F of them.
        moving: Which of them have dynamics.
        generator: M, shape (D, D); of a map, the matrix of one step.
        drives: K, shape (D, A).
        outputs: L, shape (F, D).
        direct: R, shape (F, A): what algebraic fields read of η at once.
        diffusion: 2 W I Wᵀ on the state, shape (D, D); zero in a map, where noise is a local field.
        instant: Variance of the noises of a map, which are the last of the A local fields.
        static_variances: Shape (S,).
        offset: Constant part of Ẋ, shape (D,), and of the fields, shape (F,).
        timed: Column on X, column on the fields, and function of time of every timed input.
        discrete: Whether time counts steps.
    """

    fields: tuple[str, ...]
    moving: tuple[int, ...]
    generator: Array
    drives: Array
    outputs: Array
    direct: Array
    diffusion: Array
    instant: Array
    static_variances: Array
    offset: tuple[Array, Array]
    timed: tuple[tuple[Array, Array, Timed], ...]
    discrete: bool

    @property
    def size(self) -> int:
        """D."""
        return len(self.generator)

    def covariances(self, state: Array, cross: Array, column: Array, kernel: Array) -> Array:
        """⟨x(n) x(j)⟩ of all fields, means removed, shape (F, F, n + 1).

        Args:
            state: ⟨X(n) X(j)⟩, shape (D, D, n + 1).
            cross: ⟨X(n) η(j)⟩, shape (D, A, n + 1).
            column: ⟨X(j) η(n)⟩, shape (D, A, n + 1).
            kernel: ⟨η(n) η(j)⟩ of every local field, shape (A, n + 1).
        """
        L, R = self.outputs, self.direct
        across = _both_sides(L, state, L)
        if R.any():
            across = across + _both_sides(L, cross, R) + _both_sides(R, diagonal(kernel), R)
            across = across + _both_sides(L, column, R).transpose(1, 0, 2)
        return across


class Timed:
    """A function of time as numbers.

    Args:
        law: An expression in t.
        parameters: Values of its other symbols.
    """

    def __init__(self, law: Expr, parameters: Mapping[Symbol, Expr]) -> None:
        self.law = law
        self._kernel = compile_kernel(
            [stable(law.xreplace(dict(parameters)))], [_TIME], [], DOUBLES
        )

    def __call__(self, times: Array) -> Array:
        """Values at the times, which are an array."""
        with np.errstate(all="ignore"):
            values = np.broadcast_to(np.asarray(self._kernel()(times)[0], float), times.shape)
        if not np.isfinite(values).all():
            raise ParameterError(
                f"the input {self.law} is not finite at t = {times[~np.isfinite(values)][0]:g}; "
                "choose times at which it is"
            )
        return values


def linear_system(system: TwoTimeSystem, parameters: Mapping[Symbol, Expr]) -> LinearSystem:
    """Put parameters in, eliminate algebraic fields, add static inputs to the state.

    Raises:
        ParameterError: If algebraic fields do not determine each other, a variance is negative, or
            no field has dynamics.
    """

    def numbers(matrix: ImmutableDenseMatrix) -> Array:
        entries = [_number(e, system, parameters) for e in matrix]
        return np.array(entries, dtype=float).reshape(matrix.shape)

    def row(values: tuple[Expr, ...]) -> Array:
        return np.array([_number(v, system, parameters) for v in values], dtype=float)

    mass, drift, offsets = row(system.mass), numbers(system.drift), numbers(system.offsets)[:, 0]
    drives, noises, statics = map(numbers, (system.drives, system.noises, system.statics))
    intensities, variances = row(system.intensities), row(system.variances)
    for name, values in (("intensity of a white noise", intensities), ("variance", variances)):
        if (values < 0).any():
            raise ParameterError(f"the {name} is negative ({values.min():g}); choose it ≥ 0")
    timed = [(numbers(column)[:, 0], f) for column, f in system.timed]
    instant = np.zeros(0)
    if system.discrete:  # noise of a map is a local field without memory
        drives, instant = np.hstack([drives, noises]), 2 * intensities
        noises = noises[:, :0]
        intensities = intensities[:0]
    moving, still = np.flatnonzero(mass != 0), np.flatnonzero(mass == 0)
    size, fields = len(moving), len(mass)
    if size == 0:
        raise ParameterError("no field has dynamics here; give one a time constant > 0")
    # x_still = solve @ (everything else that its rows read)
    block = -drift[np.ix_(still, still)]
    if still.size and np.linalg.cond(block) > 1e12:
        names = ", ".join(system.fields[i] for i in still)
        raise ParameterError(f"the algebraic fields {names} do not determine each other here")
    solve = np.linalg.inv(block) if still.size else block

    def split(columns: Array) -> tuple[Array, Array]:
        """What drives the moving fields per unit of time, and what the fields show at once."""
        shown = np.zeros((fields, columns.shape[1]))
        shown[still] = solve @ columns[still]
        driven = columns[moving] + drift[np.ix_(moving, still)] @ shown[still]
        return driven / mass[moving][:, None], shown

    state_columns = np.zeros((fields, size))
    state_columns[still] = drift[np.ix_(still, moving)]
    flow, outputs = split(state_columns)
    flow = flow + drift[np.ix_(moving, moving)] / mass[moving][:, None]
    outputs[moving] = np.eye(size)
    (kick, direct), (push, seen) = split(drives), split(statics)
    noise, shown = split(noises)
    if (shown != 0).any():
        raise ParameterError("white noise enters an algebraic field; give it a time constant > 0")
    lift, level = split(offsets[:, None])
    total = size + statics.shape[1]
    generator = np.zeros((total, total))
    generator[:size, :size], generator[:size, size:] = flow, push
    if system.discrete:
        generator[size:, size:] = np.eye(statics.shape[1])
    diffusion = np.zeros((total, total))
    diffusion[:size, :size] = 2 * (noise * intensities) @ noise.T

    def padded(columns: Array) -> Array:
        return np.vstack([columns, np.zeros((statics.shape[1], columns.shape[1]))])

    inputs = []
    for column, f in timed:
        on_state, on_fields = split(column[:, None])
        law = instantiate(f(_TIME), system.definitions)
        inputs.append((padded(on_state)[:, 0], on_fields[:, 0], Timed(law, parameters)))
    return LinearSystem(
        fields=system.fields,
        moving=tuple(int(i) for i in moving),
        generator=generator,
        drives=padded(kick),
        outputs=np.hstack([outputs, seen]),
        direct=direct,
        diffusion=diffusion,
        instant=instant,
        static_variances=variances,
        offset=(padded(lift)[:, 0], level[:, 0]),
        timed=tuple(inputs),
        discrete=system.discrete,
    )


def _number(e: Expr, system: TwoTimeSystem, parameters: Mapping[Symbol, Expr]) -> float:
    return float(instantiate(e, system.definitions).xreplace(dict(parameters)))


def _both_sides(left: Array, values: Array, right: Array) -> Array:
    """Left · values(j) · rightᵀ for every j, which is last."""
    return np.asarray(np.matmul(right, np.tensordot(left, values, 1)))


def diagonal(kernel: Array) -> Array:
    """The matrix of covariances of local fields, which are independent, shape (A, A, n)."""
    full = np.zeros((len(kernel), *kernel.shape))
    full[range(len(kernel)), range(len(kernel))] = kernel
    return full

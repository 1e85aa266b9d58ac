"""The transfer matrix K(λ) as numbers: batches of λ, Perron root, determinant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Dummy, Expr, S, Symbol, default_sort_key

from gatetheory.codegen.program import Backend, Evaluation, Program
from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.real_transfer import X, Y, real_transfer
from gatetheory.equations.shapes import SpectralCondition
from gatetheory.errors import DerivationError
from gatetheory.functions import instantiate

Array = NDArray[np.float64]

KEPT = 8  # states whose fixed averages are kept


@dataclass(frozen=True)
class State:
    """Numbers at which a spectral problem is solved.

    Args:
        parameters: Exact values of the model's parameters.
        order_parameters: Values of the state's unknowns (variances), in any arithmetic.
    """

    parameters: Mapping[Symbol, Expr]
    order_parameters: Mapping[Symbol, object]

    def __getitem__(self, symbol: Symbol) -> object:
        if symbol in self.parameters:
            return self.parameters[symbol]
        return self.order_parameters[symbol]


class TransferMatrix:
    """K(λ) compiled for one arithmetic.

    Averages that λ does not enter are done once for a state and kept; a batch of λ then costs only
    the averages over resolvents.

    Args:
        condition: The derived condition.
        backend: The arithmetic.

    Raises:
        DerivationError: If the Jacobian does not exist because a nonlinearity jumps.
    """

    def __init__(self, condition: SpectralCondition, backend: Backend) -> None:
        self.condition = condition
        self.backend = backend
        real = instantiate(real_transfer(condition), condition.definitions)
        if real.has(sympy.DiracDelta):
            raise DerivationError(
                "the Jacobian does not exist: a nonlinearity jumps, and the average of its squared "
                "derivative is infinite; use a steep but smooth one"
            )
        fixed = sorted(
            (a for a in real.atoms(GaussianAverage) if not a.free_symbols & {X, Y}),
            key=default_sort_key,
        )
        names = {a: Dummy(f"average_{k}", real=True) for k, a in enumerate(fixed)}
        self.real = real.xreplace(names)
        self.entries = [e for e in np.ndindex(*real.shape) if self.real[e] != 0]
        self._given = (*condition.law.unknowns, *condition.parameters)
        self._fixed = backend.compile(fixed, self._given)
        self._fixed_names = tuple(names.values())
        self._known: dict[tuple[Any, ...], Evaluation] = {}

    @property
    def _arguments(self) -> tuple[Symbol, ...]:
        return (X, Y, *self._fixed_names, *self._given)

    @cached_property
    def _program(self) -> Program:
        """K's non-zero entries, and their slopes by the fixed averages."""
        entries = [self.real[e] for e in self.entries]
        slopes = [e.diff(name) for e in entries for name in self._fixed_names]
        return self.backend.compile([*entries, *slopes], self._arguments)

    @cached_property
    def _border_program(self) -> Program:
        """det(1 − K), its derivatives by x and y, and its slopes by the fixed averages."""
        names = {e: Dummy(real=True) for e in self.entries}
        short = sympy.Matrix(*self.real.shape, lambda i, j: names.get((i, j), S.Zero))
        determinant = sympy.expand((sympy.eye(self.real.rows) - short).det(method="berkowitz"))
        back = {name: self.real[e] for e, name in names.items()}
        partial = {e: determinant.diff(name).xreplace(back) for e, name in names.items()}
        slopes = [
            sympy.Add(*(p * self.real[e].diff(v) for e, p in partial.items()))
            for v in (X, Y, *self._fixed_names)
        ]
        return self.backend.compile([determinant.xreplace(back), *slopes], self._arguments)

    def _averages(self, state: State) -> Evaluation:
        """The averages that λ does not enter, kept for the next call at the same state."""
        if not self._fixed_names:
            return Evaluation((), ())
        values = tuple(state[s] for s in self._given)
        if values not in self._known:
            if len(self._known) > KEPT:
                self._known.clear()
            self._known[values] = self._fixed(*values)
        return self._known[values]

    def border(self, x: Any, y: Any, state: State) -> tuple[list[Any], Any]:
        """det(1 − K) with its derivatives by x and y, and the error of the determinant."""
        fixed = self._averages(state)
        given = (state[s] for s in self._given)
        result = self._border_program(x, y, *fixed.values, *given)
        value, f_x, f_y, *slopes = result.values
        spread = sum(abs(d) * e for d, e in zip(slopes, fixed.errors, strict=True))
        return [value, f_x, f_y], result.errors[0] + spread

    def spectral_radius(
        self,
        x: Array | float,
        y: Array | float,
        state: State,
        tolerance: float | None = None,
    ) -> tuple[Array, Array]:
        """Perron root of K at λ₀ + x + iy and its error estimate, in doubles; arrays broadcast.

        The root is +∞ where an entry of K is.
        """
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        shape = x.shape
        matrix, noise = self._matrices(x.ravel(), y.ravel(), state, tolerance)
        infinite = ~np.isfinite(matrix).all(axis=(1, 2))
        matrix[infinite] = 0.0
        noise[infinite] = np.inf
        root, error = perron(matrix, noise)
        root[infinite] = np.inf
        error[infinite] = np.inf
        return root.reshape(shape), error.reshape(shape)

    def matrix(self, x: float, y: float, state: State) -> Array:
        """K at λ₀ + x + iy in doubles, shape (couplings, couplings)."""
        return np.asarray(self._matrices(np.array([x]), np.array([y]), state, None)[0][0])

    def _matrices(
        self, x: Array, y: Array, state: State, tolerance: float | None
    ) -> tuple[Array, Array]:
        """K and its errors, shape (batch, couplings, couplings)."""
        n, m = self.real.rows, len(self._fixed_names)
        matrix, noise = np.zeros((2, x.size, n, n))
        if not self.entries:
            return matrix, noise
        fixed = self._averages(state)
        given = (state[s] for s in self._given)
        numbers = [float(v) for v in (*fixed.values, *given)]
        result = self._program(x, y, *numbers, tolerance=tolerance)
        slopes = np.asarray(result.values[len(self.entries) :]).reshape(
            len(self.entries), m, x.size
        )
        spread = np.einsum("emb,m->eb", np.abs(slopes), np.asarray(fixed.errors, float))
        for k, (i, j) in enumerate(self.entries):
            matrix[:, i, j] = result.values[k]
            noise[:, i, j] = result.errors[k] + spread[k]
        return matrix, noise


def perron(matrix: Array, noise: Array) -> tuple[Array, Array]:
    """Largest eigenvalue of non-negative matrices, shape (batch, n, n), and its error bound.

    The Perron root of a non-negative matrix grows with every entry, so that the root of the matrix
    with all errors added bounds the root from above.
    """
    n = matrix.shape[-1]
    if n == 1:
        return matrix[:, 0, 0].copy(), noise[:, 0, 0].copy()
    root = np.abs(np.linalg.eigvals(matrix)).max(axis=-1)
    finite = np.where(np.isfinite(noise), noise, 0.0)
    upper = np.abs(np.linalg.eigvals(matrix + finite)).max(axis=-1)
    error = np.abs(upper - root) + 4e-16 * n * root
    return root, np.where(np.isfinite(noise).all(axis=(1, 2)), error, np.inf)

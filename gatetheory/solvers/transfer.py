"""The transfer matrix K(λ) as numbers: real arithmetic, batches of λ, Perron root.

λ is split as λ = λ₀ + x + iy, with λ₀ the border's real point (0 in continuous time, 1 in discrete
time), so that nothing is lost to rounding next to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Abs, Dummy, Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.codegen.program import Backend, Program
from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.shapes import SpectralCondition
from gatetheory.errors import DerivationError
from gatetheory.functions import instantiate

Array = NDArray[np.float64]

X, Y = Symbol("x_lambda", real=True), Symbol("y_lambda", real=True)


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


def real_transfer(condition: SpectralCondition) -> ImmutableDenseMatrix:
    """K as real expressions in x and y, averages split into terms that factorise."""
    origin = S.One if condition.discrete else S.Zero
    spectral = condition.spectral_parameter

    def modulus(node: Expr) -> Expr:
        polynomial = sympy.Poly(node.args[0].subs(spectral, origin + X + sympy.I * Y), Y)
        even = odd = S.Zero  # real and imaginary part
        for (k,), c in polynomial.terms():
            c = sympy.expand(c / sympy.I**k)
            sign = S.NegativeOne ** (k // 2)
            if k % 2 == 0:
                even += sign * c * Y**k
            else:
                odd += sign * c * Y**k
        return even**2 + odd**2

    def split(average: GaussianAverage) -> Expr:
        names: dict[Dummy, Expr] = {}
        f = average.integrand
        for node in f.atoms(sympy.Pow):
            if isinstance(node.base, Abs):
                squared = modulus(node.base) ** (node.exp / 2)
                if node.exp.is_negative:
                    names[name := Dummy()] = squared
                    squared = name
                f = f.xreplace({node: squared})
        terms = sympy.Add.make_args(sympy.expand(f))
        return sympy.Add(
            *(GaussianAverage(t.xreplace(names), average.variables, average.covariance)
              for t in terms)
        )  # fmt: skip

    def entry(k: Expr) -> Expr:
        k = k.replace(lambda e: isinstance(e, GaussianAverage), split)
        return k.replace(
            lambda e: isinstance(e, sympy.Pow) and isinstance(e.base, Abs),
            lambda e: modulus(e.base) ** (e.exp / 2),
        )

    return condition.transfer.applyfunc(entry)


class TransferMatrix:
    """K(λ) compiled for one arithmetic.

    Args:
        condition: The derived condition.
        backend: The arithmetic.
    """

    def __init__(self, condition: SpectralCondition, backend: Backend) -> None:
        self.condition = condition
        self.backend = backend
        self.real = instantiate(real_transfer(condition), condition.definitions)
        if self.real.has(sympy.DiracDelta):
            raise DerivationError(
                "the Jacobian does not exist: a nonlinearity jumps, and the average of its squared "
                "derivative is infinite; use a steep but smooth one"
            )
        self.entries = [
            (i, j)
            for i in range(self.real.rows)
            for j in range(self.real.cols)
            if self.real[i, j] != 0
        ]
        self.arguments = (X, Y, *condition.law.unknowns, *condition.parameters)

    @cached_property
    def program(self) -> Program:
        """K's non-zero entries."""
        return self.backend.compile([self.real[e] for e in self.entries], self.arguments)

    @cached_property
    def border_program(self) -> Program:
        """det(1 − K) and its derivatives by x and y."""
        names = {e: Dummy(real=True) for e in self.entries}
        short = sympy.Matrix(self.real.rows, self.real.cols, lambda i, j: names.get((i, j), S.Zero))
        determinant = (sympy.eye(self.real.rows) - short).det(method="berkowitz")
        back = {name: self.real[e] for e, name in names.items()}
        value = sympy.expand(determinant).xreplace(back)
        slopes = [
            sum(
                (determinant.diff(name).xreplace(back) * self.real[e].diff(v)
                 for e, name in names.items()), S.Zero
            )
            for v in (X, Y)
        ]  # fmt: skip
        return self.backend.compile([value, *slopes], self.arguments)

    def values_of(self, state: State) -> list[object]:
        """Order parameters and parameters, in the order a program wants them."""
        return [state[s] for s in self.arguments[2:]]

    def spectral_radius(
        self,
        x: Array | float,
        y: Array | float,
        state: State,
        tolerance: float | None = None,
    ) -> tuple[Array, Array]:
        """Perron root of K at λ₀ + x + iy and its error estimate; arrays broadcast.

        The root is +∞ where an entry of K is.
        """
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        shape = x.shape
        matrix, noise = self._entries(x.ravel(), y.ravel(), state, tolerance)
        infinite = ~np.isfinite(matrix).all(axis=(1, 2))
        matrix[infinite] = 0.0
        noise[infinite] = np.inf
        root, error = perron(matrix, noise)
        root[infinite] = np.inf
        error[infinite] = np.inf
        return root.reshape(shape), error.reshape(shape)

    def matrix(self, x: float, y: float, state: State) -> Array:
        """K at λ₀ + x + iy, shape (couplings, couplings)."""
        return np.asarray(self._entries(np.array([x]), np.array([y]), state, None)[0][0])

    def _entries(
        self, x: Array, y: Array, state: State, tolerance: float | None
    ) -> tuple[Array, Array]:
        """K and its errors, shape (batch, couplings, couplings)."""
        n = self.real.rows
        matrix, noise = np.zeros((2, x.size, n, n))
        if self.entries:
            numbers = [float(v) for v in self.values_of(state)]  # type: ignore[arg-type]
            result = self.program(x, y, *numbers, tolerance=tolerance)
            for (i, j), value, error in zip(
                self.entries, result.values, result.errors, strict=True
            ):
                matrix[:, i, j], noise[:, i, j] = value, error
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

"""Compile: the programs that solvers run, made once for each set of equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sympy import Expr, Symbol

from gatetheory.codegen import mpmath_backend, numpy_backend
from gatetheory.codegen.program import Backend, Program
from gatetheory.equations.lag_system import LagSystem
from gatetheory.equations.shapes import (
    MatrixMoments,
    SelfConsistency,
    SpectralCondition,
)
from gatetheory.errors import ParameterError
from gatetheory.solvers.core_problem import CoreProblem
from gatetheory.solvers.lag_problem import LagProgram
from gatetheory.solvers.moments import MomentProgram
from gatetheory.solvers.spectrum import SpectralProblem
from gatetheory.solvers.transfer import TransferMatrix

DOUBLE = 15
MOST_DIGITS = 10_000


def backend(digits: int) -> Backend:
    """The arithmetic for a number of digits: doubles up to 15, mpmath beyond.

    Raises:
        ParameterError: If the number of digits makes no sense.
    """
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= MOST_DIGITS:
        raise ParameterError(f"digits must be a whole number from 1 to {MOST_DIGITS}, got {digits}")
    return Doubles() if digits <= DOUBLE else Arithmetic(digits)


@dataclass(frozen=True)
class Doubles:
    """NumPy, as a backend."""

    name: str = "numpy"

    def compile(self, outputs: Sequence[Expr], arguments: Sequence[Symbol]) -> Program:
        """Compile to programs in doubles."""
        return numpy_backend.compile(outputs, arguments)


@dataclass(frozen=True)
class Arithmetic:
    """mpmath at a fixed number of digits, as a backend."""

    digits: int
    name: str = "mpmath"

    def compile(self, outputs: Sequence[Expr], arguments: Sequence[Symbol]) -> Program:
        """Compile to programs of this many digits."""
        return mpmath_backend.compile(outputs, arguments, self.digits)


@lru_cache(maxsize=32)
def fixed_point_programs(problem: SelfConsistency, digits: int) -> CoreProblem:
    """Programs for the search of fixed points."""
    return CoreProblem(problem, backend(digits))


@lru_cache(maxsize=32)
def spectral_problem(condition: SpectralCondition) -> SpectralProblem:
    """Programs for the spectrum's support, in doubles."""
    return SpectralProblem(condition, backend(DOUBLE))


@lru_cache(maxsize=32)
def exact_transfer(condition: SpectralCondition, digits: int) -> TransferMatrix:
    """Programs for the transfer matrix to many digits."""
    return TransferMatrix(condition, backend(digits))


@lru_cache(maxsize=32)
def moment_programs(problem: MatrixMoments, digits: int) -> MomentProgram:
    """Programs for the moments of the Jacobian."""
    return MomentProgram(problem, backend(digits))


@lru_cache(maxsize=32)
def lag_program(system: LagSystem) -> LagProgram:
    """Programs for stationary correlations and for the growth between replicas."""
    return LagProgram(system)


def require_doubles(digits: int, what: str) -> None:
    """Refuse more digits than doubles have.

    Raises:
        ParameterError: If more are asked for, or the number makes no sense.
    """
    backend(digits)
    if digits > DOUBLE:
        raise ParameterError(
            f"no more than doubles for {what} so far; leave digits at {DOUBLE} or below"
        )

"""From SymPy expressions of one unit to NumPy functions of arrays over units.

The simulator's own small lowering: it shares nothing with the one that theory is computed with, so
that the two can disagree. Parameters are arguments at run time; a kernel is compiled once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray
from scipy import special
from scipy.special import expit
from sympy import Expr, Lambda, Symbol
from sympy.printing.numpy import SciPyPrinter

from gatetheory.errors import ParameterError
from gatetheory.functions import canonical, instantiate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Kernel:
    """Compiled expressions.

    Args:
        function: Takes one array (or number) per argument and returns one per expression.
        size: Number of expressions.
    """

    function: Callable[..., Sequence[ArrayLike]]
    size: int

    def __call__(self, arguments: Iterable[ArrayLike], out: Array) -> Array:
        """Evaluate, one row of ``out`` per expression, shape (size, N).

        Floating-point flags are off: both sides of a Piecewise are evaluated, and the one that
        is not taken may overflow. Callers look for NaN in what is left.
        """
        with np.errstate(all="ignore"):
            values = self.function(*arguments)
        for row, value in zip(out, values, strict=True):
            row[...] = value
        return out


@lru_cache(maxsize=1024)
def compile_kernel(arguments: tuple[Symbol, ...], expressions: tuple[Expr, ...]) -> Kernel:
    """Compile expressions, common subexpressions evaluated once.

    Jumps are differentiated almost everywhere: a Dirac delta, which only differentiating a
    step can have produced, counts as 0.

    Args:
        arguments: Symbols, in the order of the kernel's arguments.
        expressions: Free of abstract nonlinearities (see :func:`define`).
    """
    function = sympy.lambdify(
        list(arguments),
        [sympy.sympify(e) for e in expressions],
        modules=[{"expit": expit, "sech": _sech}, "scipy", "numpy"],
        printer=_printer(),
        dummify=True,  # a parameter may be called "exp" or "x0"
        cse=True,  # safe here: no expression has a bound variable
    )
    return Kernel(cast("Callable[..., Sequence[ArrayLike]]", function), len(expressions))


def numpy_text(expression: Expr) -> str:
    """An expression as NumPy source; evaluate it among :func:`numpy_names`."""
    return cast("str", _printer().doprint(expression))


def numpy_names() -> dict[str, Any]:
    """Every name that :func:`numpy_text` may use."""
    return {**vars(special), **vars(np), "expit": expit, "sech": _sech}


def define(expression: Expr, definitions: Mapping[str, Lambda]) -> Expr:
    """Put in the definitions of the nonlinearities, in a form that does not overflow."""
    return cast("Expr", canonical(instantiate(expression, definitions)))


def as_double(number: Expr, name: str) -> float:
    """An exact number as a double.

    Raises:
        ParameterError: If it does not fit.
    """
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ParameterError(f"{name} = {number} does not fit a double")
    return value


def _printer() -> _Printer:
    return _Printer(
        {"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": False}
    )


def _sech(x: ArrayLike) -> Array:
    """1/cosh without overflow."""
    small = np.exp(-np.abs(x))
    return cast("Array", 2 * small / (1 + small * small))


class _Printer(SciPyPrinter):  # type: ignore[misc]
    """NumPy code for functions that SymPy would print into overflow or into an error."""

    def _print_logistic(self, expr: Expr) -> str:
        return f"expit({self._print(expr.args[0])})"

    def _print_sech(self, expr: Expr) -> str:
        return f"sech({self._print(expr.args[0])})"

    def _print_DiracDelta(self, expr: Expr) -> str:  # noqa: N802
        return "0.0"

    def _print_Max(self, expr: Expr) -> str:  # noqa: N802
        return self._nested("maximum", expr)

    def _print_Min(self, expr: Expr) -> str:  # noqa: N802
        return self._nested("minimum", expr)

    def _nested(self, name: str, expr: Expr) -> str:
        function = self._module_format(f"numpy.{name}")
        text = cast("str", self._print(expr.args[0]))
        for argument in expr.args[1:]:
            text = f"{function}({text}, {self._print(argument)})"
        return text

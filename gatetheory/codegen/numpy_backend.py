"""Compiles expressions with Gaussian averages to double-precision programs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import inf, isfinite
from typing import Any

import numpy as np
from sympy import Expr, Symbol, sympify

from gatetheory.codegen.covariance_numpy import EPS
from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.integrand import analyse
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.lowering import lower
from gatetheory.codegen.program import Evaluation
from gatetheory.codegen.quadrature_numpy import NumpyQuadrature
from gatetheory.codegen.rewriting import stable
from gatetheory.errors import ParameterError

name = "numpy"
TOLERANCE = 1e-13
"""Default relative accuracy of an average, with respect to ⟨|f|⟩."""


def compile(outputs: Sequence[Expr], arguments: Sequence[Symbol]) -> NumpyProgram:
    """Compile real expressions in real symbols; averages included.

    Compiling the same again costs nothing.
    """
    return _compiled(tuple(map(sympify, outputs)), tuple(arguments))


@lru_cache(maxsize=512)
def _compiled(outputs: tuple[Expr, ...], arguments: tuple[Symbol, ...]) -> NumpyProgram:
    return NumpyProgram(outputs, arguments)


class NumpyProgram:
    """Expressions compiled to doubles. Arguments broadcast; so do the results.

    Args:
        outputs: What is evaluated.
        arguments: Symbols whose values a call expects.
    """

    def __init__(self, outputs: tuple[Expr, ...], arguments: tuple[Symbol, ...]) -> None:
        self.outputs, self.arguments = outputs, arguments
        lowered = lower(outputs, arguments)
        self._lowered = lowered
        symbols = [q.symbol for q in lowered.quadratures]
        known = [*arguments, *symbols]
        place = {s: i for i, s in enumerate(known)}
        integrands = [analyse(q) for q in lowered.quadratures]
        self._quadratures = [(NumpyQuadrature(f), [place[s] for s in f.outer]) for f in integrands]
        slopes = [o.diff(s) for o in lowered.outputs for s in symbols]
        expressions = [stable(e) for e in (*lowered.outputs, *slopes)]
        self._arithmetic = compile_kernel(expressions, [], known, DOUBLES)

    def __call__(self, *values: Any, tolerance: float | None = None) -> Evaluation:
        """Evaluate; see :class:`gatetheory.codegen.program.Program`."""
        if len(values) != len(self.arguments):
            raise ParameterError(
                f"expected {len(self.arguments)} values, for {self.arguments}; got {len(values)}"
            )
        known, shape = _flattened(values)
        if 0 in shape:
            return Evaluation(*np.empty((2, len(self.outputs), *shape)))
        first = len(known)
        errors: list[Any] = []
        with np.errstate(all="ignore"):
            for quadrature, places in self._quadratures:
                given = [known[i] for i in places]
                average = quadrature(given, TOLERANCE if tolerance is None else tolerance)
                error = average.error
                for i in places:
                    if i >= first:
                        error = error + self._carried(quadrature, places, known, i,
                                                      errors[i - first])  # fmt: skip
                known.append(_plain(average.value))
                errors.append(error)
            results = self._arithmetic(*known)()
            averages = list(zip(known[first:], errors, strict=True))
            if shape == () and all(isinstance(r, float | int) for r in results):
                return self._of_numbers(results, averages)
            return self._of_arrays(results, averages, shape)

    def _of_numbers(
        self, results: Sequence[float], averages: Sequence[tuple[Any, Any]]
    ) -> Evaluation:
        n, m = len(self.outputs), len(averages)
        total = np.empty(n)
        for i, value in enumerate(results[:n]):
            slopes = results[n + i * m : n + (i + 1) * m]
            e = 4 * EPS * abs(value)
            for slope, (average, noise) in zip(slopes, averages, strict=True):
                if slope and noise:
                    e += abs(slope) * noise
                elif not isfinite(average) and type(slope) is not int:
                    e = inf
            total[i] = e if isfinite(value) and isfinite(e) else inf
        return Evaluation(np.array(results[:n], dtype=float), total)

    def _of_arrays(
        self,
        results: Sequence[Any],
        averages: Sequence[tuple[Any, Any]],
        shape: tuple[int, ...],
    ) -> Evaluation:
        n, m, size = len(self.outputs), len(averages), (int(np.prod(shape)),)
        value = np.stack([np.broadcast_to(_flat(r), size) for r in results[:n]])
        error = 4 * EPS * np.abs(value)
        for i in range(n):
            slopes = results[n + i * m : n + (i + 1) * m]
            for slope, (average, e) in zip(slopes, averages, strict=True):
                error[i] += _nothing_lost(np.abs(_flat(slope)), _flat(e))
                if type(slope) is not int:  # an int is the 0 of an output free of this average
                    error[i] += np.where(np.isfinite(_flat(average)), 0.0, np.inf)
        error = np.where(np.isfinite(value) & np.isfinite(error), error, np.inf)
        return Evaluation(value.reshape(n, *shape), error.reshape(n, *shape))

    def _carried(
        self, quadrature: NumpyQuadrature, places: list[int], known: list[Any], i: int,
        error: Any,
    ) -> Any:  # fmt: skip
        """How the error of an earlier average changes this one."""
        shift = np.maximum(_flat(error), 1e-7 * np.abs(_flat(known[i])))
        shift = np.where(np.isfinite(shift), shift, 0.0)
        moved = [known[k] if k != i else _plain(known[k] + shift) for k in places]
        here = quadrature.rough([known[k] for k in places])
        change = np.abs(quadrature.rough(moved) - here)
        return _nothing_lost(change / np.where(shift > 0, shift, 1.0), error)


def _flattened(values: Sequence[Any]) -> tuple[list[Any], tuple[int, ...]]:
    """Numbers stay numbers; arrays become one-dimensional, of one length."""
    if all(isinstance(v, float | int) for v in values):
        return [float(v) for v in values], ()
    arrays = [np.asarray(v, dtype=float) for v in values]
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    flat = [
        float(a) if a.ndim == 0 else np.ascontiguousarray(np.broadcast_to(a, shape)).reshape(-1)
        for a in arrays
    ]
    return flat, shape


def _plain(x: Any) -> Any:
    return float(x) if np.ndim(x) == 0 else x


def _flat(x: Any) -> Any:
    return np.asarray(x, dtype=float)


def _nothing_lost(slope: Any, error: Any) -> Any:
    """|slope| · error, where an infinite error matters unless the slope is exactly 0."""
    return np.where((slope == 0) | (error == 0), 0.0, slope * error)

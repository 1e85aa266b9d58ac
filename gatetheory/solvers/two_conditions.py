"""Points in the plane of two parameters at which two plain expressions vanish, to any digits.

The level lines of the first expression are traced on a grid; where the second changes sign along
them Newton's method finishes, once at the digits asked for and once beyond, as a check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import contourpy
import mpmath
import numpy as np
import sympy
from sympy import Expr, Symbol

from gatetheory.codegen import mpmath_backend, numpy_backend
from gatetheory.errors import ConvergenceError
from gatetheory.solvers.transition_search import spread

COUNT = 120
CHECK = 15  # digits by which the second evaluation is finer
STEPS = 60


@dataclass(frozen=True)
class CommonZero:
    """Values of both parameters, digits in which two evaluations agree, and what is left."""

    values: tuple[Any, Any]
    digits: int
    residual: Any


def common_zeros(
    conditions: Sequence[Expr],
    parameters: tuple[Symbol, Symbol],
    windows: tuple[tuple[float, float], tuple[float, float]],
    digits: int,
) -> list[CommonZero]:
    """Every point found in a rectangle, ascending in the first parameter."""
    program = numpy_backend.compile(list(conditions), parameters)
    first, second = (spread(*w, COUNT) for w in windows)
    x, y = np.meshgrid(first, second, indexing="ij")
    table = np.asarray(program(x.ravel(), y.ravel()).values[0], float).reshape(x.shape)
    ticks = np.arange(COUNT, dtype=float)
    found: list[CommonZero] = []
    for line in contourpy.contour_generator(ticks, ticks, np.ma.masked_invalid(table)).lines(0.0):
        at = np.asarray(line)
        a, b = np.interp(at[:, 1], ticks, first), np.interp(at[:, 0], ticks, second)
        other = np.asarray(program(a, b).values[1], float)
        for k in np.flatnonzero(other[:-1] * other[1:] < 0):
            try:
                new = _refined(conditions, parameters, (float(a[k]), float(b[k])), digits)
            except ConvergenceError:
                continue
            inside = all(w[0] <= v <= w[1] for w, v in zip(windows, new.values, strict=True))
            if inside and all(abs(new.values[0] - o.values[0]) > 1e-8 for o in found):
                found.append(new)
    return sorted(found, key=lambda z: z.values[0])


def _refined(
    conditions: Sequence[Expr],
    parameters: tuple[Symbol, Symbol],
    start: tuple[float, float],
    digits: int,
) -> CommonZero:
    slopes = [c.diff(p) for c in conditions for p in parameters]
    values: list[Any] = [mpmath.mpf(s) for s in start]
    answers = []
    residual: Any = mpmath.inf
    for precision in (digits + 5, digits + 5 + CHECK):
        program = mpmath_backend.compile([*conditions, *slopes], parameters, precision)
        context = mpmath.mp.clone()
        context.dps = precision + 10
        for _ in range(STEPS):
            numbers = program(*values).values
            residual = max(abs(numbers[0]), abs(numbers[1]))
            rows = [[numbers[2], numbers[3]], [numbers[4], numbers[5]]]
            try:
                step = context.lu_solve(context.matrix(rows), context.matrix(numbers[:2]))
            except ZeroDivisionError as error:
                raise ConvergenceError("the two conditions touch instead of crossing") from error
            values = [context.mpf(v) - s for v, s in zip(values, step, strict=True)]
            size = max(abs(s) / abs(v) for v, s in zip(values, step, strict=True))
            if size < context.mpf(10) ** (-precision):
                break
        else:
            raise ConvergenceError("Newton's method does not settle on the point")
        answers.append(list(values))
    gap = max(abs(a - b) / abs(b) for a, b in zip(*answers, strict=True))
    agreed = digits if gap == 0 else int(min(digits, sympy.floor(-mpmath.log10(gap))))
    first, second = (mpmath.mp.make_mpf(v._mpf_) for v in answers[1])
    return CommonZero((first, second), agreed, residual)

"""Integrates the single-unit equations along given drives, many paths at once.

A flow: the exponential Runge–Kutta method of order four (Cox and Matthews), with the part of each
law that is a constant rate times its own field done exactly, so that short time constants of linear
fields set no limit to the step (accuracy falls to lower order there). Drives are given on half
steps, where the method reads them. White noise is held constant over a step, which is of second
order in averages since noise is additive. A map is iterated.

Source: S. M. Cox and P. C. Matthews, J. Comput. Phys. 176, 430 (2002).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.sampled_unit import Unit

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drives:
    """Paths of what drives a unit.

    Args:
        smooth: Local fields (and their perturbations) as the unit orders its drives, each of shape
            (2 n + 1, M) on half steps for a flow, or (n + 1, M) for a map.
        noises: White noise, one array (n, M) each.
        statics: Static inputs, (M,) each.
        timed: Time-dependent inputs, as for ``smooth`` but of shape (2 n + 1,).
        kicks: Perturbations of the local fields, as for ``smooth``; none without a tangent.
    """

    smooth: Sequence[Array]
    noises: Sequence[Array]
    statics: Sequence[Array]
    timed: Sequence[Array] = ()
    kicks: Sequence[Array] = ()

    def at(self, half: int, step: int) -> list[Array]:
        """Everything at an index of half steps, noise of a step, in the order of the unit."""
        return [
            *(s[half] for s in self.smooth),
            *(w[step] for w in self.noises),
            *self.statics,
            *(c[half] for c in self.timed),
            *(k[half] for k in self.kicks),
        ]


@dataclass(frozen=True, eq=False)
class Paths:
    """What was recorded along paths.

    Args:
        outputs: Shape (outputs, n, M), at the beginning of each step.
        end: State after the last step, shape (fields, M).
    """

    outputs: Array
    end: Array


def integrate(unit: Unit, drives: Drives, start: Array, steps: int, step: float,
              growth: float = 0.0) -> Paths:  # fmt: skip
    """Integrate the unit and record its outputs.

    Args:
        unit: The unit.
        drives: What drives it.
        start: State at the first time, shape (fields, M).
        steps: Number of steps n.
        step: Length of a step; 1 in a map.
        growth: Rate λ taken out of a tangent vector.

    Raises:
        ConvergenceError: If a path is no longer finite.
    """
    with np.errstate(all="ignore"):
        advance = _iterate(unit, drives, growth) if unit.discrete else (
            _runge_kutta(unit, drives, step, growth)
        )  # fmt: skip
        state = start
        outputs = np.empty((len(unit.outputs), steps, start.shape[1]))
        stride = 1 if unit.discrete else 2
        for n in range(steps):
            outputs[:, n] = unit.record(state, drives.at(stride * n, n), growth)
            state = advance(state, n)
    if not (np.isfinite(state).all() and np.isfinite(outputs).all()):
        raise ConvergenceError(
            "a path of the single unit is no longer finite; its law grows without bound, or the "
            "step is too long"
        )
    return Paths(outputs, state)


def _iterate(unit: Unit, drives: Drives, growth: float):  # type: ignore[no-untyped-def]
    def advance(state: Array, n: int) -> Array:
        return unit.law(state, drives.at(n, n), growth)

    return advance


def _runge_kutta(unit: Unit, drives: Drives, h: float, growth: float):  # type: ignore[no-untyped-def]
    rates = unit.fixed_rates(growth)[:, None] * h
    half, whole = np.exp(rates / 2), np.exp(rates)
    first = h / 2 * phi(1, rates / 2)
    p1, p2, p3 = (phi(k, rates) for k in (1, 2, 3))
    begin, middle, end = h * (p1 - 3 * p2 + 4 * p3), h * (2 * p2 - 4 * p3), h * (4 * p3 - p2)

    def advance(x: Array, n: int) -> Array:
        now, between, then = (drives.at(2 * n + k, n) for k in range(3))
        f0 = unit.law(x, now, growth)
        carried = half * x
        a = carried + first * f0
        f1 = unit.law(a, between, growth)
        f2 = unit.law(carried + first * f1, between, growth)
        f3 = unit.law(half * a + first * (2 * f2 - f0), then, growth)
        return whole * x + begin * f0 + middle * (f1 + f2) + end * f3

    return advance


def phi(k: int, z: Array) -> Array:
    """φ_k(z) = Σ_j z^j / (j + k)!, accurate for any z ≤ 0 (and moderate z > 0)."""
    small = np.abs(z) < 1
    safe = np.where(small, 1.0, z)
    value = np.exp(safe)
    for j in range(k):
        value = (value - 1 / factorial(j)) / safe
    near = np.where(small, z, 0.0)
    series = sum(near**j / factorial(j + k) for j in range(20))
    return np.asarray(np.where(small, series, value))

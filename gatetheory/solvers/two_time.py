"""Covariances at two times as numbers, from given initial values on.

The problem is causal and is marched (:mod:`gatetheory.solvers.two_time_march`) with the step asked
for and with half of it. Their difference estimates the error; the step is halved again until that
meets the tolerance. A third of the difference is a bound for every order of convergence from two
on: the march has order four, three with white noise, two where an input of time jumps in slope.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Expr, Symbol

from gatetheory.equations.two_time_system import TwoTimeSystem
from gatetheory.errors import AssumptionWarning, ConvergenceError, ParameterError
from gatetheory.functions import instantiate
from gatetheory.solvers.records import Provenance, Status, by_name
from gatetheory.solvers.two_time_averages import PairAverages
from gatetheory.solvers.two_time_linear import LinearSystem, linear_system
from gatetheory.solvers.two_time_march import March, Marcher
from gatetheory.solvers.two_time_record import TwoTime
from gatetheory.solvers.two_time_stencils import START

Array = NDArray[np.float64]
Report = Callable[[int, int], None]

MOST_BYTES = 2e9
_HALVINGS = 5
_ORDER_TWO = 3.0  # 2² − 1
_ROUNDING = 1e-11  # averages are good to twelve digits, relative to the size of their functions


def solve_two_time(
    system: TwoTimeSystem,
    parameters: Mapping[Symbol, Expr],
    times: ArrayLike | tuple[float, float],
    *,
    initial_std: float | Mapping[str, float] = 1.0,
    initial_mean: float | Mapping[str, float] = 0.0,
    tolerance: float = 1e-6,
    halvings: int = _HALVINGS,
    report: Report | None = None,
) -> TwoTime:
    """Second moments at all pairs of times.

    Memory grows like T² and work like T² (T the number of times): 16 bytes per pair of times and
    moment while two steps are compared, refused beyond 2 GB.

    Args:
        system: The equations.
        parameters: Exact values of all parameters.
        times: A tuple (duration, step), or equally spaced times from 0 on. Steps in a map.
        initial_std: Standard deviation of every field with dynamics at t = 0, or one for each.
        initial_mean: Its mean, or one for each.
        tolerance: Error allowed, relative to the largest value of each moment.
        halvings: How often the step may be halved beyond the first comparison.
        report: Called with what is done and what there is to do, in the present march.

    Raises:
        ParameterError: For times that are not equally spaced from 0 on, fewer than four, or too
            many for memory; for initial values that are negative, not finite or of unknown fields.
        ConvergenceError: If the march fails within the first steps.
        DerivationError: If an average has no series: a kink, or fields tied at one time.
    """
    linear = linear_system(system, parameters)
    grid = _grid(times, linear.discrete)
    if not (isfinite(tolerance) and tolerance > 0):
        raise ParameterError(f"tolerance must be a positive number, got {tolerance!r}")
    names = [f"C_eta_{c}" for c in system.couplings] + list(system.observables)
    _check_memory(len(grid), len(names))
    std = _per_field("initial_std", initial_std, linear)
    mean = _per_field("initial_mean", initial_mean, linear)
    if (std < 0).any():
        raise ParameterError(f"initial_std must not be negative, got {initial_std!r}")
    statics = linear.static_variances
    start = np.concatenate([mean, 0 * statics]), np.diag(np.concatenate([std**2, statics]))
    outputs = [
        instantiate(e, system.definitions).xreplace(dict(parameters))
        for e in (*system.kernels, *system.observables.values())
    ]

    settled = min(max(1e-3 * tolerance, 1e-13), 1e-8)

    def march(parts: int) -> March:
        count = (len(grid) - 1) * parts + 1
        averages = PairAverages(outputs, system.law, count)
        step = (grid[1] - grid[0]) / parts
        marcher = Marcher(linear, step, averages, *start, count, parts, settled)
        with np.errstate(all="ignore"):
            return marcher.run(report)

    parts, fine = 1, march(1)
    errors = _differences(fine, fine)
    if not linear.discrete:
        for _ in range(halvings + 1):
            parts, coarse, fine = 2 * parts, fine, march(2 * parts)
            errors = _differences(coarse, fine) / _ORDER_TWO
            if coarse.kept < len(grid):
                continue  # too long a step for the corrections to converge
            if (errors <= tolerance * _sizes(fine)).all():
                break
    return _solution(system, parameters, grid, names, (fine, parts), errors, tolerance)


def _solution(
    system: TwoTimeSystem,
    parameters: Mapping[Symbol, Expr],
    grid: Array,
    names: Sequence[str],
    marched: tuple[March, int],
    errors: Array,
    tolerance: float,
) -> TwoTime:
    found, parts = marched
    kept = found.kept
    if kept < START:
        raise ConvergenceError(
            "corrections do not converge within the first steps; choose a smaller step"
        )
    status, advice = _verdict(system, parameters, found, grid, errors, tolerance)
    tables = [*found.kernels, *found.values]
    labels = [*names, *(f"m_{x}" for x in system.fields)]
    moments = {n: v[:kept, :kept] for n, v in zip(names, tables, strict=True)}
    return TwoTime(
        status=status,
        times=grid[:kept],
        moments=moments,
        means={f"m_{x}": m[:kept] for x, m in zip(system.fields, found.means, strict=True)},
        errors=dict(zip(labels, (float(e) for e in errors), strict=True)),
        residual=found.defect,
        step=float(grid[1] - grid[0]) / parts,
        memory=sum(v.nbytes for v in moments.values()),
        advice=advice,
        provenance=Provenance(
            by_name(parameters), 15, system.equations.assumptions, system.equations.references
        ),
    )


def _verdict(
    system: TwoTimeSystem,
    parameters: Mapping[Symbol, Expr],
    found: March,
    grid: Array,
    errors: Array,
    tolerance: float,
) -> tuple[Status, str]:
    if found.kept < len(grid):
        last = grid[found.kept - 1]
        return "not_converged", f"stopped after t = {last:g}: covariances diverge or jump there"
    sizes = _sizes(found)
    if (errors > tolerance * sizes).any():
        return "not_converged", "the step is too long for the tolerance: choose a smaller one"
    if tolerance < _ROUNDING:
        return "precision_lost", f"doubles cannot promise {tolerance:g}; ask for {_ROUNDING:g}"
    if not system.is_exact(parameters):
        text = (
            f"closure {system.closure}: a gate that fluctuates is held at its stationary mean; "
            "these moments are approximate"
        )
        warnings.warn(text, AssumptionWarning, stacklevel=4)
        return "ok", text
    return "ok", ""


def _tables(found: March, kept: int) -> list[Array]:
    """Every kernel, observable and mean at the first times."""
    pairs = [*found.kernels[:, :kept, :kept], *found.values[:, :kept, :kept]]
    return [*pairs, *found.means[:, :kept]]


def _sizes(found: March) -> Array:
    """Largest value of every moment and mean."""
    return np.array([np.abs(v).max() for v in _tables(found, found.kept)])


def _differences(first: March, second: March) -> Array:
    """Largest difference of every moment and mean."""
    kept = min(first.kept, second.kept)
    pairs = zip(_tables(first, kept), _tables(second, kept), strict=True)
    return np.array([np.abs(a - b).max() for a, b in pairs])


def _grid(times: ArrayLike | tuple[float, float], discrete: bool) -> Array:
    values = np.asarray(times, dtype=float)
    if isinstance(times, tuple) and len(times) == 2:
        duration, step = map(float, times)
        if not (isfinite(duration) and isfinite(step) and 0 < step <= duration):
            raise ParameterError(f"(duration, step) must be positive numbers, got {times!r}")
        values = step * np.arange(int(np.floor(duration / step + 1e-9)) + 1)
    if values.ndim != 1 or len(values) < START or not np.isfinite(values).all():
        raise ParameterError(f"give at least {START} finite times, or (duration, step)")
    steps = np.diff(values)
    if values[0] != 0 or steps[0] <= 0 or np.ptp(steps) > 1e-9 * steps[0] * len(values):
        raise ParameterError(
            "times must begin at 0 and be equally spaced; pick from a finer grid what you need"
        )
    if discrete and abs(steps[0] - 1) > 1e-9:
        raise ParameterError(f"times of a map count steps, but the step is {steps[0]:g}; make it 1")
    return values


def _check_memory(times: int, moments: int) -> None:
    needed = 16.0 * moments * float(times) ** 2
    if needed > MOST_BYTES:
        most = int((MOST_BYTES / (16 * moments)) ** 0.5)
        raise ParameterError(
            f"{times} times need {needed / 1e9:.1f} GB for {moments} moments at two times; use at "
            f"most {most} times: a shorter duration or a longer step (it is refined inside)"
        )


def _per_field(what: str, value: float | Mapping[str, float], linear: LinearSystem) -> Array:
    names = [linear.fields[i] for i in linear.moving]
    if isinstance(value, Mapping):
        for name in value:
            if name not in names:
                kind = (
                    "is algebraic and has no initial value"
                    if name in linear.fields
                    else "is no field"
                )
                raise ParameterError(f"{what}: {name!r} {kind}; there are {', '.join(names)}")
        missing = [n for n in names if n not in value]
        if missing:
            raise ParameterError(f"{what}: give a value for {', '.join(missing)} too")
        numbers = [value[n] for n in names]
    else:
        numbers = [value] * len(names)
    found = np.array([float(v) for v in numbers], dtype=float)
    if not np.isfinite(found).all():
        raise ParameterError(f"{what} must be finite, got {value!r}")
    return found

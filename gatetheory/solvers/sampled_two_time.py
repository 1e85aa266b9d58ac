"""Covariances at two times of any single-site process, by sampling.

Paths start from given initial values and are marched forward together with the fields they draw
from their own signals (:mod:`gatetheory.solvers.sampled_causal`). Independent replicas of the whole
give standard errors. Exact up to them, to the step, and to a bias of order one over the number of
paths of a replica.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Expr, Symbol

from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.rewriting import stable
from gatetheory.equations.single_site_process import SingleSiteProcess
from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.functions import instantiate
from gatetheory.solvers.records import Provenance, Status, by_name
from gatetheory.solvers.sampled_causal import March
from gatetheory.solvers.sampled_records import SampledTwoTime
from gatetheory.solvers.sampled_replica import Sampler, spawn

Array = NDArray[np.float64]

MOST_BYTES = 2e9
_STEP, _HALVINGS, _STAGE = 0.125, 4, 9


def solve_sampled_two_time(
    process: SingleSiteProcess,
    parameters: Mapping[Symbol, Expr],
    times: ArrayLike | tuple[float, float],
    *,
    initial_std: float | Mapping[str, float] = 1.0,
    initial_mean: float | Mapping[str, float] = 0.0,
    paths: int = 1024,
    replicas: int = 8,
    seed: int = 0,
    tolerance: float = 1e-3,
) -> SampledTwoTime:
    """Second moments at all pairs of times.

    Memory: 16 bytes per pair of times and moment for the result, and 8 bytes per path, time and
    output while a replica runs; refused beyond 2 GB.

    Args:
        process: The single-site process.
        parameters: Exact values of all parameters.
        times: Equally spaced times, or (duration, step) from 0 on; steps of 1 in a map.
        initial_std: Standard deviation of every field with dynamics at the first time, or each.
        initial_mean: Its mean, or each.
        paths: Paths of each replica.
        replicas: Number of replicas.
        seed: Seed of all random numbers.
        tolerance: Error of the step allowed, relative to the largest value of a moment.

    Raises:
        ParameterError: For times or initial values that make no sense, or too much memory.
        ConvergenceError: If paths grow without bound.
    """
    sampler = Sampler(process, parameters)
    grid = _grid(times, process.discrete)
    if paths < 8 or replicas < 2:
        raise ParameterError("give at least 8 paths and 2 replicas")
    if not tolerance > 0:
        raise ParameterError(f"tolerance must be a positive number, got {tolerance!r}")
    names = [x.name for x in sampler.unit.dynamic]
    mean = _per_field("initial_mean", initial_mean, names)
    std = _per_field("initial_std", initial_std, names)
    if (std < 0).any():
        raise ParameterError(f"initial_std must not be negative, got {initial_std!r}")
    spacing = float(grid[1] - grid[0])
    parts = 1 if process.discrete else max(ceil(spacing / (_STEP * sampler.times()[1]) - 1e-9), 1)
    _check_memory(len(grid), len(sampler.unit.outputs), paths, 2 * parts)
    solver = _Solver(sampler, grid, mean, std, paths)
    error = 0.0
    if not process.discrete:
        child = spawn(seed, _STAGE, 1)[0]
        for _ in range(_HALVINGS):
            error = solver.step_error(parts, np.random.default_rng(child))
            if error <= tolerance:
                break
            parts *= 2
            _check_memory(len(grid), len(sampler.unit.outputs), paths, 2 * parts)
    found = [
        solver.moments(parts, np.random.default_rng(s))
        for s in spawn(seed, _STAGE + 1, replicas)
    ]  # fmt: skip
    status: Status = "ok" if error <= tolerance else "not_converged"
    return _combine(sampler, grid, found, status, spacing / parts, error, paths)


class _Solver:
    """Marches replicas on a grid of times."""

    def __init__(self, sampler: Sampler, grid: Array, mean: Array, std: Array, paths: int) -> None:
        self.sampler, self.grid = sampler, grid
        self.mean, self.std, self.paths = mean, std, paths
        self.order = _order(sampler)

    def march(self, parts: int) -> March:
        count = (len(self.grid) - 1) * parts
        fine = np.linspace(self.grid[0], self.grid[-1], count + 1)
        process = self.sampler.process
        timed = []
        for function in process.inputs.timed.values():
            (t,) = function.variables
            body = instantiate(function.expr, process.definitions).xreplace(self.sampler.parameters)
            kernel = compile_kernel([stable(body)], [t], (), DOUBLES)()
            timed.append(np.broadcast_to(kernel(fine)[0], fine.shape))
        step = (self.grid[-1] - self.grid[0]) / count
        return March(self.sampler, self.order, timed, float(step))

    def moments(self, parts: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """⟨x(t)x(t')⟩ of every output, shape (outputs, T, T), and means, (outputs, T)."""
        steps = (len(self.grid) - 1) * parts
        with np.errstate(all="ignore"):
            found = self.march(parts).run(self.mean, self.std, steps, parts, self.paths, rng)
        outputs = _finite(found.outputs)
        return outputs @ np.swapaxes(outputs, 1, 2) / self.paths, outputs.mean(axis=2)

    def step_error(self, parts: int, rng: np.random.Generator) -> float:
        """Change of equal-time moments between steps, local fields and noise the same."""
        steps = (len(self.grid) - 1) * 2 * parts
        with np.errstate(all="ignore"):
            fine = self.march(2 * parts).run(self.mean, self.std, steps, 2 * parts, self.paths, rng)
            coarse = self.march(parts).follow(fine, 2, parts)
        a = np.mean(_finite(fine.outputs) ** 2, axis=2)
        b = np.mean(_finite(coarse) ** 2, axis=2)
        size = np.abs(a).max(axis=1, keepdims=True)
        return float(np.max(np.abs(a - b) / np.where(size > 0, size, 1.0)))


def _combine(
    sampler: Sampler,
    grid: Array,
    found: Sequence[tuple[Array, Array]],
    status: Status,
    step: float,
    error: float,
    paths: int,
) -> SampledTwoTime:
    process = sampler.process
    pairs, means = (np.array([f[k] for f in found]) for k in range(2))
    count = len(found)
    moments, errors = pairs.mean(axis=0), pairs.std(axis=0, ddof=1) / np.sqrt(count)
    firsts, first_errors = means.mean(axis=0), means.std(axis=0, ddof=1) / np.sqrt(count)
    index = {name: k for k, name in enumerate(sampler.unit.outputs)}
    named = {name: (index[name], 1.0) for name in process.observables}
    for coupling, k in zip(process.couplings, sampler.reads, strict=True):
        named[f"C_eta_{coupling}"] = index[f"psi_{coupling}"], float(sampler.scale[k])
    fields = {f"m_{x.name}": index[f"C_{x.name}"] for x in process.fields}
    advice = "" if status == "ok" else "the step is too long for the tolerance: choose closer times"
    return SampledTwoTime(
        status=status,
        times=grid,
        moments={n: s * moments[k] for n, (k, s) in named.items()},
        errors={n: s * errors[k] for n, (k, s) in named.items()},
        means={n: firsts[k] for n, k in fields.items()},
        mean_errors={n: first_errors[k] for n, k in fields.items()},
        step=step,
        step_error=error,
        paths=paths * count,
        replicas=count,
        closure="sampled",
        advice=advice,
        provenance=Provenance(
            by_name(sampler.parameters), 15, process.equations.assumptions,
            process.equations.references,
        ),
    )  # fmt: skip


def _order(sampler: Sampler) -> list[list[int]]:
    """Couplings in groups: a signal may read local fields of the same time, drawn before."""
    process, unit = sampler.process, sampler.unit
    local = list(process.local_fields)
    through = set().union(*(r.free_symbols for r in unit.residuals)) if unit.residuals else set()
    needs = []
    for name in process.couplings:
        read = unit.outputs[f"psi_{name}"].free_symbols
        read = read | through if read & set(unit.implicit) else read
        needs.append({local.index(s) for s in read if s in local})
    order: list[list[int]] = []
    known: set[int] = set()
    while len(known) < len(local):
        ready = [a for a in range(len(local)) if a not in known and needs[a] <= known]
        if not ready:
            names = ", ".join(process.couplings[a] for a in range(len(local)) if a not in known)
            raise ParameterError(
                f"the signals of couplings {names} need each other at the same time; give an "
                "algebraic field between them a positive time constant"
            )
        order.append(ready)
        known |= set(ready)
    return order


def _finite(outputs: Array) -> Array:
    if not np.isfinite(outputs).all():
        raise ConvergenceError(
            "a path of the single unit is no longer finite; its law grows without bound, or the "
            "times are too far apart"
        )
    return outputs


def _grid(times: ArrayLike | tuple[float, float], discrete: bool) -> Array:
    values = np.asarray(times, dtype=float)
    if isinstance(times, tuple) and len(times) == 2:
        duration, step = map(float, times)
        if not 0 < step <= duration < np.inf:
            raise ParameterError(f"(duration, step) must be positive numbers, got {times!r}")
        values = step * np.arange(int(duration / step + 1e-9) + 1)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ParameterError("give at least 2 finite times, or (duration, step)")
    steps = np.diff(values)
    if steps[0] <= 0 or np.ptp(steps) > 1e-9 * steps[0] * len(values):
        raise ParameterError("times must be equally spaced and increase")
    if discrete and abs(steps[0] - 1) > 1e-9:
        raise ParameterError(f"times of a map count steps, but the step is {steps[0]:g}; make it 1")
    return values


def _check_memory(times: int, outputs: int, paths: int, parts: int) -> None:
    needed = 16.0 * outputs * times**2 + 8.0 * outputs * paths * times * (2 + parts)
    if needed > MOST_BYTES:
        raise ParameterError(
            f"{times} times with {paths} paths need {needed / 1e9:.1f} GB; use fewer times (a "
            "shorter duration or a longer step, which is refined inside) or fewer paths"
        )


def _per_field(what: str, value: float | Mapping[str, float], names: Sequence[str]) -> Array:
    if isinstance(value, Mapping):
        for name in value:
            if name not in names:
                raise ParameterError(
                    f"{what}: {name!r} is no field with dynamics; there are {', '.join(names)}"
                )
        missing = [n for n in names if n not in value]
        if missing:
            raise ParameterError(f"{what}: give a value for {', '.join(missing)} too")
        found = np.array([float(value[n]) for n in names])
    else:
        found = np.full(len(names), float(value))
    if not np.isfinite(found).all():
        raise ParameterError(f"{what} must be finite, got {value!r}")
    return found

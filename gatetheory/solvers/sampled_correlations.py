"""Stationary covariances of any single-site process, by sampling: the closure ``sampled``.

Local fields are drawn with the current covariances, the unit is integrated along them, its signals
give new covariances, and so on to self-consistency. Random numbers are kept over the iterations, so
that this is a fixed-point problem without noise. A small pilot finds window and step; then several
replicas of the whole calculation, each with random numbers of its own, give means and standard
errors that contain the feedback of the noise.

Exact for every model up to the sampling error. The state found is the one that loud initial
conditions lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.equations.single_site_process import SingleSiteProcess
from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.solvers.sampled_averages import (
    Averages,
    Judgement,
    averages,
    combine,
    jackknife,
    together,
)
from gatetheory.solvers.sampled_growth import is_unstable
from gatetheory.solvers.sampled_noise import coarsen, refine
from gatetheory.solvers.sampled_records import SampledCorrelations
from gatetheory.solvers.sampled_replica import Grid, Pool, Replica, Sampler, spawn
from gatetheory.solvers.sampled_settling import (
    Settled,
    decay_lag,
    far_noise,
    lengthen,
    settle,
    start,
    step_error,
    undecayed,
)

Array = NDArray[np.float64]
Report = Callable[[int, int], None]

PILOT, FIRST, REPLICAS = 256, 512, 8
"""Paths of the pilot, and of each replica at first; number of replicas."""
LONGEST = 4096
"""Steps of the longest window, unless asked for more."""
BUDGET = 1.6e7
"""Path-steps of one iteration over all replicas: what accuracy may cost."""
_WINDOW, _WINDOW_OF_MAP, _STEP = 64.0, 256, 0.25
PILOT_BUDGET = 6e7
"""Path-steps after which the pilot looks for no longer window."""
_SETTLED = 150.0
"""The residual is this much below the accuracy: a slow direction multiplies it by ten or more."""
_STRETCHES = 4e4
_MOST, _MOST_OF_PILOT, _REFINEMENTS = 200, 100, 6
_FEWEST = 64
"""Steps that a window is divided into at least."""
_SLOW, _CLEARLY, _LAGS = 0.02, 0.15, 4
"""Part of a decay that may be left at T/4 apart from noise, the same with any noise, and how often
the lag of the last tenth of the decay must fit in T/2."""


@dataclass(frozen=True, eq=False)
class Pilot:
    """What a small run found out.

    Args:
        grid: Window and step to use.
        settled: Its solution.
        step_error: Error of the step.
        too_short: Whether the longest window allowed is too short.
        undecayed: Part of the decay left in the far half of the lags.
    """

    grid: Grid
    settled: Settled
    step_error: float
    too_short: bool
    undecayed: float


def solve_sampled_correlations(
    process: SingleSiteProcess,
    parameters: Mapping[Symbol, Expr],
    *,
    seed: int = 0,
    accuracy: float = 0.005,
    paths: int | None = None,
    replicas: int = REPLICAS,
    step: float | None = None,
    window: float | None = None,
    longest: int = LONGEST,
    loudness: float = 1.0,
    report: Report | None = None,
) -> SampledCorrelations:
    """Stationary covariances by sampling.

    Args:
        process: The single-site process.
        parameters: Exact values of all parameters.
        seed: Seed of all random numbers; the same seed gives the same result.
        accuracy: Relative standard error wanted of every equal-time covariance.
        paths: Paths of each replica; by default as many as the accuracy needs.
        replicas: Number of independent replicas.
        step: Time step; by default halved until its error is a fifth of the accuracy.
        window: Period of the drives; by default doubled until covariances have decayed.
        longest: Steps of the longest window tried; a window that is set may be longer.
        loudness: ⟨ψ²⟩ to start the iteration from.
        report: Called with the number of replicas that are done, and how many there are.

    Raises:
        ParameterError: For an option that makes no sense.
        DerivationError: If an input depends on time.
        ConvergenceError: If paths grow without bound.
    """
    _check(accuracy, paths, replicas, step, window, longest, loudness)
    sampler = Sampler(process, parameters)
    sampler.require_stationary()
    pilot = _pilot(sampler, seed, accuracy, step, window, longest, loudness)
    grid = pilot.grid
    status, advice = _status(pilot, sampler.unit.discrete)
    if status != "ok":
        replica = Replica(sampler, PILOT, grid.modes, spawn(seed, 2, 1)[0])
        only = averages(replica, pilot.settled, grid)
        known = Judgement(status, advice, pilot.step_error, pilot.undecayed, seed, 2)
        return combine(sampler, [only], only, grid, known)
    count, stage, first = paths or _first(pilot, replicas, accuracy), 3, pilot.settled.spectra
    most = max(int(BUDGET / (replicas * grid.points)) // 2 * 2, FIRST)
    while True:
        workers = [Replica(sampler, count, grid.modes, s) for s in spawn(seed, stage, replicas)]
        found: list[Averages] = []
        for k, worker in enumerate(workers):
            settled = settle(worker, first, grid, accuracy / _SETTLED, _MOST)
            found.append(averages(worker, settled, grid))
            if report is not None:
                report(k + 1, replicas)
        first = np.mean([a.settled.spectra for a in found], axis=0)
        excess = _excess(found, accuracy)
        if paths is not None or excess <= 1.2 or count >= most or not _all_fluctuate(found):
            break
        count, stage = min(int(count * min(excess**2, 16.0)) // 2 * 2 + 2, most), stage + 1
    pool = Pool(workers)
    everything = together(pool, settle(pool, first, grid, accuracy / _SETTLED, _MOST), grid)
    left, unsure = _undecayed(everything.settled), _spread([_undecayed(a.settled) for a in found])
    if abs(left) > min(_SLOW + 2 * unsure, _CLEARLY):
        status, advice = "not_converged", _too_slow(grid, sampler.unit.discrete)
    if status == "ok" and excess > 1.2 and paths is None:
        advice = (
            f"the standard error is {excess:.1f} times the accuracy {accuracy:g} at the largest "
            "number of paths; ask for a lower accuracy, or set paths"
        )
    known = Judgement(status, advice, pilot.step_error, left, seed, stage)
    return combine(sampler, found, everything, grid, known)


def _first(pilot: Pilot, replicas: int, accuracy: float) -> int:
    """Paths of each replica to begin with: enough independent stretches of time, by experience."""
    lag = max(decay_lag(s) for s in pilot.settled.spectra) + 1
    stretches = _STRETCHES * (0.005 / accuracy) ** 2
    return int(np.clip(stretches * lag / (replicas * pilot.grid.points), 64, FIRST)) // 2 * 2


def _pilot(
    sampler: Sampler,
    seed: int,
    accuracy: float,
    step: float | None,
    window: float | None,
    longest: int,
    loudness: float,
) -> Pilot:
    """Find window and step with few paths."""
    discrete = sampler.unit.discrete
    slow, fast = sampler.times()
    length = step or (1.0 if discrete else _STEP * fast)
    period = window or (_WINDOW_OF_MAP if discrete else _WINDOW * slow)
    points = 2 * max(int(np.ceil(period / length / 2)), 32)
    grid = Grid(points if window else min(points, longest // 2 * 2), length)
    tolerance = max(accuracy, 2e-3)

    spent = 0

    def replica(on: Grid) -> Replica:
        return Replica(sampler, PILOT, 2 * on.modes, spawn(seed, 1, 1)[0])

    def settled_on(on: Grid, spectra: Array | None) -> tuple[Replica, Settled]:
        nonlocal spent
        worker = replica(on)
        if spectra is None:
            spectra = start(worker, on, loudness, 4 * (1 if discrete else slow))
        found = settle(worker, spectra, on, tolerance, _MOST_OF_PILOT)
        spent += len(found.history) * on.points * PILOT
        return worker, found

    for _ in range(_REFINEMENTS):
        try:
            worker, found = settled_on(grid, None)
            break
        except ConvergenceError:
            if discrete or step is not None:
                raise
            grid = Grid(2 * grid.points, grid.step / 2)
    else:
        raise ConvergenceError(
            "paths of the single unit grow without bound at every step tried; set a smaller step, "
            "or check that the law confines its fields"
        )

    def coarser() -> bool:
        """Whether twice the step would do as well, so that longer windows cost less."""
        twice = Grid(grid.points // 2, 2 * grid.step)
        if discrete or step is not None or found.kind != "chaotic":
            return False
        if grid.points % 4 or twice.points < _FEWEST or twice.step > fast:
            return False
        return step_error(worker, coarsen(found.spectra), twice) <= accuracy / 5

    while coarser():
        grid = Grid(grid.points // 2, 2 * grid.step)
        worker, found = settled_on(grid, coarsen(found.spectra))
    short = _too_short(worker, found, grid)
    while short and window is None and 2 * grid.points <= longest and spent < PILOT_BUDGET:
        grid = Grid(2 * grid.points, grid.step)
        lively = found.kind == "chaotic"
        worker, found = settled_on(grid, lengthen(found.spectra) if lively else None)
        if coarser():
            grid = Grid(grid.points // 2, 2 * grid.step)
            worker, found = settled_on(grid, coarsen(found.spectra))
        short = _too_short(worker, found, grid)
    error = 0.0
    for _ in range(0 if discrete or found.kind != "chaotic" else _REFINEMENTS):
        error = step_error(worker, found.spectra, grid)
        if error <= accuracy / 5 or step is not None:
            break
        grid = Grid(2 * grid.points, grid.step / 2)
        worker, found = settled_on(grid, refine(found.spectra))
    return Pilot(grid, found, error, short, _undecayed(found))


def _too_short(worker: Replica, found: Settled, grid: Grid) -> bool:
    """Whether covariances have not decayed by more than the pilot's noise explains.

    A state that is at rest but not stable fluctuates too slowly for the window.
    """
    if found.kind == "quiet":
        return is_unstable(worker, found.spectra, grid)
    moving = [s for s in found.spectra if s[1:].any()]
    return found.kind == "stuck" or any(
        _LAGS * decay_lag(s) > grid.modes
        or abs(undecayed(s)) > min(_SLOW + 3 * far_noise(s, PILOT), _CLEARLY)
        for s in moving
    )


def _undecayed(found: Settled) -> float:
    return max((undecayed(s) for s in found.spectra if s[1:].any()), default=0.0, key=abs)


def _status(pilot: Pilot, discrete: bool) -> tuple[str, str]:
    if pilot.settled.kind == "quiet" and not pilot.too_short:
        return "no_chaotic_state", "covariances become constant: the network comes to rest"
    if pilot.settled.kind == "stuck" and pilot.undecayed <= _SLOW:
        grid, history = pilot.grid, pilot.settled.history
        lag = grid.step * max(decay_lag(s) for s in pilot.settled.spectra)
        return "not_converged", (
            f"no self-consistent covariance within {len(history)} iterations (residual "
            f"{history[-1]:.1e}): near an onset, where another loudness may help, or units forget "
            f"so slowly (last iterate: a lag of {lag:.3g} leaves a tenth) that {PILOT} paths over "
            f"the window {grid.window:g} do not determine the time scale; a network would need a "
            "burn-in of many times that lag. Try a longer window, or a less steep gate"
        )
    return ("not_converged", _too_slow(pilot.grid, discrete)) if pilot.too_short else ("ok", "")


def _too_slow(grid: Grid, discrete: bool) -> str:
    longer = f"window={4 * grid.window:g}" + ("" if discrete else f" and step={grid.step:g}")
    return (
        f"correlations have not decayed within the window {grid.window:g} ({grid.points} steps), "
        "nor would a network forget within a burn-in as short as that how it started; set "
        f"{longer} (time and memory grow with the window), or make the gate less steep"
    )


def _excess(found: Sequence[Averages], accuracy: float) -> float:
    """Largest relative standard error of an equal-time covariance, in units of the accuracy."""
    samples = np.array([[f[0] for f in a.functions.values()] for a in found])
    mean, error = np.abs(samples.mean(axis=0)), jackknife(samples, samples.mean(axis=0))[1]
    return float(np.max(error[mean > 0] / mean[mean > 0], initial=0.0)) / accuracy


def _spread(samples: Sequence[float]) -> float:
    return float(np.std(samples, ddof=1) / np.sqrt(len(samples)))


def _all_fluctuate(found: Sequence[Averages]) -> bool:
    return all(a.settled.kind == "chaotic" for a in found)


def _check(
    accuracy: float,
    paths: int | None,
    replicas: int,
    step: float | None,
    window: float | None,
    longest: int,
    loudness: float,
) -> None:
    positive = {"accuracy": accuracy, "step": step, "window": window, "loudness": loudness}
    for name, value in positive.items():
        if value is not None and not (isfinite(value) and value > 0):
            raise ParameterError(f"{name} must be a positive number, got {value!r}")
    least = {"paths": (paths, 8), "replicas": (replicas, 2), "longest": (longest, 64)}
    for name, (count, lowest) in least.items():
        if count is not None and (count != int(count) or count < lowest):
            raise ParameterError(f"{name} must be an integer of at least {lowest}, got {count!r}")

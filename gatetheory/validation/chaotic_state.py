"""The stationary state that theory predicts, and networks that run in time beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil, hypot, isfinite
from typing import Any

import gatetheory.simulation as simulation
from gatetheory.errors import ConvergenceError, DerivationError
from gatetheory.pipeline import quiet_abscissa, solve
from gatetheory.solvers.correlation_records import Correlations, Lyapunov
from gatetheory.solvers.sampled_records import SampledCorrelations, SampledLyapunov
from gatetheory.theory.derive import Theory

ACCURACY = 0.02
"""Relative standard error that a sampled theory aims at: that of the networks beside it."""
TRAJECTORIES = 2
FACTOR, LEAST, MOST = 2, 100, 2000
"""Networks that run are so many times larger than those whose Jacobians are taken, at least so
large, and not larger than that unless they were asked to be."""
_TRANSIENT, _DURATION, _LAGS = 15, 40, 6
"""In half widths of the main covariance."""
_LEAST_TRANSIENT, _LEAST_DURATION, _LONGEST = 50, 100, 600
"""In longest time constants; ten steps of a map count as one."""

Count = Callable[[], None]


@dataclass(frozen=True, eq=False)
class ChaoticState:
    """What theory says of the state in which networks keep moving, and what networks do.

    Args:
        correlations: The theory's stationary correlations; None where it has none.
        lyapunov: The theory's largest Lyapunov exponent.
        rest: Whether the theory has a stable fixed point beside it, in which networks may end;
            None if the model never rests.
        correlation_runs: Correlations of networks, by size.
        lyapunov_runs: Lyapunov exponents of the same networks, by size.
        centred: Names of covariances whose means are taken off: those of fields.
        remarks: What is not there, and why.
    """

    correlations: Correlations | SampledCorrelations | None
    lyapunov: Lyapunov | SampledLyapunov | None
    rest: bool | None
    correlation_runs: Mapping[int, simulation.CorrelationObservation] = field(default_factory=dict)
    lyapunov_runs: Mapping[int, simulation.LyapunovObservation] = field(default_factory=dict)
    centred: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether the theory has such a state."""
        return self.correlations is not None and self.correlations.status == "ok"

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the networks, ascending."""
        return tuple(sorted(self.lyapunov_runs))

    @property
    def values(self) -> dict[str, tuple[float, float]]:
        """Equal-time covariances of fields and nonlinearities, each with its standard error."""
        found = self.correlations
        if found is None or found.status != "ok":
            return {}
        named = found.values if isinstance(found, SampledCorrelations) else found[-1].values
        kept = [n for n in named if not n.startswith("C_eta_")]
        if not isinstance(found, SampledCorrelations):
            return {n: (named[n], 0.0) for n in kept}
        # The step's error, a fifth of the accuracy at most, is counted as if it were one of chance.
        steps = {n: found.step_error * abs(named[n]) for n in kept}
        return {n: (named[n], hypot(found.errors[n], steps[n])) for n in kept}

    @property
    def main(self) -> str:
        """Name of the main covariance."""
        found = self.correlations
        if isinstance(found, SampledCorrelations):
            return found.main
        return found[-1].main if found else ""

    @property
    def half_width(self) -> float:
        """Lag at which the main covariance has fallen half-way; infinite if it never does."""
        found = self.correlations
        if isinstance(found, SampledCorrelations):
            return found.half_width
        return found[-1].half_width if found else float("inf")


def chaotic_state(
    theory: Theory,
    at: Mapping[str, Any] | None,
    sizes: tuple[int, ...],
    seeds: int,
    *,
    accuracy: float = ACCURACY,
    step: Count = lambda: None,
) -> ChaoticState:
    """Solve for the stationary state, and let networks run if there is one.

    Args:
        theory: The theory of a model.
        at: Parameters by name.
        sizes: Sizes N; see :func:`run_sizes`.
        seeds: Networks of each size.
        accuracy: Relative standard error that a sampled theory aims at.
        step: Called after every network, twice each.
    """
    state = _solved(theory, at, accuracy)
    return _simulated(state, theory, at, sizes, seeds, step) if state.exists else state


def run_sizes(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes of networks that run in time, in the ratios of those whose Jacobians are taken.

    They are larger: a run costs matrix-vector products only, and small networks come to rest or
    move periodically, which no expansion in 1/N describes.
    """
    wanted = max(FACTOR, ceil(LEAST / min(sizes)))
    factor = max(1, min(wanted, MOST // max(sizes)))
    return tuple(factor * n for n in sizes)


def _solved(theory: Theory, at: Mapping[str, Any] | None, accuracy: float) -> ChaoticState:
    """The theory's side, or why there is none."""
    try:
        problem = theory.correlations
        closure, _ = problem.closure(problem.bind(at), None)
        options = {"accuracy": accuracy} if closure == "sampled" else {}
        found = solve(problem, at, **options)
    except (DerivationError, ConvergenceError) as error:
        return ChaoticState(None, None, None, remarks=(f"stationary state: {error}",))
    if found.status != "ok":
        return ChaoticState(found, None, None, remarks=(_why_not(found),))
    remarks = []
    exponent = None
    try:
        given = {"correlations": found} if isinstance(found, SampledCorrelations) else {}
        exponent = solve(theory.lyapunov, at, **given)
        if exponent.value is None:
            remarks.append(f"lambda_max: {exponent.advice}")
    except (DerivationError, ConvergenceError) as error:
        remarks.append(f"lambda_max: {error}")
    rest = _has_rest(theory, at)
    return ChaoticState(found, exponent, rest, remarks=tuple(remarks))


def _why_not(found: Correlations | SampledCorrelations) -> str:
    if isinstance(found, SampledCorrelations):
        if found.status == "no_chaotic_state":
            return f"no chaotic state: {found.advice}; nothing to compare with networks that move"
        return f"stationary state: the sampled theory is not converged: {found.advice}"
    return (
        f"no chaotic state: no decaying correlations at these parameters (searched: "
        f"{found.searched}); nothing to compare with networks that move"
    )


def _has_rest(theory: Theory, at: Mapping[str, Any] | None) -> bool | None:
    points = theory.correlations.fixed_points
    try:
        return None if points is None else quiet_abscissa(points, at) is not None
    except DerivationError:
        return None


def _simulated(
    state: ChaoticState,
    theory: Theory,
    at: Mapping[str, Any] | None,
    sizes: tuple[int, ...],
    seeds: int,
    step: Count,
) -> ChaoticState:
    """Networks of every size, for times that follow the correlation time."""
    model = theory.model
    values = model.bind(at)
    constants = [float(f.time_constant.xreplace(values)) for f in model.fields]
    discrete = model.time == "discrete"
    unit = 10.0 if discrete else max(constants) or 1.0
    memory = state.half_width if isfinite(state.half_width) else unit
    transient = min(max(_LEAST_TRANSIENT * unit, _TRANSIENT * memory), _LONGEST * unit)
    duration = min(max(_LEAST_DURATION * unit, _DURATION * memory), _LONGEST * unit)
    remarks = list(state.remarks)
    if _TRANSIENT * memory > transient:
        remarks.append(
            f"correlations fall to half within {memory:.3g} only, and networks ran for "
            f"{transient:g} before observation: too short near an onset"
        )
    longest = min(_LAGS * memory, duration / 4)
    spacing = longest / 60
    common: dict[str, Any] = {
        "duration": float(ceil(duration)),
        "transient": float(ceil(transient)),
        "trajectories": TRAJECTORIES,
        "precision": "single",
    }
    lags: dict[str, Any] = {"longest_lag": longest, "lag_step": spacing}
    if discrete:
        spacing = max(1, round(spacing))
        lags = {"longest_lag": float(spacing * ceil(longest / spacing)), "lag_step": float(spacing)}
    correlation_runs, lyapunov_runs = {}, {}

    def report(_: int, __: int) -> None:
        step()

    try:
        for n in sizes:
            common["seed"], common["progress"] = n, report
            lyapunov_runs[n] = simulation.observe_lyapunov(model, at, n, seeds, **common)
            correlation_runs[n] = simulation.observe_correlations(
                model, at, n, seeds, **common, **lags
            )
    except ConvergenceError as error:
        return ChaoticState(
            state.correlations, state.lyapunov, state.rest, remarks=(*remarks, f"networks: {error}")
        )
    return ChaoticState(
        state.correlations, state.lyapunov, state.rest, correlation_runs, lyapunov_runs,
        frozenset(f"C_{f.name}" for f in model.fields), tuple(remarks),
    )  # fmt: skip

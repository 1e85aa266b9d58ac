"""Second moments of gradients by sampling: for any model, up to standard errors.

Paths of the stationary state come from its correlations; the adjoint is marched backward along
them and sensitivities forward, with Gaussian fields of their own. Every replica is marched with two
steps and the same random numbers: the difference tells the error of the step, and the two together
cancel its second order. Means and standard errors are over replicas, each with the state it found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Expr, Symbol

from gatetheory.equations.gradient_problem import ExternalLoss, GradientProblem
from gatetheory.errors import ConvergenceError, DerivationError, ParameterError
from gatetheory.solvers.gradient_records import Gradients
from gatetheory.solvers.records import Provenance, by_name
from gatetheory.solvers.sampled_adjoint_growth import Rate, backward_growth
from gatetheory.solvers.sampled_correlations import REPLICAS, solve_sampled_correlations
from gatetheory.solvers.sampled_gradient_marches import Marches, Moments
from gatetheory.solvers.sampled_gradient_paths import first_parts, stationary_state
from gatetheory.solvers.sampled_linear_unit import (
    LinearUnit,
    make_adjoint_unit,
    make_sensitivity_unit,
)
from gatetheory.solvers.sampled_records import SampledCorrelations
from gatetheory.solvers.sampled_replica import Sampler

Array = NDArray[np.float64]

PATHS, MOST_PATHS = 16384, 65536
"""Columns of each replica at first, and at most unless asked for more."""
_HALVINGS, _TRIES = 4, 3
_REASON = "exact up to the sampling error"


def solve_sampled_gradients(
    problem: GradientProblem,
    parameters: Mapping[Symbol, Expr],
    loss: ExternalLoss,
    horizons: ArrayLike,
    *,
    names: Sequence[str] = (),
    correlations: SampledCorrelations | None = None,
    seed: int = 0,
    paths: int | None = None,
    replicas: int = REPLICAS,
    accuracy: float = 0.02,
    growth: bool = True,
    report: Callable[[int, int], None] | None = None,
) -> Gradients:
    """Q_a(T), E[(dL/dθ)²] and the growth of the adjoint, by sampling.

    Args:
        problem: The equations.
        parameters: Exact values of all parameters.
        loss: The loss c f(x).
        horizons: T, in the model's time (steps of a map).
        names: Parameters θ whose sensitivities are wanted.
        correlations: The stationary state, if it is known already, at the same parameters.
        seed: Seed of all random numbers; the same seed gives the same result.
        paths: Paths of each replica; by default as many as the accuracy needs, up to a limit.
        replicas: Number of independent replicas, where correlations do not give it.
        accuracy: Relative standard error wanted, and error of the step allowed.
        growth: Whether the growth exponent is wanted.
        report: Called with the number of replicas that are done, and how many there are.

    Raises:
        ParameterError: For an option that makes no sense, or correlations of other parameters.
        DerivationError: If an input depends on time, or a law or signal jumps.
    """
    times = _horizons(horizons, problem.process.discrete)
    _check(problem, names, paths, replicas, accuracy)
    units, left_out = _units(problem, parameters, loss, names)
    adjoint = make_adjoint_unit(problem.process, parameters, loss)
    sampler = Sampler(problem.process, parameters)
    if correlations is None:
        correlations = solve_sampled_correlations(
            problem.process, parameters, seed=seed, replicas=replicas
        )
    elif dict(correlations.provenance.parameters) != by_name(parameters):
        raise ParameterError("the correlations given belong to other parameters")
    made = _Maker(problem, parameters, loss, times, left_out, correlations)
    if correlations.status not in ("ok", "no_chaotic_state"):
        return made.failed(f"the stationary state was not found: {correlations.advice}")
    try:
        state = stationary_state(sampler, correlations, float(times.max()), replicas)
        marches = Marches(state, adjoint, units, loss.running, times, seed)
        parts, columns = first_parts(state, times), paths or PATHS
        parts, missed = _settle_step(marches, parts, accuracy)
        if missed > accuracy:
            return made.failed(
                f"the step changes a moment by {missed:.1g} even at {state.grid.step / parts:.3g}; "
                "ask for a longer horizon, or a lower accuracy", missed
            )  # fmt: skip
        found: list[Moments] = []
        for attempt in range(_TRIES):
            found = []
            for k in range(len(state.paths)):
                found.append(marches.run(k, parts, columns))
                if report is not None:
                    report(k + 1, len(state.paths))
            excess = _excess(found, accuracy)
            if paths or excess <= 1.2 or columns >= MOST_PATHS or attempt == _TRIES - 1:
                break
            columns = min(int(columns * min(excess**2, 8.0)), MOST_PATHS)
        rate = backward_growth(state, adjoint, seed) if growth else None
    except ConvergenceError as error:
        return made.failed(str(error))
    return made.record(found, rate, max(missed, *(m.missed for m in found)), accuracy)


def _settle_step(marches: Marches, parts: int, accuracy: float) -> tuple[int, float]:
    """Halve the step until what the two steps differ by is small; the error left, relative."""
    missed = marches.pilot(parts)
    for _ in range(_HALVINGS):
        if missed <= accuracy:  # this is what extrapolation removes, not what it leaves
            break
        parts *= 2
        missed = marches.pilot(parts)
    return parts, missed


@dataclass(frozen=True, eq=False)
class _Maker:
    """Makes records."""

    problem: GradientProblem
    parameters: Mapping[Symbol, Expr]
    loss: ExternalLoss
    horizons: Array
    left_out: Mapping[str, str]
    correlations: SampledCorrelations

    def failed(self, advice: str, residual: float | None = None) -> Gradients:
        return self._record(
            status="not_converged", horizons=np.empty(0), couplings={}, coupling_errors={},
            parameters={}, parameter_errors={}, norm=np.empty(0), norm_errors=np.empty(0),
            growth_exponent=None, growth_error=None, residual=residual, advice=advice,
        )  # fmt: skip

    def record(
        self, found: Sequence[Moments], rate: Rate | None, missed: float, accuracy: float
    ) -> Gradients:
        couplings = _mean([m.couplings for m in found])
        norm = _mean([m.norm for m in found])
        named = {n: _mean([m.parameters[n] for m in found]) for n in found[0].parameters}
        advice = [self.correlations.advice] if self.correlations.status == "ok" else []
        if (excess := _excess(found, accuracy)) > 1.2:
            advice.append(
                f"the standard error is {excess:.1f} times the accuracy {accuracy:g}; raise paths"
            )
        if missed > accuracy:
            advice.append(f"the step changes a moment by {missed:.1g}; ask for a lower accuracy")
        if rate is not None and rate.value is None:
            advice.append(rate.advice)
        order = self.problem.process.couplings
        return self._record(
            status="ok", horizons=self.horizons,
            couplings=dict(zip(order, couplings[0], strict=True)),
            coupling_errors=dict(zip(order, couplings[1], strict=True)),
            parameters={n: v[0] for n, v in named.items()},
            parameter_errors={n: v[1] for n, v in named.items()},
            norm=norm[0], norm_errors=norm[1],
            growth_exponent=rate.value if rate else None, growth_error=rate.error if rate else None,
            residual=missed, advice="; ".join(a for a in advice if a),
        )  # fmt: skip

    def _record(self, **values: Any) -> Gradients:
        equations = self.problem.equations
        quiet = self.correlations.status == "no_chaotic_state"
        return Gradients(
            left_out=dict(self.left_out),
            sampled=True,
            state="fixed point" if quiet else "chaotic",
            closure="sampled",
            reason=_REASON,
            loss=self.loss.text,
            provenance=Provenance(
                by_name(self.parameters), 15, equations.assumptions, equations.references
            ),
            **values,
        )


def _mean(samples: Sequence[Array]) -> tuple[Array, Array]:
    """Mean and standard error over replicas."""
    values = np.array(samples)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def _excess(found: Sequence[Moments], accuracy: float) -> float:
    """Largest relative standard error of a moment, in units of the accuracy."""
    rows = [np.array([*m.couplings, m.norm, *m.parameters.values()]) for m in found]
    mean, error = _mean(rows)
    known = mean > 0
    return float(np.max(error[known] / mean[known], initial=0.0)) / accuracy


def _units(
    problem: GradientProblem,
    parameters: Mapping[Symbol, Expr],
    loss: ExternalLoss,
    names: Sequence[str],
) -> tuple[dict[str, LinearUnit], dict[str, str]]:
    """Sensitivity units, and why there is none for some parameters."""
    units, left_out = {}, {}
    for name in dict.fromkeys(names):
        slopes = problem.slopes[name]
        try:
            units[name] = make_sensitivity_unit(problem.process, parameters, slopes, loss)
        except DerivationError as error:
            left_out[name] = str(error)
    return units, left_out


def _horizons(horizons: ArrayLike, discrete: bool) -> Array:
    try:
        times = np.atleast_1d(np.asarray(horizons, dtype=float))
    except (TypeError, ValueError):
        times = np.array([np.nan])
    if times.ndim != 1 or not times.size or not np.isfinite(times).all() or times.min() < 0:
        raise ParameterError(f"horizons must be non-negative numbers, got {horizons!r}")
    if not times.max() > 0:
        raise ParameterError(
            "give a horizon above 0: no gradient has anything to pass through at 0"
        )
    if discrete and (times != np.round(times)).any():
        raise ParameterError(f"horizons of a map count steps, got {horizons!r}; round them")
    return times


def _check(
    problem: GradientProblem,
    names: Sequence[str],
    paths: int | None,
    replicas: int,
    accuracy: float,
) -> None:
    for name in names:
        if name not in problem.slopes:
            near = get_close_matches(name, problem.slopes, n=2, cutoff=0.4) or problem.slopes
            raise ParameterError(f"there is no parameter {name!r}; there are {', '.join(near)}")
    if not (isfinite(accuracy) and accuracy > 0):
        raise ParameterError(f"accuracy must be a positive number, got {accuracy!r}")
    for what, count, least in (("paths", paths, 64), ("replicas", replicas, 2)):
        if count is not None and (count != int(count) or count < least):
            raise ParameterError(f"{what} must be an integer of at least {least}, got {count!r}")

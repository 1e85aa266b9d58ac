r"""The largest Lyapunov exponent from sampled tangent paths.

A perturbation v = e^{λt} u of the unit is driven by δη, Gaussian, independent of the state, with
the covariance of what perturbed units send. Stationary in units of e^{λt},

    E u̇ = (A − λE) u + Σ_a L_a δη̃_a,    Γ_a(τ) = ⟨δη̃_a δη̃_a'⟩ = s_a² ⟨(R_a u)(R_a u)'⟩ / μ,

and λ_max is the λ at which μ = 1 (:mod:`gatetheory.solvers.sampled_growth` finds it). In a map the
law reads u(t+1) = e^{−λ}(A u + L δη̃).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.equations.single_site_process import SingleSiteProcess
from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.solvers.records import Provenance, by_name
from gatetheory.solvers.sampled_averages import jackknife
from gatetheory.solvers.sampled_correlations import solve_sampled_correlations
from gatetheory.solvers.sampled_growth import Growth, grow, rate_step_error, steepness
from gatetheory.solvers.sampled_noise import covariance
from gatetheory.solvers.sampled_records import SampledCorrelations, SampledLyapunov
from gatetheory.solvers.sampled_replica import Grid, Pool, Replica, Sampler, spawn

Array = NDArray[np.float64]

ACCURACY = 0.003
"""Accuracy of the correlations where they are not given."""
PROBES = 256
"""Paths that the error of the step is measured with."""
_STEP = 0.005
"""Relative error of the step that is not worth a remark."""


def solve_sampled_lyapunov(
    process: SingleSiteProcess,
    parameters: Mapping[Symbol, Expr],
    correlations: SampledCorrelations | None = None,
    *,
    report: Callable[[int, int], None] | None = None,
    **options: Any,
) -> SampledLyapunov:
    """λ_max of the stationary state, by sampling.

    Args:
        process: The single-site process.
        parameters: Exact values of all parameters.
        correlations: The stationary state, if it is known already, at the same parameters.
        report: Called with the number of replicas that are done, and how many there are.
        options: Options of :func:`solve_sampled_correlations` otherwise.

    Raises:
        ParameterError: For an option that makes no sense, or correlations of other parameters.
        DerivationError: If an input depends on time.
        ConvergenceError: If paths grow without bound.
    """
    if correlations is None:
        options = {"accuracy": ACCURACY, **options}
        correlations = solve_sampled_correlations(process, parameters, **options)
    elif options:
        raise ParameterError(f"{', '.join(options)}: options of correlations, which are given")
    if dict(correlations.provenance.parameters) != by_name(parameters):
        raise ParameterError("the correlations given belong to other parameters")
    if correlations.status != "ok":
        return _without_value(correlations)
    sampler = Sampler(process, parameters)
    grid = Grid(2 * (len(correlations.lags) - 1), correlations.step)
    count = correlations.paths // correlations.replicas
    seeds = spawn(correlations.seed, correlations.stage, correlations.replicas)
    replicas = [Replica(sampler, count, grid.modes, s) for s in seeds]
    found: list[Growth] = []
    try:
        for k, (replica, spectra) in enumerate(zip(replicas, correlations.spectra, strict=True)):
            one = grow(replica, spectra, grid, found[-1] if found else None)
            if not found:  # σ was measured far from the solution
                one = replace(one, steepness=steepness(replica, spectra, grid, one))
            found.append(one)
            if not one.settled:
                return _unsettled(correlations, found)
            if report is not None:
                report(k + 1, len(replicas))
        last = grow(Pool(replicas), correlations.pooled, grid, found[-1])
        if not last.settled:
            return _unsettled(correlations, [*found, last])
        probe = Replica(sampler, PROBES, 2 * grid.modes, spawn(correlations.seed, 1, 1)[0])
        missed = rate_step_error(probe, correlations.pooled, grid, last)
    except ConvergenceError as error:
        return _unsettled(correlations, found, f" ({error})")
    return _record(sampler, correlations, grid, found, last, missed)


def _unsettled(
    correlations: SampledCorrelations, found: list[Growth], cause: str = ""
) -> SampledLyapunov:
    window, step = correlations.window, correlations.step
    return SampledLyapunov(
        status="not_converged",
        value=None,
        error=None,
        residual=found[-1].residual if found else None,
        step_error=None,
        by_replica=np.array([g.rate for g in found]),
        mode_lags=np.empty(0),
        mode={},
        correlations=correlations,
        closure="sampled",
        advice=(
            f"the growth of perturbations did not settle{cause}; ask for a longer window than "
            f"{window:g}, a smaller step than {step:g}, or more paths than {correlations.paths}"
        ),
        provenance=correlations.provenance,
    )


def _without_value(correlations: SampledCorrelations) -> SampledLyapunov:
    return SampledLyapunov(
        status=correlations.status,
        value=None,
        error=None,
        residual=None,
        step_error=None,
        by_replica=np.empty(0),
        mode_lags=np.empty(0),
        mode={},
        correlations=correlations,
        closure="sampled",
        advice=correlations.advice,
        provenance=correlations.provenance,
    )


def _record(
    sampler: Sampler,
    correlations: SampledCorrelations,
    grid: Grid,
    found: list[Growth],
    last: Growth,
    step_error: float,
) -> SampledLyapunov:
    rates = np.array([g.rate for g in found])
    value, error = jackknife(rates, np.asarray(last.rate))
    modes = [covariance(last.gains[k]) for k in sampler.reads]
    largest = max(float(m[0]) for m in modes)
    names = sampler.process.couplings
    advice = [correlations.advice] if correlations.advice else []
    if step_error > max(float(error), _STEP * abs(float(value))):
        advice.append(
            f"the step changes the rate by {step_error:.1g}; set a smaller one than {grid.step:g}"
        )
    return SampledLyapunov(
        status="ok",
        value=float(value),
        error=float(error),
        residual=max(g.residual for g in (*found, last)),
        step_error=step_error,
        by_replica=rates,
        mode_lags=grid.lags,
        mode={n: m / largest for n, m in zip(names, modes, strict=True)},
        correlations=correlations,
        closure="sampled",
        advice="; ".join(advice),
        provenance=Provenance(
            by_name(sampler.parameters), 15, correlations.provenance.assumptions,
            correlations.provenance.references,
        ),
    )  # fmt: skip

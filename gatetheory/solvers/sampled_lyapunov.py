r"""The largest Lyapunov exponent from sampled tangent paths.

A perturbation v = e^{λt} u of the unit is driven by δη, Gaussian, independent of the state, with
the covariance of what perturbed units send. Stationary in units of e^{λt},

    E u̇ = (A − λE) u + Σ_a L_a δη̃_a,    Γ_a(τ) = ⟨δη̃_a δη̃_a'⟩ = s_a² ⟨(R_a u)(R_a u)'⟩ / μ,

and λ_max is the λ at which μ = 1. The map of Γ is linear and positive, so that power iteration
leads to the covariance that grows fastest; λ is corrected on the way. In a map the law reads
u(t+1) = e^{−λ}(A u + L δη̃).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.equations.single_site_process import SingleSiteProcess
from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.solvers.records import Provenance, by_name
from gatetheory.solvers.sampled_averages import jackknife
from gatetheory.solvers.sampled_correlations import solve_sampled_correlations
from gatetheory.solvers.sampled_noise import covariance
from gatetheory.solvers.sampled_records import SampledCorrelations, SampledLyapunov
from gatetheory.solvers.sampled_replica import Grid, Pool, Replica, Sampler, spawn

Array = NDArray[np.float64]

_MOST, _STEEPEST = 80, 8.0
_TOLERANCE = 1e-3
"""Of ln μ, and of the shape of Γ."""


@dataclass(frozen=True, eq=False)
class Growth:
    """A solution of μ(λ) = 1.

    Args:
        rate: λ.
        gains: Spectra of δη e^{−λt}, of unit power in total.
        residual: |ln μ| left.
        settled: Whether both λ and the spectra have stopped to change.
    """

    rate: float
    gains: Array
    residual: float
    settled: bool


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
            guess = found[-1] if found else None
            found.append(_grow(replica, spectra, grid, guess, sampler))
            if report is not None:
                report(k + 1, len(replicas))
        last = _grow(Pool(replicas), correlations.pooled, grid, found[-1], sampler)
    except ConvergenceError:
        found, last = [], None
    return _record(sampler, correlations, grid, found, last)


def _grow(
    replica: Replica | Pool, spectra: Array, grid: Grid, guess: Growth | None, sampler: Sampler
) -> Growth:
    """Power iteration for Γ with λ corrected by the secant rule at every step."""
    gains = spectra if guess is None else guess.gains
    gains = gains / _total(gains)
    rate = 0.0 if guess is None else guess.rate
    slope = -2.0 if sampler.unit.discrete else -2.0 * max(
        1.0, *(sampler.number(m) for m in sampler.process.mass)
    )  # fmt: skip
    steepest, known = slope * _STEEPEST, None
    residual = np.inf
    for _ in range(_MOST):
        image = replica.tangent_map(spectra, gains, rate, grid)
        size = _total(image)
        if not (np.isfinite(size) and size > 0):
            raise ConvergenceError("perturbations of the single unit grow or vanish at once")
        image /= size
        replica.rescale_tangent(1 / np.sqrt(size))
        residual, moved = np.log(size), float(np.abs(image - gains).sum() / image.sum())
        if abs(residual) <= _TOLERANCE and moved <= 10 * _TOLERANCE:
            return Growth(rate, image, abs(residual), True)
        if known is not None and moved < 0.1 and abs(rate - known[0]) > 1e-6:
            secant = (residual - known[1]) / (rate - known[0])
            slope = float(np.clip(secant, steepest, slope / 4)) if secant < 0 else slope
        known = rate, residual
        gains, rate = image, rate - residual / slope
    return Growth(rate, gains, abs(float(residual)), False)


def _total(spectra: Array) -> float:
    """Sum of the equal-time variances."""
    return float(spectra[:, [0, -1]].sum() + 2 * spectra[:, 1:-1].sum())


def _without_value(correlations: SampledCorrelations) -> SampledLyapunov:
    return SampledLyapunov(
        status=correlations.status,
        value=None,
        error=None,
        residual=None,
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
    last: Growth | None,
) -> SampledLyapunov:
    if last is None or not all(g.settled for g in (*found, last)):
        text = (
            "the growth of perturbations did not settle; choose a longer window or more paths "
            "in the correlations"
        )
        return SampledLyapunov(
            "not_converged", None, None, None if last is None else last.residual,
            np.array([g.rate for g in found]), np.empty(0), {}, correlations, "sampled", text,
            correlations.provenance,
        )  # fmt: skip
    rates = np.array([g.rate for g in found])
    value, error = jackknife(rates, np.asarray(last.rate))
    modes = [covariance(last.gains[k]) for k in sampler.reads]
    largest = max(float(m[0]) for m in modes)
    names = sampler.process.couplings
    return SampledLyapunov(
        status="ok",
        value=float(value),
        error=float(error),
        residual=max(g.residual for g in (*found, last)),
        by_replica=rates,
        mode_lags=grid.lags,
        mode={n: m / largest for n, m in zip(names, modes, strict=True)},
        correlations=correlations,
        closure="sampled",
        advice=correlations.advice,
        provenance=Provenance(
            by_name(sampler.parameters), 15, correlations.provenance.assumptions,
            correlations.provenance.references,
        ),
    )  # fmt: skip

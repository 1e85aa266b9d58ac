"""From the paths of replicas to means and standard errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatetheory.solvers.records import Provenance, by_name
from gatetheory.solvers.sampled_noise import covariance, power
from gatetheory.solvers.sampled_records import SampledCorrelations
from gatetheory.solvers.sampled_replica import Grid, Pool, Replica, Sampler
from gatetheory.solvers.sampled_settling import Settled, plateau, undecayed

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Averages:
    """Averages over the paths of one replica.

    Args:
        functions: Covariances at lags 0 … T/2, by name.
        means: Means of the fields, by name.
        settled: The solution they belong to.
        memory: Change of a path over the last period, relative to its spread.
        paths: Number of paths.
    """

    functions: Mapping[str, Array]
    means: Mapping[str, float]
    settled: Settled
    memory: float
    paths: int


def averages(replica: Replica, settled: Settled, grid: Grid) -> Averages:
    """Run the paths at a solution once more and record everything."""
    sampler = replica.sampler
    found = replica.run(settled.spectra, grid).outputs
    functions: dict[str, Array] = {}
    means: dict[str, float] = {}
    outputs = dict(zip(sampler.unit.outputs, found, strict=True))
    fields = {f"C_{x.name}" for x in sampler.process.fields}
    for name in sampler.process.observables:
        spectrum = power(outputs[name])
        if name in fields:
            mean = float(np.mean(outputs[name]))
            means[f"m_{name.removeprefix('C_')}"] = mean
            spectrum[0] -= mean**2
        functions[name] = covariance(spectrum)
    scale = [sampler.scale[k] for k in sampler.reads]
    for coupling, s in zip(sampler.process.couplings, scale, strict=True):
        functions[f"C_eta_{coupling}"] = covariance(s * power(outputs[f"psi_{coupling}"]))
    return Averages(functions, means, settled, replica.seam, replica.paths)


def together(pool: Pool, settled: Settled, grid: Grid) -> Averages:
    """The same over the paths of several replicas at one common solution."""
    found = [averages(r, settled, grid) for r in pool.replicas]
    return Averages(
        functions={n: np.mean([a.functions[n] for a in found], axis=0) for n in found[0].functions},
        means={n: float(np.mean([a.means[n] for a in found])) for n in found[0].means},
        settled=settled,
        memory=pool.seam,
        paths=sum(a.paths for a in found),
    )


def jackknife(samples: Array, pooled: Array) -> tuple[Array, Array]:
    """Estimate without bias of first order in 1/M, and its standard error.

    A nonlinear function of averages over M paths is biased by b/M. K replicas of M paths and all
    KM paths together have biases in the ratio K : 1, which tells b.

    Args:
        samples: One value per replica, shape (K, …).
        pooled: The value from all paths together.
    """
    count = len(samples)
    if count < 2:
        return pooled, np.full(samples.shape[1:], np.inf)
    error = samples.std(axis=0, ddof=1) / np.sqrt(count)
    return pooled + (pooled - samples.mean(axis=0)) / (count - 1), np.asarray(error)


@dataclass(frozen=True)
class Judgement:
    """What is known about a solution beyond its numbers.

    Args:
        status: Status, if the replicas do not say otherwise.
        advice: What to say about it.
        step_error: Error of the step.
        undecayed: Part of the decay in the far half of the lags, as the pilot saw it.
        seed: Seed of the random numbers.
        stage: Stage that drew them.
    """

    status: str
    advice: str
    step_error: float
    undecayed: float
    seed: int
    stage: int


def combine(
    sampler: Sampler, found: Sequence[Averages], pooled: Averages, grid: Grid, known: Judgement
) -> SampledCorrelations:
    """Means and standard errors over replicas.

    Args:
        sampler: What was sampled.
        found: One per replica.
        pooled: All of them together.
        grid: The times.
        known: What else is known.
    """
    process, main = sampler.process, sampler.process.main
    status, advice = known.status, known.advice
    if status == "ok":
        status, advice = _verdict([*found, pooled], advice)
    functions: dict[str, Array] = {}
    errors: dict[str, Array] = {}
    for name in pooled.functions:
        samples = np.array([a.functions[name] for a in found])
        functions[name], errors[name] = jackknife(samples, pooled.functions[name])
    widths = np.array([half_width(a.functions[main], grid) for a in found])
    width = np.asarray(half_width(pooled.functions[main], grid))
    left = [undecayed(s) for s in pooled.settled.spectra if s[1:].any()]
    return SampledCorrelations(
        status=status,  # type: ignore[arg-type]
        values={n: float(f[0]) for n, f in functions.items()},
        errors={n: float(e[0]) for n, e in errors.items()},
        plateaus={n: plateau(f) for n, f in functions.items()},
        means=pooled.means,
        half_width=float(width),
        half_width_error=float(jackknife(widths, width)[1]),
        lags=grid.lags,
        functions=functions,
        function_errors=errors,
        main=main,
        residual=max(a.settled.history[-1] for a in (*found, pooled)),
        history=found[-1].settled.history,
        step_error=known.step_error,
        memory=max(a.memory for a in (*found, pooled)),
        undecayed=max(left, default=0.0, key=abs) if len(found) > 1 else known.undecayed,
        paths=pooled.paths,
        replicas=len(found),
        window=grid.window,
        step=grid.step,
        closure="sampled",
        advice=advice,
        spectra=tuple(a.settled.spectra for a in found),
        pooled=pooled.settled.spectra,
        seed=known.seed,
        stage=known.stage,
        provenance=Provenance(
            by_name(sampler.parameters), 15, process.equations.assumptions,
            process.equations.references,
        ),
    )  # fmt: skip


def _verdict(found: Sequence[Averages], advice: str) -> tuple[str, str]:
    kinds = [a.settled.kind for a in found]
    if all(k == "quiet" for k in kinds):
        return "no_chaotic_state", "covariances become constant: the network comes to rest"
    if "quiet" in kinds:
        return "not_converged", (
            f"{kinds.count('quiet')} of {len(kinds)} replicas come to rest and the others do not: "
            "the parameters are too close to an onset for so few paths; raise paths"
        )
    if "stuck" in kinds:
        return "not_converged", (
            f"{kinds.count('stuck')} of {len(kinds)} replicas did not become self-consistent; "
            "raise paths, or choose a longer window"
        )
    return "ok", advice


def half_width(function: Array, grid: Grid) -> float:
    """Lag at which C(τ) − C(∞) has fallen to half of C(0) − C(∞), the first time."""
    far = plateau(function)
    target = (function[0] + far) / 2
    below = np.flatnonzero(function < target)
    if not len(below) or below[0] == 0:
        return float(grid.lags[-1])
    after = int(below[0])
    high, low = function[after - 1], function[after]
    return float(grid.step * (after - 1 + (high - target) / (high - low)))

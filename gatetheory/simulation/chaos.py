"""Lyapunov exponents and correlation functions of independent networks of a model, with errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from scipy import special
from sympy import Expr

from gatetheory.errors import ParameterError
from gatetheory.model import Model
from gatetheory.simulation.bundle import Precision
from gatetheory.simulation.correlations import CorrelationFunctions, correlations
from gatetheory.simulation.draw import Seed, check_count, draw_network, random_state
from gatetheory.simulation.estimators import Estimate, estimate
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.lyapunov import lyapunov_exponents
from gatetheory.simulation.lyapunov_record import LyapunovSpectrum, kaplan_yorke_dimension
from gatetheory.simulation.network import Network
from gatetheory.simulation.relaxation import Status
from gatetheory.simulation.schemes import Method

R = TypeVar("R")

_DOUBT = 1e-3  # chance at which a difference between the halves of the runs counts as a drift
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What independent networks have in common.

    Args:
        model: Name of the model.
        parameters: Value of every parameter, as text.
        units: N.
        duration: Time (steps) that was averaged over, in each network.
        statuses: What became of each network: ``"fixed point"`` if all of its trajectories died
            in one, else ``"active"``.
        drift: z-score over networks of the difference between the two halves of the runs, by
            name; empty for one network.
        stationary: Whether no drift is significant: Student's t at 1e-3, divided by the number
            of drifts. None for one network, which cannot tell.
    """

    model: str
    parameters: Mapping[str, str]
    units: int
    duration: float
    statuses: tuple[Status, ...]
    drift: Mapping[str, float]
    stationary: bool | None

    @property
    def active(self) -> tuple[int, ...]:
        """Indices of the networks that are still active."""
        return tuple(i for i, status in enumerate(self.statuses) if status == "active")

    @property
    def died(self) -> tuple[int, ...]:
        """Indices of the networks that died in a fixed point."""
        return tuple(i for i, status in enumerate(self.statuses) if status != "active")


@dataclass(frozen=True, eq=False)
class LyapunovObservation(Ensemble):
    """Lyapunov exponents of independent networks.

    Args:
        spectra: One record a network.
    """

    spectra: tuple[LyapunovSpectrum, ...]

    @cached_property
    def exponents(self) -> tuple[Estimate, ...]:
        """Mean and standard error over networks, exponent by exponent, fixed points included."""
        table = np.array([s.exponents for s in self.spectra])
        return tuple(estimate(column) for column in table.T)

    @property
    def largest(self) -> Estimate:
        """The largest exponent."""
        return self.exponents[0]

    @cached_property
    def largest_active(self) -> Estimate | None:
        """The largest exponent of the networks that are still active; None if there are none."""
        found = [self.spectra[i].largest for i in self.active]
        return estimate(found) if found else None

    @cached_property
    def dimension(self) -> Estimate | None:
        """Kaplan–Yorke dimension; None if some network would need more exponents."""
        try:
            values = [kaplan_yorke_dimension(s.exponents, s.dimensions) for s in self.spectra]
        except ParameterError:
            return None
        return estimate(values)


@dataclass(frozen=True, eq=False)
class CorrelationObservation(Ensemble):
    """Correlation functions of independent networks.

    Args:
        lags: τ ≥ 0, shape (L,).
        networks: One record a network.
    """

    lags: Array
    networks: tuple[CorrelationFunctions, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the correlations."""
        return self.networks[0].names

    def samples(self, name: str, *, active: bool = False) -> Array:
        """C of every network, shape (networks, L).

        Args:
            name: Such as ``C_h``.
            active: Only those that have not died in a fixed point.
        """
        chosen = self.active if active else range(len(self.networks))
        return np.array([self.networks[i][name] for i in chosen]).reshape(-1, len(self.lags))

    def mean(self, name: str, *, active: bool = False) -> Array:
        """Mean of C over networks, shape (L,).

        Raises:
            ParameterError: If no network is left.
        """
        samples = self.samples(name, active=active)
        if not len(samples):
            raise ParameterError("every network died in a fixed point; leave out active=True")
        return np.asarray(samples.mean(axis=0))

    def stderr(self, name: str, *, active: bool = False) -> Array:
        """Standard error of the mean over networks, shape (L,); infinite for one network."""
        samples = self.samples(name, active=active)
        if len(samples) < 2:
            return np.full(len(self.lags), np.inf)
        return np.asarray(samples.std(axis=0, ddof=1) / np.sqrt(len(samples)))

    def estimate(self, name: str, index: int = 0, *, active: bool = False) -> Estimate:
        """C at one lag; lag 0 is the variance.

        Args:
            name: Such as ``C_h``.
            index: Position in :attr:`lags`.
            active: Only networks that have not died in a fixed point.
        """
        return estimate(self.samples(name, active=active)[:, index])


def observe_lyapunov(
    model: Model,
    at: Mapping[str, Any] | None = None,
    units: int = 1000,
    seeds: int = 8,
    *,
    duration: float,
    count: int = 1,
    transient: float | None = None,
    method: Method | None = None,
    step: float | None = None,
    trajectories: int = 1,
    renormalise_every: float | None = None,
    precision: Precision = "double",
    initial_std: float = 1.0,
    threads: int = 1,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> LyapunovObservation:
    """Lyapunov exponents of independent networks from random states.

    Args:
        model: The model.
        at: Parameter values by name.
        units: N.
        seeds: Number of networks.
        duration: Time (steps) to average over, in each.
        count: Number of exponents.
        transient: Time (steps) before; see :func:`lyapunov_exponents`, as for the rest.
        method: Scheme.
        step: Its step.
        trajectories: Trajectories of each network, marched together.
        renormalise_every: Time between QR decompositions.
        precision: ``"double"`` or ``"single"``.
        initial_std: Standard deviation of the entries of the initial states.
        threads: Threads that BLAS may use.
        seed: Seed of everything.
        progress: Called with (networks done, networks in all).

    Raises:
        ParameterError: For bad counts, names or values.
        ConvergenceError: If a state is no longer finite.
    """

    def run(network: Network, states: Array, noise: Seed) -> LyapunovSpectrum:
        return lyapunov_exponents(
            network,
            states,
            duration,
            count=count,
            transient=transient,
            method=method,
            step=step,
            renormalise_every=renormalise_every,
            precision=precision,
            threads=threads,
            seed=noise,
        )

    spectra = _each(run, model, at, units, seeds, trajectories, initial_std, seed, progress)
    halves = np.array([s.halves[:, 0] for s in spectra])
    drift, stationary = _drifts({"lyapunov_1": halves[:, 1] - halves[:, 0]})
    return LyapunovObservation(
        model=model.name,
        parameters={s.name: str(v) for s, v in model.bind(at).items()},
        units=units,
        duration=duration,
        statuses=_statuses([s.at_rest for s in spectra]),
        drift=drift,
        stationary=stationary,
        spectra=tuple(spectra),
    )


def observe_correlations(
    model: Model,
    at: Mapping[str, Any] | None = None,
    units: int = 1000,
    seeds: int = 8,
    *,
    duration: float,
    transient: float | None = None,
    longest_lag: float | None = None,
    lag_step: float | None = None,
    observables: Mapping[str, Expr] | None = None,
    trajectories: int = 1,
    method: Method | None = None,
    step: float | None = None,
    precision: Precision = "double",
    initial_std: float = 1.0,
    threads: int = 1,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> CorrelationObservation:
    """Correlation functions of independent networks from random states.

    Args:
        model: The model.
        at: Parameter values by name.
        units: N.
        seeds: Number of networks.
        duration: Time (steps) to average over, in each.
        transient: Time (steps) before; see :func:`correlations`, as for the rest.
        longest_lag: Largest τ.
        lag_step: Spacing of τ; by default 1/5 of the fastest time constant (1 step).
        observables: Expressions by name.
        trajectories: Trajectories of each network, marched together.
        method: Scheme.
        step: Its longest step.
        precision: ``"double"`` or ``"single"``.
        initial_std: Standard deviation of the entries of the initial states.
        threads: Threads that BLAS may use.
        seed: Seed of everything.
        progress: Called with (networks done, networks in all).

    Raises:
        ParameterError: For bad counts, names or values, or too many samples.
        ConvergenceError: If a state is no longer finite.
    """
    spacing = lag_step

    def run(network: Network, states: Array, noise: Seed) -> CorrelationFunctions:
        nonlocal spacing
        found = correlations(
            network,
            states,
            duration,
            transient=transient,
            longest_lag=longest_lag,
            lag_step=spacing,
            observables=observables,
            method=method,
            step=step,
            precision=precision,
            threads=threads,
            seed=noise,
        )
        spacing = float(found.lags[1]) if len(found.lags) > 1 else spacing  # lags of all agree
        return found

    networks = _each(run, model, at, units, seeds, trajectories, initial_std, seed, progress)
    differences = {}
    for name in networks[0].names:
        halves = np.array([c.halves[name].mean(axis=1) for c in networks])
        change = halves[:, 1, 0] - halves[:, 0, 0]
        rounding = _ROUNDING * np.abs(halves[:, :, 0]).max()  # all there is where it is constant
        differences[f"{name}(0)"] = np.where(np.abs(change) > rounding, change, 0.0)
    drift, stationary = _drifts(differences)
    return CorrelationObservation(
        model=model.name,
        parameters={s.name: str(v) for s, v in model.bind(at).items()},
        units=units,
        duration=duration,
        statuses=_statuses([c.at_rest for c in networks]),
        drift=drift,
        stationary=stationary,
        lags=networks[0].lags,
        networks=tuple(networks),
    )


def network_again(
    model: Model, at: Mapping[str, Any] | None, units: int, seed: int, index: int
) -> Network:
    """The network of an observation once more, such as that to which ``spectra[index]`` belongs.

    Args:
        model: The model.
        at: Parameter values by name.
        units: N.
        seed: Seed of the observation.
        index: Which network of it, counted from 0.
    """
    return draw_network(model, at, units, np.random.SeedSequence(seed, spawn_key=(index, 0)))


def _each(
    run: Callable[[Network, Array, Seed], R],
    model: Model,
    at: Mapping[str, Any] | None,
    units: int,
    seeds: int,
    trajectories: int,
    initial_std: float,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> list[R]:
    """Run every network, drawn from seeds of its own."""
    check_count("units", units)
    check_count("seeds", seeds)
    check_count("trajectories", trajectories)
    found = []
    for k, child in enumerate(np.random.SeedSequence(seed).spawn(seeds)):
        _, start, noise = child.spawn(3)
        network = network_again(model, at, units, seed, k)
        rng = np.random.default_rng(start)
        states = [random_state(network, rng, initial_std) for _ in range(trajectories)]
        found.append(run(network, np.array(states), noise))
        if progress is not None:
            progress(k + 1, seeds)
    return found


def _statuses(at_rest: Sequence[tuple[bool, ...]]) -> tuple[Status, ...]:
    return tuple("fixed point" if all(rest) else "active" for rest in at_rest)


def _drifts(differences: Mapping[str, Array]) -> tuple[dict[str, float], bool | None]:
    """z-scores of mean differences over networks, and whether none is significant."""
    count = len(next(iter(differences.values())))
    if count < 2:
        return {}, None
    scores = {name: estimate(values).z_score(0.0) for name, values in differences.items()}
    limit = -float(special.stdtrit(count - 1, _DOUBT / 2 / len(scores)))
    return scores, all(abs(z) <= limit for z in scores.values())

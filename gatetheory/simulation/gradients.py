"""Second moments of gradients in independent networks of a model, with errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sympy import Expr

from gatetheory.errors import ParameterError
from gatetheory.model import Model
from gatetheory.simulation.backpropagation import (
    Wanted,
    backpropagate,
    default_gradient_method,
)
from gatetheory.simulation.draw import check_count, draw_network, random_state
from gatetheory.simulation.gradient_observation import GradientObservation
from gatetheory.simulation.gradient_record import Gradients
from gatetheory.simulation.loss import make_loss
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.lyapunov import default_step, default_transient
from gatetheory.simulation.network import Network
from gatetheory.simulation.relaxation import Status, default_method, relax
from gatetheory.simulation.schemes import Method

_SETTLING = 0.25  # part of the window for growth in which λ finds its leading direction


def simulate_gradients(
    model: Model,
    at: Mapping[str, Any] | None = None,
    units: int = 1000,
    horizons: Sequence[float] = (2, 5, 10),
    seeds: int = 8,
    *,
    loss: Expr | str | None = None,
    weight: str = "c",
    running: bool = False,
    draws: int = 16,
    windows: int = 4,
    couplings: bool = True,
    parameters: Sequence[str] | None = None,
    growth_window: float | None = None,
    transient: float | None = None,
    method: Method | None = None,
    step: float | None = None,
    spacing: int | None = None,
    initial_std: float = 1.0,
    threads: int = 1,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> GradientObservation:
    """Gradients of a loss in networks that are in their stationary state, or rest.

    Every network runs from a random state until it rests in a fixed point, or for the transient.
    Then follow windows as long as the longest horizon, one after the other; each is run forward
    and back (:func:`backpropagate`) for new draws of the weights c.

    Args:
        model: The model.
        at: Parameter values by name.
        units: N.
        horizons: T, each counted back from the end of a window; steps in a map.
        seeds: Number of independent networks.
        loss: Expression in the fields and the weight c; by default c times the first field that a
            signal reads.
        weight: Name of c.
        running: Integrate the loss over the horizon; otherwise it is read at the end.
        draws: Draws of c in every window.
        windows: Number of windows.
        couplings: Whether to compute N mean_ij (dL/dJ^a_ij)².
        parameters: Names for (dL/dθ)²; by default all that have a derivative.
        growth_window: Length of a further run, for one draw of a loss read at its end, which gives
            the growth exponent of |λ|²: the slope of a line through ln |λ|² on the way back, its
            first quarter left out. None for no such run.
        transient: Time (steps) before; by default 50 times the longest time constant (500 steps).
        method: Scheme, as in :func:`backpropagate`.
        step: Its longest step; by default half of :func:`default_step` in the first network.
        spacing: Steps between two checkpoints.
        initial_std: Standard deviation of the entries of the initial states.
        threads: Threads that BLAS may use.
        seed: Seed of everything: same seed, same result.
        progress: Called with (networks done, networks in all).

    Raises:
        ParameterError: For bad counts, names, values or expressions.
        ConvergenceError: If a state or a gradient is no longer finite.
    """
    for name, count in (("units", units), ("seeds", seeds), ("windows", windows)):
        check_count(name, count)
    if not len(horizons):
        raise ParameterError("horizons must name at least one length of time")
    lengths = np.unique(np.asarray(horizons, np.float64))
    longest = float(lengths[-1])
    text = make_loss(model, loss, weight).text
    wanted: Wanted = "squares" if couplings else "none"
    statuses: list[Status] = []
    runs: list[list[Gradients]] = []
    growth: list[float] = []
    for k, child in enumerate(np.random.SeedSequence(seed).spawn(seeds)):
        wiring, start, noise, weights = child.spawn(4)
        network = draw_network(model, at, units, wiring)
        before = default_transient(network, 0.0) if transient is None else float(transient)
        state, status = _settle(network, before, initial_std, start, noise, threads)
        statuses.append(status)
        method = method or default_gradient_method(network)
        if step is None and method != "iterate":
            step = default_step(network, state, method) / 2
        generators = [np.random.default_rng(s) for s in weights.spawn(windows + 1)]
        found = []
        for w, rng in enumerate(generators[:-1]):
            found.append(
                backpropagate(
                    network, state, longest, loss=loss, weight=weight, running=running,
                    draws=draws, horizons=lengths.tolist(), couplings=wanted,
                    parameters=parameters, method=method, step=step, spacing=spacing,
                    start_time=before + w * longest, threads=threads, seed=rng,
                )
            )  # fmt: skip
            state = found[-1].final
        runs.append(found)
        if growth_window is not None:
            run = backpropagate(
                network, state, growth_window, loss=loss, weight=weight, draws=1,
                couplings="none", parameters=(), method=method, step=step, spacing=spacing,
                start_time=before + windows * longest, threads=threads, seed=generators[-1],
            )  # fmt: skip
            growth.append(_rate(run))
        if progress is not None:
            progress(k + 1, seeds)
    first = runs[0][0]
    return GradientObservation(
        model=model.name,
        parameters={s.name: str(v) for s, v in model.bind(at).items()},
        units=units,
        loss=text,
        running=running,
        horizons=lengths,
        draws=len(first.weights),
        windows=windows,
        statuses=tuple(statuses),
        squares=_means([[g.squares for g in found] for found in runs]),
        parameter_squares=_means([[_squared(g) for g in found] for found in runs]),
        norms=_means([[{"": _norms(g)} for g in found] for found in runs])[""],
        growth=np.array(growth) if growth_window is not None else None,
        growth_window=growth_window,
        method=first.method,
        step=first.step,
    )


def _settle(
    network: Network,
    duration: float,
    initial_std: float,
    start: np.random.SeedSequence,
    noise: np.random.SeedSequence,
    threads: int,
) -> tuple[Array, Status]:
    """A state of the attractor."""
    method = default_method(network, int(noise.generate_state(1)[0]))
    initial = random_state(network, start, initial_std)
    found = relax(network, initial, duration, method, threads=threads)
    return np.asarray(found.states[-1]), found.status


def _rate(run: Gradients) -> float:
    """Slope of ln |λ|² against time going back, after λ has settled; mean over draws.

    A fitted line, as the norm beats where two leading directions turn into each other.
    """
    back = run.times[-1] - run.times
    settled = back >= _SETTLING * back[0] * (1 - 1e-9)
    logs = np.log(run.norms[settled]).mean(axis=1)
    return float(np.polynomial.Polynomial.fit(back[settled], logs, 1).convert().coef[1])


def _norms(run: Gradients) -> Array:
    """|λ|²/N at the start of every horizon, shape (H, k)."""
    starts = [int(np.abs(run.times[-1] - t - run.times).argmin()) for t in run.horizons]
    return np.asarray(run.norms[starts])


def _squared(run: Gradients) -> Mapping[str, Array]:
    return {name: np.asarray(slopes**2) for name, slopes in run.parameters.items()}


def _means(runs: Sequence[Sequence[Mapping[str, Array]]]) -> dict[str, Array]:
    """Means over draws and windows, by name, shape (networks, H), of values of shape (H, k)."""
    return {
        name: np.array([np.mean([w[name].mean(axis=1) for w in found], axis=0) for found in runs])
        for name in runs[0][0]
    }

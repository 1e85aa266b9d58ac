"""Gradients that theory predicts for the state it finds, and networks in that state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gatetheory.simulation as simulation
from gatetheory.equations.gradient_problem import GradientProblem
from gatetheory.errors import GatetheoryError
from gatetheory.pipeline import quiet_abscissa, solve
from gatetheory.simulation.backpropagation import default_gradient_method
from gatetheory.solvers.gradient_records import Gradients
from gatetheory.solvers.records import FixedPoints
from gatetheory.solvers.sampled_gradients import PATHS
from gatetheory.solvers.sampled_records import SampledCorrelations
from gatetheory.theory.derive import Theory
from gatetheory.validation.chaos import usable_sizes
from gatetheory.validation.chaotic_state import ACCURACY, ChaoticState, Count
from gatetheory.validation.estimates import listed

Array = NDArray[np.float64]

DRAWS = 32  # of the loss's weights, for each trajectory of a network
MOST_PARAMETERS = 4  # the first of the model; each costs the theory as much as all couplings
HORIZONS, STEPS = (1, 2, 3, 4, 5), (1, 3, 4, 6, 8)
"""In time constants of the field that the loss reads; in steps of a map."""
COMPARED = (1, 4)  # which of them stand in the table


@dataclass(frozen=True, eq=False)
class GradientState:
    """Second moments of gradients: what theory says, and what networks have.

    Args:
        theory: The theory's gradients; None where it has none.
        rate: Twice the largest Lyapunov exponent of the chaotic state, or twice the abscissa (the
            logarithm of the radius) of the fixed point: what the growth exponent must be.
        samples: Second moments by size and by name, each of shape (networks, H).
        sizes: Sizes of which means are extrapolated; fewer than two are not compared.
        note: Sizes and numbers, and which were left out.
        remarks: What is not there, and why.
    """

    theory: Gradients | None
    rate: float | None = None
    samples: Mapping[int, Mapping[str, Array]] = field(default_factory=dict)
    sizes: tuple[int, ...] = ()
    note: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether the theory has gradients."""
        return self.theory is not None and self.theory.status == "ok"

    @property
    def values(self) -> dict[str, tuple[Array, Array]]:
        """Second moments of the theory with their errors, by name, shape (H,) each."""
        found = self.theory
        if found is None or found.status != "ok":
            return {}
        tables = [(f"Q_{a}", v, found.coupling_errors[a]) for a, v in found.couplings.items()]
        tables += [
            (by_parameter(p), v, found.parameter_errors[p]) for p, v in found.parameters.items()
        ]
        missed = (found.residual or 0.0) if found.sampled else 0.0
        # The step's error, bounded by the accuracy, is counted as if it were one of chance.
        return {n: (v, np.array([*map(hypot, e, missed * v)])) for n, v, e in tables}


def by_parameter(name: str) -> str:
    """Name of the second moment of the derivative by a parameter."""
    return f"(∂L/∂{name})²"


def gradient_state(
    theory: Theory,
    at: Mapping[str, Any] | None,
    points: FixedPoints | None,
    chaos: ChaoticState,
    sizes: tuple[int, ...],
    seeds: int,
    *,
    accuracy: float = ACCURACY,
    step: Count = lambda: None,
) -> GradientState:
    """Gradients at the state that theory takes: the chaotic one, or else the stable fixed point.

    On the chaotic state networks go on from where the runs for the Lyapunov exponent ended. At a
    fixed point they are relaxed, and followed where Newton's method finds it.

    Args:
        theory: The theory of a model.
        at: Parameters by name.
        points: Its fixed points; None where there are none.
        chaos: The chaotic state, or why there is none.
        sizes: Sizes of networks at a fixed point.
        seeds: Networks of each size.
        accuracy: Relative standard error that a sampled theory aims at.
        step: Called after every network.
    """
    stable = [k for k, p in enumerate(points or ()) if p.stable]
    if not chaos.exists and len(stable) != 1:
        why = "no chaotic state, and no single stable fixed point"
        return GradientState(None, remarks=(f"gradients: {why}",))
    try:
        problem = theory.gradients
        horizons = shown_horizons(problem, theory, at)
        if chaos.exists:
            found = _on_chaos(problem, at, chaos, horizons, accuracy)
        else:
            found = solve(problem, at, horizon=horizons, by=_names(problem), fixed_point=stable[0])
    except GatetheoryError as error:
        return GradientState(None, remarks=(f"gradients: {error}",))
    if found.status != "ok":
        return GradientState(found, remarks=(f"gradients: {found.advice}",))
    state = GradientState(found, _rate(theory, at, chaos), remarks=_left_out(problem, found))
    try:
        if chaos.exists:
            return _moving(state, found, theory, at, chaos, step)
        return _resting(state, found, theory, at, sizes, seeds, step)
    except GatetheoryError as error:
        return replace(state, remarks=(*state.remarks, f"gradients of networks: {error}"))


def shown_horizons(
    problem: GradientProblem, theory: Theory, at: Mapping[str, Any] | None
) -> tuple[float, ...]:
    """Horizons T in the model's time (steps of a map)."""
    if problem.process.discrete:
        return tuple(map(float, STEPS))
    slopes = problem.loss(None, False).slopes
    read = next(f for f, s in zip(theory.model.fields, slopes, strict=True) if s != 0)
    unit = float(read.time_constant.xreplace(theory.model.bind(at))) or 1.0
    return tuple(unit * k for k in HORIZONS)


def _names(problem: GradientProblem) -> list[str]:
    return list(problem.slopes)[:MOST_PARAMETERS]


def _on_chaos(
    problem: GradientProblem,
    at: Mapping[str, Any] | None,
    chaos: ChaoticState,
    horizons: Sequence[float],
    accuracy: float,
) -> Gradients:
    known = chaos.correlations
    options: dict[str, Any] = {"horizon": list(horizons)}
    if isinstance(known, SampledCorrelations):
        # A fixed number of paths bounds the time; standard errors count in z.
        options |= {"closure": "sampled", "correlations": known, "paths": PATHS,
                    "accuracy": accuracy, "growth": False}  # fmt: skip
    else:
        options |= {"closure": "constant", "by": _names(problem)}
    found: Gradients = solve(problem, at, **options)
    return found


def _left_out(problem: GradientProblem, found: Gradients) -> tuple[str, ...]:
    remarks = [f"gradient by {name}: {why}" for name, why in found.left_out.items()]
    if found.sampled:
        remarks.append("growth exponent and gradients by parameters: not sampled, to save time")
        return tuple(remarks)
    if rest := [p for p in problem.slopes if p not in {*found.parameters, *found.left_out}]:
        remarks.append(f"gradients by {', '.join(rest)}: not computed, to save time")
    return tuple(remarks)


def _rate(theory: Theory, at: Mapping[str, Any] | None, chaos: ChaoticState) -> float | None:
    if chaos.exists:
        exponent = chaos.lyapunov
        return None if exponent is None or exponent.value is None else 2 * exponent.value
    abscissa = quiet_abscissa(theory.fixed_points, at)
    return None if abscissa is None else 2 * abscissa


# ---- networks ------------------------------------------------------------------------------------


def _moving(
    state: GradientState,
    found: Gradients,
    theory: Theory,
    at: Mapping[str, Any] | None,
    chaos: ChaoticState,
    step: Count,
) -> GradientState:
    """Networks go on from the end of their runs, all trajectories of each."""
    used, left_out = usable_sizes(chaos)
    sizes = used if len(used) > 1 else chaos.sizes[-1:]
    samples = {}
    for n in sizes:
        each = []
        for k, spectrum in enumerate(chaos.lyapunov_runs[n].spectra):
            network = simulation.network_again(theory.model, at, n, n, k)
            each.append(_moments(network, spectrum.final, found, [n, k]))
            step()
        samples[n] = _stacked(each)
    count = len(chaos.lyapunov_runs[sizes[-1]].spectra[0].final)
    note = f"N = {listed(sizes)}, {count} trajectories each, {DRAWS} draws of the weights c"
    if left_out:
        note += f"; left out, too small or too close to the onset: {left_out}"
    if len(used) < 2:
        note += "; not compared: fewer than two sizes to extrapolate from"
    return replace(state, samples=samples, sizes=used, note=note)


def _resting(
    state: GradientState,
    found: Gradients,
    theory: Theory,
    at: Mapping[str, Any] | None,
    sizes: tuple[int, ...],
    seeds: int,
    step: Count,
) -> GradientState:
    """Networks relax into a fixed point; a size at which one does not is left out as a whole."""
    samples, restless = {}, []
    for n in sizes:
        each = []
        for k in range(seeds):
            network = simulation.draw_network(theory.model, at, n, np.random.default_rng([n, k]))
            start = simulation.random_state(network, np.random.default_rng([n, k, 1]))
            point = simulation.find_fixed_point(network, start, relax=100.0)
            if point.status == "ok":
                each.append(_moments(network, point.state[None], found, [n, k, 2]))
            step()
        if len(each) == seeds:
            samples[n] = _stacked(each)
        else:
            restless.append(f"N = {n}: {seeds - len(each)} of {seeds}")
    used = tuple(samples)
    note = f"N = {listed(used)}, {DRAWS} draws of the weights c"
    if restless:
        note += f"; left out, networks that did not come to rest: {', '.join(restless)}"
    if len(used) < 2:
        note += "; not compared: fewer than two sizes to extrapolate from"
    return replace(state, samples=samples, sizes=used if len(used) > 1 else (), note=note)


def _moments(
    network: simulation.Network, states: Array, found: Gradients, seed: Sequence[int]
) -> dict[str, Array]:
    """Means over trajectories and draws of one network, shape (H,) each."""
    horizons = [float(t) for t in found.horizons]
    method = default_gradient_method(network)
    runs = []
    for b, initial in enumerate(np.asarray(states, np.float64)):
        step = None if method == "iterate" else simulation.default_step(network, initial, method)
        run = simulation.backpropagate(
            network, initial, horizons[-1], draws=DRAWS, horizons=horizons,
            parameters=tuple(found.parameters), method=method, step=step,
            seed=np.random.SeedSequence([*seed, b]),
        )  # fmt: skip
        moments = {f"Q_{a}": v.mean(axis=1) for a, v in run.squares.items()}
        moments |= {by_parameter(p): (v**2).mean(axis=1) for p, v in run.parameters.items()}
        runs.append(moments)
    return {name: np.mean([r[name] for r in runs], axis=0) for name in runs[0]}


def _stacked(each: Iterable[Mapping[str, Array]]) -> dict[str, Array]:
    rows = list(each)
    return {name: np.array([r[name] for r in rows]) for name in rows[0]}

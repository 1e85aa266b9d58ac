"""Everything the report shows, computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sympy import Expr

from gatetheory.comparison import Validation
from gatetheory.errors import GatetheoryError, ParameterError
from gatetheory.model import Model
from gatetheory.pipeline import boundary, derive, solve
from gatetheory.presentation.transition_findings import transitions_of
from gatetheory.simulation import (
    draw_network,
    eigenvalues,
    jacobian,
    mean_trace,
    singular_moments,
)
from gatetheory.solvers.records import FixedPoints, Moments, Spectrum
from gatetheory.solvers.transition_records import Transition
from gatetheory.theory.derive import Theory
from gatetheory.validation import draw_state, validate
from gatetheory.validation.chaotic_state import ACCURACY, ChaoticState, chaotic_state, run_sizes
from gatetheory.validation.gradient_state import GradientState, gradient_state
from gatetheory.validation.run import SEEDS, check_seeds, check_sizes
from gatetheory.validation.work import Work

UNITS, SEED = 500, 7  # of the network whose eigenvalues are shown

Progress = Callable[[int, int], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Missing:
    """Why something is not there."""

    reason: str


@dataclass(frozen=True)
class Sample:
    """The Jacobian of one network, at a state with the variances of a fixed point.

    Args:
        units: N.
        seed: Of the matrices and the state.
        eigenvalues: All of them.
        moments: (1/N) Tr (D Dᵀ)^k, k = 1, 2, 3.
        trace: (1/N) Tr D.
    """

    units: int
    seed: int
    eigenvalues: NDArray[np.complex128]
    moments: tuple[float, ...]
    trace: float


@dataclass(frozen=True)
class Findings:
    """Derived equations, solutions and comparisons of a model at given parameters.

    What does not exist for the model is :class:`Missing` and says why.
    """

    model: Model
    parameters: Mapping[str, Expr]
    theory: Theory
    points: FixedPoints | Missing
    spectra: tuple[Spectrum | Missing, ...]
    moments: Moments | Missing
    sample: Sample | Missing
    chaos: ChaoticState | Missing
    gradients: GradientState | Missing
    transitions: Mapping[str, Transition | str] | Missing
    validation: Validation | Missing


def gather(
    model: Model,
    at: Mapping[str, Any] | None,
    units: tuple[int, ...] | int | None,
    seeds: int | None,
    progress: Progress | None,
    *,
    dynamics: bool = True,
    accuracy: float = ACCURACY,
) -> Findings:
    """Derive, solve, simulate and compare.

    Args:
        model: The model.
        at: Parameters by name.
        units: Sizes of networks; see :func:`gatetheory.validate`.
        seeds: Networks of each size.
        progress: Called with (per cent done, 100).
        dynamics: Whether to study the chaotic state too.
        accuracy: Relative standard error of its correlations where they must be sampled.

    Raises:
        ParameterError: For parameters, sizes or numbers of networks that make no sense.
    """
    stages = _Stages(progress)
    parameters = {s.name: v for s, v in model.bind(at).items()}
    theory = derive(model)
    points = _attempt(lambda: solve(theory.fixed_points, at))
    stages.reached(8)
    spectra = _spectra(theory, at, points)
    moments = _attempt(lambda: solve(theory.moments, at))
    stages.reached(18)
    last = spectra[-1] if spectra else Missing("there is no fixed point to take it at")
    sample = last if isinstance(last, Missing) else _attempt(
        lambda: _sample(theory, at, last, _shown_units(units))
    )  # fmt: skip
    stages.reached(25)
    options: dict[str, Any] = {} if seeds is None else {"seeds": check_seeds(seeds)}
    chaos: ChaoticState | Missing = Missing("it was not asked for")
    if dynamics:
        sizes, count = run_sizes(check_sizes(units)), options.get("seeds", SEEDS)
        work = Work(stages.within(25, 50), 2 * len(sizes) * count)
        chaos = _attempt(
            lambda: chaotic_state(theory, at, sizes, count, accuracy=accuracy, step=work.step)
        )
    stages.reached(50)
    gradients: GradientState | Missing = Missing("they were not asked for")
    if isinstance(chaos, ChaoticState):
        state, sizes, count = chaos, check_sizes(units), options.get("seeds", SEEDS)
        known = None if isinstance(points, Missing) else points
        work = Work(stages.within(50, 60), len(sizes) * count)
        gradients = _attempt(
            lambda: gradient_state(
                theory, at, known, state, sizes, count, accuracy=accuracy, step=work.step
            )
        )
    stages.reached(60)
    turns = _attempt(lambda: transitions_of(theory, at))
    stages.reached(65)
    options["dynamics"] = chaos if isinstance(chaos, ChaoticState) else False
    options["gradients"] = gradients if isinstance(gradients, GradientState) else False
    validation = _attempt(
        lambda: validate(model, at, units=units, progress=stages.within(65, 100), **options)
    )
    stages.reached(100)
    return Findings(
        model, parameters, theory, points, spectra, moments, sample, chaos, gradients, turns,
        validation,
    )  # fmt: skip


def _attempt(compute: Callable[[], T]) -> T | Missing:
    """A result, or why there is none; bad input is still refused."""
    try:
        return compute()
    except ParameterError:
        raise
    except (GatetheoryError, ZeroDivisionError) as error:
        return Missing(str(error))


def _spectra(
    theory: Theory, at: Mapping[str, Any] | None, points: FixedPoints | Missing
) -> tuple[Spectrum | Missing, ...]:
    """The spectrum at every fixed point; curves are traced at the last one."""
    if isinstance(points, Missing):
        return ()

    def at_branch(branch: int) -> Spectrum:
        solution: Spectrum = solve(theory.spectrum, at, branch=branch)
        return boundary(theory.spectrum, solution) if branch == len(points) - 1 else solution

    return tuple(_attempt(lambda k=k: at_branch(k)) for k in range(len(points)))  # type: ignore[misc]


def _shown_units(units: tuple[int, ...] | int | None) -> int:
    if units is None:
        return UNITS
    return min(UNITS, max((units,) if isinstance(units, int) else units))


def _sample(theory: Theory, at: Mapping[str, Any] | None, spectrum: Spectrum, units: int) -> Sample:
    law = theory.spectrum.law
    values = {u: float(spectrum.state[u.name]) for u in law.unknowns}
    network = draw_network(theory.model, at, units, SEED)
    state = draw_state(network, law, values, [SEED, 1])
    matrix = jacobian(network, state)
    return Sample(
        units=units,
        seed=SEED,
        eigenvalues=eigenvalues(matrix),
        moments=tuple(map(float, singular_moments(matrix, units))),
        trace=mean_trace(matrix, units),
    )


class _Stages:
    """Progress in per cent of the whole."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress

    def reached(self, percent: int) -> None:
        if self.progress is not None:
            self.progress(percent, 100)

    def within(self, start: int, stop: int) -> Progress | None:
        """Progress of a part of the whole."""
        if self.progress is None:
            return None
        return lambda done, total: self.reached(start + (stop - start) * done // max(total, 1))

"""One replica's second moments at given horizons, from marches with two steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from gatetheory.solvers.sampled_adjoint import march_backward
from gatetheory.solvers.sampled_gradient_paths import STAGE, State, check_size
from gatetheory.solvers.sampled_linear_unit import LinearUnit
from gatetheory.solvers.sampled_replica import spawn
from gatetheory.solvers.sampled_sensitivity import march_forward, signal_directions
from gatetheory.solvers.sampled_stretches import Stretches, spread_starts

Array = NDArray[np.float64]

_PILOT = 4096


@dataclass(frozen=True, eq=False)
class Moments:
    """Second moments of one replica at the horizons.

    Args:
        couplings: Q_a, shape (couplings, H).
        norm: Σ_f ⟨λ_f(0)²⟩, shape (H,).
        parameters: E[(dL/dθ)²], by name.
        missed: Largest relative change of a moment by cancelling the error of the step.
    """

    couplings: Array
    norm: Array
    parameters: Mapping[str, Array]
    missed: float


class Marches:
    """What is marched, for every replica of a state.

    Args:
        state: The state.
        adjoint: The adjoint unit.
        sensitivities: Sensitivity units, by name of the parameter.
        running: Whether the loss is integrated over time.
        horizons: T.
        seed: Seed of the random numbers.
    """

    def __init__(
        self,
        state: State,
        adjoint: LinearUnit,
        sensitivities: Mapping[str, LinearUnit],
        running: bool,
        horizons: Array,
        seed: int,
    ) -> None:
        self.state, self.adjoint, self.sensitivities = state, adjoint, sensitivities
        self.running, self.horizons = running, horizons
        self.seeds = spawn(seed, STAGE + 1, len(state.paths))
        self.discrete = state.sampler.unit.discrete

    def pilot(self, parts: int) -> float:
        """Relative error of the step, from few paths."""
        if self.discrete:
            return 0.0
        return self.run(0, parts, _PILOT).missed

    def run(self, replica: int, parts: int, columns: int) -> Moments:
        """March one replica.

        Args:
            replica: Its number.
            parts: How often the grid's step is divided.
            columns: Number of paths, at least.

        Raises:
            ConvergenceError: If something is no longer finite, or does not fit in memory.
        """
        state, paths = self.state, self.state.paths[replica]
        step = paths.grid.step / parts
        steps = int(np.ceil(self.horizons.max() / step - 1e-9))
        steps += 0 if self.discrete else steps % 2
        sets = -(-columns // paths.replica.paths)
        check_size(state, parts, steps, sets * paths.replica.paths)
        circle = paths.circle(parts)
        starts = spread_starts(circle.points, sets, parts)
        rngs = [np.random.default_rng(s) for s in self.seeds[replica].spawn(2)]
        scales, running = state.scales, self.running

        stretches = Stretches(circle, self.adjoint.path, starts)
        fine = march_backward(self.adjoint, stretches, scales, running, 1, steps, rngs[0])
        rows = [*fine.moments, fine.norm]
        if self.discrete:
            found, missed = np.array(rows)[:, self.horizons.astype(int)], 0.0
        else:
            known = march_backward(
                self.adjoint, stretches, scales, running, 2, steps // 2, rngs[0], fine
            )
            found, missed = self._extrapolated(rows, [*known.moments, known.norm], step)
        parameters: dict[str, Array] = {}
        if self.sensitivities:
            back = 0 if state.resting else state.memory * parts
            times = np.arange(-back, steps + 1, parts)
            times = times[:1] if state.resting else times
            directions = signal_directions(stretches, scales, times)
        for name, unit in self.sensitivities.items():
            along = Stretches(circle, unit.path, starts)
            first = march_forward(unit, along, directions, scales, running, 1, steps, rngs[1])
            if self.discrete:
                parameters[name] = first.moments[self.horizons.astype(int)]
                continue
            second = march_forward(
                unit, along, first.directions, scales, running, 2, steps // 2, rngs[1]
            )
            value, error = self._extrapolated([first.moments], [second.moments], step)
            parameters[name], missed = value[0], max(missed, error)
        return Moments(found[:-1], found[-1], parameters, missed)

    def _extrapolated(
        self, fine: list[Array], coarse: list[Array], step: float
    ) -> tuple[Array, float]:
        """Values at the horizons without the step's error of second order, and its size."""
        rows, missed = [], 0.0
        for a, b in zip(fine, coarse, strict=True):
            one, two = (
                CubicSpline(h * np.arange(len(r)), r)(self.horizons)
                for h, r in ((step, a), (2 * step, b))
            )
            better = one + (one - two) / 3
            size = np.abs(better)
            known = size > 1e-12 * max(float(np.max(np.abs(a))), 1e-300)
            if known.any():
                missed = max(missed, float(np.max(np.abs(better - one)[known] / size[known])))
            rows.append(np.where(known, better, one))
        return np.maximum(rows, 0.0), missed

"""The way back through a run: covectors step by step, and what belongs to each horizon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.simulation.adjoint_steps import Scheme
from gatetheory.simulation.checkpoints import Tape
from gatetheory.simulation.coupling_sums import MatrixSums
from gatetheory.simulation.gradient_record import Gradients
from gatetheory.simulation.ledger import Evaluation, Ledger
from gatetheory.simulation.loss import Loss
from gatetheory.simulation.lowering import Array


@dataclass(frozen=True, eq=False)
class Grid:
    """Points in time of a run.

    Args:
        points: From 0 to the duration, shape (S + 1,).
        horizons: Horizons T in increasing order, shape (H,).
        starts: Indices of the points at which they start, in the same order.
        saved: Indices of the points at which λ is kept.
    """

    points: Array
    horizons: Array
    starts: tuple[int, ...]
    saved: tuple[int, ...]


class Sweep:
    """The way back.

    Args:
        loss: The loss.
        running: Whether it is integrated.
        weights: c, shape (k, N).
        scheme: The scheme.
        ledger: Where gradients are booked.
        tape: The run.
    """

    def __init__(
        self, loss: Loss, running: bool, weights: Array, scheme: Scheme, ledger: Ledger, tape: Tape
    ) -> None:
        self.loss, self.running, self.weights = loss, running, weights
        self.scheme, self.ledger, self.tape = scheme, ledger, tape
        self.values: Array = np.zeros(len(weights))

    def run(self, grid: Grid, method: str, step: float, keep_matrices: bool) -> Gradients:
        """All the way, collecting what belongs to each horizon."""
        network, ledger, tape = self.ledger.network, self.ledger, self.tape
        names = [coupling.name for coupling in network.model.couplings]
        discrete = network.model.time == "discrete"
        n, k = network.units, len(self.weights)
        shape = (network.shape[0], k, n)
        covector = [np.zeros(shape) for _ in range(1 + self.scheme.memory)]
        end = float(tape.times[-1])
        ahead = Evaluation(network.complete(tape.end.state, end), end)
        if not self.running:
            covector[0] += self._read(ahead, 1.0)
        norms = np.zeros((len(grid.points), k))
        norms[-1] = _norms(covector[0])
        kept = {len(grid.points) - 1: covector[0].copy()}
        squares, slopes = [], []
        for i, record in tape.backward():
            if self.running:
                covector[0] += self._read(ahead, 1.0 if discrete else record.length / 2)
            covector = self.scheme.back(record, covector, ledger)
            ahead = record.evaluations[0]
            if self.running and not discrete:
                covector[0] += self._read(ahead, record.length / 2)
            norms[i] = _norms(covector[0])
            if not np.isfinite(norms[i]).all():
                raise ConvergenceError(
                    f"gradients are no longer finite at t = {tape.times[i]:g}; take a shorter run"
                )
            if i in grid.saved:
                kept[i] = covector[0].copy()
            if i in grid.starts:
                slopes.append(ledger.by_parameter / math.sqrt(n))
                if ledger.sums is not None:
                    squares.append(ledger.sums.squares() / n**2)
        matrices = {}
        if keep_matrices and isinstance(ledger.sums, MatrixSums):
            total = ledger.sums.matrices() / math.sqrt(n)
            matrices = dict(zip(names, total, strict=True))
        return Gradients(
            loss=self.loss.text,
            running=self.running,
            weights=self.weights,
            values=self.values,
            horizons=grid.horizons,
            squares={a: np.array([s[i] for s in squares]) for i, a in enumerate(names) if squares},
            matrices=matrices,
            parameters={
                name: np.array([s[p] for s in slopes]) for p, name in enumerate(ledger.slopes.names)
            },
            times=tape.times,
            norms=norms,
            saved=tape.times[list(grid.saved)],
            adjoint=np.array([kept[i] for i in grid.saved]).reshape(len(grid.saved), *shape),
            initial=covector[0],
            final=tape.end.state,
            method=method,
            step=step,
        )

    def _read(self, at: Evaluation, share: float) -> Array:
        """Covector of a state that the loss reads with some weight; books its value too."""
        self.values += share * self.loss.value(at.at.fields, self.weights)
        fields = self.loss.covectors(at.at.fields, self.weights)
        return self.ledger.at_state(at, {f: share * v for f, v in fields.items()})


def make_grid(
    duration: float,
    horizons: Sequence[float] | None,
    save: Sequence[float],
    step: float,
    discrete: bool,
) -> Grid:
    """A grid that meets the start of every horizon and every saved time.

    Args:
        duration: Length of the run.
        horizons: Lengths of its last parts; None for the whole.
        save: Times to be met, counted from the start.
        step: Longest step.
        discrete: Whether all of these must be whole numbers.

    Raises:
        ParameterError: If something lies outside the run, or is no whole number of steps.
    """
    if not (math.isfinite(duration) and duration > 0):
        raise ParameterError(f"duration must be a positive number, got {duration!r}")
    lengths = np.unique(np.asarray([duration] if horizons is None else horizons, np.float64))
    times = np.unique(np.asarray(save, np.float64))
    near = 1e-9 * duration
    if not (len(lengths) and (lengths > 0).all() and (lengths <= duration + near).all()):
        raise ParameterError(f"horizons must lie between 0 and the duration {duration:g}")
    if not ((times >= 0).all() and (times <= duration + near).all()):
        raise ParameterError(f"saved times must lie between 0 and the duration {duration:g}")
    marks = np.sort(np.concatenate([[0.0, duration], duration - lengths, times]))
    marks = marks[np.concatenate([[True], np.diff(marks) > near])]
    marks[0], marks[-1] = 0.0, duration
    if discrete and not np.array_equal(marks, np.round(marks)):
        raise ParameterError("duration, horizons and saved times of a map must be whole numbers")
    pieces = [
        np.linspace(a, b, max(1, math.ceil((b - a) / step - 1e-9)), endpoint=False)
        for a, b in pairwise(marks)
    ]
    points = np.concatenate([*pieces, marks[-1:]])
    return Grid(
        points=points,
        horizons=lengths,
        starts=tuple(int(np.abs(points - t).argmin()) for t in duration - lengths),
        saved=tuple(int(np.abs(points - t).argmin()) for t in times),
    )


def _norms(covector: Array) -> Array:
    """|λ|²/N of every draw, shape (k,)."""
    return np.asarray(np.einsum("fkn,fkn->k", covector, covector) / covector.shape[2])

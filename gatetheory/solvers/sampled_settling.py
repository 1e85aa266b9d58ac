"""Iterates covariances of one replica to self-consistency, and judges windows and steps.

Three things can go wrong in a way that a small residual does not show, and each has a number here:
covariances that still decay at the longest lags (:func:`undecayed`), a unit that remembers how it
started (:attr:`Replica.seam`), and a step too long (:func:`step_error`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gatetheory.solvers.sampled_mixing import Mixing, residual
from gatetheory.solvers.sampled_noise import covariance, power, refine, spectrum_of
from gatetheory.solvers.sampled_replica import Grid, Pool, Replica

Array = NDArray[np.float64]

QUIET = 1e-6
"""Fluctuating power, relative to the loudest seen or to the static part, that counts as none."""
_FEEDBACK = 4.0
_PATIENCE = 5.0
"""A fluctuating part may be this much less settled than the whole, relative to itself."""


@dataclass(frozen=True, eq=False)
class Settled:
    """What an iteration ended in.

    Args:
        kind: ``"chaotic"``, ``"quiet"`` (nothing fluctuates), or ``"stuck"``.
        spectra: The last iterate.
        history: Residual of every iteration.
    """

    kind: Literal["chaotic", "quiet", "stuck"]
    spectra: Array
    history: tuple[float, ...]


def settle(
    replica: Replica | Pool, spectra: Array, grid: Grid, tolerance: float, most: int, plain: int = 2
) -> Settled:
    """Iterate S = G(S) until ‖G(S) − S‖ ≤ tolerance ‖S‖.

    Args:
        replica: Defines G.
        spectra: Where to start.
        grid: The times.
        tolerance: Residual to reach; the unit has to be periodic to ten times as much as well.
        most: Number of iterations allowed.
        plain: Number of iterations before mixing begins.
    """
    mixing = Mixing(plain=plain)
    history: list[float] = []
    loudest = 0.0
    for _ in range(most):
        image = replica.map(spectra, grid)
        history.append(
            max(residual(spectra, image), residual(spectra[:, 1:], image[:, 1:]) / _PATIENCE)
        )
        fluctuating, static = float(image[:, 1:].sum()), float(image[:, 0].sum())
        loudest = max(loudest, fluctuating)
        if fluctuating + static <= QUIET * loudest:
            return Settled("quiet", image, tuple(history))
        if fluctuating <= QUIET * max(loudest, static):
            if replica.seam <= 10 * tolerance:
                return Settled("quiet", image, tuple(history))
            return Settled("stuck", image, tuple(history))  # still on the way to rest, or frozen
        if history[-1] <= tolerance and replica.seam <= 10 * tolerance:
            return Settled("chaotic", image, tuple(history))
        spectra = mixing.next(spectra, image)
    return Settled("stuck", spectra, tuple(history))


def start(replica: Replica, grid: Grid, loudness: float, time: float) -> Array:
    """Spectra to start from: Gaussian covariances of variance ``loudness`` s².

    Args:
        replica: Whose couplings these are.
        grid: The times.
        loudness: ⟨ψ²⟩ to start from.
        time: Correlation time.
    """
    shape = np.exp(-((grid.lags / time) ** 2) / 2)
    return np.array([spectrum_of(loudness * s * shape) for s in replica.sampler.scale])


def undecayed(spectrum: Array) -> float:
    """[C(T/4) − C(T/2)] / [C(0) − C(T/2)], each C(T/…) averaged over an eighth of the lags.

    It is e^{−T/4τ} for an exponential decay, and of order one where a window T is too short.
    """
    c = covariance(spectrum)
    n = len(c) - 1
    near, far = np.mean(c[3 * n // 8 : 5 * n // 8]), np.mean(c[7 * n // 8 :])
    decay = c[0] - far
    return float((near - far) / decay) if decay > 0 else 0.0


def decay_lag(spectrum: Array, left: float = 0.1) -> int:
    """The first lag, in steps, at which no more than a part of the decay to C(∞) is left."""
    c = covariance(spectrum)
    far = plateau(c)
    below = np.flatnonzero(c - far <= left * (c[0] - far))
    return int(below[0]) if len(below) else len(c) - 1


def far_noise(spectrum: Array, paths: int) -> float:
    """Standard deviation of C at far lags relative to C(0), from M paths; roughly.

    2∫C²dτ / (C(0)² T M), times what self-consistency makes of it: a factor of a few.
    """
    c = covariance(spectrum)
    decay = (c - plateau(c)) / max(c[0] - plateau(c), 1e-300)
    return float(_FEEDBACK * np.sqrt(np.sum(decay**2) / (len(c) * paths)))


def plateau(covariances: Array) -> float:
    """C(∞), the mean over the last eighth of the lags."""
    return float(np.mean(covariances[-(len(covariances) // 8 + 1) :]))


def lengthen(spectra: Array, factor: int = 2) -> Array:
    """Spectra on a window ``factor`` times as long: the plateau continued."""
    rows = []
    for row in spectra:
        c = covariance(row)
        extra = (factor - 1) * (len(c) - 1)
        rows.append(spectrum_of(np.concatenate([c, np.full(extra, plateau(c))])))
    return np.array(rows)


def step_error(replica: Replica, spectra: Array, grid: Grid) -> float:
    """Largest relative change of an equal-time average when the step is halved.

    Local fields are iterated once with either step, so that frequencies which the longer step
    cannot resolve are missed as they would be in the solution. Random numbers are the same for
    both, which leaves only the error of the step; the longer one is run before and after, so that
    what paths still forget drops out.
    """
    finer = Grid(2 * grid.points, grid.step / 2)
    coarse_spectra = replica.map(spectra, grid)
    before = equal_times(replica, coarse_spectra, grid)
    fine = equal_times(replica, replica.map(refine(spectra), finer), finer)
    after = equal_times(replica, coarse_spectra, grid)
    scale = np.maximum(np.abs(fine), 1e-12 * np.abs(fine).max())
    return float(np.max(np.abs((before + after) / 2 - fine) / scale))


def equal_times(replica: Replica, spectra: Array, grid: Grid) -> Array:
    """⟨x²⟩ of every output."""
    return np.array([power(o)[[0, -1]].sum() + 2 * power(o)[1:-1].sum()
                     for o in replica.run(spectra, grid).outputs])  # fmt: skip

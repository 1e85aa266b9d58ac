"""How fast perturbations of a sampled state grow: the fixed point of a map of their covariance.

For a perturbation e^{λt} u of the units that is kicked by δη e^{λt}, δη of covariance Γ, the map
F_λ(Γ) = s²⟨(R u)(R u)'⟩ is positive, and of degree one in Γ. Its largest gain μ falls with λ, and
the rate of growth is where μ = 1. Let λ rise with the size |Γ| of the perturbation,

    λ(Γ) = λ_0 + ln(|Γ|/|Γ_0|) / σ,    σ ≈ −d ln μ/dλ:

then F_{λ(Γ)}(Γ) = Γ is a fixed-point problem whose solution is the growing covariance and its rate
at once. Plain iteration would do Newton steps in λ and the power method in the shape of Γ; mixing
takes care of shapes whose gains lie close together, as they do for slow units. Random numbers stay
the same, so that the problem has no noise. ln μ is convex in λ: steps from the left stop short.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.sampled_mixing import Mixing, residual
from gatetheory.solvers.sampled_noise import refine
from gatetheory.solvers.sampled_replica import Grid, Pool, Replica

Array = NDArray[np.float64]

_MOST, _PLAIN = 120, 3
_TOLERANCE, _SEAM = 3e-3, 3e-2
"""Of F(Γ) − Γ relative to Γ, and of the response's periodicity."""
_PROBE = 2.0
"""σ is measured by raising λ by this much over the window."""
_FLATTEST = 0.05
"""Least σ, in units of the shortest time constant."""
_NEAR, _FAR, _WILD = 0.5, 1.5, 10.0
"""|ln μ| from which on the map is iterated; that is taken as a step too long; and ln μ at which the
response is taken to be unbounded."""
_RETREATS, _STEPS = 12, 60
_STILL, _TRIES = 1e-3, 60


@dataclass(frozen=True, eq=False)
class Growth:
    """A solution of μ(λ) = 1.

    Args:
        rate: λ.
        gains: Spectra of δη, of unit power in total.
        steepness: σ: an error of ln μ, divided by it, is one of λ.
        residual: ‖F(Γ) − Γ‖/‖Γ‖ left: shapes whose gains lie close together are not told apart,
            but the largest gain is known as well as that, however close they lie.
        settled: Whether the rate, the spectra and the response have stopped to change.
    """

    rate: float
    gains: Array
    steepness: float
    residual: float
    settled: bool


def grow(replica: Replica | Pool, spectra: Array, grid: Grid, guess: Growth | None) -> Growth:
    """Solve F_{λ(Γ)}(Γ) = Γ.

    Args:
        replica: Defines F.
        spectra: Spectra of the local fields.
        grid: The times.
        guess: Where to start; by default perturbations that fluctuate as the state does.

    Raises:
        ConvergenceError: If no rate is found at which perturbations neither grow nor die.
    """
    first = guess or _start(replica, spectra, grid)
    point = first.gains
    mixing, left, retreats = Mixing(plain=_PLAIN), np.inf, 0
    for _ in range(_MOST):
        rate = first.rate + _log(total(point)) / first.steepness
        image = _image(replica, spectra, point, rate, grid)
        excess = np.inf if image is None else _log(total(image) / total(point))
        if image is None or abs(excess) > _FAR:
            if guess is not None:
                return grow(replica, spectra, grid, None)
            retreats += 1
            if retreats > _RETREATS:
                break
            # half-way back, and shorter steps from there
            back = (first.rate + rate) / 2
            first = replace(first, rate=back, steepness=2 * first.steepness)
            point, mixing = first.gains, Mixing(plain=_PLAIN)
            continue
        left = max(residual(point, image), abs(excess))
        close = left <= _TOLERANCE
        if close and replica.tangent_seam <= _SEAM:
            rate += excess / first.steepness
            return Growth(rate, image / total(image), first.steepness, left, True)
        mixed = mixing.next(point, image)
        # the response of units lags behind what mixing does, so let it come to rest at the end
        point = image if close else mixed
    return Growth(rate, point / total(point), first.steepness, left, False)


def _start(replica: Replica | Pool, spectra: Array, grid: Grid) -> Growth:
    """A rate near the root, and σ there: bisection, while the power method turns Γ's shape."""
    gains = spectra / total(spectra)
    probe = _PROBE / grid.window
    rate, width = 0.0, probe
    low, high = -np.inf, np.inf
    for _ in range(_STEPS):
        image = _image(replica, spectra, gains, rate, grid)
        excess = np.inf if image is None else _log(total(image))
        if image is not None:
            gains = image / total(image)
            replica.rescale_tangent(1 / np.sqrt(total(image)))
        if abs(excess) < _NEAR:
            here = Growth(rate, gains, 0.0, np.inf, False)
            return replace(here, steepness=steepness(replica, spectra, grid, here))
        low, high = (rate, high) if excess > 0 else (low, rate)
        if high - low < probe / 8:  # gains rise while the shape turns
            high, width = np.inf, probe
        if np.isfinite(high - low):
            rate = (low + high) / 2
        else:
            rate, width = rate + np.copysign(width, excess), 2 * width
    raise ConvergenceError("no rate was found at which perturbations neither grow nor die")


def _log(x: float) -> float:
    return float(np.log(x))


def _image(
    replica: Replica | Pool, spectra: Array, gains: Array, rate: float, grid: Grid
) -> Array | None:
    """F_λ(Γ), or nothing if the response does not stay bounded at this rate."""
    try:
        image = replica.tangent_map(spectra, gains, rate, grid)
    except ConvergenceError:
        replica.forget_tangent()
        return None
    size = total(image) / total(gains)
    if size <= 0:
        raise ConvergenceError("perturbations of the single unit die at once: nothing is sent on")
    if size > np.exp(_WILD):
        replica.forget_tangent()
        return None
    return image


def steepness(replica: Replica | Pool, spectra: Array, grid: Grid, at: Growth) -> float:
    """−d ln μ/dλ at a solution, the shape of the covariance kept.

    Raises:
        ConvergenceError: If responses are unbounded there.
    """
    probe = _PROBE / grid.window
    here = replica.tangent_map(spectra, at.gains, at.rate, grid)
    beyond = replica.tangent_map(spectra, at.gains, at.rate + probe, grid)
    slope = _log(total(here) / total(beyond)) / probe
    return max(slope, _FLATTEST * replica.sampler.times()[1])


def rate_step_error(replica: Replica, spectra: Array, grid: Grid, at: Growth) -> float:
    """Change of λ when the step is halved, the shape of the covariance kept; 0 in a map.

    Args:
        replica: Paths with amplitudes for the finer grid, not necessarily those of the solution.
        spectra: Spectra of the local fields.
        grid: The times.
        at: The solution, with σ at it.
    """
    if replica.sampler.unit.discrete:
        return 0.0
    finer = Grid(2 * grid.points, grid.step / 2)
    replica.forget_tangent()
    replica.tangent_map(spectra, at.gains, at.rate, grid)
    before, fine, after = (
        total(replica.tangent_map(s, g, at.rate, on))
        for s, g, on in (
            (spectra, at.gains, grid),
            (refine(spectra), refine(at.gains), finer),
            (spectra, at.gains, grid),
        )
    )
    return abs(float(np.log(fine) - np.log(before * after) / 2)) / at.steepness


def total(spectra: Array) -> float:
    """Sum of the equal-time variances."""
    return float(spectra[:, [0, -1]].sum() + 2 * spectra[:, 1:-1].sum())


def is_unstable(replica: Replica, spectra: Array, grid: Grid) -> bool:
    """Whether perturbations of a quiet state grow, at a rate of a tenth of 1/T or more.

    Only static kicks are tried: those a quiet state passes on best. The response of slow units
    builds up over the iterations, so that the gain μ rises to its value.
    """
    rate = 0.1 / grid.window
    gains = np.zeros_like(spectra)
    gains[:, 0] = 1.0
    gains /= total(gains)
    size = before = 0.0
    for _ in range(_TRIES):
        image = replica.tangent_map(spectra, gains, rate, grid)
        size = total(image)
        if not np.isfinite(size) or size > 1:
            return True
        if size <= before * (1 + _STILL):
            return False
        gains, before = image / size, size
        replica.rescale_tangent(1 / np.sqrt(size))
    return False

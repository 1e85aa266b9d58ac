"""The outermost point of the spectral support: abscissa (continuous time), radius (discrete time).

The support is bounded by the Perron root ρ(λ) of K(λ) reaching one. Beyond every pole of K, the
largest ρ on the line Re λ = x (on the circle |λ| = r) falls as x (r) grows, so that the outermost
point is the root of a monotone function of one variable, here of the logarithm of the distance to
the outermost pole: support edges exponentially close to a pole keep their digits.

Where the poles vary from unit to unit their whole range belongs to the support. If K has spectral
radius below one right beside its end, that end is the answer, exactly: the support does not reach
further and no quadrature is involved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.local_modes import LocalModes
from gatetheory.solvers.transfer import State, TransferMatrix

Array = NDArray[np.float64]

NEAREST = 1e-150  # distance from a pole at which "right beside it" is tested
FARTHEST = 1e60
OFF_AXIS = 1e-9  # ln ρ beyond the real root that shows a larger one off the axis
DIRECTIONS = np.concatenate([[0.0], np.geomspace(1e-6, 1e6, 73)])


@dataclass(frozen=True)
class Border:
    """The outermost point of the support.

    Args:
        value: Abscissa, or radius.
        error: Error estimate.
        offset: λ − λ₀ at a point of the support with that abscissa or radius.
        origin: ``"boundary"`` of the bulk, an ``"atom"``, or ``"edge"`` of a range of poles that
            is approached but not passed (from below, as N → ∞).
        stable: Whether the state is stable: K has spectral radius below one everywhere on and
            beyond the border of stability, and every other mode decays.
        growth_at_border: Largest Perron root of K on the border of stability.
    """

    value: float
    error: float
    offset: complex
    origin: str
    stable: bool
    growth_at_border: float


def find_border(transfer: TransferMatrix, state: State, modes: LocalModes) -> Border:
    """Abscissa (or radius) and stability of a state, in doubles.

    Raises:
        ConvergenceError: If K does not fall below one at large |λ|: instantaneous (algebraic)
            loops are unstable by themselves.
    """
    discrete = transfer.condition.discrete
    size = np.abs if discrete else np.real
    critical = 1.0 if discrete else 0.0
    outermost = _Outermost(transfer, state)
    atoms = size(np.concatenate([modes.atoms, modes.families.ravel()]))
    moving = size(modes.moving_poles.ravel())
    fixed = size(modes.fixed_poles)
    pole = max([*moving, *fixed], default=0.0 if discrete else -1.0)

    bulk = _bulk_edge(outermost, float(pole), has_pole=bool(len(moving) or len(fixed)))
    candidates: list[tuple[float, float, complex, str]] = []
    if bulk is not None:
        candidates.append((*bulk, "boundary"))
    if len(moving):
        edge = modes.moving_poles.ravel()[np.argmax(moving)]
        candidates.append((float(moving.max()) + 0.0, 0.0, complex(edge) - critical, "edge"))
    if len(atoms):
        top = float(atoms.max())
        every = np.concatenate([modes.atoms, modes.families.ravel()])
        place = complex(every[np.argmax(atoms)]) - critical
        candidates.append((top, 4e-16 * abs(top), place, "atom"))
    value, error, offset, origin = max(candidates, key=lambda c: c[0])
    growth = outermost.at(critical if pole < critical else critical + NEAREST)[0]
    decays = bool(np.all(atoms < critical)) and pole <= critical
    return Border(
        value=value,
        error=error,
        offset=offset,
        origin=origin,
        stable=bool(growth < 1 and decays),
        growth_at_border=growth,
    )


def growth_at_border(
    transfer: TransferMatrix, state: State, modes: LocalModes
) -> tuple[float, float]:
    """Largest Perron root of K on the border of stability, and where: a frequency ≥ 0 (an angle).

    At poles on the border the values right beside them count.
    """
    discrete = transfer.condition.discrete
    size = np.abs if discrete else np.real
    critical = 1.0 if discrete else 0.0
    poles = size(np.concatenate([modes.moving_poles.ravel(), modes.fixed_poles]))
    level = critical if max(poles, default=-1.0) < critical else critical + NEAREST
    growth, _, offset = _Outermost(transfer, state).at(level)
    frequency = np.arctan2(offset.imag, 1 + offset.real) if discrete else offset.imag
    return float(growth), float(frequency)


def _bulk_edge(
    outermost: _Outermost, pole: float, *, has_pole: bool
) -> tuple[float, float, complex] | None:
    """Outermost root of ρ = 1 beyond a pole; None where ρ stays below one."""
    low, high = float(np.log(NEAREST)), float(np.log(FARTHEST))

    def excess(s: float, *, everywhere: bool = True) -> float:
        distance = float(np.exp(s))
        place = (pole, distance)
        if everywhere:
            radius = outermost.at(pole + distance, offset=place)[0]
        else:
            radius = outermost.on_axis(pole + distance, offset=place)
        return float(np.log(max(radius, 1e-300))) if np.isfinite(radius) else 700.0

    def root(start: float, *, everywhere: bool) -> float:
        found = optimize.brentq(
            lambda s: excess(s, everywhere=everywhere), start, high, xtol=1e-15, rtol=8.9e-16
        )
        return float(found)

    if not has_pole or excess(low) < 0:
        return None
    if excess(high) > 0:
        raise ConvergenceError(
            "the transfer matrix stays above one at large λ: algebraic fields form an unstable "
            "loop; reduce their gain or give one of them a time constant"
        )
    # As a rule the outermost point is real; the search off the axis is then one check at the end.
    s = root(low, everywhere=False) if excess(low, everywhere=False) > 0 else low
    if excess(s) > OFF_AXIS:
        s = root(s, everywhere=True)
    distance = float(np.exp(s))
    radius, noise, offset = outermost.at(pole + distance, offset=(pole, distance))
    step = 1e-4
    slope = (excess(s + step) - excess(s - step)) / (2 * step)
    error = distance * (noise / radius + 1e-15) / max(abs(slope), 1e-300)
    return pole + distance, error + 2e-16 * abs(pole + distance), offset


class _Outermost:
    """Largest Perron root on a line Re λ = x, or on a circle |λ| = r."""

    def __init__(self, transfer: TransferMatrix, state: State) -> None:
        self.transfer, self.state = transfer, state

    def on_axis(self, level: float, offset: tuple[float, float]) -> float:
        """Perron root where the line or circle meets the positive real axis."""
        x, y = self._directions(level, offset)
        return float(self.transfer.spectral_radius(x[0], y[0], self.state)[0])

    def at(
        self, level: float, offset: tuple[float, float] | None = None
    ) -> tuple[float, float, complex]:
        """Perron root, its error, and where on the line (circle) it is attained.

        Args:
            level: x, or r.
            offset: The level as a sum of two numbers, the second possibly tiny.
        """
        candidates = self._directions(level, offset)
        x, y = candidates
        radius, noise = self.transfer.spectral_radius(x, y, self.state, tolerance=1e-6)
        k = int(np.argmax(radius))
        if 0 < k < len(x) - 1 and np.isfinite(radius[k]):
            return self._refined(level, offset, k)
        radius, noise = self.transfer.spectral_radius(x[k], y[k], self.state)
        return float(radius), float(noise), complex(x[k], y[k])

    def _directions(self, level: float, offset: tuple[float, float] | None) -> tuple[Array, Array]:
        if self.transfer.condition.discrete:
            angles = np.concatenate([[0.0], np.linspace(0.0, np.pi, 65)[1:]])
            return self._on_circle(angles, level, offset)
        x = level if offset is None else offset[0] + offset[1]
        return np.full(len(DIRECTIONS), x), DIRECTIONS

    @staticmethod
    def _on_circle(
        angles: Array, level: float, offset: tuple[float, float] | None
    ) -> tuple[Array, Array]:
        excess = level - 1 if offset is None else (offset[0] - 1) + offset[1]
        # r cos θ − 1 = (r − 1) cos θ − 2 sin²(θ/2), without cancellation
        return excess * np.cos(angles) - 2 * np.sin(angles / 2) ** 2, level * np.sin(angles)

    def _refined(
        self, level: float, offset: tuple[float, float] | None, k: int
    ) -> tuple[float, float, complex]:
        """The maximum between grid directions k − 1 and k + 1."""
        discrete = self.transfer.condition.discrete

        def place(q: float) -> tuple[Array, Array]:
            if discrete:
                return self._on_circle(np.array([q]), level, offset)
            x = level if offset is None else offset[0] + offset[1]
            return np.array([x]), np.array([q])

        grid = np.linspace(0.0, np.pi, 65) if discrete else DIRECTIONS
        best = optimize.minimize_scalar(
            lambda q: -float(self.transfer.spectral_radius(*place(q), self.state)[0][0]),
            bounds=(grid[k - 1], grid[k + 1]),
            method="bounded",
            options={"xatol": 1e-9 * grid[k + 1]},
        )
        x, y = place(float(best.x))
        radius, noise = self.transfer.spectral_radius(x, y, self.state)
        return float(radius[0]), float(noise[0]), complex(x[0], y[0])

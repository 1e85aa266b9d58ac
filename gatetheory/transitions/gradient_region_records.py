"""Records of where gradients vanish, stay and explode in the plane of two parameters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gatetheory.solvers.records import Provenance

Array = NDArray[np.float64]

KINDS = ("vanishing", "marginal", "exploding", "unknown")
VANISHING, MARGINAL, EXPLODING, UNKNOWN = range(4)


@dataclass(frozen=True)
class GradientPoint:
    """How |λ|² grows backward at one place.

    Args:
        rate: Its growth exponent per unit of time (step); −∞ where a map's adjoint ends after some
            steps, None where it is unknown.
        error: Its error.
        state: ``"fixed point"``, ``"chaotic"`` or ``"none"``.
        origin: What sets the exponent: ``"boundary"`` of the adjoint's spectrum, an ``"atom"``,
            an ``"edge"`` (closed gates whose adjoint modes come as near to the border of
            stability as one likes), or ``"lag"``, the adjoint's eigenproblem in the lag.
        left: |λ|² at the start of the horizon over that at its end, computed only at an
            ``"edge"``, where no exponent tells; None elsewhere.
        reason: Why nothing is known, or what the number rests on.
    """

    rate: float | None
    error: float | None
    state: str
    origin: str
    left: float | None
    reason: str


@dataclass(frozen=True)
class GradientRegions:
    """Growth of gradients in the plane of two parameters, on a grid.

    A place is ``"marginal"`` where |rate| · horizon < threshold: over the horizon the exponent
    changes |λ|² by less than e^threshold. At an edge the exponent is 0 and |λ|² falls more slowly
    than any exponential; by how much is in :attr:`left`.

    Args:
        x: Name of the parameter on the x axis.
        y: Name of that on the y axis.
        grid: Values of x and of y.
        points: What was found there, rows of constant y.
        horizon: T, in the model's own time (steps).
        threshold: See above.
        notes: What was chosen for the whole plane.
        provenance: Parameters, assumptions, references.
    """

    x: str
    y: str
    grid: tuple[Array, Array] = field(hash=False)
    points: tuple[tuple[GradientPoint, ...], ...]
    horizon: float
    threshold: float
    notes: tuple[str, ...]
    provenance: Provenance

    @property
    def rates(self) -> Array:
        """Growth exponents of |λ|², NaN where unknown; shape (y, x)."""
        return _table([[p.rate for p in row] for row in self.points])

    @property
    def left(self) -> Array:
        """|λ|² left after the horizon where the exponent is that of an edge, else NaN."""
        return _table([[p.left for p in row] for row in self.points])

    @property
    def kinds(self) -> NDArray[np.int64]:
        """Number of the region, an index into ``KINDS``; shape (y, x)."""
        return np.array([[self._kind(p) for p in row] for row in self.points], dtype=np.int64)

    @property
    def reasons(self) -> dict[str, int]:
        """Why places are unknown, and how many."""
        return dict(Counter(p.reason for row in self.points for p in row if p.rate is None))

    def _kind(self, point: GradientPoint) -> int:
        if point.rate is None:
            return UNKNOWN
        if abs(point.rate) * self.horizon < self.threshold:
            return MARGINAL
        return VANISHING if point.rate < 0 else EXPLODING

    def cite(self) -> str:
        """The references used."""
        return self.provenance.cite()

    def __str__(self) -> str:
        (x, y), kinds = self.grid, self.kinds
        lines = [
            f"gradients over a horizon of {self.horizon:g} in {self.x} ({x[0]:g} to {x[-1]:g}) and "
            f"{self.y} ({y[0]:g} to {y[-1]:g}), {len(x)} x {len(y)} places"
        ]
        letters = "-0+?"
        lines += [
            f"{self.y} = {value:<8.5g} " + " ".join(letters[k] for k in row)
            for value, row in zip(y[::-1], kinds[::-1], strict=True)
        ]
        counts = [f"{letters[k]} {n}: {int((kinds == k).sum())}" for k, n in enumerate(KINDS)]
        lines.append(", ".join(counts))
        lines += [f"unknown at {n}: {why}" for why, n in self.reasons.items()]
        return "\n".join([*lines, *self.notes])


def _table(rows: list[list[float | None]]) -> Array:
    return np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=float)

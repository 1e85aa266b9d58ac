"""The solution of a two-time problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ParameterError
from gatetheory.solvers.records import Provenance, Status

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TwoTime:
    """Second moments at two times, and means, from given initial values on.

    Memory is 8 bytes × T² × (number of moments), for T times.

    Args:
        status: ``"ok"``, ``"not_converged"``, or ``"precision_lost"`` where rounding exceeds the
            tolerance.
        times: The times t_i, shape (T,).
        moments: ⟨x(t_i) x(t_j)⟩ by name, shape (T, T): ``C_<field>``, ``C_<nonlinearity>``, and
            ``C_eta_<coupling>`` = s² ⟨ψ ψ'⟩. Means are not subtracted.
        means: Mean of every field by name (``m_<field>``), shape (T,).
        errors: Largest absolute error of every moment and mean, estimated from halving the step.
        residual: Largest |C_η − s²⟨ψψ'⟩| that was left, relative to the largest C_η.
        step: The step in time that was used; 1 in a map.
        memory: Bytes of the moments.
        advice: What to do when the status is not ok; warnings otherwise.
        provenance: Parameters, assumptions, references.
        closure: ``"constant"``: gates keep the value they have at a stationary mean.
        reason: Why this closure.
    """

    status: Status
    times: Array
    moments: Mapping[str, Array] = field(repr=False)
    means: Mapping[str, Array] = field(repr=False)
    errors: Mapping[str, float]
    residual: float
    step: float
    memory: int
    advice: str
    provenance: Provenance = field(repr=False)
    closure: str = "constant"
    reason: str = ""

    def __getitem__(self, name: str) -> Array:
        found = self.moments.get(name, self.means.get(name))
        if found is None:
            known = [*self.moments, *self.means]
            near = get_close_matches(name, known, n=2, cutoff=0.4) or known
            raise ParameterError(f"there is no {name!r}; there are {', '.join(near)}")
        return found

    def equal_time(self, name: str) -> Array:
        """⟨x(t)²⟩ of a moment, shape (T,)."""
        return np.diagonal(self[name]).copy()

    def covariance(self, field_name: str) -> Array:
        """⟨x(t) x(t')⟩ − m(t) m(t') of a field, shape (T, T)."""
        mean = self[f"m_{field_name}"]
        return self[f"C_{field_name}"] - np.outer(mean, mean)

    def cite(self) -> str:
        """The references used."""
        return self.provenance.cite()

    def __str__(self) -> str:
        first, last = self.times[0], self.times[-1]
        lines = [f"closure {self.closure} ({self.reason})"] if self.reason else []
        lines += [
            f"{len(self.times)} times from {first:g} to {last:g}, step {self.step:g}, "
            f"{self.memory / 1e6:.1f} MB ({self.status})"
        ]
        for name, value in self.moments.items():
            lines.append(
                f"{name}: {value[0, 0]:.9g} → {value[-1, -1]:.9g} at equal times, "
                f"{value[0, -1]:.9g} between first and last (± {self.errors[name]:.1e})"
            )
        for name, mean in self.means.items():
            if mean.any():
                lines.append(f"{name}: {mean[0]:.9g} → {mean[-1]:.9g} (± {self.errors[name]:.1e})")
        if self.advice:
            lines.append(self.advice)
        return "\n".join(lines)

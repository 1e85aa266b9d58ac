"""How the adjoint at a fixed point grows: the outermost point of its spectrum that is excited.

Derived from the transposed Jacobian, s_a² ⟨|L_aᵀ (pE − Aᵀ)⁻¹ R_bᵀ|²⟩ reaching spectral radius 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gatetheory.equations.gradient_problem import ExternalLoss
from gatetheory.equations.shapes import SpectralCondition
from gatetheory.solvers.local_modes import LocalModes
from gatetheory.solvers.spectrum import SpectralProblem
from gatetheory.solvers.stability_border import find_border
from gatetheory.solvers.transfer import State

LEAST_RADIUS = 1e-3  # of the circle a map's transforms are taken on


@dataclass(frozen=True)
class Growth:
    """Growth of the adjoint.

    Args:
        border: Abscissa (radius of a map) of what is excited.
        rate: Rate of |λ|² per unit of time (step); −∞ where a map's adjoint ends after some steps.
        error: Its error.
        origin: As in :class:`~gatetheory.solvers.stability_border.Border`.
        reach: Distance of the excited spectrum's other end from the border, roughly.
    """

    border: float
    rate: float
    error: float
    origin: str
    reach: float

    def envelope(self, times: NDArray[np.float64], *, discrete: bool) -> NDArray[np.float64]:
        """What |λ|² grows by at most, up to powers of time."""
        rate = math.log(self.border) if discrete else self.border
        return np.exp(2 * rate * times)


def adjoint_growth(
    problem: SpectralProblem, state: State, loss: ExternalLoss, mass: NDArray[np.float64]
) -> Growth:
    """Growth of the adjoint that a loss starts.

    Args:
        problem: The condition for the transposed Jacobian, compiled.
        state: Numbers of the fixed point.
        loss: The loss.
        mass: Numbers on the diagonal of E.
    """
    condition = problem.condition
    modes = problem.border(state)[1]
    if not _reaches_every_field(condition, loss, modes):
        none = np.empty(0, complex)
        modes = replace(modes, atoms=none, families=np.empty((0, 1), complex))
    border = find_border(problem.transfer, state, modes)
    reach = _reach(modes, border.value)
    if condition.discrete:
        rate = 2 * math.log(border.value) if border.value > 0 else -math.inf
        error = 2 * border.error / border.value if border.value > 0 else 0.0
        return Growth(max(border.value, LEAST_RADIUS), rate, error, border.origin, reach)
    return Growth(border.value, 2 * border.value, 2 * border.error, border.origin, reach)


def _reaches_every_field(
    condition: SpectralCondition, loss: ExternalLoss, modes: LocalModes
) -> bool:
    """Whether fields outside K are driven by the loss or by a backward field all the same."""
    drift, drives = condition.drift_matrix, condition.drives  # Aᵀ and Rᵀ
    size = range(drift.rows)
    reached = {k for k in size if loss.slopes[k] != 0 or any(e != 0 for e in drives[k, :])}
    for _ in size:
        reached |= {k for k in size for j in reached if drift[k, j] != 0}
    return any(k in reached for k in size if not modes.active[k])


def _reach(modes: LocalModes, border: float) -> float:
    poles = np.concatenate([modes.atoms, modes.fixed_poles])
    found = [1e-3, *np.abs(poles - border)]
    found += [4 * float(np.median(np.abs(row - border))) for row in modes.moving_poles]
    return float(max(found))

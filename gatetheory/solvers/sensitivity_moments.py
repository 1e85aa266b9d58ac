r"""Second moments of the sensitivity to a parameter on a stationary state with a linear law.

With v = ∂x/∂θ, ρ = E⁻¹∂_θE and y = v + ρ x̃, the law differentiated by θ reads

    E ẏ = D y + B δη + (∂_θD − Dρ) x̃ + ∂_θB η + ∂_θG s̃,      y(0) = ρ x̃(0),

so that v = V B δη + k, with V the response of the linear law and k a known combination of the
stationary x̃, η and s̃. Two replicas (:mod:`gatetheory.theory.replica_slopes`) give the rest,

    ⟨x̃(r) v'⟩ = ⟨x̃(r) δη'⟩ (VB)ᵀ + ⟨x̃(r) k'⟩,     ⟨η(r) δη(t')⟩ = ∂_θ₂ s²⟨ψ ψ'⟩ for all r ≤ T,
    ⟨v v'⟩ = (VB)⟨δη δη'⟩(VB)ᵀ + (VB)⟨δη k'⟩ + …,  ⟨δη δη'⟩ = ∂_θ₁∂_θ₂ s²⟨ψ ψ'⟩.

Both are linear in what is unknown and causal. The past r < 0 counts, since the state at t = 0 knows
the couplings; it is cut where covariances have reached their plateau, and held there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sympy import Symbol

from gatetheory.equations.adjoint_system import SensitivitySystem
from gatetheory.errors import ConvergenceError
from gatetheory.solvers.sensitivity_coefficients import Monomial, Sources
from gatetheory.solvers.sensitivity_known import Known
from gatetheory.solvers.stationary_pairs import StationaryPairs
from gatetheory.solvers.time_grid import TimeGrid

Array = NDArray[np.float64]

_ROUNDS, _SETTLED = 5000, 1e-15


@dataclass(frozen=True)
class Sensitivity:
    """What a parameter's sensitivity leaves on a grid of times.

    Args:
        covariance: Cov(v_k(t), v_l(t')), shape (n, F, n, F).
        means: ⟨v_k(t)⟩, shape (n, F).
    """

    covariance: Array
    means: Array

    @property
    def moments(self) -> Array:
        """⟨v_k(t) v_l(t')⟩, shape (n, F, n, F)."""
        product = self.means[:, :, None, None] * self.means[None, None]
        return np.asarray(self.covariance + product)


def sensitivity(
    pairs: StationaryPairs,
    system: SensitivitySystem,
    sources: Sources,
    grid: TimeGrid,
    whole: TimeGrid,
) -> Sensitivity:
    """Solve for the sensitivity's moments.

    Args:
        pairs: The stationary state.
        system: Derivatives by the parameter.
        sources: The sources' derivatives.
        grid: Times from 0 to the longest horizon.
        whole: Times from long ago to the longest horizon; those from 0 on are the grid's.

    Raises:
        ConvergenceError: If the moments grow beyond the numbers.
    """
    known = Known(pairs, system, grid, whole)
    solver = _Solver(pairs, sources, known)
    local, forward = solver.forward()
    return Sensitivity(solver.both(local, forward), known.means)


class _Solver:
    """Iterates both linear problems."""

    def __init__(self, pairs: StationaryPairs, sources: Sources, known: Known) -> None:
        self.known, self.sources = known, sources
        self.names = pairs.system.unknowns

    def forward(self) -> tuple[Array, Array]:
        """⟨η_a(r) δη_a(t)⟩, shape (A, R, n), and ⟨x̃_k(r) v_l(t)⟩, shape (R, F, n, F)."""
        known, names = self.known, self.names
        shape = known.all_steps, known.steps
        lags = known.every[:, None] - known.nodes[None, :]
        tables = [p.tables(lags) for p in self.sources.first]
        given: dict[Symbol, Array] = {
            s: np.broadcast_to(known.means[:, i], shape) for i, s in names.mean_then.items()
        }

        def local_of(values: Array) -> Array:
            at = known.at_equal_times(values)
            here = given | {s: values[:, k, :, m] for (k, m), s in names.forward.items()}
            here |= {
                s: np.broadcast_to(at[:, k, m] + at[:, m, k], shape)
                for (k, m), s in names.then.items()
            }
            return np.array([_evaluated(t, here, shape) for t in tables])

        def covariance_of(local: Array) -> Array:
            pushed = np.einsum("rkqa,aqn->rkan", known.state_response, local, optimize=True)
            moved = np.einsum("rkan,imna->rkim", pushed, known.response, optimize=True)
            return np.asarray(moved + known.with_state)

        values = _settle(lambda v: covariance_of(local_of(v)), known.with_state)
        return local_of(values), values

    def both(self, local: Array, forward: Array) -> Array:
        """Cov(v_k(t), v_l(t')), shape (n, F, n, F)."""
        known, names = self.known, self.names
        n = known.steps
        shape = n, n
        given = self._at_both_times(forward)
        lags = known.nodes[:, None] - known.nodes[None, :]
        unknown = set(names.both.values())
        rest, slopes = np.zeros((len(local), n, n)), []
        index = {s: key for key, s in names.both.items()}
        for a, polynomial in enumerate(self.sources.second):
            tables = polynomial.tables(lags)
            fixed = {m: t for m, t in tables.items() if not unknown & set(m)}
            rest[a] = _evaluated(fixed, given, shape)
            slopes += [(a, index[m[0]], t) for m, t in tables.items() if unknown & set(m)]
        crossed = known.driven_with_known(local)
        crossed = np.einsum("ikna,anjm->ikjm", known.response, crossed, optimize=True)
        base = known.covariance + crossed + crossed.transpose(2, 3, 0, 1)

        def covariance_of(values: Array) -> Array:
            source = rest.copy()
            for a, (k, m), table in slopes:
                source[a] += table * values[:, k, :, m]
            pushed = np.einsum("ikna,anj->ikaj", known.response, source, optimize=True)
            return np.asarray(
                base + np.einsum("ikaj,mlja->ikml", pushed, known.response, optimize=True)
            )

        return _settle(covariance_of, base)

    def _at_both_times(self, forward: Array) -> dict[Symbol, Array]:
        """Everything but ⟨v v'⟩ that the second derivative contains, shape (n, n) each."""
        known, names = self.known, self.names
        n = known.steps
        here, at = forward[-n:], known.at_equal_times(forward)
        given = {s: here[:, k, :, m] for (k, m), s in names.forward.items()}
        given |= {s: here[:, m, :, k].T for (k, m), s in names.backward.items()}
        for variances, means, axes in (
            (names.now, names.mean_now, (n, 1)),
            (names.then, names.mean_then, (1, n)),
        ):
            for (k, m), s in variances.items():
                change = (at[:, k, m] + at[:, m, k]).reshape(axes)
                given[s] = np.broadcast_to(change, (n, n))
            for i, s in means.items():
                given[s] = np.broadcast_to(known.means[:, i].reshape(axes), (n, n))
        return given


def _evaluated(
    tables: Mapping[Monomial, Array], given: Mapping[Symbol, Array], shape: tuple[int, int]
) -> Array:
    """Σ c_m m."""
    total = np.zeros(shape)
    for monomial, coefficient in tables.items():
        term = coefficient
        for symbol in monomial:
            term = term * given[symbol]
        total += term
    return total


def _settle(step: Callable[[Array], Array], start: Array) -> Array:
    """Iterate a causal linear map to the last digit."""
    values, change = start, np.inf
    for _ in range(_ROUNDS):
        new = step(values)
        change, size = float(np.abs(new - values).max()), float(np.abs(new).max())
        values = new
        if not np.isfinite(change) or change <= _SETTLED * size:
            break
    if not change <= 1e-12 * float(np.abs(values).max()) + 1e-300:
        raise ConvergenceError("the sensitivities did not settle; choose shorter horizons")
    return values

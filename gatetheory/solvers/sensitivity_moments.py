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

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.equations.adjoint_system import SensitivitySystem
from gatetheory.errors import ConvergenceError
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
    pairs: StationaryPairs, system: SensitivitySystem, grid: TimeGrid, whole: TimeGrid
) -> Sensitivity:
    """Solve for the sensitivity's moments.

    Args:
        pairs: The stationary state.
        system: Derivatives by the parameter.
        grid: Times from 0 to the longest horizon.
        whole: Times from long ago to the longest horizon; those from 0 on are the grid's.

    Raises:
        ConvergenceError: If the moments grow beyond the numbers.
    """
    known = Known(pairs, system, grid, whole)
    solver = _Solver(pairs, system, known)
    local, forward = solver.forward()
    return Sensitivity(solver.both(local, forward), known.means)


class _Solver:
    """Iterates both linear problems."""

    def __init__(self, pairs: StationaryPairs, system: SensitivitySystem, known: Known) -> None:
        self.pairs, self.system, self.known = pairs, system, known
        self.names = pairs.system.unknowns
        n, r = known.steps, known.all_steps
        self.shape_first = r, n
        self.lags_first = (known.every[:, None] - known.nodes[None, :]).ravel()
        self.lags_both = (known.nodes[:, None] - known.nodes[None, :]).ravel()

    # ---- ⟨x v'⟩ and ⟨η δη'⟩ ------------------------------------------------------------------

    def forward(self) -> tuple[Array, Array]:
        """⟨η_a(r) δη_a(t)⟩, shape (A, R, n), and ⟨x̃_k(r) v_l(t)⟩, shape (R, F, n, F)."""
        known, names = self.known, self.names
        r, n = self.shape_first
        linear = [*names.forward.values(), *names.then.values()]
        fixed = {
            s: np.tile(known.means[:, i], r) for i, s in names.mean_then.items()
        }  # as (r, n), the time of v last
        rest, slopes = self._split(self.system.first, linear, fixed, self.lags_first, (r, n))

        def local_of(values: Array) -> Array:
            given = {s: values[:, k, :, m] for (k, m), s in names.forward.items()}
            at = known.at_equal_times(values)
            given |= {s: at[:, k, m] + at[:, m, k] for (k, m), s in names.then.items()}
            found = rest.copy()
            for (a, s), table in slopes.items():
                found[a] += table * given[s]
            return found

        def covariance_of(local: Array) -> Array:
            pushed = np.einsum("rkqa,aqn->rkan", known.state_response, local, optimize=True)
            moved = np.einsum("rkan,imna->rkim", pushed, known.response, optimize=True)
            return np.asarray(moved + known.with_state)

        values = _settle(lambda v: covariance_of(local_of(v)), known.with_state)
        return local_of(values), values

    # ---- ⟨v v'⟩ ------------------------------------------------------------------------------

    def both(self, local: Array, forward: Array) -> Array:
        """Cov(v_k(t), v_l(t')), shape (n, F, n, F)."""
        known, names = self.known, self.names
        n = known.steps
        here = forward[-n:]
        at = known.at_equal_times(forward)
        change = at + at.transpose(0, 2, 1)
        now, then = (n, 1), (1, n)
        fixed: dict[Symbol, Array] = {}
        for (k, m), s in names.forward.items():
            fixed[s] = here[:, k, :, m]
        for (k, m), s in names.backward.items():
            fixed[s] = here[:, m, :, k].T
        for table, shape in ((names.now, now), (names.then, then)):
            for (k, m), s in table.items():
                fixed[s] = change[:, k, m].reshape(shape) + np.zeros((n, n))
        for means, shape in ((names.mean_now, now), (names.mean_then, then)):
            for i, s in means.items():
                fixed[s] = known.means[:, i].reshape(shape) + np.zeros((n, n))
        flat = {s: np.ascontiguousarray(v).ravel() for s, v in fixed.items()}
        linear = list(names.both.values())
        rest, slopes = self._split(self.system.second, linear, flat, self.lags_both, (n, n))
        index = {s: key for key, s in names.both.items()}
        crossed = known.driven_with_known(local)
        crossed = np.einsum("ikna,anjm->ikjm", known.response, crossed, optimize=True)
        base = known.covariance + crossed + crossed.transpose(2, 3, 0, 1)

        def covariance_of(values: Array) -> Array:
            source = rest.copy()
            for (a, s), table in slopes.items():
                k, m = index[s]
                source[a] += table * values[:, k, :, m]
            pushed = np.einsum("ikna,anj->ikaj", known.response, source, optimize=True)
            return np.asarray(
                base + np.einsum("ikaj,mlja->ikml", pushed, known.response, optimize=True)
            )

        return _settle(covariance_of, base)

    def _split(
        self,
        expressions: Sequence[Expr],
        linear: Sequence[Symbol],
        given: dict[Symbol, Array],
        lags: Array,
        shape: tuple[int, int],
    ) -> tuple[Array, dict[tuple[int, Symbol], Array]]:
        """Constant part, shape (A, …), and coefficients of unknowns, of expressions linear in them.

        Args:
            expressions: One per coupling.
            linear: The unknowns.
            given: What else they contain.
            lags: At which they are evaluated.
            shape: Of the result.
        """
        zero = dict.fromkeys(linear, 0)
        outputs = [e.xreplace(zero) for e in expressions]
        keys = []
        for a, e in enumerate(expressions):
            for s in linear:
                slope = e.diff(s)
                if slope != 0:
                    keys.append((a, s))
                    outputs.append(slope)
        values = self.pairs.averages(outputs, lags, given).reshape(-1, *shape)
        count = len(expressions)
        return values[:count], dict(zip(keys, values[count:], strict=True))


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

r"""The adjoint at a fixed point, closed in the Laplace variables p, p' of its two times.

With times counted backward from the horizon, E ∂_s μ = Aᵀμ + Σ_b R_bᵀ ζ_b and E μ(0) = c ∂f/∂x (a
running loss adds c ∂f/∂x all along instead), A, L and R constant in time, q_a = ⟨(L_aᵀμ)(L_aᵀμ)'⟩,

    q_a = k_a + Σ_b s_b² ⟨G_ba G_ba'⟩ q_b,      G = R (pE − A)⁻¹ L,
    k_a = ⟨g_a g_a'⟩,                            g = ∂f/∂x (pE − A)⁻¹ L,

and, static as the state is, Q_a(T) = ⟨ψ_a²⟩ ∫∫ q_a over [0, T]². In a map ∂_s is a step and step
number 0 is the loss itself; the adjoint of x(T − s) is found at step s + 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import S

from gatetheory.equations.gradient_problem import ExternalLoss
from gatetheory.errors import ConvergenceError
from gatetheory.solvers.laplace_contour import Contour
from gatetheory.solvers.transfer import perron
from gatetheory.solvers.unit_averages import UnitAverages
from gatetheory.solvers.unit_products import Products
from gatetheory.solvers.unit_responses import UnitResponses

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Numbers:
    """Numbers of a fixed point.

    Args:
        variances: s_a².
        order: Δ_a = s_a² ⟨ψ_a²⟩.
        mass: Diagonal of E.
    """

    variances: Array
    order: Array
    mass: Array


@dataclass(frozen=True)
class FixedPointAdjoint:
    """Covariances of the adjoint, as coefficients over a contour's functions of time.

    Args:
        contour: The contour.
        discrete: Whether time counts steps.
        fed: q_a, shape (couplings, n, n).
        fields: ⟨(E_f μ_f)(E_f μ_f)'⟩ of fields with dynamics, by index.
        sent: ⟨ψ_a²⟩.
    """

    contour: Contour
    discrete: bool
    fed: Array
    fields: Mapping[int, Array]
    sent: Array

    def couplings(self, horizons: ArrayLike) -> Array:
        """Q_a(T), shape (couplings, horizons)."""
        sums = self.contour.sums(0, horizons)
        return np.asarray(self.sent[:, None] * np.einsum("nt,anm,mt->at", sums, self.fed, sums))

    def covariance(self, first: ArrayLike, second: ArrayLike) -> dict[int, Array]:
        """C_λ of every field at backward times s and s', shape (first, second)."""
        left, right = (self._at(t) for t in (first, second))
        return {f: left.T @ c @ right for f, c in self.fields.items()}

    def norm(self, horizons: ArrayLike) -> Array:
        """Σ_f ⟨λ_f(0)²⟩."""
        at = self._at(horizons)
        total = sum(self.fields.values(), np.zeros((len(at), len(at))))
        return np.asarray(np.einsum("nt,nm,mt->t", at, total, at))

    def _at(self, times: ArrayLike) -> Array:
        return self.contour.values(np.asarray(times) + (1 if self.discrete else 0))


def solve_adjoint(
    responses: UnitResponses,
    averages: UnitAverages,
    contour: Contour,
    loss: ExternalLoss,
    numbers: Numbers,
) -> FixedPointAdjoint:
    """Solve for q at all pairs of points.

    Raises:
        ConvergenceError: If the contour does not enclose the support of the spectrum.
    """
    count = len(numbers.order)
    squares = second_moments(responses, averages)
    require_outside(squares, numbers.variances)
    source = np.outer(contour.step, contour.step) if loss.running else np.ones(1)
    row = responses.read(loss)
    given = [responses.to_local_field(row, a) for a in range(count)]
    fed = np.zeros((*squares.shape[:2], count), complex)
    reached = _reached(responses, given)
    if reached:
        start = np.stack([averages.pair(given[a], given[a]) * source for a in reached], axis=-1)
        kernel = (squares * numbers.variances[:, None]).swapaxes(-1, -2)
        among = np.eye(len(reached)) - kernel[..., reached, :][..., reached]
        fed[..., reached] = np.linalg.solve(among, start[..., None])[..., 0]
    discrete = responses.condition.discrete
    fields = {}
    for f in np.flatnonzero(numbers.mass > 0):
        own: Complex = averages.pair(row[f], row[f]) * source
        if discrete and loss.running:
            own = _without_start(responses, averages, contour, loss, int(f))
        for b, sent in enumerate(responses.sent):
            if sent[f]:
                again = averages.pair(sent[f], sent[f]) * fed[..., b]
                own = np.asarray(own + float(numbers.variances[b]) * again)
        fields[int(f)] = float(numbers.mass[f]) ** 2 * contour.coefficients(own)
    coefficients = np.stack([contour.coefficients(fed[..., a]) for a in range(count)])
    return FixedPointAdjoint(
        contour, discrete, coefficients, fields, numbers.order / numbers.variances
    )


def _reached(responses: UnitResponses, given: Sequence[Products]) -> list[int]:
    """Couplings whose backward field is not zero throughout."""
    size = range(len(given))
    found = {a for a in size if given[a]}
    for _ in size:
        found |= {a for a in size for b in found if responses.transfers[b][a]}
    return sorted(found)


def second_moments(responses: UnitResponses, averages: UnitAverages) -> Complex:
    """⟨G_ab(p) G_ab(p')⟩, shape (points, points, couplings, couplings)."""
    rows = [[averages.pair(g, g) for g in row] for row in responses.transfers]
    return np.moveaxis(np.array(rows), (0, 1), (2, 3))


def require_outside(squares: Complex, variances: Array) -> None:
    """Refuse a contour on which K(p, p*) reaches spectral radius 1.

    Raises:
        ConvergenceError: If it does.
    """
    size = range(len(squares))
    diagonal = np.abs(squares[size, size[::-1]]) * variances[:, None]
    radius = perron(diagonal, np.zeros_like(diagonal))[0].max()
    if not radius < 1:
        raise ConvergenceError(
            f"the contour of the inverse Laplace transform meets the spectrum (radius {radius:.3g})"
        )


def _without_start(
    responses: UnitResponses,
    averages: UnitAverages,
    contour: Contour,
    loss: ExternalLoss,
    f: int,
) -> Complex:
    """The loss's own part of μ_f, without the loss at time 0, which a sum over 1 … T leaves out."""
    row = responses.read(loss)
    p = responses.parameter
    direct: Products = responses.split(-loss.slopes[f] / p) if loss.slopes[f] != 0 else ()
    terms = (*row[f], *direct)
    return averages.pair(terms, terms) * np.outer(contour.step, contour.step)


def loss_reads_algebraic(loss: ExternalLoss, mass: Sequence[float]) -> bool:
    """Whether the loss reads a field without dynamics."""
    return any(w != S.Zero and m == 0 for w, m in zip(loss.slopes, mass, strict=True))

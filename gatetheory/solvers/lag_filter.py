"""Linear systems as filters: what covariance of the fields a covariance of the drives leaves.

E ẋ = D x + B u (continuous) or x(t+1) = D x + B u (a map), rows with E = 0 algebraic, is brought to
the form ẋ = A x + b u, y = q x + f u. White u of unit intensity in drive a leaves

    K_kl(τ) = q_k e^{Aτ} (P q_l + b f_l) + f_k f_l δ(τ),   A P + P Aᵀ + b bᵀ = 0,   τ ≥ 0,

a sum of exponentials. Between replicas separating at rate κ, A becomes A − κ in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gatetheory.errors import ConvergenceError

Array = NDArray[np.float64]

_DEFECTIVE = 1e5  # condition of the eigenvectors beyond which modes are not told apart
_SPLIT = 0.02  # relative perturbations that separate modes of a defective system …
_TURNS = 12  # … and how many of them are averaged over


@dataclass(frozen=True)
class Kernel:
    """Covariance K(τ) = Re Σ_m weights_m e^{rates_m τ}, τ ≥ 0, plus an instantaneous part.

    Args:
        weights: One per mode, complex.
        rates: Continuous time: exponents. A map: logarithms of multipliers are avoided, so these
            are the multipliers themselves.
        instant: Coefficient of δ(τ) (of δ_τ0 in a map, included at lag 0).
        total: ∫K over all lags, the response to a constant.
    """

    weights: NDArray[np.complex128]
    rates: NDArray[np.complex128]
    instant: float
    total: float

    def flow(self, lags: Array) -> Array:
        """K at lags ≥ 0 in continuous time, without the instantaneous part."""
        result = np.zeros(lags.shape)
        for w, r in zip(self.weights, self.rates, strict=True):
            if r.imag:
                result += np.real(w * np.exp(r * lags))
            else:
                result += w.real * np.exp(r.real * lags)
        return result


@dataclass(frozen=True)
class Filter:
    """A reduced linear system; see the module's text.

    Args:
        matrix: A, shape (dynamic fields, dynamic fields).
        inputs: b, shape (dynamic fields, drives).
        outputs: q of every field, shape (fields, dynamic fields).
        feed: f of every field, shape (fields, drives).
        discrete: Whether time counts steps.
    """

    matrix: Array
    inputs: Array
    outputs: Array
    feed: Array
    discrete: bool

    @property
    def slowest(self) -> float:
        """Longest memory of the system: time (steps) in which its slowest mode falls by e."""
        if not self.matrix.size:
            return 0.0
        values = np.linalg.eigvals(self.matrix)
        if self.discrete:
            return float(1 / max(-np.log(np.abs(values).max() + 1e-300), 1e-3))
        return float(-1 / values.real.max())

    @property
    def fastest(self) -> float:
        """Shortest time constant of a mode."""
        if not self.matrix.size or self.discrete:
            return 1.0
        return float(1 / np.abs(np.linalg.eigvals(self.matrix)).max())

    def kernel(
        self,
        first: Array,
        second: Array,
        drive: int,
        rate: float = 0.0,
        other: int | None = None,
    ) -> Kernel:
        """K_kl of one drive, or of one that moves u_k and another, the same noise, that moves u_l.

        Args:
            first: u_k as coefficients of the fields.
            second: u_l.
            drive: The drive.
            rate: κ.
            other: What drives u_l; by default the same drive.
        """
        last = drive if other is None else other
        b, e = self.inputs[:, drive], self.inputs[:, last]
        qk, ql = first @ self.outputs, second @ self.outputs
        fk, fl = float(first @ self.feed[:, drive]), float(second @ self.feed[:, last])
        if self.discrete:
            return self._map_kernel((b, e), qk, ql, fk, fl, rate)
        a = self.matrix - rate * np.eye(len(self.matrix))
        static, later = (np.linalg.solve(a, v) if a.size else v for v in (b, e))
        total = float((fk - qk @ static) * (fl - ql @ later))
        if not a.size:
            return Kernel(np.empty(0, complex), np.empty(0, complex), fk * fl, total)
        weights, rates = [], []
        for near in _distinct(a):
            covariance = scipy.linalg.solve_sylvester(near, near.T, -np.outer(b, e))
            values, vectors = np.linalg.eig(near)
            weights.append((qk @ vectors) * np.linalg.solve(vectors, covariance @ ql + b * fl))
            rates.append(values)
        shared = np.concatenate(weights).astype(np.complex128) / float(len(weights))
        found = np.concatenate(rates).astype(complex)
        return _relevant(Kernel(np.asarray(shared, complex), found, fk * fl, total))

    def _map_kernel(
        self, inputs: tuple[Array, Array], qk: Array, ql: Array, fk: float, fl: float, rate: float
    ) -> Kernel:
        a, fade = self.matrix, np.exp(-rate)
        a, b, e = a * fade, inputs[0] * fade, inputs[1] * fade
        unit = np.eye(len(a))
        static, later = (np.linalg.solve(unit - a, v) if a.size else v for v in (b, e))
        total = float((fk + qk @ static) * (fl + ql @ later))
        if not a.size:
            return Kernel(np.empty(0, complex), np.empty(0, complex), fk * fl, total)
        weights, rates, covariance = [], [], np.zeros((len(a), len(a)))
        for near in _distinct(a):
            order = len(near) ** 2
            pairs = np.eye(order) - np.kron(near, near)
            inside = np.linalg.solve(pairs, np.outer(b, e).ravel()).reshape(near.shape)
            values, vectors = np.linalg.eig(near)
            # K(n) = q Aⁿ P q + q A^{n−1} b f for n ≥ 1; at n = 0 the second term is f f.
            right = np.linalg.solve(vectors, inside @ ql)
            extra = np.linalg.solve(vectors, b * fl)
            safe = np.where(np.abs(values) > 1e-14, values, 1e-14)
            weights.append((qk @ vectors) * (right + extra / safe))
            rates.append(safe)
            covariance = covariance + np.real(inside)
        shared = np.concatenate(weights).astype(np.complex128) / float(len(weights))
        at_zero = float(qk @ covariance @ ql) / len(weights) + fk * fl
        found = np.concatenate(rates).astype(complex)
        return Kernel(
            np.asarray(shared, complex), found, at_zero - float(np.real(shared.sum())), total
        )


def _distinct(a: Array) -> list[NDArray[Any]]:
    """The matrix itself, or, if it is defective, matrices near it with distinct modes.

    What is computed is analytic in the matrix, so its mean over perturbations e^{2πik/m} ε of one
    direction is that of the matrix itself up to order ε^m.
    """
    _, vectors = np.linalg.eig(a)
    if np.linalg.cond(vectors) < _DEFECTIVE:
        return [a]
    turns = np.exp(2j * np.pi * np.arange(_TURNS) / _TURNS)
    direction = _SPLIT * max(np.abs(a).max(), 1.0) * np.diag(np.arange(len(a)) + 0.5)
    return [a + turn * direction for turn in turns]


def _relevant(kernel: Kernel) -> Kernel:
    """Without modes that a symmetry or the choice of fields leaves out."""
    size = np.abs(kernel.weights)
    keep = size > 1e-16 * max(size.max(), 1e-300)
    return Kernel(kernel.weights[keep], kernel.rates[keep], kernel.instant, kernel.total)


def reduce(mass: Sequence[float], drift: Array, drives: Array, discrete: bool) -> Filter:
    """Eliminate algebraic fields.

    Raises:
        ConvergenceError: If an algebraic field is not determined by its law, or the system does
            not forget its initial state.
    """
    m = np.asarray(mass, dtype=float)
    moving, still = np.flatnonzero(m != 0), np.flatnonzero(m == 0)
    identity = np.eye(len(m))
    outputs, feed = identity[:, moving].copy(), np.zeros((len(m), drives.shape[1]))
    try:
        if len(still):
            inner = np.linalg.inv(drift[np.ix_(still, still)])
            outputs[still] = -inner @ drift[np.ix_(still, moving)]
            feed[still] = -inner @ drives[still]
    except np.linalg.LinAlgError as error:
        raise ConvergenceError(
            "the law of an algebraic field does not determine it at these parameters"
        ) from error
    rows = drift[moving]
    matrix = (rows @ outputs) / m[moving, None] if len(moving) else np.empty((0, 0))
    inputs = (
        (drives[moving] + rows @ feed) / m[moving, None]
        if len(moving)
        else np.empty((0, drives.shape[1]))
    )
    values = np.linalg.eigvals(matrix) if matrix.size else np.empty(0)
    bound = np.abs(values).max(initial=0.0) >= 1 if discrete else values.real.max(initial=-1) >= 0
    if bound:
        raise ConvergenceError(
            "a unit by itself does not forget its initial state at these parameters (a mode of its "
            "linear law does not decay), so that there is no stationary state"
        )
    return Filter(matrix, inputs, outputs, feed, discrete)

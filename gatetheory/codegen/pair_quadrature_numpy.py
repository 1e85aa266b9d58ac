"""All averages of products over one pair of Gaussian variables, in doubles.

A Hermite series (:mod:`gatetheory.codegen.hermite_numpy`) serves all covariances of one pair of
variances but those next to |ρ| = 1 under steep functions. There, and where variances differ from
pair to pair, both variables are written with a part they share,

    x = √c_x (√|ρ| u + √(1−|ρ|) v),   y = √c_y (±√|ρ| u + √(1−|ρ|) w),   u, v, w ~ N(0, 1),

so that the average is ∫Du F(u) G(u), with f and g smoothed over v and w. The smoothing acts on the
product like s = (1−|ρ|)/|ρ| in the rule for the nodes (:mod:`gatetheory.codegen.pair_nodes_numpy`):
nothing is lost at |ρ| → 1 or at a steep gain.
"""

from __future__ import annotations

from math import log, pi, sqrt
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from sympy import Dummy, Expr, ImmutableDenseMatrix, Symbol

from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.hermite_numpy import HermiteSeries, can_expand, level_for, sums
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.pair_nodes_numpy import (
    gauss_count,
    gauss_nodes,
    groups,
    ratio,
    rounded,
    step,
    trapezoid_nodes,
)
from gatetheory.codegen.pair_reach import has_hidden_poles, known_reach
from gatetheory.codegen.rewriting import stable
from gatetheory.errors import DerivationError

Array = NDArray[np.float64]

_CHUNK = 1 << 18  # nodes evaluated at once: stays in the cache
_SERIES = 8  # from as many covariances on a Hermite series is tried first
_TABLE_SIZES = (8, 16, 32, 64, 128, 256)
_SEEN = 1e-12  # fall of a Fourier transform that doubles can show
_MARGIN = 4.0  # a pole's residue costs this much of the exponent …
_ORDER = 1.4  # … and poles of a higher order, where k^m e^{−bk} falls more slowly, such a factor


class Pair:
    """All averages of products over pairs with the same covariance.

    Args:
        covariance: Their covariance matrix.
    """

    def __init__(self, covariance: ImmutableDenseMatrix) -> None:
        self.covariance = covariance
        self.slot = Dummy("x", real=True)
        self.functions: tuple[list[Expr], list[Expr]] = ([], [])
        self.products: list[tuple[Dummy, int, int]] = []

    @property
    def is_symmetric(self) -> bool:
        """Whether both variables have one variance, so that smoothing is shared."""
        return bool(self.covariance[0, 0] == self.covariance[1, 1])

    def add(self, f: Expr, g: Expr, symbol: Dummy) -> None:
        """Register ⟨f g⟩; the functions are of the slot."""
        self.products.append((symbol, self._place(0, f), self._place(1, g)))

    def _place(self, side: int, f: Expr) -> int:
        known = self.functions[0 if self.is_symmetric else side]
        if f not in known:
            known.append(f)
        return known.index(f)


class CompiledPair:
    """Evaluates all products of a pair."""

    def __init__(self, pair: Pair, arguments: tuple[Symbol, ...]) -> None:
        self.products = [(i, j) for _, i, j in pair.products]
        self.is_symmetric = pair.is_symmetric
        self.arguments = arguments
        sides = pair.functions[:1] if pair.is_symmetric else pair.functions
        inside = set().union(*(f.free_symbols for fs in sides for f in fs))
        self.inside = tuple(s for s in arguments if s in inside)
        self._functions = [
            compile_kernel([stable(f) for f in fs], [pair.slot], self.inside, DOUBLES)
            for fs in sides
        ]
        reaches = [known_reach(fs, pair.slot) for fs in sides]
        self._hidden = any(has_hidden_poles(f, pair.slot) for fs in sides for f in fs)
        entries = [pair.covariance[0, 0], pair.covariance[1, 1], pair.covariance[0, 1]]
        self._law = compile_kernel([*entries, *reaches], [], arguments, DOUBLES)

    def __call__(self, known: dict[Symbol, Any], length: int, tolerance: float) -> Array:
        """All products, shape (products, length)."""
        everything = [known[s] for s in self.arguments]
        law = [np.broadcast_to(np.asarray(v, float), (length,)) for v in self._law(*everything)()]
        given = [known[s] for s in self.inside]
        same = all((v == v[0]).all() for v in (*law[:2], *law[3:]))
        single = same and bool(law[0][0] >= 0 and law[1][0] >= 0)
        if length < _SERIES or not single or any(np.ndim(v) for v in given):
            return self._at(given, law, tolerance)
        out, done = self._from_series(given, law, tolerance)
        left = np.flatnonzero(~done)
        if len(left):
            out[:, left] = self._from_table(given, [v[left] for v in law], tolerance)
        return out

    def _from_series(
        self, given: list[Any], law: list[Array], tolerance: float
    ) -> tuple[Array, NDArray[np.bool_]]:
        """Hermite series at common variances, and where it is accurate."""
        level = level_for(tolerance)
        span, series = level.span, list[HermiteSeries]()
        for side, f in enumerate(self._functions):
            width, pole = sqrt(law[side][0]), min(float(law[3 + side][0]), 1e6)
            if self._hidden:
                found, wider = self._measured(
                    given, side, np.array([width]), level.exponent, sqrt(2 * level.exponent)
                )
                pole, span = min(pole, found), max(span, sqrt(2) * wider)
            if not can_expand(width, pole, level, span):
                return np.empty((len(self.products), len(law[0]))), np.zeros(len(law[0]), bool)
            series.append(HermiteSeries(f(*given), width, pole, level, span))
        return sums(series[0], series[-1], self.products, _correlations(law), tolerance)

    def _from_table(self, given: list[Any], law: list[Array], tolerance: float) -> Array:
        """Interpolate in asin ρ, where averages are smooth up to |ρ| = 1."""
        scale = sqrt(law[0][0] * law[1][0])
        angles = np.arcsin(_correlations(law))
        low, high = float(angles.min()), float(angles.max())
        middle, half = (low + high) / 2, max((high - low) / 2, 1e-300)
        values = np.empty((len(self.products), 0))
        for count in _TABLE_SIZES:
            if 2 * count > len(angles):
                break
            nodes = np.cos(np.pi * np.arange(count + 1) / count)
            fresh = nodes if not values.size else nodes[1::2]
            moved = [np.full(len(fresh), v[0]) for v in law]
            moved[2] = scale * np.sin(middle + half * fresh)
            found = self._at(given, moved, tolerance)
            if values.size:
                joined = np.empty((len(found), count + 1))
                joined[:, ::2], joined[:, 1::2] = values, found
                values = joined
            else:
                values = found
            coefficients = scipy.fft.dct(values, type=1, axis=1) / count
            coefficients[:, [0, -1]] /= 2
            size = np.abs(coefficients).max(axis=1, keepdims=True)
            tail = np.abs(coefficients[:, -4:]) / np.where(size > 0, size, 1.0)
            if tail.max() < max(3 * tolerance, 2e-15):
                x = (angles - middle) / half
                return np.asarray(np.polynomial.chebyshev.chebval(x, coefficients.T), dtype=float)
        return self._at(given, law, tolerance)

    def _at(self, given: list[Any], law: list[Array], tolerance: float) -> Array:
        """All products at given variances and covariances.

        Args:
            given: Values of what the functions contain beside the variable.
            law: Both variances, the covariance, and the distances of the nearest poles.
            tolerance: Accuracy relative to the size of the functions.
        """
        length = len(law[0])
        variances, reaches, rho = law[:2], law[3:], _correlations(law)
        reach = [np.minimum(r, 1e6) for r in (reaches if len(reaches) == 2 else reaches * 2)]
        shared, own = np.abs(rho), 1 - np.abs(rho)
        exponent = _ORDER * log(1 / tolerance) + _MARGIN
        widths = [np.sqrt(v) for v in variances]
        span = sqrt(2 * exponent)
        if self._hidden:
            seen = [
                self._measured(given, side, width, exponent, span)
                for side, width in enumerate(widths)
            ]
            reach = [np.minimum(r, found) for r, (found, _) in zip(reach, seen, strict=True)]
            span = max(needed for _, needed in seen)
        pole_u = np.minimum(
            *(ratio(r, w * np.sqrt(shared)) for r, w in zip(reach, widths, strict=True))
        )
        pole_v = [ratio(r, w * np.sqrt(own)) for r, w in zip(reach, widths, strict=True)]
        steps_u = step(pole_u, own / np.maximum(shared, 1e-300), exponent)
        steps_v = np.minimum(*(step(p, np.zeros(length), exponent) for p in pole_v))
        out = np.empty((len(self.products), length))
        outer, inner = (rounded(span / s) for s in (steps_u, steps_v))
        gauss = rounded(gauss_count(np.minimum(*pole_v), exponent))
        inner = np.where(gauss < 2 * inner + 1, -gauss, inner)
        # Where functions contain arguments that differ from pair to pair: prepared for each block.
        varies = any(np.ndim(v) for v in given)
        lined = [np.broadcast_to(v, (length,)) if np.ndim(v) else v for v in given]
        kernels = [] if varies else [f(*given) for f in self._functions]
        for members, n_u, n_v in groups(outer, inner):
            u, weight_u = trapezoid_nodes(n_u, span)
            v, weight_v = trapezoid_nodes(n_v, span) if n_v > 0 else gauss_nodes(-n_v)
            size = max(1, _CHUNK // (len(u) * len(v)))
            for start in range(0, len(members), size):
                at = members[start : start + size]
                if varies:
                    own_values = [v[at][:, None, None] if np.ndim(v) else v for v in lined]
                    kernels = [f(*own_values) for f in self._functions]
                out[:, at] = self._block(kernels, widths, rho, at, (u, weight_u), (v, weight_v))
        return out

    def _measured(
        self, given: list[Any], side: int, widths: Array, exponent: float, span: float
    ) -> tuple[float, float]:
        """What stands in for the distance of the nearest pole where poles are not located.

        The distance b for which e^{−bk} bounds the Fourier transform of every function at the wave
        number where it has fallen by twelve digits, and the range the weighted functions need.

        Raises:
            DerivationError: If a function's transform does not fall that far.
        """
        numbers = [float(np.max(v)) if np.ndim(v) else v for v in given]
        kernel = self._functions[0 if self.is_symmetric else side](*numbers)
        width = float(widths.max())
        if not width > 0:
            return 1e6, span
        for _ in range(6):  # the range over which f² outweighs what the Gaussian takes away
            at = np.linspace(-span, span, 257)
            values = np.abs(np.stack([np.broadcast_to(f, at.shape) for f in kernel(width * at)]))
            weighted = values**2 * np.exp(-(at**2) / 2)
            ends = weighted[:, [0, -1]].max(axis=1)
            if (ends <= weighted.max(axis=1) * np.exp(-exponent)).all():
                break
            span *= 1.25
        for count in (1 << 10, 1 << 12, 1 << 14, 1 << 16):
            at = np.linspace(-2 * span, 2 * span, count, endpoint=False)
            window = np.exp(-((at / span) ** 2) * max(exponent, log(1 / _SEEN) + _MARGIN) / 4)
            values = np.stack([np.broadcast_to(f, at.shape) for f in kernel(width * at)])
            transform = np.abs(np.fft.rfft(values * window, axis=1))
            small = _SEEN * transform.max(axis=1, keepdims=True)
            above = np.flatnonzero((transform > small).any(axis=0))
            last = int(above[-1]) + 1
            if last < 0.45 * count:
                wave = 2 * pi * last / (4 * span * width)
                return log(1 / _SEEN) / wave, span
        raise DerivationError(
            "a nonlinearity is too steep, or not smooth, for averages over pairs; use "
            'closure="sampled"'
        )

    def _block(
        self,
        kernels: list[Any],
        widths: list[Array],
        rho: Array,
        at: NDArray[np.intp],
        outer: tuple[Array, Array],
        inner: tuple[Array, Array],
    ) -> Array:
        r = rho[at]
        common = np.sqrt(np.abs(r))[:, None] * outer[0]
        private = np.sqrt(1 - np.abs(r))[:, None] * inner[0]
        first = self._smoothed(kernels[0], widths[0][at], common, private, inner[1])
        if self.is_symmetric:
            second = first
            if (r < 0).any():  # u → −u: the grid is symmetric
                flipped = [f[:, ::-1] for f in first]
                second = [
                    np.where(r[:, None] < 0, b, a) for a, b in zip(first, flipped, strict=True)
                ]
        else:
            signed = np.where(r < 0, -1.0, 1.0)[:, None] * common
            second = self._smoothed(kernels[1], widths[1][at], signed, private, inner[1])
        return np.stack([(first[i] * second[j]) @ outer[1] for i, j in self.products])

    def _smoothed(
        self, kernel: Any, width: Array, common: Array, private: Array, weights: Array
    ) -> list[Array]:
        x = width[:, None, None] * (common[:, :, None] + private[:, None, :])
        full = (f if np.shape(f) == x.shape else np.broadcast_to(f, x.shape) for f in kernel(x))
        return [f @ weights for f in full]


def _correlations(law: list[Array]) -> Array:
    """ρ of every pair; where nothing fluctuates it does not matter."""
    scale = np.sqrt(law[0] * law[1])
    return np.asarray(np.clip(law[2] / np.where(scale > 0, scale, 1.0), -1.0, 1.0))

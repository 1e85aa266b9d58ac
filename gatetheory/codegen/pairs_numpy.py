"""Averages over a pair of Gaussian variables at many covariances at once, in doubles.

What equations for covariances need: ⟨f(x) g(y)⟩ for hundreds of covariances c of a pair, with f and
g analytic near the real axis; variances, and what f and g contain, may differ from pair to pair.
With ρ = c/√(c_x c_y) both variables share a part,

    x = √c_x (√|ρ| u + √(1−|ρ|) v),   y = √c_y (±√|ρ| u + √(1−|ρ|) w),   u, v, w ~ N(0, 1),

so that the average is ∫Du F(u) G(u), with f and g smoothed over v and w. Both integrals are done by
the trapezoidal rule, whose error is e^{−E(2π/d)} when the integrand's Fourier transform falls like
e^{−E(k)}; E is known from the distance of the nearest pole and from the smoothing:

    E(k) = min_{k'} [ b k' + s k'²/4 + (k−k')²/2 ],   s = (1−|ρ|)/|ρ|,

with b the distance of the pole in units of u. Nothing is lost at |ρ| → 1 or at a steep gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log, pi, sqrt
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from sympy import (
    Dummy,
    Expr,
    Function,
    ImmutableDenseMatrix,
    Min,
    Mul,
    S,
    Symbol,
    exp,
    expand,
    sympify,
)

from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.integrand import Integrand, analyse
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.lowering import Quadrature, lower
from gatetheory.codegen.quadrature_numpy import NumpyQuadrature
from gatetheory.codegen.rewriting import stable
from gatetheory.errors import DerivationError, ParameterError

Array = NDArray[np.float64]

_ENTIRE_REACH = 2.0  # entire functions grow off the axis: treated as if singular at this distance
_CHUNK = 1 << 18  # nodes evaluated at once: stays in the cache
_GROWTH = 1.2  # numbers of nodes are rounded up to powers of this, so that lags share a shape
_CALL = 8_000  # nodes that take about as long as one more block
_TABLE = 100  # beyond as many covariances a table in asin ρ is made first
_TABLE_SIZES = (24, 48, 96, 192)
_SEEN = 1e-12  # fall of a Fourier transform that doubles can show
_MARGIN = 4.0  # poles of higher order and prefactors cost this much of the exponent


def compile_pairs(outputs: Sequence[Expr], arguments: Sequence[Symbol]) -> PairProgram:
    """Compile expressions with averages over one variable or over a pair.

    Raises:
        DerivationError: If an average is over more variables, is no product of functions of one
            variable each, or has kinks.
    """
    return _compiled(tuple(map(sympify, outputs)), tuple(arguments))


@lru_cache(maxsize=128)
def _compiled(outputs: tuple[Expr, ...], arguments: tuple[Symbol, ...]) -> PairProgram:
    return PairProgram(outputs, arguments)


@dataclass(frozen=True)
class _Product:
    """coefficient · f(x) g(y), by index into the lists of functions of a pair."""

    first: int
    second: int


class _Pair:
    """All averages of products over pairs with the same covariance.

    Args:
        variables: x and y, as they stand in the functions.
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


class PairProgram:
    """Compiled outputs; arguments are numbers, or arrays of one common length.

    Args:
        outputs: What is evaluated.
        arguments: Symbols whose values a call expects.
    """

    def __init__(self, outputs: tuple[Expr, ...], arguments: tuple[Symbol, ...]) -> None:
        self.outputs, self.arguments = outputs, arguments
        lowered = lower(outputs, arguments)
        self._single: list[tuple[Dummy, NumpyQuadrature, tuple[Symbol, ...]]] = []
        pairs: dict[ImmutableDenseMatrix, _Pair] = {}
        sums: dict[Dummy, Expr] = {}
        for q in lowered.quadratures:
            if len(q.variables) == 1:
                integrand = analyse(q)
                self._single.append((q.symbol, NumpyQuadrature(integrand), integrand.outer))
            else:
                sums[q.symbol] = _split(q, pairs)
        singles = [s for s, _, _ in self._single]
        for q in lowered.quadratures:
            nested = (q.integrand.free_symbols | q.covariance.free_symbols) - set(arguments)
            if nested - set(q.variables):
                raise DerivationError(
                    f"the average of {q.integrand} contains an average; lag equations need their "
                    "averages side by side"
                )
        self._pairs = [_CompiledPair(p, arguments) for p in pairs.values()]
        products = [s for p in pairs.values() for s, _, _ in p.products]
        results = [stable(o.xreplace(sums)) for o in lowered.outputs]
        self._order = [*arguments, *singles, *products]
        self._arithmetic = compile_kernel(results, [], self._order, DOUBLES)

    def __call__(self, *values: Any, tolerance: float = 1e-14) -> Array:
        """Values of the outputs, shape (number of outputs, length of the arguments).

        Args:
            values: One per argument: a number or an array of shape (n,).
            tolerance: Accuracy relative to the size of the functions.
        """
        if len(values) != len(self.arguments):
            raise ParameterError(f"expected values for {self.arguments}, got {len(values)}")
        arrays = [np.asarray(v, dtype=float) for v in values]
        length = max((a.size for a in arrays if a.ndim), default=1)
        known: dict[Symbol, Any] = dict(zip(self.arguments, arrays, strict=True))
        with np.errstate(all="ignore"):
            found: list[Any] = []
            for _, quadrature, outer in self._single:
                given = [_number(known[s]) for s in outer]
                found.append(quadrature(given, max(tolerance, 1e-13)).value)
            for pair in self._pairs:
                found += list(pair(known, length, tolerance))
            results = self._arithmetic(*arrays, *found)()
        return np.stack([np.broadcast_to(np.asarray(r, dtype=float), (length,)) for r in results])


def _number(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def _split(q: Quadrature, pairs: dict[ImmutableDenseMatrix, _Pair]) -> Expr:
    """Write an average over a pair as a sum of products of functions of one variable each."""
    if len(q.variables) > 2:
        raise DerivationError(
            f"the average of {q.integrand} ties {len(q.variables)} variables; lag equations can "
            'average over a pair only: use closure="sampled"'
        )
    covariance = q.covariance
    pair = pairs.setdefault(covariance, _Pair(covariance))
    total = S.Zero
    terms = separate(q.integrand, q.variables)
    for constant, f, g in terms:
        symbol = Dummy("pair", real=True)
        x, y = q.variables
        pair.add(f.xreplace({x: pair.slot}), g.xreplace({y: pair.slot}), symbol)
        total += constant * symbol
    return total


def separate(integrand: Expr, variables: tuple[Symbol, ...]) -> list[tuple[Expr, Expr, Expr]]:
    """Write an integrand as a sum of constant · f(x) g(y).

    Raises:
        DerivationError: If it is no such sum.
    """
    x, y = variables
    for form in (integrand, expand(integrand)):
        found = []
        for term in form.args if form.is_Add else (form,):
            constant, rest = term.as_independent(x, y, as_Add=False)
            factors = Mul.make_args(rest)
            if any(f.has(x) and f.has(y) for f in factors):
                break
            f = Mul(*(f for f in factors if f.has(x)))
            found.append((constant, f, Mul(*(g for g in factors if not g.has(x)))))
        else:
            return found
    raise DerivationError(
        f"{integrand} is no product of functions of {x} and {y}; lag equations average products "
        'only: use closure="sampled"'
    )


class _CompiledPair:
    """Evaluates all products of a pair."""

    def __init__(self, pair: _Pair, arguments: tuple[Symbol, ...]) -> None:
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
        reaches = [_known_reach(fs, pair.slot) for fs in sides]
        self._hidden = any(has_hidden_poles(f, pair.slot) for fs in sides for f in fs)
        entries = [pair.covariance[0, 0], pair.covariance[1, 1], pair.covariance[0, 1]]
        self._law = compile_kernel([*entries, *reaches], [], arguments, DOUBLES)

    def __call__(self, known: dict[Symbol, Any], length: int, tolerance: float) -> Array:
        """All products, shape (products, length)."""
        everything = [known[s] for s in self.arguments]
        law = [np.broadcast_to(np.asarray(v, float), (length,)) for v in self._law(*everything)()]
        given = [known[s] for s in self.inside]
        same = all((v == v[0]).all() for v in (*law[:2], *law[3:]))
        if length > _TABLE and same and not any(np.ndim(v) for v in given):
            return self._from_table(given, law, tolerance)
        return self._at(given, law, tolerance)

    def _from_table(self, given: list[Any], law: list[Array], tolerance: float) -> Array:
        """Interpolate in asin ρ, where averages are smooth up to |ρ| = 1."""
        scale = sqrt(law[0][0] * law[1][0])
        angles = np.arcsin(np.clip(law[2] / scale if scale > 0 else law[2] * 0, -1.0, 1.0))
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
        variances, covariance, reaches = law[:2], law[2], law[3:]
        scale = np.sqrt(variances[0] * variances[1])
        rho = np.clip(covariance / np.where(scale > 0, scale, 1.0), -1.0, 1.0)
        reach = [np.minimum(r, 1e6) for r in (reaches if len(reaches) == 2 else reaches * 2)]
        shared, own = np.abs(rho), 1 - np.abs(rho)
        exponent = log(1 / tolerance) + _MARGIN
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
            *(_ratio(r, w * np.sqrt(shared)) for r, w in zip(reach, widths, strict=True))
        )
        pole_v = [_ratio(r, w * np.sqrt(own)) for r, w in zip(reach, widths, strict=True)]
        steps_u = _step(pole_u, own / np.maximum(shared, 1e-300), exponent)
        steps_v = np.minimum(*(_step(p, np.zeros(length), exponent) for p in pole_v))
        out = np.empty((len(self.products), length))
        counts = [_rounded(span / s) for s in (steps_u, steps_v)]
        # Where functions contain arguments that differ from pair to pair: prepared for each block.
        varies = any(np.ndim(v) for v in given)
        lined = [np.broadcast_to(v, (length,)) if np.ndim(v) else v for v in given]
        kernels = [] if varies else [f(*given) for f in self._functions]
        for members, n_u, n_v in _groups(counts[0], counts[1]):
            u, weight_u = _nodes(n_u, span)
            v, weight_v = _nodes(n_v, span)
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


def _groups(
    outer: NDArray[np.int64], inner: NDArray[np.int64]
) -> list[tuple[NDArray[np.intp], int, int]]:
    """Pairs that are evaluated together, and the numbers of nodes they share.

    Neighbours join, on the finer of their grids, where a call would cost more than the nodes.
    """
    keys = outer * 100_000 + inner
    joined: list[tuple[NDArray[np.intp], int, int]] = []
    for key in np.unique(keys):
        members, (n_u, n_v) = np.flatnonzero(keys == key), divmod(int(key), 100_000)
        if joined:
            others, m_u, m_v = joined[-1]
            more_u, more_v = max(n_u, m_u), max(n_v, m_v)
            together = (len(members) + len(others)) * more_u * more_v
            if 4 * (together - len(members) * n_u * n_v - len(others) * m_u * m_v) < _CALL:
                joined[-1] = np.concatenate([others, members]), more_u, more_v
                continue
        joined.append((members, n_u, n_v))
    return joined


@lru_cache(maxsize=512)
def _nodes(count: int, span: float) -> tuple[Array, Array]:
    """Nodes −span … span of a trapezoidal rule with 2·count + 1 nodes, with Gaussian weights."""
    x = np.linspace(-span, span, 2 * count + 1)
    weights = np.exp(-(x**2) / 2) * (span / count / sqrt(2 * pi))
    for array in (x, weights):
        array.setflags(write=False)
    return x, weights


def _rounded(counts: Array) -> NDArray[np.int64]:
    return np.ceil(_GROWTH ** np.ceil(np.log(np.maximum(counts, 1.0)) / log(_GROWTH))).astype(
        np.int64
    )


def _ratio(reach: Array, width: Array) -> Array:
    return reach / np.maximum(width, 1e-300)


def _step(pole: Array, smoothing: Array, exponent: float) -> Array:
    """Step d with E(2π/d) = exponent; see the module's text."""
    free = exponent - pole**2 / 2
    m = np.sqrt(np.maximum((exponent * smoothing + pole**2) / (1 + smoothing / 2), 0.0))
    with np.errstate(all="ignore"):
        tail = 2 * free / ((1 + smoothing / 2) * (m + pole))
        k = np.where(free > 0, m + tail, sqrt(2 * exponent))
    return 2 * pi / k


def reach(functions: list[Expr], slot: Symbol) -> Expr:
    """Distance of the nearest singularity of any function from the real axis.

    Raises:
        DerivationError: If a function has kinks, or singularities that are not located.
    """
    for f in functions:
        if has_hidden_poles(f, slot):
            raise DerivationError(
                f"the singularities of {f} next to the real axis are not located; use "
                'closure="sampled"'
            )
    return _known_reach(functions, slot)


def _known_reach(functions: list[Expr], slot: Symbol) -> Expr:
    """Distance of the nearest singularity that the arguments of functions show."""
    reaches = [S(10**6)]
    one = ImmutableDenseMatrix([[1]])
    for f in functions:
        if not f.has(slot):
            continue
        integrand = analyse(Quadrature(Dummy(), f, (slot,), one))
        _require_analytic(integrand, f)
        for s in integrand.slots:
            distance = min(s.reach, _ENTIRE_REACH) if s.reach == float("inf") else s.reach
            if integrand.expression.has(s.symbol) and not _is_polynomial(integrand, s.symbol):
                reaches.append(sympify(distance) / abs(s.slopes[0]))
    return Min(*reaches) if len(reaches) > 1 else reaches[0]


def _is_polynomial(integrand: Integrand, symbol: Symbol) -> bool:
    return bool(integrand.expression.is_polynomial(symbol))


def has_hidden_poles(f: Expr, slot: Symbol) -> bool:
    """Whether the distance of the nearest pole, or the growth, is not read off the slots."""
    if not f.has(slot):
        return False
    integrand = analyse(Quadrature(Dummy(), f, (slot,), ImmutableDenseMatrix([[1]])))
    nested = any(
        e.has(slot) and any(a.atoms(Function) & f.atoms(Function) for a in e.args if a.has(slot))
        for e in f.atoms(Function)
    )
    return bool(integrand.curves or integrand.pinches or nested or f.has(exp))


def _require_analytic(integrand: Integrand, f: Expr) -> None:
    if not integrand.is_analytic:
        raise DerivationError(
            f"{f} is not analytic (kinks or jumps), as averages over pairs need; use "
            'closure="sampled"'
        )

"""Averages over a pair of Gaussian variables at many covariances at once, to many digits.

The many-digit sibling of :mod:`gatetheory.codegen.pairs_numpy`. With ρ = c/√(c_x c_y) and f_k, g_k
the coefficients of :mod:`gatetheory.codegen.hermite_ball`, Mehler's formula gives

    ⟨f(x) g(y)⟩ = Σ_k f_k g_k ρ^k,

so that a variance costs one set of coefficients and all covariances together one matrix product.
About (D/2β)² terms are needed at |ρ| = 1 for D e-folds of accuracy, with β the distance of the
nearest singularity in units of a standard deviation, and D/ln(1/|ρ|) terms at most anywhere.
Radii hold what is left out (bounded by Parseval's sum), the quadrature's error (bounded) and
rounding (estimated in the recurrence, bounded elsewhere). Arguments are read as the midpoints of
their balls.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from math import inf, log
from typing import Any

import flint
from sympy import Dummy, Expr, ImmutableDenseMatrix, S, Symbol, sympify

from gatetheory.codegen.functions_ball import ANALYTIC, BALLS
from gatetheory.codegen.hermite_ball import HermiteProjector, HermiteSeries, working_bits
from gatetheory.codegen.integrand import analyse
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.lowering import Quadrature, lower
from gatetheory.codegen.mehler_ball import mehler_sums
from gatetheory.codegen.pairs_numpy import separate
from gatetheory.codegen.precision_ball import exact_to_ball, working_precision
from gatetheory.codegen.rewriting import stable
from gatetheory.codegen.strip_ball import Functions
from gatetheory.errors import DerivationError, ParameterError

_TABLES = 12  # sets of coefficients kept per pair
_BEYOND = 1e-8  # |ρ| may exceed 1 by as much where covariances are iterated

Values = dict[Symbol, list[flint.arb]]


def compile_pairs(outputs: Sequence[Expr], arguments: Sequence[Symbol]) -> PairProgram:
    """Compile expressions with averages over one variable or over a pair.

    Raises:
        DerivationError: If an average is over more variables, is no product of functions of one
            variable each, has kinks, or contains a function without a definition in balls.
    """
    return _compiled(tuple(map(sympify, outputs)), tuple(arguments))


@lru_cache(maxsize=64)
def _compiled(outputs: tuple[Expr, ...], arguments: tuple[Symbol, ...]) -> PairProgram:
    return PairProgram(outputs, arguments)


class PairProgram:
    """Compiled outputs; see the module's text.

    Args:
        outputs: What is evaluated.
        arguments: Symbols whose values a call expects.
    """

    def __init__(self, outputs: tuple[Expr, ...], arguments: tuple[Symbol, ...]) -> None:
        self.outputs, self.arguments = outputs, arguments
        lowered = lower(outputs, arguments)
        laws: dict[ImmutableDenseMatrix, _Law] = {}
        sums: dict[Dummy, Expr] = {}
        for q in lowered.quadratures:
            outside = (q.integrand.free_symbols | q.covariance.free_symbols) - set(q.variables)
            if outside - set(arguments):
                raise DerivationError(
                    f"the average of {q.integrand} contains an average; averages over pairs must "
                    "stand side by side"
                )
            law = laws.setdefault(q.covariance, _Law(q.covariance))
            sums[q.symbol] = law.register(q)
        self._laws = [_CompiledLaw(law, arguments) for law in laws.values()]
        products = [symbol for law in laws.values() for symbol, _, _ in law.products]
        results = [stable(o.xreplace(sums)) for o in lowered.outputs]
        self._arithmetic = compile_kernel(results, [], [*arguments, *products], BALLS)

    def __call__(self, *values: Any, digits: int) -> flint.arb_mat:
        """Values of the outputs, shape (number of outputs, length of the arguments).

        Args:
            values: One per argument: an exact number or ball, or a sequence of n of them. Only
                covariances may vary along a sequence.
            digits: Digits of averages ⟨f g⟩ relative to √(⟨f²⟩⟨g²⟩).

        Raises:
            ParameterError: If the values are not as described, or are no covariances.
            ConvergenceError: If a series would need too many terms.
        """
        if len(values) != len(self.arguments):
            raise ParameterError(f"expected values for {self.arguments}, got {len(values)}")
        with working_precision(working_bits(digits)):
            known, length = _read(dict(zip(self.arguments, values, strict=True)))
            found: list[list[flint.arb]] = []
            for law in self._laws:
                found += law(known, length, digits)
            columns = []
            for i in range(length):
                given = [_at(known[s], i) for s in self.arguments]
                columns.append(self._arithmetic(*given, *(_at(row, i) for row in found))())
            rows = [[flint.arb(c[r]) for c in columns] for r in range(len(self.outputs))]
            return flint.arb_mat(rows) if rows else flint.arb_mat(0, length)


def _read(values: dict[Symbol, Any]) -> tuple[Values, int]:
    """Midpoints of all arguments; lists of one element are numbers."""
    known: Values = {}
    length = 0
    for symbol, value in values.items():
        is_number = isinstance(value, flint.arb | str) or not hasattr(value, "__len__")
        entries = [value] if is_number else list(value)
        known[symbol] = [exact_to_ball(v).mid() for v in entries]
        if not is_number:
            if length and len(entries) != length:
                raise ParameterError(
                    f"sequences of different lengths: {symbol} has {len(entries)}, another {length}"
                )
            length = len(entries)
    return known, length or 1


def _at(row: list[flint.arb], i: int) -> flint.arb:
    return row[i] if len(row) > 1 else row[0]


class _Law:
    """All averages of one variable, or of a pair with the same covariance."""

    def __init__(self, covariance: ImmutableDenseMatrix) -> None:
        self.covariance = covariance
        self.slot = Dummy("x", real=True)
        self.functions: tuple[list[Expr], list[Expr]] = ([], [])
        self.products: list[tuple[Dummy, int, int | None]] = []

    @property
    def shares_functions(self) -> bool:
        """Whether both variables have one variance, so that their coefficients are shared."""
        return self.covariance.rows == 1 or bool(self.covariance[0, 0] == self.covariance[1, 1])

    def register(self, q: Quadrature) -> Expr:
        """An average as a sum of constant · product symbol."""
        if len(q.variables) == 1:
            symbol = Dummy("average", real=True)
            at = self._place(0, q.integrand.xreplace({q.variables[0]: self.slot}))
            self.products.append((symbol, at, None))
            return symbol
        if len(q.variables) > 2:
            raise DerivationError(
                f"the average of {q.integrand} ties {len(q.variables)} variables; averages to "
                "many digits are over one or two"
            )
        x, y = q.variables
        total = S.Zero
        for constant, f, g in separate(q.integrand, (x, y)):
            symbol = Dummy("average", real=True)
            first = self._place(0, f.xreplace({x: self.slot}))
            self.products.append((symbol, first, self._place(1, g.xreplace({y: self.slot}))))
            total += constant * symbol
        return total

    def _place(self, side: int, f: Expr) -> int:
        known = self.functions[0 if self.shares_functions else side]
        if f not in known:
            _require_analytic(f, self.slot)
            known.append(f)
        return known.index(f)


def _require_analytic(f: Expr, slot: Symbol) -> None:
    if not f.has(slot):
        return
    if not analyse(Quadrature(Dummy(), f, (slot,), ImmutableDenseMatrix([[1]]))).is_analytic:
        raise DerivationError(
            f"{f} is not analytic (kinks or jumps), as averages to many digits need"
        )


class _CompiledLaw:
    """Evaluates all averages of a law."""

    def __init__(self, law: _Law, arguments: tuple[Symbol, ...]) -> None:
        self.products = [(i, j) for _, i, j in law.products]
        self.is_pair = law.covariance.rows == 2
        self.sides = [
            _Side(fs, law.slot, law.covariance[k, k], arguments)
            for k, fs in enumerate(law.functions)
            if fs
        ]
        off_diagonal = law.covariance[0, 1] if self.is_pair else S.Zero
        self._arguments = tuple(s for s in arguments if off_diagonal.has(s))
        self._covariance = compile_kernel([stable(off_diagonal)], [], self._arguments, BALLS)

    def __call__(self, known: Values, length: int, digits: int) -> list[list[flint.arb]]:
        """All products, shape (products, 1 or length)."""
        if not self.is_pair:
            averages = self.sides[0].series(known, digits, None).averages
            return [[averages[i]] for i, _ in self.products]
        ratios = self._ratios(known, length)
        largest = max(float(abs(r).upper()) for r in ratios)
        decay = -log(largest) if largest > 0 else inf
        pairs = [(i, j) for i, j in self.products if j is not None]
        first, second = (self.sides[k].series(known, digits, decay) for k in (0, -1))
        return mehler_sums(first, second, pairs, ratios, digits)

    def _ratios(self, known: Values, length: int) -> list[flint.arb]:
        """ρ for every covariance; one if none of its arguments vary."""
        variances = [self.sides[0].variance(known), self.sides[-1].variance(known)]
        scale = (variances[0] * variances[1]).sqrt()
        count = length if any(len(known[s]) > 1 for s in self._arguments) else 1
        ratios = []
        for i in range(count):
            (c,) = self._covariance(*(_at(known[s], i) for s in self._arguments))()
            if scale.is_zero():
                ratios.append(flint.arb(0))
                continue
            ratio = flint.arb(c) / scale
            size = abs(ratio)
            if size > 1:
                if size > 1 + _BEYOND:
                    raise ParameterError(
                        f"the covariance {flint.arb(c).str(8)} is larger than the variances "
                        f"{variances[0].str(8)}, {variances[1].str(8)} allow"
                    )
                ratio = flint.arb(1 if ratio > 0 else -1)
            elif size.contains(1):
                ratio = flint.arb(1 if ratio > 0 else -1)
            ratios.append(ratio)
        return ratios


class _Side:
    """The functions of one variable of a pair, and their coefficients.

    Args:
        functions: The functions, of the slot.
        slot: The variable.
        variance: Its variance.
        arguments: Symbols that are given.
    """

    def __init__(
        self, functions: list[Expr], slot: Symbol, variance: Expr, arguments: tuple[Symbol, ...]
    ) -> None:
        inside: set[Symbol] = set().union(
            variance.free_symbols, *(f.free_symbols for f in functions)
        )
        self.inside = tuple(s for s in arguments if s in inside)
        definite = [stable(f) for f in functions]
        self._variance = compile_kernel([stable(variance)], [], self.inside, BALLS)
        self._functions = compile_kernel(definite, [slot], self.inside, ANALYTIC)
        self._tables: OrderedDict[tuple[Any, ...], tuple[HermiteProjector, HermiteSeries]] = (
            OrderedDict()
        )

    def variance(self, known: Values) -> flint.arb:
        """The variance as a point.

        Raises:
            ParameterError: If it is negative.
        """
        (found,) = self._variance(*self._given(known))()
        value = flint.arb(found).mid()
        if not value >= 0:
            raise ParameterError(f"{value.str(8)} is no variance: it must not be negative")
        return value

    def series(self, known: Values, digits: int, decay: float | None) -> HermiteSeries:
        """Coefficients for averages at log 1/|ρ| ≥ decay; None for averages over one variable."""
        given = self._given(known)
        key = (digits, *(tuple(map(int, v.man_exp())) for v in given))
        projector, series = self._tables.get(key, (None, None))
        needed = inf if decay is None else decay
        if projector is None or series is None:
            projector = HermiteProjector(self._of_unit(given, self.variance(known)), digits)
            series = projector.project(decay)
        elif decay is not None and not series.suffices(digits + 1, needed):
            series = projector.project(decay)
        self._tables[key] = projector, series
        self._tables.move_to_end(key)
        while len(self._tables) > _TABLES:
            self._tables.popitem(last=False)
        return series

    def _given(self, known: Values) -> list[flint.arb]:
        """Values of what functions and variance contain.

        Raises:
            ParameterError: If one of them varies along a sequence.
        """
        for s in self.inside:
            if any(v != known[s][0] for v in known[s][1:]):
                raise ParameterError(
                    f"{s} varies from pair to pair; to many digits only covariances may"
                )
        return [known[s][0] for s in self.inside]

    def _of_unit(self, given: list[flint.arb], variance: flint.arb) -> Functions:
        """The functions of u = x/√variance."""

        def functions(u: Any) -> Sequence[Any]:
            return self._functions(*given)(u * variance.sqrt())

        return functions

"""Averages ⟨f(x(t)) g(x(t'))⟩ for all pairs of times, by Hermite series.

Every function is expanded once per time (:mod:`gatetheory.solvers.two_time_series`), and then

    ⟨f(x) g(y)⟩ = Σ_k f_k g_k ρ^k,
    |rest after K terms| ≤ |ρ|^K (‖f‖² − Σ f_k²)^½ (‖g‖² − Σ g_k²)^½,

so that T² averages cost T quadratures and T² short sums, and the bound on what is cut off is known,
not guessed. Equal times are done by plain quadrature, and so, in two dimensions, are pairs for
which the bound is too large: nearly equal variables under steep functions.

Source: F. G. Mehler, J. reine angew. Math. 66, 161 (1866), for the series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import Dummy, Expr, Symbol

from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.lowering import lower
from gatetheory.codegen.pair_reach import reach
from gatetheory.codegen.pairs_numpy import PairProgram, compile_pairs, separate
from gatetheory.codegen.rewriting import stable
from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.two_time_system import PairLaw
from gatetheory.errors import DerivationError
from gatetheory.solvers.two_time_series import Expansions, Function, Moments, sum_series

Array = NDArray[np.float64]

_ALLOWED = 1e-12  # rest of a series, relative to the norms, beyond which the average is integrated


class PairAverages:
    """Outputs that are arithmetic on averages of products over a pair of times.

    Args:
        outputs: What is evaluated, with definitions and parameters put in.
        law: The law of the pair.
        count: Number of times.

    Raises:
        DerivationError: If an average ties more than one field at one time, or is not analytic.
    """

    def __init__(self, outputs: Sequence[Expr], law: PairLaw, count: int) -> None:
        self.law, self.count = law, count
        self._sides: dict[Symbol, tuple[int, int]] = {}
        for side, variables in enumerate((law.now, law.then)):
            self._sides |= {u: (i, side) for i, u in enumerate(variables)}
        self._slot = Dummy("x", real=True)
        self._means = tuple(Dummy(m.name, real=True) for m in law.means_now)
        self._functions: dict[tuple[int, Expr], Function] = {}
        self.expansions = Expansions(count)
        self._programs: dict[tuple[int, ...], PairProgram] = {}
        entries = {e for e in law.covariance if e.is_Symbol}
        known = [*sorted(entries, key=str), *law.means_now, *law.means_then]
        lowered = lower(outputs, known)
        self._products: list[tuple[Function, Function | None, int]] = []
        results: dict[Symbol, Expr] = {}
        symbols: list[Symbol] = []
        for q in lowered.quadratures:
            total: Expr = 0 * self._slot
            for constant, parts in self._split(q.integrand, q.variables):
                symbols.append(Dummy("average", real=True))
                self._products.append(parts)
                total += constant * symbols[-1]
            results[q.symbol] = total
        self._known = known
        expressions = [stable(o.xreplace(results)) for o in lowered.outputs]
        self._arithmetic = compile_kernel(expressions, [], [*known, *symbols], DOUBLES)

    # ---- structure ---------------------------------------------------------------------------

    def _split(
        self, integrand: Expr, variables: tuple[Symbol, ...]
    ) -> list[tuple[Expr, tuple[Function, Function | None, int]]]:
        """Terms constant · f(now) · g(then), or constant · f at one side."""
        sides = [self._sides[v] for v in variables]
        if len(variables) == 1:
            f = self._register(integrand, variables[0])
            return [(integrand * 0 + 1, (f, None, sides[0][1]))]
        if len(variables) != 2 or sides[0][1] == sides[1][1]:
            names = ", ".join(map(str, variables))
            raise DerivationError(
                f"the average of {integrand} ties {names}; a signal may depend nonlinearly on one "
                "field of a correlated set: declare the combination it reads as an algebraic "
                'field, or use closure="sampled"'
            )
        if sides[0][1] == 1:
            variables = variables[::-1]
        found: list[tuple[Expr, tuple[Function, Function | None, int]]] = []
        for constant, f, g in separate(integrand, variables):
            parts = self._register(f, variables[0]), self._register(g, variables[1]), 2
            found.append((constant, parts))
        return found

    def _register(self, f: Expr, variable: Symbol) -> Function:
        index, side = self._sides[variable]
        means = (self.law.means_now, self.law.means_then)[side]
        names = dict(zip(means, self._means, strict=True)) | {variable: self._slot}
        f = f.xreplace(names)
        if (index, f) not in self._functions:
            kernel = compile_kernel([stable(f)], [self._slot, *self._means], [], DOUBLES)()
            distance = float(reach([f], self._slot))
            self._functions[index, f] = self.expansions.add(index, kernel, distance)
        return self._functions[index, f]

    # ---- evaluation --------------------------------------------------------------------------

    def __call__(self, n: int, moments: Moments) -> Array:
        """Values of the outputs at (n, 0 … n), shape (outputs, n + 1).

        Args:
            n: The time; those before have been asked for already.
            moments: The law.
        """
        self.expansions.expand(slice(n, n + 1), moments)
        deviations = np.sqrt(moments.variances)
        values = [self._average(n, p, moments, deviations) for p in self._products]
        given = [self._lookup(s, n, moments) for s in self._known]
        results = self._arithmetic(*given, *values)()
        return np.stack([np.broadcast_to(np.asarray(r, float), (n + 1,)) for r in results])

    def _lookup(self, symbol: Symbol, n: int, moments: Moments) -> Any:
        for side, names in enumerate((self.law.means_now, self.law.means_then)):
            if symbol in names:
                mean = moments.means[names.index(symbol)]
                return mean[n] if side == 0 else mean
        i, j, now = self._places[symbol]
        if now == 1:
            return moments.across[i, j]
        return moments.equal[i, j, n] if now == 0 else moments.equal[i, j]

    @cached_property
    def _places(self) -> Mapping[Symbol, tuple[int, int, int]]:
        size, sigma = self.law.size, self.law.covariance
        found: dict[Symbol, tuple[int, int, int]] = {}
        for i in range(size):
            for j in range(size):
                for symbol, place in (
                    (sigma[i, j], (i, j, 0)),
                    (sigma[i, size + j], (i, j, 1)),
                    (sigma[size + i, size + j], (i, j, 2)),
                ):
                    found.setdefault(symbol, place)
        return found

    def _average(
        self,
        n: int,
        product: tuple[Function, Function | None, int],
        moments: Moments,
        deviations: Array,
    ) -> Any:
        f, g, side = product
        if g is None:
            if np.isinf(f.cut[n]):
                f.coefficients[0, n] = self._mean_by_quadrature(n, f, moments)
            return f.coefficients[0, n] if side == 0 else f.coefficients[0, : n + 1]
        scale = deviations[f.index, n] * deviations[g.index, : n + 1]
        rho = moments.across[f.index, g.index] / np.where(scale > 0, scale, 1.0)
        rho = np.clip(np.where(scale > 0, rho, 0.0), -1.0, 1.0)
        value = sum_series(f.coefficients[:, n], g.coefficients[:, : n + 1], rho)
        if f.index == g.index:
            value[n] = self.expansions.equal(f, g, n, moments)
        norms = np.sqrt(f.norm[n] * g.norm[: n + 1])
        rest = np.sqrt(f.cut[n] * g.cut[: n + 1])
        rest = np.where(rest > 0, rest * np.abs(rho) ** self.expansions.terms, 0.0)
        rest[n] = rest[n] if np.isinf(f.cut[n]) or f.index != g.index else 0.0
        at = np.flatnonzero(~(rest <= _ALLOWED * norms))
        if at.size and np.isfinite(value).all():
            value[at] = self._by_quadrature(n, (f, g), moments, rho[at], at)
        return value

    def _mean_by_quadrature(self, n: int, f: Function, moments: Moments) -> float:
        """⟨f⟩ at time n of a function that is too steep for the rule of the series."""
        key = (id(f),)
        if key not in self._programs:
            u, variance = Dummy("u", real=True), Dummy("p", real=True)
            inside = self._expression(f).xreplace({self._slot: u})
            average = GaussianAverage(inside, (u,), [[variance]], evaluate=False)
            self._programs[key] = compile_pairs([average], [variance, *self._means])
        variance = float(moments.variances[f.index, n])
        return float(self._programs[key](variance, *moments.means[:, n])[0, 0])

    def _expression(self, f: Function) -> Expr:
        """What a function was compiled from, in the slot and the means."""
        return next(e for (_, e), known in self._functions.items() if known is f)

    def _by_quadrature(
        self,
        n: int,
        pair: tuple[Function, Function],
        moments: Moments,
        rho: Array,
        at: NDArray[np.intp],
    ) -> Array:
        """⟨f g⟩ at (n, at), where the series is too long."""
        key = tuple(id(f) for f in pair)
        if key not in self._programs:
            then = tuple(Dummy(m.name, real=True) for m in self._means)
            u, v, first, second, c = (Dummy(name, real=True) for name in ("u", "v", "p", "q", "c"))
            f, g = (self._expression(q) for q in pair)
            g = g.xreplace(dict(zip(self._means, then, strict=True)))
            average = GaussianAverage(
                f.xreplace({self._slot: u}) * g.xreplace({self._slot: v}),
                (u, v),
                [[first, c], [c, second]],
                evaluate=False,
            )
            arguments = [first, second, c, *self._means, *then]
            self._programs[key] = compile_pairs([average], arguments)
        variances = [moments.variances[pair[0].index, n], moments.variances[pair[1].index, at]]
        means = [*moments.means[:, n], *moments.means[:, at]]
        covariance = rho * np.sqrt(variances[0] * variances[1])
        found = self._programs[key](*variances, covariance, *means, tolerance=_ALLOWED)[0]
        return np.broadcast_to(found, at.shape)

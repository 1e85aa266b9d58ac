"""Averages over jointly Gaussian variables, as SymPy expressions.

:class:`GaussianAverage` is the heart of the symbolic layer. It folds constants, factorises over
independent groups of variables, differentiates by Price's theorem, and prints as ⟨·⟩.

Source: R. Price, IRE Trans. Inf. Theory 4, 69 (1958).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import Any

import sympy
from sympy import Dummy, Expr, ImmutableDenseMatrix, Mul, S, Symbol, Tuple, default_sort_key

from gatetheory.functions import differentiate


class GaussianAverage(Expr):
    """⟨f(x_1 … x_k)⟩ for x ~ N(0, Σ).

    ``GaussianAverage(f, (x_1, …), Σ)`` returns a simpler expression when there is one:

    * variables that f does not contain are integrated out, variables of zero variance set to 0;
    * factors and terms free of the variables are taken out of the average;
    * a product splits over groups of variables that neither Σ nor a factor ties together;
    * a polynomial is replaced by its moments (Isserlis' theorem).

    The variables are bound: substituting for them does nothing, and they are not free symbols.

    *Assumptions*: f grows slowly enough for the average, and for its derivatives, to exist.
    """

    is_commutative = True

    def __new__(
        cls, integrand: Expr, variables: Iterable[Symbol], covariance: Any, *, evaluate: bool = True
    ) -> Expr:
        """Build the average, or what it simplifies to."""
        names = tuple(variables)
        sigma = ImmutableDenseMatrix(covariance)
        f = sympy.sympify(integrand)
        if sigma.shape != (len(names), len(names)):
            raise ValueError(f"covariance of {len(names)} variables has shape {sigma.shape}")
        if not evaluate:
            return Expr.__new__(cls, f, Tuple(*names), sigma)
        return _simplest(cls, f, names, sigma)

    @classmethod
    def independent(cls, integrand: Expr, variances: Mapping[Symbol, Expr]) -> Expr:
        """⟨f⟩ over independent variables with the given variances."""
        return cls(integrand, tuple(variances), sympy.diag(*variances.values()))

    # ---- parts -------------------------------------------------------------------------------

    @property
    def integrand(self) -> Expr:
        """The function that is averaged."""
        return self.args[0]

    @property
    def variables(self) -> tuple[Symbol, ...]:
        """The bound Gaussian variables."""
        return tuple(self.args[1])

    @property
    def covariance(self) -> ImmutableDenseMatrix:
        """Their covariance matrix Σ."""
        return self.args[2]

    @property
    def bound_symbols(self) -> list[Symbol]:
        """The bound variables, as SymPy asks for them."""
        return list(self.variables)

    @property
    def free_symbols(self) -> set[Symbol]:
        """Symbols the value depends on."""
        inside = self.integrand.free_symbols - set(self.variables)
        return inside | self.covariance.free_symbols

    def canonical(self) -> Expr:
        """The same average with its variables renamed, so that equal averages are equal."""
        stem = "x_"
        while any(s.name.startswith(stem) for s in self.free_symbols):
            stem += "_"
        renamed = [Symbol(f"{stem}{i + 1}", real=True) for i in range(len(self.variables))]
        orders = permutations(range(len(self.variables)))
        return min((self._ordered(order, renamed) for order in orders), key=default_sort_key)

    def _ordered(self, order: Sequence[int], names: Sequence[Symbol]) -> Expr:
        """The variables in another order and under other names."""
        return Expr.__new__(
            GaussianAverage,
            self.integrand.xreplace(
                {self.variables[i]: n for i, n in zip(order, names, strict=True)}
            ),
            Tuple(*names),
            self.covariance.extract(order, order),
        )

    def _renamed(self, names: Mapping[Symbol, Symbol]) -> Expr:
        return Expr.__new__(
            GaussianAverage,
            self.integrand.xreplace(names),
            Tuple(*(names.get(v, v) for v in self.variables)),
            self.covariance,
        )

    # ---- calculus ----------------------------------------------------------------------------

    def _eval_is_real(self) -> bool | None:
        return self.integrand.is_real

    def _eval_is_positive(self) -> bool | None:
        return True if self.integrand.is_positive else None

    def _eval_is_nonnegative(self) -> bool | None:
        return True if self.integrand.is_nonnegative else None

    def _eval_derivative(self, symbol: Symbol) -> Expr:
        """Leibniz in the integrand, Price's theorem in the covariance."""
        f, names, sigma = self.args
        if symbol in names:
            return S.Zero
        total = GaussianAverage(differentiate(f, symbol), names, sigma)
        for i, x in enumerate(names):
            for j, y in enumerate(names):
                slope = sigma[i, j].diff(symbol)
                if slope != 0:
                    total += slope * self._curvature(x, y) / 2
        return total

    def _curvature(self, x: Symbol, y: Symbol) -> Expr:
        """⟨∂_x ∂_y f⟩; where f has kinks or jumps, with the derivatives moved to the Gaussian."""
        f, names, sigma = self.args
        curvature = differentiate(differentiate(f, x), y)
        if curvature.has(sympy.DiracDelta):
            precision = sigma.inv()
            scores = precision * ImmutableDenseMatrix(list(names))
            i, j = names.index(x), names.index(y)
            curvature = f * (scores[i] * scores[j] - precision[i, j])
        return GaussianAverage(curvature, names, sigma)

    def _eval_subs(self, old: Expr, new: Expr) -> Expr | None:
        if old == self:
            return new
        if old in self.variables:
            return self
        captured = set(self.variables) & getattr(new, "free_symbols", set())
        average = self._renamed({v: Dummy(v.name, real=True) for v in captured})
        f, names, sigma = average.args
        return GaussianAverage(f._subs(old, new), names, sigma._subs(old, new))

    def expand_average(self) -> Expr:
        """Expand the integrand and average term by term, so that each term factorises."""
        f = sympy.expand(self.integrand)
        return sympy.Add(
            *(
                GaussianAverage(term, self.variables, self.covariance)
                for term in f.as_ordered_terms()
            )
        )

    # ---- printing ----------------------------------------------------------------------------

    def _law(self) -> Tuple:
        """What is printed beside the closing bracket: the distinct variances and covariances."""
        n = len(self.variables)
        entries = [self.covariance[i, i] for i in range(n)]
        entries += [
            self.covariance[i, j] for i in range(n) for j in range(i) if self.covariance[i, j] != 0
        ]
        return Tuple(*entries)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        inside = printer._print(self.integrand)
        law = ",".join(printer._print(e) for e in self._law())
        text = rf"\left\langle {inside} \right\rangle_{{{law}}}"
        return rf"{text}^{{{exp}}}" if exp else text

    def _sympystr(self, printer: Any) -> str:
        law = ", ".join(
            f"{v}~{printer._print(self.covariance[i, i])}" for i, v in enumerate(self.variables)
        )
        n = len(self.variables)
        ties = [
            f"{self.variables[j]}{self.variables[i]}~{printer._print(self.covariance[i, j])}"
            for i in range(n)
            for j in range(i)
            if self.covariance[i, j] != 0
        ]
        law = ", ".join([law, *ties])
        return f"<{printer._print(self.integrand)}; {law}>"

    def _pretty(self, printer: Any) -> Any:
        from sympy.printing.pretty.stringpict import prettyForm

        inside = printer._print(self.integrand)
        form = prettyForm(*prettyForm(*inside.left("⟨")).right("⟩"))
        law = prettyForm(*printer._print_seq(self._law(), None, None, ",").below(""))
        padding = prettyForm(*law.above(*[" "] * form.height()))
        padding.baseline = form.baseline
        return prettyForm(*form.right(padding))

    def _mathml_presentation(self, printer: Any) -> Any:
        dom = printer.dom

        def element(kind: str, *children: Any) -> Any:
            node = dom.createElement(kind)
            for child in children:
                node.appendChild(dom.createTextNode(child) if isinstance(child, str) else child)
            return node

        bracket = element(
            "mrow", element("mo", "⟨"), printer._print(self.integrand), element("mo", "⟩")
        )
        law = element("mrow")
        for k, entry in enumerate(self._law()):
            if k:
                law.appendChild(element("mo", ","))
            law.appendChild(printer._print(entry))
        return element("msub", bracket, law)


def expand_averages(expression: Expr) -> Expr:
    """Average term by term everywhere in an expression."""
    return expression.replace(
        lambda e: isinstance(e, GaussianAverage), lambda e: e.expand_average()
    )


# ---- simplification on creation --------------------------------------------------------------


def _simplest(
    cls: type[GaussianAverage], f: Expr, names: tuple[Symbol, ...], sigma: ImmutableDenseMatrix
) -> Expr:
    frozen = {v: S.Zero for i, v in enumerate(names) if sigma[i, i].is_zero}
    if frozen:
        f = f.subs(frozen)
    keep = [i for i, v in enumerate(names) if v in f.free_symbols]
    if not keep:
        return f
    if len(keep) < len(names):
        sigma = sigma.extract(keep, keep)
        names = tuple(names[i] for i in keep)

    constant, terms = f.as_independent(*names, as_Add=True)
    if constant != 0:
        return constant + _simplest(cls, terms, names, sigma)
    constant, factors = f.as_independent(*names, as_Add=False)
    if constant != 1:
        return constant * _simplest(cls, factors, names, sigma)

    groups = _independent_groups(Mul.make_args(f), names, sigma)
    if len(groups) > 1:
        return Mul(*(_simplest(cls, g, *_marginal(g, names, sigma)) for g in groups))
    if f.is_polynomial(*names):
        return _moments(sympy.Poly(f, *names), sigma)
    order = sorted(range(len(names)), key=lambda i: str(names[i]))
    return Expr.__new__(
        cls, f, Tuple(*(names[i] for i in order)), ImmutableDenseMatrix(sigma.extract(order, order))
    )


def _marginal(
    f: Expr, names: tuple[Symbol, ...], sigma: ImmutableDenseMatrix
) -> tuple[tuple[Symbol, ...], ImmutableDenseMatrix]:
    keep = [i for i, v in enumerate(names) if v in f.free_symbols]
    return tuple(names[i] for i in keep), sigma.extract(keep, keep)


def _independent_groups(
    factors: Iterable[Expr], names: tuple[Symbol, ...], sigma: ImmutableDenseMatrix
) -> list[Expr]:
    """Products of the factors, one for each group of variables tied by Σ or by a factor."""
    group = {v: {v} for v in names}

    def tie(members: Iterable[Symbol]) -> None:
        merged = set().union(*(group[v] for v in members))
        for v in merged:
            group[v] = merged

    for i, x in enumerate(names):
        for j in range(i):
            if sigma[i, j].is_zero is not True:
                tie((x, names[j]))
    factors = list(factors)
    for factor in factors:
        inside = [v for v in names if v in factor.free_symbols]
        if inside:
            tie(inside)
    products: dict[frozenset[Symbol], Expr] = {}
    for factor in factors:
        owner = next(v for v in names if v in factor.free_symbols)
        key = frozenset(group[owner])
        products[key] = products.get(key, S.One) * factor
    return list(products.values())


def _moments(polynomial: sympy.Poly, sigma: ImmutableDenseMatrix) -> Expr:
    """Average of a polynomial by Isserlis' theorem, applied as ⟨x_i f⟩ = Σ_j Σ_ij ⟨∂_j f⟩."""
    known: dict[tuple[int, ...], Expr] = {}

    def moment(powers: tuple[int, ...]) -> Expr:
        if not any(powers):
            return S.One
        if sum(powers) % 2:
            return S.Zero
        if powers not in known:
            i = next(k for k, p in enumerate(powers) if p)
            rest = _lowered(powers, i)
            known[powers] = sympy.Add(
                *(sigma[i, j] * p * moment(_lowered(rest, j)) for j, p in enumerate(rest) if p)
            )
        return known[powers]

    return sympy.Add(*(c * moment(m) for m, c in polynomial.terms()))


def _lowered(powers: tuple[int, ...], index: int) -> tuple[int, ...]:
    return tuple(p - (k == index) for k, p in enumerate(powers))

r"""The average over the couplings: from a network of N units to one unit in Gaussian fields.

In the path integral (Martin–Siggia–Rose) every local field is held to its definition by a response
field η̂, and the couplings enter only through exponents linear in them,

    S_a = −i Σ_ij J^a_ij ∫dt η̂_{a,i}(t) ψ_a(x_j(t)).

They are Gaussian, so ⟨exp Σ_a S_a⟩ = exp(½ Σ_ab ⟨S_a S_b⟩): :func:`second_cumulant` contracts the
couplings pair by pair. What is left couples units only through (1/N) Σ_j ψ_a(t) ψ_b(t'), which the
saddle point replaces by its average over a single unit. ``derivations/single_site.py`` does the
same step by step and compares with the explicit integral.

Source: Martin, Siggia and Rose (1973); Krishnamurthy, Can and Schwab (2022), Sec. III.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sympy import Expr, Function, IndexedBase, KroneckerDelta, Mul, S, Symbol, symbols
from sympy.concrete.delta import deltasummation

from gatetheory.equations.process import ProcessAverage
from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.model import Coupling, Model
from gatetheory.references import PATH_INTEGRAL
from gatetheory.theory.classification import FieldClass, classify
from gatetheory.theory.dependence import independent_factors, random_roots

T1, T2 = Symbol("t", real=True), Symbol("t'", real=True)
UNITS = Symbol("N", positive=True, integer=True)

LARGE_N = Assumption("large N", "the number of units goes to infinity at fixed time")
INDEPENDENT_COUPLINGS = Assumption(
    "independent couplings",
    "the entries of every coupling are independent Gaussians of variance s²/N, independent of the "
    "initial state and of each other",
)
SELF_AVERAGING = Assumption(
    "saddle point", "population averages do not fluctuate between networks, to leading order in 1/N"
)


def second_cumulant(first: Coupling, second: Coupling) -> tuple[Expr, Expr]:
    """The quadratic form that the average over the couplings leaves between η̂_a and η̂_b.

    Contracts ⟨J^a_ij J^b_kl⟩ = δ_ab δ_ik δ_jl s_a²/N in Σ_jkl J^a_ij J^b_kl ψ_a,j ψ_b,l.

    Returns:
        The coefficient of η̂_{a,i}(t) η̂_{b,i}(t'), as a function of one presynaptic unit j, before
        the sum over j; and the same summed over j, with (1/N) Σ_j ψ_a,j ψ_b,j written as the symbol
        C. The latter is the covariance ⟨η_a(t) η_b(t')⟩ in terms of the order parameter.
    """
    i, j, k, m = symbols("i j k l", integer=True)
    psi_a, psi_b = IndexedBase("psi_a"), IndexedBase("psi_b")
    same_matrix = S.One if first.local_field == second.local_field else S.Zero
    pair = same_matrix * first.variance / UNITS * KroneckerDelta(i, k) * KroneckerDelta(j, m)
    summand = pair * psi_a[j] * psi_b[m]
    for index in (m, k):
        summand = deltasummation(summand, (index, 1, UNITS), no_piecewise=True)
    order_parameter = Symbol("C")
    summed = summand.subs(psi_a[j] * psi_b[j], order_parameter) * UNITS
    return summand, summed


@dataclass(frozen=True)
class SingleSite:
    """The single-site process of a model: one unit driven by self-consistent Gaussian fields."""

    model: Model

    @cached_property
    def roots(self) -> dict[Symbol, frozenset[Symbol]]:
        """The random sources every field and local field depends on."""
        return random_roots(self.model)

    @cached_property
    def classes(self) -> dict[Symbol, FieldClass]:
        """Gaussian, conditionally Gaussian or non-Gaussian, for every field."""
        return classify(self.model)

    def independent(self, *symbols: Symbol) -> bool:
        """Whether fields (or local fields) are mutually independent."""
        roots = [self.roots[s] for s in symbols]
        return all(not (a & b) for n, a in enumerate(roots) for b in roots[:n])

    def average(self, expression: Expr, copies: Mapping[Symbol, Symbol] | None = None) -> Expr:
        """⟨expression⟩ over the single-site process, factorised over independent fields.

        Args:
            expression: A product of functions of a unit's symbols.
            copies: For expressions at several times, which symbol of the unit each copy stands for.
        """
        roots = dict(self.roots)
        for copy, original in (copies or {}).items():
            roots[copy] = roots[original]
        constant, rest = expression.as_independent(*roots, as_Add=False)
        return constant * Mul(*(ProcessAverage(f) for f in independent_factors(rest, roots)))

    @cached_property
    def equations(self) -> EquationSet:
        """Laws of the unit and covariances of its Gaussian fields."""
        return EquationSet(
            "single_site",
            tuple(self._covariance(c) for c in self.model.couplings),
        )

    @cached_property
    def covariances(self) -> dict[tuple[Symbol, Symbol], Expr]:
        """⟨η_a(t) η_b(t')⟩ for every pair of local fields."""
        order = Symbol("C")
        pairs = {}
        for a in self.model.couplings:
            for b in self.model.couplings:
                kernel = second_cumulant(a, b)[1]
                pairs[a.local_field, b.local_field] = kernel.subs(
                    order, self._order_parameter(a, b)
                )
        return pairs

    def _order_parameter(self, a: Coupling, b: Coupling) -> Expr:
        """⟨ψ_a(t) ψ_b(t')⟩ over the process, factorised."""
        at_t1, at_t2 = (
            {f.symbol: self._dated(f.symbol, t) for f in self.model.fields} for t in (T1, T2)
        )
        names = {v: k for at in (at_t1, at_t2) for k, v in at.items()}
        average = self.average(a.signal.xreplace(at_t1) * b.signal.xreplace(at_t2), names)
        shown = {
            v: Function(k.name, real=True)(t)
            for at, t in ((at_t1, T1), (at_t2, T2))
            for k, v in at.items()
        }
        return average.xreplace(shown)

    @staticmethod
    def _dated(symbol: Symbol, time: Symbol) -> Symbol:
        return Symbol(f"{symbol.name}({time.name})", real=True)

    def _covariance(self, coupling: Coupling) -> Equation:
        eta = Function(coupling.local_field.name, real=True)
        summand, kernel = second_cumulant(coupling, coupling)
        value = self.covariances[coupling.local_field, coupling.local_field]
        return Equation(
            tag=f"C_{coupling.local_field.name}",
            lhs=ProcessAverage(eta(T1) * eta(T2)),
            rhs=value,
            meaning=f"covariance of the Gaussian field of coupling {coupling.name}",
            trace=(
                Step(
                    "couplings",
                    f"J^{coupling.name}_ij enters the action linearly, with the signal",
                    coupling.signal,
                ),
                Step(
                    "average",
                    "the Gaussian integral over J leaves, for each presynaptic unit j, "
                    "the covariance of the local field",
                    summand,
                ),
                Step(
                    "saddle point", "the sum over j becomes N times the order parameter C", kernel
                ),
                Step(
                    "reduced equation",
                    "C is an average over one unit; independent fields factor",
                    value,
                ),
            ),
            assumptions=(LARGE_N, INDEPENDENT_COUPLINGS, SELF_AVERAGING),
            references=(PATH_INTEGRAL, *self.model.references),
        )

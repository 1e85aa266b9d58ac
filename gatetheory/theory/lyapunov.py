r"""The largest Lyapunov exponent from two replicas of the single-site process.

Two networks with the same couplings whose states differ by little have cross-covariances

    C¹²(t, t') = C(t − t') + ε χ(t − t') e^{κ (t + t')}.

Both replicas obey the same laws in their own times, so the equation of C holds for C¹² with ∂_t → κ
+ ∂_τ and ∂_t' → κ − ∂_τ. Its source depends on C¹² through the covariance between replicas alone;
the variances belong to one replica each and stay. To first order in ε,

    d(κ + ∂) d(κ − ∂) χ_x = n(κ + ∂) n(κ − ∂) Σ_k (∂S/∂C_k) χ_k,

and λ_max is the largest κ with a decaying even solution.

Source: Sompolinsky, Crisanti and Sommers (1988); Krishnamurthy, Can and Schwab (2022), Sec. VI.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import sympy
from sympy import Expr, Function, Mul, S, Symbol

from gatetheory.equations.lag_system import KAPPA, LagSystem
from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.references import SCS
from gatetheory.theory.correlations import factorized_operator, gate_of, shown
from gatetheory.theory.gaussian_fields import gaussian_fields
from gatetheory.theory.lag_equations import LAG, covariance_equation, named
from gatetheory.theory.signals import Slots
from gatetheory.theory.single_site import SingleSite

TWO_REPLICAS = Assumption(
    "two replicas",
    "two networks with the same couplings and nearby states; the difference is small, and grows "
    "at the rate of the largest Lyapunov exponent",
)


def derive_lyapunov(single_site: SingleSite, system: LagSystem) -> EquationSet:
    """Equations of the difference between two replicas, under the closure of a lag system."""
    model = single_site.model
    linear = gaussian_fields(model)
    names = list(system.sources)
    variations = {c.symbol: _variation(c.name) for c in system.covariances}
    equation = partial(
        Equation,
        assumptions=(*system.equations.assumptions, TWO_REPLICAS),
        references=tuple(dict.fromkeys((*model.references, SCS))),
    )
    equations = []
    local = [
        named(_source_variation(names[system.drive_sources[a]]))
        for a in range(len(linear.local_fields))
    ]
    for x in linear.fields:
        chi = named(f"chi_{x.name}")
        row = tuple(S.One if y == x else S.Zero for y in linear.fields)
        gate = next((g for g in linear.gates if g.field == x), None)
        if system.closure == "factorized" and gate is not None:
            slots = Slots(linear.fields, list(linear.means), single_site.roots)
            s, eta = gate_of(gate, linear)
            reading = slots.read(s)
            pair, mean = slots.two_times(reading, reading), slots.two_times(reading, S.One)
            derivative = Symbol("s", real=True)
            operator = factorized_operator(mean, pair)(derivative)
            left = _applied(operator, derivative, chi, system)
            source = system.drive_sources[linear.local_fields.index(eta)]
            own = named(names[source])(LAG)
            change = sum(
                (pair.diff(c.symbol) * variations[c.symbol] for c in system.covariances), S.Zero
            )
            held = own - named(f"C_{x.name}")(LAG)
            right = shown(pair, system.covariances) * local[linear.local_fields.index(eta)](LAG)
            right += shown(change, system.covariances) * held
        else:
            left, right = covariance_equation(linear, row, row, chi, local, KAPPA)
        equations.append(
            equation(
                tag=f"chi_{x.name}",
                lhs=left,
                rhs=right,
                meaning=f"cross-replica variation of the covariance of {x}",
                trace=(
                    *system.equations[f"C_{x.name}"].trace,
                    Step("two replicas", "∂_t → κ + ∂_τ, ∂_t' → κ − ∂_τ", left),
                ),
            )
        )
    fields = {f"C_{x.name}" for x in linear.fields}
    for c in system.covariances:
        if c.name in fields:
            continue
        chi = named(_source_variation(c.name))
        left, right = covariance_equation(linear, c.first, c.second, chi, local, KAPPA)
        equations.append(
            equation(
                tag=_source_variation(c.name),
                lhs=left,
                rhs=right,
                meaning=f"cross-replica variation of {c.name}",
                trace=(Step("two replicas", "∂_t → κ + ∂_τ, ∂_t' → κ − ∂_τ", left),),
            )
        )
    for number, (name, source) in enumerate(system.sources.items()):
        if not name.startswith("C_eta"):
            continue
        total = sympy.Add(
            *(
                Mul(shown(slope, system.covariances), variations[c.symbol])
                for c, slope in zip(system.covariances, system.slopes.row(number), strict=True)
            )
        )
        equations.append(
            equation(
                tag=_source_variation(name),
                lhs=named(_source_variation(name))(LAG),
                rhs=total,
                meaning="its source: the covariance between replicas varies, the variances do not",
                trace=(
                    *system.equations[name].trace,
                    Step("Price's theorem", "∂⟨f g⟩/∂C = ⟨f' g'⟩", source),
                ),
            )
        )
    return EquationSet("lyapunov", tuple(equations))


def _variation(name: str) -> Expr:
    return Function(f"chi_{name.removeprefix('C_')}", real=True)(LAG)


def _source_variation(name: str) -> str:
    return f"chi_{name.removeprefix('C_')}"


def _applied(
    operator: Expr, derivative: Symbol, function: Callable[[Expr], Expr], system: LagSystem
) -> Expr:
    value = function(LAG)
    return sympy.Add(
        *(
            shown(c, system.covariances) * (value.diff(LAG, k) if k else value)
            for (k,), c in sympy.Poly(operator, derivative).terms()
        )
    )

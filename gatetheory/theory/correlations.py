r"""Stationary correlation functions of the single-site process.

The fields that signals depend on are Gaussian (under a closure where a gate fluctuates), so their
covariances obey linear equations in the lag with sources that are averages over pairs,

    d(∂_τ) d(−∂_τ) C_x(τ) = n(∂_τ) n(−∂_τ) s_a² ⟨ψ_a(x) ψ_a(x')⟩,   (x, x') ~ N(0, C(0), C(τ)).

Where a gate s(y) multiplies the law of a field, ẋ = s(y)(η − x), the closure ``factorized``
averages gate and field apart. Applying ∂_t + s at both times,

    ⟨(∂_t + s)(∂_t' + s') x x'⟩ = ⟨s s' η η'⟩,

every product of gates is replaced by its average: s s' → C_s(τ), a single s → ⟨s⟩. The two terms
with a single gate cancel in the stationary state and do not between replicas.

Source: Krishnamurthy, Can and Schwab (2022), Sec. III; R. Price (1958).
"""

from __future__ import annotations

from collections.abc import Callable

import sympy
from sympy import Expr, Function, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.bounds import bounds
from gatetheory.equations.lag_system import KAPPA, Covariance, LagSystem
from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.errors import DerivationError
from gatetheory.functions import Nonlinear, differentiate, instantiate
from gatetheory.model import Model
from gatetheory.references import PRICE
from gatetheory.theory.gaussian_fields import Gate, GaussianFields, gaussian_fields
from gatetheory.theory.lag_equations import LAG, covariance_equation, named
from gatetheory.theory.signals import Slots
from gatetheory.theory.single_site import (
    INDEPENDENT_COUPLINGS,
    LARGE_N,
    SELF_AVERAGING,
    SingleSite,
)

STATIONARY = Assumption(
    "stationary state", "initial conditions are forgotten; covariances depend on the lag alone"
)


def constant_closure(gates: tuple[Gate, ...]) -> Assumption:
    """The assumption that gates are held at their value at the mean."""
    held = "; ".join(f"{', '.join(map(str, g.given))} in the law of {g.field}" for g in gates)
    return Assumption(
        "constant gate", f"held at the mean: {held}; exact where the gate does not fluctuate"
    )


def factorized_closure(gates: tuple[Gate, ...]) -> Assumption:
    """The assumption that gates and the fields they drive are averaged apart."""
    names = ", ".join(str(g.field) for g in gates)
    return Assumption(
        "factorized gate",
        f"the gate and the path of {names} are averaged apart; an approximation where the gate "
        "fluctuates",
    )


def derive_correlations(single_site: SingleSite, closure: str) -> LagSystem:
    """Lag equations of the stationary state under a closure.

    Args:
        single_site: The process.
        closure: ``"constant"`` or ``"factorized"``.

    Raises:
        DerivationError: If the model has no such equations: a field is non-Gaussian, an input
            depends on time, or (factorized) a gate multiplies anything but η − x.
    """
    model = single_site.model
    linear = gaussian_fields(model)
    if linear.timed:
        names = ", ".join(map(str, linear.timed))
        raise DerivationError(
            f"input {names} depends on time, so that there is no stationary state; derive the "
            "two-time equations instead"
        )
    slots = Slots(linear.fields, list(linear.means), single_site.roots)
    for x in linear.fields:
        slots.autocovariance(x)
    readings = {c.name: slots.read(c.signal) for c in model.couplings}
    distinct: dict[tuple[Expr, Expr], list[str]] = {}
    for c in model.couplings:
        distinct.setdefault((c.variance, readings[c.name]), []).append(c.name)
    sources = {
        f"C_eta_{names[0]}": variance * slots.two_times(psi, psi)
        for (variance, psi), names in distinct.items()
    }
    order = [next(k for k, v in enumerate(distinct.values()) if c.name in v)
             for c in model.couplings]  # fmt: skip
    mass, drift, drives = linear.mass, linear.drift, linear.drives
    if closure == "factorized":
        if not linear.gates:
            raise DerivationError(
                f"no gate multiplies a field of model {model.name}; there is nothing to factorize"
            )
        for gate in linear.gates:
            sources, order, drift, drives = _factorize(
                model, linear, gate, slots, sources, order, drift, drives
            )
    observables = _observables(model, slots)
    equations = _equations(single_site, linear, closure, slots, sources, order)
    return LagSystem(
        equations=EquationSet("correlations", tuple(equations)),
        closure=closure,
        exact_where=tuple(f for g in linear.gates for f in g.fluctuations),
        covariances=slots.covariances,
        sources=sources,
        drive_sources=tuple(order),
        mass=mass,
        drift=drift,
        drives=drives,
        noises=linear.noises,
        intensities=linear.intensities,
        statics=linear.statics,
        variances=linear.variances,
        fields=linear.fields,
        means=linear.means,
        observables=observables,
        main=f"C_{_main(model, linear)}",
        discrete=linear.discrete,
        parameters=tuple(model.symbols.values()),
        definitions=model.definitions,
        bind=model.bind,
    )


def _main(model: Model, linear: GaussianFields) -> str:
    """The field that solutions are ordered by: the first one that a signal reads."""
    read = set().union(*(c.signal.free_symbols for c in model.couplings))
    return str(next(x.name for x in linear.fields if x in read))


def gate_of(gate: Gate, linear: GaussianFields) -> tuple[Expr, Symbol]:
    """The gate s(y)/τ and the local field η of a law τ ẋ = s(y)(η − x).

    Raises:
        DerivationError: If the law has another form.
    """
    s = -differentiate(gate.law, gate.field)
    driving = [e for e in linear.local_fields if gate.law.has(e)]
    form = len(driving) == 1 and sympy.expand(gate.law - s * (driving[0] - gate.field)) == 0
    if not form or s.has(gate.field, *driving):
        raise DerivationError(
            f"the factorized closure needs a law s(y) (η − {gate.field}); that of {gate.field} is "
            f'{gate.law}: use closure="sampled"'
        )
    return s / linear.mass[linear.fields.index(gate.field)], driving[0]


def _factorize(
    model: Model,
    linear: GaussianFields,
    gate: Gate,
    slots: Slots,
    sources: dict[str, Expr],
    order: list[int],
    drift: ImmutableDenseMatrix,
    drives: ImmutableDenseMatrix,
) -> tuple[dict[str, Expr], list[int], ImmutableDenseMatrix, ImmutableDenseMatrix]:
    """Give a gated field a source of its own: what its equation has beyond a constant rate.

    The equation L C_x = C_s C_η, with L = κ² − ∂² + 2κ⟨s⟩ + C_s found by factorizing the product of
    (∂_t + s) and (∂_t' + s'), is written ((ν + κ)² − ∂²) C_x = S with a constant ν, so that
    S = C_s C_η + [(ν + κ)² − ∂² − L] C_x contains no derivative. With ν the gate's largest value S
    is a covariance at every step of an iteration.
    """
    i = linear.fields.index(gate.field)
    s, eta = gate_of(gate, linear)
    driven = linear.drives.col(linear.local_fields.index(eta))
    others = [
        x for x, slope in zip(linear.fields, driven, strict=True) if slope != 0 and x != gate.field
    ]
    if others:
        raise DerivationError(
            f"{eta} drives {gate.field} and {', '.join(map(str, others))}; averaged apart from its "
            f'gate {gate.field} would lose their common part: use closure="sampled"'
        )
    reading = slots.read(s)
    pair = slots.two_times(reading, reading)
    mean = slots.two_times(reading, S.One)
    nu = _largest(model, s, s.subs(dict(gate.mean)))
    covariance = slots.autocovariance(gate.field)
    operator = factorized_operator(mean, pair)
    derivative = Symbol("s", real=True)
    plain = sympy.expand((nu + KAPPA + derivative) * (nu + KAPPA - derivative))
    excess = sympy.expand(plain - operator(derivative))
    names = list(sources)
    source = sources[names[order[linear.local_fields.index(eta)]]]
    sources = {**sources, f"S_{gate.field}": pair * source + excess * covariance.symbol}
    rows = drift.as_mutable()
    columns = drives.as_mutable()
    for k in range(rows.cols):
        rows[i, k] = -nu * linear.mass[i] if k == i else S.Zero
    for k in range(columns.cols):
        columns[i, k] = S.Zero
    own = sympy.zeros(columns.rows, 1)
    own[i] = linear.mass[i]
    return (
        sources,
        [*order, len(sources) - 1],
        ImmutableDenseMatrix(rows),
        ImmutableDenseMatrix(columns.row_join(own)),
    )


def _largest(model: Model, gate: Expr, otherwise: Expr) -> Expr:
    """Upper bound of a gate, or another value where none is known."""
    definite = instantiate(gate, model.definitions)
    high = bounds(definite)[1]
    return high if high.is_finite and high.is_positive and high.is_number else otherwise


def factorized_operator(mean: Expr, pair: Expr) -> Callable[[Symbol], Expr]:
    """L(∂) of (∂_t + s)(∂_t' + s') after averaging gates apart, with ∂_t = κ + ∂, ∂_t' = κ − ∂.

    Args:
        mean: ⟨s⟩, for products with a single gate.
        pair: ⟨s s'⟩, for the product of both.
    """
    now, then, first, second = sympy.symbols("D D' s s'")
    product = sympy.Poly(sympy.expand((now + first) * (then + second)), first, second)
    averages = {(0, 0): S.One, (1, 0): mean, (0, 1): mean, (1, 1): pair}

    def operator(derivative: Symbol) -> Expr:
        times = {now: KAPPA + derivative, then: KAPPA - derivative}
        return sympy.expand(sum(c.subs(times) * averages[powers] for powers, c in product.terms()))

    return operator


def _observables(model: Model, slots: Slots) -> dict[str, Expr]:
    """Covariances ⟨φ φ'⟩ of every nonlinearity that signals apply to one argument only."""
    applied: dict[str, set[Expr]] = {}
    for c in model.couplings:
        for node in c.signal.atoms(Nonlinear):
            applied.setdefault(node.name, set()).add(node)
    found = {}
    for name in model.definitions:
        nodes = applied.get(name, set())
        if len(nodes) == 1:
            (node,) = nodes
            reading = slots.read(node)
            found[f"C_{name}"] = slots.two_times(reading, reading)
    return found


def shown(expression: Expr, covariances: tuple[Covariance, ...]) -> Expr:
    """Symbols of covariances written as functions of the lag."""
    names = {}
    for c in covariances:
        function = Function(c.name, real=True)
        names[c.symbol] = function(LAG)
        names[c.equal] = function(S.Zero)
    return expression.xreplace(names)


def _equations(
    single_site: SingleSite,
    linear: GaussianFields,
    closure: str,
    slots: Slots,
    sources: dict[str, Expr],
    order: list[int],
) -> list[Equation]:
    model = single_site.model
    assumptions = [LARGE_N, INDEPENDENT_COUPLINGS, SELF_AVERAGING, STATIONARY]
    if linear.gates:
        make = constant_closure if closure == "constant" else factorized_closure
        assumptions.append(make(linear.gates))
    names = list(sources)
    equations = []
    gated = {g.field for g in linear.gates} if closure == "factorized" else set()
    local = [named(names[order[a]]) for a in range(len(linear.local_fields))]
    for x in linear.fields:
        row = tuple(S.One if y == x else S.Zero for y in linear.fields)
        left, right = covariance_equation(linear, row, row, named(f"C_{x.name}"), local)
        steps = [
            Step("law", f"{x} is Gaussian: {single_site.classes[x].reason}", model.resolved_laws[x])
        ]
        if x in gated:
            gate = next(g for g in linear.gates if g.field == x)
            s, eta = gate_of(gate, linear)
            reading = slots.read(s)
            pair, mean = slots.two_times(reading, reading), slots.two_times(reading, S.One)
            derivative = Symbol("s", real=True)
            operator = factorized_operator(mean, pair)(derivative).subs(KAPPA, 0)
            value = named(f"C_{x.name}")(LAG)
            left = sum(
                shown(c, slots.covariances) * (value.diff(LAG, k) if k else value)
                for (k,), c in sympy.Poly(operator, derivative).terms()
            )
            source = named(names[order[linear.local_fields.index(eta)]])(LAG)
            right = shown(pair, slots.covariances) * source
            steps.append(Step("closure", "products of gates are averaged apart", operator))
        steps.append(Step("stationary", "∂_t = ∂_τ and ∂_t' = −∂_τ", left))
        equations.append(
            Equation(
                tag=f"C_{x.name}",
                lhs=left,
                rhs=right,
                meaning=f"covariance of {x} at lag τ",
                trace=tuple(steps),
                assumptions=tuple(assumptions),
                references=model.references,
            )
        )
    fields = {f"C_{x.name}" for x in linear.fields}
    for c in slots.covariances:
        if c.name in fields:
            continue
        left, right = covariance_equation(linear, c.first, c.second, named(c.name), local)
        equations.append(
            Equation(
                tag=c.name,
                lhs=left,
                rhs=right,
                meaning=f"covariance of {_combined(linear, c.first)} at lag τ with "
                f"{_combined(linear, c.second)} at lag 0",
                trace=(Step("stationary", "∂_t = ∂_τ and ∂_t' = −∂_τ", left),),
                assumptions=tuple(assumptions),
                references=model.references,
            )
        )
    for name, source in sources.items():
        if not name.startswith("C_eta"):
            continue
        coupling = next(c for c in model.couplings if f"C_eta_{c.name}" == name)
        readers = [c.name for a, c in enumerate(model.couplings) if names[order[a]] == name]
        equations.append(
            Equation(
                tag=name,
                lhs=named(name)(LAG),
                rhs=shown(source, slots.covariances),
                meaning="covariance of the local field of coupling " + " and ".join(readers),
                trace=(
                    *single_site.equations[f"C_{coupling.local_field.name}"].trace,
                    Step("Gaussian fields", "the average is over a pair at lag τ", source),
                ),
                assumptions=tuple(assumptions),
                references=(*model.references, PRICE),
            )
        )
    return equations


def _combined(linear: GaussianFields, row: tuple[Expr, ...]) -> Expr:
    """A combination of fields in words of symbols."""
    return sympy.Add(*(c * x for c, x in zip(row, linear.fields, strict=True)))

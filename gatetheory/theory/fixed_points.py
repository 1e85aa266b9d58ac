"""Fixed points of the single-site process and the order parameters they determine.

At a fixed point the Gaussian fields are static: η_a ~ N(0, Δ_a), independent over a. Setting the
law of motion to zero gives every field as a function x*(η) of them, and the order parameters
follow from their definition,

    Δ_a = s_a² ⟨ψ_a(x*)²⟩.

Source: Krishnamurthy, Can and Schwab (2022), Sec. V (for the gated network).
"""

from __future__ import annotations

import sympy
from sympy import Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.equations.shapes import SelfConsistency, StateLaw
from gatetheory.errors import DerivationError
from gatetheory.functions import Next
from gatetheory.model import (
    ConstantInput,
    GaussianInput,
    Model,
    TimeDependentInput,
    WhiteNoise,
)
from gatetheory.theory.dependence import strongly_connected
from gatetheory.theory.single_site import (
    INDEPENDENT_COUPLINGS,
    LARGE_N,
    SELF_AVERAGING,
    SingleSite,
)

STATIC = Assumption(
    "static solution",
    "the Gaussian fields do not depend on time; the unit sits where it is at rest",
)
MEAN_FIELD = Assumption(
    "mean-field fixed point",
    "Δ is the static saddle point of the mean field; above the instability of the zero state it is "
    "not the typical size of a finite network's fixed points",
)


_SOMETIMES_COMPLEX = (sympy.asin, sympy.acos, sympy.acosh, sympy.atanh, sympy.LambertW)


def order_parameter(name: str) -> Symbol:
    """Δ of a coupling: the variance of its local field at a state."""
    return Symbol(f"Delta_{name}", nonnegative=True)


def derive_fixed_points(single_site: SingleSite) -> SelfConsistency:
    """Self-consistency of the order parameters Δ_a at a fixed point.

    Raises:
        DerivationError: If an input forbids rest, or the rest state is not a unique closed-form
            function of the local fields.
    """
    model = single_site.model
    law = fixed_point_law(model)
    unknowns, maps, equations = [], [], []
    for coupling in model.couplings:
        delta = order_parameter(coupling.name)
        signal = law(coupling.signal)
        kernel = single_site.covariances[coupling.local_field, coupling.local_field]
        value = coupling.variance * GaussianAverage(signal**2, law.variables, law.covariance)
        unknowns.append(delta)
        maps.append(value)
        equations.append(
            Equation(
                tag=delta.name,
                lhs=delta,
                rhs=value,
                meaning=f"variance of the local field of coupling {coupling.name} at a fixed point",
                trace=(
                    *single_site.equations[f"C_{coupling.local_field.name}"].trace[:3],
                    Step("saddle point", "covariance of the local field", kernel),
                    *_rest_steps(model, law, coupling.signal),
                    Step("reduced equation", "the signal at rest, averaged over the static fields",
                         value),
                ),
                assumptions=(
                    LARGE_N, INDEPENDENT_COUPLINGS, SELF_AVERAGING, STATIC, MEAN_FIELD,
                    *_division_assumptions(model),
                ),
                references=model.references,
            )
        )  # fmt: skip
    return SelfConsistency(
        equations=EquationSet("fixed_points", tuple(equations)),
        unknowns=tuple(unknowns),
        maps=tuple(maps),
        parameters=tuple(model.symbols.values()),
        definitions=model.definitions,
        bind=model.bind,
    )


def fixed_point_law(model: Model) -> StateLaw:
    """Every field and local field at rest, as functions of independent Gaussian variables.

    Fields that are linear in the local fields serve as integration variables under their own name,
    so that equations read ⟨φ(h)²⟩ and not ⟨φ(η_h)²⟩.

    Raises:
        DerivationError: See :func:`derive_fixed_points`.
    """
    variances = _source_variances(model)
    random = set(variances)
    rest = rest_state(model)
    sources: dict[Symbol, Expr] = {}
    for x, value in rest.items():
        read = value.free_symbols & random
        slopes = {s: value.diff(s) for s in read}
        if not read or not read <= set(variances):
            continue
        if any(slope.free_symbols & random for slope in slopes.values()):
            continue
        shift = value.subs(dict.fromkeys(read, S.Zero))
        if len(read) == 1 and all(slope.is_nonzero for slope in slopes.values()):
            # The variable is the field's deviation from its mean, under the field's name.
            (source,) = read
            sources[source] = x / slopes[source]
        elif not all(_enters_only(model, rest, s, x) for s in read):
            continue
        rest[x] = x + shift
        variances[x] = sum(slopes[s] ** 2 * variances.pop(s) for s in sorted(read, key=str))
    expressions = {x: v.xreplace(sources) for x, v in rest.items()}
    for c in model.couplings:
        expressions[c.local_field] = sources.get(c.local_field, c.local_field)
    expressions |= {s: v.xreplace(sources) for s, v in static_inputs(model).items()}
    return StateLaw(
        expressions=expressions,
        variables=tuple(variances),
        covariance=ImmutableDenseMatrix(sympy.diag(*variances.values())),
        unknowns=tuple(order_parameter(c.name) for c in model.couplings),
    )


def _enters_only(model: Model, rest: dict[Symbol, Expr], source: Symbol, x: Symbol) -> bool:
    """Whether a source matters through its sum into field x alone."""
    if any(source in value.free_symbols for y, value in rest.items() if y != x):
        return False
    units = [f.symbol for f in model.fields] + [c.local_field for c in model.couplings]
    laws = model.resolved_laws.values()
    return not any(source in law.diff(u).free_symbols for law in laws for u in units)


def rest_state(model: Model) -> dict[Symbol, Expr]:
    """x*(η): every field where the law of motion vanishes, in terms of local fields and inputs.

    Raises:
        DerivationError: If noise or a time-dependent input forbids rest, or a field's equation has
            no unique closed-form solution.
    """
    for i in model.inputs:
        if isinstance(i, WhiteNoise | TimeDependentInput):
            raise DerivationError(
                f"model {model.name} has no fixed point: input {i.symbol} never rests; "
                "derive its correlations instead"
            )
    laws = model.resolved_laws
    inputs = static_inputs(model)
    rest: dict[Symbol, Expr] = {}
    for members in strongly_connected(model):
        residuals = []
        for x in members:
            f = next(f for f in model.fields if f.symbol == x)
            residual = laws[x] if f.drift is not None else laws[x] - x
            residuals.append(residual.xreplace(inputs).subs(rest))
        rest |= solve_at_rest(members, residuals)
    for f in model.fields:
        # An updated value at rest is the value itself, which is shorter than the law put in for it.
        short = f.law.xreplace({Next(y): y for y in rest}).xreplace(inputs)
        if f.law.has(Next) and not short.has(f.symbol):
            rest[f.symbol] = short.subs(rest)
    return rest


def solve_at_rest(members: tuple[Symbol, ...], residuals: list[Expr]) -> dict[Symbol, Expr]:
    """The fields at which residuals vanish, as functions of everything else.

    Raises:
        DerivationError: If there is no unique real closed form.
    """
    if len(members) == 1:
        (x,), (residual,) = members, residuals
        slope = sympy.factor(residual.diff(x))
        if slope != 0 and not slope.has(x):
            return {x: sympy.expand(sympy.cancel(-residual.subs(x, 0) / slope))}
    try:
        solutions = sympy.solve(residuals, members, dict=True)
    except NotImplementedError:
        solutions = []
    complete = [_explicit(s) for s in solutions if set(s) == set(members)]
    names = ", ".join(map(str, members))
    laws = ", ".join(f"{r} = 0" for r in residuals)
    mend = "write the model so that each field's law is linear in the field itself"
    if len(complete) != 1 or any(v.has(*members) for v in complete[0].values()):
        found = "several closed-form solutions" if len(complete) > 1 else "no closed-form solution"
        raise DerivationError(f"the rest state of {names} has {found} of {laws}; {mend}")
    for x, value in complete[0].items():
        if not _is_real(value):
            raise DerivationError(
                f"the rest state {x} = {value} of {laws} may be complex or absent; {mend}"
            )
    return complete[0]


def _explicit(solution: dict[Symbol, Expr]) -> dict[Symbol, Expr]:
    """Members written in terms of each other, put into each other as often as there are members."""
    for _ in solution:
        solution = {x: value.subs(solution) for x, value in solution.items()}
    return solution


def _is_real(value: Expr) -> bool:
    """Whether logarithms and roots in a solution are real for every value of their symbols."""
    return not value.has(sympy.I, *_SOMETIMES_COMPLEX) and all(
        node.args[0].is_nonnegative if node.is_Pow else node.args[0].is_positive
        for node in value.atoms(sympy.log, sympy.Pow)
        if not (node.is_Pow and node.exp.is_integer)
    )


def _source_variances(model: Model) -> dict[Symbol, Expr]:
    """Variance of every static random source."""
    variances = {c.local_field: order_parameter(c.name) for c in model.couplings}
    for i in model.inputs:
        if isinstance(i, GaussianInput):
            variances[i.symbol] = sympy.sympify(i.variance)
    return variances


def static_inputs(model: Model) -> dict[Symbol, Expr]:
    """Static inputs as their mean plus, where they vary over units, their Gaussian deviation."""
    values: dict[Symbol, Expr] = {}
    for i in model.inputs:
        if isinstance(i, ConstantInput):
            values[i.symbol] = sympy.sympify(i.value)
        elif isinstance(i, GaussianInput):
            values[i.symbol] = sympy.sympify(i.mean) + i.symbol
    return values


def _rest_steps(model: Model, law: StateLaw, signal: Expr) -> list[Step]:
    rest = rest_state(model)
    units = signal.free_symbols & set(rest)
    return [
        Step("rest", f"the law of {x} vanishes at {x} = {rest[x]}", law.expressions[x])
        for x in sorted(units, key=str)
    ]


def _division_assumptions(model: Model) -> tuple[Assumption, ...]:
    """What was divided by when the laws were solved for the fields."""
    found = []
    for x, law in model.resolved_laws.items():
        f = next(f for f in model.fields if f.symbol == x)
        slope = sympy.factor((law if f.drift is not None else law - x).diff(x))
        if slope.free_symbols and not slope.has(x) and slope != S.Zero:
            found.append(
                Assumption("moving field", f"{-slope} ≠ 0, so that {x} is not frozen anywhere")
            )
    return tuple(found)

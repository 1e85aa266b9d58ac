r"""The single-site process as one record: laws, signals, covariances and tangent derivatives.

Nothing is closed or averaged here: the process is exact for every model in the limit of many units,
and what other results leave out (a gate that fluctuates, a law that is not linear) is still in it.
The price is that its averages can be taken only by drawing paths.

A pair of replicas that differ by ε at one time differ, to first order in ε, by ε v with

    E v̇ = A v + Σ_a L_a δη_a,     ⟨δη_a(t) δη_a(t')⟩ = s_a² ⟨(R_a v)(t) (R_a v)(t')⟩.

The difference of the two replicas' fields η¹ − η² is Gaussian, and uncorrelated with their sum
since both have the same covariance: δη is independent of η.

Source: Sompolinsky, Crisanti and Sommers (1988); Krishnamurthy, Can and Schwab (2022), Sec. III.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sympy import Derivative, Expr, Function, Symbol

from gatetheory.equations.provenance import Equation, EquationSet, Step
from gatetheory.equations.single_site_process import Inputs, SingleSiteProcess
from gatetheory.functions import Next, Nonlinear
from gatetheory.model import (
    ConstantInput,
    Field,
    GaussianInput,
    Model,
    TimeDependentInput,
    WhiteNoise,
)
from gatetheory.theory.jacobian import jacobian_parts
from gatetheory.theory.single_site import (
    INDEPENDENT_COUPLINGS,
    LARGE_N,
    SELF_AVERAGING,
    T1,
    SingleSite,
)


def derive_process(single_site: SingleSite) -> SingleSiteProcess:
    """The single-site process of a model, ready to be sampled.

    Args:
        single_site: What the average over the couplings leaves.
    """
    model = single_site.model
    parts = jacobian_parts(model)
    resolved = model.resolved_laws
    laws = [resolved[f.symbol] - (f.symbol if f.value is not None else 0) for f in model.fields]
    return SingleSiteProcess(
        equations=EquationSet("process", (*_laws(model), *_covariances(single_site))),
        fields=tuple(f.symbol for f in model.fields),
        laws=tuple(laws),
        mass=parts.mass,
        local_fields=tuple(c.local_field for c in model.couplings),
        signals=tuple(c.signal for c in model.couplings),
        variances=parts.variances,
        inputs=_inputs(model),
        observables=_observables(model),
        main=f"C_{_main(model).name}",
        drift=parts.drift,
        drives=parts.drives,
        readouts=parts.readouts,
        discrete=model.time == "discrete",
        parameters=tuple(model.symbols.values()),
        definitions=model.definitions,
        bind=model.bind,
    )


def _inputs(model: Model) -> Inputs:
    given = model.inputs
    return Inputs(
        constants={i.symbol: i.value for i in given if isinstance(i, ConstantInput)},
        statics={i.symbol: (i.mean, i.variance) for i in given if isinstance(i, GaussianInput)},
        noises={i.symbol: i.intensity for i in given if isinstance(i, WhiteNoise)},
        timed={i.symbol: i.function for i in given if isinstance(i, TimeDependentInput)},
    )


def _main(model: Model) -> Field:
    """The first field that a signal reads."""
    read = set().union(*(c.signal.free_symbols for c in model.couplings))
    return next((f for f in model.fields if f.symbol in read), model.fields[0])


def _observables(model: Model) -> dict[str, Expr]:
    """Fields, and nonlinearities that are applied to one argument only."""
    found: dict[str, Expr] = {f"C_{f.name}": f.symbol for f in model.fields}
    applied: dict[str, set[Expr]] = {}
    for law in (*(f.law for f in model.fields), *(c.signal for c in model.couplings)):
        for node in law.atoms(Nonlinear):
            applied.setdefault(node.name, set()).add(node)
    for name in model.definitions:
        nodes = applied.get(name, set())
        if len(nodes) == 1 and not any(n.has(Next) for n in nodes):
            found[f"C_{name}"] = next(iter(nodes))
    return found


def _laws(model: Model) -> tuple[Equation, ...]:
    """The laws of one unit, with what moves written as functions of time."""
    moving = [f.symbol for f in model.fields] + [c.local_field for c in model.couplings]
    moving += [i.symbol for i in model.inputs if isinstance(i, WhiteNoise | TimeDependentInput)]
    dated = {s: Function(s.name, real=True)(T1) for s in moving}
    return tuple(_law(model, f, dated) for f in model.fields)


def _law(model: Model, f: Field, dated: Mapping[Symbol, Expr]) -> Equation:
    x = dated[f.symbol]
    left = x
    if f.update is not None:
        left = x.func(T1 + 1)
    elif f.drift is not None:
        left = f.time_constant * Derivative(x, T1)
    law = model.resolved_laws[f.symbol].xreplace(dict(dated))
    statement = "units decouple; each feels Gaussian fields in place of the others"
    return Equation(
        tag=f"law_{f.name}",
        lhs=left,
        rhs=law,
        meaning=f"law of {f.name} in one unit",
        trace=(Step("saddle point", statement, law),),
        assumptions=(LARGE_N, INDEPENDENT_COUPLINGS, SELF_AVERAGING),
        references=model.references,
    )


def _covariances(single_site: SingleSite) -> tuple[Equation, ...]:
    statement = "no law is closed: the average is taken over sampled paths of the unit"
    return tuple(
        replace(e, trace=(*e.trace, Step("sampling", statement, e.rhs)))
        for e in single_site.equations
    )

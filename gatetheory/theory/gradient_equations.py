"""The equations of gradients as people read them, from the same A, L, R as the spectrum."""

from __future__ import annotations

from functools import partial

import sympy
from sympy import Add, Derivative, Expr, Function, Integral, S, Sum, Symbol

from gatetheory.equations.adjoint_system import AdjointSystem
from gatetheory.equations.process import ProcessAverage
from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.model import Coupling, Field, Model
from gatetheory.references import PRICE
from gatetheory.theory.jacobian import JacobianParts, jacobian_parts
from gatetheory.theory.single_site import (
    INDEPENDENT_COUPLINGS,
    LARGE_N,
    SELF_AVERAGING,
    T1,
    T2,
    SingleSite,
)

EXTERNAL_LOSS = Assumption(
    "external loss gradient",
    "the weights of the loss are independent of network and state, of mean 0, variance 1 and "
    "symmetric sign; backward fields are then independent of forward ones",
)
STATIONARY_START = Assumption(
    "stationary start", "the state is stationary at t = 0, and perturbations vanish there"
)
BACK1, BACK2 = Symbol("s", real=True), Symbol("s'", real=True)
HORIZON, THETA = Symbol("T", positive=True), Symbol("theta", real=True)


def gradient_equations(single_site: SingleSite, closed: AdjointSystem | None) -> EquationSet:
    """Adjoint, backward fields, gradients by couplings, and sensitivities.

    Args:
        single_site: The process.
        closed: Its closed equations, if it has any.
    """
    model = single_site.model
    parts = jacobian_parts(model)
    make = partial(
        Equation,
        assumptions=(LARGE_N, INDEPENDENT_COUPLINGS, SELF_AVERAGING, EXTERNAL_LOSS,
                     STATIONARY_START),
        references=model.references,
    )  # fmt: skip
    found = [_adjoint(make, model, parts, k) for k in range(len(model.fields))]
    for a, c in enumerate(model.couplings):
        found += [_backward(make, model, parts, a, c), _gradient(make, model, parts, a, c)]
    if closed is not None:
        found += _closed(make, closed)
    found += [_sensitivity(make, model, parts, k) for k in range(len(model.fields))]
    for a, c in enumerate(model.couplings):
        found += _perturbed(make, model, parts, a, c)
    return EquationSet("gradients", tuple(found))


def _dated(model: Model, time: Expr) -> dict[Symbol, Expr]:
    """Fields and local fields as functions of time."""
    moving = [f.symbol for f in model.fields] + [c.local_field for c in model.couplings]
    return {s: Function(s.name, real=True)(time) for s in moving}


def _named(stem: str, name: str, time: Expr) -> Expr:
    return Function(f"{stem}_{name}", real=True)(time)


def _moved(model: Model, f: Field, mass: Expr, value: Expr, sign: int) -> Expr:
    """E d/dt of a function of t (sign −1: backward), or its next (last) value in a map."""
    if f.is_algebraic:
        return S.Zero
    if model.time == "discrete":
        return value.subs(T1, T1 + sign)
    return sign * mass * Derivative(value, T1)


def _pulled(model: Model, parts: JacobianParts, a: int, time: Expr) -> Expr:
    """(L_aᵀ μ)(t)."""
    at = _dated(model, time)
    return Add(
        *(
            parts.drives[k, a].xreplace(at) * _named("mu", f.name, time)
            for k, f in enumerate(model.fields)
        )
    )


def _adjoint(make: partial[Equation], model: Model, parts: JacobianParts, k: int) -> Equation:
    f, at = model.fields[k], _dated(model, T1)
    own = Add(
        *(
            parts.drift[j, k].xreplace(at) * _named("mu", g.name, T1)
            for j, g in enumerate(model.fields)
        )
    )
    fed = Add(
        *(
            parts.readouts[a, k].xreplace(at) * _named("zeta", c.name, T1)
            for a, c in enumerate(model.couplings)
        )
    )
    return make(
        tag=f"mu_{f.name}",
        lhs=_moved(model, f, parts.mass[k], _named("mu", f.name, T1), -1),
        rhs=own + fed,
        meaning=f"adjoint of {f.name}, between horizon and start; the loss gradient adds to it",
        trace=(
            Step("adjoint", "column of the Jacobian: Aᵀ μ within the unit", own),
            Step("adjoint", "Rᵀ ζ through the couplings, ζ_a = J^aᵀ (L_aᵀ μ)", fed),
        ),
    )


def _backward(
    make: partial[Equation], model: Model, parts: JacobianParts, a: int, c: Coupling
) -> Equation:
    pulled = [_pulled(model, parts, a, t) for t in (T1, T2)]
    value = c.variance * ProcessAverage(pulled[0] * pulled[1])
    left = [_named("zeta", c.name, t) for t in (T1, T2)]
    return make(
        tag=f"C_zeta_{c.name}",
        lhs=ProcessAverage(left[0] * left[1]),
        rhs=value,
        meaning=f"covariance of the backward field of coupling {c.name}",
        trace=(
            Step("couplings", f"J^{c.name} enters the adjoint linearly, transposed", pulled[0]),
            Step("sign", "terms that tie ζ to η are odd in the weights of the loss, and vanish"),
            Step("average", "⟨J_ij J_kl⟩ = δ_ik δ_jl s²/N leaves one Gaussian field per coupling",
                 value),
        ),
    )  # fmt: skip


def _gradient(
    make: partial[Equation], model: Model, parts: JacobianParts, a: int, c: Coupling
) -> Equation:
    pulled = [_pulled(model, parts, a, t) for t in (T1, T2)]
    sent = [c.signal.xreplace(_dated(model, t)) for t in (T1, T2)]
    inside = ProcessAverage(pulled[0] * pulled[1]) * ProcessAverage(sent[0] * sent[1])
    value = _accumulated(model, inside)
    return make(
        tag=f"Q_{c.name}",
        lhs=Symbol(f"Q_{c.name}", nonnegative=True),
        rhs=value,
        meaning=f"N times the mean square of the loss's gradient by an entry of J^{c.name}",
        trace=(
            Step("chain rule", "∂L/∂J_ij = N^{-1/2} ∫ (Lᵀμ)_i ψ_j dt, squared and averaged", value),
        ),
    )


def _accumulated(model: Model, f: Expr) -> Expr:
    """Over both times, from the start to the horizon."""
    kind, last = (Sum, HORIZON - 1) if model.time == "discrete" else (Integral, HORIZON)
    return kind(f, (T1, 0, last), (T2, 0, last))


def _closed(make: partial[Equation], closed: AdjointSystem) -> list[Equation]:
    """(E∂_s − Dᵀ) G (E∂_s' − D) = Σ_a W_a q_a, entry by entry."""
    linear = closed.linear
    size = range(len(linear.fields))

    def G(i: int, j: int) -> Expr:  # noqa: N802
        name = f"G_{linear.fields[i]}"
        return Function(name if i == j else f"{name},{linear.fields[j]}", real=True)(BACK1, BACK2)

    def operate(row: int, column: int, time: Symbol, f: Expr) -> Expr:
        value = -linear.drift[column, row] * f
        if row == column and linear.mass[row] != 0:
            moved = f.subs(time, time + 1) if linear.discrete else Derivative(f, time)
            value += linear.mass[row] * moved
        return value

    fed = [
        Add(*(linear.drives[i, a] * linear.drives[j, a] * G(i, j) for i in size for j in size))
        for a in range(len(closed.couplings))
    ]
    found = []
    for i in size:
        for j in size:
            right = Add(*(W[i, j] * q for W, q in zip(closed.readouts, fed, strict=True)))
            if right == 0 and i != j:
                continue
            left = Add(
                *(operate(j, m, BACK2, operate(i, k, BACK1, G(k, m))).doit()
                  for k in size for m in size)
            )  # fmt: skip
            label = linear.fields[i] if i == j else f"{linear.fields[i]},{linear.fields[j]}"
            equation = make(
                tag=f"G_{label}",
                lhs=sympy.expand(left),
                rhs=right,
                meaning=f"covariance of the adjoint of {label}, times counted from the horizon",
                trace=(
                    Step("adjoint", "the adjoint's law at s times the same at s'", left),
                    Step("factor", "backward fields are independent of forward ones", right),
                ),
            )
            found.append(equation)
    return found


def _sensitivity(make: partial[Equation], model: Model, parts: JacobianParts, k: int) -> Equation:
    f, at = model.fields[k], _dated(model, T1)
    x = at[f.symbol]
    inside = Add(
        *(
            parts.drift[k, j].xreplace(at) * _named("v", g.name, T1)
            for j, g in enumerate(model.fields)
        ),
        *(
            parts.drives[k, a].xreplace(at) * _named("delta_eta", c.name, T1)
            for a, c in enumerate(model.couplings)
        ),
    )
    law = Function(f"F_{f.name}", real=True)(T1, THETA)
    explicit: Expr = Derivative(law, THETA)
    if not f.is_algebraic and model.time == "continuous" and not parts.mass[k].is_number:
        mass = Function(f"E_{f.name}", real=True)(THETA)
        explicit -= Derivative(mass, THETA) * Derivative(x, T1)
    return make(
        tag=f"v_{f.name}",
        lhs=_moved(model, f, parts.mass[k], _named("v", f.name, T1), 1),
        rhs=inside + explicit,
        meaning=f"sensitivity v = ∂{f.name}/∂θ to a parameter, 0 at t = 0",
        trace=(Step("chain rule", "the law differentiated by θ, E the time constant", inside),),
    )


def _perturbed(
    make: partial[Equation], model: Model, parts: JacobianParts, a: int, c: Coupling
) -> list[Equation]:
    """Covariances of δη, and the second moment of the gradient by a parameter."""

    def sent(time: Expr) -> Expr:
        at = _dated(model, time)
        rate = Add(
            *(
                parts.readouts[a, k].xreplace(at) * _named("v", f.name, time)
                for k, f in enumerate(model.fields)
            )
        )
        scale = Function(f"s_{c.name}", positive=True)(THETA)
        psi = Function(f"psi_{c.name}", real=True)(time, THETA)
        own = c.signal.xreplace(at) * Derivative(sympy.log(scale), THETA)
        return rate + Derivative(psi, THETA) + (own if not c.variance.is_number else S.Zero)

    first, second = sent(T1), sent(T2)
    delta = [_named("delta_eta", c.name, t) for t in (T1, T2)]
    eta = Function(c.local_field.name, real=True)(T1)
    psi = c.signal.xreplace(_dated(model, T1))
    statement = "common couplings make η and its perturbation jointly Gaussian"
    pairs = (
        (f"C_delta_{c.name}", delta[0] * delta[1], first * second),
        (f"C_eta_delta_{c.name}", eta * delta[1], psi * second),
    )
    return [
        make(
            tag=tag,
            lhs=ProcessAverage(left),
            rhs=c.variance * ProcessAverage(right),
            meaning=f"covariance of the perturbed field of coupling {c.name}",
            trace=(Step("two replicas", statement, right),),
            references=(*model.references, PRICE),
        )
        for tag, left, right in pairs
    ]

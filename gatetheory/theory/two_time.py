r"""Covariances at two times: transients, and the response to inputs that change in time.

Nothing is assumed stationary. With x = m + u and a linear law E ẋ = D x + B η + W ξ + G s + b + c,
applying the law at t and at t' to ⟨u uᵀ⟩ gives

    (E∂_t − D) C(t,t') (E∂_t' − D)ᵀ = B C_η Bᵀ + G V Gᵀ + 2 W I Wᵀ δ(t − t'),
    E ∂_t m = D m + b + c(t),

with V and I the variances of static inputs and the intensities of noises (in a map E∂_t becomes the
shift to t + 1). The saddle point closes it: C_η,a = s_a² ⟨ψ_a(x(t)) ψ_a(x(t'))⟩, an average over
the Gaussian pair (x(t), x(t')). Initial values are independent of the couplings, so that
⟨x(0) η(t)⟩ = 0: that is what selects the solution.

Source: Sompolinsky, Crisanti and Sommers (1988); Krishnamurthy, Can and Schwab (2022), Sec. III.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy import Derivative, DiracDelta, Expr, Function, S, Symbol

from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.equations.two_time_system import TwoTimeProblem, TwoTimeSystem
from gatetheory.errors import DerivationError
from gatetheory.functions import Next, Nonlinear
from gatetheory.model import Coupling, Model, TimeDependentInput
from gatetheory.theory.gaussian_fields import GaussianFields, gaussian_fields
from gatetheory.theory.process import derive_process
from gatetheory.theory.single_site import (
    INDEPENDENT_COUPLINGS,
    LARGE_N,
    SELF_AVERAGING,
    T1,
    T2,
    SingleSite,
)
from gatetheory.theory.two_time_fields import pair_average, pair_law, roots, with_combinations

INITIAL_STATE = Assumption(
    "initial state",
    "fields start as Gaussians that are independent of each other, of the couplings and of inputs",
)
CONSTANT = Assumption(
    "closure constant",
    "a gate that multiplies a law keeps the value it has at the stationary mean of its field; "
    "exact where the gate does not depend on its field",
)


def derive_two_time(single_site: SingleSite) -> TwoTimeSystem:
    """Covariances of fields and signals at two times, from given initial values on.

    Raises:
        DerivationError: If a field that signals depend on is not Gaussian.
    """
    model = single_site.model
    plain = gaussian_fields(model)
    linear, read = with_combinations(plain, [c.signal for c in model.couplings])
    law = pair_law(linear)

    def pair(f: Expr) -> Expr:
        """⟨f(x(t)) f(x(t'))⟩."""
        return pair_average(linear, law, read, f, f)

    kernels = tuple(c.variance * pair(c.signal) for c in model.couplings)
    observables = {f"C_{x.name}": pair(x) for x in plain.fields}
    observables |= {f"C_{name}": pair(node) for name, node in _applied(model, linear, read).items()}
    timed = {i.symbol: i.function for i in model.inputs if isinstance(i, TimeDependentInput)}
    return TwoTimeSystem(
        equations=EquationSet("two_time", _equations(single_site, linear, kernels, timed)),
        fields=tuple(x.name for x in linear.fields),
        couplings=tuple(c.name for c in model.couplings),
        mass=linear.mass,
        drift=linear.drift,
        drives=linear.drives,
        noises=linear.noises,
        intensities=linear.intensities,
        statics=linear.statics,
        variances=linear.variances,
        offsets=linear.offsets,
        timed=tuple((column, timed[s]) for s, column in linear.timed.items()),
        law=law,
        kernels=kernels,
        observables=observables,
        fluctuations=tuple(f for gate in linear.gates for f in gate.fluctuations),
        discrete=linear.discrete,
        closure="constant",
        parameters=tuple(model.symbols.values()),
        definitions=model.definitions,
        bind=model.bind,
    )


def derive_two_time_problem(single_site: SingleSite) -> TwoTimeProblem:
    """Covariances at two times under every closure the model has; any model can be sampled."""
    process = derive_process(single_site)
    system, refusal = None, ""
    try:
        system = derive_two_time(single_site)
    except DerivationError as error:
        refusal = str(error)
    equations = tuple(process.equations) if system is None else tuple(system.equations)
    return TwoTimeProblem(
        equations=EquationSet("two_time", equations),
        system=system,
        refusal=refusal,
        process=process,
        bind=single_site.model.bind,
    )


def _applied(model: Model, linear: GaussianFields, read: Mapping[Expr, Expr]) -> dict[str, Expr]:
    """Nonlinearities that are applied to one argument only, a function of one linear field."""
    nodes: dict[str, set[Expr]] = {}
    for law in (*(f.law for f in model.fields), *(c.signal for c in model.couplings)):
        for node in law.atoms(Nonlinear):
            nodes.setdefault(node.name, set()).add(node)
    units = set(linear.fields)
    return {
        name: next(iter(found))
        for name in model.definitions
        if len(found := nodes.get(name, set())) == 1
        and all(n.free_symbols <= units and not n.has(Next) for n in found)
        and all(n in read or len(n.free_symbols) == 1 for n in found)
    }


# ---- equations as people read them -----------------------------------------------------------


def _equations(
    single_site: SingleSite,
    linear: GaussianFields,
    kernels: tuple[Expr, ...],
    timed: Mapping[Symbol, sympy.Lambda],
) -> tuple[Equation, ...]:
    model = single_site.model
    basis: tuple[Assumption, ...] = (LARGE_N, INDEPENDENT_COUPLINGS, SELF_AVERAGING, INITIAL_STATE)
    if any(gate.fluctuations for gate in linear.gates):
        basis = (*basis, CONSTANT)
    sources = roots(linear)
    found = [
        _local_covariance(single_site, c, kernel, basis)
        for c, kernel in zip(model.couplings, kernels, strict=True)
    ]
    size = len(linear.fields)
    pairs = [(i, j) for i in range(size) for j in range(i, size) if sources[i] & sources[j]]
    found += [_covariance(linear, model, i, j, basis) for i, j in pairs]
    found += [_mean(linear, model, i, timed, basis) for i in range(size)]
    return tuple(found)


def _local_covariance(
    single_site: SingleSite, coupling: Coupling, kernel: Expr, basis: tuple[Assumption, ...]
) -> Equation:
    derived = single_site.equations[f"C_{coupling.local_field.name}"]
    return Equation(
        tag=f"C_{coupling.local_field.name}",
        lhs=Function(f"C_{coupling.local_field.name}", real=True)(T1, T2),
        rhs=kernel,
        meaning=f"covariance of the Gaussian field of coupling {coupling.name}",
        trace=(
            *derived.trace,
            Step(
                "Gaussian fields",
                "what the signal depends on is Gaussian at t and t', and averaged over",
                kernel,
            ),
        ),
        assumptions=basis,
        references=derived.references,
    )


def _covariance(
    linear: GaussianFields, model: Model, i: int, j: int, basis: tuple[Assumption, ...]
) -> Equation:
    """Entry (i, j) of (E∂_t − D) C (E∂_t' − D)ᵀ = B C_η Bᵀ + G V Gᵀ + 2 W I Wᵀ δ."""
    sources, size = roots(linear), len(linear.fields)
    name = _label(linear, i, j)
    lhs: Expr = S.Zero
    for k in range(size):
        for m in range(size):
            if sources[k] & sources[m]:
                forward = Function(f"C_{_label(linear, k, m)}", real=True)(T1, T2)
                lhs += _operate(linear, j, m, T2, _operate(linear, i, k, T1, forward))
    right: Expr = S.Zero
    for a, eta in enumerate(linear.local_fields):
        weight = linear.drives[i, a] * linear.drives[j, a]
        right += weight * Function(f"C_{eta.name}", real=True)(T1, T2)
    for a, variance in enumerate(linear.variances):
        right += linear.statics[i, a] * linear.statics[j, a] * variance
    pulse = sympy.KroneckerDelta(T1, T2) if linear.discrete else DiracDelta(T1 - T2)
    for a, intensity in enumerate(linear.intensities):
        right += 2 * linear.noises[i, a] * linear.noises[j, a] * intensity * pulse
    return Equation(
        tag=f"C_{name}",
        lhs=sympy.expand(lhs),
        rhs=right,
        meaning=f"covariance of {name} at two times",
        trace=(
            Step("law", f"{linear.fields[i]} and {linear.fields[j]} obey linear laws", None),
            Step("two times", "one law at t times the other at t', averaged", right),
        ),
        assumptions=basis,
        references=model.references,
    )


def _label(linear: GaussianFields, i: int, j: int) -> str:
    first, second = linear.fields[i].name, linear.fields[j].name
    return first if i == j else f"{first},{second}"


def _operate(linear: GaussianFields, row: int, column: int, time: Symbol, f: Expr) -> Expr:
    """(E∂_time − D)_{row, column} f; the shift to time + 1 in place of ∂ in a map."""
    value = -linear.drift[row, column] * f
    if row == column and linear.mass[row] != 0:
        moved = f.subs(time, time + 1) if linear.discrete else Derivative(f, time)
        value += linear.mass[row] * (moved if linear.discrete else moved.doit())
    return value


def _mean(
    linear: GaussianFields,
    model: Model,
    i: int,
    timed: Mapping[Symbol, sympy.Lambda],
    basis: tuple[Assumption, ...],
) -> Equation:
    mean = [Function(f"m_{x.name}", real=True)(T1) for x in linear.fields]
    value = sum((linear.drift[i, k] * mean[k] for k in range(len(mean))), linear.offsets[i])
    value += sum((linear.timed[s][i] * f(T1) for s, f in timed.items()), S.Zero)
    moved: Expr = S.Zero
    if linear.mass[i] != 0:
        shifted = mean[i].subs(T1, T1 + 1) if linear.discrete else Derivative(mean[i], T1)
        moved = linear.mass[i] * shifted
    name = linear.fields[i].name
    return Equation(
        tag=f"m_{name}",
        lhs=moved,
        rhs=value,
        meaning=f"mean of {name}",
        trace=(Step("average", "the law averaged: local fields and noise have mean zero", value),),
        assumptions=basis,
        references=model.references,
    )

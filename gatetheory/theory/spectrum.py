r"""The support of the Jacobian's spectrum at a state.

For D = A + Σ_a L_a J^a R_a with local A, L, R and independent Gaussian J, the resolvent's second
moment is finite outside the support and diverges at its boundary, where the transfer matrix

    K_ab(λ) = s_a² ⟨ |R_a (λE − A)^{-1} L_b|² ⟩

reaches spectral radius 1. Modes that are not both driven and read never enter K.

Source: Ahmadian, Fumarola and Miller (2015); Krishnamurthy, Can and Schwab (2022), Sec. IV.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import sympy
from sympy import Abs, Add, Dummy, Expr, ImmutableDenseMatrix, Mul, S, Symbol, default_sort_key

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.process import ProcessAverage
from gatetheory.equations.provenance import Assumption, Equation, EquationSet, Step
from gatetheory.equations.shapes import SelfConsistency, SpectralCondition, StateLaw
from gatetheory.errors import DerivationError
from gatetheory.functions import Nonlinear
from gatetheory.references import SPECTRA
from gatetheory.theory.jacobian import JacobianParts, jacobian_parts
from gatetheory.theory.single_site import INDEPENDENT_COUPLINGS, LARGE_N, SingleSite

LAMBDA = Symbol("lambda")

INDEPENDENT_STATE = Assumption(
    "independent state",
    "the state at which the Jacobian is taken is independent of the couplings up to the mean field",
)


def transfer_matrix(parts: JacobianParts, average: Callable[[Expr], Expr]) -> ImmutableDenseMatrix:
    """K(λ), entries s_a² ⟨|R_a (λE − A)^{-1} L_b|²⟩ under the given average.

    Raises:
        DerivationError: If λE − A is singular at every λ: the law of some field leaves it open.
    """
    pencil = LAMBDA * sympy.diag(*parts.mass) - parts.drift
    determinant = sympy.factor(pencil.det(method="berkowitz"))
    if determinant == 0:
        raise DerivationError("λE − A is singular: the law of an algebraic field leaves it open")
    response = parts.readouts * pencil.adjugate() * parts.drives / determinant
    n = len(parts.variances)
    return ImmutableDenseMatrix(
        n, n, lambda a, b: parts.variances[a] * average(squared_modulus(response[a, b]))
    )


def squared_modulus(expression: Expr) -> Expr:
    """|expression|² as a product: |·|² only around the factors that contain λ."""
    factors = []
    # Nonlinearities as plain symbols, so that their arguments stay as they are.
    short = {f: Dummy(real=True) for f in expression.atoms(Nonlinear)}
    whole = {d: f for f, d in short.items()}
    factored = sympy.factor(sympy.cancel(expression.xreplace(short))).xreplace(whole)
    for factor in Mul.make_args(factored):
        base, power = factor.as_base_exp()
        factors.append(Abs(base) ** (2 * power) if base.has(LAMBDA) else factor**2)
    return Mul(*factors)


def boundary_condition(transfer: ImmutableDenseMatrix) -> Expr:
    """1 − det(1 − K), which is 1 on the boundary, written with as few averages as possible."""
    averages = transfer.atoms(GaussianAverage, ProcessAverage)
    short = {a: Dummy(f"a{i}") for i, a in enumerate(sorted(averages, key=default_sort_key))}
    matrix = sympy.eye(transfer.rows) - transfer.xreplace(short)
    determinant = sympy.expand(matrix.det(method="berkowitz"))
    return nest(1 - determinant).xreplace({d: a for a, d in short.items()})


def nest(expression: Expr) -> Expr:
    """Write a sum of products by taking out the factor most terms share, again and again."""
    terms = Add.make_args(expression)
    shares: dict[Expr, int] = {}
    for term in terms:
        for factor in Mul.make_args(term):
            if not factor.is_number:
                shares[factor] = shares.get(factor, 0) + 1
    if len(terms) < 2 or not shares:
        return expression
    best = max(shares, key=lambda f: (shares[f], default_sort_key(f)))
    if shares[best] < 2:
        return expression
    inside = [t / best for t in terms if best in Mul.make_args(t)]
    outside = [t for t in terms if best not in Mul.make_args(t)]
    return best * nest(Add(*inside)) + nest(Add(*outside))


def derive_spectrum(
    single_site: SingleSite,
    law: StateLaw,
    state: str,
    determined_by: SelfConsistency | None,
    parts: JacobianParts | None = None,
) -> SpectralCondition:
    """Transfer matrix and boundary of the spectral support.

    Args:
        single_site: The process; supplies the model and what is independent of what.
        law: The state at which numbers are wanted.
        state: Its name, in words.
        determined_by: What determines the law's order parameters; None where they are given.
        parts: The local pieces of the matrix; by default those of the Jacobian.
    """
    model = single_site.model
    general = parts or jacobian_parts(model)
    local = general.at(law)
    transfer = transfer_matrix(local, lambda f: GaussianAverage(f, law.variables, law.covariance))
    anywhere = transfer_matrix(general, single_site.average)
    names = [c.name for c in model.couplings]
    trace = _trace(single_site, general)
    equation = partial(
        Equation,
        assumptions=(LARGE_N, INDEPENDENT_COUPLINGS, INDEPENDENT_STATE),
        references=(SPECTRA, *model.references),
    )
    equations = [
        equation(
            tag="boundary",
            lhs=S.One,
            rhs=boundary_condition(transfer),
            meaning=f"boundary of the spectral support at {state}",
            trace=(
                *trace,
                Step("state", f"averages are taken at {state}", transfer),
                Step("reduced equation", "det(1 − K) = 0", boundary_condition(transfer)),
            ),
        ),
        equation(
            tag="boundary_anywhere",
            lhs=S.One,
            rhs=boundary_condition(anywhere),
            meaning="boundary of the spectral support at any state of the single-site process",
            trace=trace,
        ),
    ]
    comma = "" if all(len(name) == 1 for name in names) else ","
    equations += [
        equation(
            tag=f"K_{a}{comma}{b}",
            lhs=Symbol(f"K_{a}{comma}{b}"),
            rhs=transfer[i, j],
            meaning=f"transfer from local field {b} to local field {a} at {state}",
            trace=trace,
        )
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if transfer[i, j] != 0
    ]
    return SpectralCondition(
        equations=EquationSet("spectrum", tuple(equations)),
        spectral_parameter=LAMBDA,
        transfer=transfer,
        law=law,
        drift_matrix=local.drift,
        drives=local.drives,
        readouts=local.readouts,
        mass=local.mass,
        discrete=model.time == "discrete",
        couplings=tuple(names),
        parameters=tuple(model.symbols.values()),
        definitions=model.definitions,
        bind=model.bind,
        state=determined_by,
    )


def _trace(single_site: SingleSite, parts: JacobianParts) -> tuple[Step, ...]:
    mass, drift, left, right = sympy.symbols("E A R_a L_b", commutative=False)
    response = Mul(left, (LAMBDA * mass - drift) ** -1, right)
    integrand = ProcessAverage(Abs(response, evaluate=False) ** 2)
    return (
        *single_site.equations.equations[0].trace[:1],
        Step("Jacobian", "A = ∂F/∂x", parts.drift),
        Step("Jacobian", "L = ∂F/∂η, a column per coupling", parts.drives),
        Step("Jacobian", "R = ∂ψ/∂x, a row per coupling", parts.readouts),
        Step("average", "contracting J with its transpose between two resolvents gives, for each "
             "pair of couplings, s_a² times", integrand),
        Step("saddle point", "the ladder of contractions diverges where K has eigenvalue 1"),
    )  # fmt: skip

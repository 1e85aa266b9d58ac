r"""Moments of the Jacobian, by summing non-crossing pairings of the couplings.

To leading order in 1/N, (1/N)⟨Tr (D Dᵀ)^k⟩ is a sum over the non-crossing ways to pair the J's.
The sum is done by its own recursion: with H = [[0, D], [Dᵀ, 0]] and local 2F × 2F matrices m_n,

    m_{n+1} = H_local m_n + Σ_{j+l=n−1} Σ[m_j] m_l,      m_0 = 1,

where H_local holds A and Σ[m] pairs the first J with the one that closes its planar arc,

    Σ[m]_11 = Σ_a s_a² L_a L_aᵀ ⟨R_a m_22 R_aᵀ⟩,    Σ[m]_22 = Σ_a s_a² R_aᵀ R_a ⟨L_aᵀ m_11 L_a⟩.

Then (1/N)⟨Tr (D Dᵀ)^k⟩ = ⟨tr (m_2k)_11⟩. Only blocks of one parity are non-zero, so the recursion
runs on F × F matrices.

Source: Ahmadian, Fumarola and Miller (2015); planar recursion as in Brézin et al. (1978).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import sympy
from sympy import Dummy, Expr, ImmutableDenseMatrix, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.provenance import Equation, EquationSet, Step
from gatetheory.equations.shapes import MatrixMoments, SelfConsistency, StateLaw
from gatetheory.errors import DerivationError
from gatetheory.model import Model
from gatetheory.references import SPECTRA
from gatetheory.theory.jacobian import JacobianParts, jacobian_parts
from gatetheory.theory.single_site import INDEPENDENT_COUPLINGS, LARGE_N
from gatetheory.theory.spectrum import INDEPENDENT_STATE

HIGHEST_MOMENT = 3


def derive_moments(
    model: Model, law: StateLaw, state: str, determined_by: SelfConsistency | None
) -> MatrixMoments:
    """(1/N)⟨Tr (D Dᵀ)^k⟩ for k = 1, 2, 3 and (1/N)⟨Tr D⟩ at a state.

    Raises:
        DerivationError: If the model has algebraic fields; eliminating them would multiply
            couplings with each other.
    """
    for f in model.fields:
        if f.is_algebraic:
            raise DerivationError(
                f"moments of the Jacobian need dynamics for every field, but {f.name} is "
                "algebraic; give it a time constant"
            )
    parts = jacobian_parts(model).at(law)
    rates = sympy.diag(*(1 / m for m in parts.mass))
    local = JacobianParts(
        ImmutableDenseMatrix(rates * parts.drift),
        ImmutableDenseMatrix(rates * parts.drives),
        parts.readouts,
        parts.mass,
        parts.variances,
    )

    def average(f: Expr) -> Expr:
        expanded = sympy.Add.make_args(_products(f))
        return sympy.Add(*(GaussianAverage(t, law.variables, law.covariance) for t in expanded))

    moments = tuple(planar_moments(local, average, HIGHEST_MOMENT))
    trace = average(sympy.trace(local.drift))
    return MatrixMoments(
        equations=EquationSet("moments", _equations(model, moments, trace, state)),
        moments=moments,
        trace=trace,
        time_constants=parts.mass,
        law=law,
        parameters=tuple(model.symbols.values()),
        definitions=model.definitions,
        bind=model.bind,
        state=determined_by,
    )


def planar_moments(
    parts: JacobianParts, average: Callable[[Expr], Expr], highest: int
) -> list[Expr]:
    """(1/N)⟨Tr (D Dᵀ)^k⟩ for k = 1 … highest; time constants divided out of A and L."""
    f = parts.drift.rows
    drift = sympy.Matrix(parts.drift)
    # upper[n] is block (1, 1 or 2) and lower[n] block (2, 1 or 2) of m_n, by the parity of n:
    # "first" starts from an index of the first block, "second" from one of the second.
    hidden: dict[Expr, Dummy] = {}  # averages as plain symbols, which expansion leaves alone

    def hide(value: Expr) -> Expr:
        found = value.atoms(GaussianAverage)
        hidden.update((a, Dummy(real=True)) for a in found if a not in hidden)
        return value.xreplace(hidden)

    one, zero = sympy.eye(f), sympy.zeros(f)
    first = [(one, zero)]  # column of m_n that starts in block 1: blocks (11, 21)
    second = [(zero, one)]  # column that starts in block 2: blocks (12, 22)
    arcs: list[tuple[sympy.Matrix, sympy.Matrix]] = []
    for n in range(2 * highest):
        arcs.append(_arc(parts, first[n][0], second[n][1], lambda e: hide(average(e))))
        columns = []
        for column in (first, second):
            upper, lower = drift * column[n][1], drift.T * column[n][0]
            for j in range(n):
                upper += arcs[j][0] * column[n - 1 - j][0]
                lower += arcs[j][1] * column[n - 1 - j][1]
            columns.append((upper.applyfunc(_products), lower.applyfunc(_products)))
        first.append(columns[0])
        second.append(columns[1])
    shown = {symbol: value for value, symbol in hidden.items()}
    traces = [sympy.trace(first[2 * k][0]) for k in range(1, highest + 1)]
    return [average(t).xreplace(shown) for t in traces]


def _products(expression: Expr) -> Expr:
    """A sum of products."""
    others = dict.fromkeys(("power_base", "power_exp", "log", "basic"), False)
    return sympy.expand(expression, **others)


def _arc(
    parts: JacobianParts, upper: sympy.Matrix, lower: sympy.Matrix, average: Callable[[Expr], Expr]
) -> tuple[sympy.Matrix, sympy.Matrix]:
    """Σ[m], the two diagonal blocks."""
    f = parts.drift.rows
    above, below = sympy.zeros(f), sympy.zeros(f)
    for a, variance in enumerate(parts.variances):
        drive, readout = parts.drives[:, a], parts.readouts[a, :]
        above += variance * average((readout * lower * readout.T)[0]) * drive * drive.T
        below += variance * average((drive.T * upper * drive)[0]) * readout.T * readout
    return above, below


def _equations(
    model: Model, moments: tuple[Expr, ...], trace: Expr, state: str
) -> tuple[Equation, ...]:
    equation = partial(
        Equation,
        assumptions=(LARGE_N, INDEPENDENT_COUPLINGS, INDEPENDENT_STATE),
        references=(SPECTRA, *model.references),
    )
    steps = (
        Step("couplings", "each J enters D linearly, between L (left) and R (right)"),
        Step("average", "J is paired with a transpose of itself; crossing pairings are O(1/N)"),
        Step("saddle point", "every closed face of a planar diagram is an average over one unit"),
    )
    found = [
        equation(
            tag=f"moment_{k}",
            lhs=Symbol(f"mu_{k}"),
            rhs=value,
            meaning=f"(1/N)⟨Tr (D Dᵀ)^{k}⟩ at {state}",
            trace=steps,
        )
        for k, value in enumerate(moments, 1)
    ]
    found.append(equation("trace", Symbol("mu_0"), trace, f"(1/N)⟨Tr D⟩ at {state}", steps[:1]))
    return tuple(found)

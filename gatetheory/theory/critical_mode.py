r"""The mode along which the zero state loses stability, and what follows it.

Small order parameters (or slowly varying sources) obey y = B y + …; the zero state loses stability
where det(1 − B) = 0. There adj(1 − B) = v wᵀ up to a factor, with B v = v and wᵀ B = wᵀ, so its
columns and rows are the null vectors, polynomial in the entries of B whether or not these are at
the onset. The growth per step is then μ = wᵀ(B − 1)v / wᵀv = −det(1 − B) w_p / wᵀv, where v is column
p of the adjugate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy
from sympy import Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.errors import DerivationError
from gatetheory.theory.exact_values import (
    Check,
    lies_in_domain,
    neat,
    pivot,
    solve_exactly,
    tidy,
    vanishes,
)

Define = Callable[[Expr], Expr]


@dataclass(frozen=True)
class CriticalMode:
    """Null vectors of 1 − B.

    Args:
        gain: B.
        right: v, a column.
        left: w, a row.
        overlap: w·v.
        drop: Row and column without which 1 − B is invertible at the onset.
        growth: μ, zero at the onset and positive where the zero state is unstable.
    """

    gain: ImmutableDenseMatrix
    right: ImmutableDenseMatrix
    left: ImmutableDenseMatrix
    overlap: Expr
    drop: tuple[int, int]
    growth: Expr

    def project(self, vector: ImmutableDenseMatrix) -> Expr:
        """w·r / w·v."""
        return sympy.cancel((self.left * vector)[0] / self.overlap)

    def slaved(self, forcing: ImmutableDenseMatrix) -> ImmutableDenseMatrix:
        """y with (1 − B) y = r up to the critical part of r, without a component of its own.

        The component along v is fixed by y = 0 at one place: it would rename the amplitude.
        """
        row, column = self.drop
        n = self.gain.rows
        rest = forcing - self.right * self.project(forcing)
        if n == 1:
            return ImmutableDenseMatrix([[S.Zero]])
        reduced = (sympy.eye(n) - self.gain).minor_submatrix(row, column)
        kept = ImmutableDenseMatrix([rest[i] for i in range(n) if i != row])
        solution = reduced.adjugate() * kept / reduced.det(method="berkowitz")
        solved = solution.applyfunc(sympy.cancel)
        entries = list(solved)
        return ImmutableDenseMatrix(n, 1, [*entries[:column], S.Zero, *entries[column:]])


def onset_condition(gain: ImmutableDenseMatrix) -> Expr:
    """det(1 − B)."""
    return sympy.factor((sympy.eye(gain.rows) - gain).det(method="berkowitz"))


def critical_mode(gain: ImmutableDenseMatrix, at_onset: Define) -> CriticalMode:
    """The null vectors.

    Args:
        gain: B, abstract.
        at_onset: Value of an abstract expression at the onset.

    Raises:
        DerivationError: If more than one mode becomes unstable at once.
    """
    adjugate = (sympy.eye(gain.rows) - gain).adjugate().applyfunc(sympy.factor)
    place = pivot([[at_onset(e) for e in adjugate.row(i)] for i in range(gain.rows)])
    several = (
        "several modes of the zero state become unstable at once; there is no single amplitude"
    )
    if place is None:
        raise DerivationError(several)
    i, j = place
    right, left = adjugate.col(j), adjugate.row(i)
    overlap = sympy.factor((left * right)[0])
    if vanishes(at_onset(overlap)):
        raise DerivationError(several)
    # adj ≈ v wᵀ: the minor without row j and column i is what adj_ij is made of.
    growth = sympy.factor(-onset_condition(gain) * left[j] / overlap)
    return CriticalMode(
        ImmutableDenseMatrix(gain),
        ImmutableDenseMatrix(right),
        ImmutableDenseMatrix(left),
        overlap,
        (j, i),
        growth,
    )


def critical_values(
    gain: ImmutableDenseMatrix,
    along: Symbol,
    at: Mapping[Symbol, Expr],
    bind: Check,
) -> tuple[Expr, ...]:
    """Closed forms of the parameter at which the zero state first loses stability.

    Args:
        gain: B, definitions and known parameters put in.
        along: The parameter.
        at: The known parameters.
        bind: Refuses values outside the model's domain.

    Raises:
        DerivationError: If there is none.
    """
    condition = tidy(onset_condition(gain))
    found = []
    for value in solve_exactly(condition, along):
        at_onset = gain.subs(along, value).applyfunc(neat)
        if lies_in_domain({along: value}, at, bind) and is_first_instability(at_onset):
            found.append(value)
    if not found:
        raise DerivationError(
            f"the zero state does not lose stability along {along} within its domain at these "
            "parameters"
        )
    return tuple(found)


def is_first_instability(gain: ImmutableDenseMatrix) -> bool:
    """Whether no eigenvalue of B exceeds 1; undecided cases count as first."""
    if any(not e.is_number for e in gain):
        return True
    x = Symbol("x")
    characteristic = sympy.Poly(gain.charpoly(x).as_expr(), x)
    roots = sympy.Poly([sympy.N(c, 40) for c in characteristic.all_coeffs()], x).nroots(
        n=20, maxsteps=200
    )
    return all(abs(root) < 1 + S(10) ** -6 for root in roots)

"""The Gaussian fields that signals read, and their law at two times.

Functions of several fields at once, φ(x − w), read a combination of them: it becomes an algebraic
field of its own, so that every function has one Gaussian argument. Fields are independent when they
share no source of randomness; at finite times an initial value is a source as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy
from sympy import Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.two_time_system import PairLaw
from gatetheory.functions import Nonlinear, differentiate
from gatetheory.theory.gaussian_fields import GaussianFields
from gatetheory.theory.single_site import T1, T2


def with_combinations(
    linear: GaussianFields, signals: list[Expr]
) -> tuple[GaussianFields, dict[Expr, Expr]]:
    """The linear system with an algebraic field for every combination a function takes: φ(h − w).

    Returns:
        The system, and what to replace in the signals: the combination by its field.
    """
    units = set(linear.fields)
    read: dict[Expr, Expr] = {}
    for signal in signals:
        for node in sorted(signal.atoms(Nonlinear, sympy.Function), key=sympy.default_sort_key):
            argument = node.argument if isinstance(node, Nonlinear) else node.args[0]
            inside = [x for x in linear.fields if x in argument.free_symbols]
            slopes = [differentiate(argument, x) for x in linear.fields]
            is_affine = not any(slope.free_symbols & units for slope in slopes)
            if len(inside) < 2 or not is_affine or node in read:
                continue
            name = "_".join(x.name for x in inside)
            while any(x.name == name for x in linear.fields):
                name += "_"
            combined = Symbol(name, real=True)
            linear = _extended(linear, combined, slopes, argument.subs(dict.fromkeys(units, 0)))
            units.add(combined)
            read[node] = node.xreplace({argument: combined})
    return linear, read


def _extended(
    linear: GaussianFields, combined: Symbol, slopes: list[Expr], offset: Expr
) -> GaussianFields:
    """One more algebraic field: 0 = Σ slopes · x + offset − combined."""
    size = len(linear.fields)
    column = sympy.zeros(size, 1)
    row = ImmutableDenseMatrix([[*slopes[:size], *[S.Zero] * (size - len(slopes)), S.NegativeOne]])

    def padded(matrix: ImmutableDenseMatrix, entry: Expr = S.Zero) -> ImmutableDenseMatrix:
        below = ImmutableDenseMatrix(1, matrix.cols, [entry] * matrix.cols)
        return ImmutableDenseMatrix(matrix.col_join(below))

    return replace(
        linear,
        fields=(*linear.fields, combined),
        mass=(*linear.mass, S.Zero),
        drift=ImmutableDenseMatrix(linear.drift.row_join(column).col_join(row)),
        drives=padded(linear.drives),
        noises=padded(linear.noises),
        statics=padded(linear.statics),
        offsets=padded(linear.offsets, offset),
        timed={s: padded(c) for s, c in linear.timed.items()},
    )


def pair_law(linear: GaussianFields) -> PairLaw:
    """Symbols for deviations, means and covariances, with zeros where fields are independent."""
    names = [x.name for x in linear.fields]
    now, then = (tuple(Symbol(f"{n}({t.name})", real=True) for n in names) for t in (T1, T2))
    means_now, means_then = (
        tuple(Symbol(f"m_{n}({t.name})", real=True) for n in names) for t in (T1, T2)
    )
    sources = roots(linear)

    def entry(i: int, j: int, times: tuple[Symbol, Symbol]) -> Expr:
        if not sources[i] & sources[j]:
            return S.Zero
        (s, t) = times
        if s == t and i > j:
            i, j = j, i
        label = names[i] if i == j else f"{names[i]},{names[j]}"
        kind = {"nonnegative": True} if i == j and s == t else {"real": True}
        return Symbol(f"C_{label}({s.name},{t.name})", **kind)

    size = range(len(names))
    blocks = {
        times: ImmutableDenseMatrix([[entry(i, j, times) for j in size] for i in size])
        for times in ((T1, T1), (T1, T2), (T2, T2))
    }
    across = blocks[T1, T2]
    covariance = ImmutableDenseMatrix(
        sympy.BlockMatrix([[blocks[T1, T1], across], [across.T, blocks[T2, T2]]]).as_explicit()
    )
    return PairLaw(now, then, means_now, means_then, covariance)


def pair_average(
    linear: GaussianFields, law: PairLaw, read: Mapping[Expr, Expr], first: Expr, second: Expr
) -> Expr:
    """⟨first(x(t)) second(x(t'))⟩, factorised over independent fields.

    Args:
        linear: The fields.
        law: Their law at two times.
        read: What to replace in the functions, as :func:`with_combinations` returns it.
        first: A function of the fields.
        second: Another one.
    """
    at = {x: u + m for x, u, m in zip(linear.fields, law.now, law.means_now, strict=True)}
    past = {x: u + m for x, u, m in zip(linear.fields, law.then, law.means_then, strict=True)}
    product = first.xreplace(dict(read)).xreplace(at) * second.xreplace(dict(read)).xreplace(past)
    return factorised(GaussianAverage(product, (*law.now, *law.then), law.covariance))


def factorised(expression: Expr) -> Expr:
    """Averages over more than a pair written as sums of products of averages over pairs."""
    return expression.replace(_ties_many, lambda a: a.expand_average())


def _ties_many(node: Expr) -> bool:
    return isinstance(node, GaussianAverage) and len(node.variables) > 2


def roots(linear: GaussianFields) -> list[set[tuple[str, int]]]:
    """What every field's randomness comes from: drives, noises, inputs, initial values."""
    size = len(linear.fields)
    found: list[set[tuple[str, int]]] = []
    for i in range(size):
        own = {("initial", i)} if linear.discrete or linear.mass[i] != 0 else set()
        for kind, matrix in (
            ("coupling", linear.drives),
            ("noise", linear.noises),
            ("static", linear.statics),
        ):
            own |= {(kind, k) for k in range(matrix.cols) if matrix[i, k] != 0}
        found.append(own)
    for _ in range(size):
        for i in range(size):
            for k in range(size):
                if linear.drift[i, k] != 0:
                    found[i] |= found[k]
    return found

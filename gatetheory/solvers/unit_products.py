"""Functions of a unit as sums of products over groups of independent Gaussian variables.

An entry of a unit's response is written Σ_k c_k(p) Π_G f_kG(variables of group G; p). The average
of a product of two such sums is then a sum of products of averages over few variables each, and no
average ever needs a grid over all variables of the unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy
from sympy import Add, Dummy, Expr, Function, Mul, S, Symbol

Group = frozenset[Symbol]


@dataclass(frozen=True)
class Product:
    """One term.

    Args:
        scale: What no variable enters.
        groups: For each group of variables, the function of them; groups do not overlap.
    """

    scale: Expr
    groups: tuple[tuple[Group, Expr], ...]

    def __mul__(self, other: Product) -> Product:
        """The product; groups that overlap become one."""
        groups = list(self.groups)
        for group, value in other.groups:
            touching = [(g, v) for g, v in groups if g & group]
            groups = [(g, v) for g, v in groups if not g & group]
            whole = group.union(*(g for g, _ in touching))
            groups.append((whole, Mul(value, *(v for _, v in touching))))
        return Product(self.scale * other.scale, tuple(groups))


Products = tuple[Product, ...]
UNITY: Products = (Product(S.One, ()),)


def times(*factors: Products) -> Products:
    """The product of sums of products."""
    result = UNITY
    for factor in factors:
        result = tuple(p * q for p in result for q in factor)
    return result


def plus(summands: Iterable[Products]) -> Products:
    """The sum; terms with the same groups are taken together."""
    found: dict[tuple[tuple[Group, Expr], ...], Expr] = {}
    for terms in summands:
        for t in terms:
            found[t.groups] = found.get(t.groups, S.Zero) + t.scale
    return tuple(Product(c, g) for g, c in found.items() if c != 0)


def products(expression: Expr, variables: Iterable[Symbol]) -> Products:
    """Take an expression apart.

    Args:
        expression: A function of variables, of parameters, and of whatever else.
        variables: The independent variables.
    """
    if expression == 0:
        return ()
    drawn = frozenset(variables)
    short = {f: Dummy(real=True) for f in expression.atoms(Function)}
    whole = {d: f for f, d in short.items()}
    reads = {d: frozenset(f.free_symbols) & drawn for d, f in whole.items()}

    def group(e: Expr) -> Group:
        return frozenset().union(*(reads.get(s, drawn & {s}) for s in e.free_symbols))

    factored = sympy.factor(sympy.cancel(expression.xreplace(short)))
    result = UNITY
    for factor in Mul.make_args(factored):
        summands = Add.make_args(sympy.expand(factor) if len(group(factor)) > 1 else factor)
        pieces = [_product(s, group) for s in summands]
        result = tuple(r * p for r in result for p in pieces)
    restored = (
        Product(r.scale.xreplace(whole), tuple((g, v.xreplace(whole)) for g, v in r.groups))
        for r in result
    )
    return plus([tuple(restored)])


def _product(term: Expr, group: object) -> Product:
    """One term, factor by factor."""
    assert callable(group)
    result = Product(S.One, ())
    for factor in Mul.make_args(term):
        read = group(factor)
        result *= Product(S.One, ((read, factor),)) if read else Product(factor, ())
    return result

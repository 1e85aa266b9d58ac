"""Who depends on whom within a unit, and what follows for independence.

Fields read local fields and each other; local fields of different couplings are independent. Two
fields with no random root in common are therefore independent, paths included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy
from sympy import Expr, Symbol

from gatetheory.model import GaussianInput, Model, WhiteNoise


def reads(model: Model) -> dict[Symbol, set[Symbol]]:
    """For every field, the symbols of fields its law reads (itself included when it does)."""
    units = {f.symbol for f in model.fields}
    return {x: law.free_symbols & units for x, law in model.resolved_laws.items()}


def ancestors(model: Model) -> dict[Symbol, set[Symbol]]:
    """For every field, the fields it depends on directly or through others, itself included."""
    known = {x: {x} | read for x, read in reads(model).items()}
    for _ in model.fields:
        known = {x: set().union(*(known[y] for y in above)) for x, above in known.items()}
    return known


def random_sources(model: Model) -> set[Symbol]:
    """Symbols of everything random that drives a unit: local fields and random inputs."""
    noise = {i.symbol for i in model.inputs if isinstance(i, GaussianInput | WhiteNoise)}
    return {c.local_field for c in model.couplings} | noise


def random_roots(model: Model) -> dict[Symbol, frozenset[Symbol]]:
    """For every symbol of a unit, the random sources it depends on.

    Initial conditions are independent of the couplings and between fields, and forgotten in the
    stationary state; they add no root.
    """
    sources = random_sources(model)
    laws = model.resolved_laws
    roots = {s: frozenset({s}) for s in sources}
    for x, above in ancestors(model).items():
        roots[x] = frozenset(s for y in above for s in laws[y].free_symbols & sources)
    return roots


def strongly_connected(model: Model) -> list[tuple[Symbol, ...]]:
    """Sets of fields that depend on each other, upstream first."""
    above = ancestors(model)
    order = [f.symbol for f in model.fields]
    components = sympy.utilities.iterables.strongly_connected_components(
        (order, [(x, y) for x in order for y in above[x] if x != y])
    )
    return [tuple(sorted(c, key=order.index)) for c in components]


def independent_factors(
    expression: Expr, roots: Mapping[Symbol, Iterable[Symbol]]
) -> tuple[Expr, ...]:
    """Factors of a product, multiplied together where they share a random root.

    Args:
        expression: A product of functions of a unit's symbols.
        roots: Random roots of each symbol; symbols that are not listed are constants.
    """
    groups: list[tuple[set[Symbol], Expr]] = []
    for factor in sympy.Mul.make_args(expression):
        tied = {r for s in factor.free_symbols for r in roots.get(s, ())}
        product = factor
        separate = []
        for others, value in groups:
            if others & tied:
                tied |= others
                product *= value
            else:
                separate.append((others, value))
        groups = [*separate, (tied, product)]
    return tuple(value for _, value in groups)

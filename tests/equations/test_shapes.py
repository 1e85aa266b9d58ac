"""Which unknowns a self-consistency is solved for, and what the others become."""

import pytest
import sympy
from sympy import Expr, Symbol, tanh

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.provenance import EquationSet
from gatetheory.equations.shapes import SelfConsistency, StateLaw
from gatetheory.model import zoo
from gatetheory.theory.derive import derive

A, B, C, D = (Symbol(f"Delta_{n}", nonnegative=True) for n in "abcd")
x = Symbol("x", real=True)


def avg(variance: Expr) -> Expr:
    return GaussianAverage(tanh(x) ** 2, (x,), [[variance]])


def problem(**maps: Expr) -> SelfConsistency:
    unknowns = tuple(Symbol(f"Delta_{n}", nonnegative=True) for n in maps)
    return SelfConsistency(
        EquationSet("test", ()), unknowns, tuple(maps.values()), (), {}, bind=lambda _: {}
    )


def test_nothing_to_search_for_when_all_is_explicit() -> None:
    chain = problem(a=avg(B), b=2 * avg(C) + C, c=sympy.S.One)
    assert chain.core == ()
    assert chain.reduced == {A: avg(2 * avg(1) + 1), B: 2 * avg(1) + 1, C: 1}


def test_a_loop_needs_one_unknown() -> None:
    ring = problem(a=avg(B), b=avg(C), c=avg(A))
    assert ring.core == (A,)
    assert ring.reduced[A] == avg(avg(avg(A)))
    assert all(g.free_symbols <= {A} for g in ring.reduced.values())


def test_the_unknown_that_cuts_all_loops_is_found() -> None:
    hub = problem(a=avg(B), b=avg(A) * avg(C), c=avg(B) * avg(D), d=avg(B))
    assert hub.core == (B,)
    assert hub.reduced[B] == avg(avg(B)) * avg(avg(B) * avg(avg(B)))


def test_two_separate_loops_need_two() -> None:
    two = problem(a=avg(A), b=avg(B) + A, c=avg(A + B))
    assert two.core == (A, B)
    assert two.reduced[C] == avg(A + B)


@pytest.mark.parametrize(("name", "size"), [("gated", 1), ("classical", 1), ("gru", 1)])
def test_published_models(name: str, size: int) -> None:
    fixed = derive(zoo.MODELS[name]()).fixed_points
    assert len(fixed.core) == size
    at = {u: sympy.Rational(k + 2, 5) for k, u in enumerate(fixed.core)}
    known = dict(at)
    # What is reduced reproduces the maps: solve them one after the other.
    for _ in fixed.unknowns:
        for u, g in zip(fixed.unknowns, fixed.maps, strict=True):
            if u not in at and g.free_symbols & set(fixed.unknowns) <= set(known):
                known[u] = g.subs(known)
    for u, g in zip(fixed.unknowns, fixed.maps, strict=True):
        assert fixed.reduced[u].subs(at) == g.subs(known)


def test_a_law_is_a_change_of_variables() -> None:
    y = Symbol("y", real=True)
    law = StateLaw({x: x + 1, y: 2 * x}, (x,), sympy.ImmutableDenseMatrix([[A]]), (A,))
    assert law(tanh(x) * y) == 2 * x * tanh(x + 1)

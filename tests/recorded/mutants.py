"""Every way in which an equation can lose a term, wherever in its tree.

* of every sum, each term is left out, and each term changes its sign;
* of every product, each factor becomes 1 (averages, sums, powers, symbols and numbers alike);
* an average that stands alone becomes 1;
* every power loses its exponent;
* the whole side changes its sign.

The inside of an average that occurs several times in an equation is taken apart where it occurs
first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Add, Basic, Expr, Mul, S

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.process import ProcessAverage


@dataclass(frozen=True)
class Mutant:
    """A side of an equation of which one term was replaced.

    Args:
        term: A term of the outermost sum, or the whole side.
        replacement: What stands there instead.
        what: What was done to it.
    """

    term: Expr
    replacement: Expr
    what: str


def mutants(expression: Expr) -> list[Mutant]:
    """All mutants of one side of an equation, each once."""
    found = {(expression, -expression): "the whole side changed its sign"}
    terms = Add.make_args(expression)
    opened: set[Basic] = set()
    for term in terms:
        if len(terms) > 1:
            found[term, S.Zero] = "the term was left out"
            found[term, -term] = "the term changed its sign"
        for replacement, what in _everywhere(term, opened):
            if replacement != term:
                found.setdefault((term, replacement), what)
    return [Mutant(*pair, what) for pair, what in found.items()]


def _everywhere(e: Basic, opened: set[Basic]) -> Iterator[tuple[Basic, str]]:
    yield from _here(e)
    if isinstance(e, GaussianAverage | ProcessAverage):
        if e in opened:
            return
        opened.add(e)
    for i, part in enumerate(e.args):
        for mutant, what in _everywhere(part, opened):
            yield e.func(*e.args[:i], mutant, *e.args[i + 1 :]), what


def _here(e: Basic) -> Iterator[tuple[Basic, str]]:
    if isinstance(e, Add):
        for i, term in enumerate(e.args):
            others = (*e.args[:i], *e.args[i + 1 :])
            yield Add(*others), f"{term} was left out of a sum"
            yield Add(*others, -term), f"{term} changed its sign in a sum"
    elif isinstance(e, Mul):
        for i, factor in enumerate(e.args):
            yield Mul(*e.args[:i], *e.args[i + 1 :]), f"the factor {factor} became 1"
    elif isinstance(e, GaussianAverage | ProcessAverage):
        yield S.One, f"the average {e} became 1"
    elif e.is_Pow and not e.base.is_number:
        yield e.base, f"the exponent of {e} was lost"

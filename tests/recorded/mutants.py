"""Every way in which an equation can lose a term, wherever in its tree.

* of every sum, each term is left out, and each term changes its sign;
* of every product, each factor becomes 1 (averages, sums, powers, symbols and numbers alike);
* an average that stands alone becomes 1;
* every power loses its exponent;
* the whole side changes its sign.
"""

from __future__ import annotations

from collections.abc import Iterator

from sympy import Add, Basic, Expr, Mul, S

from gatetheory.equations.averages import GaussianAverage


def mutants(expression: Expr) -> dict[Expr, str]:
    """Mutated expressions, each once, with what was done."""
    found: dict[Expr, str] = {-expression: "sign of the whole side"}
    for mutant, what in _everywhere(expression):
        if mutant != expression:
            found.setdefault(mutant, what)
    return found


def _everywhere(e: Basic) -> Iterator[tuple[Basic, str]]:
    yield from _here(e)
    for i, part in enumerate(e.args):
        for mutant, what in _everywhere(part):
            yield e.func(*e.args[:i], mutant, *e.args[i + 1 :]), what


def _here(e: Basic) -> Iterator[tuple[Basic, str]]:
    if isinstance(e, Add):
        for i, term in enumerate(e.args):
            others = (*e.args[:i], *e.args[i + 1 :])
            yield Add(*others), f"without the term {term}"
            yield Add(*others, -term), f"with the other sign of {term}"
    elif isinstance(e, Mul):
        for i, factor in enumerate(e.args):
            yield Mul(*e.args[:i], *e.args[i + 1 :]), f"without the factor {factor}"
    elif isinstance(e, GaussianAverage):
        yield S.One, f"without the average {e}"
    elif e.is_Pow and not e.base.is_number:
        yield e.base, f"without the exponent of {e}"

"""Equations as LaTeX that needs nothing but amsmath."""

from __future__ import annotations

from collections.abc import Iterable

import sympy
from sympy import Add, Expr

from gatetheory.equations.provenance import Equation, EquationSet

TERMS_PER_LINE = 3  # of a long sum


def latex_body(sets: Iterable[EquationSet], model: str) -> str:
    """Numbered and labelled equations, for the body of a document that loads amsmath."""
    lines = [
        f"% The mean-field theory of {model}, derived by gatetheory; needs \\usepackage{{amsmath}}"
    ]
    for equations in sets:
        for equation in equations:
            lines += ["", f"% {equations.result}.{equation.tag}: {equation.meaning}"]
            lines += _aligned(equation, f"eq:{equations.result}.{equation.tag}")
    return "\n".join(lines)


def _aligned(equation: Equation, label: str) -> list[str]:
    rows = _rows(equation.rhs)
    lines = [r"\begin{align}", f"  {sympy.latex(equation.lhs)} &= {rows[0]}"]
    for row in rows[1:]:
        lines[-1] += r" \notag \\"
        lines.append(rf"  &\quad {row}")
    lines[-1] += rf" \label{{{label}}}"
    return [*lines, r"\end{align}"]


def _rows(expression: Expr) -> list[str]:
    """A long sum broken between its terms; brackets always close in the row they open in."""
    if not expression.is_Add or len(expression.args) <= TERMS_PER_LINE + 1:
        return [sympy.latex(expression)]
    terms = expression.as_ordered_terms()
    pieces = [terms[k : k + TERMS_PER_LINE] for k in range(0, len(terms), TERMS_PER_LINE)]
    rows = [sympy.latex(Add(*piece, evaluate=False)) for piece in pieces]
    return rows[:1] + [row if row.startswith("-") else f"+ {row}" for row in rows[1:]]

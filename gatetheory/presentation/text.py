"""What the command line prints for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy
from sympy import Expr

from gatetheory.equations.provenance import Equation, EquationSet
from gatetheory.model import Model
from gatetheory.solvers.records import Provenance


def models_text(models: Iterable[Model]) -> str:
    """Every model with its parameters."""
    blocks = []
    for model in models:
        lines = [f"{model.name}: {model.title} ({model.time} time)"]
        rows = [
            (p.name, f"= {p.default}", interval_text(p.domain), p.meaning) for p in model.parameters
        ]
        widths = [max(len(r[k]) for r in rows) for k in range(3)] if rows else []
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append("  " + "  ".join([*cells, row[3]]).rstrip())
        lines += [f"  {reference}" for reference in model.references]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def equations_text(sets: Iterable[EquationSet], width: int | None) -> str:
    """Equations with tags, meanings, assumptions and references.

    Args:
        sets: What to print.
        width: Columns of the terminal; None leaves long equations on one line.
    """
    blocks, assumptions, references = [], [], []
    for equations in sets:
        for equation in equations:
            head = f"[{equations.result}.{equation.tag}]  {equation.meaning}"
            blocks.append(f"{head}\n\n{_pretty(equation, width)}\n")
        assumptions += list(equations.assumptions)
        references += list(equations.references)
    blocks.append(_listed("assumes", dict.fromkeys(map(str, assumptions))))
    blocks.append(_listed("see", dict.fromkeys(map(str, references))))
    return "\n".join(block for block in blocks if block)


def solution_text(model: Model, solution: object, provenance: Provenance) -> str:
    """A solution below the parameters it holds for, above what it rests on."""
    names = ", ".join(a.name for a in provenance.assumptions)
    blocks = [f"{model.name} at {parameters_text(provenance.parameters)}", str(solution)]
    if names:
        blocks.append(f"assumes {names}")
    blocks.append(_listed("see", map(str, provenance.references)))
    return "\n".join(block for block in blocks if block)


def parameters_text(parameters: Mapping[str, Expr] | Mapping[str, str]) -> str:
    """``g_h = 3, alpha_r = 5``."""
    return ", ".join(f"{name} = {value}" for name, value in parameters.items())


def interval_text(domain: sympy.Interval) -> str:
    """A domain in words that fit a table: ``> 0``, ``≥ 0``, ``real``, or the interval."""
    if domain == sympy.S.Reals:
        return "real"
    if domain.end is sympy.oo:
        return f"{'>' if domain.left_open else '≥'} {domain.start}"
    left = "(" if domain.left_open else "["
    right = ")" if domain.right_open else "]"
    return f"{left}{domain.start}, {domain.end}{right}".replace("oo", "∞")


def _pretty(equation: Equation, width: int | None) -> str:
    settings = {"wrap_line": False} if width is None else {"num_columns": width - 4}
    shown = sympy.pretty(equation.as_eq, use_unicode=True, **settings)
    return "\n".join(f"    {line}".rstrip() for line in str(shown).rstrip().splitlines())


def _listed(word: str, lines: Iterable[str]) -> str:
    return "\n".join(f"{word} {line}" for line in lines)

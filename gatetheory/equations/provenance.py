"""Equations that know where they come from.

An :class:`Equation` has a stable tag, the steps that led to it, the assumptions it rests on and
its references. An :class:`EquationSet` is what one derivation delivers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import sympy
from sympy import Eq, Expr

from gatetheory.errors import ParameterError
from gatetheory.references import Reference


@dataclass(frozen=True)
class Step:
    """One step of a derivation: what was done, and the expression it led to."""

    name: str
    statement: str
    expression: Expr | None = None

    def __str__(self) -> str:
        shown = "" if self.expression is None else f": {self.expression}"
        return f"{self.name} – {self.statement}{shown}"


@dataclass(frozen=True)
class Assumption:
    """Something an equation takes for granted, and when that is so."""

    name: str
    statement: str

    def __str__(self) -> str:
        return f"{self.name}: {self.statement}"


@dataclass(frozen=True)
class Equation:
    """One derived equation, ``lhs = rhs``.

    Args:
        tag: Name within its set.
        lhs: Left side.
        rhs: Right side.
        meaning: What it says, in words.
        trace: How it was derived, from the couplings on.
        assumptions: What it rests on.
        references: Where the result, or the method, was published.
    """

    tag: str
    lhs: Expr
    rhs: Expr
    meaning: str = ""
    trace: tuple[Step, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    references: tuple[Reference, ...] = ()

    @property
    def residual(self) -> Expr:
        """``lhs - rhs``."""
        return self.lhs - self.rhs

    @property
    def as_eq(self) -> Eq:
        """The equation as SymPy's ``Eq``."""
        return Eq(self.lhs, self.rhs, evaluate=False)

    def text(self) -> str:
        """Unicode text for a terminal."""
        return str(sympy.pretty(self.as_eq, use_unicode=True, wrap_line=False))

    def latex(self) -> str:
        """LaTeX, without delimiters."""
        return f"{sympy.latex(self.lhs)} = {sympy.latex(self.rhs)}"

    def mathml(self) -> str:
        """Presentation MathML, a ``<math>`` element."""
        inside = sympy.mathml(self.as_eq, printer="presentation")
        return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{inside}</math>'

    def explain(self) -> str:
        """The derivation in words: steps, assumptions, references."""
        lines = [f"[{self.tag}] {self.meaning}".rstrip(), self.text(), ""]
        lines += [f"  {i}. {step}" for i, step in enumerate(self.trace, 1)]
        lines += [f"  assumes {a}" for a in self.assumptions]
        lines += [f"  see {r}" for r in self.references]
        return "\n".join(lines)

    def __str__(self) -> str:
        return f"{self.lhs} = {self.rhs}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


@dataclass(frozen=True)
class EquationSet:
    """The equations of one result, looked up by tag: ``equations["Delta_h"]``."""

    result: str
    equations: tuple[Equation, ...]

    def __getitem__(self, tag: str) -> Equation:
        for equation in self.equations:
            if equation.tag == tag:
                return equation
        near = get_close_matches(tag, self.tags, n=2, cutoff=0.4) or self.tags
        raise ParameterError(f"{self.result} has no equation {tag!r}; it has {', '.join(near)}")

    def __iter__(self) -> Iterator[Equation]:
        return iter(self.equations)

    def __len__(self) -> int:
        return len(self.equations)

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags, in order."""
        return tuple(e.tag for e in self.equations)

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """Every assumption the set rests on, once."""
        return tuple(dict.fromkeys(a for e in self.equations for a in e.assumptions))

    @property
    def references(self) -> tuple[Reference, ...]:
        """Every reference, once."""
        return tuple(dict.fromkeys(r for e in self.equations for r in e.references))

    def text(self) -> str:
        """Unicode text for a terminal."""
        return "\n\n".join(f"[{e.tag}]  {e.meaning}\n{e.text()}" for e in self.equations)

    def __str__(self) -> str:
        return self.text()

    def _repr_latex_(self) -> str:
        rows = [rf"{sympy.latex(e.lhs)} &= {sympy.latex(e.rhs)}" for e in self.equations]
        return "$$\\begin{aligned}" + r"\\ ".join(rows) + "\\end{aligned}$$"

"""Presentation MathML as browsers draw it well.

SymPy's printer is the base. Corrected here: Greek names of functions, primes that stay with their
letter, sums that start with a positive term, upright words, brackets that stretch only around what
is tall, derivatives as dh/dt, and no entity that XML does not know.
"""

from __future__ import annotations

import re
from typing import Any

from sympy import Add, Derivative, Expr, S, Symbol, tanh
from sympy.core.function import AppliedUndef
from sympy.printing.mathml import MathMLPresentationPrinter
from sympy.printing.precedence import precedence_traditional
from sympy.printing.pretty.pretty_symbology import greek_unicode

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.process import ProcessAverage
from gatetheory.equations.provenance import Equation
from gatetheory.functions import Nonlinear
from gatetheory.presentation.markup import plain, width, wrapped

_TALL = ("mfrac", "mtable", "msqrt", "munderover")
_CLOSE = "padding-inline:0.1em"
LINE = 64  # characters after which a sum is broken
_AT_TIMES = re.compile(r"(?P<head>[A-Za-z]\w*)\((?P<times>[\w']+(,[\w']+)*)\)")
_PRIMES = {1: "′", 2: "″", 3: "‴"}


def mathml(shown: Equation | Expr | Any, *, block: bool = True) -> str:
    """A ``<math>`` element, well-formed XML.

    Args:
        shown: An equation, or any SymPy object.
        block: On a line of its own rather than inside a line of text.
    """
    printer = MathML()
    if isinstance(shown, Equation):
        return wrapped(printer.equation(shown.lhs, shown.rhs), block=block)
    return wrapped(printer.doprint(shown), block=block)


class MathML(MathMLPresentationPrinter):  # type: ignore[misc]  # SymPy has no type information
    """SymPy's presentation printer, corrected."""

    def doprint(self, expression: Any) -> str:
        """The elements of an expression, as text."""
        return plain(str(self._print(expression).toxml()))

    def row(self, *pieces: Any) -> str:
        """Expressions and operators (given as text) one after the other."""
        shown = (f"<mo>{p}</mo>" if isinstance(p, str) else self.doprint(p) for p in pieces)
        return f"<mrow>{''.join(shown)}</mrow>"

    def equation(self, lhs: Any, rhs: Any) -> str:
        """``lhs = rhs``, with a long sum broken between its terms."""
        if not isinstance(rhs, Add):
            return self.row(lhs, "=", rhs)
        rows: list[list[str]] = [[]]
        room = float(LINE)
        for k, (negative, term) in enumerate(self._signed_terms(rhs)):
            shown = self._term(term)
            needed = width(shown) + 2
            if rows[-1] and needed > room:
                rows.append([])
                room = float(LINE)
            room -= needed
            if k or negative:
                place = "infix" if k else "prefix"
                rows[-1].append(f'<mo form="{place}">{"−" if negative else "+"}</mo>')
            rows[-1].append(str(shown.toxml()))
        if len(rows) == 1:
            return self.row(lhs, "=", rhs)
        heads = [f"{self.doprint(lhs)}<mo>=</mo>", *[""] * (len(rows) - 1)]
        lines = (
            f'<mtr><mtd style="text-align:right;{_CLOSE}"><mrow>{head}</mrow></mtd>'
            f'<mtd style="text-align:left;{_CLOSE}"><mrow>{"".join(row)}</mrow></mtd></mtr>'
            for head, row in zip(heads, rows, strict=True)
        )
        return plain(f'<mtable displaystyle="true">{"".join(lines)}</mtable>')

    # ---- elements ------------------------------------------------------------------------------

    def _element(self, kind: str, *children: Any, **attributes: str) -> Any:
        node = self.dom.createElement(kind)
        for name, value in attributes.items():
            node.setAttribute(name, value)
        for child in children:
            node.appendChild(self.dom.createTextNode(child) if isinstance(child, str) else child)
        return node

    def _fenced(self, opening: str, inside: Any, closing: str) -> Any:
        tall = any(inside.getElementsByTagName(kind) or inside.tagName == kind for kind in _TALL)
        stretchy = "true" if tall else "false"  # fonts pad stretched brackets more than plain ones
        left = self._element("mo", opening, form="prefix", fence="true", stretchy=stretchy)
        right = self._element("mo", closing, form="postfix", fence="true", stretchy=stretchy)
        return self._element("mrow", left, inside, right)

    def _apply(self) -> Any:
        return self._element("mo", "\u2061")

    def _named(self, name: str, primes: str = "") -> Any:
        """A letter with its subscript and primes in one element."""
        base, _, below = name.partition("_")
        letter = self._element("mi", greek_unicode.get(base, base))
        if primes:  # fonts raise the sign themselves; as a superscript it would float away
            mark = self._element("mo", primes, form="postfix", lspace="0em", rspace="0em")
            letter = self._element("mrow", letter, mark)
        if not below:
            return letter
        parts = [greek_unicode.get(part, part) for part in below.split("_") if part]
        if len(below) == 2 and below not in greek_unicode:  # two indices, each in italics
            parts = list(below)
        under = self._element("mrow", *(self._element("mi", part) for part in parts))
        return self._element("msub", letter, under)

    # ---- nodes -----------------------------------------------------------------------------------

    def _print(self, expr: Any, **kwargs: Any) -> Any:
        for kind, method in _METHODS:
            if isinstance(expr, kind):
                return method(self, expr)
        return super()._print(expr, **kwargs)

    def _print_Symbol(self, sym: Symbol, style: str = "plain") -> Any:  # noqa: N802
        name = sym.name
        plain = name.rstrip("'")
        at_times = _AT_TIMES.fullmatch(name)
        if at_times:  # the value of a function at one or two times, as in C_h(t,t')
            times = [Symbol(t) for t in at_times["times"].split(",")]
            head = self._named(at_times["head"])
            return self._element("mrow", head, self._apply(), self._arguments(*times))
        if not plain.isidentifier():
            words = " ".join(greek_unicode.get(w.strip("()"), w) for w in name.split())
            return self._element("mtext", words)
        return self._named(plain, "′" * (len(name) - len(plain)))

    def _print_Function(self, e: Any) -> Any:  # noqa: N802
        if isinstance(e, AppliedUndef):
            head = self._named(e.func.__name__)
        elif isinstance(e, tanh) or len(e.func.__name__) > 1:
            head = self._element("mi", e.func.__name__, mathvariant="normal")
        else:
            head = self._element("mi", e.func.__name__)
        return self._element("mrow", head, self._apply(), self._arguments(*e.args))

    def _arguments(self, *args: Any) -> Any:
        inside = self._element("mrow")
        for k, argument in enumerate(args):
            if k:
                inside.appendChild(self._element("mo", ","))
            inside.appendChild(self._print(argument))
        return self._fenced("(", inside, ")")

    def _print_Add(self, expr: Add, order: str | None = None) -> Any:  # noqa: N802
        row = self._element("mrow")
        for k, (negative, term) in enumerate(self._signed_terms(expr, order)):
            if k or negative:
                sign = "−" if negative else "+"
                row.appendChild(self._element("mo", sign, form="infix" if k else "prefix"))
            row.appendChild(self._term(term))
        return row

    def _signed_terms(self, expr: Add, order: str | None = None) -> list[tuple[bool, Expr]]:
        """Terms without their sign, and whether it is negative, in the order people write them.

        λτ + 1 reads 1 + λτ; a sum does not start with a minus where it can start with a plus.
        """
        terms = [(t.could_extract_minus_sign(), t) for t in self._as_ordered_terms(expr, order)]
        terms.sort(key=lambda pair: (pair[0], not pair[1].is_number))
        return [(negative, -t if negative else t) for negative, t in terms]

    def _term(self, term: Expr) -> Any:
        shown = self._print(term)
        return self._fenced("(", shown, ")") if term.is_Add else shown

    def _print_Mul(self, expr: Any) -> Any:  # noqa: N802
        number, rest = expr.as_coeff_Mul()
        whole = rest.as_numer_denom()[1].is_number
        if number.is_Rational and not number.is_Integer and rest != 1 and whole:
            sign = [self._element("mo", "−", form="prefix")] if number < 0 else []
            return self._element("mrow", *sign, self._print(abs(number)), self._term(rest))
        return super()._print_Mul(expr)

    def _print_Pow(self, e: Any) -> Any:  # noqa: N802
        if isinstance(e.base, Symbol) and e.exp.is_Integer and e.exp < -1:
            return self._element("mfrac", self._print(S.One), self._print(1 / e))
        if isinstance(e.base, Symbol | GaussianAverage) and e.exp.is_Integer and e.exp > 1:
            base = self._print(e.base)
            if base.tagName == "msub":  # index and exponent above each other
                raised = self._print(e.exp)
                return self._element("msubsup", *list(base.childNodes), raised)
        return super()._print_Pow(e)

    def _print_Abs(self, expr: Any, exp: Any = None) -> Any:  # noqa: N802
        return self._fenced("|", self._print(expr.args[0]), "|")

    def _print_Derivative(self, e: Any) -> Any:  # noqa: N802
        """A quotient: dⁿf/dxⁿ, with ∂ where the function has several arguments."""
        function = e.expr
        if isinstance(function, AppliedUndef):
            head, several = self._named(function.func.__name__), len(function.args) > 1
        else:
            head, several = self._print(function), len(function.free_symbols) > 1
            head = self._fenced("(", head, ")") if function.is_Add else head
        sign = "∂" if several or len(e.variable_count) > 1 else "d"
        order = sum(count for _, count in e.variable_count)
        below = []
        for variable, count in e.variable_count:
            letter = self._element("mi", sign, mathvariant="normal")
            below += [letter, self._raised(self._print(variable), count)]
        above = self._raised(self._element("mi", sign, mathvariant="normal"), order)
        return self._element(
            "mfrac", self._element("mrow", above, head), self._element("mrow", *below)
        )

    def _raised(self, base: Any, power: Any) -> Any:
        return base if power == 1 else self._element("msup", base, self._print(power))

    def parenthesize(self, item: Any, level: Any, strict: bool = False) -> Any:
        """An operand, in brackets where the reader needs them."""
        if isinstance(item, Derivative):  # written as a quotient, which needs none
            return self._print(item)
        binding = precedence_traditional(item)
        if binding < level or (not strict and binding <= level):
            return self._fenced("(", self._print(item), ")")
        return self._print(item)

    def _print_MatrixBase(self, m: Any) -> Any:  # noqa: N802
        rows = (
            self._element("mtr", *(self._element("mtd", self._print(e)) for e in row))
            for row in m.tolist()
        )
        return self._fenced("(", self._element("mtable", *rows), ")")

    def _nonlinear(self, expr: Nonlinear) -> Any:
        primes = _PRIMES.get(expr.order, f"({expr.order})") if expr.order else ""
        head = self._named(expr.name, primes)
        return self._element("mrow", head, self._apply(), self._arguments(expr.argument))

    def _gaussian(self, expr: GaussianAverage) -> Any:
        bracket = self._fenced("⟨", self._print(expr.integrand), "⟩")
        law = self._element("mrow")
        for k, entry in enumerate(expr._law()):
            if k:
                law.appendChild(self._element("mo", ",", separator="true"))
            law.appendChild(self._print(entry))
        return self._element("msub", bracket, law)

    def _process(self, expr: ProcessAverage) -> Any:
        return self._fenced("⟨", self._print(expr.integrand), "⟩")


_METHODS = (
    (Nonlinear, MathML._nonlinear),
    (GaussianAverage, MathML._gaussian),
    (ProcessAverage, MathML._process),
)

"""The symbolic functions that models are written in.

* :class:`Nonlinear`, an abstract nonlinearity applied to an argument. Equations are derived with
  φ and σ left open; a definition is put in only when numbers are wanted.
* :class:`logistic`, whose derivatives stay finite and accurate for any argument.
* :class:`Next`, the updated value of a field of a map.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy
from sympy import Expr, Integer, Lambda, Symbol
from sympy.core.symbol import Str


class logistic(sympy.Function):  # noqa: N801  (functions of SymPy are lower case)
    """The logistic function 1/(1 + e^{-x}).

    Its derivative is kept as logistic(x) logistic(-x), which loses no digits in either tail.
    """

    nargs = 1

    @classmethod
    def eval(cls, x: Expr) -> Expr | None:
        """Fold the constants and the limits."""
        if x is sympy.S.Infinity:
            return sympy.S.One
        if x is sympy.S.NegativeInfinity:
            return sympy.S.Zero
        if x.is_zero:
            return sympy.S.Half
        return None

    def fdiff(self, argindex: int = 1) -> Expr:
        """First derivative."""
        (x,) = self.args
        return logistic(x) * logistic(-x)

    def _eval_rewrite_as_exp(self, x: Expr, **_: Any) -> Expr:
        return 1 / (1 + sympy.exp(-x))

    def _eval_is_positive(self) -> bool | None:
        return self.args[0].is_real

    def _eval_is_real(self) -> bool | None:
        return self.args[0].is_real

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        name = r"\operatorname{logistic}" + (f"^{{{exp}}}" if exp else "")
        return rf"{name}\left({printer._print(self.args[0])}\right)"


class Nonlinear(Expr):
    """The n-th derivative of an abstract nonlinearity, applied: φ⁽ⁿ⁾(x).

    Args are the name, the order of the derivative and the argument, so that differentiation,
    substitution and printing need no knowledge of the definition.
    """

    is_commutative = True

    def __new__(cls, name: str | Str, order: int | Integer, argument: Expr) -> Nonlinear:
        """Build the node; ``name`` is the name of the nonlinearity."""
        label = name if isinstance(name, Str) else Str(name)
        return Expr.__new__(cls, label, sympy.Integer(order), sympy.sympify(argument))

    @property
    def name(self) -> str:
        """Name of the nonlinearity."""
        return str(self.args[0].name)

    @property
    def order(self) -> int:
        """Order of the derivative."""
        return int(self.args[1])

    @property
    def argument(self) -> Expr:
        """What the nonlinearity is applied to."""
        return self.args[2]

    @property
    def free_symbols(self) -> set[Symbol]:
        """Symbols of the argument (the definition's parameters are not known here)."""
        return set(self.argument.free_symbols)

    def _eval_is_real(self) -> bool | None:
        return self.argument.is_real

    def _eval_derivative(self, symbol: Symbol) -> Expr:
        return Nonlinear(self.args[0], self.order + 1, self.argument) * self.argument.diff(symbol)

    def _eval_subs(self, old: Expr, new: Expr) -> Expr | None:
        if old == self:
            return new
        return Nonlinear(self.args[0], self.order, self.argument._subs(old, new))

    def _sympystr(self, printer: Any) -> str:
        marks = "'" * self.order if self.order <= 3 else f"^({self.order})"
        return f"{self.name}{marks}({printer._print(self.argument)})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        head = printer._print(Symbol(self.name))
        marks = "'" * self.order if self.order <= 3 else f"^{{({self.order})}}"
        body = rf"\left({printer._print(self.argument)}\right)"
        if exp is None:
            return head + marks + body
        if marks:
            return rf"{head}{marks}{body}^{{{exp}}}"
        return rf"{head}^{{{exp}}}{body}"

    def _pretty(self, printer: Any) -> Any:
        from sympy.printing.pretty.stringpict import prettyForm

        head = printer._print(Symbol(self.name))
        marks = "′" * self.order if self.order <= 3 else f"⁽{self.order}⁾"
        body = prettyForm(*printer._print(self.argument).parens())
        form = prettyForm(*head.right(marks)) if marks else head
        form = prettyForm(*form.right(body))
        return form

    def _mathml_presentation(self, printer: Any) -> Any:
        row = printer.dom.createElement("mrow")
        row.appendChild(printer._print(Symbol(self.name)))
        if self.order:
            marks = printer.dom.createElement("mo")
            primes = "′" * self.order if self.order <= 3 else f"({self.order})"
            marks.appendChild(printer.dom.createTextNode(primes))
            row.appendChild(marks)
        opening, closing = (printer.dom.createElement("mo") for _ in range(2))
        opening.appendChild(printer.dom.createTextNode("("))
        closing.appendChild(printer.dom.createTextNode(")"))
        for piece in (opening, printer._print(self.argument), closing):
            row.appendChild(piece)
        return row


class Next(Expr):
    """The value of a field after the update, as another field of the same map may read it."""

    is_commutative = True

    def __new__(cls, field: Symbol) -> Next:
        """Wrap the symbol of a field."""
        return Expr.__new__(cls, sympy.sympify(field))

    def _eval_is_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        text = printer._print(self.args[0]) + r"^{+}"
        return rf"\left({text}\right)^{{{exp}}}" if exp else text

    def _sympystr(self, printer: Any) -> str:
        return f"next({printer._print(self.args[0])})"


def instantiate(expression: Any, definitions: Mapping[str, Lambda]) -> Any:
    """Put the definitions of the nonlinearities into an expression.

    Works on any SymPy object, averages included. Derivatives are taken of the definition,
    so no abstract node is left.
    """

    def define(name: Str, order: Integer, argument: Expr) -> Expr:
        return derivative_of_definition(definitions[name.name], int(order))(argument)

    return expression.replace(Nonlinear, define)


def derivative_of_definition(definition: Lambda, order: int) -> Lambda:
    """The n-th derivative of a definition, written without cancelling terms.

    ``1 - tanh²`` is kept as ``sech²``: the difference would lose every digit in the tails.
    """
    (x,) = definition.variables
    body = definition.expr
    w = sympy.Wild("w")
    for _ in range(order):
        body = sympy.diff(body, x).replace(1 - sympy.tanh(w) ** 2, sympy.sech(w) ** 2)
    return Lambda(x, body)


"""The symbolic functions that models are written in.

* :class:`Nonlinear`, an abstract nonlinearity applied to an argument. Equations are derived with
  φ and σ left open; a definition is put in only when numbers are wanted.
* :class:`Next`, the updated value of a field of a map.
* :func:`instantiate`, which puts definitions in.

The functions of :mod:`gatetheory.sigmoids` are found here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sympy
from sympy import Expr, Integer, Lambda, Symbol
from sympy.core.symbol import Str
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.pretty.stringpict import prettyForm

from gatetheory.errors import ModelError
from gatetheory.sigmoids import canonical, differentiate, logistic

__all__ = [
    "Next",
    "Nonlinear",
    "canonical",
    "derivative_of_definition",
    "differentiate",
    "instantiate",
    "logistic",
]

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Nonlinear(Expr):
    """The n-th derivative of an abstract nonlinearity, applied: φ⁽ⁿ⁾(x).

    Args are the name, the order of the derivative and the argument, so that differentiation,
    substitution and printing need no knowledge of the definition. What the definition contains,
    its parameters above all, is invisible here: differentiate by a parameter after
    :func:`instantiate`.
    """

    is_commutative = True

    def __new__(cls, name: str | Str, order: int | Integer, argument: Expr) -> Nonlinear:
        """Build the node; ``name`` is the name of the nonlinearity."""
        label = name if isinstance(name, Str) else Str(name)
        return Expr.__new__(cls, label, Integer(order), sympy.sympify(argument, strict=True))

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

    def _latex(self, printer: Any) -> str:
        head = printer._print(Symbol(self.name))
        marks = "'" * self.order if self.order <= 3 else f"^{{({self.order})}}"
        return rf"{head}{marks}\left({printer._print(self.argument)}\right)"

    def _pretty(self, printer: Any) -> Any:
        head = printer._print(Symbol(self.name))
        body = prettyForm(*printer._print(self.argument).parens())
        if not printer._use_unicode:
            marks = "'" * self.order if self.order <= 3 else f"^({self.order})"
        elif self.order <= 3:
            marks = "′" * self.order
        else:
            marks = f"⁽{str(self.order).translate(_RAISED)}⁾"
        form = prettyForm(*head.right(marks)) if marks else head
        return prettyForm(*form.right(body))

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
    precedence = PRECEDENCE["Pow"]  # x⁺ is printed with an exponent of its own

    def __new__(cls, field: Symbol) -> Next:
        """Wrap the symbol of a field."""
        return Expr.__new__(cls, sympy.sympify(field, strict=True))

    def _eval_is_real(self) -> bool:
        return True

    def _sympystr(self, printer: Any) -> str:
        return f"next({printer._print(self.args[0])})"

    def _latex(self, printer: Any) -> str:
        return printer._print(self.args[0]) + "^{+}"

    def _pretty(self, printer: Any) -> Any:
        if not printer._use_unicode:
            return prettyForm(str(self))
        return prettyForm(*printer._print(self.args[0]).right("⁺"))

    def _mathml_presentation(self, printer: Any) -> Any:
        raised = printer.dom.createElement("msup")
        plus = printer.dom.createElement("mo")
        plus.appendChild(printer.dom.createTextNode("+"))
        for piece in (printer._print(self.args[0]), plus):
            raised.appendChild(piece)
        return raised


def instantiate(expression: Any, definitions: Mapping[str, Lambda]) -> Any:
    """Put the definitions of the nonlinearities into an expression.

    Works on any SymPy object, averages included. Derivatives are taken of the definition, and a
    definition may use other nonlinearities, so no abstract node is left.

    Raises:
        ModelError: If a nonlinearity has no definition.
    """

    def define(name: Str, order: Integer, argument: Expr) -> Expr:
        if name.name not in definitions:
            raise ModelError(
                f"nonlinearity {name.name} has no definition; "
                f"there are {', '.join(definitions) or 'none'}"
            )
        value = derivative_of_definition(definitions[name.name], int(order))(argument)
        return instantiate(value, definitions)

    return expression.replace(Nonlinear, define)


@lru_cache(maxsize=1024)
def derivative_of_definition(definition: Lambda, order: int) -> Lambda:
    """The n-th derivative of a definition, written without cancelling or overflowing terms."""
    (x,) = definition.variables
    body = definition.expr
    for _ in range(order):
        body = differentiate(body, x)
    return Lambda(x, body)

"""Averages over the single-site process, before anything is known of its law."""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Expr


class ProcessAverage(Expr):
    """⟨f⟩ over the paths of the single-site process, with f a function of fields.

    Only constants are taken out; which fields are independent is known to the derivation
    (:mod:`gatetheory.theory.single_site`), which builds products of these nodes.
    """

    is_commutative = True

    def __new__(cls, integrand: Expr) -> Expr:
        """Wrap the integrand."""
        f = sympy.sympify(integrand)
        if f.is_number:
            return f
        return Expr.__new__(cls, f)

    @property
    def integrand(self) -> Expr:
        """The function that is averaged."""
        return self.args[0]

    def _eval_is_real(self) -> bool | None:
        return self.integrand.is_real

    def _eval_is_nonnegative(self) -> bool | None:
        return True if self.integrand.is_nonnegative else None

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        text = rf"\left\langle {printer._print(self.integrand)} \right\rangle"
        return rf"{text}^{{{exp}}}" if exp else text

    def _sympystr(self, printer: Any) -> str:
        return f"<{printer._print(self.integrand)}>"

    def _pretty(self, printer: Any) -> Any:
        from sympy.printing.pretty.stringpict import prettyForm

        inside = printer._print(self.integrand)
        return prettyForm(*prettyForm(*inside.left("⟨")).right("⟩"))

    def _mathml_presentation(self, printer: Any) -> Any:
        row = printer.dom.createElement("mrow")
        for piece in ("⟨", self.integrand, "⟩"):
            if isinstance(piece, str):
                child = printer.dom.createElement("mo")
                child.appendChild(printer.dom.createTextNode(piece))
            else:
                child = printer._print(piece)
            row.appendChild(child)
        return row

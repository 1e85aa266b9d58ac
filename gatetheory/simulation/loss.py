"""Losses of a state as numbers: a sum over units of an expression in fields and a weight c."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sympy import Expr, Symbol

from gatetheory.functions import differentiate
from gatetheory.model import Model
from gatetheory.model.loss import make_loss as loss_of
from gatetheory.simulation.lowering import Array, Kernel, compile_kernel, define


@dataclass(frozen=True, eq=False)
class Loss:
    """L = N^{-1/2} Σ_i e(x_i, c_i), with c_i independent, of mean 0 and variance 1.

    Args:
        model: The model.
        text: The expression e as text.
        expression: e, in the fields and the weight.
        weight: Symbol of c.
    """

    model: Model
    text: str
    expression: Expr
    weight: Symbol

    @property
    def is_weighted(self) -> bool:
        """Whether c appears at all; without it every draw of c is the same."""
        return bool(self.expression.has(self.weight))

    def value(self, fields: Array, weights: Array) -> Array:
        """L of every draw of c, shape (k,).

        Args:
            fields: Every field, shape (F, N).
            weights: c, shape (k, N).
        """
        out = np.empty((1, *weights.shape))
        self._kernels[1]((*fields, weights), out)
        return np.asarray(out[0].sum(axis=1) / np.sqrt(weights.shape[1]))

    def covectors(self, fields: Array, weights: Array) -> dict[int, Array]:
        """√N ∂L/∂x_f for every field that e reads, by index, shape (k, N).

        Args:
            fields: Every field, shape (F, N).
            weights: c, shape (k, N).
        """
        out = np.empty((len(self._read), *weights.shape))
        return dict(zip(self._read, self._kernels[0]((*fields, weights), out), strict=True))

    @cached_property
    def _read(self) -> tuple[int, ...]:
        fields = enumerate(self.model.fields)
        return tuple(i for i, f in fields if self.expression.has(f.symbol))

    @cached_property
    def _kernels(self) -> tuple[Kernel, Kernel]:
        """The slopes by the fields that e reads, and e."""
        symbols = [f.symbol for f in self.model.fields]
        slopes = tuple(
            define(differentiate(self.expression, symbols[i]), self.model.definitions)
            for i in self._read
        )
        arguments = (*symbols, self.weight)
        return compile_kernel(arguments, slopes), compile_kernel(arguments, (self.expression,))


def make_loss(model: Model, expression: Expr | str | None = None, weight: str = "c") -> Loss:
    """The loss that an expression stands for, as it is measured in a network.

    Args:
        model: The model.
        expression: e, such as ``"c*h"``, ``"c*tanh(h)"``, ``"h**2/2"``, or a SymPy expression. By
            default c times the first field with dynamics that a signal reads.
        weight: Name of c, if a field is called c.

    Raises:
        ParameterError: If it is not an expression in fields and weight, or reads no field.
    """
    if expression is None and weight in {f.name for f in model.fields}:
        found = loss_of(model)
    else:
        found = loss_of(model, expression, weight=weight)
    text = expression if isinstance(expression, str) else str(found.density)
    return Loss(model, text, found.density, found.weight)

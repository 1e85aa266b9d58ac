"""Losses of a state: a sum over units of an expression in fields and an external weight c.

Text is read as arithmetic, node by node, and never executed.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy
from sympy import Dummy, Expr, Rational, Symbol

from gatetheory.errors import ParameterError
from gatetheory.functions import differentiate
from gatetheory.model import Model
from gatetheory.model.expressions import FUNCTIONS
from gatetheory.simulation.lowering import Array, Kernel, compile_kernel, define

_UNARY = {f.__name__: f for f in FUNCTIONS if f.__name__ not in ("Max", "Min", "Piecewise")}
_LONGEST, _LARGEST_POWER = 1000, 100


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
    """The loss that an expression stands for.

    Args:
        model: The model.
        expression: e, such as ``"c*h"``, ``"c*tanh(h)"``, ``"h**2/2"``, or a SymPy expression. By
            default c times the first field that a signal reads.
        weight: Name of c, if a field is called c.

    Raises:
        ParameterError: If it is not an expression in fields and weight, or reads no field.
    """
    names = {f.name: f.symbol for f in model.fields}
    if expression is None:
        c = Dummy(weight, real=True)
        main = default_field(model)
        return Loss(model, f"{weight}*{main}", c * main, c)
    if weight in names:
        raise ParameterError(
            f"the weight of the loss has the name of field {weight}; give it another with weight="
        )
    c = Symbol(weight, real=True)
    known = names | {weight: c}
    if isinstance(expression, str):
        text, found = expression, _parse(expression, known)
    elif isinstance(expression, Expr):
        text, found = str(expression), define(expression, model.definitions)
    else:
        raise ParameterError(f"a loss must be an expression or text, got {expression!r}")
    strangers = found.free_symbols - set(known.values())
    if strangers:
        raise ParameterError(
            f"the loss {text} contains {', '.join(sorted(map(str, strangers)))}; it may contain "
            f"{', '.join(known)}"
        )
    if found.has(sympy.I, sympy.nan, sympy.oo, -sympy.oo, sympy.zoo):
        raise ParameterError(f"the loss {text} is not real and finite")
    if not found.free_symbols & set(names.values()):
        raise ParameterError(f"the loss {text} reads no field; there are {', '.join(names)}")
    return Loss(model, text, found, c)


def default_field(model: Model) -> Symbol:
    """The first field that a signal reads."""
    read = {s for c in model.couplings for s in c.signal.free_symbols}
    return next((f.symbol for f in model.fields if f.symbol in read), model.fields[0].symbol)


def _parse(text: str, names: Mapping[str, Symbol]) -> Expr:
    """Arithmetic as an expression; nothing else is understood.

    Raises:
        ParameterError: Naming what is not understood.
    """
    try:
        if len(text) > _LONGEST:
            raise ParameterError(f"a loss may have {_LONGEST} characters, got {len(text)}")
        return _expression(ast.parse(text.strip(), mode="eval").body, names, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(f"the loss {text!r} is not an expression: {error}") from error


def _expression(node: ast.expr, names: Mapping[str, Symbol], text: str) -> Expr:
    def read(part: ast.expr) -> Expr:
        return _expression(part, names, text)

    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return Rational(str(number))
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=part):
            return -read(part)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return read(left) + read(right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return read(left) - read(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return read(left) * read(right)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return read(left) / read(right)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            power = read(right)
            if not (power.is_Rational and abs(power) <= _LARGEST_POWER):
                raise ParameterError(
                    f"the loss {text!r}: an exponent must be a number up to {_LARGEST_POWER}"
                )
            base = read(left)
            if base.is_Rational and max(abs(base.p), base.q).bit_length() > _LONGEST:
                raise ParameterError(f"the loss {text!r} contains too large a number")
            return base**power
        case ast.Call(func=ast.Name(id=name), args=[part], keywords=[]) if name in _UNARY:
            return _UNARY[name](read(part))
        case ast.Call(func=ast.Name(id="sqrt"), args=[part], keywords=[]):
            return sympy.sqrt(read(part))
    raise ParameterError(
        f"the loss {text!r}: {ast.unparse(node)!r} is not understood; it may be made of "
        f"{', '.join(names)}, numbers, + - * / ** and the functions {', '.join(_UNARY)}, sqrt"
    )

r"""Loss functions whose gradients are asked for.

With ℓ a function of one unit's fields and of a weight c, the loss of a network is

    L = N^{-1/2} Σ_i ℓ(x_i(T), c_i)        a readout at the horizon T, or
    L = N^{-1/2} Σ_i ∫_0^T ℓ(x_i, c_i) dt  a running loss (Σ_{t=1}^T in a map).

The weights c_i come from outside: independent of the network and of each other, with mean 0,
variance 1 and a symmetric distribution.
"""

from __future__ import annotations

import ast
import operator
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction

import sympy
from sympy import Expr, Rational, Symbol

from gatetheory.errors import ParameterError
from gatetheory.model.model import Model

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_KNOWN = ("tanh", "exp", "log", "sin", "cos", "sinh", "cosh", "sech", "atan", "erf")
_FUNCTIONS = {name: getattr(sympy, name) for name in _KNOWN}


@dataclass(frozen=True)
class Loss:
    """A loss of a model; see the module's text.

    Args:
        density: ℓ, in the symbols of fields and of the weight.
        weight: c.
        running: Whether it is integrated over time.
    """

    density: Expr
    weight: Symbol
    running: bool = False

    def __str__(self) -> str:
        kind = "running" if self.running else "readout"
        return f"{self.density} ({kind})"


def make_loss(model: Model, density: str | Expr | None = None, *, running: bool = False) -> Loss:
    """A loss from text or an expression.

    Args:
        model: The model.
        density: ℓ in names of fields and ``c``, such as ``"c*h"`` (``w`` stands for the weight
            where a field is called c); by default c times the first field that a signal reads.
        running: Whether it is integrated over time.

    Raises:
        ParameterError: For unknown names, text that is no formula, or a loss without fields.
    """
    weight = weight_of(model)
    fields = {f.name: f.symbol for f in model.fields}
    if density is None:
        return Loss(weight * read_field(model), weight, running)
    names = fields | {weight.name: weight}
    if isinstance(density, str):
        value = _parsed(density, names)
    elif isinstance(density, Expr):
        value = density.xreplace({s: names.get(s.name, s) for s in density.free_symbols})
    else:
        raise ParameterError(f"a loss is text or a SymPy expression, got {density!r}")
    _check(value, names, fields)
    return Loss(value, weight, running)


def weight_of(model: Model) -> Symbol:
    """The weight's symbol: c, or w in a model that has a field or parameter c."""
    taken = {f.name for f in model.fields} | set(model.symbols)
    return Symbol(next(n for n in ("c", "w", "weight") if n not in taken), real=True)


def read_field(model: Model) -> Symbol:
    """The first field with dynamics that a signal reads, through algebraic fields too."""
    read = set().union(*(c.signal.free_symbols for c in model.couplings))
    moving = [f.symbol for f in model.fields if not f.is_algebraic]
    return next((x for x in moving if x in read), moving[0])


def _check(value: Expr, names: dict[str, Symbol], fields: dict[str, Symbol]) -> None:
    for s in sorted(value.free_symbols - set(names.values()), key=str):
        raise _unknown(s.name, names)
    if not value.free_symbols & set(fields.values()):
        raise ParameterError(f"the loss {value} reads no field; there are {', '.join(fields)}")
    if value.has(sympy.Float):
        raise ParameterError(f"the loss {value} has a float in it; write an exact number")


def _unknown(name: str, names: dict[str, Symbol]) -> ParameterError:
    near = get_close_matches(name, names, n=2, cutoff=0.4) or list(names)
    return ParameterError(f"the loss has no name {name!r}; it may contain {', '.join(near)}")


def _parsed(text: str, names: dict[str, Symbol]) -> Expr:
    """A formula as an expression: read as data, nothing in it is ever run."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        return sympy.sympify(_build(tree, text, names))
    except (SyntaxError, ZeroDivisionError, RecursionError) as error:
        raise ParameterError(f"{text!r} is no formula; write a loss such as 'c*h'") from error


def _build(node: ast.expr, text: str, names: dict[str, Symbol]) -> Expr:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return Rational(Fraction(ast.get_source_segment(text.strip(), node) or number))
        case ast.Name(id=name):
            if name not in names:
                raise _unknown(name, names)
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=inside):
            return -_build(inside, text, names)
        case ast.UnaryOp(op=ast.UAdd(), operand=inside):
            return _build(inside, text, names)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            first, second = (_build(n, text, names) for n in (left, right))
            if isinstance(op, ast.Pow) and not (second.is_Rational and abs(second) <= 99):
                raise ParameterError(f"{text!r}: powers must be numbers up to 99")
            return _OPERATORS[type(op)](first, second)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_build(argument, text, names))
    raise ParameterError(
        f"{text!r} may contain names of fields, the weight, numbers, + - * / ** and "
        f"{', '.join(_FUNCTIONS)}"
    )

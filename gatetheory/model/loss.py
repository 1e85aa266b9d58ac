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
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import sympy
from sympy import Expr, Rational, Symbol

from gatetheory.errors import ParameterError
from gatetheory.functions import instantiate
from gatetheory.model.expressions import FUNCTIONS
from gatetheory.model.model import Model

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS = {f.__name__: f for f in FUNCTIONS if f.__name__ not in ("Max", "Min", "Piecewise")}
_FUNCTIONS["sqrt"] = sympy.sqrt
_LONGEST, _LARGEST_POWER = 1000, 100
_NOT_FINITE = (sympy.I, sympy.zoo, sympy.nan, sympy.oo, -sympy.oo)


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


def make_loss(
    model: Model,
    density: str | Expr | None = None,
    *,
    running: bool = False,
    weight: str | None = None,
) -> Loss:
    """A loss from text or an expression.

    Args:
        model: The model.
        density: ℓ in names of fields and of the weight, such as ``"c*h"``; by default the weight
            times the first field with dynamics that a signal reads.
        running: Whether it is integrated over time.
        weight: Name of the weight; by default c, or w where a field is called c.

    Raises:
        ParameterError: For unknown names, text that is no formula, or a loss without fields.
    """
    fields = {f.name: f.symbol for f in model.fields}
    if weight is not None and weight in fields:
        raise ParameterError(
            f"the weight of the loss has the name of field {weight}; give another with weight="
        )
    c = weight_of(model) if weight is None else Symbol(weight, real=True)
    if density is None:
        return Loss(c * read_field(model), c, running)
    names = fields | {c.name: c}
    if isinstance(density, str):
        value = _parsed(density, names)
    elif isinstance(density, Expr):
        found = instantiate(density, model.definitions)
        value = found.xreplace({s: names.get(s.name, s) for s in found.free_symbols})
    else:
        raise ParameterError(f"a loss is text or a SymPy expression, got {density!r}")
    _check(value, names, fields)
    return Loss(value, c, running)


def weight_of(model: Model) -> Symbol:
    """The weight's symbol: c, or w in a model that has a field or parameter c."""
    taken = {f.name for f in model.fields} | set(model.symbols)
    return Symbol(next(n for n in ("c", "w", "weight") if n not in taken), real=True)


def read_field(model: Model) -> Symbol:
    """The first field with dynamics that a signal reads, through algebraic fields too."""
    read = set().union(*(c.signal.free_symbols for c in model.couplings))
    moving = [f.symbol for f in model.fields if not f.is_algebraic]
    first = moving[0] if moving else model.fields[0].symbol
    return next((x for x in moving if x in read), first)


def _check(value: Expr, names: Mapping[str, Symbol], fields: Mapping[str, Symbol]) -> None:
    for s in sorted(value.free_symbols - set(names.values()), key=str):
        raise _unknown(s.name, names)
    if value.has(*_NOT_FINITE):
        raise ParameterError(f"the loss {value} is not real and finite")
    if value.has(sympy.Float):
        raise ParameterError(f"the loss {value} has a float in it; write an exact number")
    if not value.free_symbols & set(fields.values()):
        raise ParameterError(f"the loss {value} reads no field; there are {', '.join(fields)}")


def _unknown(name: str, names: Mapping[str, Symbol]) -> ParameterError:
    near = get_close_matches(name, names, n=2, cutoff=0.4) or list(names)
    return ParameterError(f"the loss has no name {name!r}; it may contain {', '.join(near)}")


def _parsed(text: str, names: Mapping[str, Symbol]) -> Expr:
    """A formula as an expression: read as data, nothing in it is ever run."""
    if len(text) > _LONGEST:
        raise ParameterError(f"a loss may have {_LONGEST} characters, got {len(text)}")
    try:
        return sympy.sympify(_build(ast.parse(text.strip(), mode="eval").body, text, names))
    except (SyntaxError, RecursionError, MemoryError, ZeroDivisionError) as error:
        raise ParameterError(f"the loss {text!r} is no formula; write one such as 'c*h'") from error


def _build(node: ast.expr, text: str, names: Mapping[str, Symbol]) -> Expr:
    def read(part: ast.expr) -> Expr:
        return _build(part, text, names)

    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return Rational(str(number))
        case ast.Name(id=name):
            if name not in names:
                raise _unknown(name, names)
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=part):
            return -read(part)
        case ast.UnaryOp(op=ast.UAdd(), operand=part):
            return read(part)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(read(left), read(right), text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](read(left), read(right))
        case ast.Call(func=ast.Name(id=name), args=[part], keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](read(part))
    raise ParameterError(
        f"the loss {text!r}: {ast.unparse(node)!r} is not understood; it is made of "
        f"{', '.join(names)}, numbers, + - * / ** and the functions {', '.join(_FUNCTIONS)}"
    )


def _power(base: Expr, power: Expr, text: str) -> Expr:
    if not (power.is_Rational and abs(power) <= _LARGEST_POWER):
        raise ParameterError(
            f"the loss {text!r}: an exponent must be a number up to {_LARGEST_POWER}"
        )
    if base.is_Rational and max(abs(base.p), base.q).bit_length() > _LONGEST:
        raise ParameterError(f"the loss {text!r} contains too large a number")
    return base**power

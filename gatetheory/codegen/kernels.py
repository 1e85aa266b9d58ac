"""Turns an expression into a Python function of its own.

Each integrand is compiled alone, so that nothing of it can be hoisted out of its average. Within
one kernel common subexpressions are computed once, and what does not depend on the inner symbols
is computed before the loop over them::

    kernel = prepare(*outer values)     # once
    kernel(*inner values)               # at every node
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import sympy
from sympy import Expr, Symbol
from sympy.logic.boolalg import And, BooleanFalse, BooleanTrue, Not, Or

from gatetheory.errors import DerivationError

Kernel = Callable[..., tuple[Any, ...]]
Prepare = Callable[..., Kernel]


class Arithmetic(Protocol):
    """The functions that generated code may call."""

    @property
    def names(self) -> dict[str, Any]:
        """What the generated code finds by name."""
        ...

    @property
    def eager(self) -> bool:
        """Whether all branches of a piecewise function are evaluated (arrays)."""
        ...

    def __hash__(self) -> int:
        """Kernels are kept per arithmetic."""
        ...

    def constant(self, number: Expr) -> str:
        """Source text for an exact number."""
        ...

    def function(self, function: type[sympy.Function]) -> str:
        """Name of the function in ``names``, or a DerivationError."""
        ...


def compile_kernel(
    outputs: Sequence[Expr],
    inner: Sequence[Symbol],
    outer: Sequence[Symbol],
    arithmetic: Arithmetic,
) -> Prepare:
    """Compile outputs(inner; outer) to ``prepare(*outer) -> kernel(*inner) -> tuple``.

    Compiling the same expressions for the same symbols again costs nothing.
    """
    return _compiled(tuple(outputs), tuple(inner), tuple(outer), arithmetic)


@lru_cache(maxsize=4096)
def _compiled(
    outputs: tuple[Expr, ...],
    inner: tuple[Symbol, ...],
    outer: tuple[Symbol, ...],
    arithmetic: Arithmetic,
) -> Prepare:
    source = kernel_source(outputs, inner, outer, arithmetic)
    namespace = arithmetic.names.copy()
    exec(compile(source, "<gatetheory kernel>", "exec"), namespace)  # own source, never user text
    prepare: Prepare = namespace["prepare"]
    return prepare


def kernel_source(
    outputs: Sequence[Expr],
    inner: Sequence[Symbol],
    outer: Sequence[Symbol],
    arithmetic: Arithmetic,
) -> str:
    """The source text of a kernel; see :func:`compile_kernel`."""
    names: dict[Symbol, str] = {s: f"o{i}" for i, s in enumerate(outer)}
    names |= {s: f"v{i}" for i, s in enumerate(inner)}
    steps, results = sympy.cse(list(outputs), order="none")
    moving = set(inner)
    hoisted, looped = [], []
    writer = _Writer(names, moving, arithmetic)
    for k, (symbol, value) in enumerate(steps):
        line = f"c{k} = {writer(value)}"
        names[symbol] = f"c{k}"
        if value.free_symbols & moving:
            moving.add(symbol)
            looped.append(line)
        else:
            hoisted.append(line)
    values = "".join(f"{writer(r)}, " for r in results)
    lines = [
        f"def prepare({', '.join(names[s] for s in outer)}):",
        *(f"    {name} = {text}" for text, name in writer.constants.items()),
        *(f"    {line}" for line in hoisted),
        f"    def kernel({', '.join(names[s] for s in inner)}):",
        *(f"        {line}" for line in looped),
        f"        return ({values})",
        "    return kernel",
    ]
    return "\n".join(lines)


class _Writer:
    """Prints an expression as Python source."""

    def __init__(
        self, names: Mapping[Symbol, str], moving: set[Symbol], arithmetic: Arithmetic
    ) -> None:
        self.names, self.moving, self.arithmetic = names, moving, arithmetic
        self.constants: dict[str, str] = {}

    def __call__(self, e: Expr) -> str:
        if e.is_Symbol:
            return self.names[e]
        if e.is_Integer:
            return f"({e})" if e < 0 else str(e)
        if e.is_number and e.is_Atom:
            text = self.arithmetic.constant(e)
            return self.constants.setdefault(text, f"k{len(self.constants)}")
        if isinstance(e, BooleanTrue | BooleanFalse):
            return str(bool(e))
        if e.is_Add:
            return "(" + " + ".join(map(self, self._ordered(e.args))) + ")"
        if e.is_Mul:
            return self._product(e)
        if isinstance(e, sympy.exp):
            return f"exp({self(e.args[0])})"
        if e.is_Pow:
            return self._power(self(e.base), e.exp)
        return self._other(e)

    def _ordered(self, arguments: Sequence[Expr]) -> list[Expr]:
        """First what is fixed, then what depends on nodes alone, then the rest (arrays grow)."""

        def rank(a: Expr) -> int:
            moves = bool(a.free_symbols & self.moving)
            return moves + bool(moves and a.free_symbols - self.moving)

        return sorted(arguments, key=rank)

    def _product(self, e: Expr) -> str:
        above, below = [], []
        for factor in self._ordered(e.args):
            if _is_power(factor) and factor.exp.is_Rational and factor.exp < 0:
                below.append(self._power(self(factor.base), -factor.exp))
            else:
                above.append(self(factor))
        text = " * ".join(above) or "1"
        return f"({text} / ({' * '.join(below)}))" if below else f"({text})"

    def _power(self, base: str, exponent: Expr) -> str:
        if exponent == 1:
            return base
        if exponent.is_Rational and exponent < 0:
            return f"(1 / {self._power(base, -exponent)})"
        if exponent == sympy.S.Half:
            return f"sqrt({base})"
        if exponent.is_Integer:
            return f"power({base}, {exponent})"
        return f"real_power({base}, {self(exponent)})"

    def _other(self, e: Expr) -> str:
        if e.is_Relational:
            return self._relation(e)
        if isinstance(e, And | Or):
            return self._nested("both" if isinstance(e, And) else "either", e.args)
        if isinstance(e, Not):
            return f"negation({self(e.args[0])})"
        if isinstance(e, sympy.Piecewise):
            return self._piecewise(e)
        if isinstance(e, sympy.Max | sympy.Min):
            return self._nested("larger" if isinstance(e, sympy.Max) else "smaller", e.args)
        if isinstance(e, sympy.Function):
            name = self.arithmetic.function(type(e))
            arguments = e.args[:1] if isinstance(e, sympy.Heaviside) else e.args
            return f"{name}({', '.join(map(self, arguments))})"
        raise DerivationError(f"{e} ({type(e).__name__}) cannot be compiled to numbers")

    def _relation(self, e: Expr) -> str:
        """A comparison; by functions where the arithmetic may leave it undecided."""
        left, right = self(e.lhs), self(e.rhs)
        if "less" not in self.arithmetic.names:
            return f"({left} {e.rel_op} {right})"
        if e.rel_op in ("==", "!="):
            text = f"equal({left}, {right})"
        elif e.rel_op in ("<", ">="):
            text = f"less({left}, {right})"
        else:
            text = f"less({right}, {left})"
        return f"negation({text})" if e.rel_op in ("!=", "<=", ">=") else text

    def _nested(self, name: str, arguments: Sequence[Expr]) -> str:
        text = self(arguments[0])
        for a in arguments[1:]:
            text = f"{name}({text}, {self(a)})"
        return text

    def _piecewise(self, e: sympy.Piecewise) -> str:
        text = "nan"
        for value, condition in reversed(e.args):
            if condition == True:  # noqa: E712  (SymPy's true)
                text = self(value)
            elif self.arithmetic.eager:
                text = f"where({self(condition)}, {self(value)}, {text})"
            else:
                text = f"({self(value)} if {self(condition)} else {text})"
        return text


def _is_power(e: Expr) -> bool:
    return bool(e.is_Pow) and not isinstance(e, sympy.exp)

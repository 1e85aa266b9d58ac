"""What the expressions of a model may be made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import sympy
from sympy import (
    Add,
    And,
    Derivative,
    Expr,
    Integral,
    Mul,
    Number,
    NumberSymbol,
    Or,
    Pow,
    Sum,
    Symbol,
)
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational
from sympy.core.symbol import Str
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import BooleanAtom

from gatetheory.errors import ModelError
from gatetheory.functions import Next, Nonlinear, instantiate, logistic
from gatetheory.model.domains import check_nonnegative, check_real
from gatetheory.model.parts import ConstantInput, GaussianInput, TimeDependentInput, WhiteNoise

if TYPE_CHECKING:
    from gatetheory.model.model import Model

# Functions that every backend can average; kinks and jumps split the range of integration.
FUNCTIONS = (
    *(sympy.exp, sympy.log, sympy.tanh, sympy.sech, sympy.sinh, sympy.cosh, sympy.sin, sympy.cos),
    *(sympy.atan, sympy.asinh, sympy.erf, sympy.erfc, logistic),
    *(sympy.Heaviside, sympy.sign, sympy.Abs, sympy.Max, sympy.Min, sympy.Piecewise),
)
_CASES = (ExprCondPair, Relational, BooleanAtom, And, Or)
_NODES = (Add, Mul, Pow, Number, NumberSymbol, Symbol, Str, Nonlinear, *_CASES, *FUNCTIONS)


def _expressions(model: Model) -> Iterator[tuple[str, Expr, set[Symbol]]]:
    """Every expression of the model, with a name for it and the symbols it may contain."""
    parameters = set(model.symbols.values())
    units = {f.symbol for f in model.fields}
    local = {c.local_field for c in model.couplings}
    inputs = {i.symbol for i in model.inputs}
    for f in model.fields:
        yield f"the law of field {f.name}", f.law, parameters | units | local | inputs
        yield f"the time constant of field {f.name}", f.time_constant, parameters
    for c in model.couplings:
        yield f"the signal of coupling {c.name}", c.signal, parameters | units
        yield f"the variance of coupling {c.name}", c.variance, parameters
    for n in model.nonlinearities:
        allowed = parameters | set(n.definition.variables)
        yield f"the definition of nonlinearity {n.name}", n.definition.expr, allowed
    for i in model.inputs:
        what = f"input {i.symbol}"
        if isinstance(i, ConstantInput):
            yield f"the value of {what}", i.value, parameters
        elif isinstance(i, GaussianInput):
            yield f"the variance of {what}", i.variance, parameters
            yield f"the mean of {what}", i.mean, parameters
        elif isinstance(i, WhiteNoise):
            yield f"the intensity of {what}", i.intensity, parameters
        elif isinstance(i, TimeDependentInput):
            allowed = parameters | set(i.function.variables)
            yield f"the function of {what}", i.function.expr, allowed


def check_expressions(model: Model) -> None:
    """Check what every expression is made of, and that it is real and finite.

    Raises:
        ModelError: On the first thing that is wrong.
    """
    declared = set(model.definitions)
    updates = {f"the law of field {f.name}" for f in model.fields if f.update is not None}
    by_name = {s.name: s for _, _, allowed in _expressions(model) for s in allowed}
    for where, expression, allowed in _expressions(model):
        for number in expression.atoms(sympy.Float):
            raise ModelError(
                f"{where} contains the Float {number}, which would cap the precision of every "
                "result; write a sympy.Rational or make it a parameter"
            )
        for node in expression.atoms(Nonlinear):
            if node.name not in declared:
                raise ModelError(
                    f"{where} uses the nonlinearity {node.name}, which is not declared; "
                    "add it to nonlinearities"
                )
        _check_nodes(where, expression, may_read_updates=where in updates)
        for symbol in sorted(expression.free_symbols - allowed, key=str):
            twin = by_name.get(symbol.name)
            if twin is not None and twin in allowed:
                raise ModelError(
                    f"{where} contains a symbol {symbol} whose assumptions differ from the "
                    "declared one; use the symbol of the declaration (Parameter.symbol, "
                    "gatetheory.fields)"
                )
            raise ModelError(
                f"{where} contains {symbol}, which may not stand there; it may contain "
                f"{', '.join(sorted(map(str, allowed))) or 'numbers only'}"
            )
    reads = {n.name: {m.name for m in n.definition.atoms(Nonlinear)} for n in model.nonlinearities}
    refuse_loop(reads, "definitions use each other in a loop", "write one of them out")
    _check_values(model)


def _check_nodes(where: str, expression: Expr, *, may_read_updates: bool) -> None:
    if expression.has(sympy.I, sympy.nan, sympy.oo, -sympy.oo, sympy.zoo):
        raise ModelError(f"{where} is not real and finite: {expression}")
    for node in sympy.preorder_traversal(expression):
        if isinstance(node, Next):
            if not may_read_updates:
                raise ModelError(
                    f"{where} contains {node}; only the update of a field may read the updated "
                    "value of another"
                )
        elif isinstance(node, AppliedUndef | Derivative | Integral | Sum):
            raise ModelError(
                f"{where} contains {node}, which cannot be evaluated; declare a Nonlinearity "
                "with a definition instead"
            )
        elif not isinstance(node, _NODES):
            raise ModelError(
                f"{where} contains {node}, which is not made of + - * / ** and the functions "
                f"{', '.join(sorted(f.__name__ for f in FUNCTIONS))}; write it with these"
            )


def _check_values(model: Model) -> None:
    """Expressions must be real and finite, variances and intensities must not be negative."""
    domains = {p.symbol: (p.default, p.domain) for p in model.parameters}
    for where, expression, _ in _expressions(model):
        check_real(where, instantiate(expression, model.definitions), domains)
    for c in model.couplings:
        check_nonnegative(f"the variance of coupling {c.name}", c.variance, domains)
        if c.signal.is_zero:
            raise ModelError(f"the signal of coupling {c.name} is 0; remove the coupling")
    for i in model.inputs:
        if isinstance(i, GaussianInput):
            check_nonnegative(f"the variance of input {i.symbol}", i.variance, domains)
        elif isinstance(i, WhiteNoise):
            check_nonnegative(f"the intensity of input {i.symbol}", i.intensity, domains)


def refuse_loop(
    reads: Mapping[Any, set[Any]],
    what: str,
    mend: str = "give one of them dynamics of its own",
) -> None:
    """Refuse things that read each other in a circle.

    Raises:
        ModelError: Naming those in the circle and what reads them.
    """
    remaining = dict(reads)
    while remaining:
        free = [s for s, others in remaining.items() if not others & set(remaining)]
        if not free:
            names = ", ".join(sorted(map(str, remaining)))
            raise ModelError(f"{what} ({names}); {mend}")
        for s in free:
            del remaining[s]

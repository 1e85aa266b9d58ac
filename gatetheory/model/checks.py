"""Everything that is checked when a model is created.

Each check raises a :class:`ModelError` that names the culprit and says the mend.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import sympy
from sympy import Basic, Expr, Symbol
from sympy.core.function import AppliedUndef

from gatetheory.errors import ModelError
from gatetheory.functions import Next, Nonlinear
from gatetheory.model.parts import TIME, ConstantInput, GaussianInput, TimeDependentInput, WhiteNoise

if TYPE_CHECKING:
    from gatetheory.model.model import Model


def check_model(model: Model) -> None:
    """Run every check on a model.

    Raises:
        ModelError: On the first thing that is wrong.
    """
    _check_shape(model)
    _check_names(model)
    _check_expressions(model)
    _check_local_fields(model)
    _check_noise(model)
    _check_order_of_evaluation(model)


def _check_shape(model: Model) -> None:
    if model.time not in ("continuous", "discrete"):
        raise ModelError(
            f"model {model.name}: time must be 'continuous' or 'discrete', got {model.time!r}"
        )
    if not model.fields or not model.couplings:
        missing = "field" if not model.fields else "coupling"
        raise ModelError(f"model {model.name}: declare at least one {missing}")
    for f in model.fields:
        if model.time == "continuous" and f.update is not None:
            raise ModelError(
                f"field {f.name}: an update belongs to discrete time; give a drift or a value"
            )
        if model.time == "discrete" and f.drift is not None:
            raise ModelError(
                f"field {f.name}: a drift belongs to continuous time; give an update or a value"
            )
        if f.drift is None and f.time_constant != 1:
            raise ModelError(f"field {f.name}: only a drift has a time_constant; leave it out")
        if f.time_constant.is_nonnegative is not True:
            raise ModelError(
                f"field {f.name}: the time_constant {f.time_constant} may be negative; "
                "use a parameter of domain POSITIVE or NONNEGATIVE"
            )


def _check_names(model: Model) -> None:
    names = [
        *(f.name for f in model.fields),
        *(c.local_field.name for c in model.couplings),
        *(p.name for p in model.parameters),
        *(n.name for n in model.nonlinearities),
        *(i.symbol.name for i in model.inputs),
    ]
    for name in names:
        if not name.isidentifier():
            raise ModelError(f"name {name!r} is not an identifier; use letters, digits and _")
        if names.count(name) > 1:
            raise ModelError(f"name {name!r} is declared twice; rename one of them")
        if name == TIME.name:
            raise ModelError("name 't' is reserved for the time; rename it")
    for symbol in (*(f.symbol for f in model.fields), *(c.local_field for c in model.couplings)):
        if symbol.is_real is not True:
            raise ModelError(
                f"symbol {symbol} must be real; make it with gatetheory.fields or local_field"
            )
    for c in model.couplings:
        if not c.local_field.name.startswith("eta_"):
            raise ModelError(
                f"local field {c.local_field} must be named eta_<coupling>; "
                "make it with gatetheory.local_field"
            )


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
            yield f"the value of {what}", sympy.sympify(i.value), parameters
        elif isinstance(i, GaussianInput):
            yield f"the variance of {what}", sympy.sympify(i.variance), parameters
            yield f"the mean of {what}", sympy.sympify(i.mean), parameters
        elif isinstance(i, WhiteNoise):
            yield f"the intensity of {what}", sympy.sympify(i.intensity), parameters
        elif isinstance(i, TimeDependentInput):
            allowed = parameters | set(i.function.variables)
            yield f"the function of {what}", i.function.expr, allowed


def _check_expressions(model: Model) -> None:
    declared = set(model.definitions)
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
        _check_nodes(where, expression)
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


def _check_nodes(where: str, expression: Expr) -> None:
    foreign: tuple[type[Basic], ...] = (AppliedUndef, sympy.Derivative, sympy.Integral, sympy.Sum)
    for node in sympy.preorder_traversal(expression):
        if isinstance(node, foreign):
            raise ModelError(
                f"{where} contains {node}, which cannot be evaluated; declare a Nonlinearity "
                "with a definition instead"
            )
    if expression.has(sympy.I, sympy.nan, sympy.oo, sympy.zoo):
        raise ModelError(f"{where} is not real and finite: {expression}")


def _check_local_fields(model: Model) -> None:
    declared = {c.local_field for c in model.couplings}
    used = {s for f in model.fields for s in f.law.free_symbols}
    for c in model.couplings:
        if c.local_field not in used:
            raise ModelError(
                f"coupling {c.name} drives nothing: no law contains {c.local_field}; "
                "use it in a law or remove the coupling"
            )
    for i in model.inputs:
        if i.symbol not in used:
            raise ModelError(f"input {i.symbol} drives nothing; use it in a law or remove it")
    for symbol in used - declared:
        if symbol.name.startswith("eta_") and symbol not in {i.symbol for i in model.inputs}:
            raise ModelError(f"local field {symbol} has no coupling; declare its Coupling")


def _check_noise(model: Model) -> None:
    units = {f.symbol for f in model.fields} | {c.local_field for c in model.couplings}
    for i in model.inputs:
        if not isinstance(i, WhiteNoise):
            continue
        for f in model.fields:
            slope = f.law.diff(i.symbol)
            if slope == 0:
                continue
            if slope.free_symbols & (units | {i.symbol}):
                raise ModelError(
                    f"white noise {i.symbol} multiplies the state in the law of field {f.name}; "
                    "only additive noise has a meaning without a calculus: add it"
                )
            if f.is_algebraic:
                raise ModelError(
                    f"white noise {i.symbol} enters the algebraic field {f.name}; "
                    "give the field a time constant"
                )


def _check_order_of_evaluation(model: Model) -> None:
    """Algebraic fields and updated values must be computable one after the other."""
    next_reads = {
        f.symbol: {n.args[0] for n in f.law.atoms(Next)} for f in model.fields if f.law.has(Next)
    }
    for symbol, read in next_reads.items():
        if model.time == "continuous":
            raise ModelError(
                f"field {symbol}: next(…) has no meaning in continuous time; read the field itself"
            )
        for other in read:
            target = next((f for f in model.fields if f.symbol == other), None)
            if target is None or target.update is None:
                raise ModelError(f"field {symbol} reads next({other}), but {other} has no update")
    _refuse_loop(next_reads, "updated values read each other in a loop")

    driven_by = {c.local_field: c.signal.free_symbols for c in model.couplings}
    algebraic = {f.symbol: f.law for f in model.fields if f.value is not None}
    reads = {}
    for symbol, law in algebraic.items():
        direct = set(law.free_symbols)
        for eta in law.free_symbols & set(driven_by):
            direct |= driven_by[eta]
        reads[symbol] = direct & set(algebraic)
    _refuse_loop(reads, "algebraic fields read each other in a loop")


def _refuse_loop(reads: dict[Symbol, set[Symbol]], what: str) -> None:
    remaining = dict(reads)
    while remaining:
        free = [s for s, others in remaining.items() if not others & set(remaining)]
        if not free:
            names = ", ".join(sorted(map(str, remaining)))
            raise ModelError(f"{what} ({names}); give one of them dynamics of its own")
        for s in free:
            del remaining[s]

"""Everything that is checked when a model is created.

Each check raises a :class:`ModelError` that names the culprit and says the mend.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sympy import Expr, Symbol

from gatetheory.errors import ModelError, ParameterError
from gatetheory.functions import Next
from gatetheory.model.expressions import FUNCTIONS, check_expressions, refuse_loop
from gatetheory.model.parts import TIME, WhiteNoise

if TYPE_CHECKING:
    from gatetheory.model.model import Model

_NOT_NAMES = {"pi", "oo", "inf", "nan", "zoo", *(f.__name__ for f in FUNCTIONS)}


def check_model(model: Model) -> None:
    """Run every check on a model.

    Raises:
        ModelError: On the first thing that is wrong.
    """
    _check_shape(model)
    _check_names(model)
    check_expressions(model)
    _check_local_fields(model)
    _check_noise(model)
    _check_order_of_evaluation(model)


def check_values(model: Model, values: Mapping[Symbol, Expr]) -> None:
    """Check what can only be known at parameter values.

    Raises:
        ParameterError: If white noise drives a field whose time constant vanishes.
    """
    noises = {i.symbol for i in model.inputs if isinstance(i, WhiteNoise)}
    for f in model.fields:
        for noise in sorted(noises & f.law.free_symbols, key=str):
            if f.time_constant.xreplace(dict(values)).is_zero:
                raise ParameterError(
                    f"{f.time_constant} = 0 leaves the field {f.name} without dynamics, but white "
                    f"noise {noise} drives it; give it a positive time constant"
                )


def _check_shape(model: Model) -> None:
    if not (isinstance(model.name, str) and model.name.strip()):
        raise ModelError(f"a model needs a name, got {model.name!r}")
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
        if not (name.isidentifier() and name.isascii()):
            raise ModelError(f"name {name!r} is not an identifier; use a-z, A-Z, 0-9 and _")
        if keyword.iskeyword(name):
            raise ModelError(f"name {name!r} is a word of Python; rename it, {name}_ for example")
        if name in _NOT_NAMES:
            raise ModelError(f"name {name!r} has a meaning of its own in formulas; rename it")
        if names.count(name) > 1:
            raise ModelError(f"name {name!r} is declared twice; rename one of them")
        if name == TIME.name:
            raise ModelError("name 't' is reserved for the time; rename it")
    local_fields = {c.local_field.name for c in model.couplings}
    for name in names:
        if name.startswith("Delta_") and f"eta_{name.removeprefix('Delta_')}" in local_fields:
            raise ModelError(f"name {name!r} is that of an order parameter; rename it")
    for symbol in (
        *(f.symbol for f in model.fields),
        *(c.local_field for c in model.couplings),
        *(i.symbol for i in model.inputs),
    ):
        if symbol.is_real is not True:
            raise ModelError(
                f"symbol {symbol} must be real; make it with gatetheory.fields, local_field or "
                "sympy.Symbol(name, real=True)"
            )
    for c in model.couplings:
        if not c.name or not c.local_field.name.startswith("eta_"):
            raise ModelError(
                f"local field {c.local_field} must be named eta_<coupling>; "
                "make it with gatetheory.local_field"
            )


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
    parameters = set(model.symbols.values())
    for i in model.inputs:
        if not isinstance(i, WhiteNoise):
            continue
        for f in model.fields:
            slope = f.law.diff(i.symbol)
            if slope == 0:
                continue
            if slope.free_symbols - parameters:
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
    refuse_loop(next_reads, "updated values read each other in a loop")

    driven_by = {c.local_field: c.signal.free_symbols for c in model.couplings}
    algebraic = {f.symbol for f in model.fields if f.is_algebraic}
    reads = {}
    for f in model.fields:
        if f.is_algebraic:
            # A drift that vanishes determines its own field; a value may not contain its own.
            direct = f.law.free_symbols - ({f.symbol} if f.value is None else set())
            for eta in f.law.free_symbols & set(driven_by):
                direct = direct | driven_by[eta]
            reads[f.symbol] = direct & algebraic
    refuse_loop(reads, "algebraic fields read each other in a loop")

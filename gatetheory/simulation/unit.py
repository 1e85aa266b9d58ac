"""The laws of one unit at given parameter values, and the order in which to evaluate them.

Which fields have dynamics depends on the values: a time constant bound to 0 makes a field
algebraic. Algebraic fields and signals feed each other (in ``gru`` the gate r = η_r must be known
before the signal σ_r(r) h), so a unit is evaluated in stages: signals, matrix products, fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sympy import Expr, Symbol

from gatetheory.errors import ParameterError
from gatetheory.model import Model
from gatetheory.simulation.lowering import Kernel, compile_kernel, define
from gatetheory.simulation.unit_solver import Group, make_groups


@dataclass(frozen=True)
class Stage:
    """Signals that can be computed now, then the algebraic fields that follow from them.

    Args:
        signals: Indices of signals, whose couplings' local fields are then known.
        kernel: Computes these signals.
        groups: Algebraic fields to solve for, one group after the other.
    """

    signals: tuple[int, ...]
    kernel: Kernel
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Unit:
    """One unit of a model, compiled.

    Args:
        model: The model.
        dynamic: Indices of the fields with dynamics, in the order of the model.
        algebraic: Indices of the others.
        laws: One expression per field, nonlinearities abstract. Dynamic fields: dx/dt (the time
            constant divided out) or x(t+1); algebraic fields: a residual that vanishes.
        signals: The distinct presynaptic signals ψ.
        readers: For each signal, the indices of the couplings that read it.
        arguments: Arguments of every kernel: fields, local fields, inputs, parameters.
        stages: Order of evaluation.
        law: Kernel of the laws of the dynamic fields.
    """

    model: Model
    dynamic: tuple[int, ...]
    algebraic: tuple[int, ...]
    laws: tuple[Expr, ...]
    signals: tuple[Expr, ...]
    readers: tuple[tuple[int, ...], ...]
    arguments: tuple[Symbol, ...]
    stages: tuple[Stage, ...]
    law: Kernel


def make_unit(model: Model, values: Mapping[Symbol, Expr]) -> Unit:
    """The unit of a model at parameter values.

    Args:
        model: The model.
        values: Exact value of every parameter (:meth:`gatetheory.model.Model.bind`).

    Raises:
        ParameterError: If the values leave fields without dynamics that cannot be computed one
            after the other.
    """
    algebraic = frozenset(
        f.name
        for f in model.fields
        if f.is_algebraic or f.time_constant.xreplace(dict(values)).is_zero
    )
    return _compile(model, algebraic)


def arguments_of(model: Model) -> tuple[Symbol, ...]:
    """Fields, local fields, inputs and parameters, in the order of every kernel's arguments."""
    return (
        *(f.symbol for f in model.fields),
        *(c.local_field for c in model.couplings),
        *(i.symbol for i in model.inputs),
        *model.symbols.values(),
    )


@lru_cache(maxsize=64)
def _compile(model: Model, algebraic: frozenset[str]) -> Unit:
    resolved = model.resolved_laws
    laws = []
    for f in model.fields:
        law = resolved[f.symbol]
        if f.name in algebraic:
            law = law if f.drift is not None else law - f.symbol
        elif f.drift is not None:
            law = law / f.time_constant
        laws.append(law)
    read = [c.signal for c in model.couplings]
    signals = tuple(dict.fromkeys(read))
    readers = tuple(tuple(a for a, psi in enumerate(read) if psi == signal) for signal in signals)
    arguments = arguments_of(model)
    dynamic = tuple(i for i, f in enumerate(model.fields) if f.name not in algebraic)
    return Unit(
        model=model,
        dynamic=dynamic,
        algebraic=tuple(i for i in range(len(laws)) if i not in dynamic),
        laws=tuple(laws),
        signals=signals,
        readers=readers,
        arguments=arguments,
        stages=_stages(model, laws, signals, readers, dynamic),
        law=compile_kernel(arguments, tuple(define(laws[i], model.definitions) for i in dynamic)),
    )


def _stages(
    model: Model,
    laws: list[Expr],
    signals: tuple[Expr, ...],
    readers: tuple[tuple[int, ...], ...],
    dynamic: tuple[int, ...],
) -> tuple[Stage, ...]:
    arguments = arguments_of(model)
    symbols = [f.symbol for f in model.fields]
    defined = [define(signal, model.definitions) for signal in signals]
    residuals = {
        i: define(law, model.definitions) for i, law in enumerate(laws) if i not in dynamic
    }
    waiting = list(make_groups(residuals, symbols, arguments))
    unknown: set[Symbol] = {symbols[i] for i in residuals}
    unknown |= {c.local_field for c in model.couplings}
    pending = list(range(len(signals)))
    stages = []
    while pending or waiting:
        ready = [s for s in pending if not signals[s].free_symbols & unknown]
        pending = [s for s in pending if s not in ready]
        unknown -= {model.couplings[a].local_field for s in ready for a in readers[s]}
        solved: list[Group] = []
        for group in list(waiting):  # groups come sorted: one pass finds all that are ready
            own = {symbols[i] for i in group.fields}
            if not (group.reads - own) & unknown:
                solved.append(group)
                waiting.remove(group)
                unknown -= own
        if not ready and not solved:
            names = ", ".join(sorted(symbols[i].name for g in waiting for i in g.fields))
            raise ParameterError(
                f"model {model.name}: at these values the fields {names} have no dynamics and need "
                "each other through the network; give one of them a positive time constant"
            )
        kernel = compile_kernel(arguments, tuple(defined[s] for s in ready))
        stages.append(Stage(tuple(ready), kernel, tuple(solved)))
    return tuple(stages)

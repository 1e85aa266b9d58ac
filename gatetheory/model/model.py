"""The model: what a user writes, and the only thing theory and simulation start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal

from sympy import Eq, Expr, Function, Lambda, Symbol, latex

from gatetheory.errors import ModelError, ParameterError
from gatetheory.functions import Next, instantiate
from gatetheory.model.checks import check_model, check_values
from gatetheory.model.parameters import Parameter
from gatetheory.model.parts import TIME, Coupling, Field, Input, Nonlinearity
from gatetheory.references import Reference


@dataclass(frozen=True)
class Model:
    """A random network of N statistically identical units.

    Every unit carries the same fields; units talk through couplings with independent Gaussian
    matrices of variance s²/N. The class is checked on creation; see :mod:`gatetheory.model.checks`.

    Args:
        name: Short name.
        time: ``"continuous"`` or ``"discrete"``.
        fields: The fields of a unit with their laws, in the order of the Jacobian's blocks.
        couplings: Random matrices with their presynaptic signals.
        parameters: Every parameter the expressions use.
        nonlinearities: Definitions of the abstract nonlinearities the expressions use.
        inputs: External inputs the expressions use.
        references: Where the model comes from.
        title: One line for people.

    Raises:
        ModelError: If anything is undeclared, unused where it must be used, or inexact.
    """

    name: str
    time: Literal["continuous", "discrete"]
    fields: tuple[Field, ...]
    couplings: tuple[Coupling, ...]
    parameters: tuple[Parameter, ...] = ()
    nonlinearities: tuple[Nonlinearity, ...] = ()
    inputs: tuple[Input, ...] = ()
    references: tuple[Reference, ...] = ()
    title: str = ""

    def __post_init__(self) -> None:
        """Freeze the sequences and check everything."""
        for name, kind in _PARTS.items():
            parts = getattr(self, name)
            if not isinstance(parts, list | tuple) or not all(isinstance(p, kind) for p in parts):
                raise ModelError(
                    f"model {self.name}: {name} must be a tuple of {_kind_name(kind)}, "
                    f"got {parts!r}"
                )
            object.__setattr__(self, name, tuple(parts))
        check_model(self)

    # ---- what stages read ------------------------------------------------------------------

    @property
    def definitions(self) -> dict[str, Lambda]:
        """Definition of every nonlinearity, by name."""
        return {n.name: n.definition for n in self.nonlinearities}

    @property
    def symbols(self) -> dict[str, Symbol]:
        """Symbol of every parameter, by name."""
        return {p.name: p.symbol for p in self.parameters}

    @property
    def resolved_laws(self) -> dict[Symbol, Expr]:
        """Law of every field, in which updated values (``next``) have been put in."""
        laws = {f.symbol: f.law for f in self.fields}
        for _ in self.fields:
            laws = {x: law.xreplace({Next(y): laws[y] for y in laws}) for x, law in laws.items()}
        return laws

    def bind(self, values: Mapping[str, Any] | None = None) -> dict[Symbol, Expr]:
        """Exact value of every parameter: the given ones checked, the rest by default.

        Raises:
            ParameterError: For an unknown name (the nearest valid ones are named), a value
                outside its domain, or a vanishing time constant that leaves a field undetermined.
        """
        if not isinstance(values, Mapping | None):
            raise ParameterError(f"values must be a mapping from names to numbers, got {values!r}")
        given = {str(name): value for name, value in (values or {}).items()}
        known = {p.name: p for p in self.parameters}
        for name in given:
            if name not in known:
                raise ParameterError(
                    f"model {self.name} has no parameter {name!r}; {_nearest(name, known)}"
                )
        bound = {
            p.symbol: p.check(given[p.name]) if p.name in given else p.default
            for p in self.parameters
        }
        check_values(self, bound)
        return bound

    # ---- variations ------------------------------------------------------------------------

    def with_definitions(self, **definitions: Lambda) -> Model:
        """The same model with other definitions of its nonlinearities.

        New parameters are added with :meth:`with_parameters` first.
        """
        for name in definitions:
            if name not in self.definitions:
                raise ModelError(
                    f"model {self.name} has no nonlinearity {name!r}; "
                    f"{_nearest(name, self.definitions)}"
                )
        return replace(
            self,
            nonlinearities=tuple(
                replace(n, definition=definitions.get(n.name, n.definition))
                for n in self.nonlinearities
            ),
        )

    def with_parameters(self, *parameters: Parameter) -> Model:
        """The same model with further parameters, or others of the same name."""
        new = {p.name: p for p in (*self.parameters, *parameters)}
        return replace(self, parameters=tuple(new.values()))

    def with_input(self, field_name: str, source: Input, *parameters: Parameter) -> Model:
        """The same model with an input added to the law of one field.

        Raises:
            ModelError: If there is no such field.
        """
        names = [f.name for f in self.fields]
        if field_name not in names:
            raise ModelError(
                f"model {self.name} has no field {field_name!r}; {_nearest(str(field_name), names)}"
            )
        if not isinstance(source, Input):
            raise ModelError(f"an input must be a {_kind_name(Input)}, got {source!r}")

        def driven(f: Field) -> Field:
            if f.name != field_name:
                return f
            law = f.law + source.symbol
            if f.drift is not None:
                return replace(f, drift=law)
            return replace(f, update=law) if f.update is not None else replace(f, value=law)

        new = {p.name: p for p in (*self.parameters, *parameters)}
        return replace(
            self,
            fields=tuple(driven(f) for f in self.fields),
            inputs=(*self.inputs, source),
            parameters=tuple(new.values()),
        )

    # ---- what people read ------------------------------------------------------------------

    def laws(self, *, defined: bool = False) -> tuple[Eq, ...]:
        """The equations of motion of one unit, and the definitions of its local fields.

        Args:
            defined: Put in the definitions of the nonlinearities.
        """
        equations = []
        for f in self.fields:
            law = instantiate(f.law, self.definitions) if defined else f.law
            if f.value is not None:
                left: Expr = f.symbol
            elif f.update is not None:
                left = Next(f.symbol)
            else:
                left = f.time_constant * Function(f.name)(TIME).diff(TIME)
            equations.append(Eq(left, law, evaluate=False))
        return tuple(equations)

    def _repr_latex_(self) -> str:
        rows = [rf"{latex(e.lhs)} &= {latex(e.rhs)}" for e in self.laws()]
        rows += [
            rf"{latex(c.local_field)} &= \sum_j J^{{{c.name}}}_{{ij}}\,{latex(c.signal)}, \quad "
            rf"J^{{{c.name}}}_{{ij}} \sim \mathcal N\left(0, {latex(c.variance)}/N\right)"
            for c in self.couplings
        ]
        rows += [
            rf"{latex(n(x))} &= {latex(n.definition(x))}"
            for n in self.nonlinearities
            for x in [Symbol("x", real=True)]
        ]
        return "$$\\begin{aligned}" + r"\\ ".join(rows) + "\\end{aligned}$$"


_PARTS: dict[str, Any] = {
    "fields": Field,
    "couplings": Coupling,
    "parameters": Parameter,
    "nonlinearities": Nonlinearity,
    "inputs": Input,
    "references": Reference,
}


def _kind_name(kind: Any) -> str:
    return " or ".join(k.__name__ for k in getattr(kind, "__args__", (kind,)))


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = get_close_matches(name, known, n=2, cutoff=0.4)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"it has {', '.join(known)}" if known else "it has none"

"""Which fields of the single-site process are Gaussian, conditionally Gaussian, or neither.

A set of fields that depend on each other is

* **Gaussian** when its law is affine in itself, in other Gaussian fields, in local fields and in
  Gaussian inputs, with constant coefficients: ẋ = −Mx + Bη + b;
* **conditionally Gaussian** when the same holds once the paths of other fields are given, and those
  paths share no random source with what drives the set;
* **non-Gaussian** otherwise: its statistics are known only through sampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sympy import Expr, Symbol

from gatetheory.model import Model
from gatetheory.theory.dependence import (
    ancestors,
    random_roots,
    random_sources,
    strongly_connected,
)

Kind = Literal["Gaussian", "conditionally Gaussian", "non-Gaussian"]


@dataclass(frozen=True)
class FieldClass:
    """The class of a field.

    Args:
        field: The field.
        kind: Its class.
        given: The fields on whose paths a conditionally Gaussian field is conditioned.
        reason: Why, in words.
    """

    field: Symbol
    kind: Kind
    given: tuple[Symbol, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        given = f" given {', '.join(map(str, self.given))}" if self.given else ""
        return f"{self.field} is {self.kind}{given}: {self.reason}"


def classify(model: Model) -> dict[Symbol, FieldClass]:
    """Class of every field of a model."""
    laws = model.resolved_laws
    sources = random_sources(model)
    roots = random_roots(model)
    above = ancestors(model)
    classes: dict[Symbol, FieldClass] = {}
    for members in strongly_connected(model):
        inside = set(members)
        outside = set().union(*(above[x] for x in members)) - inside
        gaussian = {x for x in outside if classes[x].kind == "Gaussian"}
        plain = all(_is_affine(laws[x], inside | gaussian | sources, outside) for x in members)
        if plain and outside <= gaussian | _not_read(laws, members, outside):
            for x in members:
                classes[x] = FieldClass(x, "Gaussian", (), "linear law with constant coefficients")
            continue
        given = tuple(sorted((outside & _read(laws, members)), key=str))
        drivers = {s for x in members for s in laws[x].free_symbols & sources}
        shared = drivers & {s for y in given for s in roots[y]}
        conditional = given and drivers and not shared
        if conditional and all(_is_affine(laws[x], inside | drivers, set()) for x in members):
            names = ", ".join(map(str, given))
            for x in members:
                reason = f"linear law whose coefficients depend on the path of {names}"
                classes[x] = FieldClass(x, "conditionally Gaussian", given, reason)
            continue
        reason = _why_not(laws, members, inside, drivers, shared)
        for x in members:
            classes[x] = FieldClass(x, "non-Gaussian", (), reason)
    return classes


def _read(laws: dict[Symbol, Expr], members: tuple[Symbol, ...]) -> set[Symbol]:
    return set().union(*(laws[x].free_symbols for x in members))


def _not_read(
    laws: dict[Symbol, Expr], members: tuple[Symbol, ...], outside: set[Symbol]
) -> set[Symbol]:
    return outside - _read(laws, members)


def _is_affine(law: Expr, variables: set[Symbol], frozen_out: set[Symbol]) -> bool:
    """Whether a law is affine in the variables with coefficients free of them and of frozen_out."""
    banned = variables | frozen_out
    return all(not (law.diff(v).expand().free_symbols & banned) for v in variables)


def _why_not(
    laws: dict[Symbol, Expr],
    members: tuple[Symbol, ...],
    inside: set[Symbol],
    drivers: set[Symbol],
    shared: set[Symbol],
) -> str:
    for x in members:
        for v in sorted(inside | drivers, key=str):
            if laws[x].diff(v).expand().has(v):
                return f"the law of {x} is nonlinear in {v}"
    if shared:
        names = ", ".join(sorted(map(str, shared)))
        return f"{names} drives both the field and the fields its coefficients depend on"
    return "its law mixes random fields nonlinearly"

"""Records of transitions: where, of which kind, how many digits, and what is proved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sympy import Expr

from gatetheory.solvers.records import Provenance, Status, show

Kind = Literal["continuous", "fold"]


@dataclass(frozen=True)
class Enclosed:
    """A proof that a transition exists, and exists once, in a box.

    Args:
        low: Lower end of the parameter, a decimal string rounded downwards.
        high: Upper end, rounded upwards.
        proved: What is proved, in words.
        digits: Digits in which both ends agree.
    """

    low: str
    high: str
    proved: str
    digits: int


@dataclass(frozen=True)
class TransitionPoint:
    """One transition.

    Args:
        value: The parameter (or parameters, by name, for a point in two of them).
        kind: ``"continuous"`` or ``"fold"``.
        at: Order parameters there, by name.
        digits: Digits in which two evaluations agree, at most those asked for.
        residual: Largest condition left.
        frequency: Where a pair of complex modes crosses the border of stability: an angular
            frequency (an angle, in a map); None for a real mode.
        expression: Closed form of the value, where there is one.
        enclosure: The proof, if it was asked for.
    """

    value: Any
    kind: Kind
    at: Mapping[str, Any] = field(hash=False)
    digits: int
    residual: Any
    frequency: Any = None
    expression: Expr | Mapping[str, Expr] | None = field(default=None, hash=False)
    enclosure: Enclosed | None = None


@dataclass(frozen=True)
class Transition:
    """All transitions of a kind that were found along a parameter.

    Args:
        status: ``"ok"``, ``"no_solution"`` or ``"precision_lost"``.
        kind: ``"fold"``, ``"chaos"``, …
        along: Name of the parameter; several for a point in two of them.
        points: The transitions, ascending in the parameter.
        value: The transition to quote: the smallest one, or, for ``chaos``, the first one that is
            met coming from the quiescent side; [low, high] for ``marginal``.
        searched: What was searched, in words.
        provenance: Parameters, digits, assumptions, references.
    """

    status: Status
    kind: str
    along: tuple[str, ...]
    points: tuple[TransitionPoint, ...]
    value: Any
    searched: str
    provenance: Provenance

    def __getitem__(self, number: int) -> TransitionPoint:
        return self.points[number]

    def __iter__(self) -> Iterator[TransitionPoint]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def cite(self) -> str:
        """The references used."""
        return self.provenance.cite()

    def __str__(self) -> str:
        names = ", ".join(self.along)
        lines = [f"{self.kind} along {names}: {len(self)} found; searched {self.searched}"]
        for k, point in enumerate(self):
            lines.append(f"[{k}] {self._line(point)}")
            if point.expression is not None:
                lines.append(f"    closed form: {_written(point.expression)}")
            if point.enclosure is not None:
                lines.append(f"    in [{point.enclosure.low}, {point.enclosure.high}]")
                lines.append(f"    {point.enclosure.proved}")
        return "\n".join(lines)

    def _line(self, point: TransitionPoint) -> str:
        d = max(point.digits, 1)
        values = point.value if isinstance(point.value, Mapping) else {self.along[0]: point.value}
        text = ", ".join(f"{n} = {show(v, d)}" for n, v in values.items())
        text += f"  ({point.kind}, {point.digits} digits)"
        if point.frequency is not None:
            text += f"  frequency {show(point.frequency, min(d, 12))}"
        at = ", ".join(f"{n} = {show(v, min(d, 30))}" for n, v in point.at.items())
        return f"{text}  at {at}" if at else text


def _written(expression: Expr | Mapping[str, Expr]) -> str:
    if isinstance(expression, Mapping):
        return ", ".join(f"{n} = {e}" for n, e in expression.items())
    return str(expression)

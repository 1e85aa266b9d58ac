"""Theory beside simulation: one row a quantity, a verdict a row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sympy import Expr

Verdict = Literal["agrees", "differs", "not compared"]
LIMIT = 4.0  # |z| beyond which theory and simulation differ


@dataclass(frozen=True)
class Comparison:
    """One quantity, predicted and simulated.

    Args:
        quantity: Name, as in the theory's output.
        meaning: What it is and where it was taken, in words.
        theory: The prediction; None where there is none.
        simulation: Mean over independent networks (extrapolated to N → ∞ where the note says so).
        stderr: Its standard error.
        note: Sizes, number of networks, and anything to keep in mind.
        tolerance: Where a share is bounded instead of estimated: the largest difference allowed.
        theory_error: Standard error of the prediction, where it was sampled.
    """

    quantity: str
    meaning: str
    theory: float | None
    simulation: float | None
    stderr: float | None
    note: str = ""
    tolerance: float | None = None
    theory_error: float = 0.0

    @property
    def z(self) -> float | None:
        """(simulation − theory) / standard error, that of a sampled theory included."""
        if self.theory is None or self.simulation is None or not self.stderr:
            return None
        return (self.simulation - self.theory) / math.hypot(self.stderr, self.theory_error)

    @property
    def verdict(self) -> Verdict:
        """Whether they agree within four standard errors, or within the tolerance."""
        if self.tolerance is not None and self.theory is not None and self.simulation is not None:
            near = abs(self.simulation - self.theory) <= self.tolerance
            return "agrees" if near else "differs"
        if self.z is None:
            return "not compared"
        return "agrees" if abs(self.z) <= LIMIT else "differs"


@dataclass(frozen=True)
class Validation:
    """Every comparison made for a model at given parameters.

    Args:
        model: Its name.
        parameters: Exact values, by name.
        units: Sizes N of the networks whose Jacobians were taken.
        seeds: Networks of each size.
        rows: The comparisons.
        remarks: What was not compared, and why.
    """

    model: str
    parameters: Mapping[str, Expr] = field(hash=False)
    units: tuple[int, ...]
    seeds: int
    rows: tuple[Comparison, ...]
    remarks: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Comparison]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def passed(self) -> bool:
        """Whether at least one comparison was made and none differs."""
        verdicts = [r.verdict for r in self.rows]
        return "differs" not in verdicts and "agrees" in verdicts

    def __str__(self) -> str:
        header = ("quantity", "where", "theory", "simulation", "± s.e.", "z", "verdict")
        table = [header, *(_cells(r) for r in self.rows)]
        widths = [max(len(row[k]) for row in table) for k in range(len(header))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in table]
        lines.insert(1, "  ".join("-" * w for w in widths))
        notes: dict[str, list[str]] = {}
        for r in self.rows:
            if r.note:
                notes.setdefault(r.note, []).append(r.quantity)
        tail = [f"{', '.join(dict.fromkeys(names))}: {note}" for note, names in notes.items()]
        return "\n".join([*(line.rstrip() for line in lines), "", *tail, *self.remarks])


def _cells(row: Comparison) -> tuple[str, ...]:
    numbers = [
        "–" if v is None else format(v, f)
        for v, f in ((row.theory, ".6g"), (row.simulation, ".6g"), (row.stderr, ".2g"))
    ]
    if row.theory_error:
        numbers[0] += f" ± {row.theory_error:.2g}"
    return (
        row.quantity,
        row.meaning,
        *numbers,
        "–" if row.z is None else f"{row.z:+.2f}",
        row.verdict,
    )

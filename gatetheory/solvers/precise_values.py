"""Equal-time covariances and plateaus of a many-digit solution, those nobody iterates included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flint import arb

from gatetheory.solvers.precise_linear import Lagged, known_sources
from gatetheory.solvers.precise_problem import PreciseProblem


@dataclass(frozen=True)
class Values:
    """By name of covariance, observable or field's source; balls.

    Args:
        equal: At lag 0.
        plateau: At infinite lag.
    """

    equal: dict[str, arb]
    plateau: dict[str, arb]


def every_value(problem: PreciseProblem, vector: Sequence[arb]) -> Values:
    """All covariances, observables and sources at lag 0 and at infinite lag.

    Covariances that no source of the core reads follow from the core's in one pass, or, where
    sources outside the core feed one another, in as many passes as there are such sources.
    """
    program, system = problem.program.program, problem.system
    core, read = program.sources, program.read
    with problem.precision():
        table = dict(zip(read, problem.covariances(vector), strict=True))
        others = [k for k in range(len(system.covariances)) if k not in read]
        outside = [s for s in range(len(system.sources)) if s not in core]
        known = known_sources(core, *problem.split(vector))
        for k in others:
            table[k] = problem.linear.row(k).covariance(known)
        for _ in outside if others else ():
            sources = _observed(problem, table)[len(system.observables) :]
            for s in outside:
                last = sources[s].plateau
                known[s] = last, [x - last for x in sources[s].nodes]
            for k in others:
                table[k] = problem.linear.row(k).covariance(known)
        rows = [*(table[k] for k in range(len(system.covariances))), *_observed(problem, table)]
        names = [c.name for c in system.covariances] + [*system.observables, *system.sources]
        shown = {k: r for k, r in zip(names, rows, strict=True) if not k.startswith("S_")}
        return Values(
            {k: r.equal for k, r in shown.items()}, {k: r.plateau for k, r in shown.items()}
        )


def _observed(problem: PreciseProblem, table: Mapping[int, Lagged]) -> list[Lagged]:
    """Observables and sources at given covariances."""
    rows = [table[k] for k in range(len(table))]
    equal = [row.equal if row.equal > 0 else arb(1) for row in rows]
    found = problem.program.outputs(
        *([*row.nodes, row.equal, row.plateau] for row in rows),
        *equal, arb(0), *problem.values, digits=problem.digits,
    )  # fmt: skip
    return [Lagged(list(row[:-2]), row[-2], row[-1]) for row in found.tolist()]

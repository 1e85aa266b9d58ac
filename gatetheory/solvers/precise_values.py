"""Equal-time covariances and plateaus of a many-digit solution, those nobody iterates included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb, arb_mat

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
    program = problem.program.program
    system, core, read = problem.system, program.sources, program.read
    n, others = problem.grid.size, [k for k in range(len(system.covariances)) if k not in read]
    with problem.precision():
        c = problem.covariances(vector)
        table = [[arb(0)] * (n + 2) for _ in system.covariances]  # nodes, lag 0, infinity
        for row, k in enumerate(read):
            table[k] = [*c.lagged[row], c.equal[row], c.plateau[row]]
        plateaus, decays = problem.split(vector)
        outside = {s: (arb(0), [arb(0)] * n) for s in range(len(system.sources)) if s not in core}
        known = {s: (plateaus[a], decays[a]) for a, s in enumerate(core)} | outside
        for _ in range(len(outside) if others else 0):
            found = _observed(problem, table)[len(system.observables) :]
            for s in outside:
                last = found[s][n + 1]
                known[s] = last, [x - last for x in found[s][:n]]
            for k in others:
                table[k] = problem.covariance(k, known)
        if others and not outside:
            for k in others:
                table[k] = problem.covariance(k, known)
        rows = [*table, *_observed(problem, table)]
        names = [c.name for c in system.covariances]
        names += [*system.observables, *system.sources]
        shown = {k: r for k, r in zip(names, rows, strict=True) if not k.startswith("S_")}
        return Values({k: r[n] for k, r in shown.items()}, {k: r[n + 1] for k, r in shown.items()})


def _observed(problem: PreciseProblem, table: Sequence[Sequence[arb]]) -> list[list[arb]]:
    """Observables and sources at given covariances; rows as the table's."""
    equal = [row[-2] if row[-2] > 0 else arb(1) for row in table]
    found: arb_mat = problem.program.outputs(
        *map(list, table), *equal, arb(0), *problem.values, digits=problem.digits
    )
    return [list(row) for row in found.tolist()]

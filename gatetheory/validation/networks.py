"""Order parameters and abscissa of the fixed points that networks reach by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import gatetheory.simulation as simulation
from gatetheory.comparison import Comparison
from gatetheory.pipeline import solve
from gatetheory.solvers.records import FixedPoints
from gatetheory.theory.derive import Theory
from gatetheory.validation.estimates import limit, listed, scatter_row
from gatetheory.validation.work import Work


def network_rows(
    theory: Theory,
    at: Mapping[str, Any] | None,
    points: FixedPoints,
    sizes: tuple[int, ...],
    seeds: int,
    work: Work,
) -> list[Comparison]:
    """The one stable fixed point, if it is not zero, beside where networks come to rest."""
    stable = [p for p in points if p.stable]
    if len(stable) != 1 or not any(float(v) for v in stable[0].values.values()):
        return []
    branch = points.points.index(stable[0])
    spectrum = solve(theory.spectrum, at, branch=branch)
    samples: dict[str, dict[int, list[float]]] = {}
    reached = 0
    for n in sizes:
        for seed in range(seeds):
            network = simulation.draw_network(theory.model, at, n, np.random.default_rng([n, seed]))
            start = simulation.random_state(network, np.random.default_rng([n, seed, 1]))
            found = simulation.find_fixed_point(network, start, relax=100.0)
            work.step()
            if found.status != "ok":
                continue
            reached += 1
            state = network.complete(found.state)
            signals = network.observable([c.signal for c in theory.model.couplings])(state)
            for c, signal in zip(theory.model.couplings, signals, strict=True):
                variance = float(c.variance.xreplace(dict(network.values)))
                value = variance * float(np.mean(signal**2))
                samples.setdefault(f"Delta_{c.name}", {}).setdefault(n, []).append(value)
            outermost = simulation.stability(network, found.state).value
            samples.setdefault(spectrum.quantity, {}).setdefault(n, []).append(outermost)
    note = f"{reached} of {len(sizes) * seeds} networks came to rest; N = {listed(sizes)}"
    rows = []
    for name, by_size in samples.items():
        if name == spectrum.quantity:
            rows.append(scatter_row(spectrum, by_size, "fixed points of networks", note))
            continue
        value, stderr = limit(by_size)
        theory_value = float(stable[0][name])
        rows.append(Comparison(name, "fixed points of networks", theory_value, value, stderr, note))
    return rows

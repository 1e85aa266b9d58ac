"""Simulate what tests/test_every_term.py compares with: python tests/recorded/make.py.

Writes simulations.json beside this file; takes about four minutes on one core. Nothing here knows
the theory: states follow the hand-written laws of cases.py, everything else is measured on finite
networks.

States are drawn by scrambled Sobol points: averages over units then fluctuate as little as those
over couplings, which leaves the couplings as the main source of scatter.
"""

from __future__ import annotations

import json
import math
import runpy
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy import stats

from gatetheory import simulation
from gatetheory.simulation.lowering import define

HERE = Path(__file__).parent
SIZES = {64: 48, 128: 32, 256: 20}  # units: networks
MOMENT_SIZES = {128: 40, 256: 32, 512: 20}
COVARIANCE_UNITS, COVARIANCE_NETWORKS = 1024, 40
CLOSURE_UNITS, CLOSURE_STEPS = 20_000, 40

Array = NDArray[np.float64]


def normals(names: list[str], units: int, seed: int) -> dict[str, Array]:
    """Standard normal variables, a scrambled Sobol sequence over the units."""
    points = stats.qmc.Sobol(len(names), rng=np.random.default_rng([units, seed])).random(units)
    points = np.clip(points, 1e-12, 1 - 1e-12)
    return dict(zip(names, stats.norm.ppf(points).T, strict=True))


def unit_state(
    network: simulation.Network, case: Any, standard: Mapping[str, Array]
) -> simulation.UnitState:
    """A state from standard normal variables, by the law of the case."""
    values = {
        name: case.means.get(name, 0.0) + math.sqrt(v) * standard[name]
        for name, v in case.variances.items()
    }
    parameters = {s: float(v) for s, v in network.values.items()}
    known = dict(values)
    for name, relation in case.relations.items():
        defined = define(sympy.sympify(relation), network.model.definitions).xreplace(
            {s: sympy.Float(v) for s, v in parameters.items()}
        )
        names = sorted(defined.free_symbols, key=str)
        logistic = {"logistic": lambda x: 1 / (1 + np.exp(-x))}
        function = sympy.lambdify(names, defined, [logistic, "numpy"])
        known[name] = function(*(values[s.name] for s in names)) * np.ones(network.units)
    nothing = np.full(network.units, np.nan)
    return simulation.UnitState(
        fields=np.array([known[f.name] for f in network.model.fields]),
        local_fields=np.array(
            [known.get(c.local_field.name, nothing) for c in network.model.couplings]
        ),
        inputs=network.inputs(),
    )


def jacobians(case: Any, model: Any) -> dict[str, Any]:
    """Response, boundary and moments: mean and standard error by number of units."""
    samples: dict[str, dict[int, list[float]]] = {}
    names = [c.name for c in model.couplings]
    moments = not any(f.is_algebraic for f in model.fields)
    for units, networks in (SIZES if case.spectral else MOMENT_SIZES).items():
        for seed in range(networks):
            network = simulation.draw_network(
                model, case.parameters, units, np.random.default_rng([units, seed, 1])
            )
            state = unit_state(network, case, normals(list(case.variances), units, seed))
            found = {}
            for k, spectral in enumerate(case.spectral):
                answer = simulation.response(network, state, spectral)
                for i, a in enumerate(names):
                    for j, b in enumerate(names):
                        found[f"response {a} {b} {k}"] = answer[i, j]
                determinant = np.linalg.det(np.eye(len(names)) + answer)
                found[f"boundary {k}"] = 1 - 1 / determinant
            if moments:
                matrix = simulation.jacobian(network, state)
                for k, m in enumerate(simulation.singular_moments(matrix, units), 1):
                    found[f"moment_{k}"] = m
                found["trace"] = simulation.mean_trace(matrix, units)
            for name, value in found.items():
                samples.setdefault(name, {}).setdefault(units, []).append(float(value))
    return {
        name: {str(n): summary(values) for n, values in by_size.items()}
        for name, by_size in samples.items()
    }


def covariances(case: Any, model: Any, correlation: float) -> dict[str, Any]:
    """Mean over units of η_a(t) η_a(t'), fields at both times Gaussian with a given correlation."""
    samples: dict[str, list[float]] = {}
    names = list(case.variances)
    for seed in range(COVARIANCE_NETWORKS):
        rng = np.random.default_rng([seed, 2])
        network = simulation.draw_network(model, case.parameters, COVARIANCE_UNITS, rng)
        both = normals([f"{n}{t}" for n in names for t in "12"], COVARIANCE_UNITS, seed)
        early = {n: both[f"{n}1"] for n in names}
        late = {
            n: correlation * both[f"{n}1"] + math.sqrt(1 - correlation**2) * both[f"{n}2"]
            for n in names
        }
        signals = network.observable([c.signal for c in model.couplings])
        psi = [signals(unit_state(network, case, s)) for s in (early, late)]
        for i, c in enumerate(model.couplings):
            eta = [network.matrices[c.name] @ p[i] for p in psi]
            samples.setdefault(f"C_{c.local_field.name}", []).append(
                float(np.mean(eta[0] * eta[1]))
            )
    return {n: {str(COVARIANCE_UNITS): summary(v)} for n, v in samples.items()}


def closure(model: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Order parameters of networks redrawn at every step."""
    found = simulation.annealed_closure(
        model, parameters, CLOSURE_UNITS, steps=CLOSURE_STEPS, burn_in=60, chains=8, exact_law=True
    )
    return {f"Delta_{n}": [v.mean, v.stderr] for n, v in found.deltas.items()}


def summary(values: list[float]) -> list[float]:
    """Mean and standard error, rounded to what they mean."""
    mean, stderr = float(np.mean(values)), float(np.std(values, ddof=1) / math.sqrt(len(values)))
    return [float(f"{mean:.9g}"), float(f"{stderr:.3g}")]


def main() -> None:
    """Simulate every case and write the file."""
    cases = runpy.run_path(str(HERE / "cases.py"))
    models = {name: make() for name, make in cases["MODELS"].items()}
    record: dict[str, Any] = {"jacobians": {}, "covariances": {}, "closure": {}}
    for name, model in models.items():
        start = time.perf_counter()
        record["closure"][name] = closure(model, cases["PARAMETERS"][name])
        print(f"closure of {name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    for case in cases["CASES"]:
        start = time.perf_counter()
        model = models[case.model]
        record["jacobians"][case.name] = jacobians(case, model)
        if case.spectral and {f.name for f in model.fields} <= set(case.variances):
            record["covariances"][case.name] = covariances(case, model, cases["CORRELATION"])
        print(f"{case.name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    text = json.dumps(record, indent=0)
    (HERE / "simulations.json").write_text(text + "\n")
    print(f"{len(text) / 1024:.0f} kB", file=sys.stderr)


if __name__ == "__main__":
    main()

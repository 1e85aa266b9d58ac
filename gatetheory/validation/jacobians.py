"""Moments, response and spectrum of Jacobians at states drawn independently of the couplings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Symbol

import gatetheory.simulation as simulation
from gatetheory.comparison import Comparison
from gatetheory.equations.shapes import SpectralCondition, StateLaw
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.pipeline import boundary, solve, spectral_problem
from gatetheory.solvers.records import FixedPoints, Spectrum
from gatetheory.solvers.transfer import State
from gatetheory.theory.derive import Theory
from gatetheory.validation.estimates import limit, listed, scatter_row
from gatetheory.validation.work import Work

CLEARANCE = 1.0  # eigenvalues farther than this × (extent of the support)/√N count as outside
MOST_OUTSIDE = 0.01
BESIDE = 1.0 + 0.5j  # where the response is taken, from the outermost point, in units of the extent
NOTHING = 1e-12  # responses below this are zero up to rounding, in theory and in simulation


def jacobian_rows(
    theory: Theory,
    at: Mapping[str, Any] | None,
    points: FixedPoints,
    sizes: tuple[int, ...],
    seeds: int,
    work: Work,
) -> list[Comparison]:
    """Jacobians at a state with the last fixed point's law, and at a synthetic state."""
    rows: list[Comparison] = []
    if points.points:
        values = {u: float(points[-1][u.name]) for u in theory.spectrum.law.unknowns}
        rows += _state_rows(theory, at, theory.spectrum, values, "fixed point", sizes, seeds, work)
    general = theory.synthetic_spectrum
    if set(general.law.unknowns) <= set(theory.spectrum.law.unknowns) and points.points:
        return rows  # the same law again
    drawn = {u: _generic_variance(u, points) for u in general.law.unknowns}
    rows += _state_rows(theory, at, general, drawn, "synthetic state", sizes, seeds, work)
    return rows


def _generic_variance(symbol: Symbol, points: FixedPoints) -> float:
    """A variance at which no term of the equations vanishes."""
    known = float(points[-1].values.get(symbol.name, 0)) if points.points else 0.0
    if symbol.name.startswith("Delta_d"):
        return 0.1
    return known or 0.25


def _state_rows(
    theory: Theory,
    at: Mapping[str, Any] | None,
    condition: SpectralCondition,
    values: Mapping[Symbol, float],
    place: str,
    sizes: tuple[int, ...],
    seeds: int,
    work: Work,
) -> list[Comparison]:
    at_fixed_point = condition.state is not None
    given = {u.name: v for u, v in values.items()}
    options: dict[str, Any] = {} if at_fixed_point else {"state": given}
    spectrum = boundary(condition, solve(condition, at, **options))
    predicted: dict[str, float] = {}
    try:
        moments = solve(
            theory.moments if at_fixed_point else theory.synthetic_moments, at, **options
        )
        predicted |= {f"moment_{k}": float(v) for k, v in enumerate(moments.values, 1)}
        predicted["trace"] = float(moments.trace)
    except DerivationError:
        pass
    beside = BESIDE * _scale(spectrum)
    spectral = float(spectrum.value) + beside
    parameters = theory.model.bind(at)
    predicted |= _predicted_response(condition, State(parameters, values), spectral)

    observed: dict[str, dict[int, list[float]]] = {}
    for n in sizes:
        for seed in range(seeds):
            stream = (n, seed, int(at_fixed_point))  # independent of the other state's networks
            sample = _observe(theory, at, condition.law, values, spectrum, spectral, n, stream)
            work.step()
            for name, value in sample.items():
                observed.setdefault(name, {}).setdefault(n, []).append(value)
    note = f"Jacobians at a {place} drawn independently of J; N = {listed(sizes)}"
    rows = []
    for name, value in predicted.items():
        if name in observed:
            mean, stderr = limit(observed[name])
            if max(abs(value), abs(mean)) < NOTHING:
                continue
            exact = 1e-9 * max(1.0, abs(value)) if stderr == 0 else None
            rows.append(
                Comparison(name, f"Jacobian at a {place}", value, mean, stderr, note, exact)
            )
    rows.append(scatter_row(spectrum, observed["outermost"], f"Jacobian at a {place}", note))
    outside = observed["outside"][sizes[-1]]
    clearance = CLEARANCE * _scale(spectrum) / np.sqrt(sizes[-1])
    rows.append(
        Comparison(
            "outside",
            f"share of eigenvalues more than {clearance:.3f} outside the boundary, {place}",
            0.0,
            float(np.mean(outside)),
            None,
            f"N = {sizes[-1]}; at most {MOST_OUTSIDE:.0%} may lie outside",
            tolerance=MOST_OUTSIDE,
        )
    )
    return rows


def _scale(spectrum: Spectrum) -> float:
    """Extent of the support, the unit in which λ is placed beside it."""
    curves = spectrum.boundary.curves if spectrum.boundary else ()
    return max((float(np.ptp(c.imag)) / 2 for c in curves), default=1.0)


def _predicted_response(
    condition: SpectralCondition, state: State, spectral: complex
) -> dict[str, float]:
    """K (1 − K)⁻¹ at λ, the sum of the ladder, by pair of couplings."""
    transfer = spectral_problem(condition).transfer
    origin = 1.0 if condition.discrete else 0.0
    matrix = transfer.matrix(spectral.real - origin, spectral.imag, state)
    ladder = matrix @ np.linalg.inv(np.eye(len(matrix)) - matrix)
    names = condition.couplings
    return {
        f"response_{a}{b}": float(ladder[i, j])
        for i, a in enumerate(names)
        for j, b in enumerate(names)
    }


def _observe(
    theory: Theory,
    at: Mapping[str, Any] | None,
    law: StateLaw,
    values: Mapping[Symbol, float],
    spectrum: Spectrum,
    spectral: complex,
    units: int,
    seed: Sequence[int],
) -> dict[str, float]:
    """What one network's Jacobian shows at a state drawn from the law."""
    rng = np.random.default_rng([*seed, 0])
    network = simulation.draw_network(theory.model, at, units, rng)
    state = draw_state(network, law, values, [*seed, 1])
    matrix = simulation.jacobian(network, state)
    eigenvalues = simulation.eigenvalues(matrix)
    answer = simulation.response(network, state, spectral)
    names = [c.name for c in theory.model.couplings]
    found = {
        f"response_{a}{b}": float(answer[i, j])
        for i, a in enumerate(names)
        for j, b in enumerate(names)
    }
    moments = simulation.singular_moments(matrix, units)
    found |= {f"moment_{k}": float(m) for k, m in enumerate(moments, 1)}
    found["trace"] = simulation.mean_trace(matrix, units)
    clearance = CLEARANCE * _scale(spectrum) / np.sqrt(units)
    discrete = theory.model.time == "discrete"
    found["outermost"] = float((np.abs(eigenvalues) if discrete else eigenvalues.real).max())
    found["outside"] = float(np.mean(is_outside(spectrum, eigenvalues, clearance)))
    return found


def draw_state(
    network: simulation.Network, law: StateLaw, values: Mapping[Symbol, float], seed: Sequence[int]
) -> simulation.UnitState:
    """A state of a network drawn from a law of the theory, independently of the couplings."""
    numbers = {**network.values, **{u: sympy.Float(v) for u, v in values.items()}}
    names = {v: Symbol(f"draw_{v.name}", real=True) for v in law.variables}
    variances = {
        names[v].name: float(law.covariance[i, i].xreplace(numbers))
        for i, v in enumerate(law.variables)
    }
    model = network.model
    wanted = [f.symbol for f in model.fields] + [c.local_field for c in model.couplings]
    relations = {}
    for symbol in wanted:
        expression = law.expressions[symbol].xreplace(names)
        known = {*names.values(), *model.symbols.values()}
        if expression.free_symbols <= known:
            relations[symbol.name] = expression
        elif symbol in {f.symbol for f in model.fields}:
            relations[symbol.name] = sympy.S.Zero  # not contained in the Jacobian
    return simulation.synthetic_state(
        network, variances, relations, np.random.default_rng(seed), stratified=True
    )


def is_outside(
    spectrum: Spectrum, eigenvalues: NDArray[np.complex128], clearance: float
) -> NDArray[np.bool_]:
    """Which eigenvalues lie outside the support by more than a distance, atoms apart."""
    if spectrum.boundary is None:
        raise ParameterError("the spectrum has no boundary; trace it first (trace=True)")
    far = ~spectrum.boundary.contains(eigenvalues)
    far &= spectrum.boundary.distance(eigenvalues) > clearance
    for atom in spectrum.atoms:
        far &= np.abs(eigenvalues - atom) > clearance
    for low, high in spectrum.segments:
        nearest = np.clip(eigenvalues.real, low, high)
        far &= np.abs(eigenvalues - nearest) > clearance
    return np.asarray(far)

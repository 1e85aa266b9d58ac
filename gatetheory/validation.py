"""Every quantity the theory predicts, beside simulated networks.

* Order parameters, by an iteration that draws the couplings afresh at every step: this tests the
  closure of the mean field alone, also where the fixed point is unstable.
* Order parameters and abscissa of the fixed points that networks reach, where one is stable.
* The Jacobian at states drawn independently of the couplings: its moments, the response from local
  field to local field, which is K(1 − K)⁻¹ outside the support, its outermost eigenvalue, and the
  share of eigenvalues outside the boundary.

Standard errors are over independent networks; means at several N are extrapolated in 1/N.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Symbol

from gatetheory import simulation
from gatetheory.comparison import Comparison, Validation
from gatetheory.equations.shapes import SpectralCondition, StateLaw
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.model import Model
from gatetheory.pipeline import (
    DOUBLE,
    boundary,
    derive,
    fixed_point_programs,
    solve,
    spectral_problem,
)
from gatetheory.solvers.records import FixedPoint, FixedPoints, Spectrum
from gatetheory.solvers.transfer import State
from gatetheory.theory.derive import Theory

SIZES = (100, 200, 400)
CLEARANCE = 1.0  # eigenvalues farther than this × (extent of the support)/√N count as outside
MOST_OUTSIDE = 0.01
CLOSURE_UNITS, CLOSURE_STEPS = 4000, 25
NOTHING = 1e-12  # responses below this are zero up to rounding, in theory and in simulation

Progress = Callable[[int, int], None]


def validate(
    model: Model,
    at: Mapping[str, Any] | None = None,
    *,
    units: Sequence[int] | int | None = None,
    seeds: int = 8,
    progress: Progress | None = None,
) -> Validation:
    """Compare theory with simulated networks.

    Args:
        model: The model.
        at: Parameters by name; the rest take their defaults.
        units: Sizes N. With several, means are extrapolated in 1/N; with one they are taken as
            they are, finite-size bias included.
        seeds: Independent networks of each size.
        progress: Called with (work done, work in all).

    Raises:
        ParameterError: For names, values or sizes that make no sense.
        DerivationError: If the model has no fixed point.
    """
    sizes = _sizes(units)
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 2:
        raise ParameterError(f"seeds must be a whole number of at least 2 networks, got {seeds}")
    theory = derive(model)
    points = solve(theory.fixed_points, at)
    work = _Work(progress, 2 + 3 * len(sizes) * seeds)
    rows: list[Comparison] = []
    if points.points:
        rows += _closure_rows(theory, at, points, work)
        rows += _network_rows(theory, at, points, sizes, seeds, work)
    rows += _jacobian_rows(theory, at, points, sizes, seeds, work)
    return Validation(model.name, points.provenance.parameters, sizes, seeds, tuple(rows))


def _sizes(units: Sequence[int] | int | None) -> tuple[int, ...]:
    if units is None:
        return SIZES
    sizes = (units,) if isinstance(units, int) else tuple(units)
    if not sizes or any(isinstance(n, bool) or not isinstance(n, int) or n < 2 for n in sizes):
        raise ParameterError(f"units must be whole numbers of at least 2, got {units}")
    return tuple(sorted(set(sizes)))


class _Work:
    """Counts what is done, for a progress bar."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def step(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total)


# ---- the closure ---------------------------------------------------------------------------------


def _closure_rows(
    theory: Theory, at: Mapping[str, Any] | None, points: FixedPoints, work: _Work
) -> list[Comparison]:
    point = points[-1]
    meaning = "iteration with couplings redrawn at every step"
    if _map_growth(theory, at, point) >= 1:
        note = "the iteration leaves this branch, so that it cannot be compared"
        return [Comparison(n, meaning, float(v), None, None, note) for n, v in point.values.items()]
    initial = {n.removeprefix("Delta_"): float(v) for n, v in point.values.items()}
    found = simulation.annealed_closure(
        theory.model, at, CLOSURE_UNITS, steps=CLOSURE_STEPS, initial=initial, exact_law=True
    )
    work.step()
    note = f"N = {found.units}, {found.chains} chains of {found.steps} steps"
    return [
        Comparison(
            f"Delta_{name}",
            meaning,
            float(point[f"Delta_{name}"]),
            value.mean,
            value.stderr,
            note,
        )
        for name, value in found.deltas.items()
    ]


def _map_growth(theory: Theory, at: Mapping[str, Any] | None, point: FixedPoint) -> float:
    """Spectral radius of ∂G/∂Δ at a solution of Δ = G(Δ)."""
    programs = fixed_point_programs(theory.fixed_points, DOUBLE)
    core = [float(point[u.name]) for u in programs.core]
    parameters = theory.model.bind(at)
    values = [float(parameters[p]) for p in programs.problem.parameters]
    c = len(core)
    both = np.asarray(programs.jacobian(*core, *values).values, float)
    slopes = both[c:].reshape(c, c)
    return float(np.abs(np.linalg.eigvals(slopes)).max()) if c else 0.0


# ---- fixed points of networks --------------------------------------------------------------------


def _network_rows(
    theory: Theory,
    at: Mapping[str, Any] | None,
    points: FixedPoints,
    sizes: tuple[int, ...],
    seeds: int,
    work: _Work,
) -> list[Comparison]:
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
    note = f"{reached} of {len(sizes) * seeds} networks came to rest; N = {_list(sizes)}"
    rows = []
    for name, by_size in samples.items():
        if name == spectrum.quantity:
            rows.append(_scatter_row(spectrum, by_size, "fixed points of networks", note))
            continue
        value, stderr = _limit(by_size)
        theory_value = float(stable[0][name])
        rows.append(
            Comparison(name, "fixed points of networks", theory_value, value, stderr, note)
        )
    return rows


# ---- Jacobians at drawn states -------------------------------------------------------------------


def _jacobian_rows(
    theory: Theory,
    at: Mapping[str, Any] | None,
    points: FixedPoints,
    sizes: tuple[int, ...],
    seeds: int,
    work: _Work,
) -> list[Comparison]:
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
    work: _Work,
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
    spectral = complex(float(spectrum.value) + 0.4 * _scale(spectrum), 0.3 * _scale(spectrum))
    parameters = theory.model.bind(at)
    predicted |= _predicted_response(condition, State(parameters, values), spectral)

    observed: dict[str, dict[int, list[float]]] = {}
    for n in sizes:
        for seed in range(seeds):
            sample = _observe(theory, at, condition.law, values, spectrum, spectral, n, seed)
            work.step()
            for name, value in sample.items():
                observed.setdefault(name, {}).setdefault(n, []).append(value)
    note = f"Jacobians at a {place} drawn independently of J; N = {_list(sizes)}"
    rows = []
    for name, value in predicted.items():
        if name in observed:
            mean, stderr = _limit(observed[name])
            if max(abs(value), abs(mean)) < NOTHING:
                continue
            exact = 1e-9 * max(1.0, abs(value)) if stderr == 0 else None
            rows.append(
                Comparison(name, f"Jacobian at a {place}", value, mean, stderr, note, exact)
            )
    rows.append(_scatter_row(spectrum, observed["outermost"], f"Jacobian at a {place}", note))
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
    seed: int,
) -> dict[str, float]:
    """What one network's Jacobian shows at a state drawn from the law."""
    rng = np.random.default_rng([units, seed])
    network = simulation.draw_network(theory.model, at, units, rng)
    state = draw_state(network, law, values, [units, seed, 2])
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
    return simulation.synthetic_state(network, variances, relations, np.random.default_rng(seed))


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


# ---- estimates -----------------------------------------------------------------------------------


def _limit(by_size: Mapping[int, list[float]]) -> tuple[float, float]:
    """Mean and standard error, extrapolated in 1/N where there are several sizes."""
    estimates = {n: simulation.estimate(s) for n, s in by_size.items() if len(s) > 1}
    if len(estimates) > 1 and all(e.stderr > 0 for e in estimates.values()):
        line = simulation.extrapolate(estimates)
        return line.value, line.stderr
    last = estimates[max(estimates)]
    return last.mean, last.stderr


def _scatter_row(
    spectrum: Spectrum, by_size: Mapping[int, list[float]], meaning: str, note: str
) -> Comparison:
    """The outermost eigenvalue of the largest networks, with its scatter between them.

    It is not self-averaging, and its bias falls as N^(-1/2) like its scatter. The mean is therefore
    extrapolated in N^(-1/2) and compared within the scatter, not within a standard error.
    """
    largest = max(by_size)
    sizes = [n for n, s in by_size.items() if len(s) > 1]
    means = [float(np.mean(by_size[n])) for n in sizes]
    scatter = float(np.std(by_size[largest], ddof=1))
    tail = "± is the scatter between networks"
    if spectrum.origin == "edge":
        tail += "; the support ends at an edge that finite networks approach from inside"
        return Comparison(
            spectrum.quantity, meaning, None, means[-1], scatter, f"{note}; N = {largest}, {tail}"
        )
    value = means[-1]
    if len(sizes) > 1:
        value = float(np.polyfit(np.array(sizes) ** -0.5, means, 1)[1])
        tail = f"extrapolated in 1/√N; {tail}"
    return Comparison(
        spectrum.quantity, meaning, float(spectrum.value), value, scatter, f"{note}; {tail}"
    )


def _list(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes))

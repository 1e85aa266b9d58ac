"""The spectrum's support at a state: outermost point, atoms, boundary; to any number of digits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
from sympy import Expr, S, Symbol

from gatetheory.codegen.program import Backend
from gatetheory.equations.shapes import SpectralCondition
from gatetheory.errors import ConvergenceError, PrecisionError
from gatetheory.functions import instantiate
from gatetheory.solvers.boundary import trace_boundary
from gatetheory.solvers.local_modes import LocalModes, local_modes
from gatetheory.solvers.records import Provenance, Spectrum, Status, by_name
from gatetheory.solvers.stability_border import Border, find_border
from gatetheory.solvers.transfer import State, TransferMatrix

NEWTON_STEPS = 40


class SpectralProblem:
    """A spectral condition compiled for doubles."""

    def __init__(self, condition: SpectralCondition, backend: Backend) -> None:
        self.condition = condition
        self.backend = backend
        self.transfer = TransferMatrix(condition, backend)

    def border(self, state: State) -> tuple[Border, LocalModes]:
        """Outermost point and local modes at a state."""
        modes = local_modes(self.condition, self.backend, state)
        return find_border(self.transfer, state, modes), modes


def solve_spectrum(
    problem: SpectralProblem,
    parameters: Mapping[Symbol, Expr],
    order_parameters: Mapping[Symbol, Any],
    exact: TransferMatrix | None,
    digits: int,
    *,
    trace: bool,
) -> Spectrum:
    """Support of the spectrum at a state.

    Args:
        problem: Compiled for doubles.
        parameters: Exact values.
        order_parameters: Values of the law's unknowns, to ``digits`` digits.
        exact: K compiled for ``digits`` digits; None for doubles.
        digits: Digits asked for.
        trace: Whether to trace the boundary curves as well.

    Raises:
        ConvergenceError: If the outermost point could not be bracketed.
    """
    condition = problem.condition
    rounded = {s: float(v) for s, v in order_parameters.items()}
    state = State(parameters, rounded)
    border, modes = problem.border(state)
    value: Any = border.value
    error: Any = border.error
    status: Status = "ok"
    if exact is not None:
        try:
            value, error = _refined(
                problem, exact, border, modes, State(parameters, order_parameters), digits
            )
            error += abs(value) * type(value)(10) ** (-digits - 5)  # of the state itself
        except PrecisionError:
            status, value = "precision_lost", None
    residual = 0.0
    if border.origin == "boundary":
        radius, _ = problem.transfer.spectral_radius(border.offset.real, border.offset.imag, state)
        residual = abs(float(radius) - 1.0)
    return Spectrum(
        status=status,
        quantity="radius" if condition.discrete else "abscissa",
        value=value,
        error=error,
        origin=border.origin,
        stable=border.stable,
        atoms=tuple(complex(a) for a in np.unique(modes.atoms)),
        segments=modes.segments,
        state=by_name(order_parameters),
        residual=residual,
        boundary=trace_boundary(problem.transfer, state, modes) if trace else None,
        provenance=Provenance(
            by_name(parameters),
            digits,
            condition.equations.assumptions,
            condition.equations.references,
        ),
    )


def with_boundary(solution: Spectrum, problem: SpectralProblem) -> Spectrum:
    """The same solution with its boundary curves traced."""
    symbols = {p.name: p for p in problem.condition.parameters}
    parameters = {symbols[n]: v for n, v in solution.provenance.parameters.items()}
    unknowns = {u.name: u for u in problem.condition.law.unknowns}
    state = State(parameters, {unknowns[n]: float(v) for n, v in solution.state.items()})
    modes = local_modes(problem.condition, problem.backend, state)
    return replace(solution, boundary=trace_boundary(problem.transfer, state, modes))


def _refined(
    problem: SpectralProblem,
    exact: TransferMatrix,
    border: Border,
    modes: LocalModes,
    state: State,
    digits: int,
) -> tuple[Any, Any]:
    """The outermost point to ``digits`` digits, and its error.

    Raises:
        PrecisionError: If the number is known in doubles only.
    """
    context = mpmath.mp.clone()
    context.dps = digits + 10
    if border.origin == "atom":
        return _exact_atom(problem.condition, exact.backend, border, modes, state, context)
    if border.origin == "edge":
        if border.value == round(border.value):
            return context.mpf(round(border.value)), context.mpf(0)
        raise PrecisionError("the end of a range of local modes is known in doubles only")
    x = context.mpf(border.offset.real)
    y = context.mpf(border.offset.imag)
    origin = 1 if problem.condition.discrete else 0

    def both(x: Any, y: Any) -> tuple[Any, Any]:
        """det(1 − K), and its derivative along the line (circle) of equal abscissa (radius)."""
        (f, f_x, f_y), _ = exact.border(x, y, state)
        along = (x + origin) * f_y - y * f_x if origin else f_y
        return f, along

    if y == 0:
        for _ in range(NEWTON_STEPS):
            (f, slope, _), noise = exact.border(x, y, state)
            step = f / slope
            x -= step
            # At the border itself x vanishes: no step is then smaller than the noise.
            floor = 2 * abs(noise / slope)
            if abs(step) < max(context.mpf(10) ** (-digits - 2) * abs(x), floor):
                break
        else:
            raise ConvergenceError(f"Newton's method did not reach {digits} digits on the boundary")
        error = abs(step) + abs(noise / slope)
        return abs(x + origin) if origin else x, error
    root = context.findroot(both, (x, y), tol=context.mpf(10) ** (-2 * digits))
    x, y = root[0], root[1]
    error = context.mpf(10) ** (-digits)
    return (context.hypot(x + 1, y) if origin else x), error


def _exact_atom(
    condition: SpectralCondition,
    backend: Backend,
    border: Border,
    modes: LocalModes,
    state: State,
    context: Any,
) -> tuple[Any, Any]:
    """The atom at the border, from the local pencil in the exact arithmetic."""
    chosen = [i for i, active in enumerate(modes.active) if not active]
    law = condition.law
    centre = dict.fromkeys(law.variables, S.Zero)
    drift = instantiate(condition.drift_matrix, condition.definitions).xreplace(centre)
    entries = [drift[i, j] for i in chosen for j in chosen]
    arguments = (*law.unknowns, *condition.parameters)
    program = backend.compile([*entries, *(condition.mass[i] for i in chosen)], arguments)
    numbers = program(*(state[s] for s in arguments)).values
    n = len(chosen)
    mass = numbers[n * n :]
    pencil = context.matrix(n, n)
    for i in range(n):
        for j in range(n):
            pencil[i, j] = numbers[n * i + j]
    matrix = _without_algebraic(pencil, mass, context)
    single = matrix.rows == 1
    eigenvalues = [matrix[0, 0]] if single else context.eig(matrix, left=False, right=False)
    target = border.offset + (1 if condition.discrete else 0)
    best = min(eigenvalues, key=lambda e: abs(complex(e) - target))
    value = abs(best) if condition.discrete else context.re(best)
    if abs(float(value) - border.value) > 1e-9 * max(1.0, abs(border.value)):
        raise PrecisionError("the atom depends on the unit; it is known in doubles only")
    return value, context.eps * abs(value)


def _without_algebraic(pencil: Any, mass: Any, context: Any) -> Any:
    """The drift matrix of the fields with dynamics, time constants divided out."""
    dynamic = [i for i, m in enumerate(mass) if m != 0]
    algebraic = [i for i, m in enumerate(mass) if m == 0]

    def block(rows: list[int], columns: list[int]) -> Any:
        return context.matrix([[pencil[i, j] for j in columns] for i in rows])

    reduced = block(dynamic, dynamic)
    if algebraic:
        inner = block(algebraic, algebraic) ** -1
        reduced -= block(dynamic, algebraic) * inner * block(algebraic, dynamic)
    for i, field in enumerate(dynamic):
        for j in range(len(dynamic)):
            reduced[i, j] /= mass[field]
    return reduced

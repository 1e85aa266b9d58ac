"""Solve equations of fixed points, and of the Jacobian at a state."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import sympy
from sympy import Expr, Symbol

from gatetheory.equations.shapes import (
    MatrixMoments,
    SelfConsistency,
    SpectralCondition,
    StateLaw,
)
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.model import exact
from gatetheory.pipeline.programs import (
    DOUBLE,
    backend,
    exact_transfer,
    fixed_point_programs,
    moment_programs,
    spectral_problem,
)
from gatetheory.pipeline.solving import Values, solve
from gatetheory.solvers.core_problem import Root
from gatetheory.solvers.fixed_points import solve_fixed_points
from gatetheory.solvers.moments import solve_moments
from gatetheory.solvers.records import FixedPoints, Moments, Spectrum
from gatetheory.solvers.spectrum import solve_spectrum, with_boundary
from gatetheory.solvers.transfer import State

GUARD = 10  # digits of the state beyond those asked of the spectrum


@solve.register
def _(problem: SelfConsistency, at: Values | None = None, *, digits: int = DOUBLE) -> FixedPoints:
    backend(digits)  # refuses a number of digits that makes no sense
    parameters = problem.bind(at)
    stable = _stability(problem, parameters)
    precise = fixed_point_programs(problem, digits) if digits > DOUBLE else None
    programs = fixed_point_programs(problem, DOUBLE)
    return solve_fixed_points(problem, parameters, programs, precise, stable, digits)


def _stability(
    problem: SelfConsistency, parameters: Mapping[Symbol, Expr]
) -> Callable[[Root], bool] | None:
    """Decides on the stability of a fixed point; None where the Jacobian does not exist."""
    if problem.linearization is None:
        return None
    try:
        spectral = spectral_problem(problem.linearization())
    except DerivationError:
        return None

    def stable(root: Root) -> bool:
        rounded = {u: float(v) for u, v in root.values.items()}  # type: ignore[arg-type]
        return spectral.border(State(parameters, rounded))[0].stable

    return stable


@solve.register
def _(
    problem: SpectralCondition,
    at: Values | None = None,
    *,
    digits: int = DOUBLE,
    branch: int = -1,
    state: Values | None = None,
    trace: bool = False,
) -> Spectrum:
    backend(digits)
    parameters = problem.bind(at)
    unknowns = state_values(problem.state, problem.law, at, digits, branch, state)
    precise = exact_transfer(problem, digits) if digits > DOUBLE else None
    programs = spectral_problem(problem)
    return solve_spectrum(programs, parameters, unknowns, precise, digits, trace=trace)


@solve.register
def _(
    problem: MatrixMoments,
    at: Values | None = None,
    *,
    digits: int = DOUBLE,
    branch: int = -1,
    state: Values | None = None,
) -> Moments:
    backend(digits)
    parameters = problem.bind(at)
    unknowns = state_values(problem.state, problem.law, at, digits, branch, state)
    return solve_moments(moment_programs(problem, digits), parameters, unknowns, digits)


def boundary(condition: SpectralCondition, solution: Spectrum) -> Spectrum:
    """A solved spectrum with its boundary curves traced."""
    return with_boundary(solution, spectral_problem(condition))


def quiet_abscissa(fixed_points: SelfConsistency | None, at: Values | None) -> float | None:
    """Spectral abscissa (ln radius of a map) of the stable fixed point, if there is one."""
    if fixed_points is None or fixed_points.linearization is None:
        return None
    for number, point in enumerate(solve(fixed_points, at)):
        if point.stable:
            spectrum = solve(fixed_points.linearization(), at, branch=number)
            value = float(spectrum.value)
            return value if spectrum.quantity == "abscissa" else math.log(value)
    return None


def state_values(
    equations: SelfConsistency | None,
    law: StateLaw,
    at: Values | None,
    digits: int,
    branch: int,
    state: Values | None,
) -> dict[Symbol, Any]:
    """Values of a law's unknowns: those of a fixed point, or those given."""
    if equations is None:
        return _given_state(law, state or {})
    if state is not None:
        raise ParameterError(
            "a state was given to equations at a fixed point; use theory.synthetic_spectrum or "
            "theory.synthetic_moments, or leave it out"
        )
    if isinstance(branch, bool) or not isinstance(branch, int):
        raise ParameterError(f"branch must be the whole number of a fixed point, got {branch!r}")
    more = digits + GUARD if digits > DOUBLE else DOUBLE
    parameters = equations.bind(at)
    precise = fixed_point_programs(equations, more) if digits > DOUBLE else None
    programs = fixed_point_programs(equations, DOUBLE)
    points = solve_fixed_points(equations, parameters, programs, precise, None, more)
    if not -len(points) <= branch < len(points):
        raise ParameterError(
            f"there is no fixed point number {branch}: {len(points)} found, counted from 0"
        )
    return {u: points[branch][u.name] for u in law.unknowns}


def _given_state(law: StateLaw, state: Values) -> dict[Symbol, Expr]:
    known = {u.name: u for u in law.unknowns}
    for name in state:
        if name not in known:
            near = get_close_matches(name, known, n=2, cutoff=0.4) or list(known)
            raise ParameterError(f"the state has no variance {name!r}; it has {', '.join(near)}")
    values = {}
    for name, symbol in known.items():
        if name not in state and not name.startswith("Delta_d"):
            raise ParameterError(f"the state needs {name}; it is made of {', '.join(known)}")
        value = exact(state.get(name, 0))
        if value.is_negative:
            raise ParameterError(f"{name} = {value} is a variance and cannot be negative")
        values[symbol] = sympy.sympify(value)
    return values

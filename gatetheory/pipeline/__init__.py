"""The whole flow on one page: derive, compile, solve, simulate.

    Model ──derive──▶ Theory ──compile──▶ programs ──solve──▶ solution
      └──────────────────────simulate─────────────────────▶ observation

Validation compares the last two (:mod:`gatetheory.validation`), the report shows everything
(:mod:`gatetheory.presentation`).
"""

from __future__ import annotations

from gatetheory.equations.provenance import Equation
from gatetheory.pipeline import dynamics, gradients, states  # noqa: F401  each tells solve how
from gatetheory.pipeline.dynamics import warn_of_closure
from gatetheory.pipeline.programs import (
    DOUBLE,
    Arithmetic,
    Doubles,
    backend,
    exact_transfer,
    fixed_point_programs,
    lag_program,
    moment_programs,
    spectral_problem,
)
from gatetheory.pipeline.solving import Values, solve
from gatetheory.pipeline.states import GUARD, boundary, quiet_abscissa
from gatetheory.simulation import simulate
from gatetheory.theory.derive import Theory, derive

__all__ = [
    "DOUBLE",
    "GUARD",
    "Arithmetic",
    "Doubles",
    "Values",
    "backend",
    "boundary",
    "derive",
    "eq",
    "exact_transfer",
    "fixed_point_programs",
    "lag_program",
    "moment_programs",
    "quiet_abscissa",
    "simulate",
    "solve",
    "spectral_problem",
    "warn_of_closure",
]


def eq(theory: Theory, tag: str) -> Equation:
    """An equation by its stable tag, ``"fixed_points.Delta_h"`` or ``"spectrum.boundary"``.

    Raises:
        ParameterError: If there is no such result or equation; the nearest are named.
    """
    result, _, name = tag.partition(".")
    return theory.equations(result)[name]

"""Solve: one function, for whatever equations it is given."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any

from gatetheory.errors import ParameterError

Values = Mapping[str, Any]


@singledispatch
def solve(problem: Any, at: Values | None = None, **options: Any) -> Any:
    """Solve derived equations at given parameters.

    Args:
        problem: ``theory.fixed_points``, ``theory.spectrum``, ``theory.moments``, or one of their
            ``synthetic_`` versions; ``theory.correlations``, ``theory.lyapunov``,
            ``theory.two_time``, ``theory.gradients``.
        at: Parameters by name; the rest take their defaults. Decimals are exact (0.1 = 1/10).
        **options: ``digits`` (15 stands for doubles); for spectrum and moments ``branch``, the
            number of the fixed point (default the last), or, for the synthetic versions, ``state``,
            variances by name; for the spectrum ``trace=True`` to trace the boundary curves. For
            gradients ``horizon`` (T or several), ``loss`` (``"c*h"``), ``running``, ``by`` (names
            of parameters, or ``"all"``), ``closure``, ``branch`` of the chaotic states, or
            ``fixed_point``, the number of a fixed point, there with ``adjoint=True`` for
            ⟨λ(s) λ(s')⟩ too. For correlations and the Lyapunov exponent ``closure``
            (``"constant"``, ``"factorized"``, ``"sampled"``; by default ``constant`` where it is
            exact, else ``sampled``), with ``"sampled"`` also ``seed``, ``accuracy`` and what
            :func:`~gatetheory.solvers.sampled_correlations.solve_sampled_correlations` takes. For
            two times ``times``, (duration, step), ``initial_std`` and ``closure`` (``"constant"``,
            ``"sampled"``, the default as above), with ``"sampled"`` also ``seed``, ``paths`` and
            ``replicas``.

    Returns:
        A record of the result, such as :class:`~gatetheory.solvers.records.FixedPoints` or
        :class:`~gatetheory.solvers.correlation_records.Correlations`; what was sampled has a record
        of its own, with standard errors.

    Raises:
        ParameterError: For names and values that make no sense.
        ConvergenceError: If a solver stopped early; the message says what to try.
    """
    raise ParameterError(
        f"cannot solve {type(problem).__name__}; give derived equations such as "
        "derive(model).fixed_points"
    )

"""The record of gradients: second moments against the horizon, and how they grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.equations.gradient_problem import ExternalLoss, GradientProblem
from gatetheory.errors import ParameterError
from gatetheory.solvers.records import Provenance, Status, by_name, show

Array = NDArray[np.float64]

_LISTED = 41


@dataclass(frozen=True, eq=False)
class Gradients:
    """Second moments of a loss's gradients, for a state that is stationary at t = 0.

    Args:
        status: ``"ok"``, ``"no_chaotic_state"`` (and no stable fixed point) or ``"not_converged"``.
        horizons: T, in the model's own time (steps), shape (H,).
        couplings: Q_a(T) = N · mean_ij (∂L/∂J^a_ij)², by name of the coupling, shape (H,) each.
        coupling_errors: Their errors.
        parameters: E[(dL/dθ)²], by name of the parameter, shape (H,) each.
        parameter_errors: Their errors.
        left_out: Why parameters are not among them, by name.
        norm: Σ_f ⟨λ_f(0)²⟩ over fields with dynamics, λ = √N ∂L/∂x(0), shape (H,).
        norm_errors: Its errors.
        growth_exponent: Rate of |λ|² backward in time, per unit of time (per step); None where
            none could be found.
        growth_error: Its error.
        residual: What the equations are missed by, relative.
        sampled: Whether errors are standard errors (else estimates of the numerical error).
        state: ``"chaotic"`` or ``"fixed point"``.
        closure: ``"constant"``, ``"sampled"``, or ``"exact"`` at a fixed point.
        reason: Why this closure.
        loss: The loss.
        advice: What to try, or what to keep in mind.
        provenance: Parameters, assumptions, references.
        times: Times s at which the adjoint is listed, counted backward from the longest horizon,
            shape (n,); empty where it was not asked for.
        adjoint: ⟨λ_f(s) λ_f(s')⟩ by name of the field, shape (n, n) each.
        mode_lags: Lags at which the growing mode is listed, shape (m,).
        mode: χ_a of q_a = ⟨(L_aᵀμ)(L_aᵀμ)'⟩ ~ e^{κ(s+s')} χ_a(s − s') by coupling, the largest 1.
    """

    status: Status
    horizons: Array
    couplings: Mapping[str, Array]
    coupling_errors: Mapping[str, Array]
    parameters: Mapping[str, Array]
    parameter_errors: Mapping[str, Array]
    left_out: Mapping[str, str]
    norm: Array
    norm_errors: Array
    growth_exponent: float | None
    growth_error: float | None
    residual: float | None
    sampled: bool
    state: str
    closure: str
    reason: str
    loss: str
    advice: str
    provenance: Provenance = field()
    times: Array = field(default_factory=lambda: np.empty(0))
    adjoint: Mapping[str, Array] = field(default_factory=dict)
    mode_lags: Array = field(default_factory=lambda: np.empty(0))
    mode: Mapping[str, Array] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Array:
        """Second moment by a coupling, or by a parameter of another name."""
        for table in (self.couplings, self.parameters):
            if name in table:
                return table[name]
        if name in self.left_out:
            raise ParameterError(f"{name} was left out: {self.left_out[name]}")
        known = ", ".join([*self.couplings, *self.parameters])
        raise ParameterError(f"no gradient by {name!r}; there are {known}")

    def cite(self) -> str:
        """The references used."""
        return self.provenance.cite()

    def __str__(self) -> str:
        lines = [f"{self.state}, closure {self.closure} ({self.reason}); loss {self.loss}"]
        if self.status != "ok":
            lines.append(f"{self.status}: {self.advice}")
        for k, horizon in enumerate(self.horizons):
            values = [f"Q_{n} = {show(v[k], 8)}" for n, v in self.couplings.items()]
            values += [f"(dL/d{n})² = {show(v[k], 8)}" for n, v in self.parameters.items()]
            lines.append(f"T = {horizon:g}: " + ", ".join(values))
        lines += [f"{n} left out: {why}" for n, why in self.left_out.items()]
        if self.growth_exponent is not None:
            lines.append(f"|λ|² grows backward at rate {self.growth_exponent:.10g}")
        return "\n".join(lines)


def checked_horizons(horizon: Any, discrete: bool) -> tuple[float, ...]:
    """Horizons as increasing numbers.

    Raises:
        ParameterError: If one is not positive and finite, or no whole number in a map.
    """
    given = horizon if isinstance(horizon, list | tuple | np.ndarray) else [horizon]
    try:
        values = sorted({float(t) for t in given})
    except (TypeError, ValueError) as error:
        raise ParameterError(f"a horizon is a number, or several, got {horizon!r}") from error
    if not values or not all(isfinite(t) and t > 0 for t in values):
        raise ParameterError(f"a horizon must be positive and finite, got {horizon!r}")
    if discrete and any(t != round(t) for t in values):
        raise ParameterError(f"horizons of a map count steps; {horizon!r} is no whole number")
    return tuple(values)


def adjoint_times(horizon: float, discrete: bool) -> Array:
    """Times at which an adjoint is listed, from the horizon back to the start."""
    if discrete:
        return np.arange(horizon, dtype=float)
    return np.linspace(0.0, horizon, _LISTED)


def checked_names(problem: GradientProblem, by: str | Sequence[str] | None) -> list[str] | None:
    """Names of parameters whose gradients are wanted; None where that is left open.

    Raises:
        ParameterError: For an unknown name.
    """
    if by is None:
        return None
    if by == "all":
        return list(problem.slopes)
    names = [by] if isinstance(by, str) else list(by)
    for name in names:
        if name not in problem.slopes:
            near = get_close_matches(name, problem.slopes, n=2, cutoff=0.4) or problem.slopes
            raise ParameterError(f"there is no parameter {name!r}; there are {', '.join(near)}")
    return list(dict.fromkeys(names))


def no_gradients(
    problem: GradientProblem,
    parameters: Mapping[Symbol, Expr],
    loss: ExternalLoss,
    horizons: Sequence[float],
) -> Gradients:
    """The record where there is neither a chaotic state nor a stable fixed point."""
    return Gradients(
        status="no_chaotic_state",
        horizons=np.asarray(horizons, dtype=float),
        couplings={},
        coupling_errors={},
        parameters={},
        parameter_errors={},
        left_out={},
        norm=np.empty(0),
        norm_errors=np.empty(0),
        growth_exponent=None,
        growth_error=None,
        residual=None,
        sampled=False,
        state="none",
        closure="constant",
        reason="no state to start from",
        loss=loss.text,
        advice="no decaying chaotic state and no stable fixed point was found; name an unstable "
        "fixed point with fixed_point=K to have its gradients",
        provenance=Provenance(
            by_name(parameters), 15, problem.equations.assumptions, problem.equations.references
        ),
    )

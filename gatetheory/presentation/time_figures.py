"""Figures of what happens in time: correlation functions and Lyapunov exponents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gatetheory.errors import ParameterError
from gatetheory.presentation.drawing import (
    GREY,
    SIMULATION,
    SPECIAL,
    THEORY,
    axes_of,
    whole,
)
from gatetheory.simulation import CorrelationFunctions, Estimate
from gatetheory.solvers.correlation_records import Correlations
from gatetheory.solvers.sampled_records import SampledCorrelations

Array = NDArray[np.float64]

_SHOWN = 6.0  # half widths of lags that are shown
_LINES: dict[str, dict[str, Any]] = {
    "constant": {"color": THEORY},
    "factorized": {"color": SPECIAL, "ls": "--"},
    "sampled": {"color": GREY, "ls": "-."},
}


def plot_correlations(
    *solutions: Correlations | SampledCorrelations,
    simulated: CorrelationFunctions | None = None,
    name: str | None = None,
    longest: float | None = None,
    ax: Axes | None = None,
) -> Figure:
    """A covariance function, one line per closure, over that of a network if given.

    Args:
        *solutions: Stationary states, of one closure each; the last branch is drawn.
        simulated: Correlation functions of a finite network.
        name: Which covariance; by default the main one.
        longest: Longest lag; by default six half widths.
        ax: Axes to draw in; by default a new figure.

    Raises:
        ParameterError: If there is nothing to draw.
    """
    drawn = [s for s in solutions if s.status == "ok"]
    if not drawn:
        raise ParameterError("there is no stationary state to draw")
    first = drawn[0] if isinstance(drawn[0], SampledCorrelations) else drawn[0][-1]
    shown = name or first.main
    end = longest or _SHOWN * first.half_width
    with axes_of(ax, 5.6, 4.0) as ax:
        for solution in drawn:
            draw_solution(ax, solution, shown, end)
        if simulated is not None:
            _draw_simulated(ax, simulated, shown, end)
        ax.set_xlim(0, end)
        ax.set_xlabel("lag τ  (time of the model)")
        ax.set_ylabel(rf"covariance $C_{{{letter(shown.removeprefix('C_'))}}}(\tau)$")
        ax.legend()
        return whole(ax)


def draw_solution(
    ax: Axes, solution: Correlations | SampledCorrelations, name: str, end: float
) -> None:
    """A covariance function as a line; with a band of two standard errors if it was sampled."""
    style = _LINES[solution.closure]
    label = f"theory, closure {solution.closure}"
    if isinstance(solution, Correlations):
        lags = np.linspace(0, end, 400)
        ax.plot(lags, solution[-1].function(name, lags), label=label, **style)
        return
    values = solution.functions[name]
    errors = 2 * solution.function_errors[name]
    band = {"color": style["color"], "alpha": 0.25, "lw": 0}
    ax.fill_between(solution.lags, values - errors, values + errors, **band)
    ax.plot(solution.lags, values, label=label, **style)


def _draw_simulated(ax: Axes, simulated: CorrelationFunctions, name: str, end: float) -> None:
    rows = simulated.by_trajectory[name]
    keep = np.flatnonzero(simulated.lags <= end)
    keep = keep[:: max(1, len(keep) // 24)]
    errors = (
        rows.std(axis=0, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.zeros(len(rows[0]))
    )
    ax.errorbar(
        simulated.lags[keep], rows.mean(axis=0)[keep], 2 * errors[keep], fmt="o", ms=3.6, lw=1,
        color=SIMULATION, label="simulation (±2 standard errors)", zorder=4,
    )  # fmt: skip


def plot_lyapunov(
    parameter: str,
    theory: tuple[Sequence[float], Sequence[float | None]],
    simulated: Mapping[float, Estimate] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """λ_max along a parameter: theory as a line, simulated networks as points.

    Args:
        parameter: Its name, for the axis.
        theory: Values of the parameter, and λ_max at each (None: no chaotic state).
        simulated: Estimates by value of the parameter.
        ax: Axes to draw in; by default a new figure.
    """
    at, values = theory
    with axes_of(ax, 5.6, 4.0) as ax:
        line = [np.nan if v is None else v for v in values]
        ax.axhline(0, color=GREY, lw=0.8)
        ax.plot(at, line, color=THEORY, label="theory, N → ∞")
        if simulated:
            ax.errorbar(
                list(simulated), [e.mean for e in simulated.values()],
                [2 * e.stderr for e in simulated.values()], fmt="o", ms=4, lw=1,
                color=SIMULATION, label="simulation (±2 standard errors)", zorder=4,
            )  # fmt: skip
        ax.set_xlabel(rf"${letter(parameter)}$")
        ax.set_ylabel(r"$\lambda_{\max}$  (1 / time of the model)")
        ax.legend()
        return whole(ax)


def letter(name: str) -> str:
    """A parameter's or field's name in mathematics."""
    greek = {"phi", "psi", "sigma", "eta", "alpha", "beta", "tau"}
    head, _, tail = name.partition("_")
    head = rf"\{head}" if head in greek else head
    return f"{head}_{{{tail}}}" if tail else head

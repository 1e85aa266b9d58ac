"""Figures of the chaotic state beside networks: C(τ), and λ_max over 1/N."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gatetheory.errors import ParameterError
from gatetheory.presentation.drawing import GREY, INK, SIMULATION, THEORY, axes_of, whole
from gatetheory.presentation.time_figures import draw_solution, letter
from gatetheory.simulation import estimate, extrapolate
from gatetheory.validation.chaos import samples_at, usable_sizes
from gatetheory.validation.chaotic_state import ChaoticState
from gatetheory.validation.estimates import limit, listed

Array = NDArray[np.float64]

_POINTS = 20
_SHOWN = 6.0  # half widths


def plot_stationary(state: ChaoticState, name: str | None = None, ax: Axes | None = None) -> Figure:
    """A covariance function: theory as a line, networks extrapolated in 1/N as points.

    Args:
        state: Theory and networks.
        name: Which covariance; by default the main one.
        ax: Axes to draw in; by default a new figure.

    Raises:
        ParameterError: If there is no chaotic state.
    """
    if state.correlations is None or not state.exists:
        raise ParameterError("there is no stationary state to draw")
    shown = name or state.main
    end = _SHOWN * state.half_width
    with axes_of(ax, 5.6, 3.8) as ax:
        draw_solution(ax, state.correlations, shown, end)
        if state.sizes:
            end = min(end, float(state.correlation_runs[state.sizes[0]].lags[-1]))
            _draw_networks(ax, state, shown, end)
        low = min(0.0, ax.get_ylim()[0])
        ax.set_xlim(-0.015 * end, 1.015 * end)
        ax.set_ylim(bottom=low)
        ax.set_xlabel(_lag(state))
        ax.set_ylabel(rf"covariance $C_{{{letter(shown.removeprefix('C_'))}}}(\tau)$")
        ax.legend()
        return whole(ax)


def _draw_networks(ax: Axes, state: ChaoticState, name: str, end: float) -> None:
    used, _ = usable_sizes(state)
    lags = state.correlation_runs[state.sizes[0]].lags
    count = int(np.searchsorted(lags, end * (1 + 1e-9), side="right"))
    kept = np.unique(np.linspace(0, count - 1, min(count, _POINTS)).round().astype(int))
    if len(used) > 1:
        found = [limit({n: list(samples_at(state, n, name, k)) for n in used}) for k in kept]
        label = f"networks of N = {listed(used)}, N → ∞"
    else:
        n = state.sizes[-1]
        each = [estimate(samples_at(state, n, name, k)) for k in kept]
        found = [(e.mean, e.stderr) for e in each]
        label = f"networks of N = {n}"
    values, errors = np.array(found).T
    style: dict[str, Any] = {"fmt": "o", "ms": 4, "lw": 1, "color": SIMULATION, "zorder": 4}
    ax.errorbar(lags[kept], values, 2 * errors, label=f"{label} (±2 s.e.)", **style)


def plot_finite_size(state: ChaoticState, ax: Axes | None = None) -> Figure:
    """λ_max of networks over 1/N, with the line that leads to N → ∞, and theory there.

    Args:
        state: Theory and networks.
        ax: Axes to draw in; by default a new figure.

    Raises:
        ParameterError: If there are no networks, or theory has no exponent.
    """
    exponent = state.lyapunov
    if exponent is None or exponent.value is None or not state.sizes:
        raise ParameterError("there are no Lyapunov exponents to draw")
    used, _ = usable_sizes(state)
    found = {n: estimate([s.largest for s in r.spectra]) for n, r in state.lyapunov_runs.items()}
    with axes_of(ax, 5.6, 3.4) as ax:
        ax.axhline(0, color=GREY, lw=0.8)
        style: dict[str, Any] = {"ls": "none", "lw": 1, "elinewidth": 1, "color": SIMULATION}
        for chosen, fill, label in (
            (used, SIMULATION, "networks (±2 s.e.)"),
            (tuple(n for n in found if n not in used), "white", "not extrapolated: some rest"),
        ):
            if chosen:
                means, errors = np.array([(found[n].mean, found[n].stderr) for n in chosen]).T
                ax.errorbar(1 / np.array(chosen), means, 2 * errors, marker="o", ms=5, mfc=fill,
                            label=label, zorder=4, **style)  # fmt: skip
        if len(used) > 1 and all(found[n].stderr > 0 for n in used):
            line = extrapolate({n: found[n] for n in used})
            ends = np.array([0.0, 1 / min(used)])
            ax.plot(ends, line.value + line.slope * ends, color=SIMULATION, lw=0.9, ls=":")
            value, error = limit({n: list(found[n].samples) for n in used})
            ax.errorbar(0, value, 2 * error, marker="s", ms=5, mfc="white",
                        label="extrapolated, N → ∞", zorder=4, **style)  # fmt: skip
        uncertain = 2 * (exponent.error or 0.0) if exponent.closure == "sampled" else 0.0
        ax.errorbar(0, exponent.value, uncertain, marker="D", ms=6, color=THEORY, mec=INK, mew=0.6,
                    ls="none", label="theory", zorder=5)  # fmt: skip
        ax.set_xlim(-0.05 / min(found), 1.08 / min(found))
        ax.set_xlabel(r"$1/N$")
        unit = "step" if _discrete(state) else "time of the model"
        ax.set_ylabel(rf"$\lambda_{{\max}}$  (1 / {unit})")
        ax.legend()
        return whole(ax)


def _lag(state: ChaoticState) -> str:
    return f"lag τ  ({'steps' if _discrete(state) else 'time of the model'})"


def _discrete(state: ChaoticState) -> bool:
    return any(s.method == "iterate" for r in state.lyapunov_runs.values() for s in r.spectra)

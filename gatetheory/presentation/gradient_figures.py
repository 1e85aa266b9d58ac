"""Figures of gradients: second moments and the adjoint's norm against the horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gatetheory.errors import ParameterError
from gatetheory.presentation.drawing import GREY, INK, SIMULATION, SPECIAL, THEORY, axes_of, whole
from gatetheory.presentation.time_figures import letter
from gatetheory.simulation import Estimate
from gatetheory.solvers.gradient_records import Gradients

Array = NDArray[np.float64]
Points = Mapping[float, Estimate]

_LOOKS: tuple[dict[str, Any], ...] = (  # told apart by dashes and markers too
    {"color": THEORY, "ls": "-", "marker": "o"},
    {"color": SIMULATION, "ls": "--", "marker": "s"},
    {"color": SPECIAL, "ls": "-.", "marker": "^"},
    {"color": "#CC79A7", "ls": ":", "marker": "D"},
    {"color": INK, "ls": (0, (5, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": GREY, "ls": (0, (1, 1)), "marker": "P"},
)
_HORIZON = "horizon $T$  (time of the model)"


def plot_gradients(
    found: Gradients,
    simulated: Mapping[str, Points] | None = None,
    names: Sequence[str] | None = None,
    *,
    networks: str = "simulation",
    ax: Axes | None = None,
) -> Figure:
    """Second moments against the horizon: theory as lines, simulated networks as points.

    Args:
        found: The theory, at several horizons.
        simulated: Estimates by name and horizon.
        names: Couplings and parameters to draw; by default all whose moment does not vanish.
        networks: What was simulated, for the legend, such as ``"N = 1000, 16 networks"``.
        ax: Axes to draw in; by default a new figure.

    Raises:
        ParameterError: If there is nothing to draw.
    """
    values = {**found.couplings, **found.parameters}
    errors = {**found.coupling_errors, **found.parameter_errors}
    shown = [n for n, v in values.items() if np.any(v > 0)] if names is None else list(names)
    if found.status != "ok" or not shown:
        raise ParameterError("there are no gradients to draw")
    with axes_of(ax, 7.2, 4.0) as axes:
        for k, name in enumerate(shown):
            _draw(axes, found, found[name], errors[name], _moment(found, name), k)
            _draw_points(axes, (simulated or {}).get(name), k)
        _finish(axes, "second moment of the gradient", networks if simulated else "")
        return whole(axes)


def plot_gradient_norms(
    found: Mapping[str, Gradients],
    simulated: Mapping[str, Points] | None = None,
    *,
    networks: str = "simulation",
    ax: Axes | None = None,
) -> Figure:
    """What is left of the loss's gradient by the state, |λ(0)|², against the horizon.

    Args:
        found: Theory by label, at several horizons.
        simulated: Estimates of the same by label and horizon.
        networks: What was simulated, for the legend.
        ax: Axes to draw in; by default a new figure.

    Raises:
        ParameterError: If there is nothing to draw.
    """
    drawn = {label: g for label, g in found.items() if g.status == "ok"}
    if not drawn:
        raise ParameterError("there are no gradients to draw")
    with axes_of(ax, 7.2, 4.0) as axes:
        for k, (label, one) in enumerate(drawn.items()):
            _draw(axes, one, one.norm, one.norm_errors, label, k)
            _draw_points(axes, (simulated or {}).get(label), k)
        quantity = r"$\langle|\lambda(0)|^2\rangle$,  $\lambda = \sqrt{N}\,\partial L/\partial x$"
        _finish(axes, quantity, networks if simulated else "")
        return whole(axes)


def _moment(found: Gradients, name: str) -> str:
    if name in found.couplings:
        return rf"$Q_{{{letter(name)}}}$"
    return rf"$E[(\mathrm{{d}}L/\mathrm{{d}}{letter(name)})^2]$"


def _draw(
    axes: Axes, found: Gradients, values: Array, errors: Array, label: str, number: int
) -> None:
    """A line, in a band of two standard errors if it was sampled."""
    line = {k: v for k, v in _LOOKS[number % len(_LOOKS)].items() if k != "marker"}
    axes.plot(found.horizons, values, label=label, **line)
    if found.sampled:
        band = {"color": line["color"], "alpha": 0.25, "lw": 0}
        axes.fill_between(found.horizons, values - 2 * errors, values + 2 * errors, **band)


def _draw_points(axes: Axes, seen: Points | None, number: int) -> None:
    if not seen:
        return
    look = _LOOKS[number % len(_LOOKS)]
    axes.errorbar(
        list(seen), [e.mean for e in seen.values()], [2 * e.stderr for e in seen.values()],
        fmt=look["marker"], ms=4.5, lw=1, capsize=2.5, color=look["color"], zorder=4,
    )  # fmt: skip


def _finish(axes: Axes, quantity: str, networks: str) -> None:
    axes.set_yscale("log")
    axes.set_xlim(left=0)
    axes.set_xlabel(_HORIZON)
    axes.set_ylabel(quantity)
    title = "lines: theory, $N \\to \\infty$"
    if networks:
        title += f"\npoints: {networks}\n(±2 standard errors)"
    axes.legend(title=title, title_fontsize=9.5, loc="center left", bbox_to_anchor=(1.01, 0.5))

"""The figure of a phase diagram."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage
import sympy
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from gatetheory.presentation.drawing import GREY, INK, SIMULATION, SPECIAL, THEORY, axes_of, whole
from gatetheory.transitions.phase_diagram import PhaseDiagram

_LINES: dict[str, dict[str, Any]] = {
    "zero-state": {"color": INK, "ls": "-", "label": "zero state unstable"},
    "fold": {"color": SIMULATION, "ls": "--", "label": "fixed points appear (fold)"},
    "stability": {"color": SPECIAL, "ls": "-.", "label": "fixed point unstable"},
    "chaos": {"color": THEORY, "ls": "-", "label": "chaos appears (fold)"},
}
_MARKS: dict[str, dict[str, Any]] = {
    "static": {"marker": "s", "color": SIMULATION, "label": "static tricritical point"},
    "dynamic": {"marker": "o", "color": THEORY, "label": "dynamic tricritical point"},
}
_SHADES = ("#ffffff", "#e3eef6", "#fbe6d8", "#f2f2f2", "#ffffff")
_ROOM = 0.7  # distance to other phases, in halves of a name, from which on it is written
_LETTER, _LINE = 0.0125, 0.045  # size of a letter as a share of the axes


def plot_phase_diagram(diagram: PhaseDiagram, ax: Axes | None = None) -> Figure:
    """Curves, tricritical points and names of the phases.

    Args:
        diagram: The diagram.
        ax: Axes to draw in; by default a new figure.
    """
    (x_low, x_high), (y_low, y_high) = diagram.windows
    with axes_of(ax, 6.4, 4.6) as axes:
        shades = ListedColormap(_SHADES[: len(diagram.names)])
        axes.pcolormesh(
            *diagram.grid, diagram.phases, cmap=shades, vmin=-0.5, vmax=len(diagram.names) - 0.5,
            shading="nearest", rasterized=True, zorder=0,
        )  # fmt: skip
        for kind, curves in diagram.curves.items():
            for k, curve in enumerate(curves):
                style = dict(_LINES[kind])
                if k:
                    style.pop("label")
                axes.plot(curve.second, curve.first, lw=1.8, zorder=3, **style)
        for kind, (x, y) in diagram.points.items():
            axes.plot(x, y, ls="none", ms=6.5, mec=INK, mew=0.8, zorder=4, **_MARKS[kind])
        _name_phases(axes, diagram)
        axes.set(
            xlim=(x_low, x_high), ylim=(y_low, y_high),
            xlabel=f"${sympy.latex(sympy.Symbol(diagram.x))}$",
            ylabel=f"${sympy.latex(sympy.Symbol(diagram.y))}$",
        )  # fmt: skip
        axes.legend(loc="best", framealpha=0.9, frameon=True, edgecolor="none")
        return whole(axes)


def _name_phases(axes: Axes, diagram: PhaseDiagram) -> None:
    """Each phase by name, where the name has most room."""
    rows, columns = diagram.phases.shape
    for number, name in enumerate(diagram.names):
        inside = np.pad(diagram.phases == number, 1)
        halves = _LINE / 2, _LETTER * len(name) / 2
        spacing = 1 / (rows * halves[0]), 1 / (columns * halves[1])  # in halves of the name
        room = scipy.ndimage.distance_transform_edt(inside, sampling=spacing)[1:-1, 1:-1]
        row, column = np.unravel_index(int(np.argmax(room)), room.shape)
        if room[row, column] < _ROOM:
            continue
        axes.annotate(
            name, (diagram.grid[0][column], diagram.grid[1][row]), ha="center", va="center",
            color=GREY, style="italic", fontsize=10, zorder=5,
        )  # fmt: skip

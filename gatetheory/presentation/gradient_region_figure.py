"""The figure of where gradients vanish, stay and explode."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from gatetheory.presentation.drawing import GREY, INK, axes_of, whole
from gatetheory.transitions import GradientRegions
from gatetheory.transitions.gradient_region_records import KINDS, MARGINAL, UNKNOWN

_SHADES = ("#bcd9ee", "#ffffff", "#f3c3a5", "#e4e4e4")
_LEVELS = (1e-12, 1e-6, 1e-3, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9)
_SIGNS = ("−", "0", "+", "?")  # nothing is told by colour alone
_MOST_SIGNS = 25  # values on an axis up to which every place is signed


def plot_gradient_regions(regions: GradientRegions, ax: Axes | None = None) -> Figure:
    """Regions on the grid, and how much of |λ|² closed gates keep over the horizon.

    Args:
        regions: The regions.
        ax: Axes to draw in; by default a new figure.
    """
    x, y = regions.grid
    kinds = regions.kinds
    with axes_of(ax, 6.4, 4.6) as axes:
        axes.pcolormesh(
            x, y, kinds, cmap=ListedColormap(_SHADES), vmin=-0.5, vmax=len(KINDS) - 0.5,
            shading="nearest", edgecolors="none", zorder=0,
        )  # fmt: skip
        if max(len(x), len(y)) <= _MOST_SIGNS:
            for row, column in np.ndindex(kinds.shape):
                axes.annotate(
                    _SIGNS[kinds[row, column]], (x[column], y[row]), ha="center", va="center",
                    color=GREY, fontsize=10, zorder=2,
                )  # fmt: skip
        _draw_left(axes, regions)
        span = f"$T = {regions.horizon:g}$"
        names = {
            "vanishing": f"vanishing: rate · $T$ < −{regions.threshold:g}",
            "marginal": f"marginal: |rate| · $T$ < {regions.threshold:g}",
            "exploding": f"exploding: rate · $T$ > {regions.threshold:g}",
            "unknown": "unknown" if UNKNOWN not in kinds else "unknown: needs sampling"
            if all("sampl" in r for r in regions.reasons) else "unknown (see the record)",
        }  # fmt: skip
        patches = [
            Patch(facecolor=_SHADES[k], edgecolor=INK, lw=0.6, label=f"{_SIGNS[k]}  {names[n]}")
            for k, n in enumerate(KINDS)
            if k in kinds
        ]
        axes.legend(
            handles=patches, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9.5,
            title=rf"growth of $|\lambda|^2$ backward in time, {span}", title_fontsize=10,
        )  # fmt: skip
        axes.set_xlabel(f"${sympy.latex(sympy.Symbol(regions.x))}$")
        axes.set_ylabel(f"${sympy.latex(sympy.Symbol(regions.y))}$")
        return whole(axes)


def _draw_left(axes: Axes, regions: GradientRegions) -> None:
    """Lines of equal |λ|² after the horizon, where its exponent is that of an edge."""
    left = np.ma.masked_invalid(regions.left)
    if left.count() < 4 or min(left.shape) < 2:
        return
    levels = [v for v in _LEVELS if left.min() < v < left.max()]
    if not levels:
        return
    style: dict[str, Any] = {"colors": INK, "linewidths": 1.0, "zorder": 3}
    lines = axes.contour(*regions.grid, left, levels, **style)
    for text in axes.clabel(lines, fmt=lambda v: f"{v:g} left", fontsize=9, zorder=4):
        text.set_bbox({"facecolor": _SHADES[MARGINAL], "edgecolor": "none", "pad": 1.0})

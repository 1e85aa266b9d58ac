"""The report's figure of gradients: second moments against the horizon, networks beside them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gatetheory.errors import ParameterError
from gatetheory.presentation.drawing import GREY, INK, SIMULATION, SPECIAL, THEORY, axes_of, whole
from gatetheory.presentation.time_figures import letter
from gatetheory.validation.gradient_state import GradientState
from gatetheory.validation.gradients import NOTHING, networks

_STYLES = ((THEORY, "-", "o"), (SIMULATION, "--", "s"), (SPECIAL, "-.", "D"), (INK, ":", "^"))


def plot_gradient_state(
    state: GradientState, *, discrete: bool = False, ax: Axes | None = None
) -> Figure:
    """Q_a(T) of every coupling: theory as lines, networks as points with error bars.

    Args:
        state: Theory and networks.
        discrete: Whether horizons count steps of a map.
        ax: Axes to draw in; by default a new figure.

    Raises:
        ParameterError: If theory has no gradients, or all vanish.
    """
    found = state.theory
    drawn = [] if found is None or not state.exists else [
        a for a, v in found.couplings.items() if v.max() > NOTHING
    ]  # fmt: skip
    if found is None or not drawn:
        raise ParameterError("there are no gradients to draw")
    with axes_of(ax, 5.6, 3.8) as ax:
        for k, name in enumerate(drawn):
            colour, line, marker = _STYLES[k % len(_STYLES)]
            values, errors = state.values[f"Q_{name}"]
            ax.plot(found.horizons, values, color=colour, ls=line,
                    label=rf"theory, $Q_{{{letter(name)}}}$")  # fmt: skip
            if found.sampled:
                low = np.maximum(values - 2 * errors, values / 10)
                ax.fill_between(found.horizons, low, values + 2 * errors, color=colour, alpha=0.2,
                                lw=0)  # fmt: skip
            if not state.samples:
                continue
            rows = [networks(state, f"Q_{name}", i) for i in range(len(found.horizons))]
            means = np.array([mean for mean, _ in rows])
            spread = np.array([2 * (error or 0.0) for _, error in rows])
            kept = means > 0
            lower = np.minimum(spread, 0.9 * np.abs(means))  # the scale is logarithmic
            ax.errorbar(found.horizons[kept], means[kept], np.array([lower, spread])[:, kept],
                        fmt=marker, ms=4.5, lw=1, color=colour, mec=INK, mew=0.5, zorder=4,
                        label=rf"networks, $Q_{{{letter(name)}}}$")  # fmt: skip
        ax.set_yscale("log")
        ax.set_xlim(0, 1.04 * float(found.horizons[-1]))
        ax.set_xlabel(f"horizon $T$  ({'steps' if discrete else 'time of the model'})")
        ax.set_ylabel(r"$Q_a(T) = N\,\langle(\partial L/\partial J^a_{ij})^2\rangle$")
        ax.grid(axis="y", color=GREY, alpha=0.25, lw=0.6)
        ax.legend(ncols=2)
        return whole(ax)

"""Figures of gradients: the theory's numbers as lines, estimates as points with bars."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from gatetheory.errors import ParameterError
from gatetheory.pipeline import solve
from gatetheory.presentation import plot_gradient_norms, plot_gradients
from gatetheory.presentation.drawing import svg
from gatetheory.simulation import estimate
from gatetheory.solvers.gradient_records import Gradients
from gatetheory.theory.derive import Theory

TIMES = (1, 2, 5)
RESTING = {"g_h": "1.48", "beta_h": "1/2"}


@pytest.fixture(scope="module")
def resting(gated: Theory) -> Gradients:
    found = solve(gated.gradients, RESTING, horizon=TIMES, by=["g_h"], fixed_point=0)
    assert isinstance(found, Gradients)
    return found


def labels(figure: Figure) -> list[str]:
    return [text for ax in figure.axes for text in ax.get_legend_handles_labels()[1]]


def test_moments_are_lines_and_estimates_points(resting: Gradients) -> None:
    seen = {"h": {2.0: estimate([0.04, 0.05, 0.06])}}
    figure = plot_gradients(resting, seen, ["h", "g_h"], networks="3 networks")
    assert labels(figure) == ["$Q_{h}$", r"$E[(\mathrm{d}L/\mathrm{d}g_{h})^2]$"]
    (ax,) = figure.axes
    for line, name in zip((ax.lines[0], ax.lines[-1]), ("h", "g_h"), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), TIMES)
        np.testing.assert_array_equal(line.get_ydata(), resting[name])
    (points,) = [c for c in ax.containers if isinstance(c, ErrorbarContainer)]
    (bar,) = points.lines[2][0].get_segments()
    half = 2 * np.std([0.04, 0.05, 0.06], ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(bar, [[2, 0.05 - half], [2, 0.05 + half]])
    legend = ax.get_legend()
    assert legend is not None
    assert "3 networks" in legend.get_title().get_text()
    assert ax.get_xlabel() == "horizon $T$  (time of the model)"


def test_what_vanishes_is_left_out(resting: Gradients) -> None:
    """Without an update gate no gradient reaches its couplings."""
    assert not resting["z"].any()
    assert "$Q_{z}$" not in labels(plot_gradients(resting))
    nothing = replace(resting, couplings={"z": resting["z"]}, parameters={})
    with pytest.raises(ParameterError, match="no gradients"):
        plot_gradients(nothing)


def test_norms_by_label(resting: Gradients) -> None:
    figure = plot_gradient_norms({"one": resting, "two": resting})
    assert labels(figure) == ["one", "two"]
    first, second = figure.axes[0].lines
    np.testing.assert_array_equal(first.get_ydata(), resting.norm)
    assert first.get_linestyle() != second.get_linestyle()
    again = plot_gradient_norms({"one": resting, "two": resting})
    assert svg(figure, "norms", "Norms") == svg(again, "norms", "Norms")
    with pytest.raises(ParameterError, match="no gradients"):
        plot_gradient_norms({"one": replace(resting, status="not_converged")})


def test_what_was_sampled_has_a_band(resting: Gradients) -> None:
    sampled = replace(resting, sampled=True, norm_errors=np.array([0.1, 0.2, 0.3]))
    (ax,) = plot_gradient_norms({"one": sampled}).axes
    (band,) = [c for c in ax.collections if isinstance(c, FillBetweenPolyCollection)]
    heights = band.get_paths()[0].get_extents()
    assert heights.y1 == pytest.approx(np.max(sampled.norm + 2 * sampled.norm_errors))
    assert not plot_gradient_norms({"one": resting}).axes[0].collections

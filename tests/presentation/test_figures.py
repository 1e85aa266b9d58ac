"""Figures: right content, one file, the same on every run."""

from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from sympy import Symbol

from gatetheory.comparison import Comparison, Validation
from gatetheory.errors import ParameterError
from gatetheory.pipeline import boundary, solve
from gatetheory.presentation import plot_fixed_points, plot_spectrum, plot_validation
from gatetheory.presentation.drawing import svg
from gatetheory.theory.derive import Theory


def labels(figure: Figure) -> list[str]:
    return [text for ax in figure.axes for text in ax.get_legend_handles_labels()[1]]


def test_spectrum_over_eigenvalues(classical: Theory) -> None:
    spectrum = boundary(classical.spectrum, solve(classical.spectrum))
    eigenvalues = np.array([-1 + 0.5j, -1 - 0.5j])
    figure = plot_spectrum(spectrum, eigenvalues)
    assert "eigenvalues of one network (2)" in labels(figure)
    assert "boundary of the support (theory)" in labels(figure)
    assert any(label.startswith("abscissa") for label in labels(figure))
    assert spectrum.boundary is not None
    (curve,) = spectrum.boundary.curves
    drawn = max((np.asarray(line.get_xydata()) for line in figure.axes[0].lines), key=len)
    np.testing.assert_allclose(drawn, np.column_stack([curve.real, curve.imag]))


def test_multipliers_get_a_circle_and_their_segment(gru: Theory) -> None:
    figure = plot_spectrum(solve(gru.spectrum))
    assert {"unit circle", "segment of the support"} <= set(labels(figure))


def test_given_axes_are_used(classical: Theory) -> None:
    ax = Figure().add_subplot()
    figure = plot_spectrum(solve(classical.spectrum), ax=ax)
    assert figure.axes == [ax]


def test_fixed_points_lie_on_the_diagonal(classical: Theory) -> None:
    points = solve(classical.fixed_points)
    (ax,) = plot_fixed_points(points, classical.fixed_points).axes
    diagonal, image = (np.asarray(line.get_xydata()) for line in ax.lines[:2])
    for point in points:
        delta = float(point["Delta_h"])
        assert np.interp(delta, *image.T) == pytest.approx(delta, abs=2e-4)
    np.testing.assert_array_equal(diagonal[:, 0], diagonal[:, 1])
    assert len(ax.lines) == 2 + len(points)


def test_no_picture_for_several_unknowns(classical: Theory) -> None:
    problem = classical.fixed_points
    problem.__dict__["core"] = (Symbol("a"), Symbol("b"))
    try:
        with pytest.raises(ParameterError, match=r"one unknown.*a, b"):
            plot_fixed_points(solve(classical.fixed_points), problem)
    finally:
        del problem.__dict__["core"]


def comparisons(*z: float) -> Validation:
    rows = [Comparison(f"q_{k}", "here", 1.0, 1.0 + 0.1 * v, 0.1) for k, v in enumerate(z)]
    return Validation("made up", {}, (10,), 2, tuple(rows))


def test_failed_comparisons_have_another_mark() -> None:
    (ax,) = plot_validation(comparisons(0.5, -9.0)).axes
    marks = {str(line.get_marker()) for line in ax.lines}
    assert {"o", "X"} <= marks


def test_svg_stands_alone_and_is_reproducible(classical: Theory) -> None:
    spectrum = boundary(classical.spectrum, solve(classical.spectrum))
    first, second = (svg(plot_spectrum(spectrum), "name", 'a "title" & more') for _ in range(2))
    assert first == second
    root = ElementTree.fromstring(first)
    assert root.get("aria-label") == 'a "title" & more'
    assert "http" not in first.replace("http://www.w3.org/", "")
    ids = [i for e in root.iter() if (i := e.get("id"))]
    assert len(set(ids)) == len(ids)
    assert all(i.startswith("name-") for i in ids)
    assert "<metadata" not in first


def test_a_notebook_shows_a_figure(classical: Theory) -> None:
    picture = plot_spectrum(solve(classical.spectrum))
    assert getattr(picture, "_repr_svg_")().startswith("<svg")  # noqa: B009

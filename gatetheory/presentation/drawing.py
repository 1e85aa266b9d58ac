"""How figures look, and how they become SVG that is the same on every run.

Colours are those of Okabe and Ito, which readers with colour-blind eyes tell apart; nothing is told
by colour alone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import escape

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

THEORY = "#D55E00"  # vermillion: lines
SIMULATION = "#0072B2"  # blue: points
SPECIAL = "#009E73"  # green: atoms and segments
INK, GREY, FAINT = "#1c1c1c", "#6b6b6b", "#d9d9d9"

STYLE: Any = {  # Any: stubs of matplotlib list the keys, those of older versions do not
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 11,
    "axes.labelsize": 12,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "lines.linewidth": 1.5,
    "svg.fonttype": "path",
}


class Picture(Figure):
    """A figure that notebooks show without pyplot."""

    def _repr_svg_(self) -> str:
        return svg(self, "picture", "")


@contextmanager
def axes_of(ax: Axes | None, width: float, height: float) -> Iterator[Axes]:
    """The given axes, or those of a new picture, in the project's style."""
    with matplotlib.rc_context(STYLE):
        if ax is None:
            picture = Picture(figsize=(width, height), layout="constrained")
            FigureCanvasSVG(picture)
            ax = picture.add_subplot()
        yield ax


def whole(ax: Axes) -> Figure:
    """The figure that axes belong to."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes belong to no figure")
    return figure


def svg(figure: Figure, name: str, title: str) -> str:
    """An ``<svg>`` element without anything loaded from elsewhere.

    Args:
        figure: The figure.
        name: Prefix of every id in it, so that several can stand on one page.
        title: What it shows, for those who cannot see it.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{name}-", text)
    width = float(figure.get_figwidth()) * 96
    opening = f'<svg role="img" aria-label="{escape(title, {chr(34): "&quot;"})}" '
    text = re.sub(r'<svg (height="[^"]*" )?', opening, text, count=1)
    text = re.sub(r'^(<svg[^>]*?) height="[^"]*"', r"\1", text)
    return re.sub(r'^(<svg[^>]*?) width="[^"]*"', rf'\1 style="max-width:{width:.0f}px"', text)

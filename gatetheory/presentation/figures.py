"""Figures of solutions: theory as lines, simulation as points."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.typing import NDArray

from gatetheory.comparison import LIMIT, Validation
from gatetheory.equations.shapes import SelfConsistency
from gatetheory.errors import ParameterError
from gatetheory.pipeline import DOUBLE, fixed_point_programs
from gatetheory.presentation.drawing import (
    FAINT,
    GREY,
    INK,
    SIMULATION,
    SPECIAL,
    THEORY,
    axes_of,
    whole,
)
from gatetheory.presentation.time_figures import letter
from gatetheory.solvers.records import FixedPoints, Spectrum

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


def plot_spectrum(
    solution: Spectrum, eigenvalues: Complex | None = None, ax: Axes | None = None
) -> Figure:
    """Boundary of the spectral support, over the eigenvalues of a network if given.

    Args:
        solution: A spectrum; curves are drawn if they were traced (``trace=True``).
        eigenvalues: Eigenvalues of a finite network's Jacobian.
        ax: Axes to draw in; by default a new figure.
    """
    style: dict[str, Any]
    with axes_of(ax, 5.6, 4.6) as ax:
        if eigenvalues is not None:
            label = f"eigenvalues of one network ({len(eigenvalues)})"
            style = {"ms": 2.6, "mew": 0, "alpha": 0.55, "color": SIMULATION}
            ax.plot(eigenvalues.real, eigenvalues.imag, "o", label=label, **style)
        _draw_boundary(ax, solution)
        for k, (low, high) in enumerate(solution.segments):
            name = None if k else "segment of the support"
            ax.plot([low, high], [0, 0], color=SPECIAL, lw=3.2, zorder=1, label=name)
        if solution.atoms:
            atoms = np.array(solution.atoms)
            style = {"ms": 9, "mew": 1.8, "color": SPECIAL}
            ax.plot(atoms.real, atoms.imag, "x", label="atom", **style)
        _draw_border(ax, solution)
        unit = "" if solution.quantity == "radius" else r"  (1 / time of the model)"
        ax.set_xlabel(r"$\mathrm{Re}\,\lambda$" + unit)
        ax.set_ylabel(r"$\mathrm{Im}\,\lambda$" + unit)
        ax.set_aspect("equal", adjustable="datalim")
        ax.margins(0.06)
        _legend_below(ax)
        return whole(ax)


def _draw_boundary(ax: Axes, solution: Spectrum) -> None:
    curves = solution.boundary.curves if solution.boundary is not None else ()
    if not curves:
        return
    corners = [np.column_stack([c.real, c.imag]) for c in curves]
    codes = [[Outline.MOVETO, *[Outline.LINETO] * (len(c) - 2), Outline.CLOSEPOLY] for c in corners]
    area = Outline(np.concatenate(corners), np.concatenate(codes))
    ax.add_patch(PathPatch(area, fc=THEORY, ec="none", alpha=0.07, zorder=0.5))
    for k, corner in enumerate(corners):
        name = None if k else "boundary of the support (theory)"
        ax.plot(corner[:, 0], corner[:, 1], color=THEORY, label=name, zorder=3)


def _draw_border(ax: Axes, solution: Spectrum) -> None:
    """The border of stability, and the outermost point of the support."""
    value = None if solution.value is None else float(solution.value)
    if solution.quantity == "radius":
        ax.add_patch(Circle((0, 0), 1, fc="none", ec=GREY, lw=0.8, label="unit circle"))
        if value is not None:
            name = f"radius {_shown(value)} (theory)"
            edge: dict[str, Any] = {"ec": INK, "lw": 1.0, "ls": (0, (4, 3))}
            ax.add_patch(Circle((0, 0), value, fc="none", label=name, **edge))
        return
    ax.axvline(0, color=GREY, lw=0.8, zorder=0.6)
    if value is not None:
        name = f"abscissa {_shown(value)} (theory)"
        ax.axvline(value, color=INK, lw=1.0, ls=(0, (4, 3)), zorder=0.7, label=name)


def _shown(value: float) -> str:
    """Four digits, with a power of ten set as mathematics."""
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    power = rf"\times 10^{{{int(exponent)}}}" if exponent else ""
    return f"${mantissa}{power}$"


def plot_fixed_points(
    solution: FixedPoints, problem: SelfConsistency, ax: Axes | None = None, *, ratio: bool = False
) -> Figure:
    """The self-consistency Δ = G(Δ), with every fixed point marked.

    Args:
        solution: Fixed points at some parameters.
        problem: The equations they solve, ``theory.fixed_points``.
        ax: Axes to draw in; by default a new figure.
        ratio: Draw G(Δ)/Δ over a logarithmic axis, which shows branches of every size.

    Raises:
        ParameterError: If the equations do not reduce to one unknown.
    """
    if len(problem.core) != 1:
        names = ", ".join(map(str, problem.core)) or "none"
        raise ParameterError(f"a picture needs one unknown, the equations reduce to {names}")
    name = problem.core[0].name
    roots = np.array([float(p[name]) for p in solution])
    stable = [p.stable for p in solution]
    top = 1.7 * roots.max(initial=0.0) or 1.0
    low = min(1e-3 * top, 0.2 * min(roots[roots > 0], default=top))
    grid = np.geomspace(low, 3 * top, 300) if ratio else np.linspace(0.0, top, 300)
    image = _map(problem, solution, grid)
    letter = rf"\Delta_{{{name.removeprefix('Delta_')}}}"
    with axes_of(ax, 4.2, 3.5) as ax:
        if ratio:
            ax.axhline(1.0, color=GREY, lw=0.9)
            ax.semilogx(grid, image / grid, color=THEORY)
            _mark(ax, roots[roots > 0], 1.0, [s for s, r in zip(stable, roots, strict=True) if r])
            ax.set_ylabel(rf"$G({letter})\,/\,{letter}$")
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.set_ylim(bottom=0.0)
        else:
            ax.plot(grid, grid, color=GREY, lw=0.9, label=rf"${letter}$")
            ax.plot(grid, image, color=THEORY, label=rf"$G({letter})$")
            _mark(ax, roots, None, stable)
            ax.set_ylabel(rf"$G({letter})$")
            ax.legend(loc="upper left")
        ax.set_xlabel(f"${letter}$" + ("" if ratio else "  (variance of the local field)"))
        return whole(ax)


def _map(problem: SelfConsistency, solution: FixedPoints, grid: Array) -> Array:
    """G on a grid of the one unknown."""
    programs = fixed_point_programs(problem, DOUBLE)
    known = solution.provenance.parameters
    values = [float(known[p.name]) for p in problem.parameters]
    image = programs.map(grid, *values).values[0]
    return np.broadcast_to(np.asarray(image, float), grid.shape)


def _mark(ax: Axes, roots: Array, height: float | None, stable: list[bool | None]) -> None:
    seen = set()
    for root, good in zip(roots, stable, strict=True):
        fill = INK if good else "white"
        kind = {True: "stable", False: "unstable", None: "stability unknown"}[good]
        label = None if kind in seen or height is not None else f"{kind} fixed point"
        seen.add(kind)
        at = root if height is None else height
        mark: dict[str, Any] = {
            "ms": 7,
            "mec": INK,
            "mfc": fill,
            "mew": 1.2,
            "ls": "none",
            "clip_on": False,
        }
        ax.plot([root], [at], "o", label=label, zorder=4, **mark)


def plot_validation(validation: Validation, ax: Axes | None = None) -> Figure:
    """Distance of every comparison, (simulation − theory)/standard error.

    Args:
        validation: Theory beside simulation.
        ax: Axes to draw in; by default a new figure.
    """
    rows = [r for r in validation if r.z is not None and r.tolerance is None]
    z = np.clip([float(r.z or 0.0) for r in rows], -2 * LIMIT, 2 * LIMIT)
    starts = [k for k, r in enumerate(rows) if k == 0 or r.meaning != rows[k - 1].meaning]
    height = -np.array([k + 1.5 * sum(s <= k for s in starts) for k in range(len(rows))], float)
    extent = float(-height.min(initial=0.0)) + 0.7
    with axes_of(ax, 5.6, 0.7 + 0.21 * max(extent, 4)) as ax:
        ax.axvspan(-LIMIT, LIMIT, color=FAINT, alpha=0.45, lw=0)
        ax.axvline(0, color=THEORY)
        good = np.array([r.verdict == "agrees" for r in rows], bool)
        bars: dict[str, Any] = {"ls": "none", "elinewidth": 1.1}
        for chosen, mark, colour, size in ((good, "o", SIMULATION, 4.5), (~good, "X", INK, 7)):
            place = z[chosen], height[chosen]
            ax.errorbar(*place, xerr=1.0, fmt=mark, color=colour, ms=size, **bars)
        patch = {"fc": "#f1f1f1", "ec": "none", "pad": 1.5}
        for k in starts:
            title = rows[k].meaning
            ax.text(
                0.0, height[k] + 1.0, title, va="center", ha="center", style="italic", bbox=patch
            )
        ax.set_yticks(height, [_name(r.quantity) for r in rows])
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_ylim(-extent, 0.0)
        reach = max(LIMIT + 0.6, float(np.abs(z).max(initial=0.0)) + 1.4)
        ax.set_xlim(-reach, reach)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("(simulation − theory) / standard error")
        return whole(ax)


def _name(quantity: str) -> str:
    """``Delta_h``, ``C_phi`` and ``lambda_max`` as mathematics, other names as they are."""
    base, _, low = quantity.partition("_")
    if quantity == "lambda_max":
        return r"$\lambda_{\max}$"
    if base not in ("Delta", "C") or not low:
        return quantity
    return rf"${'Δ' if base == 'Delta' else base}_{{{letter(low)}}}$"


def _legend_below(ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    columns = 2 if len(labels) > 1 else 1
    style: dict[str, Any] = {
        "loc": "upper center",
        "bbox_to_anchor": (0.5, -0.17),
        "ncols": columns,
    }
    ax.legend(handles, labels, handlelength=1.6, columnspacing=1.6, **style)

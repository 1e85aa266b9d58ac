"""Builds charts in double precision from the places of the singularities, for whole batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatetheory.codegen.charts import Chart, Line, Segment, Squeeze

RESOLVED = 1.2
"""Singularities this far from the real axis need no squeeze."""


@dataclass(frozen=True)
class Scale:
    """Lengths of a chart that depend on the precision wanted.

    Args:
        slope: Length over which a chart turns linear, in standard deviations.
        reach: |u| up to which the line is covered.
        ends: How far a segment runs beyond its linear part.
    """

    slope: float
    reach: float
    ends: float


DOUBLE = Scale(slope=3.0, reach=38.5, ends=3.75)
"""Beyond |u| = 38.5 the weight is below the smallest double; ends are met to 1e-20."""


class _NumpyElementary:
    sinh = staticmethod(np.sinh)
    cosh = staticmethod(np.cosh)
    asinh = staticmethod(np.arcsinh)
    sqrt = staticmethod(np.sqrt)
    exp = staticmethod(np.exp)
    expm1 = staticmethod(np.expm1)
    log1p = staticmethod(np.log1p)


ELEMENTARY = _NumpyElementary()


def trailing(x: Any) -> Any:
    """Append an axis for nodes to an array; leave a number as it is."""
    return x[..., None] if isinstance(x, np.ndarray) and x.ndim else x


def line(features: Sequence[tuple[Any, Any]], scale: Scale = DOUBLE) -> Chart:
    """Chart of the whole line for singularities c ± iw, given as (c, w)."""
    ordered = _by_width(features, scale.reach)
    slope, end = scale.slope, scale.reach / scale.slope
    squeezes: list[Squeeze] = []
    origin: Any = 0.0
    for c, w in ordered:
        if not squeezes:
            depth = np.minimum(w / slope, np.pi / 2)
            if np.min(depth) >= RESOLVED:
                continue
            origin = c
            squeezes.append(Squeeze(c / slope, np.sin(depth)))
        else:
            _squeeze(squeezes, (c + 1j * w) / slope)
    return _finish(Line(slope, origin), squeezes, -end, end)


def segment(
    low: Any, high: Any, features: Sequence[tuple[Any, Any]], scale: Scale = DOUBLE,
    downwards: bool = False,
) -> Chart:  # fmt: skip
    """Chart of a segment, for singularities c ± iw.

    Args:
        low: Left end.
        high: Right end.
        features: (c, w).
        scale: Lengths.
        downwards: Whether offsets are accurate next to the right end instead of the left.
    """
    length = np.maximum(high - low, 0.0)
    base = Segment(scale.slope, high if downwards else low, length, -1 if downwards else 1)
    squeezes: list[Squeeze] = []
    for c, w in _by_width(features, scale.reach):
        _squeeze(squeezes, _segment_position(base, c + 1j * w))
    return _finish(base, squeezes, -scale.ends, length / scale.slope + scale.ends)


def pulled_back(squeezes: Sequence[Squeeze], s: Any) -> Any:
    """The t of an s."""
    for squeeze in squeezes:
        s = np.arcsinh(np.sinh(s - squeeze.p) / squeeze.q)
    return s


def plane(chart: Chart, u: Any) -> Any:
    """The t at which a chart of the line takes complex values u; nan outside of its strip."""
    s = u / chart.base.slope
    with np.errstate(all="ignore"):
        return pulled_back(chart.squeezes, np.where(np.abs(s.imag) < np.pi / 2, s, np.nan))


def _by_width(features: Sequence[tuple[Any, Any]], reach: float) -> list[tuple[Any, Any]]:
    """Features moved into the range, the narrowest first (element by element)."""
    moved = []
    for c, w in features:
        inside = np.clip(c, -reach, reach)
        moved.append((inside, np.minimum(np.hypot(w, c - inside), 1e3)))
    if len(moved) < 2:
        return moved
    centres = np.stack(np.broadcast_arrays(*(c for c, _ in moved)))
    widths = np.stack(np.broadcast_arrays(*(w for _, w in moved)))
    order = np.argsort(widths, axis=0, kind="stable")
    centres = np.take_along_axis(centres, order, 0)
    widths = np.take_along_axis(widths, order, 0)
    return list(zip(centres, widths, strict=True))


def _squeeze(squeezes: list[Squeeze], s: Any) -> None:
    """Add the squeeze that moves a singularity at s to Im t = π/2, if it is nearer."""
    t = pulled_back(squeezes, np.where(np.abs(np.imag(s)) < np.pi / 2, s, np.nan))
    depth = np.abs(np.imag(t))
    known = np.isfinite(t) & (depth < RESOLVED)
    if np.any(known):
        p = np.where(known, np.real(t), 0.0)
        q = np.where(known, np.maximum(np.sin(depth), 1e-30), 1.0)
        squeezes.append(Squeeze(p, q))


def _segment_position(base: Segment, z: Any) -> Any:
    """The complex s at which a segment's chart takes the value z, by Newton's method."""
    span = base.length / base.slope
    y = base.sign * (z - base.start) / base.slope
    g = -np.log(-np.expm1(-span) / np.expm1(y) - np.exp(-span))
    left, right = np.maximum(-g.real, 0), np.maximum(g.real - span, 0)
    s = np.clip(g.real, 0, span) - np.log1p(left) + np.log1p(right) + 0.5j * np.sign(g.imag)
    for _ in range(12):
        a, b = np.exp(-s), np.exp(s - span)
        step = (s - a + b - g) / (1 + a + b)
        s = s - np.where(np.abs(step) > 1, step / np.abs(step), step)
    return np.where(np.abs(step) < 1e-6, s, np.nan)


def _finish(base: Line | Segment, squeezes: list[Squeeze], low: Any, high: Any) -> Chart:
    low, high = (np.real(pulled_back(squeezes, end)) for end in (low, high))
    columns = tuple(Squeeze(trailing(s.p), trailing(s.q)) for s in squeezes)
    if isinstance(base, Segment):
        base = Segment(base.slope, trailing(base.start), trailing(base.length), base.sign)
    else:
        base = Line(base.slope, trailing(base.origin))
    return Chart(base, columns, float(np.min(low)), float(np.max(high)))

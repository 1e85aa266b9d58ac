"""Changes of variables: singularities are moved away, rules are exact, rewriting keeps digits."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from gatetheory.codegen import charting_numpy as charting
from gatetheory.codegen.charting_numpy import ELEMENTARY
from gatetheory.codegen.functions_numpy import DOUBLES
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.rewriting import logcosh, softplus, stable
from gatetheory.codegen.zeros import complex_zeros, real_zeros
from gatetheory.functions import logistic

X, A, B = sp.symbols("x a b", real=True)


@pytest.mark.parametrize("width", [1e-9, 1e-4, 0.3, 2.0, 50.0])
@pytest.mark.parametrize("centre", [0.0, 1.7, -30.0])
def test_a_pole_goes_to_the_border_of_the_strip(centre: float, width: float) -> None:
    chart = charting.line([(centre, width)])
    t = charting.plane(chart, np.array([centre + 1j * width]))
    if width < 3.0:
        assert abs(t[0].imag) >= min(np.pi / 2, width / 3) - 1e-6


def test_squeezes_do_not_undo_each_other() -> None:
    places = [(0.0, 1e-4), (1.0, 1e-2), (-2.0, 0.3), (0.5, 1.0)]
    chart = charting.line(places)
    for centre, width in places:
        t = charting.plane(chart, np.array([centre + 1j * width]))
        assert not abs(t[0].imag) < charting.RESOLVED - 1e-6


def test_charts_integrate_the_gaussian() -> None:
    with np.errstate(all="ignore"):
        charts = [
            charting.line([]),
            charting.line([(0.3, 1e-5), (2.0, 0.1)]),
            charting.segment(-38.5, 0.4, [(0.4, 1e-3)], downwards=True),
            charting.segment(0.4, 38.5, [(0.4, 1e-3)]),
        ]
    totals = []
    for chart in charts:
        t = np.arange(np.floor(chart.low / 0.1), np.ceil(chart.high / 0.1)) * 0.1
        with np.errstate(all="ignore"):
            origin, offset, rate = chart.nodes(t, ELEMENTARY)
        density = np.exp(-((origin + offset) ** 2) / 2) / np.sqrt(2 * np.pi)
        totals.append(float((0.1 * rate * density).sum()))
    assert totals[:2] == pytest.approx([1.0, 1.0], rel=1e-14)
    assert totals[2] + totals[3] == pytest.approx(1.0, rel=1e-14)


def test_zeros_are_found() -> None:
    grid = np.arange(-10, 10, 0.2)
    roots = np.array([-3 + 0.01j, 1 + 0.5j, 1.5 - 0.2j])

    def polynomial(t: complex | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = np.poly(roots)
        return np.polyval(p, t), np.polyval(np.polyder(p), t)

    found = complex_zeros(polynomial, grid, 1.0)
    assert sorted(found[np.isfinite(found)], key=lambda z: z.real) == pytest.approx(roots)
    crossings = real_zeros(lambda t: (np.sin(np.real(t)), np.cos(np.real(t))), grid)
    assert np.sort(crossings[np.isfinite(crossings)]) == pytest.approx(
        np.pi * np.arange(-3, 4)[: crossings.size]
    )


@pytest.mark.parametrize(
    ("given", "better"),
    [
        (1 - sp.tanh(A) ** 2, sp.sech(A) ** 2),
        (3 - 3 * logistic(A), 3 * logistic(-A)),
        (1 + sp.tanh(A), 2 * logistic(2 * A)),
        (1 / (1 + sp.exp(A)) ** 2, logistic(-A) ** 2),
        (sp.log(1 + sp.exp(A)), softplus(A)),
        (sp.log(sp.cosh(A)), logcosh(A)),
        (sp.exp(A) * sp.sech(B), sp.exp(A - logcosh(B))),
    ],
)
def test_rewriting(given: sp.Expr, better: sp.Expr) -> None:
    assert stable(given) == better


def test_tails_of_generated_code() -> None:
    """Values at ±700 of expressions that cancel or overflow as they stand."""
    f = [1 - sp.tanh(X) ** 2, 1 - logistic(X), sp.exp(X) / (1 + sp.exp(X)), sp.log(1 + sp.exp(X))]
    kernel = compile_kernel([stable(e) for e in f], [X], [], DOUBLES)()
    with np.errstate(over="ignore", under="ignore"):
        right, left = (np.array(kernel(np.array([x]))).ravel() for x in (40.0, -40.0))
        far = np.array(kernel(np.array([-745.0, 2000.0])))
    small = np.exp(-40.0)
    assert right == pytest.approx([4 * small**2, small, 1.0, 40.0], rel=1e-15)
    assert left == pytest.approx([4 * small**2, 1.0, small, small], rel=1e-15)
    assert np.all(np.isfinite(far))

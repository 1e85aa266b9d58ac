"""Time to find every fixed point of ``gated``, beside what one would otherwise write by hand.

Run: ``python benchmarks/fixed_points.py``. The peers solve the one equation that the three order
parameters reduce to, Δ = ⟨tanh²(g h)⟩_Δ ⟨σ²(α r)⟩_{⟨tanh²⟩}, known from the paper:

* doubles: ``scipy.integrate.quad`` for the averages, a scan for sign changes, then ``brentq``;
* many digits: ``mpmath.quad`` and ``findroot``, started next to the one solution wanted.

gatetheory finds all solutions, with residuals and error estimates. Compilation is timed by itself.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import mpmath
import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

import gatetheory as gt
from gatetheory.pipeline import DOUBLE, fixed_point_programs
from gatetheory.solvers.core_problem import Root
from gatetheory.solvers.fixed_points import find_roots
from gatetheory.solvers.refinement import refine_root

T = TypeVar("T")
POINTS: tuple[dict[str, Any], ...] = (
    {"g_h": 3, "alpha_r": 5},
    {"g_h": "1.97", "alpha_r": 4},
    {"g_h": 12, "alpha_r": 18},
)


def timed(work: Callable[[], T], rounds: int = 1) -> tuple[T, float]:
    """The answer, and the shortest time of several."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        answer = work()
        times.append(time.perf_counter() - start)
    return answer, min(times)


def by_hand(gain: float, reset: float) -> list[float]:
    """Non-zero solutions in doubles."""

    def gaussian(f: Callable[[float], float], variance: float) -> float:
        s = np.sqrt(variance)
        density = 1 / np.sqrt(2 * np.pi)
        value, _ = quad(
            lambda x: density * np.exp(-x * x / 2) * f(s * x), -12, 12, epsabs=1e-14, limit=500
        )
        return float(value)

    def excess(delta: float) -> float:
        phi = gaussian(lambda x: np.tanh(gain * x) ** 2, delta)
        return phi * gaussian(lambda x: (1 + np.exp(-reset * x)) ** -2, phi) / delta - 1

    grid = np.geomspace(1e-6, 1, 40)
    values = [excess(d) for d in grid]
    return [
        float(brentq(excess, a, b, xtol=1e-15))
        for a, b, u, v in zip(grid, grid[1:], values, values[1:], strict=False)
        if u * v < 0
    ]


def by_hand_to_digits(gain: Any, reset: Any, near: float, digits: int) -> Any:
    """One solution to many digits, by the secant method."""
    with mpmath.workdps(digits + 5):
        g, a = mpmath.mpf(gain), mpmath.mpf(reset)

        def gaussian(f: Callable[[Any], Any], variance: Any) -> Any:
            s = mpmath.sqrt(variance)
            reach = mpmath.sqrt(2 * (digits + 6) * mpmath.log(10))
            edges = mpmath.linspace(-reach, reach, 9)
            return mpmath.quad(lambda x: mpmath.npdf(x) * f(s * x), edges)

        def excess(delta: Any) -> Any:
            phi = gaussian(lambda x: mpmath.tanh(g * x) ** 2, delta)
            return phi * gaussian(lambda x: (1 + mpmath.exp(-a * x)) ** -2, phi) - delta

        return mpmath.findroot(excess, (near, near * (1 + 1e-9)), solver="secant")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--digits", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    digits = options.digits
    problem = gt.derive(gt.zoo.gated()).fixed_points
    _, compiling = timed(lambda: gt.solve(problem, POINTS[0]))
    programs = fixed_point_programs(problem, DOUBLE)
    exact = fixed_point_programs(problem, digits)
    print(f"compilation and the first solution with its stability: {compiling:.2f} s\n")
    print(f"{'':>26}{'doubles / ms':>26}{f'{digits} digits, one solution / s':>34}")
    print(
        f"{'g_h':>6}{'alpha_r':>8}{'solutions':>12}"
        f"{'gatetheory':>13}{'quad+brentq':>13}{'gatetheory':>17}{'mpmath':>17}{'agree to':>10}"
    )
    for point in POINTS:
        parameters = problem.bind(point)
        found, ours = timed(partial(find_roots, programs, parameters), options.rounds)
        gain, reset = (float(parameters[s]) for s in _symbols(problem, "g_h", "alpha_r"))
        theirs, peer = timed(partial(by_hand, gain, reset), 10)
        nonzero: list[Root] = [r for r in found.roots if float(_delta_h(r)) > 0]
        assert np.allclose([float(_delta_h(r)) for r in nonzero], theirs, rtol=1e-9, atol=0)
        last = nonzero[-1]
        refine_root(exact, last, parameters, digits)  # compiles
        root, slow = timed(partial(refine_root, exact, last, parameters, digits), 3)
        hand, slower = timed(
            partial(by_hand_to_digits, point["g_h"], point["alpha_r"], theirs[-1], digits), 2
        )
        with mpmath.workdps(digits + 5):
            gap = abs(_delta_h(root) / hand - 1)
            agreed = digits if gap == 0 else int(-mpmath.log10(gap))
        print(
            f"{gain:6g}{reset:8g}{len(found.roots):12d}{ours * 1e3:13.2f}{peer * 1e3:13.0f}"
            f"{slow:17.3f}{slower:17.2f}{agreed:10d}"
        )


def _symbols(problem: Any, *names: str) -> list[Any]:
    known = {p.name: p for p in problem.parameters}
    return [known[name] for name in names]


def _delta_h(root: Root) -> Any:
    return next(v for u, v in root.values.items() if u.name == "Delta_h")


if __name__ == "__main__":
    main()

"""Time to find stationary correlations, beside what one would otherwise write by hand.

Run: ``python benchmarks/correlations.py``. The peer iterates C on a uniform grid of lags with
damping: ⟨ψψ⟩ at 48 covariances by a tensor rule with two orthogonal Gaussian directions
(trapezoidal nodes, which for these functions beat Gauss-Hermite nodes) and at all lags by a
polynomial in asin ρ, then the exact exponential kernel with a source that is linear between the
lags, a recursion from lag to lag. It stops when C stands still. It is told the kernels, which lags
suffice, and where to start; its error is due to the step between lags, and the last two steps are
extrapolated. gatetheory is told the parameters
only; it also searches for further solutions and verifies them. Derivation and compilation, once
per model, are timed by themselves.

The error is that of C_h(0), relative to the value gatetheory finds, which itself is checked against
the conservation of energy for ``classical``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from gatetheory.model import Model, zoo
from gatetheory.solvers.correlations import solve_correlations
from gatetheory.solvers.lag_problem import LagProgram
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.single_site import SingleSite

T = TypeVar("T")
Array = NDArray[np.float64]
_TABLE = 48  # covariances at which the peer averages; the rest it interpolates
Function = Callable[[Array], Array]


def timed(work: Callable[[], T], rounds: int = 1) -> tuple[T, float]:
    """The answer, and the shortest time of several."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        answer = work()
        times.append(time.perf_counter() - start)
    return answer, min(times)


@dataclass(frozen=True)
class Settings:
    """Of the peer: step between lags, nodes per direction, relative change at which it stops."""

    step: float
    nodes: int
    stop: float


@dataclass(frozen=True)
class Hand:
    """The peer for one network.

    Args:
        phi: φ(h), which drives r.
        gate: σ_r(r); None if η_h is driven by φ alone.
        rates: Of the kernels of h and r.
        end: Last lag.
    """

    phi: Function
    gate: Function | None
    rates: tuple[float, float]
    end: float

    def solve(self, settings: Settings) -> tuple[float, int]:
        """C_h(0), and the number of iterations."""
        lags = np.arange(0, self.end + settings.step / 2, settings.step)
        h = 0.4 / np.cosh(lags / 6)
        r = h.copy()
        count, change = 0, h
        while np.abs(change).max() > settings.stop * h[0]:
            count += 1
            active = self._pairs(self.phi, h, settings.nodes)
            source = active
            if self.gate is not None:
                moved = smoothed(active, settings.step, self.rates[1])
                r = r + 0.9 * (moved - r)
                source = active * self._pairs(self.gate, r, settings.nodes)
            change = smoothed(source, settings.step, self.rates[0]) - h
            h = h + 0.9 * change
        return float(h[0]), count

    @staticmethod
    def _pairs(f: Function, c: Array, nodes: int) -> Array:
        """⟨f(x) f(y)⟩ at all lags, y = ρ x + √(1−ρ²) z, by a polynomial in asin ρ."""
        u = np.linspace(-8, 8, nodes)
        p = np.exp(-(u**2) / 2)
        p /= p.sum()
        x = np.cos(np.pi * (np.arange(_TABLE) + 0.5) / _TABLE)
        rho = np.sin(np.pi / 2 * x)[:, None, None]
        width = np.sqrt(c[0])
        y = rho * u[:, None] + np.sqrt(1 - rho**2) * u
        table = (f(width * y) @ p) @ (p * f(width * u))
        series = np.polynomial.chebyshev.chebfit(x, table, _TABLE - 1)
        at = np.arcsin(np.clip(c / c[0], -1, 1)) * 2 / np.pi
        return np.asarray(np.polynomial.chebyshev.chebval(at, series), dtype=float)


def smoothed(source: Array, step: float, rate: float) -> Array:
    """∫ (rate/2) e^{−rate|τ−τ'|} S(τ') dτ' for an even S, linear between the lags.

    Beyond the last lag S decays as the kernel's own tail does, which adds next to nothing there.
    """
    x = rate * step
    fade = np.exp(-x)
    # ∫_0^step e^{−rate s} (linear weights) ds · rate
    near = 1 - (1 - fade) / x
    far = (1 - fade) / x - fade
    full = np.concatenate([source[:0:-1], source])
    piece = near * full[1:] + far * full[:-1]
    ahead = np.append(0.0, lfilter([1.0], [1.0, -fade], piece))
    both = ahead + ahead[::-1]
    return np.asarray(both[len(source) - 1 :] / 2, dtype=float)


def logistic(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


CASES: tuple[tuple[str, Callable[[], Model], dict[str, Any], Hand], ...] = (
    (
        "classical, g = 2",
        zoo.classical,
        {"g": 2},
        Hand(lambda x: np.tanh(2 * x), None, (1.0, 1.0), 60.0),
    ),
    (
        "gated, g_h = 3, alpha_r = 5",
        zoo.gated,
        {"g_h": 3, "alpha_r": 5, "tau_r": 2},
        Hand(lambda x: np.tanh(3 * x), lambda x: logistic(5 * x), (0.5, 0.5), 90.0),
    ),
)
LADDER = (
    Settings(0.2, 33, 1e-5),
    Settings(0.1, 41, 1e-7),
    Settings(0.05, 49, 1e-8),
    Settings(0.025, 57, 1e-9),
    Settings(0.0125, 73, 1e-11),
    Settings(0.00625, 73, 1e-12),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for name, make, values, hand in CASES:
        model = make()
        program, deriving = timed(
            lambda m=model: LagProgram(derive_correlations(SingleSite(m), "constant"))
        )
        bound = model.bind(values)
        found, ours = timed(
            lambda p=program, b=bound: solve_correlations(p, b, "benchmark", True), options.rounds
        )
        exact = found[0]["C_h"]
        print(f"{name}: derivation and compilation {deriving:.2f} s")
        known = max(found[0].error, found[0].residual)
        print(f"{'':>14}{'step':>8}{'nodes':>7}{'iterations':>12}{'error':>10}{'time / s':>10}")

        print(f"{'gatetheory':>14}{'':>8}{'':>7}{'':>12}{known:>10.0e}{ours:>10.2f}")
        results: list[tuple[float, float]] = []
        for settings in LADDER:
            (value, count), spent = timed(lambda h=hand, s=settings: h.solve(s))
            results.append((value, spent))
            print(
                f"{'by hand':>14}{settings.step:8g}{settings.nodes:7d}{count:12d}"
                f"{abs(value / exact - 1):10.0e}{spent:10.2f}"
            )
        # Errors of the linear interpolation fall with the square of the step.
        (a, before), (b, last) = results[-2:]
        error = abs((4 * b - a) / 3 / exact - 1)
        print(f"{'extrapolated':>14}{'':>27}{error:10.0e}{before + last:10.2f}\n")


if __name__ == "__main__":
    main()

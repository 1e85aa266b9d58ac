"""``gated`` at a constant update gate, by code that shares nothing with the solver.

A solution is put back into them: averages by a tensor rule, kernels by Gauss-Legendre quadrature.
Where a solver reports no state, damped iteration in the time domain from a wide bump is a witness.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from gatetheory.solvers.correlation_records import CorrelationBranch

Array = NDArray[np.float64]
Function = Callable[[Array], Array]
Values = dict[str, str]

LAGS = (0.0, 0.1, 0.3, 0.6, 1.0, 1.5, 2.5, 4.0, 7.0)  # in half widths
SIZE, REST = 12.0, 1e-4  # last lag of the witness in time constants; what counts as dead


class Law:
    """The equations of ``gated`` at constant update gate, written out once more.

    Args:
        at: Parameters.
    """

    def __init__(self, at: Values) -> None:
        v = {n: float(x) for n, x in at.items()}
        self.gain, self.steep = v["g_h"], v["alpha_r"]
        self.phi: Function = lambda x: np.tanh(v["g_h"] * x + v["beta_h"])
        self.gate: Function = lambda x: (1 + np.tanh((v["alpha_r"] * x - v["beta_r"]) / 2)) / 2
        self.rate_h = 0.5
        self.rate_r = 1 / v["tau_r"] if v["tau_r"] else None

    def active(self, c: float, c0: float) -> float:
        """⟨φφ'⟩."""
        return pair(self.phi, c, c0, np.pi / 2 / self.gain)

    def open(self, c: float, c0: float) -> float:
        """⟨σ_rσ_r'⟩."""
        return pair(self.gate, c, c0, np.pi / max(self.steep, 1e-3))


def pair(f: Function, c: float, c0: float, pole: float) -> float:
    """⟨f(x) f(y)⟩, variances c0, covariance c, by trapezoidal rules whose step follows the pole.

    Args:
        f: The function.
        c: Covariance.
        c0: Variance.
        pole: Distance of the nearest pole of f from the real axis.
    """
    width = np.sqrt(max(c0, 1e-300))
    step = min(0.25, 2 * np.pi * (pole / width) / 34)  # e^{−34}; the width of each is below √2 √c0
    u = np.arange(-8.5, 8.5 + step / 2, step)
    p = np.exp(-(u**2) / 2)
    p /= p.sum()
    plus = np.sqrt(max(c0 + c, 0.0) / 2) * u
    minus = np.sqrt(max(c0 - c, 0.0) / 2) * u
    total = 0.0
    for k, a in enumerate(plus):  # by rows: the table itself may be large
        total += p[k] * float(p @ (f(a + minus) * f(a - minus)))
    return total


def smoothed_at(branch: CorrelationBranch, name: str, rate: float, lags: Array) -> Array:
    """(k/2) ∫ e^{−k|τ−τ'|} S(τ') dτ' at lags, by Gauss-Legendre quadrature between breaks."""
    edges = np.array(branch.point.grid.edges)  # type: ignore[attr-defined]
    x, w = np.polynomial.legendre.leggauss(20)
    result = []
    for lag in lags:
        breaks = np.union1d(edges, [lag] if lag < edges[-1] else [])
        near = lag + np.array([-30, -20, -12, -8, -5, -3, -2, -1, 1, 2, 3, 5, 8, 12, 20, 30]) / rate
        breaks = np.union1d(breaks, near[(near > 0) & (near < edges[-1])])
        middle, half = (breaks[1:] + breaks[:-1]) / 2, np.diff(breaks) / 2
        at = (middle[:, None] + half[:, None] * x).ravel()
        weight = (half[:, None] * w).ravel()
        kernel = rate / 2 * (np.exp(-rate * np.abs(lag - at)) + np.exp(-rate * (lag + at)))
        plateau = branch.plateaus[name]
        result.append(plateau + float((weight * kernel) @ (branch.function(name, at) - plateau)))
    return np.array(result)


def residual(at: Values, branch: CorrelationBranch) -> float:
    """Largest miss of the equations, relative to the source or variance at lag 0."""
    law = Law(at)
    end = float(branch.lags[-1])
    lags = np.array([t for t in np.array(LAGS) * branch.half_width if t < end])
    found = {n: branch.function(n, lags) for n in ("C_h", "C_r", "C_eta_h", "C_phi")}
    found = {n: np.append(v, branch.plateaus[n]) for n, v in found.items()}
    h0, r0 = branch["C_h"], branch["C_r"]
    active = np.array([law.active(c, h0) for c in found["C_h"]])
    gates = np.array([law.open(c, r0) for c in found["C_r"]])
    misses = [
        np.abs(active - found["C_phi"]).max() / active[0],
        np.abs(active * gates - found["C_eta_h"]).max() / (active[0] * gates[0]),
    ]
    for field, source, rate in (("C_h", "C_eta_h", law.rate_h), ("C_r", "C_phi", law.rate_r)):
        image = found[source][:-1] if rate is None else smoothed_at(branch, source, rate, lags)
        image = np.append(image, found[source][-1])
        misses.append(np.abs(image - found[field]).max() / found[field][0])
    return float(max(misses))


def witness(at: Values, count: int = 600, rounds: int = 400) -> float:
    """What damped iteration in the time domain leaves of a wide bump: C_h(0) − C_h(∞)."""
    law = Law(at)
    slow = max(2.0, float(at["tau_r"]))
    step = SIZE * slow / count
    lags = np.arange(count) * step
    h = 0.05 + 0.95 / np.cosh(lags / (3 * slow))
    r = h.copy()
    for _ in range(rounds):
        active = table(law.phi, h, np.pi / 2 / law.gain)
        moved = active if law.rate_r is None else smoothed(active, step, law.rate_r)
        r += 0.8 * (moved - r)
        source = active * table(law.gate, r, np.pi / max(law.steep, 1e-3))
        change = smoothed(source, step, law.rate_h) - h
        h += 0.8 * change
        if np.abs(change).max() < 1e-7 * h[0] or h[0] - h[-1] < REST * h[0] or h[0] < REST**2:
            break
    return float(h[0] - h[-1])


def table(f: Function, c: Array, pole: float, nodes: int = 24) -> Array:
    """⟨f f'⟩ at all lags by a polynomial in asin ρ; a coarse rule is enough here."""
    width = np.sqrt(max(float(c[0]), 1e-300))
    u = np.arange(-6.0, 6.01, min(0.4, 2 * np.pi * pole / width / 10))
    p = np.exp(-(u**2) / 2)
    p /= p.sum()
    x = np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)
    rho = np.sin(np.pi / 2 * x)
    values = []
    for q in rho:
        y = width * (q * u[:, None] + np.sqrt(1 - q**2) * u)
        values.append(float((p * f(width * u)) @ (f(y) @ p)))
    series = np.polynomial.chebyshev.chebfit(x, np.array(values), nodes - 1)
    angle = np.arcsin(np.clip(c / max(float(c[0]), 1e-300), -1, 1)) * 2 / np.pi
    return np.asarray(np.polynomial.chebyshev.chebval(angle, series), dtype=float)


def smoothed(source: Array, step: float, rate: float) -> Array:
    """The kernel on a uniform grid, the source linear between the lags and constant beyond."""
    fade = np.exp(-rate * step)
    near = 1 - (1 - fade) / (rate * step)
    full = np.concatenate([source[:0:-1], source]) - source[-1]
    piece = near * full[1:] + (1 - fade - near) * full[:-1]
    ahead = np.append(0.0, lfilter([1.0], [1.0, -fade], piece))
    both = (ahead + ahead[::-1]) / 2
    return np.asarray(both[len(source) - 1 :] + source[-1], dtype=float)

"""Theories that many tests share, and an independent reference for `gated` made with SciPy."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit
from sympy import Lambda, Symbol, erf

from gatetheory.model import (
    NONNEGATIVE,
    POSITIVE,
    Coupling,
    Field,
    Model,
    Nonlinearity,
    Parameter,
    fields,
    local_field,
    zoo,
)
from gatetheory.theory.derive import Theory, derive


@pytest.fixture(scope="session")
def gated() -> Theory:
    return derive(zoo.gated())


@pytest.fixture(scope="session")
def classical() -> Theory:
    return derive(zoo.classical())


@pytest.fixture(scope="session")
def gru() -> Theory:
    return derive(zoo.gru())


@pytest.fixture(scope="session")
def gated_by_erf() -> Model:
    """A rate erf(g x) that a gate (1 + erf(a r))/2 multiplies; r reads the rate."""
    u = Symbol("u", real=True)
    x, r = fields("x r")
    eta_x, eta_r = local_field("x"), local_field("r")
    g = Parameter("g", 2, POSITIVE, "gain of the rate")
    a = Parameter("a", 10, NONNEGATIVE, "gain of the gate")
    tau = Parameter("tau", 0, NONNEGATIVE, "time constant of the gate")
    phi = Nonlinearity("phi", Lambda(u, erf(g.symbol * u)))
    s = Nonlinearity("s", Lambda(u, (1 + erf(a.symbol * u)) / 2))
    return Model(
        name="gated_by_erf", time="continuous",
        fields=(
            Field(x, drift=-x + eta_x),
            Field(r, drift=-r + eta_r, time_constant=tau.symbol),
        ),
        couplings=(Coupling(eta_x, signal=phi(x) * s(r)), Coupling(eta_r, signal=phi(x))),
        parameters=(g, a, tau), nonlinearities=(phi, s),
    )  # fmt: skip


def average(
    f: Callable[[float], float], variance: float, features: Sequence[tuple[float, float]]
) -> float:
    """⟨f(x)⟩ for x ~ N(0, variance) by scipy.integrate.quad.

    Args:
        f: The function.
        variance: Its argument's variance.
        features: Places where f changes, each with its width; quad is told where to look.
    """
    if variance == 0:
        return f(0.0)
    std = float(np.sqrt(variance))
    edges = {-13.0, 13.0, *map(float, np.arange(-12, 13, 3))}
    for place, width in features:
        edges |= {(place + k * width) / std for k in (-32, -8, -2, -0.5, 0, 0.5, 2, 8, 32)}
    ends = sorted(e for e in edges if abs(e) <= 13)
    weighted = lambda x: f(std * x) * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)  # noqa: E731
    pieces = itertools.pairwise(ends)
    return float(sum(quad(weighted, a, b, epsabs=1e-300, epsrel=1e-11)[0] for a, b in pieces))


@dataclass(frozen=True)
class GatedReference:
    """`gated` by the formulas of Krishnamurthy, Can and Schwab (2022), written by hand."""

    g_h: float = 3.0
    alpha_z: float = 0.0
    alpha_r: float = 5.0
    beta_h: float = 0.0
    beta_z: float = 0.0
    beta_r: float = 0.0
    tau_z: float = 1.0
    tau_r: float = 2.0

    def _phi(self, f: Callable[[float], float], variance: float) -> float:
        place = -self.beta_h / self.g_h
        return average(lambda h: f(self.g_h * h + self.beta_h), variance, [(place, 1 / self.g_h)])

    def _reset(self, f: Callable[[float], float], variance: float) -> float:
        features = [(self.beta_r / self.alpha_r, 1 / self.alpha_r)] if self.alpha_r else []
        return average(lambda r: f(self.alpha_r * r - self.beta_r), variance, features)

    def activity(self, delta: float) -> float:
        """⟨φ²⟩, which is Δ_z and Δ_r."""
        return self._phi(lambda u: float(np.tanh(u) ** 2), delta)

    def slope(self, delta: float) -> float:
        """⟨φ'²⟩."""
        e = lambda u: np.exp(-2 * abs(u))  # noqa: E731
        return self.g_h**2 * self._phi(lambda u: float((4 * e(u) / (1 + e(u)) ** 2) ** 2), delta)

    def gate(self, variance: float) -> float:
        """⟨σ_r²⟩."""
        return self._reset(lambda u: float(expit(u) ** 2), variance)

    def gate_slope(self, variance: float) -> float:
        """⟨σ_r'²⟩."""
        return self.alpha_r**2 * self._reset(lambda u: float((expit(u) * expit(-u)) ** 2), variance)

    def map(self, delta: float) -> float:
        """G(Δ_h)."""
        variance = self.activity(delta)
        return variance * self.gate(variance)

    def update(self, spectral: float, variance: float) -> float:
        """⟨σ_z²/(λ + σ_z)²⟩ at real λ outside the segment."""
        if self.alpha_z == 0 or variance == 0:
            rate = expit(-self.beta_z)
            return float((rate / (spectral + rate)) ** 2)
        if spectral == 0:
            return 1.0
        place = (self.beta_z - np.log1p(1 / spectral)) / self.alpha_z

        def f(z: float) -> float:
            shut = np.exp(min(-self.alpha_z * z + self.beta_z, 600))
            return float(1 / (1 + spectral * (1 + shut)) ** 2)

        return average(f, variance, [(place, 1 / self.alpha_z)])

    def abscissa(self, delta: float) -> tuple[float, str, float]:
        """Its value and origin, and the right side of the boundary equation at λ = 0."""
        variance = self.activity(delta)
        slope, gate = self.slope(delta), self.gate(variance)
        through_gate = variance * self.gate_slope(variance)
        reads_r = through_gate > 0 and self.tau_r > 0
        moving = self.alpha_z > 0 and variance > 0
        rate = float(expit(-self.beta_z))
        pole = max(0.0 if moving else -rate, -1 / self.tau_r if reads_r else -np.inf)

        def level(s: float) -> float:
            """ln of the right side, at distance e^s to the right of the outermost pole."""
            distance = float(np.exp(s))
            spectral = pole + distance
            r = self.tau_r * distance if pole * self.tau_r == -1 else 1 + self.tau_r * spectral
            if moving:
                update = self.update(spectral, variance)
            else:
                update = (rate / (distance if pole == -rate else spectral + rate)) ** 2
            return float(np.log(slope * update * (gate + through_gate / r**2)))

        candidates = []
        if self.tau_z > 0:
            candidates.append((-1 / self.tau_z, "atom"))
        if self.tau_r > 0 and not reads_r:
            candidates.append((-1 / self.tau_r, "atom"))
        if moving:
            candidates.append((0.0, "edge"))
        if level(-300) > 0:
            s = brentq(level, -300, 60, xtol=1e-13, rtol=1e-14)
            candidates.append((pole + float(np.exp(s)), "boundary"))
        at_zero = slope * self.update(0.0, variance) * (gate + through_gate)
        value, origin = max(candidates)
        return value, origin, at_zero


@pytest.fixture(scope="session")
def reference() -> type[GatedReference]:
    return GatedReference

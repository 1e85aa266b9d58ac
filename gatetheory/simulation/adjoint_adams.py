"""Adams–Bashforth schemes, exponential ones too, forward and transposed."""

from __future__ import annotations

import numpy as np

from gatetheory.simulation.adjoint_steps import Point, Step
from gatetheory.simulation.bundle_source import compile_bundle
from gatetheory.simulation.ledger import Evaluation, Ledger
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.network import Network
from gatetheory.simulation.schemes import adams_weights


class AdamsScheme:
    """Adams–Bashforth, exponential where constant leaks a are split off; see ``schemes.Adams``.

    x' = e^{ah} x + h Σ_j w_j(ah) N_{n-j},  N = F - a x. A derivative by the state takes the rates
    remembered from before as given. A leak may depend on parameters, through e^{ah} and w_j too.
    """

    stages = 1

    def __init__(self, network: Network, method: str, step: float) -> None:
        self.network, self.length = network, step
        self.order = int(method[-1])
        self.memory = self.order - 1
        exponential = method.startswith("exponential")
        program = compile_bundle(network.unit, False, False, exponential)
        self._expressions = program.leak
        values = dict(network.values)
        self._leak = np.array([float(e.xreplace(values)) for e in program.leak])
        tables = [adams_weights(a * step, self.order) for a in self._leak]
        self._decay = np.array([decay for decay, _ in tables])[:, None]
        self._weights = [
            np.array([rows[known] for _, rows in tables]) for known in range(self.order)
        ]
        slopes = [_weight_slopes(a * step, self.order) for a in self._leak]
        self._weight_slopes = [
            np.array([rows[known] for rows in slopes]) for known in range(self.order)
        ]

    def start(self, state: Array) -> Point:
        """The state; the first steps have no memory and are of lower order."""
        return Point(state)

    def step(self, point: Point, time: float, length: float) -> tuple[Point, Step]:
        """One step."""
        x, network = point.state, self.network
        at = network.complete(x, time)
        rate = network.unit.law(network.arguments(at), np.empty(network.shape))
        rates = (rate - self._leak[:, None] * x, *point.memory)
        new = self._decay * x
        for j, w in enumerate(self._weights[len(point.memory)].T):
            new = new + length * w[:, None] * rates[j]
        after = Point(new, rates[: self.memory])
        return after, Step(x, (Evaluation(at, time),), length, rates)

    def back(self, step: Step, covector: list[Array], ledger: Ledger) -> list[Array]:
        """Its transpose."""
        after, *remembered = covector
        known, h = len(step.rates) - 1, step.length
        on_rates = [h * w[:, None, None] * after for w in self._weights[known].T]
        for j, extra in enumerate(remembered[: known + 1]):
            on_rates[j] += extra
        leak = self._leak[:, None, None]
        newest = on_rates[0]
        before = self._decay[:, :, None] * after
        before += ledger.through_law(step.evaluations[0], newest) - leak * newest
        if self._leak.any() and len(ledger.slopes.names):
            x = step.before
            by_leak = h * self._decay * np.einsum("fkn,fn->fk", after, x)
            by_leak -= np.einsum("fkn,fn->fk", newest, x)
            for w, rate in zip(self._weight_slopes[known].T, step.rates, strict=True):
                by_leak += h**2 * w[:, None] * np.einsum("fkn,fn->fk", after, rate)
            ledger.by_parameter += ledger.slopes.of_numbers(self._expressions) @ by_leak
        older = on_rates[1:]
        nothing = [np.zeros_like(after)] * (self.memory - len(older))
        return [before, *older, *nothing]


def _weight_slopes(leak: float, order: int) -> list[Array]:
    """dw_j/d(ah): w_j = ∫₀¹ e^{(1-s)ah} ℓ_j(s) ds gives ∫₀¹ (1-s) e^{(1-s)ah} ℓ_j(s) ds."""
    nodes, mass = np.polynomial.legendre.leggauss(24)
    s = (nodes + 1) / 2
    kernel = mass / 2 * (1 - s) * np.exp((1 - s) * leak)
    found = []
    for count in range(1, order + 1):
        lagrange = [
            np.prod([(s + i) / (i - j) for i in range(count) if i != j], axis=0)
            for j in range(count)
        ]
        found.append(np.array([float(np.sum(kernel * values)) for values in lagrange]))
    return found

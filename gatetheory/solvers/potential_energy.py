r"""The energy of an equation C − τ² C'' = S(C; C(0)) to many digits.

Multiplied by C' and integrated from infinite lag to lag 0, where C' vanishes, the equation reads

    E(C₀, p) = ∫_{C∞}^{C₀} (C − S(C; C₀, p)) dC = 0,   C∞ = S(C∞; C₀, p),

    ∂E/∂C₀ = C₀ − S(C₀; C₀) − ∫ ∂S/∂C₀ dC,             ∂E/∂p = −∫ ∂S/∂p dC.

S is singular only at |C| = C₀, and as a function of θ = asin(C/C₀) smooth even there:
Gauss–Legendre quadrature in θ converges fast. E does not change to first order in C∞.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log10
from typing import Any

import flint

from gatetheory.codegen.hermite_ball import working_bits
from gatetheory.codegen.precision_ball import working_precision
from gatetheory.errors import ConvergenceError
from gatetheory.solvers.lag_elimination import SingleEquation
from gatetheory.solvers.potential_values import SourceProgram, in_balls

_SPARE_BITS = 32
_MOST_STEPS = 60


@dataclass(frozen=True)
class Accuracy:
    """How E is evaluated.

    Args:
        digits: Digits of S.
        nodes: Nodes of the quadrature.
    """

    digits: int
    nodes: int

    def refined(self, digits: int) -> Accuracy:
        """More digits and more nodes."""
        return Accuracy(self.digits + digits, ceil(1.4 * self.nodes) + 7)

    def for_step(self, error: float) -> Accuracy:
        """What a step of Newton's method can use where the unknowns are wrong by ``error``."""
        digits = int(-2.2 * log10(min(error, 1.0))) + 20 if error > 0 else self.digits
        if digits > 0.8 * self.digits:
            return self
        return Accuracy(digits, min(self.nodes, first_accuracy(digits).nodes))

    @contextmanager
    def precision(self) -> Iterator[None]:
        """Computes with as many bits."""
        with working_precision(working_bits(self.digits) + _SPARE_BITS):
            yield


@dataclass(frozen=True)
class Energy:
    """E and its derivatives in units of C₀; see the module's text.

    Args:
        value: E / C₀².
        by_equal: (∂E/∂C₀) / C₀.
        by_parameter: (∂E/∂p) / C₀²; zero without an open parameter.
        plateau: C∞.
    """

    value: flint.arb
    by_equal: flint.arb
    by_parameter: flint.arb
    plateau: flint.arb


class EnergyProgram:
    """E of an equation, compiled to balls.

    Args:
        equation: The equation.
    """

    def __init__(self, equation: SingleEquation) -> None:
        self.equation = equation
        self.source = SourceProgram(equation, in_balls)

    def __call__(
        self, equal: flint.arb, parameter: flint.arb, plateau: flint.arb, accuracy: Accuracy
    ) -> Energy:
        """E at a point; to be called at the precision of ``accuracy``.

        Args:
            equal: C₀, exact.
            parameter: P, exact.
            plateau: Start for C∞.
            accuracy: Digits and nodes.

        Raises:
            ConvergenceError: If C∞ is not found.
        """
        rest = self.plateau(equal, parameter, plateau, accuracy)
        low, high = (rest / equal).asin(), flint.arb.pi() / 2
        lags, weights = [], []
        for x, w in legendre(accuracy.nodes, flint.ctx.prec):
            angle = (low + high + (high - low) * x) / 2
            lags.append((equal * angle.sin()).mid())
            weights.append(equal * angle.cos() * w * (high - low) / 2)
        jet = self.source([*lags, equal], equal, parameter, digits=accuracy.digits)
        inside = slice(0, len(lags))

        def integral(values: Any) -> Any:
            return sum((w * v for w, v in zip(weights, values, strict=True)), flint.arb(0))

        scale = equal * equal
        return Energy(
            (integral(c - s for c, s in zip(lags, jet.value[inside], strict=True)) / scale).mid(),
            ((equal - jet.value[-1] - integral(jet.by_equal[inside])) / equal).mid(),
            (-integral(jet.by_parameter[inside]) / scale).mid(),
            rest,
        )

    def plateau(
        self, equal: flint.arb, parameter: flint.arb, start: flint.arb, accuracy: Accuracy
    ) -> flint.arb:
        """C∞ by Newton's method.

        Raises:
            ConvergenceError: If it does not settle.
        """
        x: flint.arb = start
        # E is stationary in C∞, but C∞ itself is a result: it gets its digits too.
        target = equal * flint.arb(10) ** -accuracy.digits
        for _ in range(_MOST_STEPS):
            jet = self.source([x, equal], equal, parameter, digits=accuracy.digits)
            step = ((x - jet.value[0]) / (1 - jet.by_lag[0])).mid()
            x = (x - step).mid()
            if not abs(x) < equal:
                break
            if abs(step) < target:
                return x
        raise ConvergenceError(
            f"the value at infinite lag was not found at C(0) = {equal.str(12, radius=False)}"
        )


@lru_cache(maxsize=8)
def legendre(count: int, bits: int) -> tuple[tuple[flint.arb, flint.arb], ...]:
    """Nodes and weights on [−1, 1] to ``bits`` bits."""
    with working_precision(bits):
        pairs = [flint.arb.legendre_p_root(count, k, weight=True) for k in range(count)]
    return tuple((x.mid(), w.mid()) for x, w in pairs)


def first_accuracy(digits: int) -> Accuracy:
    """An accuracy that mostly suffices: a guard for cancellation next to the onset of chaos."""
    return Accuracy(digits + 12, ceil(1.2 * digits) + 30)

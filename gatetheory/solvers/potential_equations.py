r"""E = 0, at a fold also ∂E/∂C₀ = 0, solved to many digits.

Newton's method with a Jacobian that is computed at few digits and then updated after Broyden's
rule: the steps shrink faster and faster, and no second derivative of an average is needed.
"""

from __future__ import annotations

import flint

from gatetheory.errors import ConvergenceError
from gatetheory.solvers.potential_energy import Accuracy, Energy, EnergyProgram

Vector = list[flint.arb]

APPROACHED = 1e-10
"""Relative error of the unknowns after the approach at few digits."""
_COARSE = Accuracy(32, 60)
_ROUGH = 10  # the same in digits
_DIFFERENCE = 8  # second derivatives are differences over 10^-8
_STEPS = 40
_FAR = 0.2  # largest step of an unknown, relative
_STALLED = 1e-8  # steps smaller than this that no longer shrink are rounding


class PotentialEquations:
    """The equations in C₀, or in C₀ and p.

    Args:
        energy: E.
        plateau: Start for C∞.
    """

    def __init__(self, energy: EnergyProgram, plateau: float) -> None:
        self.energy, self._rest = energy, flint.arb(plateau)
        self.residual = flint.arb(0)

    def _values(self, unknowns: Vector, accuracy: Accuracy) -> tuple[Vector, Energy]:
        equal, parameter = unknowns[0], (unknowns[1:] or [flint.arb(0)])[0]
        e = self.energy(equal, parameter, self._rest, accuracy)
        self._rest = e.plateau
        return [e.value, e.by_equal][: len(unknowns)], e

    def approach(self, unknowns: Vector) -> tuple[Vector, flint.arb_mat]:
        """The solution to few digits, and the inverse Jacobian there."""
        inverse = self._inverse_at(unknowns)
        near, _, _ = self.solve(unknowns, inverse, _COARSE, _ROUGH)
        return near, self._inverse_at(near)

    def _inverse_at(self, unknowns: Vector) -> flint.arb_mat:
        with _COARSE.precision():
            _, e = self._values(unknowns, _COARSE)
            rows = [[(e.by_equal - 2 * e.value) / unknowns[0]]]
            if len(unknowns) > 1:
                rows = [[*rows[0], e.by_parameter], self._second_row(unknowns)]
            return _points(flint.arb_mat(rows).inv())

    def _second_row(self, unknowns: Vector) -> Vector:
        """Derivatives of (∂E/∂C₀)/C₀ by C₀ and by p."""
        row = []
        for i, u in enumerate(unknowns):
            step = (abs(u) * flint.arb(10) ** -_DIFFERENCE).mid()
            if step.is_zero():
                step = (flint.arb(10) ** -_DIFFERENCE).mid()
            ends = []
            for sign in (1, -1):
                moved = [*unknowns]
                moved[i] = (u + sign * step).mid()
                ends.append(self._values(moved, _COARSE)[0][1])
            row.append((ends[0] - ends[1]) / (2 * step))
        return row

    def solve(
        self, unknowns: Vector, inverse: flint.arb_mat, accuracy: Accuracy, digits: int,
        known: float = 1.0,
    ) -> tuple[Vector, flint.arb_mat, Energy]:  # fmt: skip
        """The solution, the updated inverse Jacobian, and E at the last point but one step.

        Args:
            unknowns: Start.
            inverse: Inverse Jacobian.
            accuracy: How E is evaluated.
            digits: Digits of the unknowns.
            known: Relative error of the start, roughly; early steps are done at the accuracy
                that they can use.

        Raises:
            ConvergenceError: If the steps do not shrink.
        """
        x, previous, last = unknowns, None, known
        for _ in range(_STEPS):
            own = accuracy.for_step(last)
            with own.precision():
                values, energy = self._values(x, own)
                self.residual = max((abs(v) for v in values), key=float)
                f = flint.arb_mat([[v] for v in values])
                if previous is not None:
                    inverse = _updated(inverse, *previous, f)
                step = _points(inverse * f)
                sizes = [_ratio(s, u) for s, u in zip(step.entries(), x, strict=True)]
                size = max(sizes)
                settled = size < 10.0**-digits or (size < _STALLED and size > last / 2)
                factor = flint.arb(min(1.0, _FAR / size)) if size > 0 else flint.arb(1)
                step = _points(step * factor)
                x = [(u - s).mid() for u, s in zip(x, step.entries(), strict=True)]
            if settled and own == accuracy:
                return x, inverse, energy
            previous, last = (-step, f), size
        raise ConvergenceError(
            f"C(0) from the energy did not settle (last step {last:.1e} of its size)"
        )


def _updated(
    inverse: flint.arb_mat, step: flint.arb_mat, before: flint.arb_mat, after: flint.arb_mat
) -> flint.arb_mat:
    """Broyden's rule for the inverse Jacobian."""
    change = after - before
    predicted = inverse * change
    row = step.transpose() * inverse
    scale = (row * change)[0, 0]
    if not abs(scale) > 0:
        return inverse
    return _points(inverse + (step - predicted) * row * (1 / scale))


def _points(matrix: flint.arb_mat) -> flint.arb_mat:
    return flint.arb_mat([[v.mid() for v in row] for row in matrix.tolist()])


def _ratio(step: flint.arb, value: flint.arb) -> float:
    size = abs(step)
    return float(size / abs(value)) if not value.is_zero() else float(size)

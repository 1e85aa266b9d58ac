"""Proof that a system of equations has a solution, and an interval that contains it.

For F: ℝⁿ → ℝⁿ, a point c of a box X and any matrix Y, Krawczyk's operator is

    K(X) = c - Y F(c) + (1 - Y F'(X)) (X - c),

where F'(X) contains the Jacobian at every point of X. Every root in X lies in K(X); and if K(X)
lies in the interior of X, there is one root in X, and only one.

Assumptions: F is continuous with a bounded generalised derivative that ``jacobian`` encloses; both
callables return balls that contain the exact values for all arguments in the given balls.

Source: R. Krawczyk, Computing 4, 187 (1969); A. Neumaier, "Interval Methods for Systems of
Equations" (1990), theorem 5.1.8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from flint import arb, arb_mat

from gatetheory.codegen.precision_ball import (
    bits_of,
    decimal_bounds,
    exact_to_ball,
    working_precision,
)
from gatetheory.errors import ConvergenceError, ParameterError

Function = Callable[[list[arb]], Sequence[arb]]
Jacobian = Callable[[list[arb]], Sequence[Sequence[arb]]]

_SPARE_DIGITS = 20
_EXTRA_FIGURES = 5
"""Figures of the intervals beyond those that are asked for: the ends are not blunted by them."""
_FIRST = 2
_GROWTH = 1.4
"""Boxes are tried with radii 10^-2, 10^-2.8, … of the unknowns, down to the accuracy wanted."""
_NEWTON_STEPS = 12
_NEAR_DIGITS = 8
_BLUR_DIGITS = 12
_CONTRACTIONS = 60
_NONE = arb(0)


@dataclass(frozen=True)
class Enclosure:
    """A proved solution.

    Args:
        intervals: (low, high) per unknown: decimal numbers, rounded outward.
        proved: What is proved, in words.
        box: (low, high) per unknown of the larger box in which the solution is the only one,
            rounded inward.
        digits: The intervals are narrower than 2·10^-digits of the unknowns.
        bits: Working precision.
    """

    intervals: tuple[tuple[str, str], ...]
    proved: str
    box: tuple[tuple[str, str], ...]
    digits: int
    bits: int


def prove(function: Function, jacobian: Jacobian, centre: Sequence[Any], digits: int) -> Enclosure:
    """Prove that F has a root near a point and enclose it.

    Args:
        function: F; takes a list of n balls and returns n balls.
        jacobian: F'; returns a nested list, rows belong to equations.
        centre: Approximate root, one number per unknown: exact number, text, mpf or ball (its
            midpoint counts). The better it is, the fewer evaluations are needed.
        digits: Radii wanted: 10^-digits of the unknowns' sizes (of the largest unknown, or of 1,
            for an unknown that is 0).

    Raises:
        ParameterError: If there are no unknowns, or not as many equations as unknowns.
        ConvergenceError: If no box passes the test, or boxes do not shrink as far as asked for.
    """
    if not centre:
        raise ParameterError("there is nothing to prove: no unknowns are given")
    bits = bits_of(digits + _SPARE_DIGITS)
    with working_precision(bits):
        test = _Test(function, jacobian, [exact_to_ball(c).mid() for c in centre], digits)
        box = test.existence()
        # Nothing is proved beyond the box: its ends are rounded inward.
        kept = tuple(decimal_bounds(b, _figures(b), inward=True) for b in box)
        final = test.contracted(box)
        figures = digits + _EXTRA_FIGURES
        intervals = tuple(decimal_bounds(b, figures) for b in final)
    return Enclosure(intervals, _in_words(len(centre), kept), kept, digits, bits)


def _figures(ball: arb) -> int:
    """Significant digits that show a ball's radius to about a thousandth."""
    ratio = abs(ball.mid()) / ball.rad()
    beyond = float((ratio.log() / arb(10).log()).upper()) if ratio > 1 else 0.0
    return 4 + ceil(beyond)


def _in_words(n: int, box: Sequence[tuple[str, str]]) -> str:
    ranges = " × ".join(f"[{low}, {high}]" for low, high in box)
    equations = "the equation has" if n == 1 else f"the {n} equations have"
    return (
        f"{equations} a solution in the given intervals, and no other in {ranges} "
        "(Krawczyk's test in ball arithmetic)"
    )


class _Test:
    """Krawczyk's operator around a centre."""

    def __init__(
        self, function: Function, jacobian: Jacobian, centre: list[arb], digits: int
    ) -> None:
        self.function, self.jacobian, self.digits = function, jacobian, digits
        self.n = len(centre)
        largest = max(map(abs, centre), key=float)
        self.sizes = [abs(c) if c != 0 else largest if largest != 0 else arb(1) for c in centre]
        self._move(centre)

    def _move(self, centre: list[arb], blur: arb = _NONE) -> None:
        """Take another centre, and what belongs to it.

        F(c) is enclosed on a ball around c as wide as ``blur`` (relative): c is but a step on the
        way, and wide balls cost few bits.
        """
        self.blurred = not blur.is_zero()
        self.centre = centre
        values = [arb(v) for v in self.function(self._box_around(blur))]
        if len(values) != self.n:
            raise ParameterError(f"{len(values)} equations for {self.n} unknowns")
        if not all(v.is_finite() for v in values):
            raise ConvergenceError(
                "the equations have no finite value at the approximate solution; "
                "give a better one, or evaluate with more digits"
            )
        self.residual = arb_mat([[v] for v in values])

    # ---- the operator ----------------------------------------------------------------------------

    def _image(self, box: list[arb]) -> tuple[list[arb], list[arb]] | None:
        """K(X) and Newton's step -Y F(c); None if the Jacobian says nothing on the box.

        The centre need not lie in X: the Jacobian is taken on the hull of both, which is convex.
        """
        hull = [b.union(c) for b, c in zip(box, self.centre, strict=True)]
        rows = [[arb(v) for v in row] for row in self.jacobian(hull)]
        if [len(r) for r in rows] != [self.n] * self.n:
            raise ParameterError(f"the Jacobian is not of shape {self.n} × {self.n}")
        if not all(v.is_finite() for row in rows for v in row):
            return None
        slopes = arb_mat(rows)
        try:
            inverse = slopes.mid().inv().mid()
        except ZeroDivisionError:
            return None
        away = arb_mat([[b - c] for b, c in zip(box, self.centre, strict=True)])
        one = arb_mat([[int(i == k) for k in range(self.n)] for i in range(self.n)])
        step = (-inverse * self.residual).entries()
        spread = ((one - inverse * slopes) * away).entries()
        image = [c + s + r for c, s, r in zip(self.centre, step, spread, strict=True)]
        return image, step

    # ---- from a box to the root ------------------------------------------------------------------

    def existence(self) -> list[arb]:
        """The largest of the boxes tried that passes the test.

        Raises:
            ConvergenceError: If none does.
        """
        self._polish()
        exponent = float(_FIRST)
        while exponent < self.digits + _SPARE_DIGITS / 2:
            box = self._box_around(arb(10) ** -round(exponent))
            found = self._image(box)
            if found is not None and all(
                b.contains_interior(k) for b, k in zip(box, found[0], strict=True)
            ):
                return box
            exponent *= _GROWTH
        raise ConvergenceError(
            "no box around the approximate solution passes the test of existence: it may be no "
            "solution, a double one (its Jacobian is singular), or be known to too few digits; "
            "check it, or evaluate the equations with more digits"
        )

    def _polish(self) -> None:
        """Newton's method from a rough centre; the blurred Jacobian costs few bits."""
        for _ in range(_NEWTON_STEPS):
            found = self._image(self._box_around(arb(10) ** -_BLUR_DIGITS))
            if found is None:
                return
            moved = [(c + s).mid() for c, s in zip(self.centre, found[1], strict=True)]
            far = _largest(found[1], self.sizes)
            if far < arb(10) ** -_NEAR_DIGITS or far > 1:
                return
            self._move(moved, self._square(far))

    def _square(self, error: arb) -> arb:
        """Accuracy (relative) of the equations worth while if Newton's step squares the error."""
        return (error**2 / 100).max(arb(10) ** -(self.digits + _SPARE_DIGITS // 2)).mid()

    def _box_around(self, factor: arb) -> list[arb]:
        radii = [(factor * s).upper() for s in self.sizes]
        return [arb(c, r) for c, r in zip(self.centre, radii, strict=True)]

    def contracted(self, box: list[arb]) -> list[arb]:
        """The box shrunk to the accuracy wanted; it keeps the root.

        Raises:
            ConvergenceError: If it stops to shrink before.
        """
        goal = arb(10) ** -self.digits
        for _ in range(_CONTRACTIONS):
            found = self._image(box)
            if found is None:
                break
            image, step = found
            smaller = [b.intersection(k) for b, k in zip(box, image, strict=True)]
            if all(b.rad() < goal * s for b, s in zip(smaller, self.sizes, strict=True)):
                return smaller
            gained = any(b.rad() < a.rad() / 2 for a, b in zip(box, smaller, strict=True))
            off = self.blurred or any(
                abs(s) > 4 * b.rad() and abs(s) > goal * z / 4
                for s, b, z in zip(step, smaller, self.sizes, strict=True)
            )
            box = smaller
            if off:
                radius = _largest([b.rad() for b in box], self.sizes)
                self._move([b.mid() for b in box], self._square(radius))
            elif not gained:
                break
        radius = _largest([b.rad() for b in box], self.sizes)
        raise ConvergenceError(
            f"a solution is proved, but enclosed only within {radius.str(3, radius=False)} of its "
            f"size, not 10^-{self.digits}; evaluate the equations with more digits"
        )


def _largest(errors: Sequence[arb], sizes: Sequence[arb]) -> arb:
    """Largest relative error, an exact number."""
    ratios = [(abs(e) / s).upper() for e, s in zip(errors, sizes, strict=True)]
    largest = ratios[0]
    for r in ratios[1:]:
        largest = largest if largest > r else r
    return largest

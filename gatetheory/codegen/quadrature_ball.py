"""Averages over one Gaussian variable, enclosed in balls.

    ⟨f(x)⟩ = ∫ f(su) e^{-u²/2} du/√(2π),    x ~ N(0, V),  s = √V.

The tails |u| > R are bounded by :mod:`~gatetheory.codegen.growth_ball`. The rest is enclosed by the
trapezoidal rule in a strip that is proven free of singularities, or, where there is none or it is
very thin, by flint's adaptive Gauss-Legendre rule with ellipses (Petras' algorithm), which also
takes kinks and jumps.

Source: F. Johansson, "Numerical integration in arbitrary-precision ball arithmetic", ICMS 2018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import sympy
from flint import acb, arb
from sympy import Dummy, Expr, Symbol

from gatetheory.codegen.functions_ball import ANALYTIC, BALLS
from gatetheory.codegen.growth_ball import HalfLine, refuse_unbounded
from gatetheory.codegen.integrand import analyse
from gatetheory.codegen.kernels import compile_kernel
from gatetheory.codegen.lowering import Quadrature
from gatetheory.codegen.precision_ball import working_precision
from gatetheory.codegen.rewriting import stable
from gatetheory.codegen.trapezoid_ball import BOX_BITS, Rule, choose_rule, trapezoid
from gatetheory.errors import ConvergenceError, DerivationError, ParameterError

_WIDENINGS = 24
_SPARE_BITS = 16
"""Averages are computed to so many bits more than their arguments are known to."""
_BISECTION = 1.5
_KINK_BITS = 3
_EVALUATIONS = (4000, 40)
"""Most evaluations of a bisection: so many, and so many per bit."""


class BallQuadrature:
    """Several averages over variables of one and the same variance.

    Args:
        members: The averages; each over one variable, with equal covariances.

    Raises:
        DerivationError: If an average ties several variables together.
    """

    def __init__(self, members: Sequence[Quadrature]) -> None:
        for q in members:
            if len(q.variables) != 1:
                names = ", ".join(map(str, q.variables))
                raise DerivationError(
                    f"the average of {q.integrand} ties the variables {names} together; only "
                    "averages over one Gaussian variable are enclosed in balls"
                )
        self.members = tuple(members)
        self.x = Dummy("x", real=True)
        self.variance: Expr = members[0].covariance[0, 0]
        self.integrands = [stable(q.integrand.xreplace({q.variables[0]: self.x})) for q in members]
        free = {s for f in self.integrands for s in f.free_symbols} - {self.x}
        self.outer: tuple[Symbol, ...] = tuple(sorted(free, key=lambda s: s.sort_key()))
        for f in self.integrands:
            refuse_unbounded(f, self.x)
        self._even = [_has_parity(f, self.x, 1) for f in self.integrands]
        self._odd = [_has_parity(f, self.x, -1) for f in self.integrands]
        self._balls = compile_kernel(self.integrands, [self.x], self.outer, BALLS)
        self._analytic = compile_kernel(self.integrands, [self.x], self.outer, ANALYTIC)
        analysed = [analyse(q) for q in members]
        self._is_analytic = all(a.is_analytic for a in analysed)
        self._has_curves = any(a.curves for a in analysed)
        slots = [t for a in analysed for t in a.slots if math.isfinite(t.reach)]
        self._reaches = [t.reach for t in slots]
        self._slopes = compile_kernel([t.slopes[0] for t in slots], [], self.outer, BALLS)

    def __call__(self, variance: arb, values: Sequence[arb], bits: int) -> list[arb]:
        """Enclosures for all variances and values in the given balls.

        Args:
            variance: V; only its part that is not negative counts.
            values: One per symbol of ``outer``.
            bits: Accuracy wanted, relative to the size of f.

        Raises:
            ParameterError: If the variance is negative.
            ConvergenceError: If the tails do not fall under any bound.
        """
        if variance < 0:
            raise ParameterError(f"the variance {self.variance} is negative: {variance}")
        if variance.is_zero():
            with working_precision(bits + _SPARE_BITS):
                return [arb(v) for v in self._balls(*values)(arb(0))]
        known = min((int(v.rel_one_accuracy_bits()) for v in (variance, *values)), default=bits)
        # Where a kink or a jump may lie, bisection is in vain: it ends before.
        spare = _SPARE_BITS if self._is_analytic else -_KINK_BITS
        bits = max(min(bits, known + spare), _SPARE_BITS)
        with working_precision(bits + BOX_BITS):
            s = BALLS.names["sqrt"](variance)
        scales = self._scales(s, values)
        goals = [scale * arb(2) ** -bits for scale in scales]
        reach, tails = self._reach(s, values, goals, bits)
        rule = self._rule(s, values, reach, goals, bits)
        if rule is not None:
            reach, tails = rule.reach, self._tails(s, values, rule.reach) or tails
            integrals = trapezoid(
                lambda: self._balls(*values), s, rule, scales, bits, even=all(self._even)
            )
        else:
            integrals = self._bisected(s, values, reach, goals, bits)
        with working_precision(bits + BOX_BITS):
            norm = (2 * arb.pi()).sqrt()
            averages = [i / norm + arb(0, t) for i, t in zip(integrals, tails, strict=True)]
            return [arb(0) if o else a for a, o in zip(averages, self._odd, strict=True)]

    # ---- sizes and tails -------------------------------------------------------------------------

    def _scales(self, s: arb, values: Sequence[arb]) -> list[arb]:
        """Rough sizes of the integrands, as units of accuracy; nothing is proven by them."""
        with working_precision(BOX_BITS):
            kernel = self._balls(*values)
            samples = [kernel(s.mid() * arb(u)) for u in (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)]
            sizes = [
                max((abs(arb(v).mid()) for v in column), key=float)
                for column in zip(*samples, strict=True)
            ]
            return [size if size.is_finite() and size > 0 else arb(1) for size in sizes]

    def _reach(
        self, s: arb, values: Sequence[arb], goals: Sequence[arb], bits: int
    ) -> tuple[float, list[arb]]:
        """R, beyond which the integrals are below what is wanted, and proven bounds of them."""
        reach = math.sqrt(2 * math.log(2) * bits) + 1
        for _ in range(_WIDENINGS):
            tails = self._tails(s, values, reach)
            if tails is not None and all(t < g for t, g in zip(tails, goals, strict=True)):
                return reach, tails
            reach *= 1.1
        names = ", ".join(map(str, self.integrands))
        raise ConvergenceError(
            f"no bound of the tails of the average of {names} falls below the accuracy wanted; "
            "the average may not exist, or its parameters are known too badly"
        )

    def _tails(self, s: arb, values: Sequence[arb], reach: float) -> list[arb] | None:
        with working_precision(BOX_BITS):
            start = arb(reach)
            given = dict(zip(self.outer, values, strict=True))
            sides = [HalfLine(self.x, sign * s, start, given) for sign in (1, -1)]
            bounds: list[arb] = []
            for f, even in zip(self.integrands, self._even, strict=True):
                total = arb(0)
                for side in sides[: 1 if even else 2]:
                    part = side(f).tail(start)
                    if part is None:
                        return None
                    total += part * (2 if even else 1)
                bounds.append(total.upper())
            return bounds

    # ---- rules -----------------------------------------------------------------------------------

    def _rule(
        self, s: arb, values: Sequence[arb], reach: float, goals: Sequence[arb], bits: int
    ) -> Rule | None:
        """A trapezoidal rule, if one can be proven that is faster than bisection."""
        if not self._is_analytic or self._has_curves:
            return None
        with working_precision(BOX_BITS):
            kernel = self._analytic(*values)
            slopes = [float(abs(arb(k) * s).upper()) for k in self._slopes(*values)()]
        nearest = min(
            (r / k for r, k in zip(self._reaches, slopes, strict=True) if k), default=math.inf
        )
        # Bisection needs about so many evaluations (measured), for each output anew.
        most = round(_BISECTION * bits**1.3 * len(goals)) // (1 if all(self._even) else 2)
        return choose_rule(kernel, s, reach, nearest, goals, bits, most)

    def _bisected(
        self, s: arb, values: Sequence[arb], reach: float, goals: Sequence[arb], bits: int
    ) -> list[arb]:
        """Flint's adaptive rule, one output after the other."""
        results = []
        with working_precision(bits + _SPARE_BITS):
            exact, analytic = self._balls(*values), self._analytic(*values)
            for i, goal in enumerate(goals):

                def integrand(u: acb, must_be_analytic: bool, i: int = i) -> Any:
                    kernel = analytic if must_be_analytic else exact
                    return acb(kernel(s * u)[i]) * (-u * u / 2).exp()

                integral = acb.integral(
                    integrand,
                    arb(-reach),
                    arb(reach),
                    rel_tol=arb(2) ** -bits,
                    abs_tol=goal,
                    eval_limit=_EVALUATIONS[0] + _EVALUATIONS[1] * bits,
                )
                results.append(integral.real)
        return results


def _has_parity(f: Expr, x: Symbol, sign: int) -> bool:
    mirrored = sign * f.xreplace({x: -x})
    return bool(mirrored == f or sympy.expand(mirrored - f) == 0)

"""Hermite coefficients of functions of a Gaussian variable, to many digits.

    f_k = ⟨f(σu) he_k(u)⟩,   u ~ N(0, 1),   he_k = He_k/√k!,

by the trapezoidal rule, for many f and all k < K at once, from tables of he_k at the nodes
(:mod:`gatetheory.codegen.hermite_table`). What is left out at K is known from Parseval's sum, with
t_f = ⟨f²⟩ − Σ_{k<K} f_k²:

    | Σ_{k≥K} f_k g_k ρ^k |  ≤  |ρ|^K √(t_f t_g).

Quadrature errors are bounded (see :mod:`gatetheory.codegen.strip_ball`); rounding errors of the
recurrence are estimated, with room, by K² units of the last place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, inf, log, log2, sqrt

import flint

from gatetheory.codegen.hermite_table import fixed, hermite_table
from gatetheory.codegen.precision_ball import working_precision
from gatetheory.codegen.strip_ball import Functions, Strip, find_strip, log_hermite
from gatetheory.errors import ConvergenceError

MOST_TERMS = 20_000
_GUARD = 6  # digits beyond those asked for


@dataclass(frozen=True)
class HermiteSeries:
    """Coefficients of several functions.

    Args:
        coefficients: f_k for every function, with radii; shape (functions, K).
        squares: ⟨f²⟩ for every function.
        tails: Upper bounds on t_f.
    """

    coefficients: tuple[tuple[flint.arb, ...], ...]
    squares: tuple[flint.arb, ...]
    tails: tuple[flint.arb, ...]

    @property
    def terms(self) -> int:
        """K."""
        return len(self.coefficients[0])

    @property
    def averages(self) -> tuple[flint.arb, ...]:
        """⟨f⟩ of every function."""
        return tuple(c[0] for c in self.coefficients)

    @cached_property
    def _remainders(self) -> list[list[flint.arb]]:
        """Upper bounds on what is left of ⟨f²⟩ before every order, shape (functions, K + 1)."""
        table = []
        for own, tail in zip(self.coefficients, self.tails, strict=True):
            sums = [tail]
            for c in reversed(own):
                sums.append((sums[-1] + c.abs_upper() ** 2).upper())
            table.append(sums[::-1])
        return table

    def tail(self, function: int, terms: int) -> flint.arb:
        """Upper bound on Σ f_k² over k ≥ terms, terms ≤ K."""
        return self._remainders[function][terms]

    def suffices(self, digits: int, decay: float) -> bool:
        """Whether |Σ_{k≥K} f_k g_k ρ^k| is below the digits, relative to √(⟨f²⟩⟨g²⟩).

        Args:
            digits: The digits.
            decay: log 1/|ρ|.
        """
        return _suffices(self.terms, self.squares, self.tails, digits, decay)


def _suffices(
    terms: int,
    squares: Sequence[flint.arb],
    tails: Sequence[flint.arb],
    digits: int,
    decay: float,
) -> bool:
    limit = -digits * log(10)
    return all(
        t.is_zero() or float((t / q).log().upper()) - terms * decay < limit
        for q, t in zip(squares, tails, strict=True)
        if q > 0
    )


def working_bits(digits: int) -> int:
    """Working precision for coefficients of so many digits."""
    return ceil((digits + _GUARD) * log2(10)) + 2 * ceil(log2(MOST_TERMS)) + 10


class HermiteProjector:
    """Projects functions of σu on Hermite polynomials; analyses the functions once.

    Args:
        functions: f(σu) on balls, at the current precision.
        digits: Digits of coefficients relative to √⟨f²⟩.

    Raises:
        ConvergenceError: If the functions are not analytic near the real axis.
    """

    def __init__(self, functions: Functions, digits: int) -> None:
        self.functions, self.digits = functions, digits
        self.exponent = (digits + _GUARD) * log(10)
        self.strip: Strip = find_strip(functions, self.exponent)

    def project(self, decay: float | None) -> HermiteSeries:
        """As many coefficients as ⟨f g⟩ needs.

        Args:
            decay: log 1/|ρ| at the largest correlation; None for averages over one variable.

        Raises:
            ConvergenceError: If more than ``MOST_TERMS`` terms are needed.
        """
        with working_precision(working_bits(self.digits)):
            if decay is None:
                return self._project(1, inf)
            terms = self._expected(decay)
            while True:
                if terms > MOST_TERMS:
                    raise ConvergenceError(
                        f"averages over this pair need about {terms} terms of a Hermite series for "
                        f"{self.digits} digits, more than {MOST_TERMS}: a function is singular at "
                        f"{self.strip.reach:.2g} standard deviations from the real axis; ask for "
                        "fewer digits"
                    )
                series = self._project(terms, decay)
                if series.suffices(self.digits + 1, decay):
                    return series
                terms = int(1.5 * terms) + 32

    def _expected(self, decay: float) -> int:
        """Terms that the height of the strip leads to expect: f_k falls like e^{−β√k}."""
        needed = (self.digits + 2) * log(10) + 3
        reach = self.strip.reach
        root = needed / (reach + sqrt(reach * reach + decay * needed))
        return int(1.2 * root * root) + 24

    def _project(self, terms: int, decay: float) -> HermiteSeries:
        """Up to ``terms`` coefficients, fewer where fewer suffice."""
        bits = working_bits(self.digits)
        # The sum ends where f he_k e^{−u²/2} is hidden; he_k exceeds e^{u²/4} by B_k(0).
        span = sqrt(self.strip.span**2 + 4 * log_hermite(terms, 0.0))
        mantissa, power = self.strip.step(terms, self.exponent)
        count = int(span / (mantissa / 2**power)) + 2
        table = hermite_table(mantissa, power, -16 * (-count // 16), bits)
        even, odd, squares = self._sampled(table.step, len(table.lifts))
        folded = [
            flint.fmpz_mat(
                [
                    [fixed(v, bits + lift) for v in row]
                    for row, lift in zip(part, table.lifts, strict=True)
                ]
            )
            for part in (even, odd)
        ]
        error = (flint.arb(-self.exponent).exp() * 4).upper()
        radii = [flint.arb(0, (error * q.sqrt()).upper()) for q in squares]
        scale = flint.arb(2) ** (-2 * bits)
        found: list[list[flint.arb]] = [[] for _ in squares]
        rest = list(squares)
        for block in table.blocks():
            halves = (block.even * folded[0]).tolist(), (block.odd * folded[1]).tolist()
            for k, root in enumerate(block.roots[: terms - len(found[0])]):
                factor = root * scale
                for i, value in enumerate(halves[k % 2][k // 2]):
                    middle = (factor * value).mid()
                    rest[i] -= middle * middle
                    found[i].append(middle + radii[i])
            known = len(found[0])
            tails = [_upper(t, q, error, known) for t, q in zip(rest, squares, strict=True)]
            if known >= terms or _suffices(known, squares, tails, self.digits + 1, decay):
                break
        return HermiteSeries(tuple(map(tuple, found)), tuple(squares), tuple(tails))

    def _sampled(
        self, step: flint.arb, count: int
    ) -> tuple[list[list[flint.arb]], list[list[flint.arb]], list[flint.arb]]:
        """w_j (f(u_j) ± f(−u_j)), shape (nodes, functions), and ⟨f²⟩."""
        norm = step / (2 * flint.arb.pi()).sqrt()
        even, odd = [], []
        squares: list[flint.arb] = []
        for j in range(count):
            u = step * j
            weight = norm * (-u * u / 2).exp()
            right = [_real(v) for v in self.functions(flint.acb(u))]
            if not j:
                even.append([weight * v for v in right])
                odd.append([flint.arb(0)] * len(right))
                squares = [weight * v * v for v in right]
                continue
            left = [_real(v) for v in self.functions(flint.acb(-u))]
            even.append([weight * (a + b) for a, b in zip(right, left, strict=True)])
            odd.append([weight * (a - b) for a, b in zip(right, left, strict=True)])
            squares = [
                q + weight * (a * a + b * b) for q, a, b in zip(squares, right, left, strict=True)
            ]
        for q in squares:
            if not q.is_finite():
                raise ConvergenceError("a function is not finite where it is averaged")
        return even, odd, squares


def _real(value: flint.arb | flint.acb | int) -> flint.arb:
    if isinstance(value, flint.acb):
        return value.real
    return flint.arb(value)


def _upper(tail: flint.arb, square: flint.arb, error: flint.arb, terms: int) -> flint.arb:
    """Upper bound on t_f ≥ 0, given that every f_k may be wrong by error · √⟨f²⟩."""
    room = square * error * (2 * flint.arb(terms).sqrt() + terms * error)
    return (abs(tail) + room).upper()

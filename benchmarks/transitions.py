"""Time to find transitions, beside what one would otherwise write with mpmath.

Run: ``python benchmarks/transitions.py [--digits 50] [--slow]``. Works:

* the fold of ``gated`` at α_r = 10 to many digits; the peer solves the same two equations,
  F(Δ) = Δ and F'(Δ) = 1, by ``mpmath.quad`` inside ``mpmath.diff`` inside ``mpmath.findroot`` (its
  derivatives by difference quotients), everything at library defaults, started at five digits;
* the same fold to 1000 digits;
* the onset of chaos at α_r = 10, τ_r = 1 to 30 digits, confirmed by a second evaluation;
* a curve of folds g_h(α_r) in doubles.

gatetheory starts from nothing but the range of g_h. Processor time; derivation and compilation are
included in the first line of each and left out in the second.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, TypeVar

import mpmath

import gatetheory as gt

T = TypeVar("T")
RESET = 10


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """The answer, and the processor time it took."""
    start = time.process_time()
    answer = work()
    return answer, time.process_time() - start


def by_hand(digits: int) -> tuple[Any, Any]:
    """Δ_h and g_h of the fold, as one would write it from the paper's equations."""

    def average(f: Callable[[Any], Any], variance: Any) -> Any:
        s = mpmath.sqrt(variance)
        return mpmath.quad(lambda x: f(s * x) * mpmath.npdf(x), [-mpmath.inf, mpmath.inf])

    def image(delta: Any, gain: Any) -> Any:
        inner = average(lambda h: mpmath.tanh(gain * h) ** 2, delta)
        return inner * average(lambda r: 1 / (1 + mpmath.exp(-RESET * r)) ** 2, inner)

    def conditions(delta: Any, gain: Any) -> list[Any]:
        slope = mpmath.diff(lambda d: image(d, gain), delta)
        return [image(delta, gain) - delta, slope - 1]

    with mpmath.workdps(digits):
        delta, gain = mpmath.findroot(conditions, (mpmath.mpf("0.02207"), mpmath.mpf("1.75398")))
        return +delta, +gain


def line(name: str, seconds: float, note: str = "") -> None:
    """One row of the table."""
    print(f"{name:<58} {seconds:9.2f} s  {note}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--digits", type=int, default=50, help="of the fold, by default 50")
    parser.add_argument("--slow", action="store_true", help="1000 digits and chaos as well")
    options = parser.parse_args()
    theory, derivation = timed(lambda: gt.derive(gt.zoo.gated()))
    at = {"alpha_r": RESET}
    fold, first = timed(
        lambda: gt.find_transition(theory, "fold", "g_h", at, digits=options.digits)
    )
    line(f"fold, {options.digits} digits, from the model on", derivation + first)
    fold, again = timed(
        lambda: gt.find_transition(theory, "fold", "g_h", at, digits=options.digits)
    )
    line(f"fold, {options.digits} digits, compiled", again, f"{fold[0].digits} digits agree")
    near, narrow = timed(
        lambda: gt.find_transition(
            theory, "fold", "g_h", at, digits=options.digits, between=("1.7", "1.8")
        )
    )
    line("  the same in g_h from 1.7 to 1.8", narrow)
    (_, gain), slow = timed(lambda: by_hand(options.digits))
    with mpmath.workdps(options.digits + 10):
        gap = abs(gain - near.value)
    line("  mpmath.quad, diff and findroot", slow, f"off by {mpmath.nstr(gap, 2)}")
    print(f"  ratio {slow / first:.0f} with compilation, {slow / again:.0f} without")
    curve, seconds = timed(
        lambda: gt.trace_transition(
            theory, "fold", "g_h", "alpha_r", between=(1, 3), over_between=(1, 20)
        )
    )
    count = len(curve[0].first)
    line("curve of folds, alpha_r from 1 to 20, starts included", seconds, f"{count} points")
    if options.slow:
        long, seconds = timed(lambda: gt.find_transition(theory, "fold", "g_h", at, digits=1000))
        line("fold, 1000 digits", seconds, f"{long[0].digits} digits agree")
        chaos, seconds = timed(
            lambda: gt.find_transition(
                theory, "chaos", "g_h", at | {"tau_r": 1}, between=("1.7", "2.1"), digits=30
            )
        )
        line("chaos, tau_r = 1, 30 digits, confirmed", seconds, f"{chaos[0].digits} digits agree")


if __name__ == "__main__":
    main()

"""Gaussian averages: time and error, beside what one would otherwise write.

Run: ``python benchmarks/averages.py``. The peers, for ⟨f(x)⟩ with x of variance 1:

* ``scipy.integrate.quad`` (``dblquad``) over ±12 standard deviations, tolerances at their tightest;
* Gauss-Hermite quadrature with 50 nodes (50 × 50);
* ``mpmath.quad`` over the same range, in pieces of three standard deviations, at 15 digits.

Errors are relative to a reference of 20 digits. The estimate is what gatetheory claims. Compilation
is not timed (milliseconds, once).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from math import pi, sqrt
from typing import Any, NamedTuple

import mpmath
import numpy as np
import scipy.integrate
import scipy.special
import sympy as sp
from sympy import Expr

from gatetheory.codegen import mpmath_backend, numpy_backend
from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import logistic

X, Y = sp.symbols("x y", real=True)
G, B, V, R = sp.symbols("g b V rho", real=True)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(50)
WEIGHTS = WEIGHTS / sqrt(2 * pi)


PIECES = [-12, -9, -6, -3, 0, 3, 6, 9, 12]


class Case(NamedTuple):
    """An integrand: for gatetheory, as a double function, as an mpmath function."""

    name: str
    expression: Expr
    function: Callable[[Any], Any]
    precise: Callable[[Any], Any]


def sigmoid(x: Any) -> Any:
    return scipy.special.expit(x)


def precise_sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


CASES = (
    Case("tanh²(x)", sp.tanh(X) ** 2, lambda x: np.tanh(x) ** 2, lambda x: mpmath.tanh(x) ** 2),
    Case(
        "tanh²(5x)", sp.tanh(5 * X) ** 2,
        lambda x: np.tanh(5 * x) ** 2, lambda x: mpmath.tanh(5 * x) ** 2,
    ),
    Case(
        "logistic²(50x − 20)", logistic(50 * X - 20) ** 2,
        lambda x: sigmoid(50 * x - 20) ** 2, lambda x: precise_sigmoid(50 * x - 20) ** 2,
    ),
    Case(
        "sech⁴(10⁴x − 500)", sp.sech(10000 * X - 500) ** 4,
        lambda x: 1 / np.cosh(np.clip(10000 * x - 500, -170, 170)) ** 4,
        lambda x: mpmath.sech(10000 * x - 500) ** 4,
    ),
    Case(
        "logistic(3x − 60)", logistic(3 * X - 60),
        lambda x: sigmoid(3 * x - 60), lambda x: precise_sigmoid(3 * x - 60),
    ),
    Case(
        "step(x − ½) tanh(3x)", sp.Heaviside(X - sp.Rational(1, 2)) * sp.tanh(3 * X),
        lambda x: (x > 0.5) * np.tanh(3 * x), lambda x: (x > 0.5) * mpmath.tanh(3 * x),
    ),
    Case(
        "σ²/|λ + σ|², y = 10⁻²",
        logistic(5 * X) ** 2
        / ((logistic(5 * X) - sp.Rational(3, 10)) ** 2 + sp.Rational(1, 10**4)),
        lambda x: sigmoid(5 * x) ** 2 / ((sigmoid(5 * x) - 0.3) ** 2 + 1e-4),
        lambda x: precise_sigmoid(5 * x) ** 2
        / ((precise_sigmoid(5 * x) - mpmath.mpf("0.3")) ** 2 + mpmath.mpf("1e-4")),
    ),
    Case(
        "σ²/|λ + σ|², y = 10⁻⁹",
        logistic(5 * X) ** 2
        / ((logistic(5 * X) - sp.Rational(3, 10)) ** 2 + sp.Symbol("y", real=True) ** 2),
        lambda x: sigmoid(5 * x) ** 2 / ((sigmoid(5 * x) - 0.3) ** 2 + 1e-18),
        lambda x: precise_sigmoid(5 * x) ** 2
        / ((precise_sigmoid(5 * x) - mpmath.mpf("0.3")) ** 2 + mpmath.mpf("1e-18")),
    ),
)  # fmt: skip


def timed(work: Callable[[], Any], rounds: int = 5) -> tuple[Any, float]:
    """The answer, and the shortest time of a call."""
    answer, best = work(), np.inf
    for _ in range(rounds):
        start = time.perf_counter()
        calls = 0
        while time.perf_counter() - start < 0.02:
            work()
            calls += 1
        best = min(best, (time.perf_counter() - start) / calls)
    return answer, best


def density(x: Any) -> Any:
    return np.exp(-x * x / 2) / sqrt(2 * pi)


def cell(seconds: float, error: float) -> str:
    unit, scale = ("ms", 1e3) if seconds >= 1e-3 else ("µs", 1e6)
    return f"{seconds * scale:7.3g} {unit} {error:8.0e}"


def one_variable() -> None:
    print(f"{'one variable':24}{'gatetheory':>21}{'estimate':>11}{'quad':>21}"
          f"{'Gauss-Hermite 50':>21}{'mpmath.quad':>21}")  # fmt: skip
    y = sp.Symbol("y", real=True)
    for case in CASES:
        average = GaussianAverage(case.expression, [X], [[1]], evaluate=False)
        doubles = numpy_backend.compile([average], (y,))
        result, ours = timed(lambda p=doubles: p(1e-9))
        exact = mpmath_backend.compile([average], (y,), 20)(sp.Rational(1, 10**9)).values[0]
        f, g = case.function, case.precise
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            adaptive, theirs = timed(
                lambda f=f: scipy.integrate.quad(
                    lambda x: f(x) * density(x), -12, 12, epsabs=0, epsrel=1e-13, limit=200
                )[0]
            )
        hermite, fixed = timed(lambda f=f: float(WEIGHTS @ f(NODES)))
        slow, many = timed(
            lambda g=g: mpmath.quad(lambda x: g(x) * mpmath.npdf(x), PIECES), rounds=1
        )
        errors = [abs(float(v / exact - 1)) for v in (result.values[0], adaptive, hermite, slow)]
        claimed = result.errors[0] / result.values[0]
        print(f"{case.name:24}{cell(ours, errors[0]):>21}{claimed:11.0e}"
              f"{cell(theirs, errors[1]):>21}{cell(fixed, errors[2]):>21}"
              f"{cell(many, errors[3]):>21}")  # fmt: skip


def pairs() -> None:
    print(f"\n{'two variables':24}{'gatetheory':>21}{'estimate':>11}{'dblquad':>21}"
          f"{'Gauss-Hermite 50²':>21}")  # fmt: skip
    for gain, rho in ((1.0, 0.5), (10.0, 0.9), (50.0, 0.999)):
        average = GaussianAverage(
            sp.erf(G * X) * sp.erf(G * Y), (X, Y), [[1, R], [R, 1]], evaluate=False
        )
        program = numpy_backend.compile([average], (G, R))
        result, ours = timed(lambda p=program, a=(gain, rho): p(*a))
        exact = 2 / pi * np.arcsin(2 * gain**2 * rho / (1 + 2 * gain**2))
        side = sqrt(1 - rho**2)

        def f(v: Any, u: Any, gain: float = gain, rho: float = rho, side: float = side) -> Any:
            return scipy.special.erf(gain * u) * scipy.special.erf(gain * (rho * u + side * v))

        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nested = scipy.integrate.dblquad(
                lambda v, u, f=f: f(v, u) * density(u) * density(v), -9, 9, -9, 9,
                epsabs=1e-10, epsrel=1e-10,
            )[0]  # fmt: skip
        theirs = time.perf_counter() - start
        hermite, fixed = timed(lambda f=f: float(WEIGHTS @ f(NODES[:, None], NODES) @ WEIGHTS))
        errors = [abs(v / exact - 1) for v in (result.values[0], nested, hermite)]
        claimed = result.errors[0] / result.values[0]
        print(f"{f'erf erf, {gain:g}, ρ = {rho:g}':24}{cell(ours, errors[0]):>21}{claimed:11.0e}"
              f"{cell(theirs, errors[1]):>21}{cell(fixed, errors[2]):>21}")  # fmt: skip


def batches() -> None:
    print(f"\n{'batches':48}{'time':>10}{'largest estimate':>18}")
    tanh = GaussianAverage(sp.tanh(G * X) ** 2, [X], [[V]])
    gate = logistic(G * X - B)
    x, y = sp.symbols("x_lambda y_lambda", real=True)
    resolvent = GaussianAverage(gate**2 / ((x + gate) ** 2 + y**2), [X], [[1]])
    pair = GaussianAverage(sp.tanh(G * X) * sp.tanh(G * Y), (X, Y), [[1, R], [R, 1]])
    rng = np.random.default_rng(0)
    place = rng.uniform(-1.2, 0.2, 6000), 10 ** rng.uniform(-12, 0, 6000)
    work: tuple[tuple[str, list[Expr], tuple[Any, ...], tuple[Any, ...]], ...] = (
        ("257 variances of tanh²", [tanh], (G, V), (1.2, np.linspace(0.01, 30, 257))),
        ("6000 λ of a resolvent, α = 20, |y| from 10⁻¹²", [resolvent], (G, B, x, y),
         (20.0, 0.5, *place)),
        ("60 correlations of tanh tanh, gain 3", [pair], (G, R),
         (3.0, np.sin(np.linspace(-1.5, 1.5, 60)))),
    )  # fmt: skip
    for name, outputs, arguments, values in work:
        program = numpy_backend.compile(outputs, arguments)
        result, seconds = timed(lambda p=program, v=values: p(*v), rounds=3)
        worst = np.max(result.errors / np.maximum(np.abs(result.values), 1e-3))
        print(f"{name:48}{seconds * 1e3:7.1f} ms{worst:18.0e}")


def digits() -> None:
    print(f"\n{'⟨tanh²(x)⟩ to D digits':24}{'gatetheory':>12}{'mpmath.quad':>13}{'agree to':>10}")
    average = GaussianAverage(sp.tanh(X) ** 2, [X], [[V]])
    program = mpmath_backend.compile([average], (V,))
    for wanted in (15, 30, 100, 300):
        rounds = 3 if wanted <= 30 else 0
        result, ours = timed(lambda d=wanted: program(1, digits=d).values[0], rounds=3)
        with mpmath.workdps(wanted):
            edge = mpmath.sqrt(2 * (wanted + 2) * mpmath.log(10))
            start = time.perf_counter()
            peer = mpmath.quad(
                lambda x: mpmath.tanh(x) ** 2 * mpmath.npdf(x),
                [-edge, -edge / 2, 0, edge / 2, edge],
            )
            theirs = time.perf_counter() - start
            for _ in range(rounds):
                start = time.perf_counter()
                mpmath.quad(
                    lambda x: mpmath.tanh(x) ** 2 * mpmath.npdf(x),
                    [-edge, -edge / 2, 0, edge / 2, edge],
                )
                theirs = min(theirs, time.perf_counter() - start)
            agreed = -mpmath.log10(abs(result - peer) / result + mpmath.eps)
        print(f"{wanted:24}{ours * 1e3:9.1f} ms{theirs * 1e3:10.1f} ms{float(agreed):10.0f}")


def main() -> None:
    one_variable()
    pairs()
    batches()
    digits()


if __name__ == "__main__":
    main()

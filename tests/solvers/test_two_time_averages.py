"""Averages over pairs of times: Hermite series, quadrature in two dimensions, SciPy."""

import numpy as np
import pytest
import sympy
from scipy.integrate import dblquad
from scipy.special import expit, ndtr
from sympy import Symbol, symbols, tanh

from gatetheory.codegen.pairs_numpy import compile_pairs
from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.two_time_system import PairLaw
from gatetheory.errors import DerivationError
from gatetheory.functions import logistic
from gatetheory.solvers.two_time_averages import PairAverages
from gatetheory.solvers.two_time_series import Moments

U, V, M, MP = symbols("u v m mp", real=True)
C1, C2 = symbols("c1 c2", nonnegative=True)
C12 = Symbol("c12", real=True)
SIGMA = [[C1, C12], [C12, C2]]
LAW = PairLaw((U,), (V,), (M,), (MP,), sympy.ImmutableDenseMatrix(SIGMA))


def series(
    f: sympy.Expr, g: sympy.Expr, laws: list[tuple[float, ...]], *, equal_time: bool = False
) -> np.ndarray:
    """⟨f(u + m) g(v + mp)⟩ for (c1, c2, c12, m, mp) each; at equal times, with u in place of v."""
    x = Symbol("x", real=True)
    average = GaussianAverage(f.subs(x, U + M) * g.subs(x, V + MP), (U, V), SIGMA)
    found = []
    for c1, c2, c12, m, mp in laws:
        averages = PairAverages([average], LAW, 2)
        earlier = Moments(np.array([[mp]]), np.array([[[c2]]]), np.array([[[c2]]]))
        averages(0, earlier)
        equal, across = np.array([[[c2, c1]]]), np.array([[[c12, c1]]])
        found.append(averages(1, Moments(np.array([[mp, m]]), equal, across))[0, int(equal_time)])
    return np.array(found)


LAWS = [
    (0.4, 0.9, 0.1, 0.0, 0.0),
    (0.4, 0.9, -0.55, 0.3, -1.2),
    (1.5, 1.5, 1.5, 0.2, -0.4),  # ρ = 1
    (1.0, 4.0, -2.0, 1.0, 0.5),  # ρ = −1
    (0.0, 0.7, 0.0, 0.8, 0.1),  # no variance
    (0.0, 0.0, 0.0, 0.8, 0.1),
]


def test_series_agrees_with_quadrature_where_law_and_functions_vary_from_pair_to_pair() -> None:
    x = Symbol("x", real=True)
    for f, g in (
        (tanh(3 * x), logistic(5 * x - 1)),
        (tanh(2 * x) + tanh(x) ** 2, x * tanh(x)),
    ):
        average = GaussianAverage(
            f.subs(x, U + M) * g.subs(x, V + MP), (U, V), SIGMA, evaluate=False
        )
        program = compile_pairs([average], [C1, C2, C12, M, MP])
        together = program(*np.array(LAWS).T)[0]
        one_by_one = np.array([program(*law)[0, 0] for law in LAWS])
        assert together == pytest.approx(one_by_one, abs=1e-12)
        assert series(f, g, LAWS) == pytest.approx(together, abs=1e-11)


def test_series_agrees_with_an_adaptive_double_integral() -> None:
    x = Symbol("x", real=True)
    c1, c2, c12, m, mp = LAWS[1]
    inverse = np.linalg.inv([[c1, c12], [c12, c2]])
    norm = np.sqrt(np.linalg.det(inverse)) / (2 * np.pi)

    def integrand(v: float, u: float) -> float:
        weight = np.exp(
            -(inverse[0, 0] * u**2 + 2 * inverse[0, 1] * u * v + inverse[1, 1] * v**2) / 2
        )
        return norm * weight * np.tanh(2 * (m + u)) / (1 + np.exp(-(mp + v)))

    exact = dblquad(integrand, -5, 5, -8, 8, epsabs=1e-9)[0]
    (found,) = series(tanh(2 * x), logistic(x), [LAWS[1]])
    assert found == pytest.approx(exact, abs=3e-8)


@pytest.mark.parametrize("gain", [20, 60, 400])
@pytest.mark.parametrize("rho", [1.0, 0.99999, 0.99, -0.9, 0.3])
def test_steep_functions_lose_nothing(gain: int, rho: float) -> None:
    x = Symbol("x", real=True)
    f, g = tanh(gain * x), logistic(gain * x)
    law = (1.3, 0.8, rho * np.sqrt(1.3 * 0.8), 0.1, -0.2)
    average = GaussianAverage(f.subs(x, U + M) * g.subs(x, V + MP), (U, V), SIGMA, evaluate=False)
    exact = compile_pairs([average], [C1, C2, C12, M, MP])(*law)[0, 0]
    equal = compile_pairs([average], [C1, C2, C12, M, MP])(1.3, 1.3, 1.3, 0.1, 0.1)[0, 0]
    assert series(f, g, [law]) == pytest.approx([exact], abs=2e-11)
    assert series(f, g, [law], equal_time=True) == pytest.approx([equal], abs=2e-11)
    # A tanh of such gain is nearly a sign: a closed form within its width.
    sign = 2 / np.pi * np.arcsin(rho)
    assert series(f, f, [(1.0, 1.0, rho, 0.0, 0.0)])[0] == pytest.approx(sign, abs=2 / gain)


@pytest.mark.parametrize("gain", [3, 1000])
def test_a_mean_beside_a_pair(gain: int) -> None:
    f = 1 + logistic(gain * (U + M - sympy.Rational(1, 2)))
    average = GaussianAverage(f * (V + MP), (U, V), [[C1, 0], [0, C2]])
    sigma = sympy.ImmutableDenseMatrix([[C1, C12], [C12, C2]])
    averages = PairAverages([average], PairLaw((U,), (V,), (M,), (MP,), sigma), 2)
    mean, equal = np.array([[0.7, 0.2]]), np.array([[[1.1, 0.6]]])
    averages(0, Moments(mean[:, :1], equal[:, :, :1], equal[:, :, :1]))
    found = averages(1, Moments(mean, equal, np.array([[[0.0, 0.6]]])))[0, 0]
    x, w = np.polynomial.hermite_e.hermegauss(100)
    if gain == 1000:
        open_share = 1 - ndtr((0.5 - 0.2) / np.sqrt(0.6))
    else:
        open_share = w @ expit(gain * (0.2 + np.sqrt(0.6) * x - 0.5)) / w.sum()
    assert found == pytest.approx(0.7 * (1 + open_share), abs=1e-6)


def test_kinks_and_tied_fields_are_refused() -> None:
    with pytest.raises(DerivationError, match="analytic"):
        PairAverages([GaussianAverage(abs(U + M) * abs(V + MP), (U, V), SIGMA)], LAW, 4)
    a, b = symbols("a b", real=True)
    full = sympy.ImmutableDenseMatrix(4, 4, symbols("s:16", real=True))
    law = PairLaw((U, a), (V, b), (M, C1), (MP, C2), full)
    tied = GaussianAverage(tanh(U) * tanh(a), (U, a), full[:2, :2], evaluate=False)
    with pytest.raises(DerivationError, match="algebraic field"):
        PairAverages([tied], law, 4)

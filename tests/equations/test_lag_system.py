"""Lag systems: derived slopes are the slopes of the sources' numbers."""

from collections.abc import Callable

import pytest
import sympy
from sympy import S, Symbol

from gatetheory.equations.lag_system import KAPPA, LagSystem
from gatetheory.functions import instantiate
from gatetheory.model import zoo
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.single_site import SingleSite

Number = Callable[..., float]
STEP = 1e-4


@pytest.fixture(scope="module")
def system() -> LagSystem:
    return derive_correlations(SingleSite(zoo.gated()), "factorized")


def point(system: LagSystem) -> dict[Symbol, object]:
    """Parameters and covariances at which everything is far from zero."""
    chosen = {
        "alpha_z": 2,
        "alpha_r": 3,
        "beta_h": S("0.3"),
        "beta_r": S("0.4"),
        "beta_z": S("-0.2"),
    }
    values: dict[Symbol, object] = dict(system.bind(chosen))
    for k, c in enumerate(system.covariances):
        values[c.symbol], values[c.equal] = S("0.35") + k * S("0.1"), S("0.8") + k * S("0.2")
    values[KAPPA] = S("0.15")
    return values


def source_slope(
    system: LagSystem, number: Number, name: str, symbol: Symbol
) -> tuple[float, float]:
    """A source's slope at the point: derived, and as a difference of numbers."""
    source, values = system.sources[name], point(system)

    def at(shift: float) -> float:
        moved = values | {symbol: values[symbol] + S(shift)}
        return number(instantiate(source, system.definitions), moved)

    derived = number(instantiate(source.diff(symbol), system.definitions), values)
    return derived, (at(STEP) - at(-STEP)) / (2 * STEP)


def test_shapes(system: LagSystem) -> None:
    sources, unknowns = len(system.sources), len(system.covariances)
    assert system.slopes.shape == (sources, unknowns)
    assert system.equal_time_slopes.shape == (sources, unknowns)
    assert system.drives.shape == (len(system.fields), len(system.drive_sources))
    assert set(system.drive_sources) <= set(range(sources))
    assert system.means.shape == (len(system.fields), 1)
    assert system["C_h"].tag == "C_h"
    assert "C" in system._repr_latex_()


@pytest.mark.slow
def test_slopes_are_the_derivatives_of_the_sources(system: LagSystem, number: Number) -> None:
    names = list(system.sources)
    for a, name in enumerate(names):
        for k, c in enumerate(system.covariances):
            for matrix, symbol in (
                (system.slopes, c.symbol),
                (system.equal_time_slopes, c.equal),
            ):
                entry = matrix[a, k]
                derived, difference = source_slope(system, number, name, symbol)
                assert entry == system.sources[name].diff(symbol)
                assert derived == pytest.approx(difference, rel=1e-6, abs=1e-8), (name, symbol)


def test_slopes_depend_on_the_growth_rate_only_through_the_gated_field(system: LagSystem) -> None:
    """κ stands in the slope of S_h in C_h alone, where single gates do not cancel."""
    having = {
        (a, k)
        for a in range(system.slopes.rows)
        for k in range(system.slopes.cols)
        if system.slopes[a, k].has(KAPPA)
    }
    row = list(system.sources).index("S_h")
    column = [c.name for c in system.covariances].index("C_h")
    assert having == {(row, column)}


def test_sources_and_slopes_contain_only_what_solvers_know(system: LagSystem) -> None:
    known = {*system.parameters, KAPPA}
    known |= {c.symbol for c in system.covariances} | {c.equal for c in system.covariances}
    for expression in (*system.sources.values(), *system.slopes, *system.equal_time_slopes):
        assert sympy.sympify(expression).free_symbols <= known

"""Supports with holes, several components, necks and complex poles."""

import numpy as np
import pytest
import sympy as sp

import gatetheory as gt
import gatetheory.simulation as sim
from gatetheory.model import Model
from gatetheory.solvers.records import Spectrum
from gatetheory.validation import draw_state, is_outside

X = sp.Symbol("x", real=True)
H, A = gt.fields("h a")
ETA = gt.local_field("h")
GAIN = gt.Parameter("g", 3, gt.POSITIVE)
PHI = gt.Nonlinearity("phi", sp.Lambda(X, sp.tanh(GAIN.symbol * X)))


def highpass() -> Model:
    """The signal is the distance of h from its slow average: silent at λ = 0."""
    tau = gt.Parameter("tau_a", 10, gt.NONNEGATIVE)
    return Model(
        name="highpass",
        time="continuous",
        fields=(
            gt.Field(H, drift=-H + ETA),
            gt.Field(A, drift=-A + H, time_constant=tau.symbol),
        ),
        couplings=(gt.Coupling(ETA, PHI(H - A)),),
        parameters=(GAIN, tau),
        nonlinearities=(PHI,),
    )


def oscillator() -> Model:
    """Strong adaptation makes the poles of one unit complex."""
    strength = gt.Parameter("c", 20, gt.NONNEGATIVE)
    return Model(
        name="oscillator",
        time="continuous",
        fields=(gt.Field(H, drift=-H - strength.symbol * A + ETA), gt.Field(A, drift=-A + H)),
        couplings=(gt.Coupling(ETA, PHI(H)),),
        parameters=(GAIN, strength),
        nonlinearities=(PHI,),
    )


def two_speeds() -> Model:
    """Every unit is slow or fast, by a static input through a steep gate."""
    current = sp.Symbol("I", real=True)
    spread = gt.Parameter("s", 1, gt.POSITIVE)
    rate = gt.Nonlinearity("rho", sp.Lambda(X, sp.Rational(1, 2) + 5 * gt.logistic(400 * X)))
    return Model(
        name="two_speeds",
        time="continuous",
        fields=(gt.Field(H, drift=rate(current) * (-H + ETA)),),
        couplings=(gt.Coupling(ETA, PHI(H)),),
        parameters=(GAIN, spread),
        nonlinearities=(PHI, rate),
        inputs=(gt.GaussianInput(current, spread.symbol**2),),
    )


def at_zero(model: Model, **at: object) -> Spectrum:
    spectrum = gt.solve(gt.derive(model).spectrum, at, branch=0, trace=True)
    assert isinstance(spectrum, Spectrum)
    return spectrum


def share_outside(model: Model, spectrum: Spectrum, units: int = 400, **at: object) -> float:
    law = gt.derive(model).spectrum.law
    network = sim.draw_network(model, at, units, 0)
    state = draw_state(network, law, dict.fromkeys(law.unknowns, 0.0), [1])
    eigenvalues = sim.eigenvalues(sim.jacobian(network, state))
    return float(np.mean(is_outside(spectrum, eigenvalues, 0.1)))


def test_a_silent_frequency_leaves_a_hole() -> None:
    model = highpass()
    spectrum = at_zero(model)
    assert spectrum.boundary is not None
    assert sorted(spectrum.boundary.holes) == [False, True]
    assert not spectrum.boundary.contains(np.array([0.0 + 0.0j]))[0]
    assert spectrum.boundary.contains(np.array([0.5 + 0.5j]))[0]
    assert share_outside(model, spectrum) < 0.01


@pytest.mark.parametrize("gain", ["0.5", "3"])
def test_complex_poles_make_two_components_off_the_axis(gain: str) -> None:
    model = oscillator()
    spectrum = at_zero(model, g=gain)
    assert spectrum.boundary is not None
    assert spectrum.boundary.holes == (False, False)
    assert spectrum.boundary.error < 1e-8
    rightmost = max(float(c.real.max()) for c in spectrum.boundary.curves)
    assert spectrum.value == pytest.approx(rightmost, abs=2e-3)
    assert share_outside(model, spectrum, g=gain) < 0.01


def test_the_outermost_point_off_the_axis_to_many_digits() -> None:
    """|λ + 1|² g² = |(λ + 1)² + c|²: with μ = λ + 1 and its farthest real part, in closed form."""
    at = {"g": "0.5"}
    theory = gt.derive(oscillator())
    precise = gt.solve(theory.spectrum, at, branch=0, digits=40)
    double = gt.solve(theory.spectrum, at, branch=0)
    assert float(precise.value) == pytest.approx(double.value, abs=1e-14)
    # μ² + c = g μ e^{iθ}: the real part of μ is largest where Re √(g² e^{2iθ}/4 − c) aligns.
    angle = np.linspace(0, 2 * np.pi, 200_001)
    half = 0.25 * np.exp(1j * angle)
    root = np.sqrt(half**2 - 20)
    brute = max((half + root).real.max(), (half - root).real.max()) - 1
    assert double.value == pytest.approx(brute, abs=1e-9)


@pytest.mark.slow
def test_a_thin_neck_joins_slow_and_fast_units() -> None:
    spectrum = at_zero(two_speeds(), g="0.5")
    assert spectrum.boundary is not None
    assert spectrum.boundary.holes == (False,)
    assert spectrum.segments == ((-5.5, -0.5),)
    neck = spectrum.boundary.contains(np.array([-2.0 + 1e-4j, -2.0 + 0.1j]))
    assert neck.tolist() == [True, False]
    assert spectrum.stable

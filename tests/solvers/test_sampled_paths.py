"""The pieces that sampling is made of: integrator, random paths, elimination, mixing."""

import numpy as np
import pytest
import sympy
from sympy import Lambda, Rational, Symbol, tanh

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.model import (
    NONNEGATIVE,
    Coupling,
    Field,
    Model,
    Parameter,
    fields,
    local_field,
    zoo,
)
from gatetheory.solvers.sampled_causal import CausalField, Matched
from gatetheory.solvers.sampled_mixing import Mixing, residual
from gatetheory.solvers.sampled_noise import (
    GaussianPaths,
    covariance,
    power,
    refine,
    spectrum_of,
    stratified,
)
from gatetheory.solvers.sampled_paths import Drives, integrate, phi
from gatetheory.solvers.sampled_settling import decay_lag, lengthen, undecayed
from gatetheory.solvers.sampled_unit import Unit, make_tangent_unit, make_unit
from gatetheory.theory.process import derive_process
from gatetheory.theory.single_site import SingleSite


def flow(*laws: sympy.Expr) -> Unit:
    """ẋ = laws, of fields x, y, driven by η."""
    symbols = fields("x y")[: len(laws)]
    return Unit(
        dynamic=tuple(symbols),
        implicit=(),
        drives=(local_field("x"),),
        laws=laws,
        residuals=(),
        outputs={s.name: s for s in symbols},
        discrete=False,
    )


def driven(steps: int, step: float) -> Drives:
    half = step / 2 * np.arange(2 * steps + 1)
    return Drives([np.sin(half)[:, None]], [], [])


X, Y = fields("x y")
ETA = local_field("x")


@pytest.mark.parametrize("law", [-X + ETA, -tanh(X) - X / 3 + ETA, -(X**3) + ETA])
def test_the_flow_is_integrated_to_fourth_order(law: sympy.Expr) -> None:
    unit, ends = flow(law), []
    for steps in (16, 32, 64, 512):
        start = np.linspace(-2, 2, 9)[None]
        ends.append(integrate(unit, driven(steps, 4 / steps), start, steps, 4 / steps).end[0])
    errors = np.abs(np.array(ends[:3]) - ends[3]).max(axis=1)
    assert errors[1] / errors[2] > 11  # 2⁴; third order would give 8
    assert errors[2] < 1e-6


def test_a_short_time_constant_of_a_linear_field_sets_no_limit_to_the_step() -> None:
    unit = flow(-X + Y, 1000 * (ETA - Y))
    found = integrate(unit, driven(16, 0.25), np.zeros((2, 1)), 16, 0.25)
    followed = integrate(flow(-X + ETA), driven(16, 0.25), np.zeros((1, 1)), 16, 0.25)
    assert abs(found.end[0, 0] - followed.end[0, 0]) < 0.05  # explicit: 250 times too long


def test_phi_functions_agree_across_the_switch_to_series() -> None:
    z = np.array([-1e-9, -0.999999, -1.000001, -30.0])
    exact = [[float(sympy.N((sympy.exp(v) - 1) / v, 20)) for v in map(sympy.Rational, z)]]
    assert np.allclose(phi(1, z), exact[0], rtol=1e-12)
    assert np.allclose(z * phi(2, z) + 1, phi(1, z), rtol=1e-12)


def test_growth_without_bound_is_an_error() -> None:
    with pytest.raises(ConvergenceError, match="no longer finite"):
        integrate(flow(X**3 + ETA), driven(64, 0.25), np.full((1, 2), 9.0), 64, 0.25)


def test_random_paths_have_exactly_the_covariance_asked_for() -> None:
    lags = np.arange(33)
    spectrum = spectrum_of(0.7 * np.exp(-lags / 4.0) + 0.2)
    rng = np.random.default_rng(1)
    paths = GaussianPaths(64, 200, rng).paths(spectrum, 64)
    assert np.allclose(covariance(power(paths)), covariance(spectrum), rtol=1e-10)
    assert np.allclose(covariance(spectrum)[:20], 0.7 * np.exp(-lags[:20] / 4.0) + 0.2, atol=0.02)


def test_a_finer_grid_interpolates_the_same_paths() -> None:
    spectrum = spectrum_of(np.exp(-((np.arange(33) / 5.0) ** 2)))
    field = GaussianPaths(64, 50, np.random.default_rng(0))
    coarse, fine = field.paths(spectrum, 64), field.paths(spectrum, 128)
    assert np.allclose(fine[::2], coarse, atol=1e-5)
    assert np.allclose(covariance(refine(spectrum[None])[0])[::2], covariance(spectrum), atol=1e-12)


def test_paths_are_gaussian_and_static_amplitudes_stratified() -> None:
    spectrum = spectrum_of(np.exp(-np.arange(33) / 3.0))
    paths = GaussianPaths(32, 4000, np.random.default_rng(3)).paths(spectrum, 64)
    values = paths / paths.std()
    assert abs(np.mean(values**4) - 3) < 0.05
    static = stratified(1000, np.random.default_rng(0))
    assert abs(static.mean()) < 1e-12
    assert abs(np.mean(static**4) - 3) < 0.1


def test_lengthening_keeps_the_decay_and_continues_the_plateau() -> None:
    c = 0.3 + 0.5 * np.exp(-np.arange(65) / 4.0)
    longer = covariance(lengthen(spectrum_of(c)[None])[0])
    assert len(longer) == 129
    assert np.allclose(longer[:50], c[:50], atol=0.01)
    assert abs(longer[-1] - 0.3) < 0.01


def test_a_slow_decay_is_told_from_a_quick_one() -> None:
    lags = np.arange(129)
    quick, slow = spectrum_of(np.exp(-lags / 8.0)), spectrum_of(np.exp(-lags / 90.0))
    assert abs(undecayed(quick)) < 0.01
    assert undecayed(slow) > 0.2
    assert decay_lag(quick) == pytest.approx(8 * np.log(10), abs=2)


def test_mixing_solves_a_linear_problem_and_keeps_spectra_positive() -> None:
    matrix = np.diag([0.95, 0.9, 0.5, 0.1])
    target = np.array([[1.0, 2.0, 3.0, 4.0]])
    mixing, point = Mixing(depth=4), np.ones((1, 4))
    for _ in range(12):
        image = target + (point - target) @ matrix
        error = residual(point, image)
        point = mixing.next(point, image)
        assert (point >= 0).all()
    assert error < 1e-8  # plain iteration: 0.95^12


def test_algebraic_fields_of_gru_are_put_in() -> None:
    process = derive_process(SingleSite(zoo.gru()))
    unit = make_unit(process, process.bind({}))
    assert [x.name for x in unit.dynamic] == ["h"]
    assert unit.implicit == ()
    assert unit.outputs["psi_h"].has(local_field("r"))


def test_a_vanishing_time_constant_makes_a_field_algebraic() -> None:
    process = derive_process(SingleSite(zoo.gated()))
    unit = make_unit(process, process.bind({"tau_r": 0}))
    assert [x.name for x in unit.dynamic] == ["h", "z"]
    assert unit.outputs["C_r"] == local_field("r")


def implicit() -> Model:
    x, y = fields("x y")
    eta = local_field("x")
    tau = Parameter("tau", 0, NONNEGATIVE)
    return Model(
        name="implicit",
        time="continuous",
        fields=(
            Field(x, drift=-x + eta + y),
            Field(y, drift=x - y - y**3, time_constant=tau.symbol),
        ),
        couplings=(Coupling(eta, tanh(y)),),
        parameters=(tau,),
    )


def test_implicit_algebraic_fields_solve_their_law() -> None:
    process = derive_process(SingleSite(implicit()))
    unit = make_unit(process, process.bind({}))
    assert [v.name for v in unit.implicit] == ["y"]
    state = np.linspace(-3, 3, 7)[None]
    y = unit.record(state, [np.zeros(7)], 0.0)[list(unit.outputs).index("C_y")]
    assert np.allclose(y + y**3, state[0], atol=1e-10)


def test_the_tangent_is_the_derivative_of_the_path() -> None:
    process = derive_process(SingleSite(implicit()))
    values = process.bind({})
    unit, tangent = make_unit(process, values), make_tangent_unit(process, values)
    x, kick, eps = np.array([[0.7]]), 0.3, 1e-6
    eta = np.array([0.2])
    base = unit.law(x, [eta], 0.0) + unit.fixed_rates(0.0)[:, None] * x
    moved_x = x + eps * 0.5
    moved = unit.law(moved_x, [eta + eps * kick], 0.0) + unit.fixed_rates(0.0)[:, None] * moved_x
    state = np.vstack([x, [[0.5]]])
    both = tangent.law(state, [eta, np.array([kick])], 0.1)
    rate = both[1] + tangent.fixed_rates(0.1)[1] * 0.5
    assert rate == pytest.approx((moved - base)[0] / eps - 0.1 * 0.5, abs=1e-5)
    heard = tangent.record(state, [eta, np.array([kick])], 0.1)[0, 0]
    outputs = [unit.record(v, [eta], 0.0)[0, 0] for v in (x, moved_x)]
    assert heard == pytest.approx((outputs[1] - outputs[0]) / eps, abs=1e-5)


def test_a_field_that_nothing_determines_is_refused() -> None:
    x, y = fields("x y")
    eta = local_field("x")
    tau = Parameter("tau", 1, NONNEGATIVE)
    model = Model(
        name="lost",
        time="continuous",
        fields=(Field(x, drift=-x + eta), Field(y, drift=x, time_constant=tau.symbol)),
        couplings=(Coupling(eta, tanh(x)),),
        parameters=(tau,),
    )
    process = derive_process(SingleSite(model))
    with pytest.raises(ParameterError, match="field y"):
        make_unit(process, {tau.symbol: sympy.Integer(0)})


def test_a_causal_field_has_the_covariance_of_the_signal() -> None:
    rng = np.random.default_rng(0)
    count, paths = 12, 4000
    times = np.arange(count) * 0.3
    c = np.exp(-((times[:, None] - times) ** 2) / 2)
    signals = np.linalg.cholesky(c + 1e-12 * np.eye(count)) @ rng.standard_normal((count, paths))
    source, matched = CausalField(paths, 2.0), Matched(paths, [])
    drawn = []
    for signal in signals:
        fresh = matched.draw(rng)
        source.propose(np.zeros(paths), fresh)  # a proposal that is not accepted leaves no trace
        drawn.append(source.propose(signal, fresh))
        source.accept(fresh)
    found = np.array(drawn)
    assert np.allclose(found @ found.T, 2 * signals @ signals.T, atol=1e-6 * paths)
    assert np.abs(found @ signals.T / paths).max() < 0.12  # independent of the signals themselves


def test_parameters_enter_as_numbers_and_steps_have_a_slope_of_zero() -> None:
    x = fields("x,")[0]
    eta = local_field("x")
    u = Symbol("u", real=True)
    gain = Parameter("gain", Rational(3, 2), NONNEGATIVE)
    model = Model(
        name="kinked",
        time="continuous",
        fields=(Field(x, drift=-x + eta),),
        couplings=(Coupling(eta, sympy.Heaviside(gain.symbol * x) * x),),
        parameters=(gain,),
    )
    process = derive_process(SingleSite(model))
    tangent = make_tangent_unit(process, process.bind({}))
    assert not any(e.has(sympy.DiracDelta) for e in tangent.outputs.values())
    assert Lambda(u, u)(gain.symbol) not in tangent.outputs["delta_x"].free_symbols

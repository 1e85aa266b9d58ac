"""Growth of perturbations of sampled states: slow units, and what is said when it is not found."""

import numpy as np
import pytest
from sympy import Rational, Symbol

from gatetheory.model import Coupling, Field, Model, WhiteNoise, fields, local_field, zoo
from gatetheory.solvers.sampled_correlations import solve_sampled_correlations
from gatetheory.solvers.sampled_growth import grow, rate_step_error, steepness
from gatetheory.solvers.sampled_lyapunov import solve_sampled_lyapunov
from gatetheory.solvers.sampled_replica import Grid, Replica, Sampler, spawn
from gatetheory.solvers.sampled_settling import settle, start
from gatetheory.theory.process import derive_process
from gatetheory.theory.single_site import SingleSite


@pytest.mark.slow
def test_growth_through_a_steep_update_gate_settles() -> None:
    """Units that open rarely: responses at λ = 0 are unbounded, and shapes have close gains."""
    process = derive_process(SingleSite(zoo.gated()))
    at = process.bind({"g_h": 3, "alpha_r": 1, "alpha_z": 5, "tau_z": 1, "tau_r": 1})
    sampler, grid = Sampler(process, at), Grid(512, 1.0)
    replica = Replica(sampler, 64, grid.modes, spawn(0, 1, 1)[0])
    state = settle(replica, start(replica, grid, 1.0, 4.0), grid, 1e-4, 200)
    assert state.kind == "chaotic"
    found = grow(replica, state.spectra, grid, None)
    assert found.settled
    # networks of 500 to 2000 units, extrapolated in 1/N, have 0.0247(8); one replica is noisier
    assert found.rate == pytest.approx(0.0247, abs=0.004)
    image = replica.tangent_map(state.spectra, found.gains, found.rate, grid)
    change = np.linalg.norm(image - found.gains) / np.linalg.norm(found.gains)
    assert change < 0.01
    sigma = steepness(replica, state.spectra, grid, found)
    assert sigma > 0
    finer = Replica(sampler, 32, 2 * grid.modes, spawn(0, 2, 1)[0])
    assert rate_step_error(finer, state.spectra, grid, found) < 2e-3


@pytest.mark.parametrize("discrete", [False, True])
def test_perturbations_that_die_fast_are_found_from_afar(discrete: bool) -> None:
    """A linear network in noise: λ = s − 1 of a flow, e^λ = a + s of a map, gains of all shapes."""
    (x,) = fields("x,")
    eta, xi = local_field("x"), Symbol("xi", real=True)
    law = eta + xi
    kind = {"update": x / 4 + law} if discrete else {"drift": -x + law}
    model = Model(
        name="linear",
        time="discrete" if discrete else "continuous",
        fields=(Field(x, **kind),),
        couplings=(Coupling(eta, x, Rational(1, 9)),),
        inputs=(WhiteNoise(xi, Rational(1, 2)),),
    )
    process = derive_process(SingleSite(model))
    at = process.bind()
    fixed = {"window": 64} if discrete else {"window": 48, "step": 0.25}
    state = solve_sampled_correlations(process, at, paths=64, replicas=2, **fixed)
    found = solve_sampled_lyapunov(process, at, state)
    assert found.status == "ok"
    assert found.value == pytest.approx(np.log(1 / 4 + 1 / 3) if discrete else -2 / 3, abs=0.01)
    assert found.residual is not None
    assert found.residual < 5e-3

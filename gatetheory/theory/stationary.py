"""The stationary state: which closures a model has, gathered into one record.

A field that is Gaussian, or Gaussian given a gate's path, has lag equations; any model has its
single-site process, which can be sampled.
"""

from __future__ import annotations

from dataclasses import replace

from gatetheory.equations.lag_system import LagSystem
from gatetheory.equations.provenance import Equation, EquationSet
from gatetheory.equations.shapes import SelfConsistency
from gatetheory.equations.stationary import ReplicaGrowth, StationaryState
from gatetheory.errors import DerivationError
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.lyapunov import derive_lyapunov
from gatetheory.theory.process import derive_process
from gatetheory.theory.single_site import SingleSite


def derive_stationary_state(
    single_site: SingleSite, fixed_points: SelfConsistency | None
) -> StationaryState:
    """Stationary correlations under every closure the model has.

    Args:
        single_site: The process.
        fixed_points: Fixed points of the model, if it has any.
    """
    systems: dict[str, LagSystem] = {}
    refusals: dict[str, str] = {}
    for closure in ("constant", "factorized"):
        try:
            systems[closure] = derive_correlations(single_site, closure)
        except DerivationError as error:
            refusals[closure] = str(error)
    process = derive_process(single_site)
    # Both closures share most equations: those of the second that differ get its name as a suffix.
    shown: dict[str, Equation] = {}
    for closure, system in systems.items():
        for e in system.equations:
            if all(e.residual != known.residual for known in shown.values()):
                tag = e.tag if e.tag not in shown else f"{e.tag}_{closure}"
                shown[tag] = replace(e, tag=tag)
    equations = tuple(shown.values()) or tuple(process.equations)
    return StationaryState(
        equations=EquationSet("correlations", equations),
        lag_systems=systems,
        refusals=refusals,
        process=process,
        fixed_points=fixed_points,
        bind=single_site.model.bind,
    )


def derive_growth(single_site: SingleSite, state: StationaryState) -> ReplicaGrowth:
    """Two replicas of the stationary state."""
    shown: dict[str, Equation] = {}
    for closure, system in state.lag_systems.items():
        for e in derive_lyapunov(single_site, system):
            if all(e.residual != known.residual for known in shown.values()):
                tag = e.tag if e.tag not in shown else f"{e.tag}_{closure}"
                shown[tag] = replace(e, tag=tag)
    equations = tuple(shown.values()) or tuple(state.process.equations)
    return ReplicaGrowth(EquationSet("lyapunov", equations), state)

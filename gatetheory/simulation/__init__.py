"""Finite networks straight from a model: an independent witness that knows no theory."""

from gatetheory.simulation.closure import Closure, annealed_closure
from gatetheory.simulation.draw import draw_network, random_state
from gatetheory.simulation.estimators import Estimate, Extrapolation, estimate, extrapolate, z_score
from gatetheory.simulation.fixed_points import FixedPoint, Stability, find_fixed_point, stability
from gatetheory.simulation.integrate import Adaptive, Iteration, RungeKutta4, integrate
from gatetheory.simulation.jacobian import (
    eigenvalues,
    extreme_eigenvalues,
    jacobian,
    mean_trace,
    singular_moments,
)
from gatetheory.simulation.linearization import Linearization, linearize
from gatetheory.simulation.network import Network, UnitState
from gatetheory.simulation.observe import Observation, simulate
from gatetheory.simulation.relaxation import Relaxation, relax
from gatetheory.simulation.resolvent import response
from gatetheory.simulation.stochastic import StochasticHeun
from gatetheory.simulation.synthetic import synthetic_state
from gatetheory.simulation.trajectory import Trajectory

__all__ = [
    "Adaptive",
    "Closure",
    "Estimate",
    "Extrapolation",
    "FixedPoint",
    "Iteration",
    "Linearization",
    "Network",
    "Observation",
    "Relaxation",
    "RungeKutta4",
    "Stability",
    "StochasticHeun",
    "Trajectory",
    "UnitState",
    "annealed_closure",
    "draw_network",
    "eigenvalues",
    "estimate",
    "extrapolate",
    "extreme_eigenvalues",
    "find_fixed_point",
    "integrate",
    "jacobian",
    "linearize",
    "mean_trace",
    "random_state",
    "relax",
    "response",
    "simulate",
    "singular_moments",
    "stability",
    "synthetic_state",
    "z_score",
]

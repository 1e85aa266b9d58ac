"""Finite networks straight from a model: an independent witness that knows no theory."""

from gatetheory.simulation.backpropagation import backpropagate
from gatetheory.simulation.chaos import (
    CorrelationObservation,
    LyapunovObservation,
    network_again,
    observe_correlations,
    observe_lyapunov,
)
from gatetheory.simulation.closure import Closure, annealed_closure
from gatetheory.simulation.correlations import (
    CorrelationFunctions,
    correlations,
    default_observables,
)
from gatetheory.simulation.draw import draw_network, random_state
from gatetheory.simulation.estimators import Estimate, Extrapolation, estimate, extrapolate, z_score
from gatetheory.simulation.fixed_points import FixedPoint, Stability, find_fixed_point, stability
from gatetheory.simulation.gradient_observation import GradientObservation
from gatetheory.simulation.gradient_record import Gradients
from gatetheory.simulation.gradients import simulate_gradients
from gatetheory.simulation.integrate import Adaptive, Iteration, RungeKutta4, integrate
from gatetheory.simulation.jacobian import (
    eigenvalues,
    extreme_eigenvalues,
    jacobian,
    mean_trace,
    singular_moments,
)
from gatetheory.simulation.linearization import Linearization, linearize
from gatetheory.simulation.lyapunov import default_step, lyapunov_exponents
from gatetheory.simulation.lyapunov_record import LyapunovSpectrum, kaplan_yorke_dimension
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
    "CorrelationFunctions",
    "CorrelationObservation",
    "Estimate",
    "Extrapolation",
    "FixedPoint",
    "GradientObservation",
    "Gradients",
    "Iteration",
    "Linearization",
    "LyapunovObservation",
    "LyapunovSpectrum",
    "Network",
    "Observation",
    "Relaxation",
    "RungeKutta4",
    "Stability",
    "StochasticHeun",
    "Trajectory",
    "UnitState",
    "annealed_closure",
    "backpropagate",
    "correlations",
    "default_observables",
    "default_step",
    "draw_network",
    "eigenvalues",
    "estimate",
    "extrapolate",
    "extreme_eigenvalues",
    "find_fixed_point",
    "integrate",
    "jacobian",
    "kaplan_yorke_dimension",
    "linearize",
    "lyapunov_exponents",
    "mean_trace",
    "network_again",
    "observe_correlations",
    "observe_lyapunov",
    "random_state",
    "relax",
    "response",
    "simulate",
    "simulate_gradients",
    "singular_moments",
    "stability",
    "synthetic_state",
    "z_score",
]

"""Gradients of a loss at the end of a simulated run, by everything that came before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from sympy import Expr

from gatetheory.errors import ParameterError
from gatetheory.simulation.adjoint_schemes import make_scheme
from gatetheory.simulation.backward_sweep import Sweep, make_grid
from gatetheory.simulation.checkpoints import Tape
from gatetheory.simulation.coupling_sums import CouplingSums, MatrixSums, make_sums
from gatetheory.simulation.draw import Seed, check_count, generator
from gatetheory.simulation.gradient_record import Gradients
from gatetheory.simulation.ledger import Ledger
from gatetheory.simulation.loss import Loss, make_loss
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.lyapunov import default_step, limited_threads
from gatetheory.simulation.network import Network
from gatetheory.simulation.schemes import Method, check_method

Wanted = Literal["none", "squares", "matrices"]


def backpropagate(
    network: Network,
    initial: ArrayLike,
    duration: float,
    *,
    loss: Expr | str | None = None,
    weight: str = "c",
    running: bool = False,
    weights: ArrayLike | None = None,
    draws: int = 8,
    horizons: Sequence[float] | None = None,
    save: Sequence[float] = (),
    couplings: Wanted = "squares",
    parameters: Sequence[str] | None = None,
    method: Method | None = None,
    step: float | None = None,
    start_time: float = 0.0,
    spacing: int | None = None,
    threads: int = 1,
    seed: Seed = 0,
) -> Gradients:
    """Run a network, and carry losses at the end of the run back to its start.

    The gradients are exact derivatives of the scheme's own result. λ is rescaled by √N, so that
    λ_i = ∂e/∂x_i at the end. A running loss is the trapezoidal sum over the grid, or in a map the
    sum over steps 1 … T.

    Args:
        network: The network.
        initial: State at the start, shape (F, N).
        duration: Length of the run (steps).
        loss: Expression e in the fields and the weight c, as text or SymPy; by default c times the
            first field that a signal reads. It may depend on the state in any way.
        weight: Name of c.
        running: Integrate e over time.
        weights: c, shape (k, N); by default random signs.
        draws: k, if the weights are drawn; all draws share the matrix products.
        horizons: Lengths T of the last parts of the run to give gradients for; by default the run.
        save: Times, counted from the start of the run, at which to keep λ.
        couplings: ``"squares"`` of dL/dJ alone (see :mod:`.coupling_sums`), ``"matrices"`` too,
            or ``"none"``.
        parameters: Names of parameters for dL/dθ; by default all that have a derivative.
        method: Scheme; by default ``"rk4"``, ``"heun"`` under white noise, ``"iterate"`` for maps.
            Those with a memory of earlier rates start without one, and their λ takes the rates
            that are remembered as given.
        step: Longest step; half of :func:`default_step` by default. One-step schemes shorten it so
            that horizons and saved times are met; the others refuse.
        start_time: Time at the start, for inputs that change in time.
        spacing: Steps between two checkpoints, √S by default; no result depends on it.
        threads: Threads that BLAS may use.
        seed: Seed of weights and noise.

    Raises:
        ParameterError: For bad shapes, times, names, expressions, or a scheme that does not fit.
        ConvergenceError: If state or gradients are no longer finite.
    """
    x = np.array(initial, dtype=np.float64)
    if x.shape != network.shape or not np.isfinite(x).all():
        raise ParameterError(
            f"the initial state must be finite and of shape {network.shape}, got {x.shape}"
        )
    check_count("threads", threads)
    check_count("draws", draws)
    if couplings not in ("none", "squares", "matrices"):
        raise ParameterError(
            f"couplings must be 'none', 'squares' or 'matrices', got {couplings!r}"
        )
    what = make_loss(network.model, loss, weight)
    weights_rng, noise_rng = generator(seed).spawn(2)
    c = draw_weights(network, what, weights, draws, weights_rng)
    method = method or default_gradient_method(network)
    check_method(network, method)
    with limited_threads(threads), np.errstate(all="ignore"):
        longest = _step(network, x, method, step)
        grid = make_grid(duration, horizons, save, longest, method == "iterate")
        scheme = make_scheme(network, method, longest, noise_rng)
        if scheme.memory and not np.allclose(np.diff(grid.points), longest, rtol=1e-9, atol=0):
            raise ParameterError(
                f"method {method!r} has a memory and needs equal steps, but {longest:g} does not "
                "divide the duration, the horizons and the saved times; give a step that does"
            )
        sums: CouplingSums | None = None
        sizes = (len(network.model.couplings), len(c), network.units)
        if couplings == "matrices":
            sums = MatrixSums(*sizes)
        elif couplings == "squares":
            most = scheme.stages + 2 if running else scheme.stages
            sums = make_sums(*sizes, most * len(grid.points))
        ledger = Ledger(network, len(c), parameters, sums)
        tape = Tape(scheme, scheme.start(x), start_time + grid.points, spacing)
        sweep = Sweep(what, running, c, scheme, ledger, tape)
        return sweep.run(grid, method, longest, couplings == "matrices")


def default_gradient_method(network: Network) -> Method:
    """``"iterate"`` for a map, ``"heun"`` under white noise, else ``"rk4"``."""
    if network.model.time == "discrete":
        return "iterate"
    return "heun" if network.is_noisy else "rk4"


def draw_weights(
    network: Network,
    loss: Loss,
    weights: ArrayLike | None,
    draws: int,
    rng: np.random.Generator,
) -> Array:
    """Weights c of shape (k, N): those given, or random signs; one row if the loss has none.

    Raises:
        ParameterError: If those given have another shape, or are not finite.
    """
    if weights is None:
        return rng.choice([-1.0, 1.0], size=(draws if loss.is_weighted else 1, network.units))
    c = np.atleast_2d(np.array(weights, dtype=np.float64))
    if c.ndim != 2 or c.shape[1] != network.units or not len(c) or not np.isfinite(c).all():
        raise ParameterError(
            f"weights must be finite and of shape (k, {network.units}), got {np.shape(weights)}"
        )
    return c


def _step(network: Network, state: Array, method: Method, step: float | None) -> float:
    """The longest step.

    Raises:
        ParameterError: If it is not a positive number.
    """
    if method == "iterate":
        return 1.0
    if step is None:
        return default_step(network, state, method) / 2
    if not (math.isfinite(step) and step > 0):
        raise ParameterError(f"step must be a positive number, got {step!r}")
    return step

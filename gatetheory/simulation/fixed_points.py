"""Fixed points of a finite network by Newton's method, and their stability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator, gmres
from threadpoolctl import threadpool_limits

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.simulation.integrate import integrate
from gatetheory.simulation.jacobian import Complex, eigenvalues, extreme_eigenvalues
from gatetheory.simulation.linearization import Linearization, linearize
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.network import Network

_MAX_HALVINGS = 20


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """A fixed point of a finite network.

    Args:
        state: Shape (number of fields with dynamics, N).
        residual: Largest |dx/dt| (flow) or |x(t+1) - x(t)| (map).
        error: Largest entry of the last Newton correction: an upper estimate of the error.
        iterations: Newton steps taken.
        status: ``"ok"`` or ``"not_converged"``.
        advice: What to try when it did not converge.
    """

    state: Array
    residual: float
    error: float
    iterations: int
    status: Literal["ok", "not_converged"]
    advice: str = ""


@dataclass(frozen=True, eq=False)
class Stability:
    """Linear stability of a state.

    Args:
        value: Largest real part (flow) or modulus (map) of the Jacobian's eigenvalues.
        kind: ``"abscissa"`` or ``"radius"``.
        eigenvalues: The eigenvalues computed: all, or only the extreme one.
    """

    value: float
    kind: Literal["abscissa", "radius"]
    eigenvalues: Complex

    @property
    def stable(self) -> bool:
        """Whether small perturbations die out."""
        return self.value < (0 if self.kind == "abscissa" else 1)


def find_fixed_point(
    network: Network,
    guess: ArrayLike,
    *,
    relax: float = 0.0,
    tolerance: float = 1e-10,
    max_iterations: int = 60,
    dense_limit: int = 6000,
    check: bool = True,
    threads: int = 1,
) -> FixedPoint:
    """Find a fixed point near a guess; Newton's method goes to unstable ones as well.

    Args:
        network: A network without noise and inputs that change in time.
        guess: State to start from, shape (number of fields with dynamics, N).
        relax: Let the network run for as much time (as many steps) before.
        tolerance: Largest Newton correction accepted, relative to 1 + max|x|.
        max_iterations: Newton steps before giving up.
        dense_limit: Up to as many unknowns the full Jacobian is formed, beyond it GMRES is used.
        check: Raise when it does not converge; otherwise the status says so.
        threads: Threads that BLAS may use.

    Raises:
        ParameterError: If the network is not autonomous, or the guess does not fit.
        ConvergenceError: If it does not converge and ``check`` is true.
    """
    if not network.is_autonomous:
        raise ParameterError(
            f"model {network.model.name} has no fixed points: an input changes in time; remove it"
        )
    times = [0.0, float(relax)] if relax > 0 else [0.0]
    x = integrate(network, guess, times, threads=threads).final.copy()
    with threadpool_limits(limits=threads, user_api="blas"):
        found = _newton(network, x, tolerance, max_iterations, dense_limit)
    if check and found.status != "ok":
        raise ConvergenceError(
            f"no fixed point within {found.iterations} Newton steps "
            f"(residual {found.residual:.1e}, correction {found.error:.1e}); {found.advice}"
        )
    return found


def stability(
    network: Network, state: Array, *, dense_limit: int = 1500, threads: int = 1
) -> Stability:
    """Abscissa (flow) or radius (map) of the Jacobian's spectrum at a state.

    Args:
        network: The network.
        state: Shape (number of fields with dynamics, N), as a rule a fixed point.
        dense_limit: Up to as many rows all eigenvalues are computed, beyond it ARPACK is used.
        threads: Threads that BLAS may use.

    Raises:
        ConvergenceError: If ARPACK does not converge.
    """
    flow = network.model.time == "continuous"
    if state.size <= dense_limit:
        with threadpool_limits(limits=threads, user_api="blas"):
            found = eigenvalues(linearize(network, state).dense())
    else:
        which: Literal["LR", "LM"] = "LR" if flow else "LM"
        found = extreme_eigenvalues(network, state, 1, which, threads=threads)
    if flow:
        return Stability(float(found.real.max()), "abscissa", found)
    return Stability(float(np.abs(found).max()), "radius", found)


def _newton(
    network: Network, x: Array, tolerance: float, max_iterations: int, dense_limit: int
) -> FixedPoint:
    residual = _residual(network, x)
    error = np.inf
    taken = 0
    for taken in range(1, max_iterations + 1):
        move = _correction(network, linearize(network, x), residual, dense_limit)
        error = float(np.abs(move).max())
        if not np.isfinite(error):
            break
        norm = float(np.linalg.norm(residual))
        share = 1.0
        for _ in range(_MAX_HALVINGS):
            trial = x + share * move
            residual = _residual(network, trial)
            if np.linalg.norm(residual) <= norm:
                break
            share /= 2
        x = trial
        if error <= tolerance * (1 + float(np.abs(x).max())):
            return FixedPoint(x, float(np.abs(residual).max()), error, taken, "ok")
    size = float(np.abs(residual).max())
    advice = "start from another guess or let it relax longer; in chaos try several guesses"
    return FixedPoint(x, size, error, taken, "not_converged", advice)


def _residual(network: Network, x: Array) -> Array:
    return network.drift(x) if network.model.time == "continuous" else network.update(x) - x


def _correction(
    network: Network, linear: Linearization, residual: Array, dense_limit: int
) -> Array:
    """Newton's correction: the solution of D move = -residual, of (D - 1) move for a map."""
    shift = 0.0 if network.model.time == "continuous" else 1.0
    if residual.size <= dense_limit:
        matrix = linear.dense()
        matrix[np.diag_indices_from(matrix)] -= shift
        try:
            move = np.linalg.solve(matrix, -residual.ravel())
            return np.asarray(move, dtype=np.float64).reshape(residual.shape)
        except np.linalg.LinAlgError:
            return np.full(residual.shape, np.nan)

    def product(v: Array) -> Array:
        v = np.reshape(v, residual.shape)
        return (linear.apply(v) - shift * v).ravel()

    operator = LinearOperator((residual.size, residual.size), matvec=product, dtype=np.float64)
    move, _ = gmres(operator, -residual.ravel(), rtol=1e-6, restart=200, maxiter=5)
    return cast("Array", move).reshape(residual.shape)

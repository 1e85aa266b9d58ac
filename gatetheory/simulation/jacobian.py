"""The Jacobian of a finite network: dense, its moments, its eigenvalues, the extreme ones alone."""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigs
from threadpoolctl import threadpool_limits

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.simulation.draw import check_count
from gatetheory.simulation.linearization import linearize
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.network import Network, UnitState

Complex = NDArray[np.complex128]


def jacobian(network: Network, state: Array | UnitState, time: float = 0.0) -> Array:
    """The Jacobian D = A + Σ_a L_a J^a R_a, algebraic fields eliminated.

    Args:
        network: The network.
        state: A state, or a synthetic one (:func:`gatetheory.simulation.synthetic_state`).
        time: Time t, for inputs that depend on it.

    Returns:
        Shape (F N, F N), F the number of fields with dynamics, in blocks in their order. Of a flow:
        ∂(dx/dt)/∂x, time constants divided out. Of a map: ∂x(t+1)/∂x(t).

    Raises:
        ParameterError: If a synthetic state leaves out what the derivatives need.
        ConvergenceError: If a derivative is not finite.
    """
    return linearize(network, state, time).dense()


def eigenvalues(matrix: Array) -> Complex:
    """Every eigenvalue of a dense matrix."""
    found = linalg.eigvals(_square(matrix))
    return cast("Complex", np.asarray(found, dtype=np.complex128))


def singular_moments(matrix: Array, units: int, orders: int = 3) -> Array:
    """(1/N) Tr (D Dᵀ)^k for k = 1 … orders, per unit (not per row), shape (orders,)."""
    matrix = _square(matrix)
    check_count("orders", orders)
    gram = matrix @ matrix.T
    half, traces = gram, [float(np.trace(gram))]
    while len(traces) < orders:  # Tr G^(p+q) = Σ_ij (G^p)_ij (G^q)_ij for symmetric G
        traces.append(float(np.sum(half * half)))
        if len(traces) < orders:
            further = half @ gram
            traces.append(float(np.sum(half * further)))
            half = further
    return np.array(traces) / units


def mean_trace(matrix: Array, units: int) -> float:
    """(1/N) Tr D."""
    return float(np.trace(_square(matrix))) / units


def extreme_eigenvalues(
    network: Network,
    state: Array | UnitState,
    count: int = 1,
    which: Literal["LR", "LM"] = "LR",
    *,
    time: float = 0.0,
    basis: int | None = None,
    max_restarts: int = 1000,
    tolerance: float = 1e-10,
    threads: int = 1,
) -> Complex:
    """The rightmost (LR) or largest (LM) eigenvalues, by ARPACK; D is never formed.

    Args:
        network: The network.
        state: A state or a synthetic one.
        count: How many.
        which: ``"LR"``: largest real part; ``"LM"``: largest modulus.
        time: Time t, for inputs that depend on it.
        basis: Number of Arnoldi vectors; a larger basis helps where eigenvalues crowd.
        max_restarts: Give up after as many restarts.
        tolerance: Relative accuracy of the eigenvalues.
        threads: Threads that BLAS may use.

    Returns:
        Shape (count,) or one more when a conjugate pair would be torn, most extreme first.

    Raises:
        ParameterError: If ``which`` or a count makes no sense.
        ConvergenceError: If ARPACK does not converge.
    """
    if which not in ("LR", "LM"):
        raise ParameterError(f"which must be 'LR' or 'LM', got {which!r}")
    check_count("count", count)
    size = network.shape[0] * network.shape[1]
    if count >= size - 2:
        raise ParameterError(f"count must be below {size - 2}; use eigenvalues(jacobian(…))")
    linear = linearize(network, state, time)
    operator = LinearOperator(
        (size, size),
        matvec=lambda v: linear.apply(np.reshape(v, network.shape)).ravel(),
        dtype=np.float64,
    )
    vectors = min(size, max(4 * count + 2, 64)) if basis is None else basis
    start = np.random.default_rng(0).standard_normal(size)
    try:
        with threadpool_limits(limits=threads, user_api="blas"):
            found = eigs(
                operator,
                k=count,
                which=which,
                v0=start,
                ncv=vectors,
                maxiter=max_restarts,
                tol=tolerance,
                return_eigenvectors=False,
            )
    except (ArpackNoConvergence, ArpackError) as error:
        raise ConvergenceError(
            f"ARPACK found no {count} extreme eigenvalues ({str(error).splitlines()[0]}); "
            f"take a basis above {vectors}, fewer eigenvalues, or eigenvalues(jacobian(…))"
        ) from error
    found = np.asarray(found, dtype=np.complex128)
    order = np.argsort(-(found.real if which == "LR" else np.abs(found)), kind="stable")
    return found[order]


def _square(matrix: Array) -> Array:
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise ParameterError(f"need a finite square matrix, got shape {matrix.shape}")
    return matrix

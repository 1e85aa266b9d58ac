"""What a unit does by itself at a state: modes outside the transfer matrix, and its poles.

The pencil λE − A of one unit is sampled over the state. A field that no local field drives, or that
no signal reads, adds its own eigenvalues to the spectrum of the network, N of each: atoms when they
are the same for every unit, a continuous family otherwise. The other fields' local eigenvalues are
the poles of K(λ). Where they vary from unit to unit, K is infinite on all of their range.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr

from gatetheory.codegen.program import Backend
from gatetheory.equations.shapes import SpectralCondition
from gatetheory.functions import instantiate
from gatetheory.solvers.transfer import State

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

# Standard deviations at which the state is sampled; the far ones stand for ±∞.
_NEAR = np.concatenate([np.linspace(-9, 9, 37), np.array([-0.3, 0.11, 0.47])])
_FAR = 10.0 ** np.array([2, 4, 8, 16, 32, 64])
NODES = np.sort(np.concatenate([_NEAR, _FAR, -_FAR]))
MOST_SAMPLES = 40_000


@dataclass(frozen=True)
class LocalModes:
    """Local eigenvalues at a state.

    Args:
        atoms: Eigenvalues shared by all units, outside K.
        families: Samples of eigenvalues outside K that vary from unit to unit, a row per mode.
        fixed_poles: Poles of K that are the same for all units.
        moving_poles: Samples of the poles of K that vary from unit to unit, a row per mode.
        active: Which fields are both driven and read.
    """

    atoms: Complex
    families: Complex
    fixed_poles: Complex
    moving_poles: Complex
    active: NDArray[np.bool_]

    @property
    def segments(self) -> tuple[tuple[float, float], ...]:
        """Real intervals on which K is infinite, merged where they overlap."""
        found: list[tuple[float, float]] = []
        real = self.moving_poles[np.all(self.moving_poles.imag == 0, axis=1)].real
        for low, high in sorted((float(row.min()) + 0.0, float(row.max()) + 0.0) for row in real):
            if found and low <= found[-1][1]:
                found[-1] = (found[-1][0], max(high, found[-1][1]))
            else:
                found.append((low, high))
        return tuple(found)


def local_modes(condition: SpectralCondition, backend: Backend, state: State) -> LocalModes:
    """Sample A, L, R over the state and sort the local eigenvalues."""
    drift, drives, readouts = _sample(condition, backend, state)
    mass = np.array([float(m.xreplace(dict(state.parameters))) for m in condition.mass])
    active = _driven_and_read(_pattern(drift), _pattern(drives), _pattern(readouts))
    outside = _sorted_eigenvalues(drift, mass, ~active)
    inside = _sorted_eigenvalues(drift, mass, active)
    atoms, families = _constant_or_not(outside)
    fixed, moving = _constant_or_not(inside)
    return LocalModes(atoms, families, fixed, moving, active)


def _sample(
    condition: SpectralCondition, backend: Backend, state: State
) -> tuple[Array, Array, Array]:
    """A (S, F, F), L (S, F, n) and R (S, n, F) at S samples of the Gaussian variables."""
    law = condition.law
    matrices = [condition.drift_matrix, condition.drives, condition.readouts]
    matrices = [instantiate(m, condition.definitions) for m in matrices]
    occurring = set().union(*(m.free_symbols for m in matrices))
    covariance = _number_matrix(law.covariance, state)
    variables = [v for i, v in enumerate(law.variables) if v in occurring and covariance[i, i] > 0]
    frozen = {v: sympy.S.Zero for v in law.variables if v not in variables}
    std = [np.sqrt(covariance[law.variables.index(v), law.variables.index(v)]) for v in variables]
    nodes = NODES
    while len(nodes) ** len(variables) > MOST_SAMPLES and len(nodes) > 8:
        nodes = nodes[::2]
    samples = list(product(nodes, repeat=len(variables)))
    grid = np.array(samples, float).reshape(len(samples), len(variables)).T
    columns = [s * row for s, row in zip(std, grid, strict=True)]
    unknowns = [float(state[u]) for u in law.unknowns]  # type: ignore[arg-type]
    parameters = [float(state.parameters[p]) for p in condition.parameters]
    entries = [e.xreplace(frozen) for m in matrices for e in m]
    arguments = (*variables, *law.unknowns, *condition.parameters)
    program = backend.compile(entries, arguments)
    with np.errstate(all="ignore"):
        values = program(*columns, *unknowns, *parameters).values
    size = grid.shape[1] if variables else 1
    table = np.stack([np.broadcast_to(np.asarray(v, float), (size,)) for v in values])
    table = table[:, np.isfinite(table).all(axis=0)]
    f, n = condition.drift_matrix.rows, condition.readouts.rows
    split = np.split(table, [f * f, f * f + f * n])
    return (
        split[0].reshape(f, f, -1).transpose(2, 0, 1),
        split[1].reshape(f, n, -1).transpose(2, 0, 1),
        split[2].reshape(n, f, -1).transpose(2, 0, 1),
    )


def _number_matrix(matrix: sympy.ImmutableDenseMatrix, state: State) -> Array:
    def number(e: Expr) -> float:
        values = {s: sympy.Float(float(state[s])) for s in e.free_symbols}  # type: ignore[arg-type]
        return float(e.xreplace(values))

    return np.array([[number(e) for e in row] for row in matrix.tolist()]).reshape(matrix.shape)


def _pattern(samples: Array) -> NDArray[np.bool_]:
    return np.asarray(np.any(samples != 0, axis=0))


def _driven_and_read(
    drift: NDArray[np.bool_], drives: NDArray[np.bool_], readouts: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which fields lie on a path from a local field to a signal."""
    driven = np.asarray(drives.any(axis=1))
    read = np.asarray(readouts.any(axis=0))
    for _ in range(len(drift)):
        driven = driven | (drift & driven[None, :]).any(axis=1)
        read = read | (drift & read[:, None]).any(axis=0)
    return np.asarray(driven & read)


def _sorted_eigenvalues(drift: Array, mass: Array, chosen: NDArray[np.bool_]) -> Complex:
    """Finite eigenvalues of the pencil of some fields, shape (modes, samples)."""
    index = np.flatnonzero(chosen)
    block, scale = drift[:, index[:, None], index], mass[index]
    dynamic, algebraic = np.flatnonzero(scale > 0), np.flatnonzero(scale == 0)
    if len(dynamic) == 0:
        return np.empty((0, len(drift)), complex)
    reduced = block[:, dynamic[:, None], dynamic]
    if len(algebraic):
        solve = np.linalg.solve(
            block[:, algebraic[:, None], algebraic], block[:, algebraic[:, None], dynamic]
        )
        reduced = reduced - block[:, dynamic[:, None], algebraic] @ solve
    rates = reduced / scale[dynamic][:, None]
    if _is_triangular(_pattern(rates)):
        return np.diagonal(rates, axis1=1, axis2=2).T.astype(complex)
    values = np.linalg.eigvals(rates)
    return np.asarray(np.sort_complex(values).T, complex)


def _is_triangular(pattern: NDArray[np.bool_]) -> bool:
    """Whether the fields can be ordered so that each reads only itself and earlier ones."""
    loops = pattern & ~np.eye(len(pattern), dtype=bool)
    power = loops.astype(int)
    for _ in range(len(pattern)):
        power = np.minimum(power @ loops, 1)
    return not power.any()


def _constant_or_not(values: Complex) -> tuple[Complex, Complex]:
    if values.size == 0:
        return np.empty(0, complex), np.empty((0, values.shape[-1]), complex)
    spread = np.abs(values - values[:, :1]).max(axis=1)
    constant = spread <= 1e-13 * np.maximum(1.0, np.abs(values[:, 0]))
    return values[constant, 0], values[~constant]

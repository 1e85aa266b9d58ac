"""Exact values for a finite ensemble of units: what no simulation is precise enough for.

The units sit at the nodes of a tensor Gauss–Hermite rule, each with its weight, and their local
matrices come from the simulator. Averages over that ensemble are sums, so that the transfer matrix
is a sum, and the moments are the sum over all words and planar pairings, listed here one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatetheory import simulation

Array = NDArray[Any]


@dataclass(frozen=True)
class Units:
    """Local matrices of an ensemble of units.

    Args:
        weights: Weight of every unit, shape (S,), summing to 1.
        drift: A, time constants divided out, shape (S, F, F).
        drives: L, shape (S, F, n).
        readouts: R, shape (S, n, F).
        mass: 1 for fields with dynamics, 0 for algebraic ones, shape (F,).
        variances: s_a², shape (n,).
    """

    weights: Array
    drift: Array
    drives: Array
    readouts: Array
    mass: Array
    variances: Array


def units_of(
    model: Any,
    parameters: Any,
    case: Any,
    state: Callable[..., simulation.UnitState],
    rule: tuple[Array, Array],
) -> Units:
    """The ensemble of a case, by the simulator's own derivatives."""
    x, w = rule
    names = list(case.variances)
    grid = np.meshgrid(*[x] * len(names), indexing="ij")
    weights = np.prod(np.meshgrid(*[w] * len(names), indexing="ij"), axis=0).ravel()
    network = simulation.draw_network(model, parameters, len(weights), 0)
    at = state(network, case, {n: g.ravel() for n, g in zip(names, grid, strict=True)})
    linear = simulation.linearize(network, at)
    f, n = len(model.fields), len(model.couplings)
    drift, drives = np.zeros((len(weights), f, f)), np.zeros((len(weights), f, n))
    readouts = np.zeros((len(weights), n, f))
    for (i, j), entry in linear.direct.items():
        drift[:, i, j] = entry
    for (i, a), entry in linear.driven.items():
        drives[:, i, a] = entry
    for (s, j), entry in linear.read.items():
        for a in network.unit.readers[s]:
            readouts[:, a, j] = entry
    mass = np.array([float(i in network.unit.dynamic) for i in range(f)])
    variances = [float(c.variance.xreplace(dict(network.values))) for c in model.couplings]
    return Units(weights, drift, drives, readouts, mass, np.array(variances))


def transfer(units: Units, spectral: complex) -> Array:
    """K_ab = s_a² ⟨|R_a (λE − A)⁻¹ L_b|²⟩."""
    pencil = spectral * np.diag(units.mass) - units.drift
    answer = np.abs(units.readouts @ np.linalg.solve(pencil, units.drives.astype(complex))) ** 2
    return np.asarray(units.variances[:, None] * np.tensordot(units.weights, answer, axes=1))


def trace(units: Units) -> float:
    """(1/N) Tr A."""
    return float(units.weights @ np.trace(units.drift, axis1=1, axis2=2))


def moment(units: Units, k: int) -> float:
    """(1/N) Tr (D Dᵀ)^k: the sum over words of A and L J R and their planar pairings."""
    couplings = range(len(units.variances))
    faces: dict[Any, float] = {}
    total = 0.0
    for size in range(0, 2 * k + 1, 2):
        for chosen in combinations(range(2 * k), size):
            for pairs in planar_pairings(chosen):
                for kinds in product(couplings, repeat=len(pairs)):
                    kind = {p: a for pair, a in zip(pairs, kinds, strict=True) for p in pair}
                    value = float(np.prod(units.variances[list(kinds)]))
                    for face in _faces(2 * k, pairs):
                        # What a corner contributes depends on its parity and its neighbours.
                        key = tuple((c % 2, kind.get((c - 1) % (2 * k)), kind.get(c)) for c in face)
                        if key not in faces:
                            faces[key] = _face_average(units, 2 * k, face, kind)
                        value *= faces[key]
                    total += value
    return total


@lru_cache
def planar_pairings(letters: tuple[int, ...]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Pairings of positions on a circle without crossings, each joining a D with a Dᵀ."""

    def listed(rest: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], ...]]:
        if not rest:
            yield ()
            return
        first = rest[0]
        for m in range(1, len(rest), 2):
            if (rest[m] - first) % 2:
                for inside in listed(rest[1:m]):
                    for outside in listed(rest[m + 1 :]):
                        yield ((first, rest[m]), *inside, *outside)

    return tuple(listed(letters))


@lru_cache
def _faces(length: int, pairs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, ...], ...]:
    """Corners (corner c lies before letter c) around every face, in order."""
    partner = {p: q for pair in pairs for p, q in (pair, pair[::-1])}
    left = set(range(length))
    found = []
    while left:
        corner = min(left)
        face = []
        while corner in left:
            left.remove(corner)
            face.append(corner)
            corner = (partner.get(corner, corner) + 1) % length
        found.append(tuple(face))
    return tuple(found)


def _face_average(units: Units, length: int, face: tuple[int, ...], kind: dict[int, int]) -> float:
    """⟨product of the local matrices around a face⟩: rows enter by R or Lᵀ, leave by L or Rᵀ."""
    start = next((i for i, c in enumerate(face) if (c - 1) % length in kind), 0)
    factor = np.ones(len(units.weights))
    matrix = np.broadcast_to(np.eye(units.drift.shape[1]), units.drift.shape)
    for corner in face[start:] + face[:start]:
        before, after = (corner - 1) % length, corner
        if before in kind:
            a = kind[before]
            row = units.readouts[:, a] if before % 2 == 0 else units.drives[:, :, a]
            matrix = row[:, None, :]
        if after in kind:
            a = kind[after]
            column = units.drives[:, :, a] if after % 2 == 0 else units.readouts[:, a]
            factor = factor * (matrix @ column[:, :, None])[:, 0, 0]
        else:
            step = units.drift if after % 2 == 0 else units.drift.transpose(0, 2, 1)
            matrix = matrix @ step
    if not any((c - 1) % length in kind for c in face):
        factor = np.trace(matrix, axis1=1, axis2=2)
    return float(units.weights @ factor)

"""A self-consistency problem reduced to its core unknowns, and solutions of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from gatetheory.codegen.program import Backend, Program
from gatetheory.equations.bounds import bounds
from gatetheory.equations.shapes import SelfConsistency
from gatetheory.functions import instantiate

Array = NDArray[np.float64]

TINY = 1e-290
UNBOUNDED = 1e12  # end of the search when no bound on the signal is known


@dataclass(frozen=True)
class Root:
    """One solution of u = G(u).

    Args:
        values: Every unknown.
        errors: Error estimate of every unknown, absolute.
        residual: Largest |u − G(u)|.
        multiple: Whether the solution is (numerically) a double root, as at a fold.
    """

    values: Mapping[Symbol, object]
    errors: Mapping[Symbol, object]
    residual: object
    multiple: bool = False


@dataclass(frozen=True)
class Roots:
    """Every solution found.

    Args:
        roots: Ascending in the first unknown.
        complete: Whether all solutions in the searched range were found.
        searched: What was searched, in words.
    """

    roots: tuple[Root, ...]
    complete: bool
    searched: str


class CoreProblem:
    """The problem reduced to its core unknowns, compiled for one arithmetic."""

    def __init__(self, problem: SelfConsistency, backend: Backend) -> None:
        self.problem = problem
        self.backend = backend
        self.core = problem.core
        defined = {u: instantiate(g, problem.definitions) for u, g in problem.reduced.items()}
        self.maps = defined
        arguments = (*self.core, *problem.parameters)
        core_maps = [defined[u] for u in self.core]
        slopes = [g.diff(u) for g in core_maps for u in self.core]
        self.map: Program = backend.compile(core_maps, arguments)
        self.jacobian: Program = backend.compile(core_maps + slopes, arguments)
        everything = list(defined.values())
        sensitivities = [g.diff(u) for g in everything for u in self.core]
        self.everything: Program = backend.compile(everything + sensitivities, arguments)

    @cached_property
    def images(self) -> Program:
        """All maps, without slopes."""
        arguments = (*self.core, *self.problem.parameters)
        return self.backend.compile(list(self.maps.values()), arguments)

    @cached_property
    def _general_bounds(self) -> list[Expr]:
        """Upper bounds that hold for all parameters."""
        return [bounds(self.maps[u])[1] for u in self.core]

    def upper_bounds(self, parameters: Mapping[Symbol, Expr]) -> list[float]:
        """Physical end of the range of every core unknown."""
        ends = []
        for u, high in zip(self.core, self._general_bounds, strict=True):
            if not high.is_finite:
                high = bounds(self.maps[u].xreplace(dict(parameters)))[1]
            ends.append(float(high) if high.is_finite else UNBOUNDED)
        return ends


@dataclass(frozen=True)
class Trial:
    """Everything known at trial values of the core unknowns.

    Args:
        core: The trial values u.
        images: G for every unknown, in the problem's order.
        errors: Error estimates of G.
        slopes: ∂G/∂u, shape (unknowns, core unknowns).
    """

    core: Array
    images: Array
    errors: Array
    slopes: Array


def evaluate(problem: CoreProblem, core: Array, values: list[float]) -> Trial:
    """All maps and their slopes at trial values of the core unknowns."""
    result = problem.everything(*core, *values)
    n, c = len(problem.problem.unknowns), len(core)
    numbers = np.asarray(result.values, float)
    noise = np.asarray(result.errors, float)
    return Trial(core, numbers[:n], noise[:n], numbers[n:].reshape(n, c))


def at_zero(problem: CoreProblem, values: list[float]) -> Trial:
    """All maps at u = 0; slopes are NaN where G is not differentiable there."""
    zero = np.zeros(len(problem.core))
    try:
        trial = evaluate(problem, zero, values)
    except ZeroDivisionError:
        trial = None
    if trial is not None and np.isfinite(trial.slopes).all():
        return trial
    result = problem.images(*zero, *values)
    images, errors = np.asarray(result.values, float), np.asarray(result.errors, float)
    return Trial(zero, images, errors, np.full((len(images), len(zero)), np.nan))


def as_root(problem: CoreProblem, trial: Trial, *, multiple: bool = False) -> Root:
    """A trial that solves the problem, with residual and error of every unknown."""
    names = problem.problem.unknowns
    index = [names.index(u) for u in problem.core]
    core, errors = trial.core, trial.errors
    unknown = {u: float(v) for u, v in zip(names, trial.images, strict=True)}
    residual = np.abs(core - trial.images[index]) if len(core) else np.zeros(1)
    if np.isfinite(trial.slopes).all() and len(core):
        limit = residual + errors[index] + 2e-16 * np.abs(core)
        spread = _carried(_inverse(np.eye(len(core)) - trial.slopes[index]), limit)
        errors = errors + _carried(trial.slopes, spread)
        errors[index] = spread
    unknown |= {u: float(v) for u, v in zip(problem.core, core, strict=True)}
    errors = np.where(errors < TINY, 0.0, errors)  # noise of averages that vanish exactly
    return Root(
        values=unknown,
        errors={u: float(e) for u, e in zip(names, errors, strict=True)},
        residual=float(residual.max()),
        multiple=multiple,
    )


def _inverse(matrix: Array) -> Array:
    try:
        return np.asarray(np.linalg.inv(matrix), float)
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.inf)


def _carried(matrix: Array, errors: Array) -> Array:
    """|matrix| @ errors, where an infinite factor of nothing is nothing."""
    product = np.zeros_like(matrix)
    np.multiply(np.abs(matrix), errors, out=product, where=(matrix != 0) & (errors != 0))
    return np.asarray(product.sum(axis=1))

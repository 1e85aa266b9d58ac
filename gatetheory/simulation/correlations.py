"""Correlation functions in time of what units of a finite network do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import ArrayLike
from sympy import Expr

from gatetheory.errors import ConvergenceError, ParameterError
from gatetheory.functions import Next, Nonlinear
from gatetheory.model import Model
from gatetheory.simulation.bundle import BundleLaw, Precision
from gatetheory.simulation.correlation_sums import LaggedSums, block_length
from gatetheory.simulation.draw import Seed, check_count, generator
from gatetheory.simulation.lowering import Array, Kernel, compile_kernel, define
from gatetheory.simulation.lyapunov import (
    default_method,
    default_step,
    default_transient,
    initial_states,
    is_at_rest,
    limited_threads,
    longest_time_constant,
)
from gatetheory.simulation.network import Network
from gatetheory.simulation.schemes import Method, Stepper, make_stepper

_MEMORY = 2e9  # bytes that samples may take


@dataclass(frozen=True, eq=False)
class CorrelationFunctions:
    """C(τ) = (1/N) Σ_i ⟨x_i(t) x_i(t+τ)⟩, averages over time; means are not taken off.

    L lags, B trajectories.

    Args:
        lags: τ ≥ 0, shape (L,), in the model's own time.
        by_trajectory: C of every observable, shape (B, L), by name.
        halves: The same from the first and from the second half of the run, shape (2, B, L).
        means: ⟨x⟩ over units and time, shape (B,), by name.
        at_rest: Whether each trajectory ended in a fixed point, shape (B,).
        samples: Times that were averaged over, for lag 0.
        method: Scheme.
        step: Its step.
        final: Last states, shape (B, F, N).
    """

    lags: Array
    by_trajectory: Mapping[str, Array]
    halves: Mapping[str, Array]
    means: Mapping[str, Array]
    at_rest: tuple[bool, ...]
    samples: int
    method: str
    step: float
    final: Array

    def __getitem__(self, name: str) -> Array:
        """C of one observable, mean over trajectories, shape (L,).

        Raises:
            ParameterError: If it was not observed.
        """
        if name not in self.by_trajectory:
            raise ParameterError(f"no correlation {name!r}; there are {', '.join(self.names)}")
        return np.asarray(self.by_trajectory[name].mean(axis=0))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the observables' correlations."""
        return tuple(self.by_trajectory)


def correlations(
    network: Network,
    initial: ArrayLike | None,
    duration: float,
    *,
    transient: float | None = None,
    longest_lag: float | None = None,
    lag_step: float | None = None,
    observables: Mapping[str, Expr] | None = None,
    trajectories: int = 1,
    method: Method | None = None,
    step: float | None = None,
    precision: Precision = "double",
    threads: int = 1,
    seed: Seed = 0,
    memory: float = _MEMORY,
    progress: Callable[[int, int], None] | None = None,
) -> CorrelationFunctions:
    """Correlation functions along trajectories of a network.

    Every pair of samples at a lag counts, divided by the number of pairs. Sums are formed block by
    block, so that memory grows with the longest lag and not with the duration.

    Args:
        network: The network.
        initial: Initial states, shape (F, N) or (B, F, N); None draws them, of variance 1.
        duration: Time (steps) to average over.
        transient: Time (steps) before; see :func:`lyapunov_exponents`.
        longest_lag: Largest τ; by default 20 longest time constants (50 steps), at most a quarter
            of the duration.
        lag_step: Spacing of τ, and of the samples; by default the scheme's step.
        observables: Expressions in fields, local fields, inputs and parameters, by name. By
            default :func:`default_observables`.
        trajectories: B, if the initial states are drawn.
        method: Scheme; see :func:`lyapunov_exponents`.
        step: Its longest step; it is shortened to divide ``lag_step``.
        precision: Of the simulation; sums are in doubles.
        threads: Threads that BLAS may use.
        seed: Seed of initial states and noise.
        memory: Bytes that samples may take.
        progress: Called with (parts done, parts in all).

    Raises:
        ParameterError: For bad shapes and numbers, or samples that would need more memory.
        ConvergenceError: If a state is no longer finite.
    """
    check_count("threads", threads)
    states_rng, noise_rng = generator(seed).spawn(2)
    states = initial_states(network, initial, trajectories, states_rng)
    discrete = network.model.time == "discrete"
    chosen: Method = method or default_method(network)
    inner = 1.0 if discrete else default_step(network, states[0], chosen) if step is None else step
    spacing = inner if lag_step is None else lag_step
    before = default_transient(network, duration) if transient is None else transient
    if longest_lag is None:
        usual = 50.0 if discrete else 20 * longest_time_constant(network)
        longest_lag = min(usual, duration / 4)
    for name, value in (("duration", duration), ("lag_step", spacing), ("step", inner)):
        if not (math.isfinite(value) and value > 0):
            raise ParameterError(f"{name} must be a positive number, got {value!r}")
    for name, value in (("transient", before), ("longest_lag", longest_lag)):
        if not (math.isfinite(value) and value >= 0):
            raise ParameterError(f"{name} must not be negative, got {value!r}")
    if discrete and spacing != round(spacing):
        raise ParameterError(f"lag_step counts steps of a map, got {spacing!r}")
    stride = max(1, math.ceil(spacing / inner - 1e-9))
    inner = spacing / stride
    count, longest = math.floor(duration / spacing + 1e-9) + 1, round(longest_lag / spacing)
    if longest > (count - 1) // 2:
        raise ParameterError(
            f"longest_lag = {longest_lag:g} leaves few pairs in a duration of {duration:g}; "
            "it may be half of the duration at most"
        )
    if observables is None:
        observables = default_observables(network.model)
    if not observables:
        raise ParameterError("give at least one observable")
    b, series = len(states), network.units
    stepper, law = make_stepper(
        network, chosen, inner, trajectories=b, tangents=0, precision=precision, seed=noise_rng
    )
    probe = _Probe(law, observables)
    need = 8.0 * probe.count * b * series * (longest + block_length(longest))
    if need > memory:
        raise ParameterError(
            f"samples need {need / 1e9:.2g} GB, more than memory = {memory / 1e9:.2g} GB: take a "
            "shorter longest_lag, a longer lag_step, fewer observables or fewer trajectories"
        )
    stepper.now.states[...] = np.moveaxis(states, 0, 1)
    sums = LaggedSums(longest, probe.count * b, series)
    with limited_threads(threads), np.errstate(all="ignore"):
        start = round(before / inner)
        _march(stepper, 0, start, inner)
        parts = []
        for first, last in ((0, count // 2), (count // 2, count)):
            for k in range(first, last):
                if k:
                    done = start + (k - 1) * stride
                    _march(stepper, done, done + stride, inner)
                sums.add(probe(stepper, (start + k * stride) * inner))
                if progress is not None and 10 * k // count != 10 * (k + 1) // count:
                    progress(10 * (k + 1) // count, 10)
            parts.append(sums.take())
        at_rest = is_at_rest(law, stepper)
    return _record(
        parts, dict(zip(observables, probe.rows, strict=True)), b,
        lags=np.asarray(np.arange(longest + 1) * spacing, np.float64), at_rest=at_rest,
        samples=count, method=chosen, step=inner,
        final=np.moveaxis(stepper.now.states, 1, 0).astype(np.float64),
    )  # fmt: skip


def default_observables(model: Model) -> dict[str, Expr]:
    """Expressions whose correlations are taken when none are named.

    Returns:
        ``C_<field>``; ``C_<nonlinearity>`` of each one that is applied to one argument only; and
        ``C_eta_<coupling>`` of s ψ, which is the correlation of its local field.
    """
    found: dict[str, Expr] = {f"C_{f.name}": f.symbol for f in model.fields}
    applied: dict[str, set[Expr]] = {}
    for law in (*(f.law for f in model.fields), *(c.signal for c in model.couplings)):
        for node in law.atoms(Nonlinear):
            applied.setdefault(node.name, set()).add(node)
    for name in model.definitions:
        nodes = applied.get(name, set())
        if len(nodes) == 1 and not any(node.has(Next) for node in nodes):
            found[f"C_{name}"] = nodes.pop()
    scaled = {f"C_eta_{c.name}": sympy.sqrt(c.variance) * c.signal for c in model.couplings}
    return found | scaled


class _Probe:
    """Evaluates observables of every unit of every trajectory; equal ones are evaluated once."""

    def __init__(self, law: BundleLaw, observables: Mapping[str, Expr]) -> None:
        unit = law.network.unit
        definitions = law.network.model.definitions
        defined = [define(e, definitions) for e in observables.values()]
        expressions = tuple(dict.fromkeys(defined))
        self.rows = [expressions.index(e) for e in defined]
        unknown = {s for e in expressions for s in e.free_symbols} - set(unit.arguments)
        if unknown:
            names = ", ".join(sorted(s.name for s in unknown))
            raise ParameterError(f"observables contain {names}, which the model does not have")
        self.kernel: Kernel = compile_kernel(unit.arguments, expressions)
        dynamic = {law.network.model.fields[i].symbol for i in unit.dynamic}
        given = dynamic | set(law.network.model.symbols.values())
        self.completes = any(e.free_symbols - given for e in expressions)
        self.law, self.count = law, len(expressions)
        self.scratch = law.new()

    def __call__(self, stepper: Stepper, time: float) -> Array:
        """Shape (distinct observables x B, N), in doubles.

        Raises:
            ConvergenceError: If a value is not finite.
        """
        if self.completes:
            self.law.evaluate(stepper.now, time, self.scratch)
        b, n = self.law.trajectories, self.law.network.units
        values: Array = np.empty((self.count, b, n))
        self.kernel(self.law.arguments(stepper.now, time), values)
        if not np.isfinite(values).all():
            raise ConvergenceError(
                f"an observable is no longer finite at t = {time:g}: take a shorter step, or the "
                "model blows up"
            )
        return values.reshape(-1, n)


def _march(stepper: Stepper, first: int, last: int, step: float) -> None:
    for i in range(first, last):
        stepper.advance(i * step)


def _record(
    parts: list[tuple[Array, Array, Array, int]], rows: Mapping[str, int], trajectories: int,
    *, lags: Array, at_rest: tuple[bool, ...], samples: int, method: str, step: float, final: Array,
) -> CorrelationFunctions:  # fmt: skip
    shape = (-1, trajectories, len(lags))
    halves = np.stack([(s / p).reshape(shape) for s, p, _, _ in parts])
    (first, pairs, totals, _), (second, more, others, _) = parts
    whole = ((first + second) / (pairs + more)).reshape(shape)
    means = ((totals + others) / samples).reshape(-1, trajectories)
    return CorrelationFunctions(
        lags=lags,
        by_trajectory={name: whole[i] for name, i in rows.items()},
        halves={name: halves[:, i] for name, i in rows.items()},
        means={name: means[i] for name, i in rows.items()},
        at_rest=at_rest,
        samples=samples,
        method=method,
        step=step,
        final=final,
    )

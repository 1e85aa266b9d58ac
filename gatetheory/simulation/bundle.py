"""Trajectories of one network with tangent vectors attached: layout, and the bound laws.

A bundle is an array of shape (F, M, N): F fields with dynamics, N units, and M = B (1 + k) rows.
The first B rows are the states of B trajectories, the others k tangent vectors of each, trajectory
by trajectory. The law of a tangent vector is linear, δF = A δx + Σ_a L_a J^a R_a δx, and a scheme
that marches the whole array marches the exact derivative of its own map. All rows share one
product with each matrix. Units come last, so that one row is what a matrix-vector product reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np

from gatetheory.errors import ParameterError
from gatetheory.model import TimeDependentInput
from gatetheory.simulation.bundle_source import compile_bundle
from gatetheory.simulation.draw import check_count
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.network import Network

Precision = Literal["single", "double"]
_SMALL_PRODUCT = 1e6  # multiplications up to which OpenBLAS does not copy the matrix
_FEW_ROWS = 16  # above, multiplication takes longer than reading the matrix
_COPIED = 1000  # units up to which a transposed copy of a matrix is worth its memory
_LEAST_WIDTH = 25  # of a block, below which calls cost more than the copy


class Bundle:
    """An array of shape (F, M, N) and its views: made once, read at every step.

    Args:
        array: Shape (F, M, N), contiguous.
        trajectories: B.
    """

    def __init__(self, array: Array, trajectories: int) -> None:
        fields, rows, units = array.shape
        tangents = rows // trajectories - 1
        self.array = array
        self.rows = tuple(self.array)
        self.states = self.array[:, :trajectories]
        self.vectors = self.array[:, trajectories:].reshape(fields, trajectories, tangents, units)
        self.state_of = tuple(self.states)
        self.vectors_of = tuple(self.vectors)


class BundleLaw:
    """The laws of a network for a bundle: drift (or update) and its derivative, all rows at once.

    Args:
        network: The network.
        trajectories: B.
        tangents: k, vectors of each trajectory; 0 for trajectories alone.
        precision: ``"double"``; or ``"single"``, which halves the traffic of matrices and rows.
        split_leak: Leave constant rates -x/τ of fields out of :meth:`evaluate`, for exponential
            schemes; they are then in ``leak``.
    """

    def __init__(
        self,
        network: Network,
        trajectories: int = 1,
        tangents: int = 0,
        *,
        precision: Precision = "double",
        split_leak: bool = False,
    ) -> None:
        check_count("trajectories", trajectories)
        check_count("tangents", tangents, 0)
        if precision not in ("single", "double"):
            raise ParameterError(f"precision must be 'single' or 'double', got {precision!r}")
        self.network, self.trajectories, self.tangents = network, trajectories, tangents
        self.dtype = np.dtype(np.float32 if precision == "single" else np.float64)
        program = compile_bundle(network.unit, tangents > 0, trajectories > 1, split_leak)
        self.products = sum(len(readers) for readers in network.unit.readers)
        self.evaluations = 0
        leak = [float(e.xreplace(dict(network.values))) for e in program.leak]
        self.leak: Array = np.array(leak)
        self._parameters = network.parameters
        self._fixed_inputs: tuple[Any, ...] | None = None
        if not any(isinstance(i, TimeDependentInput) for i in network.model.inputs):
            self._fixed_inputs = self._cast(network.inputs(0.0))
        buffers = self._buffers()
        self._fields = len(network.model.fields)
        self._algebraic: dict[int, Array] = {f: buffers[f"f{f}"] for f in network.unit.algebraic}
        self._local = [buffers[f"l{a}"] for a in range(len(network.model.couplings))]
        self._run = program.bind(buffers)

    @property
    def is_map(self) -> bool:
        """Whether :meth:`evaluate` gives the next state, not the rate."""
        return self.network.model.time == "discrete"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (F, M, N) of a bundle."""
        fields, units = self.network.shape
        return fields, self.trajectories * (1 + self.tangents), units

    def new(self) -> Bundle:
        """A bundle of zeros."""
        return Bundle(np.zeros(self.shape, dtype=self.dtype), self.trajectories)

    def evaluate(self, at: Bundle, time: float, out: Bundle, noise: Array | None = None) -> None:
        """Rates (flow) or next values (map) of every row.

        Args:
            at: Where.
            time: Time t.
            out: Result, overwritten; not ``at``.
            noise: Value of every white noise, shape (W, B, N); without it 0.
        """
        self.evaluations += 1
        if self._fixed_inputs is None or noise is not None:
            inputs = self._cast(self.network.inputs(time, noise))
            self._run(at, out, inputs, self._parameters)
        else:
            self._run(at, out, self._fixed_inputs, self._parameters)

    def bound(self, at: Bundle, out: Bundle) -> Callable[[float], None]:
        """:meth:`evaluate` as a function of time alone; its calls are not counted."""
        if self._fixed_inputs is not None:
            return partial(self._run, at, out, self._fixed_inputs, self._parameters)

        def run(time: float) -> None:
            inputs = self._cast(self.network.inputs(time))
            self._run(at, out, inputs, self._parameters)

        return run

    def arguments(self, at: Bundle, time: float) -> tuple[Any, ...]:
        """Arguments of the unit's kernels, arrays of shape (B, N).

        Algebraic and local fields are those of the last :meth:`evaluate`.
        """
        inputs = self._fixed_inputs
        if inputs is None:
            inputs = self._cast(self.network.inputs(time))
        return (*self._unit_fields(at), *self._local, *inputs, *self._parameters)

    def _unit_fields(self, at: Bundle) -> list[Array]:
        fields: list[Array] = [self._algebraic.get(f, at.array) for f in range(self._fields)]
        for row, f in zip(at.state_of, self.network.unit.dynamic, strict=True):
            fields[f] = row
        return fields

    def _cast(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            i.astype(self.dtype, copy=False) if isinstance(i, np.ndarray) else i for i in inputs
        )

    def _buffers(self) -> dict[str, Any]:
        """Arrays that the program writes to, and the products, by the names it uses."""
        unit, n = self.network.unit, self.network.units
        b, k = self.trajectories, self.tangents
        rows = b * (1 + k)
        found: dict[str, Any] = {}

        def views(name: str, array: Array) -> None:
            found[f"a{name}"] = array
            found[name] = array[:b]
            found[f"d{name}"] = array[b:].reshape(b, k, n)

        for s, readers in enumerate(unit.readers):
            signal = np.zeros((rows, n), dtype=self.dtype)
            field = np.zeros((rows, len(readers) * n), dtype=self.dtype)
            views(f"w{s}", signal)
            found[f"product{s}"] = _product(self.network.stacks[s], signal, field)
            for j, a in enumerate(readers):
                views(f"l{a}", field[:, j * n : (j + 1) * n])
        for f in unit.algebraic:
            views(f"f{f}", np.zeros((rows, n), dtype=self.dtype))
        views("scratch", np.zeros((rows, n), dtype=self.dtype))
        return found


def _product(stack: Array, signal: Array, out: Array) -> Callable[[], object]:
    """A function that writes J @ ψ of every row to ``out``.

    With few rows the time is that of reading J. BLAS copies J first if there is more than one row,
    except in small products; so J is cut into blocks of columns of Jᵀ whose products are small.
    """
    matrix = stack if signal.dtype == stack.dtype else stack.astype(signal.dtype)
    (rows, units), outputs = signal.shape, len(stack)
    if rows == 1:
        return partial(matrix.dot, signal[0], out[0])
    width = min(outputs, int(_SMALL_PRODUCT / (rows * units)))
    if width < _LEAST_WIDTH:
        return partial(signal.dot, matrix.T, out)
    width = math.ceil(outputs / math.ceil(outputs / width))
    blocks = [(matrix[i : i + width].T, out[:, i : i + width]) for i in range(0, outputs, width)]
    if len(blocks) == 1:
        return partial(signal.dot, matrix.T, out)

    def by_blocks() -> None:
        for block, result in blocks:
            np.matmul(signal, block, out=result)

    return by_blocks

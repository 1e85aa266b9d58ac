"""Records of stationary correlation functions and of the growth rate between replicas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatetheory.errors import ParameterError
from gatetheory.solvers.lag_problem import LagPoint
from gatetheory.solvers.records import Provenance, Status, show

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CorrelationBranch:
    """One stationary state.

    Args:
        values: Equal-time covariances: ``C_<field>``, ``C_<nonlinearity>``, ``C_eta_<coupling>``.
        plateaus: The same at infinite lag.
        half_width: Lag at which the main covariance has fallen half-way to its plateau.
        error: Relative error estimate of the main C(0).
        residual: Largest residual of the equations, averages computed by a finer rule, relative.
        lags: Lags at which the functions are listed, in the model's time, shape (n,).
        functions: Covariances at these lags, shape (n,) each.
        point: The solution as the solver holds it.
        main: Name of the main covariance.
    """

    values: Mapping[str, float]
    plateaus: Mapping[str, float]
    half_width: float
    error: float
    residual: float
    lags: Array
    functions: Mapping[str, Array]
    point: LagPoint
    main: str

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def function(self, name: str, lags: Any) -> Array:
        """A covariance at any lags, by the interpolation the solver uses.

        Args:
            name: One of :attr:`functions`.
            lags: Lags, negative ones by evenness; shape (m,).

        Raises:
            ParameterError: If there is no such function.
        """
        if name not in self.functions:
            raise ParameterError(f"no covariance {name!r}; there are {', '.join(self.functions)}")
        at = np.abs(np.atleast_1d(np.asarray(lags, dtype=float)))
        rest = self.functions[name] - self.plateaus[name]
        return self.point.grid.interpolate(rest, at) + self.plateaus[name]


@dataclass(frozen=True, eq=False)
class Correlations:
    """Stationary states at given parameters, ascending in C(0).

    Args:
        status: ``"ok"`` or ``"no_chaotic_state"``.
        branches: The states found.
        closure: ``"constant"`` or ``"factorized"``.
        reason: Why this closure.
        exact: Whether it leaves nothing out at these parameters.
        quiet_response: Largest eigenvalue of the quiet state's response; above 1 it is unstable.
        searched: What was searched, in words.
        provenance: Parameters, assumptions, references.
    """

    status: Status
    branches: tuple[CorrelationBranch, ...]
    closure: str
    reason: str
    exact: bool
    quiet_response: float | None
    searched: str
    provenance: Provenance = field()

    def __getitem__(self, branch: int) -> CorrelationBranch:
        return self.branches[branch]

    def __iter__(self) -> Iterator[CorrelationBranch]:
        return iter(self.branches)

    def __len__(self) -> int:
        return len(self.branches)

    def cite(self) -> str:
        """The references used."""
        return self.provenance.cite()

    def __str__(self) -> str:
        lines = [f"closure {self.closure} ({self.reason})"]
        if not self.branches:
            lines.append(f"no chaotic state; searched: {self.searched}")
        for k, b in enumerate(self.branches):
            values = ", ".join(f"{n} = {show(v, 15)}" for n, v in b.values.items())
            lines.append(f"[{k}] {values}")
            lines.append(
                f"    half width {b.half_width:.6g}, relative error {b.error:.1e}, "
                f"residual {b.residual:.1e}"
            )
            static = {n: v for n, v in b.plateaus.items() if v}
            if static:
                lines.append("    C(∞): " + ", ".join(f"{n} {v:.9g}" for n, v in static.items()))
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Lyapunov:
    """The largest Lyapunov exponent.

    Args:
        status: ``"ok"``, ``"no_chaotic_state"`` or ``"not_converged"``.
        value: λ_max per unit of the model's time (per step); None without a chaotic state.
        error: Absolute error estimate.
        residual: Residual of the eigenproblem, as a change of λ.
        mode_lags: Lags at which the eigenfunction is listed, shape (n,).
        mode: Its variations of the sources by name, largest 1, shape (n,) each.
        abscissa: Spectral abscissa (ln radius of a map) of the stable fixed point, if there is one
            and no chaotic state.
        correlations: The stationary state.
        closure: The closure used.
        exact: Whether it leaves nothing out.
        provenance: Parameters, assumptions, references.
    """

    status: Status
    value: float | None
    error: float | None
    residual: float | None
    mode_lags: Array
    mode: Mapping[str, Array]
    abscissa: float | None
    correlations: Correlations
    closure: str
    exact: bool
    provenance: Provenance = field()

    def cite(self) -> str:
        """The references used."""
        return self.provenance.cite()

    def __str__(self) -> str:
        if self.value is None:
            rest = "" if self.abscissa is None else f"; stable fixed point: {self.abscissa:.12g}"
            return f"no chaotic state{rest}"
        note = "" if self.exact else f" (closure {self.closure}, an approximation here)"
        return f"λ_max = {self.value:.12g} ± {self.error:.1e}{note}"

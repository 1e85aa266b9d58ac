"""What gradients in independent networks are like: second moments and their errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from gatetheory.errors import ParameterError
from gatetheory.simulation.estimators import Estimate, estimate
from gatetheory.simulation.lowering import Array
from gatetheory.simulation.relaxation import Status


@dataclass(frozen=True, eq=False)
class GradientObservation:
    """Second moments of gradients of L = N^{-1/2} Σ_i e(x_i, c_i), network by network.

    Each is a mean over draws of c and over windows of the trajectory. Errors are standard errors
    over networks, as windows of one network are not independent.

    Args:
        model: Name of the model.
        parameters: Value of every parameter, as text.
        units: N.
        loss: The expression e.
        running: Whether L is integrated (summed) over the horizon, or read at its end.
        horizons: T in increasing order, shape (H,).
        draws: Draws of c in each window.
        windows: Windows in each network.
        statuses: What each network was doing: ``"fixed point"`` or ``"active"``.
        squares: Q_a(T) = N mean_ij (dL/dJ^a_ij)² by coupling, shape (networks, H).
        parameter_squares: (dL/dθ)² by parameter, shape (networks, H).
        norms: |λ|²/N at the start of the horizon, λ = √N ∂L/∂x, shape (networks, H).
        growth: Growth exponent of |λ|² per unit of time going back, shape (networks,), or None.
        growth_window: Length of the run it was found in.
        method: Scheme.
        step: Its longest step.
    """

    model: str
    parameters: Mapping[str, str]
    units: int
    loss: str
    running: bool
    horizons: Array
    draws: int
    windows: int
    statuses: tuple[Status, ...]
    squares: Mapping[str, Array]
    parameter_squares: Mapping[str, Array]
    norms: Array
    growth: Array | None
    growth_window: float | None
    method: str
    step: float

    def square(self, coupling: str, index: int = -1) -> Estimate:
        """Q_a(T) over networks.

        Args:
            coupling: Name of the coupling a.
            index: Position of T in :attr:`horizons`.

        Raises:
            ParameterError: If there is none of that name.
        """
        return estimate(_find("coupling", coupling, self.squares)[:, index])

    def parameter_square(self, name: str, index: int = -1) -> Estimate:
        """E[(dL/dθ)²] over networks.

        Args:
            name: Name of the parameter θ.
            index: Position of T in :attr:`horizons`.

        Raises:
            ParameterError: If there is none of that name.
        """
        return estimate(_find("parameter", name, self.parameter_squares)[:, index])

    def norm(self, index: int = -1) -> Estimate:
        """|λ|²/N at the start of a horizon, over networks."""
        return estimate(self.norms[:, index])

    @cached_property
    def growth_exponent(self) -> Estimate | None:
        """Growth exponent of |λ|² over networks; None if it was not asked for."""
        return None if self.growth is None else estimate(self.growth)

    def __str__(self) -> str:
        """A plain-text table."""
        count, rest = len(self.statuses), self.statuses.count("fixed point")
        head = ", ".join(f"{name} = {value}" for name, value in self.parameters.items())
        kind = "integrated over the horizon" if self.running else "read at its end"
        lines = [
            f"{self.model} ({head})",
            f"loss {self.loss}, {kind}; {count} network{'s' if count > 1 else ''} of "
            f"{self.units} units, {rest} in a fixed point",
        ]
        for i, horizon in enumerate(self.horizons):
            lines.append(f"  horizon {horizon:g}")
            rows = {f"Q_{a}": self.square(a, i) for a in self.squares}
            rows |= {f"(dL/d{p})²": self.parameter_square(p, i) for p in self.parameter_squares}
            rows["|λ|²/N"] = self.norm(i)
            lines += [f"    {name}  {value}" for name, value in rows.items()]
        if self.growth_exponent is not None:
            lines.append(f"  growth exponent of |λ|²  {self.growth_exponent}")
        return "\n".join(lines)


def _find(what: str, name: str, table: Mapping[str, Array]) -> Array:
    if name not in table:
        raise ParameterError(f"no {what} {name!r} was seen; there are {', '.join(table) or 'none'}")
    return table[name]

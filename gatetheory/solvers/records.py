"""What solvers hand to people: frozen records that print themselves and know what they rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import mpmath
from sympy import Expr, Symbol

from gatetheory.equations.provenance import Assumption
from gatetheory.references import Reference
from gatetheory.solvers.boundary import Boundary

Status = Literal["ok", "no_solution", "no_chaotic_state", "not_converged", "precision_lost"]


@dataclass(frozen=True)
class Provenance:
    """What a solution was computed from.

    Args:
        parameters: Exact values, by name.
        digits: Digits asked for; 15 stands for doubles.
        assumptions: What the equations rest on.
        references: Where they come from.
    """

    parameters: Mapping[str, Expr] = field(hash=False)
    digits: int = 15
    assumptions: tuple[Assumption, ...] = ()
    references: tuple[Reference, ...] = ()

    def cite(self) -> str:
        """The references used, one a line."""
        return "\n".join(str(r) for r in self.references)


@dataclass(frozen=True)
class FixedPoint:
    """One fixed point.

    Args:
        values: Order parameters by name (``Delta_<coupling>``).
        errors: Absolute error estimates, by name.
        residual: Largest |Δ − G(Δ)|.
        stable: Whether the network is stable there (N → ∞).
        multiple: Whether it is a double solution, as at a fold.
    """

    values: Mapping[str, Any] = field(hash=False)
    errors: Mapping[str, Any] = field(hash=False)
    residual: Any
    stable: bool | None
    multiple: bool = False

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


@dataclass(frozen=True)
class FixedPoints:
    """All fixed points found at given parameters, ascending in the first order parameter.

    Args:
        status: ``"ok"`` or ``"no_solution"``.
        points: The fixed points.
        complete: Whether all solutions in the searched range were found.
        searched: What was searched, in words.
        provenance: Parameters, digits, assumptions, references.
    """

    status: Status
    points: tuple[FixedPoint, ...]
    complete: bool
    searched: str
    provenance: Provenance

    def __getitem__(self, branch: int) -> FixedPoint:
        return self.points[branch]

    def __iter__(self) -> Iterator[FixedPoint]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def cite(self) -> str:
        """The references used."""
        return self.provenance.cite()

    def __str__(self) -> str:
        digits = self.provenance.digits
        lines = [f"{len(self)} fixed point(s); searched {self.searched}"]
        for k, p in enumerate(self):
            values = ", ".join(f"{n} = {show(v, digits)}" for n, v in p.values.items())
            tail = "" if p.stable is None else ("  stable" if p.stable else "  unstable")
            lines.append(f"[{k}] {values}{tail}  (residual {float(p.residual):.1e})")
        if not self.complete:
            lines.append("the search is not proved complete")
        return "\n".join(lines)


@dataclass(frozen=True)
class Spectrum:
    """Support of the Jacobian's spectrum at a state.

    Args:
        status: ``"ok"``, ``"no_solution"`` or ``"precision_lost"``.
        quantity: ``"abscissa"`` (continuous time) or ``"radius"`` (discrete time).
        value: Its value; None unless the status is ok.
        error: Absolute error estimate.
        origin: ``"boundary"`` of the bulk, ``"atom"``, or ``"edge"`` of a range of local modes,
            which is then approached from below as N → ∞.
        stable: Whether all modes decay.
        atoms: Eigenvalues outside the bulk, N of each.
        segments: Real intervals on which the transfer matrix is infinite.
        state: Order parameters of the state.
        residual: |ρ(K) − 1| at the outermost point of the bulk, 0 where no boundary is involved.
        boundary: Boundary curves of the bulk; None if not traced.
        provenance: Parameters, digits, assumptions, references.
    """

    status: Status
    quantity: str
    value: Any
    error: Any
    origin: str
    stable: bool
    atoms: tuple[complex, ...]
    segments: tuple[tuple[float, float], ...]
    state: Mapping[str, Any] = field(hash=False)
    residual: float
    boundary: Boundary | None
    provenance: Provenance

    def cite(self) -> str:
        """The references used."""
        return self.provenance.cite()

    def __str__(self) -> str:
        digits = self.provenance.digits
        note = {"edge": " (approached from below)", "atom": " (an atom)"}.get(self.origin, "")
        lines = [
            f"{self.quantity} = {show(self.value, digits)} ± {float(self.error):.1e}{note}, "
            f"{'stable' if self.stable else 'unstable'}",
        ]
        if self.atoms:
            lines.append("atoms: " + ", ".join(f"{_plain(a):.12g}" for a in self.atoms))
        for low, high in self.segments:
            lines.append(f"the whole segment [{low:.6g}, {high:.6g}] belongs to the support")
        return "\n".join(lines)


@dataclass(frozen=True)
class Moments:
    """Moments of the Jacobian at a state.

    Args:
        status: ``"ok"`` or ``"precision_lost"``.
        values: (1/N)⟨Tr (D Dᵀ)^k⟩, k = 1, 2, 3.
        errors: Absolute error estimates.
        trace: (1/N)⟨Tr D⟩.
        state: Order parameters of the state.
        provenance: Parameters, digits, assumptions, references.
    """

    status: Status
    values: tuple[Any, ...]
    errors: tuple[Any, ...]
    trace: Any
    state: Mapping[str, Any] = field(hash=False)
    provenance: Provenance

    def cite(self) -> str:
        """The references used."""
        return self.provenance.cite()

    def __str__(self) -> str:
        digits = self.provenance.digits
        lines = [f"(1/N) Tr (D D^T)^{k} = {show(v, digits)}" for k, v in enumerate(self.values, 1)]
        return "\n".join([*lines, f"(1/N) Tr D = {show(self.trace, digits)}"])


def show(value: Any, digits: int) -> str:
    """A number to its digits."""
    if value is None:
        return "none"
    if isinstance(value, float | int):
        return f"{value:.12g}"
    return str(mpmath.nstr(value, digits))


def by_name(values: Mapping[Symbol, Any]) -> dict[str, Any]:
    """Values keyed by the symbols' names."""
    return {s.name: v for s, v in values.items()}


def _plain(value: complex) -> complex | float:
    return value.real if value.imag == 0 else value

"""What follows the linearised unit along its path: the adjoint, and sensitivities to parameters.

Coefficients (entries of A, L, R along the path) are evaluated once at every time; a unit of its own
is linear in what follows them. With algebraic fields eliminated and time constants divided out,

    −λ̇ = Aᵀλ + Rᵀζ + w c ∂f,       y = Lᵀλ + Dᵀζ + w c ∂_ηf,
    v̇ = A v + L δη + e,            u = R v + D δη + e_ψ.

ζ_a has the covariance s_a² ⟨y_a y_a'⟩, and δη_a has s_a² ⟨u_a u_a'⟩; D is what signals read of
local fields at once, w switches the gradient of the loss c f on, and e = ∂_θF − ∂_θE ẋ. In a map
the first line gives λ(t) from λ(t+1), with coefficients at t.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy
from sympy import DiracDelta, Expr, S, Symbol

from gatetheory.equations.gradient_problem import ExternalLoss, ParameterSlopes
from gatetheory.equations.single_site_process import SingleSiteProcess
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.functions import instantiate
from gatetheory.solvers.sampled_unit import GROWTH, Elimination, Unit

WEIGHT = Symbol("loss_weight", real=True)
"""c, or 0 where the loss is switched off."""


@dataclass(frozen=True, eq=False)
class LinearUnit:
    """A linear process along a path of the unit.

    Args:
        path: The unit, with the coefficients for outputs; drives as the unit has them.
        linear: The linear process; its drives are the coefficients, then one Gaussian field per
            coupling, then the loss's weight. Outputs come first one per coupling: what makes these
            fields.
        order: Couplings in groups, each of which can be drawn once earlier ones are known.
    """

    path: Unit
    linear: Unit
    order: tuple[tuple[int, ...], ...]


class _Coefficients:
    """Collects what varies along the path, under symbols of its own."""

    def __init__(self, elimination: Elimination) -> None:
        self.elimination = elimination
        self.known: dict[Expr, Symbol] = {}

    def matrix(self, entries: sympy.Matrix) -> sympy.Matrix:
        return entries.applyfunc(self.symbol)

    def symbol(self, entry: Expr) -> Expr:
        if entry.is_number:
            return entry
        if entry not in self.known:
            self.known[entry] = Symbol(f"coefficient_{len(self.known)}", real=True)
        return self.known[entry]

    def unit(
        self,
        fields: Sequence[Symbol],
        kicks: Sequence[Symbol],
        laws: Sequence[Expr],
        outputs: Mapping[str, Expr],
    ) -> LinearUnit:
        path = self.elimination.unit()
        discrete = path.discrete
        if discrete:
            flow = [sympy.exp(-GROWTH) * row for row in laws]
        else:
            flow = [row - GROWTH * x for row, x in zip(laws, fields, strict=True)]
        return LinearUnit(
            path=Unit(
                path.dynamic, path.implicit, path.drives, path.laws, path.residuals,
                {s.name: e for e, s in self.known.items()}, discrete,
            ),
            linear=Unit(
                tuple(fields), (), (*self.known.values(), *kicks, WEIGHT), tuple(flow), (),
                outputs, discrete,
            ),
            order=_order(list(outputs.values())[: len(kicks)], kicks, self.elimination.process),
        )  # fmt: skip


def make_adjoint_unit(
    process: SingleSiteProcess, parameters: Mapping[Symbol, Expr], loss: ExternalLoss
) -> LinearUnit:
    """The adjoint λ of the fields with dynamics.

    Outputs are y of every coupling, then ``slope_<field>``: ∂f/∂x of every field with dynamics.

    Raises:
        DerivationError: If a law or signal jumps.
    """
    refuse_jumps(process)
    reduced = Elimination(process, parameters)
    keep = _Coefficients(reduced)
    drift, drives, readouts, direct = map(keep.matrix, _normalised(reduced))
    slopes, seen = _loss_slopes(reduced, loss)
    slopes, seen = keep.matrix(slopes), keep.matrix(seen)
    names = [process.fields[i].name for i in reduced.moving]
    adjoint = [Symbol(f"adjoint_{n}", real=True) for n in names]
    back = [Symbol(f"zeta_{n}", real=True) for n in process.couplings]
    lam, zeta = sympy.Matrix(adjoint), sympy.Matrix(back)
    laws = drift.T * lam + readouts.T * zeta + WEIGHT * slopes.T
    heard = drives.T * lam + direct.T * zeta + WEIGHT * seen.T
    outputs = {f"y_{n}": row for n, row in zip(process.couplings, heard, strict=True)}
    outputs |= {f"slope_{n}": row for n, row in zip(names, slopes, strict=True)}
    return keep.unit(adjoint, back, list(laws), outputs)


def make_sensitivity_unit(
    process: SingleSiteProcess,
    parameters: Mapping[Symbol, Expr],
    slopes: ParameterSlopes,
    loss: ExternalLoss,
) -> LinearUnit:
    """The sensitivity v = ∂x/∂θ of the fields with dynamics to a parameter.

    Outputs are u of every coupling, then ``loss``: ∂f/∂x · v.

    Raises:
        DerivationError: If it cannot be followed; the message says why.
    """
    refuse_jumps(process, slopes)
    reduced = Elimination(process, parameters)
    keep = _Coefficients(reduced)
    own, algebraic = _explicit_laws(reduced, slopes)
    drift, drives, readouts, direct = map(keep.matrix, _normalised(reduced))
    moved, seen = _loss_slopes(reduced, loss)
    tangents = [Symbol(f"sensitivity_{process.fields[i].name}", real=True) for i in reduced.moving]
    kicks = [Symbol(f"delta_{e.name}", real=True) for e in process.local_fields]
    v, delta = sympy.Matrix(tangents), sympy.Matrix(kicks)
    laws = drift * v + drives * delta + keep.matrix(own)
    sent = []
    for a in range(len(kicks)):
        explicit = reduced.reduce(reduced.definite(slopes.signals[a]))
        scale = reduced.definite(slopes.scales[a])
        explicit += reduced.reduce(reduced.definite(process.signals[a])) * scale
        for k, i in enumerate(reduced.static):
            through = reduced.reduce(reduced.definite(process.readouts[a, i]))
            explicit += through * algebraic[k]
        sent.append(keep.symbol(explicit))
    heard = readouts * v + direct * delta + sympy.Matrix(sent)
    read = (keep.matrix(moved) * v)[0] + (keep.matrix(seen) * delta)[0]
    for k, i in enumerate(reduced.static):
        slope = reduced.reduce(reduced.definite(loss.slopes[i]))
        read += keep.symbol(slope * algebraic[k])
    outputs = {f"u_{n}": row for n, row in zip(process.couplings, heard, strict=True)}
    return keep.unit(tangents, kicks, list(laws), outputs | {"loss": read})


def refuse_jumps(process: SingleSiteProcess, slopes: ParameterSlopes | None = None) -> None:
    """Refuse laws and signals that jump: their derivatives miss what the jump does.

    Raises:
        DerivationError: If one does.
    """
    entries: list[Expr] = [*process.drift, *process.drives, *process.readouts]
    if slopes is not None:
        entries = [*slopes.laws, *slopes.signals]
    for entry in entries:
        found = instantiate(entry, process.definitions)
        if found.has(DiracDelta) and _jumps(found):
            what = "the unit" if slopes is None else f"what {slopes.parameter} acts on"
            raise DerivationError(
                f"a law or signal of {what} jumps, so that gradients miss the moments when a unit "
                "crosses the jump; replace it by a steep but smooth function"
            )


def _jumps(expression: Expr) -> bool:
    """Whether a δ-function has a coefficient that does not vanish where it sits."""
    flat = sympy.expand(expression)
    for delta in flat.atoms(DiracDelta):
        if len(delta.args) > 1:
            return True
        argument = delta.args[0]
        for x in sorted(argument.free_symbols, key=str):
            slope = argument.diff(x)
            if not slope.free_symbols & {x} and slope != 0:
                place = -argument.xreplace({x: S.Zero}) / slope
                if sympy.simplify(flat.coeff(delta).subs(x, place)) == 0:
                    break
        else:
            return True
    return False


def _normalised(reduced: Elimination) -> tuple[sympy.Matrix, ...]:
    """A, L, R, D with time constants divided out."""
    drift, drives, readouts, direct = reduced.reduced_derivatives()
    scale = sympy.diag(*(1 / reduced.mass[i] for i in reduced.moving))
    if not reduced.moving:
        scale = sympy.zeros(0, 0)
    return scale * drift, scale * drives, sympy.Matrix(readouts), sympy.Matrix(direct)


def _loss_slopes(reduced: Elimination, loss: ExternalLoss) -> tuple[sympy.Matrix, sympy.Matrix]:
    """∂f/∂x of fields with dynamics and ∂f/∂η, algebraic fields eliminated; one row each."""
    every = len(reduced.process.local_fields)
    definite = [reduced.reduce(reduced.definite(s)) for s in loss.slopes]
    moving = sympy.Matrix(1, len(reduced.moving), [definite[i] for i in reduced.moving])
    if not reduced.static:
        return moving, sympy.zeros(1, every)
    to_fields, to_drives, _ = reduced.algebraic_response()
    static = sympy.Matrix(1, len(reduced.static), [definite[i] for i in reduced.static])
    return moving + static * to_fields, static * to_drives


def _explicit_laws(
    reduced: Elimination, slopes: ParameterSlopes
) -> tuple[sympy.Matrix, list[Expr]]:
    """(∂_θF − ∂_θE ẋ)/E of fields with dynamics, and what algebraic fields do at once."""
    process, theta = reduced.process, slopes.parameter
    noises = set(process.inputs.noises)
    laws = [reduced.definite(e) for e in slopes.laws]
    for i in reduced.static:
        if reduced.definite(slopes.mass[i]) != 0:
            raise DerivationError(
                f"{theta} is 0: field {process.fields[i]} has no dynamics there, and follows a "
                "small time constant by a singular perturbation; give it a positive value"
            )
    for i in reduced.moving:
        mass = reduced.definite(slopes.mass[i])
        if mass != 0 and not process.discrete:
            laws[i] -= mass * reduced.laws[i] / reduced.mass[i]
    if any(law.free_symbols & noises for law in laws):
        raise DerivationError(
            f"{theta} scales white noise, whose part in the sensitivity is not sampled here"
        )
    if any(not s.is_finite for s in map(reduced.definite, slopes.scales)):
        raise DerivationError(
            f"{theta} makes a coupling's variance 0; its square root has no slope"
        )
    laws = [reduced.reduce(law) for law in laws]
    algebraic: list[Expr] = []
    own = sympy.Matrix([laws[i] / reduced.mass[i] for i in reduced.moving])
    if reduced.static:
        _, _, answer = reduced.algebraic_response()
        algebraic = list(answer * sympy.Matrix([laws[i] for i in reduced.static]))
        for row, i in enumerate(reduced.moving):
            for k, j in enumerate(reduced.static):
                entry = reduced.reduce(reduced.definite(process.drift[i, j]))
                own[row] += entry * algebraic[k] / reduced.mass[i]
    return own, algebraic


def _order(
    heard: Sequence[Expr], kicks: Sequence[Symbol], process: SingleSiteProcess
) -> tuple[tuple[int, ...], ...]:
    """Couplings in groups: what makes a field may read other fields of the same time."""
    needs = [{b for b, k in enumerate(kicks) if row.has(k)} for row in heard]
    order: list[tuple[int, ...]] = []
    known: set[int] = set()
    while len(known) < len(kicks):
        ready = tuple(a for a in range(len(kicks)) if a not in known and needs[a] <= known)
        if not ready:
            names = ", ".join(process.couplings[a] for a in range(len(kicks)) if a not in known)
            raise ParameterError(
                f"the signals of couplings {names} need each other at the same time; give an "
                "algebraic field between them a positive time constant"
            )
        order.append(ready)
        known |= set(ready)
    return tuple(order)

"""The conditions of every transition of fixed points that a model has, as people read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gatetheory.equations.provenance import Equation, EquationSet
from gatetheory.equations.shapes import SelfConsistency, SpectralCondition
from gatetheory.equations.transition import TransitionConditions
from gatetheory.errors import DerivationError
from gatetheory.theory.static_transitions import (
    fold_conditions,
    stability_conditions,
    zero_state_conditions,
)
from gatetheory.theory.steep_gates import marginal_conditions


@dataclass(frozen=True)
class TransitionEquations:
    """Conditions by the name of the transition: ``zero-state``, ``fold``, ``stability``, ``open``.

    Args:
        equations: The conditions; ``open`` is the end of the region in which steep gates keep a
            fixed point marginally stable.
    """

    equations: EquationSet

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()


def derive_transitions(
    fixed_points: SelfConsistency, spectrum: SpectralCondition
) -> TransitionEquations:
    """Every condition that exists for the model, at its default parameters for the zero state."""
    defaults = {p: v for p, v in fixed_points.bind(None).items() if v.is_zero}
    found: list[Equation] = []
    builders: tuple[Callable[[], TransitionConditions], ...] = (
        lambda: zero_state_conditions(fixed_points, spectrum, defaults),
        lambda: fold_conditions(fixed_points),
        lambda: stability_conditions(fixed_points, spectrum),
        lambda: marginal_conditions(fixed_points, spectrum)[1],
    )
    for build in builders:
        try:
            found.append(build().equations.equations[-1])
        except DerivationError:
            continue
    return TransitionEquations(EquationSet("transitions", tuple(found)))

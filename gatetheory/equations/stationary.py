"""The stationary state of a model: which closures exist, and what each of them solves.

A closure that does not exist for the model is listed with the reason why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from sympy import Expr, Symbol

from gatetheory.equations.lag_system import LagSystem
from gatetheory.equations.provenance import Equation, EquationSet
from gatetheory.equations.shapes import Bind, SelfConsistency
from gatetheory.equations.single_site_process import SingleSiteProcess
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.functions import instantiate

CLOSURES = ("constant", "factorized", "sampled")


@dataclass(frozen=True)
class StationaryState:
    """Stationary correlations of a model.

    Args:
        equations: The equations as people read them.
        lag_systems: Lag systems by closure, ``constant`` and ``factorized`` where they exist.
        refusals: Why the others do not.
        process: The single-site process, for the closure ``sampled``.
        fixed_points: Fixed points of the model, to tell what is there without a chaotic state;
            None where there are none.
        bind: Turns names and values into exact values of all parameters, defaults filled in.
    """

    equations: EquationSet
    lag_systems: Mapping[str, LagSystem] = field(hash=False)
    refusals: Mapping[str, str] = field(hash=False)
    process: SingleSiteProcess
    fixed_points: SelfConsistency | None
    bind: Bind = field(hash=False, compare=False)

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()

    def lag_system(self, closure: str) -> LagSystem:
        """The lag system of a closure.

        Raises:
            ParameterError: If there is no closure of this name.
            DerivationError: If the model has no such closure.
        """
        if closure not in CLOSURES:
            near = get_close_matches(closure, CLOSURES, n=1, cutoff=0.3) or CLOSURES
            raise ParameterError(f"no closure {closure!r}; there is {', '.join(near)}")
        if closure not in self.lag_systems:
            raise DerivationError(self.refusals.get(closure, f"there are no lag equations under "
                                                    f"the closure {closure}"))  # fmt: skip
        return self.lag_systems[closure]

    def closure(self, parameters: Mapping[Symbol, Expr], chosen: str | None) -> tuple[str, str]:
        """The closure to use at parameters, and why.

        Args:
            parameters: Exact values.
            chosen: What the user asked for, or None.
        """
        if chosen == "sampled":
            return "sampled", "asked for; exact up to the sampling error"
        if chosen is not None:
            system = self.lag_system(chosen)
            if is_exact(system, parameters):
                return chosen, "exact: no gate fluctuates at these parameters"
            return chosen, "asked for; an approximation, since a gate fluctuates"
        if "constant" not in self.lag_systems:
            return "sampled", self.refusals["constant"]
        if is_exact(self.lag_systems["constant"], parameters):
            return "constant", "exact: no gate fluctuates at these parameters"
        return "sampled", "a gate that multiplies a drift fluctuates at these parameters"


@dataclass(frozen=True)
class ReplicaGrowth:
    """The growth rate of the difference between two replicas of the stationary state.

    Args:
        equations: The equations as people read them.
        state: The stationary state.
    """

    equations: EquationSet
    state: StationaryState

    def __getitem__(self, tag: str) -> Equation:
        return self.equations[tag]

    def _repr_latex_(self) -> str:
        return self.equations._repr_latex_()


def is_exact(system: LagSystem, parameters: Mapping[Symbol, Expr]) -> bool:
    """Whether a closure leaves nothing out at parameters."""
    values = dict(parameters)
    return all(
        instantiate(e, system.definitions).xreplace(values).simplify() == 0
        for e in system.exact_where
    )

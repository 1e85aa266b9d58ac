"""The theory of a model: every result that can be derived from it, each derived when first read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from gatetheory.equations.gradient_problem import GradientProblem
from gatetheory.equations.onset import OnsetExpansion
from gatetheory.equations.provenance import Equation, EquationSet
from gatetheory.equations.shapes import MatrixMoments, SelfConsistency, SpectralCondition
from gatetheory.equations.stationary import ReplicaGrowth, StationaryState
from gatetheory.equations.two_time_system import TwoTimeProblem
from gatetheory.errors import DerivationError, ParameterError
from gatetheory.model import Model
from gatetheory.theory.fixed_points import derive_fixed_points, fixed_point_law
from gatetheory.theory.gradients import derive_gradients
from gatetheory.theory.jacobian import synthetic_law
from gatetheory.theory.moments import derive_moments
from gatetheory.theory.single_site import SingleSite
from gatetheory.theory.spectrum import derive_spectrum
from gatetheory.theory.stationary import derive_growth, derive_stationary_state
from gatetheory.theory.transition_equations import TransitionEquations, derive_transitions
from gatetheory.theory.two_time import derive_two_time_problem
from gatetheory.theory.weakly_nonlinear import weakly_nonlinear

RESULTS = ("single_site", "fixed_points", "spectrum", "moments", "correlations", "lyapunov",
           "two_time", "gradients", "transitions")  # fmt: skip


@dataclass(frozen=True)
class Theory:
    """The mean-field theory of a model.

    Each attribute is derived on first access; a result that does not exist for the model raises
    :class:`~gatetheory.errors.DerivationError` and says why.
    """

    model: Model

    @cached_property
    def single_site(self) -> SingleSite:
        """The single-unit process that the average over the couplings leaves."""
        return SingleSite(self.model)

    @cached_property
    def fixed_points(self) -> SelfConsistency:
        """Self-consistency of the order parameters at a fixed point."""
        derived = derive_fixed_points(self.single_site)
        return replace(derived, linearization=lambda: self.spectrum)

    @cached_property
    def spectrum(self) -> SpectralCondition:
        """Support of the Jacobian's spectrum at a fixed point."""
        law = fixed_point_law(self.model)
        return derive_spectrum(self.single_site, law, "a fixed point", self.fixed_points)

    @cached_property
    def synthetic_spectrum(self) -> SpectralCondition:
        """Support of the Jacobian's spectrum at a state with given variances."""
        return derive_spectrum(
            self.single_site, synthetic_law(self.model), "a synthetic state", None
        )

    @cached_property
    def moments(self) -> MatrixMoments:
        """Moments of the Jacobian at a fixed point."""
        law = fixed_point_law(self.model)
        return derive_moments(self.model, law, "a fixed point", self.fixed_points)

    @cached_property
    def synthetic_moments(self) -> MatrixMoments:
        """Moments of the Jacobian at a state with given variances."""
        return derive_moments(self.model, synthetic_law(self.model), "a synthetic state", None)

    @cached_property
    def correlations(self) -> StationaryState:
        """Stationary correlation functions, under every closure the model has."""
        return derive_stationary_state(self.single_site, self._fixed_points())

    @cached_property
    def lyapunov(self) -> ReplicaGrowth:
        """The largest Lyapunov exponent, from two replicas of the stationary state."""
        return derive_growth(self.single_site, self.correlations)

    @cached_property
    def two_time(self) -> TwoTimeProblem:
        """Covariances at two times, from given initial values on."""
        return derive_two_time_problem(self.single_site)

    @cached_property
    def gradients(self) -> GradientProblem:
        """Second moments of a loss's gradients, from the adjoint and from sensitivities."""
        return derive_gradients(self.single_site, self.correlations)

    @cached_property
    def transitions(self) -> TransitionEquations:
        """Conditions under which fixed points appear and lose stability."""
        return derive_transitions(self.fixed_points, self.spectrum)

    def onset(
        self, along: str, at: Mapping[str, Any] | None = None, closure: str = "constant"
    ) -> OnsetExpansion:
        """The chaotic state next to its onset, expanded in the distance from it.

        Args:
            along: Name of the parameter that crosses the onset.
            at: Values of other parameters by name; those not named stay open, as symbols.
            closure: ``"constant"`` or ``"factorized"``.

        Raises:
            ParameterError: For an unknown name, a value outside the domain, an unknown closure.
            DerivationError: If zero is no fixed point, the onset has no closed form or is not
                unique, or no decaying state branches off.
        """
        given = {name: value for name, value in (at or {}).items() if name != along}
        symbols = self.model.symbols
        if along not in symbols:
            there = ", ".join(symbols)
            raise ParameterError(
                f"model {self.model.name} has no parameter {along!r}; there are {there}"
            )
        known = {p: v for p, v in self.model.bind(given).items() if p.name in given}
        return weakly_nonlinear(self.correlations.lag_system(closure), symbols[along], known)

    def _fixed_points(self) -> SelfConsistency | None:
        try:
            return self.fixed_points
        except DerivationError:
            return None

    def equations(self, result: str) -> EquationSet:
        """The equations of a result, by its name.

        Raises:
            ParameterError: If there is no such result.
        """
        if result not in RESULTS:
            raise ParameterError(f"no result {result!r}; there are {', '.join(RESULTS)}")
        found: EquationSet = getattr(self, result).equations
        return found

    def _repr_latex_(self) -> str:
        rows = [rf"{e.latex().replace(' = ', ' &= ', 1)}" for e in self._headlines()]
        return "$$\\begin{aligned}" + r"\\ ".join(rows) + "\\end{aligned}$$"

    def _headlines(self) -> tuple[Equation, ...]:
        return (*self.fixed_points.equations, self.spectrum["boundary"])


def derive(model: Model) -> Theory:
    """The theory of a model."""
    return Theory(model)

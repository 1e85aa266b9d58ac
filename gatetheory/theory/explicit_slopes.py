"""Explicit derivatives of a unit's laws and signals by the parameters of the model."""

from __future__ import annotations

from sympy import Expr, S, Symbol

from gatetheory.equations.gradient_problem import ParameterSlopes
from gatetheory.functions import differentiate, instantiate
from gatetheory.model import ConstantInput, GaussianInput, Model, TimeDependentInput, WhiteNoise


def parameter_slopes(model: Model, parameter: Symbol) -> ParameterSlopes:
    """∂_θ of laws, time constants, signals and scales, at given fields, local fields and couplings.

    An input that depends on θ changes the laws through their derivative by the input: a constant
    by ∂_θ of its value, a Gaussian one of mean m and variance V by ∂_θ m + (s − m) ∂_θ V/(2V),
    white noise of intensity D by ξ ∂_θ D/(2D).
    """
    resolved = model.resolved_laws

    def slope(e: Expr) -> Expr:
        return differentiate(instantiate(e, model.definitions), parameter)

    laws = []
    for f in model.fields:
        law = resolved[f.symbol]
        total = slope(law)
        for i in model.inputs:
            change = _input_slope(i, parameter)
            if change != 0 and law.has(i.symbol):
                total += instantiate(differentiate(law, i.symbol), model.definitions) * change
        laws.append(total)
    return ParameterSlopes(
        parameter=parameter,
        laws=tuple(laws),
        mass=tuple(S.Zero if f.is_algebraic else slope(f.time_constant) for f in model.fields),
        signals=tuple(slope(c.signal) for c in model.couplings),
        scales=tuple(slope(c.variance) / (2 * c.variance) for c in model.couplings),
    )


def _input_slope(given: object, parameter: Symbol) -> Expr:
    """Change of an input with the parameter, its random numbers the same."""
    match given:
        case ConstantInput():
            return given.value.diff(parameter)
        case GaussianInput():
            spread = given.variance.diff(parameter)
            mean = given.mean.diff(parameter)
            if spread == 0:
                return mean
            return mean + (given.symbol - given.mean) * spread / (2 * given.variance)
        case WhiteNoise():
            return given.symbol * given.intensity.diff(parameter) / (2 * given.intensity)
        case TimeDependentInput():
            time = given.function.variables[0]
            return given.function(time).diff(parameter)
    return S.Zero

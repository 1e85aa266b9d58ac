"""What a user writes: the model language and the published models."""

from gatetheory.model import zoo
from gatetheory.model.model import Model
from gatetheory.model.parameters import NONNEGATIVE, POSITIVE, REAL, Parameter, exact
from gatetheory.model.parts import (
    ConstantInput,
    Coupling,
    Field,
    GaussianInput,
    Input,
    Nonlinearity,
    TimeDependentInput,
    WhiteNoise,
    fields,
    local_field,
    next_value,
)

__all__ = [
    "NONNEGATIVE",
    "POSITIVE",
    "REAL",
    "ConstantInput",
    "Coupling",
    "Field",
    "GaussianInput",
    "Input",
    "Model",
    "Nonlinearity",
    "Parameter",
    "TimeDependentInput",
    "WhiteNoise",
    "exact",
    "fields",
    "local_field",
    "next_value",
    "zoo",
]

"""Mean-field theory of random gated recurrent networks, derived and solved from a model.

    >>> import gatetheory as gt
    >>> theory = gt.derive(gt.zoo.gated())
    >>> points = gt.solve(theory.fixed_points, dict(g_h=3, alpha_r=5))

Names are loaded on first use, so that importing the package, and asking the command line for help,
cost nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "gatetheory.model": (
        "NONNEGATIVE", "POSITIVE", "REAL", "ConstantInput", "Coupling", "Field", "GaussianInput",
        "Model", "Nonlinearity", "Parameter", "TimeDependentInput", "WhiteNoise", "fields",
        "local_field", "next_value", "zoo",
    ),
    "gatetheory.functions": ("logistic",),
    "gatetheory.equations.averages": ("GaussianAverage",),
    "gatetheory.theory.derive": ("Theory", "derive"),
    "gatetheory.pipeline": ("boundary", "eq", "simulate", "solve"),
    "gatetheory.simulation": ("simulate_gradients",),
    "gatetheory.transitions": (
        "find_transition", "gradient_regions", "phase_diagram", "trace_transition",
    ),
    "gatetheory.validation": ("validate",),
    "gatetheory.presentation": ("report",),
    "gatetheory.errors": (
        "AssumptionWarning", "ConvergenceError", "DerivationError", "GatetheoryError",
        "ModelError", "ParameterError", "PrecisionError",
    ),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'gatetheory' has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

"""What people look at: the report, figures, and equations as text, LaTeX and MathML.

Names are loaded on first use; matplotlib is not loaded before a figure is wanted.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULE_OF = {
    "report": "gatetheory.presentation.page",
    "mathml": "gatetheory.presentation.mathml",
    "plot_correlations": "gatetheory.presentation.time_figures",
    "plot_fixed_points": "gatetheory.presentation.figures",
    "plot_gradient_norms": "gatetheory.presentation.gradient_figures",
    "plot_gradient_regions": "gatetheory.presentation.gradient_region_figure",
    "plot_gradients": "gatetheory.presentation.gradient_figures",
    "plot_lyapunov": "gatetheory.presentation.time_figures",
    "plot_phase_diagram": "gatetheory.presentation.phase_figures",
    "plot_spectrum": "gatetheory.presentation.figures",
    "plot_validation": "gatetheory.presentation.figures",
}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'gatetheory.presentation' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return __all__

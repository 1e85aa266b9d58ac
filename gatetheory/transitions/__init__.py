"""Where a network changes its behaviour: from a kind of transition and a parameter to numbers.

    Theory ──conditions──▶ search in doubles ──▶ refinement to digits ──▶ proof

Each kind is a set of derived conditions (:mod:`gatetheory.theory.static_transitions`,
:mod:`gatetheory.theory.steep_gates`, :mod:`gatetheory.theory.tricritical`) or, for ``chaos``, the
derived lag equations. The search knows nothing but a range.
"""

from gatetheory.transitions.curves import trace_transition
from gatetheory.transitions.find import KINDS, find_transition
from gatetheory.transitions.gradient_region_records import GradientPoint, GradientRegions
from gatetheory.transitions.gradient_regions import gradient_regions
from gatetheory.transitions.phase_diagram import PhaseDiagram, phase_diagram

__all__ = [
    "KINDS",
    "GradientPoint",
    "GradientRegions",
    "PhaseDiagram",
    "find_transition",
    "gradient_regions",
    "phase_diagram",
    "trace_transition",
]

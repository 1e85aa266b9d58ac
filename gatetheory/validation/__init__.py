"""Theory beside simulated networks."""

from gatetheory.validation.jacobians import draw_state, is_outside
from gatetheory.validation.run import validate

__all__ = ["draw_state", "is_outside", "validate"]

"""Every error and warning of gatetheory.

One base class, and children that are also the builtin a caller would expect, so that
``except ValueError`` keeps working. A message names the culprit and says the mend.
"""


class GatetheoryError(Exception):
    """Base of every error raised on purpose by gatetheory."""


class ModelError(GatetheoryError, ValueError):
    """A model definition is inconsistent."""


class ParameterError(GatetheoryError, ValueError):
    """A parameter value, option or name is not one the model or verb can use."""


class DerivationError(GatetheoryError, ValueError):
    """The requested equation does not exist, or not in closed form, for this model."""


class NoTransitionError(DerivationError):
    """The transition asked for does not exist at these parameters; an answer, not a failure."""


class ConvergenceError(GatetheoryError, RuntimeError):
    """A solver stopped before its error estimate met the tolerance."""


class PrecisionError(GatetheoryError, ArithmeticError):
    """A number could not be computed to the digits asked for."""


class AssumptionWarning(UserWarning):
    """A result was used outside the regime in which its closure is exact."""

"""The parts a model is made of: fields, couplings, nonlinearities and inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy
from sympy import Expr, Lambda, Symbol
from sympy.core.symbol import Str

from gatetheory.errors import ModelError
from gatetheory.functions import Next, Nonlinear

TIME = Symbol("t", real=True)


def fields(names: str) -> Any:
    """Symbols of fields, as ``sympy.symbols`` but real: ``h, z = fields("h z")``."""
    return sympy.symbols(names, real=True)


def local_field(name: str) -> Symbol:
    """Symbol of the local field η that coupling ``name`` delivers."""
    return Symbol(f"eta_{name}", real=True)


def next_value(symbol: Symbol) -> Next:
    """The updated value of a field, for use in the update of another field of a map."""
    return Next(symbol)


@dataclass(frozen=True)
class Nonlinearity:
    """A nonlinearity that equations keep abstract, and the definition numbers are computed with.

    Calling it applies it: ``phi = Nonlinearity("phi", Lambda(x, tanh(g*x)))``, ``phi(h)``.

    Args:
        name: Name; Greek names are printed as letters.
        definition: ``sympy.Lambda`` of one variable; may contain parameters of the model.
        meaning: What it is, in words.
    """

    name: str
    definition: Lambda
    meaning: str = ""

    def __post_init__(self) -> None:
        """Check the definition's form."""
        if not isinstance(self.definition, Lambda) or len(self.definition.variables) != 1:
            raise ModelError(
                f"nonlinearity {self.name}: the definition must be a sympy.Lambda of one variable, "
                f"got {self.definition!r}"
            )

    def __call__(self, argument: Expr) -> Nonlinear:
        """The nonlinearity applied to an argument."""
        return Nonlinear(Str(self.name), 0, argument)


@dataclass(frozen=True)
class Field:
    """One field x of every unit and the law it follows.

    Exactly one of the three laws is given:

    Args:
        symbol: The field.
        drift: Continuous time: ``time_constant * dx/dt = drift``.
        update: Discrete time: ``x(t+1) = update``.
        value: Algebraic in either time: ``x(t) = value``.
        time_constant: τ of a drift; 0 makes the field algebraic (``drift = 0``).
        meaning: What the field is, in words.
    """

    symbol: Symbol
    drift: Expr | None = None
    update: Expr | None = None
    value: Expr | None = None
    time_constant: Expr = field(default=sympy.S.One)
    meaning: str = ""

    def __post_init__(self) -> None:
        """Check that one law is given, and make it a SymPy expression."""
        laws = [n for n in ("drift", "update", "value") if getattr(self, n) is not None]
        if len(laws) != 1:
            raise ModelError(
                f"field {self.symbol}: give exactly one of drift, update or value, "
                f"got {', '.join(laws) or 'none'}"
            )
        object.__setattr__(self, laws[0], sympy.sympify(getattr(self, laws[0])))
        object.__setattr__(self, "time_constant", sympy.sympify(self.time_constant))

    @property
    def name(self) -> str:
        """Name of the field."""
        return str(self.symbol.name)

    @property
    def law(self) -> Expr:
        """The expression given as drift, update or value."""
        for expression in (self.drift, self.update, self.value):
            if expression is not None:
                return expression
        raise ModelError(f"field {self.symbol} has no law")  # pragma: no cover (checked above)

    @property
    def is_algebraic(self) -> bool:
        """Whether the field follows the others at once, whatever the parameters."""
        return self.value is not None or self.time_constant.is_zero is True

    @property
    def residual(self) -> Expr:
        """The expression that vanishes at a fixed point (and always, for an algebraic field)."""
        return self.law if self.drift is not None else self.law - self.symbol


@dataclass(frozen=True)
class Coupling:
    """A random matrix J with entries N(0, variance/N), its signal and the local field it drives.

    Unit i receives ``local_field_i = Σ_j J_ij signal(x_j)``.

    Args:
        local_field: Symbol made by :func:`local_field`.
        signal: The presynaptic signal ψ, a function of the fields.
        variance: s², an expression in the parameters.
    """

    local_field: Symbol
    signal: Expr
    variance: Expr = field(default=sympy.S.One)

    def __post_init__(self) -> None:
        """Make the expressions SymPy's."""
        object.__setattr__(self, "signal", sympy.sympify(self.signal))
        object.__setattr__(self, "variance", sympy.sympify(self.variance))

    @property
    def name(self) -> str:
        """Name of the coupling, which names its order parameter Δ as well."""
        return str(self.local_field.name).removeprefix("eta_")


@dataclass(frozen=True)
class ConstantInput:
    """The same constant for every unit; ``value`` is an expression in the parameters."""

    symbol: Symbol
    value: Expr


@dataclass(frozen=True)
class GaussianInput:
    """Static heterogeneity: drawn once per unit from N(mean, variance)."""

    symbol: Symbol
    variance: Expr
    mean: Expr = field(default=sympy.S.Zero)


@dataclass(frozen=True)
class WhiteNoise:
    """Independent white noise for every unit, ⟨ξ(t) ξ(t')⟩ = 2 D δ(t − t') (δ_tt' in a map)."""

    symbol: Symbol
    intensity: Expr


@dataclass(frozen=True)
class TimeDependentInput:
    """The same given function of time for every unit; ``function`` is a Lambda of t."""

    symbol: Symbol
    function: Lambda


Input = ConstantInput | GaussianInput | WhiteNoise | TimeDependentInput

"""The parts a model is made of: fields, couplings, nonlinearities and inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy
from sympy import Expr, Lambda, Symbol
from sympy.core.symbol import Str

from gatetheory.errors import ModelError
from gatetheory.functions import Next, Nonlinear, canonical

TIME = Symbol("t", real=True)


def fields(names: str) -> Any:
    """Real symbols for fields, otherwise as ``sympy.symbols``.

    ``"h z"`` gives two symbols, ``"h,"`` a tuple of one.
    """
    return sympy.symbols(names, real=True)


def local_field(name: str) -> Symbol:
    """Symbol of the local field η that coupling ``name`` delivers."""
    return Symbol(f"eta_{name}", real=True)


def next_value(symbol: Symbol) -> Next:
    """The updated value of a field, for use in the update of another field of a map."""
    return Next(symbol)


def _expression(what: str, value: Any) -> Expr:
    """A SymPy expression from what the user gave; never from text, which SymPy would execute."""
    try:
        if isinstance(value, bool):
            raise TypeError
        expression = sympy.sympify(value, strict=True)
    except (sympy.SympifyError, TypeError) as error:
        raise ModelError(
            f"{what} must be a SymPy expression or an exact number, got {value!r}"
        ) from error
    if not isinstance(expression, Expr) or getattr(expression, "is_Matrix", False):
        raise ModelError(f"{what} must be one SymPy expression, got {value!r}")
    return canonical(expression)


def _symbol(what: str, value: Any, mend: str) -> None:
    if not isinstance(value, Symbol):
        raise ModelError(f"{what} must be a SymPy Symbol, got {value!r}; {mend}")


def _lambda(what: str, value: Any) -> Lambda:
    """A function of one real variable, in canonical form."""
    if not isinstance(value, Lambda) or len(value.variables) != 1:
        raise ModelError(f"{what} must be a sympy.Lambda of one variable, got {value!r}")
    if value == sympy.S.IdentityFunction:  # what SymPy makes of Lambda(x, x), real or not
        return value
    (x,) = value.variables
    if x.is_real is not True:
        raise ModelError(f"{what}: make its variable real, sympy.Symbol({x.name!r}, real=True)")
    return Lambda(x, _expression(what, value.expr))


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
        """Check the definition's form and make it canonical."""
        if not isinstance(self.name, str):
            raise ModelError(f"the name of a nonlinearity must be text, got {self.name!r}")
        definition = _lambda(f"nonlinearity {self.name}: the definition", self.definition)
        object.__setattr__(self, "definition", definition)

    def __call__(self, argument: Expr) -> Nonlinear:
        """The nonlinearity applied to an argument."""
        return Nonlinear(Str(self.name), 0, _expression(f"the argument of {self.name}", argument))


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
        _symbol("the symbol of a field", self.symbol, "make it with gatetheory.fields")
        laws = [n for n in ("drift", "update", "value") if getattr(self, n) is not None]
        if len(laws) != 1:
            raise ModelError(
                f"field {self.symbol}: give exactly one of drift, update or value, "
                f"got {', '.join(laws) or 'none'}"
            )
        for name in (laws[0], "time_constant"):
            value = _expression(f"field {self.symbol}: the {name}", getattr(self, name))
            object.__setattr__(self, name, value)

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
        _symbol("the local field of a coupling", self.local_field, "make it with local_field")
        for name in ("signal", "variance"):
            value = _expression(f"coupling {self.name}: the {name}", getattr(self, name))
            object.__setattr__(self, name, value)

    @property
    def name(self) -> str:
        """Name of the coupling, which names its order parameter Δ as well."""
        return str(self.local_field.name).removeprefix("eta_")


@dataclass(frozen=True)
class ConstantInput:
    """The same constant for every unit; ``value`` is an expression in the parameters."""

    symbol: Symbol
    value: Expr

    def __post_init__(self) -> None:
        """Make the expressions SymPy's."""
        _make_exact(self, "value")


@dataclass(frozen=True)
class GaussianInput:
    """Static heterogeneity: drawn once per unit from N(mean, variance)."""

    symbol: Symbol
    variance: Expr
    mean: Expr = field(default=sympy.S.Zero)

    def __post_init__(self) -> None:
        """Make the expressions SymPy's."""
        _make_exact(self, "variance", "mean")


@dataclass(frozen=True)
class WhiteNoise:
    """Independent white noise for every unit, ⟨ξ(t) ξ(t')⟩ = 2 D δ(t − t') (δ_tt' in a map)."""

    symbol: Symbol
    intensity: Expr

    def __post_init__(self) -> None:
        """Make the expressions SymPy's."""
        _make_exact(self, "intensity")


@dataclass(frozen=True)
class TimeDependentInput:
    """The same given function of time for every unit; ``function`` is a Lambda of t."""

    symbol: Symbol
    function: Lambda

    def __post_init__(self) -> None:
        """Check the function's form."""
        _make_exact(self)
        function = _lambda(f"input {self.symbol}: the function", self.function)
        object.__setattr__(self, "function", function)


Input = ConstantInput | GaussianInput | WhiteNoise | TimeDependentInput


def _make_exact(source: Input, *names: str) -> None:
    _symbol("the symbol of an input", source.symbol, "make it sympy.Symbol(name, real=True)")
    for name in names:
        value = _expression(f"input {source.symbol}: the {name}", getattr(source, name))
        object.__setattr__(source, name, value)

"""What a quadrature must know about an integrand: its affine arguments and its singularities.

An integrand f(x_1 … x_n) is rewritten as F(A_1 … A_m), where the *slots* A_k = a_k·x + b_k are the
affine arguments of its functions. The quadrature computes every slot relative to its own centre,
so that a transition far from 0 is resolved without cancellation, and reads from the slots where
the singularities nearest to the real axis are:

* tanh, sech: poles at A = iπ/2;  logistic: A = iπ;  erf: no pole, but a unit length scale;
* Heaviside, sign, Abs, Max, Min, Piecewise: kinks or jumps where A = 0;
* arguments that are not affine, negative or fractional powers: a :class:`Curve`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import pi

import sympy
from sympy import Dummy, Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.codegen.conditioning import amplification, phases, pole_order
from gatetheory.codegen.lowering import Quadrature
from gatetheory.codegen.pinches import Pinch, find_pinches
from gatetheory.codegen.rewriting import logcosh, softplus, stable
from gatetheory.errors import DerivationError
from gatetheory.functions import logistic

MOST_VARIABLES = 3
_REACH: dict[type, float] = {
    sympy.tanh: pi / 2,
    sympy.sech: pi / 2,
    sympy.coth: pi,
    sympy.csch: pi,
    logcosh: pi / 2,
    logistic: pi,
    softplus: pi,
    sympy.erf: 1.0,
    sympy.erfc: 1.0,
    sympy.atan: 1.0,
    sympy.asinh: 1.0,
}
_ORDERS = dict.fromkeys(_REACH, 1) | {sympy.erf: 3, sympy.erfc: 3}
"""Order of poles; a function that grows off the axis needs a step as if it had high ones."""
_ENTIRE = (sympy.exp, sympy.sin, sympy.cos, sympy.sinh, sympy.cosh)
_CHOICES = (sympy.Max, sympy.Min, sympy.Piecewise)
_KINKED = (sympy.Heaviside, sympy.sign, sympy.Abs, sympy.floor, sympy.ceiling)


@dataclass(frozen=True)
class Slot:
    """An affine argument A = Σ_i slopes[i] x_i + offset.

    Args:
        symbol: Stands for A in the integrand.
        slopes: Coefficient of each variable, free of the variables.
        offset: The rest.
        reach: Distance |Im A| of the nearest singularity of the functions of A; inf if entire.
        kinked: Whether the integrand is not analytic at A = 0.
    """

    symbol: Dummy
    slopes: tuple[Expr, ...]
    offset: Expr
    reach: float
    kinked: bool


@dataclass(frozen=True)
class Curve:
    """An argument b(A_1 …) that is not affine, with what happens where it takes a value.

    Args:
        expression: b in terms of slot symbols.
        kind: "zero" (singular where b = 0), "pole" (singular where b = i·reach), "peak" (exp(b):
            narrow around stationary points), "kink" (not analytic at b = 0 on the real axis).
        reach: See ``kind``.
    """

    expression: Expr
    kind: str
    reach: float = 0.0


@dataclass(frozen=True)
class Integrand:
    """An integrand in terms of slots.

    Args:
        expression: F in terms of slot symbols and outer symbols.
        slots: The slots.
        curves: Singularities that the slots do not show.
        pinches: Pairs of poles that may pinch the axis.
        phases: Arguments of oscillating functions, with the highest harmonic.
        order: Highest order of a pole.
        amplification: Rounding of F in units of the last place, beyond that of its factors.
        covariance: Covariance of the integration variables.
        outer: Symbols that are given, in a fixed order.
    """

    expression: Expr
    slots: tuple[Slot, ...]
    curves: tuple[Curve, ...]
    pinches: tuple[Pinch, ...]
    phases: tuple[tuple[Expr, int], ...]
    order: int
    amplification: Expr
    covariance: ImmutableDenseMatrix
    outer: tuple[Symbol, ...]

    @property
    def is_analytic(self) -> bool:
        """Whether there are no kinks or jumps."""
        return not any(s.kinked for s in self.slots) and not any(
            c.kind == "kink" for c in self.curves
        )

    @property
    def dimension(self) -> int:
        """Number of integration variables."""
        return int(self.covariance.rows)


def analyse(quadrature: Quadrature) -> Integrand:
    """Rewrite the integrand of a quadrature in terms of slots; done once per expression.

    Raises:
        DerivationError: If the average is over too many variables to be done numerically.
    """
    if len(quadrature.variables) > MOST_VARIABLES:
        names = ", ".join(map(str, quadrature.variables))
        raise DerivationError(
            f"the average of {quadrature.integrand} over {names} has more than {MOST_VARIABLES} "
            "variables that are tied together; factorise it or condition on some of them first"
        )
    return _analysed(quadrature.integrand, quadrature.variables, quadrature.covariance)


@lru_cache(maxsize=1024)
def _analysed(
    integrand: Expr, variables: tuple[Symbol, ...], covariance: ImmutableDenseMatrix
) -> Integrand:
    finder = _SlotFinder(variables)
    expression = finder(stable(integrand))
    slots = tuple(
        Slot(symbol, slopes, offset, finder.reach[symbol], symbol in finder.kinked)
        for (slopes, offset), symbol in finder.slots.items()
    )
    outer = (integrand.free_symbols - set(variables)) | covariance.free_symbols
    symbols = [s.symbol for s in slots]
    pinches = find_pinches(expression, symbols)
    pinched = {p.base for p in pinches}
    smooth = (*_REACH, *_KINKED, sympy.exp, sympy.sinh, sympy.cosh, sympy.log, *_CHOICES)
    return Integrand(
        expression,
        slots,
        tuple(c for c in finder.curves if c.expression not in pinched),
        pinches,
        tuple(phases(expression, symbols, smooth).items()),
        pole_order(expression, symbols, _ORDERS),
        amplification(expression, symbols, pinched),
        covariance,
        tuple(sorted(outer, key=lambda s: s.sort_key())),
    )


class _SlotFinder:
    """Replaces affine arguments by symbols, and notes what the functions of them need."""

    def __init__(self, variables: tuple[Symbol, ...]) -> None:
        self.variables = variables
        self.slots: dict[tuple[tuple[Expr, ...], Expr], Dummy] = {}
        self.reach: dict[Dummy, float] = {}
        self.kinked: set[Dummy] = set()
        self.curves: dict[Curve, None] = {}

    def __call__(self, e: Expr) -> Expr:
        if not e.free_symbols & set(self.variables):
            return e
        if e.is_Symbol:
            return self._slot(e)[1]
        if isinstance(e, _KINKED):
            return e.func(self._kinked(e.args[0]))
        if isinstance(e, sympy.Max | sympy.Min):
            return self._extremum(e)
        if isinstance(e, sympy.Piecewise):
            return sympy.Piecewise(
                *((self(v), self._condition(c)) for v, c in e.args), evaluate=False
            )
        if isinstance(e, sympy.log):
            return e.func(self._singular(e.args[0]))
        if e.is_Pow and not isinstance(e, sympy.exp):
            if e.exp.is_Integer and e.exp.is_positive:
                return self(e.base) ** e.exp
            return sympy.Pow(self._singular(e.base), self(e.exp), evaluate=False)
        if isinstance(e, sympy.Function):
            return e.func(*(self._argument(a, type(e)) for a in e.args))
        return e.func(*(self(a) for a in e.args))

    # ---- arguments ---------------------------------------------------------------------------

    def _argument(self, argument: Expr, function: type) -> Expr:
        if not argument.free_symbols & set(self.variables):
            return argument
        reach = sympy.oo if function in _ENTIRE else _REACH.get(function, 1.0)
        if self._is_affine(argument):
            sign, symbol = self._slot(argument)
            self.reach[symbol] = min(self.reach[symbol], float(reach))
            return sign * symbol
        b = self(argument)
        if function is sympy.exp:
            self.curves[Curve(b, "peak")] = None
        elif function not in _ENTIRE:
            self.curves[Curve(b, "pole", float(reach))] = None
        return b

    def _kinked(self, argument: Expr) -> Expr:
        if self._is_affine(argument):
            sign, symbol = self._slot(argument)
            self.kinked.add(symbol)
            return sign * symbol
        b = self(argument)
        if argument.free_symbols & set(self.variables):
            self.curves[Curve(b, "kink")] = None
        return b

    def _singular(self, argument: Expr) -> Expr:
        if self._is_affine(argument):
            return self._kinked(argument)
        b = self(argument)
        if b.free_symbols & set(self.slots.values()):
            self.curves[Curve(b, "zero")] = None
        return b

    def _extremum(self, e: Expr) -> Expr:
        arguments = e.args
        for i, a in enumerate(arguments):
            for b in arguments[:i]:
                self._kinked(a - b)
        return e.func(*(self(a) for a in arguments), evaluate=False)

    def _condition(self, condition: Expr) -> Expr:
        if condition.is_Relational:
            return condition.func(self._kinked(condition.lhs - condition.rhs), S.Zero)
        if condition.args:
            return condition.func(*(self._condition(a) for a in condition.args))
        return condition

    # ---- slots -------------------------------------------------------------------------------

    def _is_affine(self, e: Expr) -> bool:
        mine = set(self.variables)
        return (
            all(not e.diff(v).free_symbols & mine for v in self.variables)
            and bool(e.free_symbols & mine)
            and not e.has(*_KINKED, *_CHOICES)
        )

    def _slot(self, e: Expr) -> tuple[int, Dummy]:
        """(±1, symbol) with e = ± symbol."""
        slopes = tuple(sympy.expand(e).diff(v) for v in self.variables)
        offset = sympy.expand(e).xreplace(dict.fromkeys(self.variables, S.Zero))
        first = next(a for a in slopes if a != 0)
        sign = -1 if first.could_extract_minus_sign() else 1
        key = (tuple(sign * a for a in slopes), sign * offset)
        if key not in self.slots:
            symbol = Dummy(f"A{len(self.slots)}", real=True)
            self.slots[key] = symbol
            self.reach[symbol] = float("inf")
        return sign, self.slots[key]

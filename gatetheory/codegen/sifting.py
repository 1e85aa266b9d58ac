"""Averages of delta functions, done by hand.

Price's theorem turns a step into DiracDelta and its derivatives. With L = a·x + c and x ~ N(0, Σ),

    ⟨g(x) δ(L)⟩ = p_L(0) ⟨g(x) | L = 0⟩,    L ~ N(c, aᵀΣa),

where x given L = 0 is again Gaussian, with one variable less; derivatives of δ go by integration by
parts, ⟨h_x(x) δ(L)⟩ and Stein's identity.
"""

from __future__ import annotations

import sympy
from sympy import DiracDelta, Dummy, Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.errors import DerivationError


def without_deltas(expression: Expr) -> Expr:
    """The expression with every average of a delta function carried out.

    Raises:
        DerivationError: If a delta function's argument is not affine in the variables, or a delta
            function appears other than as a factor.
    """
    if not expression.has(DiracDelta):
        return expression
    if isinstance(expression, GaussianAverage):
        sigma = expression.covariance.applyfunc(without_deltas)
        f = sympy.expand(without_deltas(expression.integrand), func=False)
        return sympy.Add(*(_term(t, expression.variables, sigma) for t in sympy.Add.make_args(f)))
    if not expression.args:
        return expression
    return expression.func(*(without_deltas(a) for a in expression.args))


def _term(term: Expr, names: tuple[Symbol, ...], sigma: ImmutableDenseMatrix) -> Expr:
    """Average of a product of which one factor may be a delta function of the variables."""
    mine = set(names)
    factors = list(sympy.Mul.make_args(term))
    deltas = [f for f in factors if isinstance(f, DiracDelta) and f.free_symbols & mine]
    if not deltas:
        if any(a.free_symbols & mine for a in term.atoms(DiracDelta)):
            raise DerivationError(f"a delta function must be a factor of the integrand: {term}")
        return GaussianAverage(term, names, sigma)
    delta = deltas[0]
    factors.remove(delta)
    g = sympy.Mul(*factors)
    argument, *order = delta.args
    slopes = [sympy.expand(argument).diff(v) for v in names]
    if any(a.free_symbols & mine for a in slopes):
        raise DerivationError(f"the argument of {delta} must be affine in {names}")
    if order and order[0] > 0:
        return _by_parts(g, argument, int(order[0]), slopes, names, sigma)
    return _sifted(g, argument, slopes, names, sigma)


def _sifted(
    g: Expr, argument: Expr, slopes: list[Expr], names: tuple[Symbol, ...],
    sigma: ImmutableDenseMatrix,
) -> Expr:  # fmt: skip
    """⟨g δ(argument)⟩."""
    a = sympy.Matrix(slopes)
    c = sympy.expand(argument).xreplace(dict.fromkeys(names, S.Zero))
    response = sigma * a
    variance = sympy.expand((a.T * response)[0])
    density = sympy.exp(-(c**2) / (2 * variance)) / sympy.sqrt(2 * sympy.pi * variance)
    pivot = next(i for i, s in enumerate(slopes) if s != 0)
    keep = [i for i in range(len(names)) if i != pivot]
    fresh = {names[i]: Dummy(names[i].name, real=True) for i in keep}
    given = {names[i]: fresh[names[i]] - c * response[i] / variance for i in keep}
    rest = c + sum((slopes[i] * given[names[i]] for i in keep), S.Zero)
    given[names[pivot]] = sympy.expand(-rest / slopes[pivot])
    inside = g.xreplace(given)
    if not keep:
        return density * inside
    conditional = (sigma - response * response.T / variance).extract(keep, keep)
    left = tuple(fresh.values())
    return density * without_deltas(GaussianAverage(inside, left, conditional))


def _by_parts(
    g: Expr, argument: Expr, order: int, slopes: list[Expr], names: tuple[Symbol, ...],
    sigma: ImmutableDenseMatrix,
) -> Expr:  # fmt: skip
    """⟨g δ^(n)(L)⟩, by differentiating ⟨g(x + s·direction) δ(L)⟩ along a direction with L' = 1.

    Moving the Gaussian by s along Σa/(aᵀΣa) multiplies its density by exp(s L₀/V - s²/2V), with
    L₀ = L - c and V = aᵀΣa: ⟨g δ'⟩ = ⟨(g L₀/V - g') δ⟩, g' the derivative along the direction.
    """
    a = sympy.Matrix(slopes)
    response = sigma * a
    variance = sympy.expand((a.T * response)[0])
    centred = sum((s * v for s, v in zip(slopes, names, strict=True)), S.Zero)
    along = sum((g.diff(v) * r / variance for v, r in zip(names, response, strict=True)), S.Zero)
    lower = sympy.expand(g * centred / variance - along, func=False)
    delta = DiracDelta(argument, order - 1) if order > 1 else DiracDelta(argument)
    return without_deltas(GaussianAverage(lower * delta, names, sigma))

"""The transfer matrix K(λ) as real expressions in the real and imaginary part of λ.

λ is split as λ = λ₀ + x + iy, with λ₀ the border's real point (0 in continuous time, 1 in discrete
time), so that nothing is lost to rounding next to it.
"""

from __future__ import annotations

import sympy
from sympy import Abs, Dummy, Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.shapes import SpectralCondition

X, Y = Symbol("x_lambda", real=True), Symbol("y_lambda", real=True)


def real_transfer(condition: SpectralCondition) -> ImmutableDenseMatrix:
    """K as real expressions in x and y, averages split into terms that factorise."""
    origin = S.One if condition.discrete else S.Zero
    spectral = condition.spectral_parameter

    def modulus(node: Expr) -> Expr:
        polynomial = sympy.Poly(node.args[0].subs(spectral, origin + X + sympy.I * Y), Y)
        even = odd = S.Zero  # real and imaginary part
        for (k,), c in polynomial.terms():
            c = sympy.expand(c / sympy.I**k)
            sign = S.NegativeOne ** (k // 2)
            if k % 2 == 0:
                even += sign * c * Y**k
            else:
                odd += sign * c * Y**k
        return even**2 + odd**2

    def split(average: GaussianAverage) -> Expr:
        names: dict[Dummy, Expr] = {}
        f = average.integrand
        for node in f.atoms(sympy.Pow):
            if isinstance(node.base, Abs):
                squared = modulus(node.base) ** (node.exp / 2)
                if node.exp.is_negative:
                    names[name := Dummy()] = squared
                    squared = name
                f = f.xreplace({node: squared})
        terms = sympy.Add.make_args(sympy.expand(f))
        return sympy.Add(
            *(GaussianAverage(t.xreplace(names), average.variables, average.covariance)
              for t in terms)
        )  # fmt: skip

    def entry(k: Expr) -> Expr:
        k = k.replace(lambda e: isinstance(e, GaussianAverage), split)
        return k.replace(
            lambda e: isinstance(e, sympy.Pow) and isinstance(e.base, Abs),
            lambda e: modulus(e.base) ** (e.exp / 2),
        )

    return condition.transfer.applyfunc(entry)

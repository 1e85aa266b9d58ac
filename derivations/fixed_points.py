r"""Fixed points of the gated network, by hand beside the engine.

At a fixed point the Gaussian fields of the single-unit process stand still: η_a ~ N(0, Δ_a),
independent over the couplings a, with Δ_a = ⟨ψ_a(x*)²⟩.

1. *Rest.* Every law of motion is set to zero and solved for its own field. σ_z(z)(η_h − h) = 0
   gives h = η_h because the gate is never exactly closed; z = η_z and r = η_r.
2. *Order parameters.* The signals at rest are squared and averaged. h and r depend on different
   couplings, so Δ_h = ⟨φ(h)²⟩⟨σ_r(r)²⟩, and Δ_z = Δ_r = ⟨φ(h)²⟩. With Δ_r put in this is one
   equation, Δ_h = F(Δ_h).
3. *Small Δ.* A Gaussian average has the Taylor series Σ_n f⁽²ⁿ⁾(0) Δⁿ/(2ⁿ n!). The same numbers
   come from Price's theorem, d⟨f⟩/dΔ = ½⟨f''⟩, applied to the derived equations at Δ = 0.
4. *Transitions that follow.* F'(0) = 1 is where the zero state loses stability, g_h = 1 + e^{β_r}.
   There F''(0) changes sign at the static tricritical point, α_r² = 2/((1−σ₀)(2−3σ₀)) with
   σ₀ = σ_r(0); beyond it the non-zero solution is born in a fold, F = Δ and F' = 1, whose published
   place for α_r = 4 is a check on F itself.
5. *Classical limit.* With α_z = α_r = β_h = 0 and β_z, β_r → −∞ the gates stay open, and every
   equation of the gated network becomes the one of the classical network with g = g_h: as an
   expression, and as a number at random points.

Source: Krishnamurthy, Can and Schwab (2022), Sec. V; Sompolinsky, Crisanti and Sommers (1988).
"""

import math
import random
from collections.abc import Mapping

import sympy
from scipy.integrate import quad
from sympy import Expr, Rational, S, Symbol, exp, pi, sqrt

from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import Nonlinear, instantiate
from gatetheory.model import zoo
from gatetheory.theory.derive import derive
from gatetheory.theory.limits import derived_limit
from gatetheory.theory.transitions import solve_zero_state, zero_state_condition

gated, classical = zoo.gated(), zoo.classical()
engine = derive(gated)
p = gated.symbols
h, z, r, eta_h, eta_z, eta_r = sympy.symbols("h z r eta_h eta_z eta_r", real=True)
D_h, D_z, D_r = (Symbol(f"Delta_{a}", nonnegative=True) for a in "hzr")


def nonlinear(name: str, x: Expr) -> Expr:
    """An abstract nonlinearity applied to x."""
    return Nonlinear(name, 0, x)


# ---- 1. rest ---------------------------------------------------------------------------------

rest: dict[Symbol, Expr] = {}
for x, law in (
    (z, -z + eta_z),
    (r, -r + eta_r),
    (h, nonlinear("sigma_z", z) * (-h + eta_h)),
):
    slope = law.diff(x)
    assert not slope.has(x)
    assert slope != 0
    rest[x] = sympy.cancel(-law.subs(x, 0) / slope)
    assert sympy.expand(law.subs(x, rest[x])) == 0
assert rest == {z: eta_z, r: eta_r, h: eta_h}
print("1. at rest:", ", ".join(f"{x} = {value}" for x, value in rest.items()))

# ---- 2. order parameters ---------------------------------------------------------------------


def squared_on(x: Symbol, name: str, delta: Expr) -> Expr:
    """⟨f(x)²⟩ with x ~ N(0, delta)."""
    return GaussianAverage(nonlinear(name, x) ** 2, (x,), [[delta]])


by_hand = {
    "Delta_h": squared_on(h, "phi", D_h) * squared_on(r, "sigma_r", D_r),
    "Delta_z": squared_on(h, "phi", D_h),
    "Delta_r": squared_on(h, "phi", D_h),
}
assert engine.fixed_points.equations.tags == tuple(by_hand)
for tag, value in by_hand.items():
    assert engine.fixed_points[tag].rhs == value
    print(f"2. {tag} = {value}")
assert engine.fixed_points.core == (D_h,)
F = by_hand["Delta_h"].subs(D_r, by_hand["Delta_r"])
assert engine.fixed_points.reduced[D_h] == F

# ---- 3. small Δ ------------------------------------------------------------------------------


def gaussian_series(f: Expr, x: Symbol, delta: Symbol, order: int) -> Expr:
    """⟨f(x)⟩ to the given order in Δ, from the Taylor series of f and ⟨x²ⁿ⟩ = (2n−1)!! Δⁿ."""
    return sympy.Add(
        *(
            f.diff(x, 2 * n).subs(x, 0) * sympy.factorial2(2 * n - 1) * delta**n
            / sympy.factorial(2 * n)
            for n in range(order + 1)
        )
    )  # fmt: skip


even = {p["beta_h"]: S.Zero}
phi = gated.definitions["phi"](h).subs(even)
sigma_r = gated.definitions["sigma_r"](r)
phi_squared = gaussian_series(phi**2, h, D_h, 2)
series = phi_squared * gaussian_series(sigma_r**2, r, D_r, 1).subs(D_r, phi_squared)
defined = instantiate(F, gated.definitions).subs(even)
coefficients = []
for n in (1, 2):
    price = (defined.diff(D_h, n) / sympy.factorial(n)).subs(D_h, 0)
    taylor = sympy.expand(series).coeff(D_h, n)
    assert sympy.simplify((price - taylor).rewrite(exp)) == 0
    coefficients.append(sympy.simplify(price.rewrite(exp)))
assert defined.subs(D_h, 0) == 0
print("3. F(Δ) =", " + ".join(f"({c}) Δ^{n}" for n, c in enumerate(coefficients, 1)), "+ …")

# ---- 4. transitions --------------------------------------------------------------------------

first, second = coefficients
(threshold,) = sympy.solve(first - 1, p["g_h"])
assert sympy.simplify(threshold - (1 + exp(p["beta_r"]))) == 0
condition = zero_state_condition(engine.fixed_points, engine.spectrum, even)
(found,) = solve_zero_state(condition, p["g_h"])
assert sympy.simplify(found - threshold) == 0
print("4. the zero state loses stability at g_h =", found)

sigma_0 = Symbol("sigma_0", positive=True)
open_at_zero = {p["beta_r"]: sympy.log(1 / sigma_0 - 1)}
at_threshold = sympy.simplify(second.subs(p["g_h"], threshold).subs(open_at_zero))
(tricritical,) = sympy.solve(at_threshold, p["alpha_r"] ** 2)
assert sympy.simplify(tricritical - 2 / ((1 - sigma_0) * (2 - 3 * sigma_0))) == 0
assert tricritical.subs(sigma_0, Rational(1, 2)) == 8
print("   static tricritical point: α_r² =", sympy.factor(tricritical))


def number(expression: Expr, values: Mapping[Symbol, Expr]) -> float:
    """Value of an expression whose averages are over one variable, by scipy's quadrature."""
    known = expression.subs(values) if values else expression
    numbers = {}
    for average in sorted(_outermost(known), key=str):
        (x,), ((variance,),) = average.variables, average.covariance.tolist()
        f = average.integrand.subs(x, math.sqrt(number(variance, {})) * x).rewrite(exp)
        density = sympy.lambdify(x, f * exp(-(x**2) / 2) / sqrt(2 * pi), "math")
        numbers[average] = quad(density, -12, 12, epsabs=1e-13, epsrel=1e-13, limit=200)[0]
    return float(known.xreplace(numbers))


def _outermost(expression: Expr) -> set[Expr]:
    if isinstance(expression, GaussianAverage):
        return {expression}
    return set().union(*(_outermost(a) for a in expression.args), set())


fold = {
    p["alpha_r"]: S(4),
    p["beta_r"]: S.Zero,
    p["g_h"]: S("1.963831344979071792109956"),
    D_h: S("0.01290814570181268725251567"),
}
height = number(defined, fold) - float(fold[D_h])
slope_there = number(defined.diff(D_h), fold)
assert abs(height) < 1e-13
assert abs(slope_there - 1) < 1e-9
print(f"   fold at α_r = 4: F − Δ = {height:.0e}, F' − 1 = {slope_there - 1:.0e}")

# ---- 5. the classical limit ------------------------------------------------------------------

theory = derive(classical)
g = classical.symbols["g"]
lam = engine.spectrum.spectral_parameter
open_gates = {
    **dict.fromkeys((p["alpha_z"], p["alpha_r"], p["beta_h"]), S.Zero),
    **dict.fromkeys((p["beta_z"], p["beta_r"]), -sympy.oo),
}


def limit(expression: Expr) -> Expr:
    """Open the gates, and give the gain its classical name."""
    return derived_limit(expression, gated.definitions, open_gates).xreplace({p["g_h"]: g})


def canonical(expression: Expr) -> Expr:
    """A residual tree in which equal averages are equal nodes."""
    return expression.replace(
        lambda node: isinstance(node, GaussianAverage), lambda node: node.canonical()
    )


def defined_classical(expression: Expr) -> Expr:
    """The classical equation with its nonlinearity put in."""
    return instantiate(expression, classical.definitions)


pairs = {
    "Delta_h": (engine.fixed_points["Delta_h"], theory.fixed_points["Delta_h"]),
    "boundary": (engine.spectrum["boundary"], theory.spectrum["boundary"]),
    "K_hh": (engine.spectrum["K_hh"], theory.spectrum["K_hh"]),
    "C_eta_h": (
        engine.single_site.equations["C_eta_h"],
        theory.single_site.equations["C_eta_h"],
    ),
}
generator = random.Random(7)
for tag, (general, special) in pairs.items():
    left, right = limit(general.residual), defined_classical(special.residual)
    assert canonical(left) == canonical(right), (tag, left, right)
    if tag == "C_eta_h":
        print(f"5. {tag}: same tree")
        continue  # paths of a process: no number to compute
    for _ in range(3):
        at = {
            g: S(generator.uniform(0.5, 3)),
            D_h: S(generator.uniform(0.1, 4)),
            lam: S(generator.uniform(-0.5, 2)),
            Symbol("K_hh"): S(generator.uniform(0, 1)),
        }
        assert abs(number(left, at) - number(right, at)) < 1e-11
        # The limit is taken, not assumed: at a large finite bias the gated equation is close to it.
        nearly = instantiate(general.residual, gated.definitions).subs(
            {**open_gates, p["beta_z"]: S(-40), p["beta_r"]: S(-40), p["g_h"]: at[g]}
        )
        shown = {**at, D_z: S(1), D_r: S(1), p["tau_z"]: S(1), p["tau_r"]: S(2)}
        assert abs(number(nearly, shown) - number(right, at)) < 1e-11
    print(f"5. {tag}: same tree, same numbers; 0 = {right}")
laws = {x: limit(law) for x, law in gated.resolved_laws.items()}
assert laws[h] == classical.resolved_laws[h]
assert limit(engine.spectrum["K_hr"].rhs) == 0
print("the gated network's equations become the classical network's")

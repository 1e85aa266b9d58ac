r"""Stationary correlations: from the law of a Gaussian field to an equation in the lag.

1. *Lag equations.* A field that follows τ ẋ = −x + η is multiplied by itself at another time,
   (1 + τ∂_t)(1 + τ∂_t') C_x(t, t') = C_η(t, t'). In a stationary state C depends on τ = t − t'
   alone, so ∂_t = ∂_τ and ∂_t' = −∂_τ. Done for the classical network and for the three fields of
   the gated one, its update gate held at σ_z(0).
2. *Sources.* C_η is an average over a Gaussian pair; h and r share no drive, so it factors.
3. *Price's theorem.* Shown on exponentials, which generate every other function, and on polynomials
   by explicit integrals over the pair.
4. *Potential.* With one field the equation is Newton's: ½C'² − ½C² + ⟨ΦΦ'⟩, Φ' = φ, is conserved.
5. *Factorized closure.* (∂_t + s)(∂_t' + s') is multiplied out, term after term, and averaged.
6. *Discrete time.* x(t+1) = a x(t) + η(t) gives a difference equation.
7. *A network without a name.* One local field drives a cell and its adaptation, and the signal
   depends on their difference.

Source: Sompolinsky, Crisanti and Sommers (1988); Krishnamurthy, Can and Schwab (2022), Sec. III;
R. Price (1958).
"""

import sympy
from sympy import Derivative, Expr, Function, I, Lambda, Rational, S, Symbol, exp, oo, pi, sqrt

from gatetheory.equations.averages import GaussianAverage, expand_averages
from gatetheory.equations.lag_system import KAPPA, LagSystem
from gatetheory.functions import Nonlinear, instantiate
from gatetheory.model import (
    POSITIVE,
    Coupling,
    Field,
    Model,
    Nonlinearity,
    Parameter,
    fields,
    local_field,
    zoo,
)
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.single_site import SingleSite

t, later = sympy.symbols("t t'", real=True)
tau = Symbol("tau", real=True)  # the lag
X = Symbol("x", real=True)


def lag_system(model: Model, closure: str = "constant") -> LagSystem:
    """What the engine derives."""
    return derive_correlations(SingleSite(model), closure)


def covariance(name: str) -> Expr:
    """C(τ) of a field or local field, by name."""
    return Function(f"C_{name}", real=True)(tau)


def same(left: Expr, right: Expr) -> bool:
    """Whether two expressions are equal once multiplied out."""
    return sympy.expand((left - right).doit()) == 0


# ---- 1. lag equations ------------------------------------------------------------------------


def stationary(law: Lambda, name: str) -> Expr:
    """⟨(law at t)(law at t')⟩ for a linear law of one field, as an operator on C(τ).

    Args:
        law: What the local field equals, as a function of (x, ẋ).
        name: The field.
    """
    C = Function(f"C_{name}", real=True)
    two_times = C(t - later)
    once = law(two_times, two_times.diff(t))
    twice = law(once, once.diff(later))
    return twice.doit().subs(t, later + tau).doit()


gated, classical = zoo.gated(), zoo.classical()
p = gated.symbols
s_0 = Nonlinear("sigma_z", 0, S.Zero)
x, rate = sympy.symbols("x dx", real=True)
LAWS = {  # what each local field equals, from the laws solved for it by hand
    (classical, "h"): Lambda((x, rate), rate + x),
    (gated, "h"): Lambda((x, rate), rate / s_0 + x),
    (gated, "z"): Lambda((x, rate), p["tau_z"] * rate + x),
    (gated, "r"): Lambda((x, rate), p["tau_r"] * rate + x),
}
SYSTEMS = {m: lag_system(m) for m in (classical, gated)}
for (model, name), law in LAWS.items():
    system = SYSTEMS[model]
    by_hand = sympy.expand(stationary(law, name))
    assert same(system[f"C_{name}"].lhs, by_hand), (model.name, name)
    print(f"1. {model.name}: {by_hand} = {system[f'C_{name}'].rhs}")
C_h, C_z, C_r = (covariance(name) for name in "hzr")
assert same(SYSTEMS[classical]["C_h"].lhs, C_h - C_h.diff(tau, 2))
assert same(SYSTEMS[gated]["C_r"].lhs, C_r - p["tau_r"] ** 2 * C_r.diff(tau, 2))

# ---- 2. sources ------------------------------------------------------------------------------

h, h_, r, r_ = sympy.symbols("h h' r r'", real=True)


def pair(f: str, field: str) -> Expr:
    """⟨f(x(t+τ)) f(x(t))⟩ over the pair of a field, with the engine's names of its covariances."""
    u, u_ = Symbol(field, real=True), Symbol(f"{field}'", real=True)
    zero = Function(f"C_{field}", real=True)(0)
    matrix = [[zero, covariance(field)], [covariance(field), zero]]
    return GaussianAverage(Nonlinear(f, 0, u) * Nonlinear(f, 0, u_), (u, u_), matrix)


assert SYSTEMS[classical]["C_eta_h"].rhs == pair("phi", "h")
assert SYSTEMS[gated]["C_eta_z"].rhs == pair("phi", "h")
assert SYSTEMS[gated]["C_r"].rhs == SYSTEMS[gated]["C_z"].rhs  # one source for both gates

c, c_0, d, d_0 = sympy.symbols("c c_0 d d_0", positive=True)
blocks = sympy.Matrix([[c_0, c, 0, 0], [c, c_0, 0, 0], [0, 0, d_0, d], [0, 0, d, d_0]])
a_1, a_2, b_1, b_2 = sympy.symbols("a_1 a_2 b_1 b_2", real=True)


def generating(slopes: sympy.Matrix, sigma: sympy.Matrix) -> Expr:
    """⟨exp(k·u)⟩ = exp(½ kᵀΣk) of a centred Gaussian vector."""
    return exp((slopes.T * sigma * slopes)[0] / 2)


joint = generating(sympy.Matrix([a_1, a_2, b_1, b_2]), blocks)
apart = generating(sympy.Matrix([a_1, a_2]), blocks[:2, :2]) * generating(
    sympy.Matrix([b_1, b_2]), blocks[2:, 2:]
)
assert sympy.simplify(joint / apart) == 1  # exponentials factor, so every function does
assert SYSTEMS[gated]["C_eta_h"].rhs == pair("phi", "h") * pair("sigma_r", "r")
print("2. C_eta_h =", SYSTEMS[gated]["C_eta_h"].rhs)

# ---- 3. Price's theorem ----------------------------------------------------------------------

sigma_pair = sympy.Matrix([[c_0, c], [c, c_0]])
characteristic = generating(sympy.Matrix([I * a_1, I * a_2]), sigma_pair)
# f = e^{i a₁ h} has f' = i a₁ f and f'' = −a₁² f; likewise g in h'.
slope_product = (I * a_1) * (I * a_2) * characteristic
curvatures = ((I * a_1) ** 2 + (I * a_2) ** 2) / 2 * characteristic
assert sympy.simplify(characteristic.diff(c) - slope_product) == 0
assert sympy.simplify(characteristic.diff(c_0) - curvatures) == 0

u, v = sympy.symbols("u v", real=True)  # independent and of unit variance


MOMENTS = [sympy.integrate(u**n * exp(-(u**2) / 2), (u, -oo, oo)) / sqrt(2 * pi) for n in range(7)]


def integral(f: Expr) -> Expr:
    """⟨f(h, h')⟩ by integrating a polynomial over the pair written with independent variables."""
    rotated = f.subs({h: sqrt(c_0) * u, h_: c / sqrt(c_0) * u + sqrt(c_0 - c**2 / c_0) * v})
    terms = sympy.Poly(sympy.expand(rotated), u, v).terms()
    return sympy.expand(sum(k * MOMENTS[n] * MOMENTS[m] for (n, m), k in terms))


f, g = h**3 - 2 * h**2, h_**3 + h_**2 + h_
by_covariance = integral(f.diff(h) * g.diff(h_))
by_variance = integral(f.diff(h, 2) * g + f * g.diff(h_, 2)) / 2
assert sympy.simplify(integral(f * g).diff(c) - by_covariance) == 0
assert sympy.simplify(integral(f * g).diff(c_0) - by_variance) == 0
average = GaussianAverage(Nonlinear("f", 0, h) * Nonlinear("g", 0, h_), (h, h_), sigma_pair)
polynomials = {"f": Lambda(h, f), "g": Lambda(h_, g)}
for variable, expected in ((c, by_covariance), (c_0, by_variance)):
    rule = expand_averages(instantiate(average.diff(variable), polynomials))
    assert sympy.simplify(rule - expected) == 0
print("3. ∂⟨fg⟩/∂c = ⟨f'g'⟩ =", by_covariance)

# ---- 4. potential ----------------------------------------------------------------------------

primitive = pair("Phi", "h")  # ⟨ΦΦ'⟩
force = primitive.diff(tau).replace(
    lambda n: isinstance(n, Nonlinear) and n.order > 0,
    lambda n: Nonlinear("phi", n.order - 1, n.argument),  # Φ' = φ
)
assert same(force, pair("phi", "h") * C_h.diff(tau))
acceleration = sympy.solve(SYSTEMS[classical]["C_h"].lhs - pair("phi", "h"), C_h.diff(tau, 2))[0]
energy_change = (C_h.diff(tau) ** 2 / 2 - C_h**2 / 2).diff(tau) + force
assert same(energy_change.subs(C_h.diff(tau, 2), acceleration), S.Zero)
print("4. ½C'² − ½C² + ⟨ΦΦ'⟩ is conserved: C'' =", acceleration)

# ---- 5. the factorized closure ---------------------------------------------------------------

factorized = lag_system(gated, "factorized")
gate_pair, mean_gate = pair("sigma_z", "z"), Symbol("<s>", positive=True)
two_times = Function("C_h", real=True)(t - later)
TERMS = {
    "⟨∂x ∂'x'⟩": two_times.diff(t, later),
    "⟨s x ∂'x'⟩": mean_gate * two_times.diff(later),
    "⟨s' x' ∂x⟩": mean_gate * two_times.diff(t),
    "⟨s s' x x'⟩": gate_pair * two_times,
}
TERMS = {k: e.doit().subs(t, later + tau).doit() for k, e in TERMS.items()}
for meaning, term in TERMS.items():
    print(f"5. {meaning} → {term}")
assert same(TERMS["⟨s x ∂'x'⟩"] + TERMS["⟨s' x' ∂x⟩"], S.Zero)  # a single gate drops out
left, right = sum(TERMS.values()), gate_pair * covariance("eta_h")
assert same(factorized["C_h"].lhs, left)
assert same(factorized["C_h"].rhs, right)
# A gate that stands still has C_s = s², and both closures are one.
still = {gate_pair: s_0**2}
assert same((left - right).xreplace(still) / s_0**2,
            SYSTEMS[gated]["C_h"].lhs - SYSTEMS[gated]["C_h"].rhs)  # fmt: skip
# The solver's form, (ν² − ∂²) C = S without a derivative in S, is the same equation.
i = factorized.fields.index(Symbol("h", real=True))
nu = -factorized.drift[i, i]
by_symbol = {k.symbol: Function(k.name, real=True)(tau) for k in factorized.covariances}
by_symbol |= {k.equal: Function(k.name, real=True)(0) for k in factorized.covariances}
source = factorized.sources["S_h"].subs(KAPPA, 0).xreplace(by_symbol)
assert same(nu**2 * C_h - C_h.diff(tau, 2) - source,
            left - gate_pair * factorized["C_eta_h"].rhs)  # fmt: skip

# ---- 6. discrete time ------------------------------------------------------------------------

a = Rational(1, 3)
(m,) = fields("m,")
eta_m = local_field("m")
tanh = Nonlinearity("f", Lambda(X, sympy.tanh(X)))
leaky = Model(
    name="leaky map",
    time="discrete",
    fields=(Field(m, update=a * m + eta_m),),
    couplings=(Coupling(eta_m, tanh(m), S(4)),),
    nonlinearities=(tanh,),
)
C_m = Function("C_m", real=True)
# η(t) = x(t+1) − a x(t): four products, each a covariance at a lag of its own
products = C_m(tau) - a * C_m(tau + 1) - a * C_m(tau - 1) + a**2 * C_m(tau)
derived = lag_system(leaky)["C_m"]
scale = derived.rhs / covariance("eta_m")
assert scale.is_number
assert same(derived.lhs, scale * products)
decay = a**tau / (1 - a**2)  # of an η that is white: no source at any lag but 0
assert sympy.simplify(products.replace(C_m, Lambda(tau, decay))) == 0
print("6.", products, "=", covariance("eta_m"))

# ---- 7. a network without a name -------------------------------------------------------------

y, w = fields("y w")
eta_y = local_field("y")
theta = Parameter("theta", 5, POSITIVE, "time constant of the adaptation")
adapting = Model(
    name="adaptation",
    time="continuous",
    fields=(Field(y, drift=-y + eta_y), Field(w, drift=-w + y, time_constant=theta.symbol)),
    couplings=(Coupling(eta_y, tanh(y - w), S(9)),),
    parameters=(theta,),
    nonlinearities=(tanh,),
)
system = lag_system(adapting)
T = theta.symbol
C_w = Function("C_w", real=True)(tau)
inner = C_w - T**2 * C_w.diff(tau, 2)  # (1 − θ²∂²) C_w = C_y, and (1 − ∂²) C_y = C_η
assert same(system["C_w"].lhs, inner - inner.diff(tau, 2))
assert system["C_w"].rhs == covariance("eta_y")
(difference,) = (k for k in system.covariances if k.first == (1, -1) and k.second == (1, -1))
# u = y − w: û = (1 − 1/(1 + iωθ)) η̂/(1 + iω), so |û/η̂|² is known; the matrix pencil must give it
omega = Symbol("omega", real=True)
response = (I * omega * sympy.diag(*system.mass) - system.drift).inv() * system.drives
transfer = sum(k * e for k, e in zip(difference.first, response, strict=True))
power = (omega * T) ** 2 / ((1 + omega**2) * (1 + (omega * T) ** 2))
assert sympy.simplify(transfer * sympy.conjugate(transfer) - power) == 0
o, o_ = sympy.symbols("o o'", real=True)
matrix = [[difference.equal, difference.symbol], [difference.symbol, difference.equal]]
expected = 9 * GaussianAverage(tanh(o) * tanh(o_), (o, o_), matrix).canonical()
found = system.sources["C_eta_y"]
assert found.replace(lambda n: isinstance(n, GaussianAverage), lambda n: n.canonical()) == expected
assert not system["C_eta_y"].rhs.atoms(Derivative)
print("7. C_eta_y =", system["C_eta_y"].rhs)

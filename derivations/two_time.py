r"""Covariances at two times: from a unit's linear law and its initial value, nothing stationary.

A field τẋ = −x + η with x(0) drawn independently of everything is, for every path of η,

    x(t) = x(0) e^{−t/τ} + (1/τ) ∫_0^t e^{−(t−u)/τ} η(u) du.

1. *Two times.* The covariance of that expression solves (1+τ∂_t)(1+τ∂_t') C = C_η. The statement is
   linear in C_η, so it is proved for C_η = e^{at+bt'} with symbols a and b.
2. *Which solution.* Because x(0) and η are independent, (1+τ∂_t) C vanishes at t' = 0, and
   C(0,0) is the initial variance. With these the equation has one solution; without the
   independence the edge would not vanish.
3. *White noise* leaves 2D δ(t−t') on the right: C has a kink at t = t', and the slopes on its two
   sides differ by 2D/τ².
4. *A network that can be solved.* φ(x) = g x: then x(t) = e^{(−1+gJ)t} x(0), and since
   (1/N)⟨Tr J^k (Jᵀ)^m⟩ = δ_km for N → ∞ (checked by pairings), C(t,t') = e^{−t−t'} I₀(2g√(tt')).
   It solves the equation of step 1 with C_η = g² C, order by order.
5. *Maps.* x(t+1) = a x(t) + η(t) gives shifts in place of derivatives; the linear map has
   C(t,t') = Σ_k binom(t,k) binom(t',k) a^{t+t'−2k} g^{2k}.
6. *Stationary limit.* C(t,t') = C(t−t') turns the equation into (1 − τ²∂²) C = C_η.

The last step compares with :mod:`gatetheory.theory.two_time`.
"""

from itertools import product

import sympy
from sympy import (
    Expr,
    Function,
    ImmutableDenseMatrix,
    Integer,
    Lambda,
    Rational,
    S,
    Symbol,
    binomial,
    exp,
    factorial,
    integrate,
    simplify,
)

from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import Nonlinear
from gatetheory.model import (
    POSITIVE,
    REAL,
    Coupling,
    Field,
    Model,
    Parameter,
    TimeDependentInput,
    WhiteNoise,
    fields,
    local_field,
    zoo,
)
from gatetheory.theory.single_site import T1, T2, SingleSite
from gatetheory.theory.two_time import derive_two_time

t, s, u, v = sympy.symbols("t s u v", positive=True)
a, b = sympy.symbols("a b", positive=True)
tau, variance, D = sympy.symbols("tau variance D", positive=True)


def operate(f: Expr, time: Symbol) -> Expr:
    """(1 + τ∂_time) f."""
    return f + tau * sympy.diff(f, time)


# ---- 1. two times ----------------------------------------------------------------------------

memory = Lambda(u, exp(-u / tau) / tau)
driven = integrate(memory(t - u) * exp(a * u), (u, 0, t))
driven *= integrate(memory(s - v) * exp(b * v), (v, 0, s))
covariance = variance * exp(-t / tau) * exp(-s / tau) + driven
assert simplify(operate(operate(covariance, t), s) - exp(a * t + b * s)) == 0
print("1. the covariance of the unit's path solves (1+τ∂_t)(1+τ∂_t') C = C_η")

# ---- 2. which solution -----------------------------------------------------------------------

assert simplify(operate(covariance, t).subs(s, 0)) == 0
assert simplify(covariance.subs({t: 0, s: 0}) - variance) == 0
# The homogeneous equation with vanishing edges has no other solution: along each edge C obeys
# (1+τ∂) C = 0 from the corner on, and inside F = (1+τ∂_t') C obeys (1+τ∂_t) F = 0 from F = 0 on.
edge = Function("f")
solution = sympy.dsolve(operate(edge(t), t), edge(t), ics={edge(0): 0})
assert solution.rhs == 0
# Were the initial value correlated with η, ⟨x(0)η(t)⟩ = q e^{at}, the edge would show it.
q = Symbol("q")
tied = exp(-s / tau) * q * integrate(memory(t - u) * exp(a * u), (u, 0, t))
assert simplify(operate(covariance + tied, t).subs(s, 0)) != 0
print("2. its edges vanish because the initial value is independent of η: one solution")

# ---- 3. white noise --------------------------------------------------------------------------

later = integrate(memory(t - u) * memory(s - u) * 2 * D, (u, 0, s))  # t > s
earlier = later.subs({t: s, s: t}, simultaneous=True)  # t < s
assert simplify(operate(operate(later, t), s)) == 0
jump = simplify((sympy.diff(earlier, t) - sympy.diff(later, t)).subs(s, t))
assert simplify(jump - 2 * D / tau**2) == 0
print("3. white noise: smooth off t = t', where the slope drops by", jump)

# ---- 4. a network that can be solved ---------------------------------------------------------


def word_moment(k: int, m: int) -> Integer:
    """(1/N)⟨Tr J^k (Jᵀ)^m⟩ at leading order: pairings of the letters that keep every power of N."""
    letters = [0] * k + [1] * m
    total, length = 0, k + m

    def pairings(rest: tuple[int, ...]) -> list[tuple[tuple[int, int], ...]]:
        if not rest:
            return [()]
        first, *others = rest
        return [
            ((first, p), *pairs)
            for p in others
            for pairs in pairings(tuple(x for x in others if x != p))
        ]

    for pairs in pairings(tuple(range(length))):
        corner = list(range(length))
        for p, r in pairs:
            ends = (r, r + 1) if letters[p] == letters[r] else (r + 1, r)
            for one, other in ((p, ends[0]), ((p + 1) % length, ends[1])):
                old, new = corner[other % length], corner[one % length]
                corner = [new if c == old else c for c in corner]
        total += len(set(corner)) == len(pairs) + 1
    return Integer(total)


for k, m in product(range(1, 4), range(1, 4)):
    if (k + m) % 2 == 0:
        assert word_moment(k, m) == (1 if k == m else 0), (k, m)
g = Symbol("g", positive=True)
ORDERS = 8
series = sum((g**2 * t * s) ** k / factorial(k) ** 2 for k in range(ORDERS))
bessel = sympy.besseli(0, 2 * g * u)
assert sympy.series(bessel, u, 0, 2 * ORDERS).removeO() == sympy.expand(series.subs({t: u, s: u}))
solved = exp(-t - s) * series
rest = operate(operate(solved, t), s).subs(tau, 1) - g**2 * solved
rest = sympy.expand(simplify(rest * exp(t + s)))
assert rest == sympy.expand(-(g**2) * (g**2 * t * s) ** (ORDERS - 1) / factorial(ORDERS - 1) ** 2)
print("4. linear network: C = e^{−t−t'} I₀(2g√(tt')) solves it, order by order")

# ---- 5. maps ---------------------------------------------------------------------------------


def power_sum(n: int, m: int) -> Expr:
    """(1/N)⟨Tr (a + gJ)^n (a + gJᵀ)^m⟩ by step 4's rule."""
    return sum(
        (binomial(n, k) * binomial(m, k) * a ** (n + m - 2 * k) * g ** (2 * k))
        for k in range(min(n, m) + 1)
    )


for n, m in product(range(4), range(4)):
    shifted = power_sum(n + 1, m + 1) - a * power_sum(n, m + 1) - a * power_sum(n + 1, m)
    assert sympy.expand(shifted + a**2 * power_sum(n, m) - g**2 * power_sum(n, m)) == 0
print("5. linear map: (shift − a)(shift' − a) C = g² C")

# ---- 6. what the engine says -----------------------------------------------------------------

gated = derive_two_time(SingleSite(zoo.gated()))
tau_r = zoo.gated().symbols["tau_r"]
sigma = Nonlinear("sigma_z", 0, S.Zero)
for name, rate, source in (("r", 1 / tau_r, 1), ("h", sigma, sigma**2)):
    C = Function(f"C_{name}", real=True)(T1, T2)
    C_eta = Function(f"C_eta_{name}", real=True)(T1, T2)
    inertia = tau_r if name == "r" else S.One
    inside = inertia * sympy.diff(C, T2) + inertia * rate * C
    expected = inertia * sympy.diff(inside, T1) + inertia * rate * inside
    assert sympy.expand(expected - gated[f"C_{name}"].lhs) == 0, name
    assert gated[f"C_{name}"].rhs == source * C_eta
    # Stationary: C depends on t − t' only.
    profile, lag = Function("c"), Symbol("l", real=True)
    still = gated[f"C_{name}"].lhs.subs(C, profile(T1 - T2)).doit()
    shape = sympy.diff(profile(lag), lag, 2).subs(lag, T1 - T2).doit()
    reduced = (inertia * rate) ** 2 * profile(T1 - T2) - inertia**2 * shape
    assert simplify(still - reduced) == 0
print("6. gated: C_h and C_r obey steps 1 and 6, with time in units of their rates")

law = gated.law
h1, z1, r1 = law.now
h2, z2, r2 = law.then
at = {
    x: x + m for x, m in zip((*law.now, *law.then), (*law.means_now, *law.means_then), strict=True)
}


def pair(f: Expr, first: Symbol, second: Symbol) -> Expr:
    """An average over one field at two times."""
    where = [(*law.now, *law.then).index(x) for x in (first, second)]
    return GaussianAverage(f.xreplace(at), (first, second), law.covariance.extract(where, where))


phi = pair(Nonlinear("phi", 0, h1) * Nonlinear("phi", 0, h2), h1, h2)
gate = pair(Nonlinear("sigma_r", 0, r1) * Nonlinear("sigma_r", 0, r2), r1, r2)
assert gated["C_eta_h"].rhs == phi * gate  # r shares neither drive nor initial value with h
assert gated["C_eta_r"].rhs == gated["C_eta_z"].rhs == phi

h, w = fields("h w")
x, y = sympy.symbols("xi drive", real=True)
eta = local_field("h")
k_, d_ = Parameter("k", 1, REAL), Parameter("noise", 1, POSITIVE)
time = Symbol("t", real=True)
own = Model(
    name="own",
    time="discrete",
    fields=(
        Field(h, update=h / 2 - k_.symbol * w + eta + x),
        Field(w, update=Rational(1, 3) * w + h + y),
    ),
    couplings=(Coupling(eta, signal=sympy.tanh(h), variance=Integer(4)),),
    parameters=(k_, d_),
    inputs=(WhiteNoise(x, d_.symbol), TimeDependentInput(y, Lambda(time, sympy.sin(time)))),
)
engine = derive_two_time(SingleSite(own))
names = ("h", "w")
matrix = ImmutableDenseMatrix([[Rational(1, 2), -k_.symbol], [1, Rational(1, 3)]])


def engine_covariance(i: int, j: int, first: Expr, second: Expr) -> Expr:
    """C_ij(first, second)."""
    label = names[i] if i == j else f"{names[i]},{names[j]}"
    return Function(f"C_{label}", real=True)(first, second)


for i, j in ((0, 0), (0, 1), (1, 1)):
    expected = engine_covariance(i, j, T1 + 1, T2 + 1)
    for k in range(2):
        expected -= matrix[i, k] * engine_covariance(k, j, T1, T2 + 1)
        expected -= matrix[j, k] * engine_covariance(i, k, T1 + 1, T2)
        for m in range(2):
            expected += matrix[i, k] * matrix[j, m] * engine_covariance(k, m, T1, T2)
    tag = "C_" + (names[i] if i == j else f"{names[i]},{names[j]}")
    assert sympy.expand(engine[tag].lhs - expected) == 0, tag
    right = Function("C_eta_h", real=True)(T1, T2) + 2 * d_.symbol * sympy.KroneckerDelta(T1, T2)
    assert engine[tag].rhs == (right if i == j == 0 else 0), tag
mean_h, mean_w = (Function(f"m_{n}", real=True) for n in names)
assert engine["m_w"].lhs == mean_w(T1 + 1)
assert sympy.expand(engine["m_w"].rhs - mean_w(T1) / 3 - mean_h(T1) - sympy.sin(T1)) == 0
print("the engine's two-time equations are those of the explicit paths")

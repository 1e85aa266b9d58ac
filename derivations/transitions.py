r"""Where fixed points and chaos appear: conditions, expansion near the onset, both tricritical points.

``fixed_points.py`` has the zero state and the static tricritical point of the gated network,
``lyapunov.py`` the onset of the classical one with φ = tanh. Here φ is any odd function and the
gate any smooth one, by their Taylor coefficients, and every condition a solver uses is argued for.

1. *Conditions.* A static disturbance of the local fields is passed through the network: where its
   variance reproduces itself a mode crosses zero. A fold is where two fixed points merge, at
   det(1 − ∂G/∂u) = 0. A steep update gate leaves units that are closed and forget nothing: at any
   finite rate the open ones alone answer, so that the state is marginal for 1 ≤ K(0) ≤ 1/f.
2. *Small covariances.* ⟨φφ'⟩ and ⟨σσ'⟩ from Taylor series and the moments of a Gaussian pair.
3. *Onset with a moving gate.* C ∝ ε at lags ∝ ε^−½: a sech² profile, and λ_max ∝ ε from a mode
   sech³. τ_r drops out.
4. *Onset with a gate that stands still.* C ∝ ε at lags ∝ 1/ε: a sech profile with rate ε/√3 and
   λ_max = ε²/2 for every odd φ.
5. *Tricritical points.* Static where m + q = 0, dynamic where m + ⅔q = 0; for the logistic gate
   α_r² = 2/((1−σ₀)(2−3σ₀)) and 6/((1−σ₀)(5−8σ₀)).
6. *Energy.* C − τ²C'' = S(C; C₀) is a particle's motion with a force that knows where it started.
   States are zeros of an energy E(C₀), two of them merge where E = ∂E/∂C₀ = 0.
7. *A network without a name.* φ = sin and the gate ½(1 + sin): averages in closed form, C(0) of the
   network without a gate by Lambert's W, a fold of chaos to 25 digits.

Source: Krishnamurthy, Can and Schwab (2022), Secs. V and VI; Sompolinsky, Crisanti and Sommers
(1988).
"""

from collections.abc import Callable, Mapping

import mpmath
import sympy
from sympy import (
    Expr,
    Function,
    Heaviside,
    LambertW,
    Lambda,
    Rational,
    S,
    Symbol,
    cosh,
    exp,
    log,
    sech,
    sin,
    sinh,
    sqrt,
    tanh,
)

from gatetheory.equations.averages import GaussianAverage, expand_averages
from gatetheory.equations.onset import EPSILON
from gatetheory.errors import NoTransitionError
from gatetheory.functions import Nonlinear, instantiate, logistic
from gatetheory.model import (
    NONNEGATIVE,
    POSITIVE,
    REAL,
    Coupling,
    Field,
    Model,
    Nonlinearity,
    Parameter,
    fields,
    local_field,
    zoo,
)
from gatetheory.solvers.lag_potential import fold_in_parameter, potential_of, solve_amplitudes
from gatetheory.theory.derive import Theory, derive
from gatetheory.theory.tricritical import tricritical_dynamic, tricritical_static

X = Symbol("x", real=True)
gated = zoo.gated()
engine = derive(gated)
p = gated.symbols
h, z, r = fields("h z r")
D_h = Symbol("Delta_h", nonnegative=True)


def canonical(expression: Expr) -> Expr:
    """A tree in which equal averages are equal nodes: term by term, and with variables renamed."""
    return expand_averages(expression).replace(
        lambda node: isinstance(node, GaussianAverage), lambda node: node.canonical()
    )


def same(left: Expr, right: Expr) -> bool:
    """Whether two expressions are equal once averages are canonical and all is multiplied out."""
    return sympy.expand(canonical(left) - canonical(right)) == 0


def averaged(f: Expr, x: Symbol, variance: Expr) -> Expr:
    """⟨f(x)⟩ with x ~ N(0, variance)."""
    return GaussianAverage(f, (x,), [[variance]])


# ---- 1. conditions ---------------------------------------------------------------------------

phi, phi_1 = (Nonlinear("phi", n, h) for n in (0, 1))
gate, gate_1 = (Nonlinear("sigma_r", n, r) for n in (0, 1))
D_r = averaged(phi**2, h, D_h)  # Δ_r = Δ_z
passed = {  # ⟨(∂ψ_a/∂x)²⟩ by coupling and field; h and r are independent
    ("h", "h"): averaged(phi_1**2, h, D_h) * averaged(gate**2, r, D_r),
    ("h", "r"): averaged(phi**2, h, D_h) * averaged(gate_1**2, r, D_r),
    ("r", "h"): averaged(phi_1**2, h, D_h),
}
# ψ_h = φσ_r moves by φ'σ_r δh + φσ_r' δr, ψ_r by φ' δh. A field at rest follows its local field,
# δh = δη_h and δr = δη_r, and δη_h and δη_r are independent of one another and of the state:
v_h, v_r, answer = sympy.symbols("v_h v_r a", positive=True)  # ⟨δη²⟩, ⟨δh²⟩/⟨δη_h²⟩
reproduced = {
    v_h: passed["h", "h"] * answer * v_h + passed["h", "r"] * v_r,
    v_r: passed["r", "h"] * answer * v_h,
}
crossing = sympy.expand((reproduced[v_h] / v_h).subs(v_r, reproduced[v_r]))
K_0 = crossing.subs(answer, 1)
assert same(engine.transitions["stability"].rhs, K_0)
at_zero = {D_h: S.Zero, Nonlinear("phi", 0, S.Zero): S.Zero}
odd = canonical(K_0).subs(D_h, 0).subs(at_zero)
zero = Nonlinear("phi", 1, S.Zero) ** 2 * Nonlinear("sigma_r", 0, S.Zero) ** 2
assert same(odd, zero)
assert same(engine.transitions["zero-state"].rhs.subs(at_zero), zero)
print("1. zero state:", zero, "= 1; stability:", K_0, "= 1")

# The gate is a rate: at a growth rate λ, δh = σ_z/(λ + σ_z) δη_h.
lam, steep, shown = sympy.symbols("lambda s x", positive=True)
respond = Lambda(X, (X / (lam + X)) ** 2)
for sign, value in ((1, 1 / (1 + lam) ** 2), (-1, S.Zero)):
    sigma_z = 1 / (1 + exp(-sign * steep * shown))  # at |z − θ| = x
    assert respond(sigma_z).subs(lam, 0).simplify() == 1  # λ first: every unit answers
    assert sympy.limit(respond(sigma_z), steep, sympy.oo) == value  # s first: the open ones
    # In between, λ = e^−sε: the units with z − θ > −ε answer, K falls from K(0) to f K(0), and
    # passes 1 at an ε of its own. The edge of the spectrum is exponentially small, not negative.
    margin = Symbol("epsilon_s", positive=True)
    slow = {lam: exp(-steep * margin)}
    for distance, answers in ((margin / 2, 1), (2 * margin, 0 if sign < 0 else 1)):
        f = respond(sigma_z).subs(slow).subs(shown, distance)
        assert sympy.limit(f, steep, sympy.oo) == answers
is_open = averaged(Heaviside(p["alpha_z"] * z - p["beta_z"]), z, D_r)  # f = P(z > θ)
assert same(engine.transitions["open"].rhs, crossing.subs(answer, is_open))
assert same(crossing.subs(answer, is_open), is_open * K_0)
print("   marginal for 1 ≤ K(0) ≤ 1/f, f =", is_open)



# A fold. One unknown: u − G(u, p) is bent where its slope vanishes, so that it has two zeros on one
# side of it and none on the other.
def price(average: GaussianAverage) -> Expr:
    """∂⟨f⟩/∂Δ = ½⟨f''⟩ of an average over one variable of variance Δ."""
    (x,) = average.variables
    return GaussianAverage(average.integrand.diff(x, 2), (x,), average.covariance) / 2


of_phi, of_gate = averaged(phi**2, h, D_h), averaged(gate**2, r, D_r)
slope = price(of_phi) * of_gate + of_phi * price(of_gate) * price(of_phi)
assert same(engine.transitions["fold"].rhs, slope)
print("   fold: ∂F/∂Δ =", slope, "= 1")

# Several unknowns: with u₂(u₁) eliminated by the second equation, the slope of the first is
# det(1 − ∂G)/(1 − ∂G₂/∂u₂), so that the determinant vanishes where the eliminated problem folds.
u_1, u_2 = sympy.symbols("u_1 u_2")
G_1, G_2 = (Function(f"G_{i}")(u_1, u_2) for i in (1, 2))
follows = G_2.diff(u_1) / (1 - G_2.diff(u_2))  # du₂/du₁ from u₂ = G₂(u₁, u₂)
eliminated = 1 - G_1.diff(u_1) - G_1.diff(u_2) * follows
determinant = (sympy.eye(2) - sympy.Matrix([G_1, G_2]).jacobian([u_1, u_2])).det()
assert sympy.simplify(eliminated * (1 - G_2.diff(u_2)) - determinant) == 0

# Two cells that gate each other, ψ_x = f(x)s(y) and ψ_y = f(y)s(x), have two unknowns.
x_, y_ = fields("x y")
eta_x, eta_y = local_field("x"), local_field("y")
gain = Parameter("g", 2, POSITIVE, "gain")
f_mutual = Nonlinearity("f", Lambda(X, tanh(gain.symbol * X)))
s_mutual = Nonlinearity("s", Lambda(X, logistic(3 * X)))
mutual = Model(
    name="mutual gating",
    time="continuous",
    fields=(Field(x_, drift=-x_ + eta_x), Field(y_, drift=-y_ + eta_y)),
    couplings=(
        Coupling(eta_x, f_mutual(x_) * s_mutual(y_)),
        Coupling(eta_y, f_mutual(y_) * s_mutual(x_)),
    ),
    parameters=(gain,),
    nonlinearities=(f_mutual, s_mutual),
)
D = {c: Symbol(f"Delta_{c}", nonnegative=True) for c in (x_, y_)}
squares = {
    (name, c): averaged(Nonlinear(name, 0, c) ** 2, c, D[c]) for name in "fs" for c in (x_, y_)
}
a_x, a_y = (squares["f", c] for c in (x_, y_))
b_x, b_y = (squares["s", c] for c in (x_, y_))
own, other = price(a_x) * b_y, a_x * price(b_y)  # of Δ_x = ⟨f(x)²⟩⟨s(y)²⟩
own_, other_ = price(a_y) * b_x, a_y * price(b_x)
by_hand = 1 - ((1 - own) * (1 - own_) - other * other_)
assert same(derive(mutual).transitions["fold"].rhs, by_hand)

# ---- 2. small covariances --------------------------------------------------------------------

c, c_0, d, d_0 = sympy.symbols("c c_0 d d_0")
t_3, t_5, s_1, s_2, s_3, s_4 = sympy.symbols("t_3 t_5 s_1 s_2 s_3 s_4", real=True)
g, s_0, nu, tau_r = sympy.symbols("g s_0 nu tau_r", positive=True)
PHI = g * X + t_3 * (g * X) ** 3 / 6 + t_5 * (g * X) ** 5 / 120  # any odd φ of unit slope, at gain g
GATE = s_0 + s_1 * X + s_2 * X**2 / 2 + s_3 * X**3 / 6 + s_4 * X**4 / 24  # any smooth gate


def moment(m: int, n: int, lagged: Symbol, equal: Symbol) -> Expr:
    """⟨uᵐ u'ⁿ⟩ of a Gaussian pair: choose how many of the u are paired with a u'."""
    return sympy.Add(
        *(
            sympy.binomial(m, k) * sympy.binomial(n, k) * sympy.factorial(k) * lagged**k
            * sympy.factorial2(m - k - 1) * sympy.factorial2(n - k - 1)
            * equal ** ((m + n) // 2 - k)
            for k in range(min(m, n) + 1)
            if (m - k) % 2 == (n - k) % 2 == 0
        )
    )  # fmt: skip


def pair(f: Expr, lagged: Symbol, equal: Symbol, order: int) -> Expr:
    """⟨f(u) f(u')⟩ to an order in the covariances."""
    terms = sympy.Poly(f, X).terms()
    return sympy.Add(
        *(
            k * j * moment(m, n, lagged, equal)
            for (m,), k in terms
            for (n,), j in terms
            if (m + n) % 2 == 0 and m + n <= 2 * order
        )
    )


assert moment(4, 2, c, c_0) == 3 * c_0**3 + 12 * c_0 * c**2
C_phi, C_gate = pair(PHI, c, c_0, 3), pair(GATE, d, d_0, 2)
assert sympy.expand(pair(PHI, c, c_0, 2) - (g**2 * c + g**4 * t_3 * c * c_0)) == 0
assert sympy.expand(pair(GATE, d, d_0, 1) - (s_0**2 + s_1**2 * d + s_0 * s_2 * d_0)) == 0
print("2. ⟨φφ'⟩ =", pair(PHI, c, c_0, 2), "+ …, ⟨σσ'⟩ =", pair(GATE, d, d_0, 1), "+ …")

# ---- 3. onset with a moving gate -------------------------------------------------------------

eps, T = Symbol("epsilon", positive=True), Symbol("T", real=True)
A, B, A_2, B_2 = (Function(n, real=True)(T) for n in ("A", "B", "A_2", "B_2"))
chi, chi_r = (Function(n, real=True)(T) for n in ("chi", "chi_r"))
kappa, delta = sympy.symbols("kappa delta", real=True)


def at_lag_zero(e: Expr) -> Expr:
    """A function of T at T = 0."""
    return e.subs(T, 0)


def order_of(e: Expr, n: int) -> Expr:
    """Coefficient of εⁿ of a polynomial in √ε."""
    return sympy.expand(e).coeff(eps, n)


lag_scale = sqrt(eps)  # T = √ε τ
C_h, C_r = eps * A + eps**2 * A_2, eps * B + eps**2 * B_2
values = {c: C_h, c_0: at_lag_zero(C_h), d: C_r, d_0: at_lag_zero(C_r)}
at_gain = {g: (1 + eps) / s_0}
S_phi = C_phi.subs(values, simultaneous=True).subs(at_gain)
S_h = (C_phi * C_gate).subs(values, simultaneous=True).subs(at_gain)
law_h = C_h - (lag_scale / nu) ** 2 * C_h.diff(T, 2) - S_h
law_r = C_r - (lag_scale * tau_r) ** 2 * C_r.diff(T, 2) - S_phi
assert order_of(law_h, 1) == 0  # g_c s_0 = 1 whatever A is
(leading,) = sympy.solve(order_of(law_r, 1), B)
assert leading == A / s_0**2
second = order_of(law_h, 2).subs(B, leading).subs(at_lag_zero(B), at_lag_zero(leading)).doit()
assert not second.has(A_2, B_2, tau_r)  # corrections of both, and τ_r, come an order later
m = t_3 / s_0**2 + s_2 / s_0**3  # of A₀A
q = s_1**2 / s_0**4  # of A²
A_0 = at_lag_zero(A)
assert sympy.expand(second + A.diff(T, 2) / nu**2 + (2 + m * A_0) * A + q * A**2) == 0
print(f"3. −A''/ν² = (2 + m A₀) A + q A², m = {m}, q = {q}")

S2, k2 = sympy.symbols("S_2 k_2", positive=True)  # sech², and the rate squared
size = Symbol("A_0", real=True)


def curvature(power: int, rate: Expr) -> Expr:
    """f''/f of f = sechᵖ(x), x = rate T, in sech² x."""
    u = Symbol("u", real=True)
    ratio = sympy.expand(sympy.powsimp((sech(u) ** power).diff(u, 2) / sech(u) ** power))
    in_sech = sympy.expand(ratio.subs(tanh(u) ** 2, 1 - sech(u) ** 2)).subs(sech(u), sqrt(S2))
    assert not in_sech.has(u)
    return rate**2 * in_sech


def matched(e: Expr, *unknowns: Symbol) -> tuple[Expr, ...]:
    """The unknowns for which every power of sech² vanishes."""
    (found,) = sympy.solve(sympy.Poly(sympy.expand(e), S2).coeffs(), unknowns, dict=True)
    return tuple(sympy.factor(found[u]) for u in unknowns)


# A = A₀ sech²(kT/2) has A/A₀ = S₂
wave = curvature(2, sqrt(k2) / 2) / nu**2 + 2 + m * size + q * size * S2
size_2, rate_2 = matched(wave, size, k2)
assert sympy.simplify(size_2 + 2 / (m + 2 * q / 3)) == 0
assert sympy.simplify(rate_2 - 2 * q * size_2 * nu**2 / 3) == 0

# Two replicas: c and d vary, c₀ and d₀ do not; κ is of order ε, and χ_r follows as C_r does.
varied = {c: C_h + delta * chi, c_0: values[c_0], d: C_r + delta * chi_r, d_0: values[d_0]}


def replicas(source: Expr, order: int) -> Expr:
    """Coefficient of δ εⁿ in a source."""
    change = source.subs(varied, simultaneous=True).diff(delta).subs(delta, 0).subs(at_gain)
    return order_of(change, order)


assert sympy.expand(replicas(C_phi, 0) - chi / s_0**2) == 0
growing = order_of((1 + eps * kappa / nu) ** 2 * chi, 1) - chi.diff(T, 2) / nu**2
growing -= replicas(C_phi * C_gate, 1)
growing = growing.subs({chi_r: chi / s_0**2, B: leading}).subs(at_lag_zero(B), A_0 / s_0**2).doit()
well = 2 * kappa / nu * chi - chi.diff(T, 2) / nu**2 - (2 + m * A_0 + 2 * q * A) * chi
assert sympy.expand(growing - well) == 0
mode = (curvature(3, sqrt(k2) / 2) / nu**2 + 2 + m * size + 2 * q * size * S2 - 2 * kappa / nu).subs(
    {k2: rate_2, size: size_2}
)
(kappa_1,) = matched(mode, kappa)  # sech³ has no node: the mode that grows fastest
assert sympy.simplify(kappa_1 - Rational(5, 12) * q * size_2 * nu) == 0
print(f"   C_h = ε A₀ sech²(√ε k τ/2), A₀ = {size_2}, k² = {rate_2}, λ_max = ε {kappa_1}")


def cell(name: str, phi_: Expr, gates: Mapping[str, Expr], parameters: tuple[Parameter, ...],
         rate: Expr = S.One, memory: Expr | None = None) -> Model:  # fmt: skip
    """A unit whose signal φ(h) passes one gate after another, each a field of its own.

    Args:
        name: Name of the model.
        phi_: φ as an expression in X.
        gates: Gates as expressions in X, by the field that moves them.
        parameters: Parameters.
        rate: Rate of h.
        memory: Time constant of the gates' fields; None for none.
    """
    eta_h = local_field("h")
    f = Nonlinearity("f", Lambda(X, phi_))
    moved, couplings, made, signal = [], [], [f], f(h)
    for field, gate_ in gates.items():
        (u,), eta = fields(f"{field},"), local_field(field)
        law = {"value": eta} if memory is None else {"drift": -u + eta, "time_constant": memory}
        moved.append(Field(u, **law))
        couplings.append(Coupling(eta, f(h)))
        made.append(Nonlinearity(f"s_{field}", Lambda(X, gate_)))
        signal *= made[-1](u)
    return Model(
        name=name,
        time="continuous",
        fields=(Field(h, drift=rate * (-h + eta_h)), *moved),
        couplings=(Coupling(eta_h, signal), *couplings),
        parameters=parameters,
        nonlinearities=tuple(made),
    )


NAMES = {g: POSITIVE, s_0: POSITIVE, nu: POSITIVE, tau_r: POSITIVE}
NAMES |= dict.fromkeys((t_3, t_5, s_1, s_2, s_3, s_4), REAL)
GENERAL = tuple(Parameter(k.name, 1, domain) for k, domain in NAMES.items())
general = derive(cell("Taylor", PHI, {"r": GATE}, GENERAL, nu, tau_r))
names = {k: general.model.symbols[k.name] for k in NAMES}


def named(e: Expr) -> Expr:
    """An expression of this page in the model's parameters."""
    return e.xreplace(names)


def agree(found: Expr, expected: Expr) -> bool:
    """Whether an expression of the engine is one of this page."""
    return sympy.simplify(found.subs(EPSILON, eps) - named(expected)) == 0


onset = general.onset("g")
assert onset.case == "sech2"
assert agree(onset.critical, 1 / s_0)
assert agree(onset.amplitudes["C_h"], eps * size_2)
assert agree(onset.amplitudes["C_r"], eps * size_2 / s_0**2)
assert agree(onset.rate**2, eps * rate_2)
assert agree(1 / onset.correlation_time**2, eps * rate_2)
assert agree(onset.lambda_max, eps * kappa_1)
tau = Symbol("tau", real=True)  # the lag
assert sympy.simplify(onset.profile - sech(onset.rate * tau / 2) ** 2) == 0

# ---- 4. onset with a gate that stands still --------------------------------------------------

C_4 = pair(PHI, c, c_0, 3)  # s_0 = 1: the network without a gate
(along_3,) = [sympy.expand(C_4).coeff(c, 3)]
assert sympy.expand(C_4).coeff(c, 2) == 0  # φ is odd: no square, whatever C(0) is
assert sympy.expand(along_3 - t_3**2 * g**6 / 6) == 0
E_2 = Symbol("E_2", real=True)
S_4 = C_4.subs({c: C_h, c_0: at_lag_zero(C_h)}, simultaneous=True).subs(g, 1 + eps)
law = C_h - (eps / nu) ** 2 * C_h.diff(T, 2) - S_4  # T = ετ now
assert order_of(law, 1) == 0
(size_1,) = sympy.solve(order_of(law, 2).subs(A_0, size) / A, size)
assert sympy.simplify(size_1 + 2 / t_3) == 0
third = order_of(law, 3).subs(A_0, size_1)
cube = t_3**2 / 6
constant = sympy.expand((third + A.diff(T, 2) / nu**2 + cube * A**3) / A)
assert not constant.has(T)  # the shape of A_2, and t_5, enter a constant: C(0) to the next order
assert constant.has(t_5)
wave = curvature(1, sqrt(k2)) / nu**2 + E_2 + cube * size_1**2 * S2  # A₀ sech(kT)
energy_2, rate_1 = matched(wave, E_2, k2)
assert sympy.simplify(rate_1 - nu**2 / 3) == 0
assert energy_2 == -Rational(1, 3)
varied = {c: C_h + delta * chi, c_0: at_lag_zero(C_h)}
growing = order_of((1 + eps**2 * kappa / nu) ** 2 * chi, 2) - chi.diff(T, 2) / nu**2
growing -= order_of(
    C_4.subs(varied, simultaneous=True).diff(delta).subs(delta, 0).subs(g, 1 + eps), 2
).subs(A_0, size_1)  # fmt: skip
# The constant in it is the one of the third order, by the same equation at χ ∝ A.
well = 2 * kappa / nu * chi - chi.diff(T, 2) / nu**2 - (-constant + 3 * cube * A**2) * chi
assert sympy.simplify(sympy.expand(growing - well)) == 0
mode = curvature(2, sqrt(rate_1)) / nu**2 + energy_2 + 3 * cube * size_1**2 * S2 - 2 * kappa / nu
(kappa_2,) = matched(mode, kappa)  # sech² has no node
assert sympy.simplify(kappa_2 - nu / 2) == 0
print(f"4. C = ε A₀ sech(ε k τ), A₀ = {size_1}, k² = {rate_1}, λ_max = ε² {kappa_2}")

still = derive(cell("odd", PHI, {}, GENERAL, nu)).onset("g")
assert still.case == "sech"
assert agree(still.amplitudes["C_h"], eps * size_1)
assert agree(still.rate**2, eps**2 * rate_1)
assert agree(still.lambda_max, eps**2 * kappa_2)
assert sympy.simplify(still.profile - sech(still.rate * tau)) == 0

# ---- 5. tricritical points -------------------------------------------------------------------

# Dynamic: A₀ = −2/(m + ⅔q) is positive where chaos sets in above the onset, and diverges between.
dynamic = sympy.numer(sympy.together(m + 2 * q / 3))
# Static: the same with C(τ) = C(0), where there is no lag. Δ = ε a gives 0 = 2a + (m + q) a².
F_0 = (C_phi * C_gate).subs({d: C_phi, d_0: C_phi}, simultaneous=True).subs({c: D_h, c_0: D_h})
(bend,) = [sympy.expand(F_0).coeff(D_h, 2).subs(g, 1 / s_0)]
assert sympy.expand(bend - (m + q)) == 0
static = sympy.numer(sympy.together(m + q))
# Above the static point bend > 0, and with the next order 0 = 2ε + bend Δ − hΔ² has two solutions
# from ε = −bend²/(8h) on: the fold leaves the zero state's threshold, ε = 0, quadratically.
high = Symbol("h_3", positive=True)
fold_at = sympy.solve([2 * eps + bent * D_h - high * D_h**2, bent - 2 * high * D_h], [eps, D_h])

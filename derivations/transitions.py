r"""Conditions for transitions of fixed points, from disturbances of a fixed point.

``fixed_points.py`` has the zero state's threshold and the static tricritical point of the gated
network, ``onset.py`` what follows for chaos; here is what a solver of transitions is given.

1. *Loss of stability.* A disturbance of the local fields is passed through the network; where its
   variance reproduces itself at rate zero, a mode crosses the border.
2. *Steep update gate.* Closed units forget nothing: at any finite rate the open ones alone answer,
   so that the state is marginal for 1 ≤ K(0) ≤ 1/f, with f the fraction of open units.
3. *Fold.* Two fixed points merge where ∂G/∂u = 1, with several unknowns where det(1 − ∂G/∂u) = 0:
   the condition of the problem with all unknowns but one eliminated. Also for two cells that gate
   each other, a network without a name.

Source: Krishnamurthy, Can and Schwab (2022), Secs. IV and V.
"""

import sympy
from sympy import Expr, Function, Heaviside, Lambda, S, Symbol, exp, tanh

from gatetheory.equations.averages import GaussianAverage, expand_averages
from gatetheory.functions import Nonlinear, logistic
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
from gatetheory.theory.derive import derive

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


# ---- 1. loss of stability --------------------------------------------------------------------

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

# ---- 2. steep update gate --------------------------------------------------------------------

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
print("2. marginal for 1 ≤ K(0) ≤ 1/f, f =", is_open)

# ---- 3. fold ---------------------------------------------------------------------------------


# A fold. One unknown: u − G(u, p) is bent where its slope vanishes, so that it has two zeros on one
# side of it and none on the other.
def price(average: GaussianAverage) -> Expr:
    """∂⟨f⟩/∂Δ = ½⟨f''⟩ of an average over one variable of variance Δ."""
    (x,) = average.variables
    return GaussianAverage(average.integrand.diff(x, 2), (x,), average.covariance) / 2


of_phi, of_gate = averaged(phi**2, h, D_h), averaged(gate**2, r, D_r)
slope = price(of_phi) * of_gate + of_phi * price(of_gate) * price(of_phi)
assert same(engine.transitions["fold"].rhs, slope)
print("3. fold: ∂F/∂Δ =", slope, "= 1")

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

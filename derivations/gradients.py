r"""Gradients: the average over the couplings with an adjoint.

1. *Chain rule.* In a finite map, differentiated entry by entry, ∂L/∂J_ij = Σ_t (Lᵀμ)_i ψ_j with
   μ(t−1) = Aᵀμ(t) + Rᵀζ(t) and ζ = Jᵀ(Lᵀμ): the transposed Jacobian, no more.
2. *Average.* The same couplings make η = Jψ and ζ = Jᵀb, b = Lᵀμ. Held to their definitions by η̂
   and ζ̂ they enter as exp(−i Σ_ij J_ij Σ_t (η̂_i ψ_j + ζ̂_j b_i)), and the Gaussian integral leaves
   three terms: η̂ C η̂, ζ̂ B ζ̂ with B = (1/N) Σ b b', and a cross term with the order parameter
   S = (1/N) Σ_i η̂_i(t) b_i(t'), the response i ⟨δb/δη⟩.
3. *Sign.* b is odd in the weights of the loss, so that S vanishes if these come from outside with a
   symmetric sign. ζ is then Gaussian and independent of η. For ℓ = ½x² it does not vanish:
   integrated over J entry by entry, ζ_j has the mean s² ψ_j, the memory term s² ∫ S ψ.
4. *Closed equation* of the gated network with a constant gate, in the paper's form.
5. *Growth.* With q = e^{κ(s+s')} χ(s − s') the adjoint's operator is the transpose of that of two
   replicas, entry by entry: the same κ. |λ|² grows backward at 2 λ_max.
6. *Parameters.* ∂L/∂θ sums over units. In a linear map the terms of different times are one and the
   same number; averages over single units miss that, and are wrong by a factor.
7. *Two replicas.* ⟨x v'⟩ and ⟨v v'⟩ are derivatives of the covariance of two networks at θ₁ and θ₂.
   The engine's derivatives of the sources, against an error function whose average is known.

Source: Krishnamurthy, Can and Schwab (2022), Sec. VII.
"""

from itertools import product

import numpy as np
import sympy
from sympy import Add, Function, Lambda, Matrix, Rational, S, Symbol, asin, erf, pi, sqrt

from gatetheory.codegen import numpy_backend
from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import instantiate
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
from gatetheory.theory.gradient_equations import BACK1, BACK2

s = Symbol("s", positive=True)


def same(left: sympy.Expr, right: sympy.Expr) -> bool:
    """Whether two expressions agree identically."""
    return bool(sympy.expand(left - right) == 0)


# ---- 1. the chain rule -----------------------------------------------------------------------

# x(t+1) = a x + F(η), η = J ψ(x), with polynomials for F and ψ, two units, three steps.
UNITS, STEPS = 2, 3
J = Matrix(UNITS, UNITS, lambda i, j: Symbol(f"J{i}{j}"))
c = Matrix(UNITS, 1, lambda i, _: Symbol(f"c{i}"))
a, u = Symbol("a"), Symbol("u")
F, psi = Lambda(u, u + u**2 / 3), Lambda(u, u - u**2 / 2)
F_slope, psi_slope = (Lambda(u, f(u).diff(u)) for f in (F, psi))

at = {J[0, 0]: Rational(1, 3), J[0, 1]: Rational(-2, 5), J[1, 0]: Rational(1, 2),
      J[1, 1]: Rational(3, 7), a: Rational(1, 4), c[0]: 1, c[1]: -2}  # fmt: skip
path = [Matrix([Rational(1, 2), Rational(-1, 3)])]
for _ in range(STEPS):
    path.append(a * path[-1] + (J * path[-1].applyfunc(psi)).applyfunc(F))
loss = (c.T * path[-1])[0]

value = [x.subs(at) for x in path]
J0, local = J.subs(at), [(J.subs(at) * x.subs(at).applyfunc(psi)) for x in path]
mu, gradient = c.subs(at), sympy.zeros(UNITS, UNITS)
for t in reversed(range(STEPS)):
    pulled = Matrix([F_slope(local[t][i]) * mu[i] for i in range(UNITS)])  # Lᵀμ
    gradient += pulled * value[t].applyfunc(psi).T
    zeta = J0.T * pulled
    mu = at[a] * mu + Matrix([psi_slope(value[t][j]) * zeta[j] for j in range(UNITS)])
for i, j in product(range(UNITS), range(UNITS)):
    assert sympy.diff(loss, J[i, j]).subs(at) == gradient[i, j]
print("1. ∂L/∂J_ij = Σ_t (Lᵀμ)_i ψ_j, exactly, in a map of", UNITS, "units and", STEPS, "steps")

# ---- 2. the average --------------------------------------------------------------------------

N, TIMES = 2, 2


def array(name: str) -> Matrix:
    """Real symbols name_i(t)."""
    return Matrix(N, TIMES, lambda i, t: Symbol(f"{name}{i}{t}", real=True))


eta_hat, zeta_hat, sent, b = array("e"), array("z"), array("p"), array("b")


def order(first: Matrix, second: Matrix, t: int, v: int) -> sympy.Expr:
    """(1/N) Σ_i first_i(t) second_i(t')."""
    return Add(*(first[i, t] * second[i, v] for i in range(N))) / N


sources = eta_hat * sent.T + b * zeta_hat.T  # what multiplies −i J_ij
exponent = -(s**2) / (2 * N) * Add(*(entry**2 for entry in sources))
times = list(product(range(TIMES), range(TIMES)))
forward = Add(*(eta_hat[i, t] * order(sent, sent, t, v) * eta_hat[i, v]
                for i in range(N) for t, v in times))  # fmt: skip
backward = Add(*(zeta_hat[j, t] * order(b, b, t, v) * zeta_hat[j, v]
                 for j in range(N) for t, v in times))  # fmt: skip
cross = Add(*(order(eta_hat, b, t, v) * sent[j, t] * zeta_hat[j, v]
              for j in range(N) for t, v in times))  # fmt: skip
assert same(exponent, -(s**2) / 2 * (forward + backward + 2 * cross))
print("2. J leaves η̂Cη̂, ζ̂Bζ̂, and a cross term with S = (1/N) Σ η̂ b and ψ ζ̂")

# ---- 3. the sign -----------------------------------------------------------------------------

flipped = {entry: -entry for entry in b}
assert same(order(eta_hat, b, 0, 1).xreplace(flipped), -order(eta_hat, b, 0, 1))
assert same(order(b, b, 0, 1).xreplace(flipped), order(b, b, 0, 1))

# Without the path integral, x(T) = J ψ: an external λ = c against λ = x(T) of ℓ = ½x².
couplings = [[Symbol(f"J{i}{j}", real=True) for j in range(N)] for i in range(N)]


def averaged(polynomial: sympy.Expr) -> sympy.Expr:
    """E over independent J_ij ~ N(0, s²/N), moment by moment."""
    entries = [x for row in couplings for x in row]
    total = S.Zero
    for powers, coefficient in sympy.Poly(sympy.expand(polynomial), *entries).terms():
        factor = S.One
        for k in powers:
            factor *= 0 if k % 2 else sympy.factorial2(k - 1) * (s**2 / N) ** (k // 2)
        total += coefficient * factor
    return sympy.expand(total)


signal, weights = sent[:, 0], b[:, 0]
matrix = Matrix(couplings)
state = matrix * signal
external = matrix.T * weights
assert averaged(external[0]) == 0
assert averaged(external[0] * state[0]) != 0  # correlated for given weights …
assert same(averaged(external[0] * state[0]), s**2 / N * weights[0] * signal[0])
assert averaged(external[0] * state[0]).subs(weights[0], -weights[0]) == -averaged(
    external[0] * state[0]
)  # … and odd in them
assert same(averaged(external[0] ** 2), s**2 * order(b, b, 0, 0))
depending = matrix.T * state
assert same(averaged(depending[0]), s**2 * signal[0])
print("3. external weights: ζ has variance s²⟨b²⟩ and no mean; ℓ = ½x²: mean s² ψ, the memory term")

# ---- 4. the closed equation of the gated network ---------------------------------------------

theory = derive(zoo.gated())
equations = theory.gradients.equations


closed = theory.gradients.closed
assert closed is not None
W_h, W_z, W_r = closed.readouts
G = {n: Function(f"G_{n}", real=True)(BACK1, BACK2) for n in "hr"}
gate = closed.linear.drives[0, 0]  # σ_z at the mean of z
tau_r = theory.model.symbols["tau_r"]


def decay(rate: sympy.Expr, mass: sympy.Expr, f: sympy.Expr) -> sympy.Expr:
    """(mass ∂_s + rate)(mass ∂_s' + rate) f."""
    once = mass * f.diff(BACK2) + rate * f
    return sympy.expand(mass * once.diff(BACK1) + rate * once)


C_slope, C_both = W_r[0, 0], W_h[0, 0]  # C_φ' and C_φ' C_σ
assert W_z[0, 0] == C_slope
paper_h = C_both * gate**2 * G["h"] + C_slope * G["r"]
found = equations["G_h"]
z_free = found.rhs.subs(Function("G_z", real=True)(BACK1, BACK2), 0)  # z is read by no signal
assert same(found.lhs.doit(), decay(gate, S.One, G["h"]))
assert same(z_free, paper_h)
assert same(equations["G_r"].lhs.doit(), decay(S.One, tau_r, G["r"]))
assert same(equations["G_r"].rhs, W_h[2, 2] * gate**2 * G["h"])
print(
    "4. gated: (∂+σ_z)(∂'+σ_z) G_h = C_φ'[σ_z² C_σ G_h + G_r], (τ∂+1)(τ∂'+1) G_r = C_φC_σ' σ_z² G_h"
)

# ---- 5. growth -------------------------------------------------------------------------------

# Forward, two replicas: χ_k = K_k * Σ_a B_ka² δC_a with δC_a = Σ_k W_a,kk χ_k. Backward: q_a =
# Σ_k B_ka² K_k * Σ_b W_b,kk q_b. With T_ak = W_a,kk and P_ka = B_ka² K_k the first is T P, the
# second its transpose: at every κ both have one leading eigenvalue, since K_k is even in the lag.
system = theory.correlations.lag_systems["constant"]
slopes = system.slopes  # ∂S_a/∂C_k, from the forward theory
names = [n.name for n in system.covariances]
reads = {"h": W_h, "z": W_z}
stationary = {}
for e in closed.pair.covariance:
    if e.is_Symbol:
        label = e.name.split("(")[0]
        lagged = e.name.endswith("(t,t')")
        stationary[e] = next(
            c.symbol if lagged else c.equal for c in system.covariances if c.name == label
        )
means = dict.fromkeys((*closed.pair.means_now, *closed.pair.means_then), S.Zero)
for row, coupling in enumerate("hz"):
    for column, field in enumerate("hzr"):
        k = names.index(f"C_{field}")
        mine = reads[coupling][column, column]
        mine = sympy.sympify(mine).subs(means).subs(stationary)
        theirs = slopes[row, k]
        difference = mine - theirs
        plain = {x: x.canonical() for x in difference.atoms(GaussianAverage)}
        assert sympy.expand(difference.xreplace(plain)) == 0, (coupling, field)
print("5. W of the adjoint is ∂S/∂C of two replicas: transposed operators, the same κ")

# ---- 6. parameters ---------------------------------------------------------------------------

# x(t+1) = g J x, two steps: ∂L/∂g = Σ_t N^{-1/2} Σ_j ζ_j(t) x_j(t), ζ the backward field.
g = Symbol("g", positive=True)
start, weight = Matrix(signal), Matrix(weights)
step_one = g * matrix * start
late = (matrix.T * weight).dot(step_one)  # t = 1
early = (g * matrix.T * matrix.T * weight).dot(start)  # t = 0
total = (weight.T * (g * matrix) * (g * matrix) * start)[0]
assert same(sympy.diff(total, g), late + early)
assert same(late, early)  # one number, so that the square of the sum is four times that of one …
single = averaged(late**2)
assert same(averaged((late + early) ** 2), 4 * single)
# … while forward and backward fields averaged unit by unit give no correlation between times.
print("6. terms of different times coincide: (∂L/∂g)² is 4 in units where unit averages give 2")

# ---- 7. two replicas -------------------------------------------------------------------------

gain = Parameter("gain", 2, POSITIVE, "gain")
x, arg = fields("x"), Symbol("v", real=True)
model = Model(
    name="erf",
    time="continuous",
    fields=(Field(x, drift=-x + local_field("x")),),
    couplings=(
        Coupling(
            local_field("x"),
            signal=Nonlinearity("phi", Lambda(arg, erf(gain.symbol * arg)))(x),
        ),
    ),
    parameters=(gain,),
    nonlinearities=(Nonlinearity("phi", Lambda(arg, erf(gain.symbol * arg))),),
)
own = derive(model).gradients.closed
assert own is not None
sensitivity = own.sensitivity(gain.symbol)
one, two = sympy.symbols("theta_1 theta_2", positive=True)
here = {"value": Rational(3, 2)}


def law_of(theta: sympy.Expr) -> sympy.Expr:
    """A variance that depends on the parameter, chosen freely."""
    return theta / 3 + theta**2 / 7


covariance = one * two / 5 + one**2 * two / 20 + two**2 * one / 30
arcsine = 2 / pi * asin(
    2 * one * two * covariance
    / sqrt((1 + 2 * one**2 * law_of(one)) * (1 + 2 * two**2 * law_of(two)))
)  # fmt: skip
point = {one: here["value"], two: here["value"]}
want = [float(e.subs(point)) for e in (arcsine.diff(two), arcsine.diff(one, two))]
known = own.unknowns
pair = own.pair.covariance
numbers = {
    pair[0, 0]: law_of(one).subs(point), pair[1, 1]: law_of(two).subs(point),
    pair[0, 1]: covariance.subs(point), own.pair.means_now[0]: 0, own.pair.means_then[0]: 0,
    known.forward[0, 0]: covariance.diff(two).subs(point),
    known.backward[0, 0]: covariance.diff(one).subs(point),
    known.both[0, 0]: covariance.diff(one, two).subs(point),
    known.now[0, 0]: law_of(one).diff(one).subs(point),
    known.then[0, 0]: law_of(two).diff(two).subs(point),
    known.mean_now[0]: 0, known.mean_then[0]: 0, gain.symbol: here["value"],
}  # fmt: skip
expressions = [
    instantiate(e, model.definitions).xreplace({k: sympy.sympify(v) for k, v in numbers.items()})
    for e in (sensitivity.first[0], sensitivity.second[0])
]
got = numpy_backend.compile(expressions, [])().values
assert np.allclose(np.asarray(got, float).ravel(), want, rtol=1e-10)
print(
    "7. ∂_θ₂ and ∂_θ₁∂_θ₂ of a source:", *(f"{v:.12g}" for v in want), "as the arcsine law has it"
)

# ---- with the engine -------------------------------------------------------------------------

condition = theory.gradients.adjoint_spectrum()
assert theory.spectrum.drift_matrix == condition.drift_matrix.T
assert theory.spectrum.readouts == condition.drives.T
assert same(
    sympy.sympify(condition["boundary"].rhs), sympy.sympify(theory.spectrum["boundary"].rhs)
)
print("   the adjoint's spectrum has the boundary of the Jacobian's, from transposed pieces")

r"""The largest Lyapunov exponent from two replicas of the stationary state.

Two networks with the same couplings start close to one another. Their cross-covariance is

    C¹²(t, t') = C(t − t') + ε χ(t − t') e^{κ(t + t')}.

1. *One field.* C¹² obeys the equation of C in the two times. It is put in, and the terms of first
   order in ε are kept: ∂_t → κ + ∂_τ and ∂_t' → κ − ∂_τ. Done for constant gates and factorized.
2. *What varies.* The source is an average over one variable of either replica. Each replica alone
   is stationary, so that its variance is that of C and does not vary; only the covariance does.
   Varying the variances too gives another equation, and not the right one.
3. *Zero mode.* A replica that is ahead by dt has χ = C': it solves the equations at κ = 0, because
   they are then the derivative of those of C. C' is odd. For one field the equation is that of a
   particle in a potential, and an odd state has a node; the ground state has none, lies below, and
   is even: κ > 0. A network with a decaying C is chaotic.
4. *Schrödinger form* of the classical network, −χ'' + Wχ = (1 − (1 + κ)²)χ, W = 1 − ⟨φ'φ'⟩.
5. *Onset.* At g = 1 + ε, C = ε sech(ετ/√3), W is a Pöschl–Teller well with two bound states: the
   zero mode and λ_max = ε²/2.
6. *Discrete time.* A factor e^κ stands at every step, and μ = e^κ is the multiplier.

Source: Sompolinsky, Crisanti and Sommers (1988); Krishnamurthy, Can and Schwab (2022), Sec. VI.
"""

from collections.abc import Callable

import sympy
from sympy import Expr, Function, Lambda, Rational, S, Symbol, exp, sech, sqrt, tanh

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.lag_system import KAPPA, LagSystem
from gatetheory.equations.provenance import EquationSet
from gatetheory.functions import Nonlinear, instantiate
from gatetheory.model import Coupling, Field, Model, Nonlinearity, fields, local_field, zoo
from gatetheory.theory.correlations import derive_correlations
from gatetheory.theory.lyapunov import derive_lyapunov
from gatetheory.theory.single_site import SingleSite

Operator = Callable[[Expr, Expr, Expr], Expr]

t, later, eps = sympy.symbols("t t' epsilon", real=True)
tau = Symbol("tau", real=True)  # the lag


def theory(model: Model, closure: str) -> tuple[LagSystem, EquationSet]:
    """What the engine derives: correlations, and the difference of two replicas."""
    single_site = SingleSite(model)
    system = derive_correlations(single_site, closure)
    return system, derive_lyapunov(single_site, system)


def of_lag(name: str) -> Expr:
    """A function of the lag."""
    return Function(name, real=True)(tau)


def same(left: Expr, right: Expr) -> bool:
    """Whether two expressions are equal once multiplied out."""
    return sympy.expand((left - right).doit()) == 0


def replicas(name: str) -> Expr:
    """C¹²(t, t') of a field or local field."""
    C, chi = Function(f"C_{name}", real=True), Function(f"chi_{name}", real=True)
    return C(t - later) + eps * chi(t - later) * exp(KAPPA * (t + later))


def first_order(two_times: Expr) -> Expr:
    """Coefficient of ε at lag τ, the common growth e^{κ(t+t')} divided out."""
    change = two_times.doit().diff(eps).subs(eps, 0) * exp(-KAPPA * (t + later))
    return sympy.simplify(sympy.expand(change.doit().subs(t, later + tau).doit()))


# ---- 1. one field ----------------------------------------------------------------------------

gated, classical = zoo.gated(), zoo.classical()
p = gated.symbols
s_0 = Nonlinear("sigma_z", 0, S.Zero)


def leaky(time: Expr) -> Callable[[Expr], Expr]:
    """(1 + T∂_t)(1 + T∂_t') at two times."""

    def applied(C: Expr) -> Expr:
        once = C + time * C.diff(t)
        return once + time * once.diff(later)

    return applied


CONSTANT = {"h": leaky(1 / s_0), "z": leaky(p["tau_z"]), "r": leaky(p["tau_r"])}
SOURCE = {"h": "eta_h", "z": "eta_z", "r": "eta_z"}
constant, growth = theory(gated, "constant")
for name, operator in CONSTANT.items():
    left = first_order(operator(replicas(name)))
    right = first_order(replicas(SOURCE[name]))
    assert same(growth[f"chi_{name}"].lhs, left), name
    assert same(growth[f"chi_{name}"].rhs, right), name
    print(f"1. {sympy.factor(left)} = {right}")

factorized, growth_f = theory(gated, "factorized")
u, u_ = sympy.symbols("z z'", real=True)
held = Function("C_z", real=True)(0)  # the gate's variance belongs to one replica


def gates(order: int) -> Callable[[Expr], Expr]:
    """⟨σ_z⁽ⁿ⁾ σ_z⁽ⁿ⁾'⟩ as a function of the covariance."""

    def average(C: Expr) -> Expr:
        f = Nonlinear("sigma_z", order, u) * Nonlinear("sigma_z", order, u_)
        return GaussianAverage(f, (u, u_), [[held, C], [C, held]])

    return average


mean_gate = GaussianAverage(Nonlinear("sigma_z", 0, u), (u,), [[held]])
C_12, eta_12 = replicas("h"), replicas("eta_h")
beyond_gates = C_12.diff(t, later) + mean_gate * (C_12.diff(t) + C_12.diff(later))
C_s, C_slope = gates(0)(of_lag("C_z")), gates(1)(of_lag("C_z"))
# C_s(C + εχ) = C_s + ε C_s' χ: Price's theorem on the average, the product rule around it
left = first_order(beyond_gates) + C_s * of_lag("chi_h") + C_slope * of_lag("chi_z") * of_lag("C_h")
right = C_s * of_lag("chi_eta_h") + C_slope * of_lag("chi_z") * of_lag("C_eta_h")
change = gates(0)(of_lag("C_z") + eps * of_lag("chi_z")).diff(eps).subs(eps, 0)
assert same(change, C_slope * of_lag("chi_z"))
found = growth_f["chi_h"].lhs - growth_f["chi_h"].rhs
assert same(found, left - right)
assert mean_gate in found.atoms(GaussianAverage)  # single gates do not cancel between replicas
assert mean_gate not in factorized["C_h"].lhs.atoms(GaussianAverage)
for name in ("z", "r"):
    assert growth_f[f"chi_{name}"].residual == growth[f"chi_{name}"].residual
print("   factorized:", growth_f["chi_h"].lhs, "=", growth_f["chi_h"].rhs)

# ---- 2. what varies --------------------------------------------------------------------------

c, c_0 = sympy.symbols("c c_0", positive=True)
x, x_ = sympy.symbols("h h'", real=True)


def pair(first: int, second: int, covariance: Expr, variance: Expr) -> Expr:
    """⟨φ⁽ᵐ⁾ φ⁽ⁿ⁾'⟩ of a pair."""
    f = Nonlinear("phi", first, x) * Nonlinear("phi", second, x_)
    return GaussianAverage(f, (x, x_), [[variance, covariance], [covariance, variance]])


same_variance = pair(0, 0, c + eps, c_0).diff(eps).subs(eps, 0)
both_vary = pair(0, 0, c + eps, c_0 + eps).diff(eps).subs(eps, 0)
assert same(same_variance, pair(1, 1, c, c_0))
assert same(both_vary - same_variance, (pair(2, 0, c, c_0) + pair(0, 2, c, c_0)) / 2)
scs, scs_growth = theory(classical, "constant")
C, zero = of_lag("C_h"), Function("C_h", real=True)(0)
assert scs_growth["chi_eta_h"].rhs == of_lag("chi_h") * pair(1, 1, C, zero)
# With the law of the gated signal: one term for either factor, Price's theorem on both.
varied = growth["chi_eta_h"].rhs
for name in ("h", "r"):
    slope = constant["C_eta_h"].rhs.diff(of_lag(f"C_{name}"))
    assert same(varied.diff(of_lag(f"chi_{name}")), slope), name
assert same(varied.subs({of_lag("chi_h"): 0, of_lag("chi_r"): 0}).doit(), S.Zero)
print("2. χ_η =", varied)

# ---- 3. the zero mode ------------------------------------------------------------------------

for system, equations in ((scs, scs_growth), (constant, growth), (factorized, growth_f)):
    slopes = {
        Function(e.tag, real=True): Lambda(tau, of_lag(e.tag.replace("chi", "C")).diff(tau))
        for e in equations
    }
    for e in equations:
        tag = e.tag.replace("chi", "C")
        at_rest = e.residual.subs(KAPPA, 0)
        for chi, slope in slopes.items():
            at_rest = at_rest.replace(chi, slope)
        derivative = system[tag].residual.diff(tau)
        difference = sympy.expand((at_rest - derivative).doit())
        assert difference == 0, (system.closure, tag, difference)
print("3. χ = C' solves every equation at κ = 0")

# ---- 4. Schrödinger form ---------------------------------------------------------------------

chi = of_lag("chi_h")
W = 1 - pair(1, 1, C, zero)
energy = 1 - (1 + KAPPA) ** 2
equation = scs_growth["chi_h"].lhs - scs_growth["chi_eta_h"].rhs
assert same(equation, -chi.diff(tau, 2) + W * chi - energy * chi)
assert energy.subs(KAPPA, 0) == 0  # where the zero mode is
assert energy.diff(KAPPA) == -2 * (1 + KAPPA)  # falls with κ: the ground state grows the fastest
print("4. W =", W)

# ---- 5. onset --------------------------------------------------------------------------------

d = Symbol("d", positive=True)  # distance from the onset: g = 1 + d
source = scs.sources["C_eta_h"]
(k,) = scs.covariances
g = classical.symbols["g"]


def at_small_variance(order: int, in_variance: int) -> Expr:
    """∂ᵐ∂ⁿ C_η/∂Cᵐ∂C(0)ⁿ at C = 0, C(0) = 0, by Price's theorem."""
    slope = source.diff(k.symbol, order)
    slope = slope.diff(k.equal, in_variance) if in_variance else slope
    return sympy.simplify(
        instantiate(slope, classical.definitions).subs(k.symbol, 0).subs(k.equal, 0).doit()
    )


A = Symbol("A", positive=True)  # C(0)
linear = sympy.series(at_small_variance(1, 0).subs(g, 1 + d), d, 0, 2).removeO()
linear += at_small_variance(1, 1).subs(g, 1) * A
cubic = at_small_variance(3, 0).subs(g, 1) / 6
# C'' = (1 − linear) C − cubic C³. A slow decay needs 1 − linear to vanish to first order, …
(amplitude,) = sympy.solve(1 - linear, A)
assert amplitude == d
# … and its second order is fixed by the energy, ½ width C² − ¼ cubic C⁴ = 0 where C' = 0.
width = cubic * amplitude**2 / 2
profile = amplitude * sech(sqrt(width) * tau)
wave = profile.diff(tau, 2) - width * profile + cubic * profile**3
assert sympy.simplify(wave.rewrite(exp)) == 0
assert width == d**2 / 3
print("5. C =", profile)
# ((1+κ)² − ∂²) χ = (linear + 3 cubic C²) χ, with κ² beyond this order
well = width - 3 * cubic * profile**2
for mode, rate, parity in (
    (profile.diff(tau), S.Zero, -1),
    (profile**2, d**2 / 2, 1),
):
    schroedinger = -mode.diff(tau, 2) + (well + 2 * rate) * mode
    assert sympy.simplify(schroedinger.rewrite(exp)) == 0
    assert sympy.simplify(mode.subs(tau, -tau) - parity * mode) == 0
    print(f"   κ = {rate}: {'even' if parity > 0 else 'odd'} mode")

# ---- 6. discrete time ------------------------------------------------------------------------

a = Rational(1, 3)
(m,) = fields("m,")
eta_m = local_field("m")
f = Nonlinearity("f", Lambda(x, tanh(x)))
leaky_map = Model(
    name="leaky map",
    time="discrete",
    fields=(Field(m, update=a * m + eta_m),),
    couplings=(Coupling(eta_m, f(m), S(4)),),
    nonlinearities=(f,),
)
_, of_map = theory(leaky_map, "constant")


def residual(C: Callable[[Expr, Expr], Expr]) -> Expr:
    """(S_t − a)(S_t' − a) C with S a shift by one step."""
    return C(t + 1, later + 1) - a * C(t + 1, later) - a * C(t, later + 1) + a**2 * C(t, later)


def two_maps(first: Expr, second: Expr) -> Expr:
    """C¹² of the map at any two times."""
    return replicas("m").subs({t: first, later: second}, simultaneous=True)


scale = of_map["chi_m"].rhs / of_lag("chi_eta_m")
assert scale.is_number
assert same(of_map["chi_m"].lhs, scale * first_order(residual(two_maps)))
without_memory = of_map["chi_m"].lhs / scale
print("6.", sympy.expand(without_memory), "=", of_lag("chi_eta_m"))

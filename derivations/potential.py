r"""Chaotic states and their folds from an energy, where the lag equations are one equation.

``correlations.py`` has the conserved energy of the classical network, by its primitive. Here the
source S(C; C₀) of C − τ²C'' = S is any function of C and of C₀ = C(0), no primitive known.

1. *Energy.* The equation is a particle's motion with a force that knows where it started. It starts
   at rest and comes to rest at C∞ = S(C∞; C₀): E(C₀) = ∫ (C − S) dC between the two vanishes.
   E depends on C₀ through its end, its start, where nothing acts, and the force.
2. *Fold.* Two states merge in a double zero, E = ∂E/∂C₀ = 0. Next to the onset E has the zero, and
   the fold the divergence at m + ⅔q = 0, that ``onset.py`` finds from the profile.
3. *A network without a name.* φ = sin, where averages have closed forms: C(0) is Lambert's W.
4. *Its fold.* A gate ½(1 + sin) without memory: E is one integral, and the fold of chaos is found
   by mpmath's quadrature and by the engine to 25 digits.

Source: Sompolinsky, Crisanti and Sommers (1988); Krishnamurthy, Can and Schwab (2022), Sec. VI.
"""

import mpmath
import sympy
from sympy import Expr, Function, Lambda, LambertW, Rational, S, Symbol, exp, sin, sinh

from gatetheory.equations.lag_system import LagSystem
from gatetheory.model import (
    NONNEGATIVE,
    POSITIVE,
    Coupling,
    Field,
    Model,
    Nonlinearity,
    Parameter,
    fields,
    local_field,
)
from gatetheory.solvers.lag_potential import fold_in_parameter, potential_of, solve_amplitudes
from gatetheory.theory.derive import derive

X = Symbol("x", real=True)
tau = Symbol("tau", real=True)  # the lag
h, r = fields("h r")
eta_h, eta_r = local_field("h"), local_field("r")

# ---- 1. energy -------------------------------------------------------------------------------

C_, C_0, C_inf, length, inner = sympy.symbols("C C_0 C_inf tau_x x", real=True)
force, path = Function("S"), Function("C")(tau)
work = sympy.Integral(inner - force(inner, C_0), (inner, C_inf, C_))
# C − τ_x²C'' = S, so ½τ_x²C'² − work does not change; at lag 0 C' = 0, and so is the work
moving = (length**2 * path.diff(tau) ** 2 / 2 - work.subs(C_, path)).diff(tau)
acceleration = (path - force(path, C_0)) / length**2
assert sympy.simplify(moving.doit(integrals=False).subs(path.diff(tau, 2), acceleration)) == 0
plateau = Function("C_inf")(C_0)
energy = work.subs(C_, C_0).subs(C_inf, plateau)
slope_of_energy = energy.diff(C_0)
at_rest = slope_of_energy.subs(force(plateau, C_0), plateau)  # C∞ = S(C∞; C₀)
held = C_0 - force(C_0, C_0) - sympy.Integral(force(inner, C_0).diff(C_0), (inner, plateau, C_0))
assert sympy.simplify((at_rest - held).doit(integrals=False)) == 0
print("1. E =", energy, "; ∂E/∂C₀ =", held)

# ---- 2. fold ---------------------------------------------------------------------------------

eps, m, q, k = sympy.symbols("epsilon m q k", real=True)
# Next to the onset S = (1 + 2ε + m C₀) C + q C², with the zero of E that the profile gives:
near = sympy.integrate(inner - (1 + 2 * eps + m * C_0) * inner - q * inner**2, (inner, 0, C_0))
(size,) = (s for s in sympy.solve(near, C_0) if s != 0)
assert sympy.simplify(size + 2 * eps / (m + 2 * q / 3)) == 0
# The next order of E/C₀², k C₀², turns the branch round where m + ⅔q > 0: a double zero.
turned = sympy.cancel(near / C_0**2) + k * C_0**2
(merged,) = sympy.solve([turned, turned.diff(C_0)], [eps, C_0], dict=True)
b = m + 2 * q / 3
assert sympy.simplify(merged[C_0] - b / (4 * k)) == 0
assert sympy.simplify(merged[eps] + b**2 / (16 * k)) == 0
print("2. C₀ =", size, "; fold at ε =", sympy.factor(merged[eps]))

# ---- 3. a network without a name -------------------------------------------------------------

g, c, c_0, a = sympy.symbols("g c c_0 a", positive=True)


def of_sines(slope: Expr, lagged: Expr, equal: Expr) -> Expr:
    """⟨sin(ku) sin(ku')⟩ = ½⟨cos k(u − u')⟩ − ½⟨cos k(u + u')⟩, and ⟨cos w⟩ = exp(−½⟨w²⟩)."""
    apart, together = ((2 * equal + 2 * sign * lagged) * slope**2 / 2 for sign in (-1, 1))
    return (exp(-apart) - exp(-together)) / 2


assert sympy.simplify((of_sines(g, c, c_0) - exp(-(g**2) * c_0) * sinh(g**2 * c)).rewrite(exp)) == 0
gain, steepness = Parameter("g", 2, POSITIVE, "gain"), Parameter("a", 3, NONNEGATIVE, "of the gate")
wave = Nonlinearity("f", Lambda(X, sin(gain.symbol * X)))
opening = Nonlinearity("s", Lambda(X, (1 + sin(steepness.symbol * X)) / 2))


def sines(*, gated: bool) -> LagSystem:
    """What the engine derives for φ = sin, sent through a gate without memory or not."""
    memoryless = (Field(r, value=eta_r),) if gated else ()
    model = Model(
        name="sines",
        time="continuous",
        fields=(Field(h, drift=-h + eta_h), *memoryless),
        couplings=(
            Coupling(eta_h, wave(h) * (opening(r) if gated else 1)),
            *((Coupling(eta_r, wave(h)),) if gated else ()),
        ),
        parameters=(gain, steepness),
        nonlinearities=(wave, opening),
    )
    return derive(model).correlations.lag_system("constant")


def exact(number: mpmath.mpf) -> Expr:
    """All digits of a number, whatever mpmath's own precision is."""
    return sympy.Float(mpmath.nstr(number, 40), 40)


bare = sines(gated=False)
of_sine = sympy.integrate(inner - of_sines(g, inner, c_0), (inner, 0, c_0))
assert sympy.simplify((of_sine - c_0**2 / 2 + (1 - exp(-(g**2) * c_0)) ** 2 / g**2 / 2)
                      .rewrite(exp)) == 0  # fmt: skip
# g c₀ = 1 − e^{−g·g c₀}:
amplitude = (1 + LambertW(-g * exp(-g)) / g) / g
for value in (Rational(21, 20), S(2), S(7)):
    potential = potential_of(bare, {gain.symbol: value, steepness.symbol: S.Zero})
    assert potential is not None
    (state,) = solve_amplitudes(potential, 30)
    by_hand = sympy.N(amplitude.subs(g, value), 40)
    assert abs(sympy.N(of_sine.subs({c_0: by_hand, g: value}), 30)) < 1e-25
    assert abs(exact(state.equal) / by_hand - 1) < 1e-28
print("3. φ = sin: C(0) =", amplitude)

# ---- 4. its fold -----------------------------------------------------------------------------

# r without memory has C_r = ⟨φφ'⟩, so that S = ⟨φφ'⟩ ¼(1 + ⟨sin(ar) sin(ar')⟩) is known.
of_r = of_sines(g, c, c_0)
source_of = of_r * (1 + of_sines(a, of_r, of_r.subs(c, c_0))) / 4
start = (0.025, 1.88)  # C₀ and g where E, scanned, is smallest and about zero
steep = {steepness.symbol: S(3)}
DIGITS = 25


def double_zero() -> tuple[mpmath.mpf, mpmath.mpf]:
    """C₀ and g at E = ∂E/∂C₀ = 0, by mpmath's quadrature and secants."""
    source, by_equal = (
        sympy.lambdify((c, c_0, g), e.subs(a, 3), "mpmath")
        for e in (source_of, source_of.diff(c_0))
    )

    def conditions(equal: mpmath.mpf, at_gain: mpmath.mpf) -> list[mpmath.mpf]:
        work_ = mpmath.quad(lambda x: x - source(x, equal, at_gain), [0, equal])
        rest = mpmath.quad(lambda x: by_equal(x, equal, at_gain), [0, equal])
        return [work_ / equal**2, (equal - source(equal, equal, at_gain) - rest) / equal]

    with mpmath.workdps(DIGITS + 8):
        return tuple(mpmath.findroot(conditions, start))


equal_at_fold, gain_at_fold = double_zero()
found = fold_in_parameter(
    sines(gated=True), {gain.symbol: S(2), **steep}, gain.symbol, start, DIGITS
)
assert found.digits == DIGITS
assert abs(exact(found.value) / exact(gain_at_fold) - 1) < 1e-24
assert abs(exact(found.equal) / exact(equal_at_fold) - 1) < 1e-20
assert gain_at_fold < 2  # chaos is there before the zero state is lost at g = 2
print(f"4. fold of chaos at a = 3: g = {mpmath.nstr(gain_at_fold, DIGITS)}")

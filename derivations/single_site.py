r"""The average over the couplings, step by step.

A network of N units is held to its definition by response fields. What the couplings contribute to
the path integral (Martin, Siggia and Rose 1973) is, with time cut into points t,

    exp( −i Σ_ij J_ij Σ_t η̂_i(t) ψ_j(t) ),        J_ij ~ N(0, s²/N), all independent.

1. *One entry.* For a single J the integral over its Gaussian weight is done by SymPy.
2. *All entries.* They are independent, so the average of the product is the product of the
   averages: exp( −(s²/2N) Σ_ij (Σ_t η̂_i(t) ψ_j(t))² ).
3. *Regrouping.* The exponent sees the presynaptic units only through the order parameter
   C(t,t') = (1/N) Σ_j ψ_j(t) ψ_j(t'): it is −(s²/2) Σ_i Σ_tt' η̂_i(t) C(t,t') η̂_i(t'). Units no
   longer meet anywhere else: this is the decoupling.
4. *Several couplings.* Independent matrices give no cross term η̂_a η̂_b, even where they read the
   same signal; a shared matrix would give one, so the assertion can fail.
5. *The local field.* The factor that is left is the characteristic function of a Gaussian; undoing
   the Fourier transform over η̂ gives the density of η, whose covariance is s² C(t,t').
6. *Without the path integral.* The moments E[η_i(t) η_k(t')] of η = Jψ, integrated over J entry by
   entry for N = 2, are δ_ik s² C(t,t').
7. *Saddle point.* C is replaced by its average over one unit. What shares no random root is
   independent, and the average of a product of it is a product.

The last step compares with :mod:`gatetheory.theory.single_site` for the gated network, the
classical one, the GRU and a model of our own.
"""

from itertools import product
from typing import Any

import sympy
from sympy import (
    Add,
    Expr,
    Function,
    IndexedBase,
    Lambda,
    Matrix,
    Mul,
    Rational,
    Symbol,
    exp,
    pi,
    sqrt,
    tanh,
)

from gatetheory.equations.process import ProcessAverage
from gatetheory.functions import logistic
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
from gatetheory.theory.single_site import T1, T2, UNITS, SingleSite, second_cumulant

s = Symbol("s", positive=True)


def array(name: str, units: int, times: int) -> Matrix:
    """Real symbols name_i(t)."""
    return Matrix(units, times, lambda i, t: Symbol(f"{name}{i}{t}", real=True))


def gaussian_integral(factor: Expr, J: Symbol, variance: Expr) -> Expr:
    """∫ dJ N(J; 0, variance) factor, by SymPy's integration."""
    weight = exp(-(J**2) / (2 * variance)) / sqrt(2 * pi * variance)
    return sympy.simplify(sympy.integrate(weight * factor, (J, -sympy.oo, sympy.oo)))


def same(a: Expr, b: Expr) -> bool:
    """Whether two expressions agree identically."""
    return bool(sympy.expand(a - b) == 0)


def order_parameter(psi: Matrix, t: int, u: int) -> Expr:
    """C(t,t') = (1/N) Σ_j ψ_j(t) ψ_j(t')."""
    units = psi.rows
    return Add(*(psi[j, t] * psi[j, u] for j in range(units))) / units


# ---- 1. one entry ----------------------------------------------------------------------------

J = Symbol("J", real=True)
k = Symbol("k", real=True)
variance = Symbol("v", positive=True)
CHARACTERISTIC = gaussian_integral(exp(-sympy.I * J * k), J, variance)
assert sympy.simplify(CHARACTERISTIC - exp(-variance * k**2 / 2)) == 0
print("1. ∫ dJ N(J; 0, v) exp(−iJk) =", CHARACTERISTIC)


def averaged_exponent(sources: Matrix, variances: Expr) -> Expr:
    """Exponent left by averaging exp(−i Σ_ij J_ij k_ij), entry by entry."""
    left = [CHARACTERISTIC.subs({k: entry, variance: variances}) for entry in sources]
    # The exponents add up: log of a product of exponentials of real polynomials.
    return Add(*(factor.args[0] for factor in left))


# ---- 2. all entries, 3. regrouping -----------------------------------------------------------

for units, times in product((2, 3), (2, 3)):
    response, psi = array("r", units, times), array("p", units, times)
    sources = response * psi.T  # Σ_t η̂_i(t) ψ_j(t), the number that multiplies −iJ_ij
    exponent = averaged_exponent(sources, s**2 / units)
    quadratic = -(s**2) / (2 * units) * Add(*(entry**2 for entry in sources))
    assert same(exponent, quadratic)
    regrouped = -(s**2) / 2 * Add(
        *(
            response[i, t] * order_parameter(psi, t, u) * response[i, u]
            for i, t, u in product(range(units), range(times), range(times))
        )
    )  # fmt: skip
    assert same(exponent, regrouped)
    # No response fields of different units are left together.
    for i, m in product(range(units), range(units)):
        mixed = sympy.diff(exponent, response[i, 0], response[m, 1])
        assert (sympy.expand(mixed) == 0) == (i != m)
    print(f"2, 3. N = {units}, {times} times: the exponent is −½ s² Σ η̂ C η̂, units decoupled")

# One entry of the product once more without the shortcut: both integrals done, then multiplied.
response, psi = array("r", 1, 2), array("p", 2, 2)
J0, J1 = sympy.symbols("J0 J1", real=True)
sources = response * psi.T
both = gaussian_integral(exp(-sympy.I * J0 * sources[0]), J0, s**2 / 2)
both *= gaussian_integral(exp(-sympy.I * J1 * sources[1]), J1, s**2 / 2)
expected = exp(-(s**2) / 4 * Add(*(entry**2 for entry in sources)))
assert sympy.simplify(both / expected) == 1

# ---- 4. several couplings --------------------------------------------------------------------


def two_couplings(psi_a: Matrix, psi_b: Matrix, *, shared_matrix: bool) -> Expr:
    """Exponent for two couplings, their matrices independent or one and the same."""
    units, times = psi_a.shape
    first, second = array("a", units, times), array("b", units, times)
    if shared_matrix:
        return averaged_exponent(first * psi_a.T + second * psi_b.T, s**2 / units)
    return averaged_exponent(first * psi_a.T, s**2 / units) + averaged_exponent(
        second * psi_b.T, s**2 / units
    )


def has_cross_term(exponent: Expr) -> bool:
    """Whether η̂_a and η̂_b meet."""
    first, second = array("a", 2, 2), array("b", 2, 2)
    pairs = product(first, second)
    return any(sympy.expand(sympy.diff(exponent, a, b)) != 0 for a, b in pairs)


different = array("p", 2, 2), array("q", 2, 2)
shared_signal = array("p", 2, 2), array("p", 2, 2)
assert not has_cross_term(two_couplings(*different, shared_matrix=False))
assert not has_cross_term(two_couplings(*shared_signal, shared_matrix=False))
assert has_cross_term(two_couplings(*different, shared_matrix=True))
print("4. independent matrices: no cross term, also with a shared signal; a shared matrix has one")

# ---- 5. the local field ----------------------------------------------------------------------

c11, c22 = sympy.symbols("c11 c22", positive=True)
c12 = Symbol("c12", real=True)
C = Matrix([[c11, c12], [c12, c22]])
response = Matrix([Symbol("r1", real=True), Symbol("r2", real=True)])
eta = Matrix([Symbol("e1", real=True), Symbol("e2", real=True)])

# Complete the square of −½ s² η̂ᵀCη̂ + i η̂ᵀη: the shift is what the Fourier transform picks up.
form = (response.T * C * response)[0]
shift = sympy.I * (s**2 * C).inv() * eta
shifted = sympy.expand(
    -(s**2) / 2 * ((response + shift).T * C * (response + shift))[0]
    + sympy.I * ((response + shift).T * eta)[0]
)
linear_free = sympy.simplify(shifted + s**2 * form / 2)
assert not linear_free.free_symbols & set(response)
density_exponent = -(eta.T * (s**2 * C).inv() * eta)[0] / 2
assert sympy.simplify(linear_free - density_exponent) == 0
# A Gaussian density's covariance is minus the inverse of the Hessian of its exponent.
covariance = (-sympy.hessian(density_exponent, list(eta))).inv()
assert sympy.simplify(covariance - s**2 * C) == sympy.zeros(2)
# Moments from the characteristic function say the same.
characteristic = exp(-(s**2) * form / 2)
moment = -sympy.diff(characteristic, *response).subs(dict.fromkeys(response, 0))
assert sympy.simplify(moment - s**2 * c12) == 0
print("5. ∫ dη̂ exp(iη̂η − ½ s² η̂Cη̂) is a Gaussian density of covariance s² C")

# ---- 6. the same moments without a path integral ---------------------------------------------

units, times = 2, 2
psi = array("p", units, times)
entries = Matrix(units, units, lambda i, j: Symbol(f"J{i}{j}", real=True))
eta_it = entries * psi


def over_all_entries(expression: Expr) -> Expr:
    """Average over every J_ij, one integral after the other."""
    for entry in entries:
        expression = gaussian_integral(expression, entry, s**2 / units)
    return expression


for m, t, u in product(range(units), range(times), range(times)):
    i = 0  # units are alike
    moment = over_all_entries(sympy.expand(eta_it[i, t] * eta_it[m, u]))
    assert same(moment, s**2 * order_parameter(psi, t, u) if i == m else sympy.S.Zero)
print("6. N = 2, integrating η = Jψ over J directly: E[η_i(t) η_k(t')] = δ_ik s² C(t,t')")

# ---- 7. saddle point, and what the engine says -----------------------------------------------


def covariance_by_hand(variance: Expr, *independent: Expr) -> Expr:
    """s² times the product of averages at two times of independent factors of the signal."""

    def at(f: Expr, time: Symbol) -> Expr:
        return f.xreplace({x: Function(x.name, real=True)(time) for x in f.free_symbols})

    return variance * Mul(*(ProcessAverage(at(f, T1) * at(f, T2)) for f in independent))


def check(model: Model, expected: dict[str, Expr]) -> None:
    """Compare the engine's covariances with those found here."""
    engine: Any = SingleSite(model)
    for a, b in product(model.couplings, repeat=2):
        found = engine.covariances[a.local_field, b.local_field]
        assert found == (expected[a.name] if a == b else 0), (model.name, a.name, b.name, found)
    for a in model.couplings:
        assert engine.equations[f"C_{a.local_field.name}"].rhs == expected[a.name]
        # The contraction of the couplings is the exponent of step 3, before and after Σ_j.
        summand, kernel = second_cumulant(a, a)
        j = Symbol("j", integer=True)
        psi_a, psi_b = IndexedBase("psi_a")[j], IndexedBase("psi_b")[j]
        assert summand == a.variance / UNITS * psi_a * psi_b
        assert kernel == a.variance * Symbol("C")
    print(f"7. {model.name}: {', '.join(f'C_{n} = {v}' for n, v in expected.items())}")


h, z, r = fields("h z r")
phi, sigma_r = (next(n for n in zoo.gated().nonlinearities if n.name == m)
                for m in ("phi", "sigma_r"))  # fmt: skip
one = sympy.S.One
check(
    zoo.gated(),
    {
        "h": covariance_by_hand(one, phi(h), sigma_r(r)),  # r shares no root with h
        "z": covariance_by_hand(one, phi(h)),
        "r": covariance_by_hand(one, phi(h)),
    },
)
check(zoo.classical(), {"h": covariance_by_hand(one, phi(h))})
check(
    zoo.gru(),
    {
        "h": covariance_by_hand(one, sigma_r(r), h),
        "z": covariance_by_hand(one, h),
        "r": covariance_by_hand(one, h),
    },
)

# Two fast fields, of which y drives w; a gate v on the input; variances that contain a parameter.
# The signal tanh(y) q(w) may not be split: w listens to y, and through y's gate to v as well.
y, w, v = fields("y w v")
x = Symbol("x", real=True)
weight = Parameter("k", 2, POSITIVE)
gate = Nonlinearity("q", Lambda(x, logistic(x)))
eta_y, eta_v = local_field("y"), local_field("v")
own = Model(
    name="own",
    time="continuous",
    fields=(
        Field(y, drift=-y + gate(v) * eta_y),
        Field(w, drift=-w + y, time_constant=Rational(1, 3)),
        Field(v, drift=-v + eta_v),
    ),
    couplings=(
        Coupling(eta_y, signal=tanh(y) * gate(w), variance=weight.symbol**2),
        Coupling(eta_v, signal=tanh(w) * gate(v), variance=Rational(1, 2)),
    ),
    parameters=(weight,),
    nonlinearities=(gate,),
)
check(
    own,
    {
        "y": covariance_by_hand(weight.symbol**2, tanh(y) * gate(w)),
        "v": covariance_by_hand(Rational(1, 2), tanh(w) * gate(v)),
    },
)
print("the engine's single-site covariances are those of the explicit average")

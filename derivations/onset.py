r"""Chaos next to its onset, and both tricritical points, for any odd φ and any smooth gate.

``lyapunov.py`` has the onset of the classical network with φ = tanh. Here φ and the gate are given
by their Taylor coefficients, and distances ε from the threshold are counted in units of it.

1. *Small covariances.* ⟨φφ'⟩ and ⟨σσ'⟩ from Taylor series and the moments of a Gaussian pair.
2. *A gate that moves.* C ∝ ε at lags ∝ ε^−½: a profile sech², and λ_max ∝ ε from a mode sech³.
   The gate's time constant drops out.
3. *A gate that stands still.* C ∝ ε at lags ∝ 1/ε: a profile sech of rate ε/√3, and λ_max = ε²/2,
   for every odd φ.
4. *Tricritical points.* Static where m + q = 0 and dynamic where m + ⅔q = 0, with m and q the
   coefficients of C(0)C(τ) and C(τ)². For the logistic gate α_r² = 2/((1−σ₀)(2−3σ₀)) and
   6/((1−σ₀)(5−8σ₀)), none from σ₀ = ⅔ and ⅝ on.
5. *Networks without a name.* φ = sin behind one or two gates ½(1 + sin).

Source: Krishnamurthy, Can and Schwab (2022), Secs. V and VI; Sompolinsky, Crisanti and Sommers
(1988).
"""

from collections.abc import Mapping

import sympy
from sympy import Expr, Function, Lambda, Rational, S, Symbol, exp, log, sech, sin, sqrt, tanh

from gatetheory.equations.onset import EPSILON
from gatetheory.errors import NoTransitionError
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
from gatetheory.theory.derive import Theory, derive
from gatetheory.theory.tricritical import tricritical_dynamic, tricritical_static

X = Symbol("x", real=True)
(h,) = fields("h,")

# ---- 1. small covariances --------------------------------------------------------------------

c, c_0, d, d_0 = sympy.symbols("c c_0 d d_0")
t_3, t_5, s_1, s_2, s_3, s_4 = sympy.symbols("t_3 t_5 s_1 s_2 s_3 s_4", real=True)
g, s_0, nu, tau_r = sympy.symbols("g s_0 nu tau_r", positive=True)
PHI = (
    g * X + t_3 * (g * X) ** 3 / 6 + t_5 * (g * X) ** 5 / 120
)  # any odd φ of unit slope, at gain g
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
print("1. ⟨φφ'⟩ =", pair(PHI, c, c_0, 2), "+ …, ⟨σσ'⟩ =", pair(GATE, d, d_0, 1), "+ …")

# ---- 2. onset with a moving gate -------------------------------------------------------------

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
print(f"2. −A''/ν² = (2 + m A₀) A + q A², m = {m}, q = {q}")

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
mode = (
    curvature(3, sqrt(k2) / 2) / nu**2 + 2 + m * size + 2 * q * size * S2 - 2 * kappa / nu
).subs({k2: rate_2, size: size_2})
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

# ---- 3. onset with a gate that stands still --------------------------------------------------

C_4 = pair(PHI, c, c_0, 3)  # s_0 = 1: the network without a gate
along_3 = sympy.expand(C_4).coeff(c, 3)
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
print(f"3. C = ε A₀ sech(ε k τ), A₀ = {size_1}, k² = {rate_1}, λ_max = ε² {kappa_2}")

still = derive(cell("odd", PHI, {}, GENERAL, nu)).onset("g")
assert still.case == "sech"
assert agree(still.amplitudes["C_h"], eps * size_1)
assert agree(still.rate**2, eps**2 * rate_1)
assert agree(still.lambda_max, eps**2 * kappa_2)
assert sympy.simplify(still.profile - sech(still.rate * tau)) == 0

# ---- 4. tricritical points -------------------------------------------------------------------


def feedback_and_square(gates: int) -> tuple[Expr, Expr]:
    """Coefficients m and q of a signal that passes gates in a row, at the threshold g s_0ⁿ = 1.

    Every gate has a coupling of its own: the averages multiply, and C(τ) = ⟨φφ'⟩ for each.
    """
    moved = {d: C_phi, d_0: C_phi.subs(c, c_0)}
    source = sympy.expand(C_phi * C_gate.subs(moved, simultaneous=True) ** gates)
    threshold = {g: s_0**-gates}
    assert source.coeff(c, 1).coeff(c_0, 0).subs(threshold) == 1
    return (
        sympy.expand(source.coeff(c, 1).coeff(c_0, 1).subs(threshold)),
        sympy.expand(source.coeff(c, 2).coeff(c_0, 0).subs(threshold)),
    )


assert feedback_and_square(1) == (m, q)
# Fixed points: no lag, C(τ) = C(0) = Δ, so 0 = 2ε + (m + q)Δ + … Where m + q > 0 the solution is on
# the wrong side, ε < 0, until the next order turns it round in a fold:
bent, third_order, D = sympy.symbols("b k Delta", positive=True)  # b = m + q
beyond = Symbol("epsilon_f", real=True)
turning = 2 * beyond + bent * D - third_order * D**2
(fold,) = sympy.solve([turning, turning.diff(D)], [beyond, D], dict=True)
assert sympy.simplify(fold[beyond] + bent**2 / (8 * third_order)) == 0
assert sympy.simplify(fold[D] - bent / (2 * third_order)) == 0  # both go to zero at m + q = 0
DECIDES = {"static": S.One, "dynamic": Rational(2, 3)}  # … and A₀ = −2ε/(m + ⅔q) likewise


def balance(kind: str, gates: int, phi_: Expr, gate_: Expr) -> Expr:
    """What vanishes at a tricritical point, for φ of unit slope and a gate."""
    feedback, square = feedback_and_square(gates)
    taylor = {t_3: phi_.diff(X, 3).subs(X, 0)}
    taylor |= {s: gate_.diff(X, n).subs(X, 0) for n, s in ((0, s_0), (1, s_1), (2, s_2))}
    return (feedback + DECIDES[kind] * square).subs(taylor, simultaneous=True)


def tricritical(theory: Theory, kind: str, first: str, second: str, **at: Expr) -> dict[str, Expr]:
    """What the engine finds."""
    symbols = theory.model.symbols
    known = {symbols[n]: v for n, v in at.items()}
    pair_ = symbols[first], symbols[second]
    if kind == "static":
        found = tricritical_static(theory.fixed_points, *pair_, known)
    else:
        found = tricritical_dynamic(theory.correlations.lag_system("constant"), *pair_, known)
    assert len(found.values) == 1
    return {s.name: e for s, e in found.expressions.items()}


gated = derive(zoo.gated())
p = gated.model.symbols
sigma_0, alpha = sympy.symbols("sigma_0 alpha", positive=True)
biased = 1 / (1 + (1 / sigma_0 - 1) * exp(-alpha * X))  # the logistic gate, e^β = 1/σ₀ − 1
PUBLISHED = {
    "static": 2 / ((1 - sigma_0) * (2 - 3 * sigma_0)),
    "dynamic": 6 / ((1 - sigma_0) * (5 - 8 * sigma_0)),
}
LAST = {"static": Rational(2, 3), "dynamic": Rational(5, 8)}
for kind, form in PUBLISHED.items():
    condition = sympy.numer(sympy.together(balance(kind, 1, tanh(X), biased)))
    (square,) = (s for s in sympy.solve(condition, alpha**2) if s != 0)
    assert sympy.simplify(square - form) == 0
    found = tricritical(gated, kind, "alpha_r", "g_h", beta_h=S.Zero)
    assert sympy.simplify(found["g_h"] - (1 + exp(p["beta_r"]))) == 0
    difference = found["alpha_r"] ** 2 - form.subs(sigma_0, 1 / (1 + exp(p["beta_r"])))
    assert sympy.simplify(difference.rewrite(exp)) == 0
    # α_r² → ∞ as σ₀ rises to its last value, beyond which it would be negative
    assert sympy.limit(form, sigma_0, LAST[kind], "-") == sympy.oo
    assert all(form.subs(sigma_0, LAST[kind] + over) < 0 for over in (Rational(1, 99), S.One / 4))
    for open_at_zero, exists in ((0, True), (-Rational(1, 99), True), (Rational(1, 99), False)):
        value = log(1 / (LAST[kind] + open_at_zero) - 1)
        at = {"beta_h": S.Zero, "beta_r": value}
        try:
            number = tricritical(gated, kind, "alpha_r", "g_h", **at)["alpha_r"] ** 2
        except NoTransitionError:
            assert not exists or open_at_zero == 0
        else:
            assert exists
            assert open_at_zero != 0
            expected = form.subs(sigma_0, LAST[kind] + open_at_zero)
            assert abs(sympy.N(number - expected, 30)) < 1e-20 * expected
    print(f"4. {kind}: α_r² = {sympy.factor(square)}; β_r = 0: {form.subs(sigma_0, S.Half)}")

# ---- 5. networks without a name --------------------------------------------------------------

GAIN, GATING = Parameter("g", 2, POSITIVE), Parameter("a", 2, NONNEGATIVE)
OPEN = (1 + sin(X)) / 2
for gates in (1, 2):
    own_gates = dict.fromkeys("rw"[:gates], OPEN.subs(X, GATING.symbol * X))
    own = derive(cell("sines", sin(GAIN.symbol * X), own_gates, (GAIN, GATING)))
    for kind in DECIDES:
        expected = sympy.solve(balance(kind, gates, sin(X), OPEN.subs(X, alpha * X)), alpha)
        found = tricritical(own, kind, "a", "g")
        assert [found["a"]] == expected
        assert found["g"] == 2**gates
        print(f"5. gates: {gates}; {kind} tricritical point at a = {found['a']}")

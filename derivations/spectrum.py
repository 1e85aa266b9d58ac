r"""The support of the Jacobian's spectrum, from the Wick contractions of its resolvent.

Linearised at a state, unit i answers a change of its local fields by

    M_ab(λ) = R_a (λE − A)^{-1} L_b          (signal a, local field b; unit i's own A, L, R),

and the whole network answers with the series T = M + MJM + MJMJM + …, in which J^a carries signal a
from unit to unit. Outside the support of the spectrum (1/N) Σ_ij E|T_{ai,bj}|² is finite.

1. *Contractions.* The n-th term holds n couplings, its complex conjugate n' of them. All pairings
   are listed; each pair forces its two couplings to be of one kind and between the same two units
   and brings s²/N, each unit left free brings N. Only one pairing survives N → ∞: n = n' and every
   coupling paired with its own image, the ladder. The counting is checked against the exact
   average over all entries for N = 1, 2, 3.
2. *Ladder.* The n-th ladder is a product of averages over single units, (K^{n+1})_ab / s_a² with
   K_ab = s_a² ⟨|M_ab|²⟩. The sum over n is geometric, K(1 − K)^{-1}: it diverges where an
   eigenvalue of K reaches 1.
3. *Gated network.* The linearised laws are solved by hand, one after the other, for M; the
   determinant is brought to the compact form of the paper, at a fixed point, at λ = 0 and along a
   trajectory.
4. *Discrete time.* The same for the GRU, whose gates have no dynamics.
5. *A finite network.* Eigenvalues of one Jacobian lie where K says.

Source: Ahmadian, Fumarola and Miller (2015); Krishnamurthy, Can and Schwab (2022), Sec. IV.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import sympy
from sympy import Abs, Add, Expr, Matrix, Mul, S, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.process import ProcessAverage
from gatetheory.functions import Nonlinear, instantiate, logistic
from gatetheory.model import zoo
from gatetheory.theory.derive import derive
from gatetheory.theory.spectrum import LAMBDA, boundary_condition

Pairing = list[tuple[int, int]]

# ---- 1. contractions -------------------------------------------------------------------------


def pairings(items: list[int]) -> Iterator[Pairing]:
    """Every way to pair the items."""
    if not items:
        yield []
        return
    first, *others = items
    for partner in others:
        rest = [x for x in others if x != partner]
        for pairs in pairings(rest):
            yield [(first, partner), *pairs]


def classes(size: int, ties: list[tuple[int, int]]) -> list[int]:
    """Representative of every index once the tied ones are identified."""
    name = list(range(size))
    for a, b in ties:
        old, new = name[b], name[a]
        name = [new if x == old else x for x in name]
    return name


def unit_ties(n: int, m: int, pairs: Pairing) -> tuple[list[int], int]:
    """Units identified by a pairing of T's n couplings with the m couplings of its conjugate.

    T runs over the units i, k_1 … k_{n−1}, j and its conjugate over i, k'_1 … j; a term without
    couplings has i = j.
    """
    top = list(range(n + 1))
    bottom = list(range(n + 1, n + m + 2))
    ties = [(top[0], bottom[0]), (top[-1], bottom[-1])]
    ends = [(top[p], top[p + 1]) for p in range(n)] + [(bottom[p], bottom[p + 1]) for p in range(m)]
    for p, q in pairs:
        ties += list(zip(ends[p], ends[q], strict=True))
    names = classes(n + m + 2, ties)
    return names, len(set(names))


N = Symbol("N", positive=True)
LADDERS: dict[int, Pairing] = {}
for n, m in product(range(5), repeat=2):
    if (n + m) % 2:
        continue
    total = S.Zero
    for pairs in pairings(list(range(n + m))):
        _, free = unit_ties(n, m, pairs)
        power = free - 1 - (n + m) // 2  # N for a free unit, 1/N for a pair, 1/N in front
        assert power <= 0
        total += N**power
        if power == 0:
            assert n == m
            assert n not in LADDERS
            LADDERS[n] = pairs
    if n == m:
        assert LADDERS[n] == [(p, n + p) for p in range(n)]
        print(f"1. order {n}: {sympy.factorial2(2 * n - 1)} pairings, (1/N) E Tr = {total}")
    if n == m == 2:
        second_order = total


def exact_second_order(units: int) -> Expr:
    """(1/N) Σ_ij E ((J²)_ij)² with s = 1, by the moments of every entry."""
    entries = Matrix(units, units, lambda i, j: Symbol(f"J{i}{j}"))
    squares = sympy.Poly(sum(e**2 for e in entries**2), *entries)
    value = S.Zero
    for powers, coefficient in squares.terms():
        if not any(k % 2 for k in powers):
            value += coefficient * Mul(
                *(sympy.factorial2(k - 1) * sympy.Rational(1, units) ** (k // 2) for k in powers)
            )
    return value / units


for units in (1, 2, 3):
    assert second_order.subs(N, units) == exact_second_order(units)
print("   the counting agrees with the exact average over all entries, N = 1, 2, 3")

# ---- 2. ladder -------------------------------------------------------------------------------

kinds = range(2)
s2 = sympy.symbols("s0 s1", positive=True)
mean = Matrix(2, 2, lambda a, b: Symbol(f"m{a}{b}", positive=True))  # ⟨|M_ab|²⟩
K = sympy.diag(*s2) * mean


def ladder(n: int, a: int, b: int) -> Expr:
    """The n-th ladder of (1/N) Σ_ij E|T_{ai,bj}|², from its pairing and nothing else."""
    pairs = LADDERS[n]
    names, _ = unit_ties(n, n, pairs)
    value = S.Zero
    for kind in product(kinds, repeat=2 * n):
        if any(kind[p] != kind[q] for p, q in pairs):
            continue  # couplings of different kinds are independent
        top = [a, *kind[:n], b]
        bottom = [a, *kind[n:], b]
        at_unit: dict[int, list[tuple[int, int]]] = {}
        for p in range(n + 1):
            at_unit.setdefault(names[p], []).append((top[p], top[p + 1]))
            at_unit.setdefault(names[n + 1 + p], []).append((bottom[p], bottom[p + 1]))
        # Every unit carries one factor M and the conjugate of the same: |M|², averaged.
        assert all(len(f) == 2 and f[0] == f[1] for f in at_unit.values())
        faces = Mul(*(mean[f[0]] for f in at_unit.values()))
        value += faces * Mul(*(s2[kind[p]] for p, _ in pairs))
    return value


for n in range(5):
    power = K ** (n + 1)
    for a, b in product(kinds, repeat=2):
        assert sympy.expand(ladder(n, a, b) - power[a, b] / s2[a]) == 0
geometric = K * (sympy.eye(2) - K).inv()
t = Symbol("t")
for a, b in product(kinds, repeat=2):
    counted = geometric[a, b].subs({m: t * m for m in mean}, simultaneous=True)
    partial_sum = sympy.series(sympy.cancel(counted), t, 0, 6).removeO()
    powers = Add(*(t ** (n + 1) * (K ** (n + 1))[a, b] for n in range(5)))
    assert sympy.expand(partial_sum - powers) == 0
denominator = sympy.denom(sympy.together(geometric[0, 0]))
ratio = sympy.cancel(denominator / (sympy.eye(2) - K).det())
assert ratio.is_number
print("2. ladders are the powers of K; their sum diverges where det(1 − K) = 0")

# ---- 3. gated network ------------------------------------------------------------------------

h, z, r, eta_h, eta_z = sympy.symbols("h z r eta_h eta_z", real=True)
gated = zoo.gated()
tau_z, tau_r = gated.symbols["tau_z"], gated.symbols["tau_r"]


def f(name: str, x: Expr, order: int = 0) -> Expr:
    """An abstract nonlinearity or its derivative."""
    return Nonlinear(name, order, x)


def responses(d_h: Expr, d_z: Expr, d_r: Expr, signals: list[tuple[Expr, Expr]]) -> Matrix:
    """M: the signals' changes when each local field changes by one.

    Each d is a linear form in the changes of the local fields; a signal is given by its
    derivatives by h and by r.
    """
    forms = [by_h * d_h + by_r * d_r for by_h, by_r in signals]
    return Matrix([[form.expand().coeff(kick) for kick in KICKS] for form in forms])


KICKS = sympy.symbols("k_h k_z k_r")
# τ_z λ δz = −δz + k_z, likewise r; λ δh = −σ_z δh + σ_z k_h + σ_z' (η_h − h) δz.
d_z = KICKS[1] / (1 + tau_z * LAMBDA)
d_r = KICKS[2] / (1 + tau_r * LAMBDA)
d_h = (f("sigma_z", z) * KICKS[0] + f("sigma_z", z, 1) * (eta_h - h) * d_z) / (
    LAMBDA + f("sigma_z", z)
)
SIGNALS = [
    (f("phi", h, 1) * f("sigma_r", r), f("phi", h) * f("sigma_r", r, 1)),
    (f("phi", h, 1), S.Zero),
    (f("phi", h, 1), S.Zero),
]
M = responses(d_h, d_z, d_r, SIGNALS)


def modulus(entry: Expr) -> Expr:
    """|entry|², the modulus kept only where λ is."""
    squares = []
    for factor in Mul.make_args(sympy.factor(entry)):
        base, power = factor.as_base_exp()
        squares.append(Abs(base) ** (2 * power) if base.has(LAMBDA) else factor**2)
    return Mul(*squares)


def over_paths(integrand: Expr, *groups: set[Symbol]) -> Expr:
    """Average over the process, factorised over the given groups of symbols."""
    value = S.One
    for group in groups:
        inside = [g for g in Mul.make_args(integrand) if g.free_symbols & group]
        value *= ProcessAverage(Mul(*inside))
        integrand = integrand / Mul(*inside)
    return value * integrand


TIED = {h, z, eta_h}  # h listens to z; r to neither
K_paths = M.applyfunc(lambda entry: over_paths(modulus(entry), TIED, {r}))
lam_r, lam_z = Abs(1 + tau_r * LAMBDA) ** 2, Abs(1 + tau_z * LAMBDA) ** 2
pole = Abs(LAMBDA + f("sigma_z", z)) ** 2
paper_anywhere = ProcessAverage(f("phi", h, 1) ** 2 * f("sigma_z", z) ** 2 / pole) * (
    ProcessAverage(f("sigma_r", r) ** 2)
    + ProcessAverage(f("phi", h) ** 2) * ProcessAverage(f("sigma_r", r, 1) ** 2) / lam_r
) + ProcessAverage(
    f("phi", h, 1) ** 2 * f("sigma_z", z, 1) ** 2 * (h - eta_h) ** 2 / pole
) / lam_z  # fmt: skip


def identical(a: Expr, b: Expr) -> bool:
    """Equality of polynomials in the averages."""
    return bool(sympy.expand(a - b) == 0)


by_hand = 1 - (sympy.eye(3) - K_paths).det()
engine = derive(gated)
assert identical(by_hand, paper_anywhere)
assert identical(engine.spectrum["boundary_anywhere"].rhs, paper_anywhere)
print("3. gated, along a trajectory: 1 =", engine.spectrum["boundary_anywhere"].rhs)

DELTA = {x: Symbol(f"Delta_{x}", nonnegative=True) for x in (h, z, r)}


def static(integrand: Expr) -> Expr:
    """Average at a fixed point: h, z, r independent."""
    return GaussianAverage.independent(integrand, DELTA)


at_rest = M.subs(eta_h, h).applyfunc(lambda entry: static(modulus(entry)))
assert Matrix(engine.spectrum.transfer) == at_rest
paper_at_rest = static(f("phi", h, 1) ** 2 * f("sigma_z", z) ** 2 / pole) * (
    static(f("sigma_r", r) ** 2)
    + static(f("phi", h) ** 2) * static(f("sigma_r", r, 1) ** 2) / lam_r
)
assert identical(engine.spectrum["boundary"].rhs, paper_at_rest)
at_zero = static(f("phi", h, 1) ** 2) * (
    static(f("sigma_r", r) ** 2) + static(f("phi", h) ** 2) * static(f("sigma_r", r, 1) ** 2)
)
assert identical(engine.spectrum["boundary"].rhs.subs(LAMBDA, 0), at_zero)
print("   at a fixed point: 1 =", engine.spectrum["boundary"].rhs)
print("   at λ = 0: 1 =", at_zero)

# A synthetic state draws η_h − h by itself: the last term comes back with its variance.
d = Symbol("d_h", real=True)
variance = Symbol("Delta_dh", nonnegative=True)
synthetic = M.subs(eta_h, h + d).applyfunc(
    lambda entry: GaussianAverage.independent(modulus(entry), {**DELTA, d: variance})
)
assert Matrix(engine.synthetic_spectrum.transfer) == synthetic
assert engine.synthetic_spectrum["boundary"].rhs.diff(variance) != 0

# ---- 4. discrete time ------------------------------------------------------------------------

# λ δh = (1 − σ_z) δh + σ_z φ' k_h + σ_z' (φ − h) δz, δz = k_z, δr = k_r at once.
gru = derive(zoo.gru())
d_h = (
    f("sigma_z", z) * f("phi", eta_h, 1) * KICKS[0]
    + f("sigma_z", z, 1) * (f("phi", eta_h) - h) * KICKS[1]
) / (LAMBDA - 1 + f("sigma_z", z))
gru_signals = [(f("sigma_r", r), h * f("sigma_r", r, 1)), (S.One, S.Zero), (S.One, S.Zero)]
M_gru = responses(d_h, KICKS[1], KICKS[2], gru_signals)


def over_steps(integrand: Expr) -> Expr:
    """Average over the process: h remembers η_h and z, which are free within one step."""
    split = [TIED, {r}] if integrand.has(h) and integrand.has(z) else [{h}, {eta_h}, {z}, {r}]
    return over_paths(integrand, *split)


K_paths = M_gru.applyfunc(lambda entry: over_steps(modulus(entry)))
assert identical(gru.spectrum["boundary_anywhere"].rhs, 1 - (sympy.eye(3) - K_paths).det())

DELTA_gru = {eta_h: DELTA[h], z: DELTA[z], r: DELTA[r]}
at_rest = M_gru.subs(h, f("phi", eta_h)).applyfunc(
    lambda entry: GaussianAverage.independent(modulus(entry), DELTA_gru)
)
assert Matrix(gru.spectrum.transfer) == at_rest
assert identical(gru.spectrum["boundary"].rhs, boundary_condition(at_rest))
print("4. gru, at a fixed point: 1 =", gru.spectrum["boundary"].rhs)

# ---- 5. a finite network ---------------------------------------------------------------------

units, generator = 400, np.random.default_rng(11)
values = {**gated.bind({"g_h": 3, "alpha_z": 2, "alpha_r": 4}), tau_z: S(2), tau_r: S(3)}
variances = {h: 0.3, z: 0.6, r: 0.6, eta_h: 0.8}
state = {x: generator.normal(0, np.sqrt(v), units) for x, v in variances.items()}


def numbers(expression: Expr) -> np.ndarray:
    """Value of an expression for every unit."""
    evaluate = sympy.lambdify(list(state), plain(expression), "numpy")
    return np.broadcast_to(evaluate(*state.values()), (units,))


def plain(expression: Expr) -> Expr:
    """The expression with all definitions and parameter values put in."""
    defined = instantiate(expression, gated.definitions).subs(values)
    return defined.replace(logistic, lambda x: 1 / (1 + sympy.exp(-x)))


forces = Matrix([f("sigma_z", z) * (eta_h - h), (eta_z - z) / tau_z, (-r) / tau_r])
local = forces.jacobian([h, z, r])
drive = Matrix([f("sigma_z", z), 1 / tau_z, 1 / tau_r])
signals = Matrix([f("phi", h) * f("sigma_r", r), f("phi", h), f("phi", h)])
read = signals.jacobian([h, z, r])
jacobian = np.zeros((3, units, 3, units))
for a, b in product(range(3), repeat=2):
    jacobian[a, :, b, :] += np.diag(numbers(local[a, b]))
for a in range(3):  # local field a drives field a alone
    J = generator.normal(0, 1 / np.sqrt(units), (units, units))
    for b in range(3):
        jacobian[a, :, b, :] += numbers(drive[a])[:, None] * J * numbers(read[a, b])[None, :]
eigenvalues = np.linalg.eigvals(jacobian.reshape(3 * units, 3 * units))


answer = sympy.lambdify([*state, LAMBDA], plain(M).tolist(), "numpy")


def radius(at: complex) -> float:
    """Spectral radius of K(λ) for these units."""
    transfer = [[np.mean(np.abs(m) ** 2) for m in row] for row in answer(*state.values(), at)]
    return float(np.max(np.abs(np.linalg.eigvals(np.array(transfer)))))


rightmost = eigenvalues[np.argmax(eigenvalues.real)]
low, high = 0.0, 5.0
while high - low > 1e-3:
    middle = (low + high) / 2
    low, high = (middle, high) if radius(middle) > 1 else (low, middle)
assert abs(rightmost.real - low) < 0.05, (rightmost, low)
within = np.mean([radius(e) > 0.9 for e in eigenvalues])
assert within > 0.99, within
print(f"5. N = {units}: rightmost eigenvalue {rightmost.real:.3f}, edge of the support {low:.3f};")
print(f"   {100 * within:.1f}% of the eigenvalues lie in the support")
print("the engine's spectral conditions are the sums of ladders")

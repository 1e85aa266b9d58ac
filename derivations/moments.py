r"""Moments of the Jacobian, by listing every planar pairing of every word.

D = A + Σ_a L_a J^a R_a acts on N units with F fields each; A, L, R are local, the J are random. In
(1/N) Tr (D Dᵀ)^k every D is either its local part A or one of the couplings, and every Dᵀ likewise:
a cyclic word of 2k letters.

1. *Pairings.* The couplings of a word are paired in every way. A pair brings s²/N and identifies
   the units at its ends, J_ij with J_ij (a J beside a transpose; a J with a J, or a Jᵀ with a Jᵀ,
   is paired too and costs a power of N). Of the pairings of 2n letters on a circle those that keep
   every power of N are the planar ones between a J and a Jᵀ: counted here, not assumed.
2. *Faces.* A planar pairing cuts the circle into faces. All units around a face are one, so a face
   is one average over a unit, of the product of the local matrices met on the way around. The
   coupling's index is carried by L on one side of the letter and by R on the other.
3. *Sum.* The product over faces, summed over words and planar pairings, is the moment. It is
   compared with :func:`gatetheory.theory.moments.planar_moments`, which sums the same diagrams by
   its own recursion: as a polynomial in averages for one field and one coupling, and with random
   local matrices for two and three fields and several couplings. The average is then the mean over
   a finite ensemble of units, for which both are exact.
4. *Classical network.* The first moment, written down by hand.

Source: 't Hooft counting of planar diagrams, as in Brézin, Itzykson, Parisi and Zuber (1978).
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product

import numpy as np
import sympy
from sympy import Expr, ImmutableDenseMatrix, S, Symbol

from gatetheory.equations.averages import GaussianAverage
from gatetheory.functions import Nonlinear
from gatetheory.model import zoo
from gatetheory.theory.derive import derive
from gatetheory.theory.jacobian import JacobianParts
from gatetheory.theory.moments import planar_moments

Pairs = tuple[tuple[int, int], ...]
HIGHEST = 3

# ---- 1. pairings -----------------------------------------------------------------------------


def all_pairings(letters: tuple[int, ...]) -> Iterator[Pairs]:
    """Every way to pair positions on the circle."""
    if not letters:
        yield ()
        return
    first, *others = letters
    for partner in others:
        rest = tuple(x for x in others if x != partner)
        for pairs in all_pairings(rest):
            yield ((first, partner), *pairs)


def crosses(p: tuple[int, int], q: tuple[int, int]) -> bool:
    """Whether two chords of the circle cross."""
    (a, b), (c, d) = sorted(p), sorted(q)
    return a < c < b < d or c < a < d < b


def is_planar(pairs: Pairs) -> bool:
    """No two chords cross."""
    return not any(crosses(p, q) for n, p in enumerate(pairs) for q in pairs[:n])


def joins_transposes(pairs: Pairs) -> bool:
    """Every pair joins a letter of a D (even position) with one of a Dᵀ (odd position)."""
    return all((p + q) % 2 for p, q in pairs)


def units_left(length: int, pairs: Pairs) -> list[int]:
    """Unit at every corner of the word, corners identified by the pairs having one name.

    Letter p stands between corners p and p + 1. A letter of D is J_(p, p+1), one of Dᵀ is
    J_(p+1, p): so equal entries tie corners p, p+1 to q, q+1 or, for a transpose, to q+1, q.
    Corners beside a letter that is local are one unit.
    """
    paired = {x for pair in pairs for x in pair}
    ties = [(p, (p + 1) % length) for p in range(length) if p not in paired]
    for p, q in pairs:
        ends = (q + 1, q) if (p + q) % 2 else (q, q + 1)
        ties += [(p, ends[0] % length), ((p + 1) % length, ends[1] % length)]
    name = list(range(length))
    for a, b in ties:
        old, new = name[b], name[a]
        name = [new if x == old else x for x in name]
    return name


for k in range(1, HIGHEST + 1):
    leading = 0
    for pairs in all_pairings(tuple(range(2 * k))):
        free = len(set(units_left(2 * k, pairs)))
        power = free - k - 1  # N for a unit, 1/N for a pair, 1/N in front of the trace
        assert power <= 0
        # A J paired with a J is never planar in this sense, however it is drawn.
        assert (power == 0) == (is_planar(pairs) and joins_transposes(pairs))
        leading += power == 0
    assert leading == sympy.catalan(k)
    print(f"1. (D Dᵀ)^{k}, J alone: {leading} of {sympy.factorial2(2 * k - 1)} pairings survive")


@lru_cache
def diagrams(length: int) -> tuple[tuple[Pairs, tuple[tuple[int, ...], ...]], ...]:
    """Planar pairings of any even subset of the letters, with the letters' faces."""
    found = []
    for chosen in product((False, True), repeat=length):
        coupled = tuple(p for p in range(length) if chosen[p])
        if len(coupled) % 2:
            continue
        for pairs in all_pairings(coupled):
            if is_planar(pairs) and joins_transposes(pairs):
                names = units_left(length, pairs)
                faces = tuple(
                    tuple(c for c in range(length) if names[c] == unit)
                    for unit in dict.fromkeys(names)
                )
                assert len(faces) == len(pairs) + 1
                found.append((pairs, faces))
    return tuple(found)


# ---- 2. faces --------------------------------------------------------------------------------


def enumerated_moment(k: int, parts: JacobianParts, average: Callable[[Expr], Expr]) -> Expr:
    """(1/N)⟨Tr (D Dᵀ)^k⟩ as a sum over words and planar pairings."""
    length = 2 * k
    couplings = range(len(parts.variances))
    total = S.Zero
    for pairs, faces in diagrams(length):
        for kinds in product(couplings, repeat=len(pairs)):
            kind = {p: a for pair, a in zip(pairs, kinds, strict=True) for p in pair}
            value = sympy.prod(parts.variances[a] for a in kinds)
            for face in faces:
                value *= average(face_value(face, length, parts, kind))
            total += value
    return total


def face_value(
    face: tuple[int, ...], length: int, parts: JacobianParts, kind: dict[int, int]
) -> Expr:
    """Product of the local matrices met around a face, from corner to corner.

    Between two corners of the face stands either a local letter, which carries the fields' index
    on, or a pair, over which the face jumps: it leaves by the vector of the letter on its left and
    comes back by the vector of the letter on the right of the next corner.
    """
    factors: list[Expr] = []
    open_row = None  # the row the product began with, if it began at a coupling
    matrix = sympy.eye(parts.drift.rows)
    start = next((c for c in face if (c - 1) % length in kind), None)
    order = face if start is None else face[face.index(start) :] + face[: face.index(start)]
    for corner in order:
        before, after = (corner - 1) % length, corner
        if before in kind:
            open_row = _right_of(before, parts, kind[before])
            matrix = sympy.eye(parts.drift.rows)
        if after in kind:
            assert open_row is not None
            factors.append((open_row * matrix * _left_of(after, parts, kind[after]))[0])
        else:
            matrix = matrix * (parts.drift if after % 2 == 0 else parts.drift.T)
    return sympy.prod(factors) if factors else sympy.trace(matrix)


def _left_of(letter: int, parts: JacobianParts, a: int) -> sympy.Matrix:
    """Column on the left of a coupling: L for J, Rᵀ for Jᵀ."""
    return parts.drives[:, a] if letter % 2 == 0 else parts.readouts[a, :].T


def _right_of(letter: int, parts: JacobianParts, a: int) -> sympy.Matrix:
    """Row on the right of a coupling: R for J, Lᵀ for Jᵀ."""
    return parts.readouts[a, :] if letter % 2 == 0 else parts.drives[:, a].T


# ---- 3. sum ----------------------------------------------------------------------------------

x, v, s = Symbol("x", real=True), Symbol("v", nonnegative=True), Symbol("s", positive=True)
one_field = JacobianParts(
    *(ImmutableDenseMatrix([[Nonlinear(name, 0, x)]]) for name in ("a", "l", "r")),
    mass=(S.One,),
    variances=(s**2,),
)


def over_unit(f: Expr) -> Expr:
    """Average over one Gaussian variable, term by term."""
    terms = sympy.Add.make_args(sympy.expand(f))
    return sympy.Add(*(GaussianAverage(term, (x,), [[v]]) for term in terms))


recursion = planar_moments(one_field, over_unit, HIGHEST)
for k in range(1, HIGHEST + 1):
    enumerated = enumerated_moment(k, one_field, over_unit)
    assert sympy.expand(enumerated - recursion[k - 1]) == 0
    terms = len(sympy.Add.make_args(sympy.expand(enumerated)))
    print(f"3. one field, k = {k}: {len(diagrams(2 * k))} diagrams, {terms} terms, equal")


class Ensemble:
    """A finite set of units whose local matrices are random functions of a number per unit.

    ``average`` evaluates an expression in the number for every unit and takes the mean.
    """

    def __init__(self, shape: tuple[int, int], members: int, seed: int) -> None:
        fields_, couplings = shape
        generator = np.random.default_rng(seed)
        self.symbols = list(sympy.symbols("u,", real=True))

        def random_matrix(rows: int, columns: int) -> ImmutableDenseMatrix:
            """Each entry c + c' u with random integers."""
            entries = [
                sympy.Add(*(int(c) * q for c, q in zip(row, (1, *self.symbols), strict=True)))
                for row in generator.integers(-4, 5, (rows * columns, 2))
            ]
            return ImmutableDenseMatrix(rows, columns, entries) / 4

        self.parts = JacobianParts(
            random_matrix(fields_, fields_),
            random_matrix(fields_, couplings),
            random_matrix(couplings, fields_),
            (S.One,) * fields_,
            tuple(sympy.Rational(a + 2, 3) for a in range(couplings)),
        )
        self.members = generator.normal(size=(1, members))

    def average(self, f: Expr) -> Expr:
        """Mean over the units."""
        if f.is_number:
            return f
        evaluate = sympy.lambdify(self.symbols, f, "numpy")
        return sympy.Float(np.mean(evaluate(*self.members)), 17)


for shape in ((2, 2), (3, 1)):
    ensemble = Ensemble(shape, members=4, seed=sum(shape))
    recursion = planar_moments(ensemble.parts, ensemble.average, HIGHEST)
    for k in range(1, HIGHEST + 1):
        enumerated = enumerated_moment(k, ensemble.parts, ensemble.average)
        difference = float(enumerated / recursion[k - 1] - 1)
        assert abs(difference) < 1e-12, (shape, k, difference)
    print(f"3. {shape[0]} fields, {shape[1]} couplings, random units: equal to 1e-12")

# ---- 4. classical network --------------------------------------------------------------------

h, delta = Symbol("h", real=True), Symbol("Delta_h", nonnegative=True)
slope = GaussianAverage(Nonlinear("phi", 1, h) ** 2, (h,), [[delta]])
engine = derive(zoo.classical()).moments
# D = −1 + J φ': Tr D Dᵀ/N = 1 + ⟨φ'²⟩; Tr (D Dᵀ)²/N = 1 + 4⟨φ'²⟩ + ⟨φ'⁴⟩ + ⟨φ'²⟩².
fourth = GaussianAverage(Nonlinear("phi", 1, h) ** 4, (h,), [[delta]])
assert sympy.expand(engine.moments[0] - (1 + slope)) == 0
assert sympy.expand(engine.moments[1] - (1 + 4 * slope + fourth + slope**2)) == 0
assert engine.trace == -1
print("4. classical network: μ_1 =", engine.moments[0], "and μ_2 =", engine.moments[1])
print("the engine's moments are the sums over planar pairings")

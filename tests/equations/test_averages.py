"""What a Gaussian average simplifies to, what it equals, and how it is written."""

import html
import pickle
import random
from collections.abc import Callable, Iterator
from xml.etree import ElementTree

import pytest
import sympy
from sympy import Expr, Matrix, Rational, Symbol, cos, diag, exp, sin, tanh

from gatetheory.equations.averages import GaussianAverage, expand_averages
from gatetheory.functions import Nonlinear, logistic

Number = Callable[..., float]

x, y, z = sympy.symbols("x y z", real=True)
a, c = sympy.symbols("a c", real=True)
D, E = sympy.symbols("D E", positive=True)
PAIR = Matrix([[D, c], [c, E]])


def avg(f: Expr, variance: Expr = D) -> Expr:
    """Average over x alone."""
    return GaussianAverage(f, (x,), [[variance]])


def phi(argument: Expr, order: int = 0) -> Expr:
    return Nonlinear("phi", order, argument)


# ---- simplification ------------------------------------------------------------------------


def test_constants_fold() -> None:
    assert avg(sympy.Integer(5)) == 5
    assert avg(D * tanh(a)) == D * tanh(a)
    assert avg(3 * a * phi(x)) == 3 * a * avg(phi(x))
    assert avg(a + phi(x)) == a + avg(phi(x))
    assert avg(2 * a * (a + phi(x) / 3)) == 2 * a * (a + avg(phi(x)) / 3)


def test_zero_variance_puts_the_variable_to_zero() -> None:
    assert avg(phi(x + a), sympy.S.Zero) == phi(a)
    found = GaussianAverage(tanh(x + y), (x, y), diag(D, 0))
    assert found == avg(tanh(x))
    assert avg(phi(x)).subs(D, 0) == avg(phi(x), 0 * D) == phi(sympy.S.Zero)


def test_variables_that_do_not_occur_are_integrated_out() -> None:
    assert GaussianAverage(phi(x), (x, y), PAIR) == avg(phi(x))
    assert GaussianAverage(phi(y), (x, y), PAIR) == GaussianAverage(phi(y), (y,), [[E]])


def test_products_factor_over_independent_groups_only() -> None:
    f = phi(x) * tanh(y)
    apart = GaussianAverage(phi(x), (x,), [[D]]) * GaussianAverage(tanh(y), (y,), [[E]])
    assert GaussianAverage(f, (x, y), diag(D, E)) == apart
    together = GaussianAverage(f, (x, y), PAIR)
    assert isinstance(together, GaussianAverage)
    assert together.subs(c, 0) == apart
    tied = GaussianAverage(phi(x * y) * tanh(y), (x, y), diag(D, E))
    assert isinstance(tied, GaussianAverage)


def test_groups_are_tied_in_a_chain() -> None:
    sigma = Matrix([[D, 0, c], [0, D, 0], [c, 0, D]])
    f = phi(x) * phi(y) * tanh(z)
    found = GaussianAverage(f, (x, y, z), sigma)
    assert found == GaussianAverage(phi(y), (y,), [[D]]) * GaussianAverage(
        phi(x) * tanh(z), (x, z), [[D, c], [c, D]]
    )
    chained = GaussianAverage(f * cos(x * y), (x, y, z), sigma)
    assert isinstance(chained, GaussianAverage)
    assert len(chained.variables) == 3


def test_a_sum_is_split_on_demand(number: Number) -> None:
    joint = GaussianAverage((tanh(x) + y) ** 2, (x, y), diag(D, E))
    assert isinstance(joint, GaussianAverage)
    expanded = joint.expand_average()
    assert expanded == avg(tanh(x) ** 2) + E
    assert expand_averages(a * joint**2) == a * expanded**2
    at = {D: 0.7, E: 1.3}
    assert number(joint, at) == pytest.approx(number(expanded, at), rel=1e-12)


def test_a_nested_average_over_the_same_name_is_a_constant() -> None:
    inner = avg(tanh(x) ** 2)
    assert avg(tanh(x) ** 4 * inner, E) == inner * avg(tanh(x) ** 4, E)
    assert avg(inner, E) == inner


def pairings(items: tuple[Symbol, ...]) -> Iterator[list[tuple[Symbol, Symbol]]]:
    if not items:
        yield []
        return
    for k in range(1, len(items)):
        for rest in pairings(items[1:k] + items[k + 1 :]):
            yield [(items[0], items[k]), *rest]


@pytest.mark.parametrize("seed", range(12))
def test_polynomials_are_replaced_by_their_moments(seed: int) -> None:
    """Isserlis: the sum over all pairings, brute force."""
    pick = random.Random(seed)
    names = (x, y, z)
    root = Matrix(3, 3, lambda i, j: pick.randint(-3, 3))
    sigma = root * root.T + sympy.eye(3) * D
    powers = [pick.randint(0, 3) for _ in names]
    letters = tuple(v for v, k in zip(names, powers, strict=True) for _ in range(k))
    expected = sum(
        (
            sympy.prod(sigma[names.index(p), names.index(q)] for p, q in pairs)
            for pairs in pairings(letters)
        ),
        sympy.S.Zero,
    )
    found = GaussianAverage(a * sympy.prod(letters) + 1, names, sigma)
    assert sympy.expand(found - a * expected - 1) == 0


def test_known_moments() -> None:
    assert [avg(x**n) for n in range(7)] == [1, 0, D, 0, 3 * D**2, 0, 15 * D**3]
    fourth = GaussianAverage(x**2 * y**2, (x, y), PAIR)
    assert sympy.expand(fourth - D * E - 2 * c**2) == 0


def test_the_shape_of_the_covariance_is_checked() -> None:
    with pytest.raises(ValueError, match="2 variables has shape"):
        GaussianAverage(x * y, (x, y), [[D]])


# ---- identity ------------------------------------------------------------------------------

SAMPLES = (
    avg(phi(x) ** 2),
    GaussianAverage(phi(x) * tanh(y), (x, y), PAIR),
    GaussianAverage(logistic(x + a) * sin(x * y), (y, x), [[E, c], [c, D]]),
    GaussianAverage(phi(x), (x,), [[avg(tanh(x) ** 2)]]),
)


@pytest.mark.parametrize("average", SAMPLES, ids=str)
def test_rebuilding_and_pickling_change_nothing(average: Expr) -> None:
    assert average.func(*average.args) == average
    again = pickle.loads(pickle.dumps(average))
    assert again == average
    assert hash(again) == hash(average)
    assert len({again, average}) == 1


def test_the_order_of_the_variables_does_not_matter() -> None:
    swapped = GaussianAverage(phi(x) * tanh(y), (y, x), [[E, c], [c, D]])
    assert swapped == SAMPLES[1]


def test_canonical_forms_do_not_depend_on_names() -> None:
    p, q = sympy.symbols("q b", real=True)  # in the other order by name
    renamed = GaussianAverage(phi(p) * tanh(q), (p, q), PAIR)
    assert renamed != SAMPLES[1]
    assert renamed.canonical() == SAMPLES[1].canonical()
    other = GaussianAverage(phi(x) * tanh(y), (x, y), [[E, c], [c, D]])
    assert other.canonical() != SAMPLES[1].canonical()


def test_canonical_names_capture_nothing(number: Number) -> None:
    taken = Symbol("x_1", real=True)
    average = avg(tanh(x + taken) ** 2)
    assert average.canonical().free_symbols == {taken, D}
    at = {taken: Rational(1, 2), D: 1}
    assert number(average.canonical(), at) == pytest.approx(number(average, at))


def test_evaluation_can_be_put_off() -> None:
    raw = GaussianAverage(x**2, (x,), [[D]], evaluate=False)
    assert isinstance(raw, GaussianAverage)
    assert raw.func(*raw.args) == D


def test_signs_are_known() -> None:
    assert avg(phi(x) ** 2).is_nonnegative
    assert avg(exp(x) * logistic(x)).is_positive
    assert avg(phi(x)).is_nonnegative is None
    assert avg(phi(x)).is_real


# ---- printing ------------------------------------------------------------------------------


def test_text_names_every_variance_and_covariance() -> None:
    assert str(avg(phi(x) ** 2)) == "<phi(x)**2; x~D>"
    assert str(SAMPLES[1]) == "<tanh(y)*phi(x); x~D, y~E, xy~c>"
    assert "⟨" in sympy.pretty(SAMPLES[1], use_unicode=True)


@pytest.mark.parametrize("average", SAMPLES, ids=str)
def test_latex_is_balanced(average: Expr) -> None:
    for expression in (average, average**2, 1 / average, average + 1):
        text = sympy.latex(expression)
        assert text.count("{") == text.count("}")
        assert text.count(r"\left") == text.count(r"\right")
        assert r"\langle" in text
    assert sympy.latex(avg(phi(x) ** 2) ** 3).endswith("_{D}^{3}")


@pytest.mark.parametrize("average", SAMPLES, ids=str)
def test_mathml_is_well_formed_and_complete(average: Expr) -> None:
    text = sympy.mathml(average**2 + a, printer="presentation")
    tree = ElementTree.fromstring(f"<math>{html.unescape(text)}</math>")
    shown = "".join(tree.itertext())
    assert "⟨" in shown
    assert "⟩" in shown
    assert all(s.name in shown for s in average.free_symbols)

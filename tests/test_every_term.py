"""Every term counts: an equation that loses any part of itself is noticed.

Each derived equation is mutated in every place of its tree (tests/recorded/mutants.py) and compared
with recorded simulations (tests/recorded/simulations.json, made by make.py there). A mutant that
the scatter of finite networks hides must differ from an exact sum over a finite ensemble of units
(tests/recorded/exact.py), which lists planar pairings one by one. What passes both must be the same
function to 1e-12.
"""

from __future__ import annotations

import json
import runpy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
from sympy import Expr, ImmutableDenseMatrix, Symbol

from gatetheory import simulation
from gatetheory.equations.averages import GaussianAverage
from gatetheory.equations.process import ProcessAverage
from gatetheory.equations.shapes import SpectralCondition
from gatetheory.errors import DerivationError
from gatetheory.theory.derive import Theory, derive

AGREES = 4.5  # standard errors within which the true equations must agree with the simulations
NOTICED = 6.0  # standard errors beyond which a mutant is noticed
SAME = 1e-12

_HERE = Path(__file__).parent / "recorded"


def _load(name: str) -> dict[str, Any]:
    return runpy.run_path(str(_HERE / f"{name}.py"))


_cases, _exact, _make = _load("cases"), _load("exact"), _load("make")
_interpreter, _mutants = _load("interpreter"), _load("mutants")
RECORD: dict[str, Any] = json.loads((_HERE / "simulations.json").read_text())
MODELS: dict[str, Any] = _cases["MODELS"]
FEW = 4  # Gauss–Hermite nodes of the finite ensemble: exact for the polynomials that occur


@cache
def theory(model: str) -> Theory:
    return derive(MODELS[model]())


@dataclass(frozen=True)
class Statement:
    """An equation with everything it can be held against.

    Args:
        name: Model, state and tag.
        side: Its right side.
        model: Name of the model.
        places: Values of its symbols, one set per measurement.
        outcome: From the side's values at all places to what was measured.
        measured: Means, and standard errors.
        exact: Computes the side's values for the finite ensemble at all places, where that exists.
        plain: Turns averages over the process into averages over the state's law.
    """

    name: str
    side: Expr
    model: str
    places: list[dict[Symbol, Any]]
    outcome: Callable[[list[Any]], Any]
    measured: tuple[Any, Any]
    exact: Callable[[], list[Any]] | None = None
    plain: Callable[[Expr], Expr] = lambda e: e

    @property
    def equation(self) -> str:
        """Name of the equation, whatever the parameters."""
        return self.name.replace(", slow", "")

    def interpreters(self, nodes: int | None = None) -> list[Any]:
        definitions = theory(self.model).model.definitions
        return [_interpreter["Interpreter"](p, definitions, nodes) for p in self.places]

    @cached_property
    def reference(self) -> list[Any] | None:
        return None if self.exact is None else self.exact()

    @cached_property
    def many(self) -> list[Any]:
        return self.interpreters()

    @cached_property
    def few(self) -> list[Any]:
        return self.interpreters(FEW)

    def values(self, numbers: list[Any], mutant: Any = None) -> list[Any]:
        found = [n(self.plain(self.side)) for n in numbers]
        if mutant is None:
            return found
        old, new = self.plain(mutant.term), self.plain(mutant.replacement)
        return [v - n(old) + n(new) for v, n in zip(found, numbers, strict=True)]

    def z(self, mutant: Any = None) -> float:
        """Largest distance from the recorded simulations, in standard errors."""
        mean, stderr = self.measured
        distance = np.abs(self.outcome(self.values(self.many, mutant)) - mean) / stderr
        return float(np.max(np.nan_to_num(distance, nan=np.inf)))

    def differs(self, mutant: Any = None) -> bool:
        """Whether a mutant differs from the exact sums over the finite ensemble."""
        if self.reference is None:
            return False
        found = self.values(self.few, mutant)
        gaps = [abs(f - e) / abs(e) for f, e in zip(found, self.reference, strict=True)]
        return not max(gaps) < 1e-10

    def is_equivalent(self, mutant: Any) -> bool:
        """Whether a mutant is the same function, at random values of all symbols."""
        rng = np.random.default_rng(0)
        for _ in range(4):
            place = {
                s: complex(*rng.uniform(0.1, 1, 2)) if s.name == "lambda" else rng.uniform(0.4, 1.6)
                for s in self.places[0]
            }
            place |= {s: v for s, v in self.places[0].items() if "law" in s.name}
            number = _interpreter["Interpreter"](place, theory(self.model).model.definitions, FEW)
            old, new = (number(self.plain(e)) for e in (mutant.term, mutant.replacement))
            if not abs(new - old) <= SAME * abs(old):
                return False
        return True


# ---- the statements ------------------------------------------------------------------------------


def statements(model: str) -> Iterator[Statement]:
    yield from _fixed_points(model)
    for case in _cases["CASES"]:
        if case.model == model:
            yield from _spectrum(case)
            yield from _moments(case)
            if case.name in RECORD["covariances"]:
                yield from _covariances(case)


def _limit(by_size: dict[str, list[float]]) -> tuple[float, float]:
    estimates = {int(n): simulation.Estimate(m, s, ()) for n, (m, s) in by_size.items()}
    last = estimates[max(estimates)]
    if len(estimates) == 1 or last.stderr == 0:
        return last.mean, last.stderr
    line = simulation.extrapolate(estimates)
    return line.value, line.stderr


def _recorded(case: Any, names: list[str]) -> tuple[Any, Any]:
    found = [_limit(RECORD["jacobians"][case.name][n]) for n in names]
    # Exact constants (the trace) have no scatter but for the state's.
    return np.array([m for m, _ in found]), np.array([s for _, s in found]) + 1e-9


def _numbers(case: Any) -> dict[Symbol, Any]:
    bound = theory(case.model).model.bind(case.parameters)
    return {s: float(v) for s, v in bound.items()}


@cache
def _units(index: int) -> Any:
    case = _cases["CASES"][index]
    rule = _interpreter["hermite"](FEW)
    model = theory(case.model).model
    return _exact["units_of"](model, case.parameters, case, _make["unit_state"], rule)


def _fixed_points(model: str) -> Iterator[Statement]:
    problem = theory(model).fixed_points
    recorded = RECORD["closure"][model]
    unknowns = {u: recorded[u.name][0] for u in problem.unknowns}
    bound = theory(model).model.bind(_cases["PARAMETERS"][model])
    place = {**{s: float(v) for s, v in bound.items()}, **unknowns}
    for e in problem.equations:
        mean, stderr = recorded[e.tag]
        # G at the measured Δ carries the error of the latter too.
        yield Statement(
            f"{model}, {e.tag}", e.rhs, model, [place], lambda v: v[0], (mean, 2 * stderr)
        )


def _spectrum(case: Any) -> Iterator[Statement]:
    if not case.spectral:
        return
    index = _cases["CASES"].index(case)
    derived = theory(case.model)
    condition = derived.spectrum if case.state == "fixed point" else derived.synthetic_spectrum
    at = _numbers(case) | {u: case.unknowns[u.name] for u in condition.law.unknowns}
    places = [at | {condition.spectral_parameter: complex(s)} for s in case.spectral]
    names = condition.couplings
    couplings = range(len(names))
    labels = [f"response {a} {b} {k}" for k in range(len(places)) for a in names for b in names]
    # "boundary_anywhere" is compared where no term of it vanishes.
    general = any(c.model == case.model and c.state == "synthetic" for c in _cases["CASES"])
    definitions = derived.model.definitions
    matrices = []
    for place in places:
        number = _interpreter["Interpreter"](place, definitions)
        entries = [[number(condition.transfer[i, j]) for j in couplings] for i in couplings]
        matrices.append(np.array(entries, complex))

    @cache
    def ensemble() -> list[Any]:
        return [_exact["transfer"](_units(index), s) for s in case.spectral]

    def ladder(i: int, j: int) -> Callable[[list[Any]], Any]:
        """Response, with an entry of K replaced."""

        def outcome(values: list[Any]) -> Any:
            found = []
            for value, matrix in zip(values, matrices, strict=True):
                changed = matrix.copy()
                changed[i, j] = value
                found.append(changed @ np.linalg.inv(np.eye(len(matrix)) - changed))
            return np.array(found).ravel()

        return outcome

    comma = "" if all(len(name) == 1 for name in names) else ","
    by_tag = {f"K_{a}{comma}{b}": (i, j) for i, a in enumerate(names) for j, b in enumerate(names)}
    for e in condition.equations:
        if e.tag in by_tag:
            i, j = by_tag[e.tag]
            yield Statement(
                f"{case.name}, {e.tag}", e.rhs, case.model, places, ladder(i, j),
                _recorded(case, labels), lambda i=i, j=j: [m[i, j] for m in ensemble()],
            )  # fmt: skip
        elif e.tag == "boundary" or case.state == "synthetic" or not general:
            boundary = [f"boundary {k}" for k in range(len(places))]
            yield Statement(
                f"{case.name}, {e.tag}", e.rhs, case.model, places, np.array,
                _recorded(case, boundary),
                lambda: [1 - np.linalg.det(np.eye(len(names)) - m) for m in ensemble()],
                lambda side: _over_law(side, condition),
            )  # fmt: skip


def _over_law(side: Expr, condition: SpectralCondition) -> Expr:
    law = condition.law

    def average(integrand: Expr) -> Expr:
        return GaussianAverage(law(integrand), law.variables, law.covariance)

    return side.replace(ProcessAverage, average) if side.has(ProcessAverage) else side


def _moments(case: Any) -> Iterator[Statement]:
    index = _cases["CASES"].index(case)
    derived = theory(case.model)
    try:
        problem = derived.moments if case.state == "fixed point" else derived.synthetic_moments
    except DerivationError:
        return
    place = _numbers(case) | {u: case.unknowns[u.name] for u in problem.law.unknowns}
    for e in problem.equations:

        def exact(tag: str = e.tag) -> list[Any]:
            if tag == "trace":
                return [_exact["trace"](_units(index))]
            return [_exact["moment"](_units(index), int(tag.removeprefix("moment_")))]

        yield Statement(
            f"{case.name}, {e.tag}", e.rhs, case.model, [place], lambda v: v[0],
            _recorded(case, [e.tag]), exact,
        )  # fmt: skip


def _covariances(case: Any) -> Iterator[Statement]:
    """⟨η(t) η(t')⟩ with every field a stationary Gaussian of known correlation."""
    derived = theory(case.model)
    place = _numbers(case)
    correlation = Symbol("law_correlation")
    place[correlation] = _cases["CORRELATION"]
    for f in derived.model.fields:
        place[Symbol(f"law_{f.name}")] = case.variances[f.name]

    def pair(integrand: Expr) -> Expr:
        """The average over the fields at both times."""
        functions = sorted(integrand.atoms(sympy.core.function.AppliedUndef), key=str)
        names = {f: Symbol(f"{f.func}_{k}", real=True) for k, f in enumerate(functions)}
        size = len(functions)

        def entry(i: int, j: int) -> Expr:
            if functions[i].func != functions[j].func:
                return sympy.S.Zero
            variance = Symbol(f"law_{functions[i].func}")
            return variance if i == j else correlation * variance

        covariance = ImmutableDenseMatrix(size, size, entry)
        return GaussianAverage(integrand.xreplace(names), tuple(names.values()), covariance)

    for e in derived.single_site.equations:
        yield Statement(
            f"{case.name}, {e.tag}", e.rhs, case.model, [place], lambda v: v[0],
            _limit(RECORD["covariances"][case.name][e.tag]),
            plain=lambda side: side.replace(ProcessAverage, pair),
        )  # fmt: skip


# ---- the tests -----------------------------------------------------------------------------------


def verdicts(model: str) -> dict[tuple[str, Any], str]:
    """For every mutant of every equation of a model, what noticed it.

    An equation recorded at several sets of parameters is noticed when one of them notices.
    """
    by_equation: dict[str, list[Statement]] = {}
    for statement in statements(model):
        by_equation.setdefault(statement.equation, []).append(statement)
    with np.errstate(all="ignore"):
        return {
            (equation, mutant): _verdict(recorded, mutant)
            for equation, recorded in by_equation.items()
            for mutant in _mutants["mutants"](recorded[0].side)
        }


def _verdict(recorded: list[Statement], mutant: Any) -> str:
    if any(s.z(mutant) > NOTICED for s in recorded):
        return "simulation"
    if any(s.differs(mutant) for s in recorded):
        return "exact"
    return "equivalent" if recorded[0].is_equivalent(mutant) else "survived"


@pytest.mark.parametrize(
    "model", [pytest.param(m, marks=pytest.mark.slow) if m == "paired" else m for m in MODELS]
)
def test_the_equations_agree_with_the_simulations(model: str) -> None:
    for statement in statements(model):
        assert statement.z() < AGREES, statement.name
        assert not statement.differs(), statement.name


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_every_term_counts(model: str) -> None:
    found = verdicts(model)
    survivors = [
        f"{name}: {m.what} ({m.term})" for (name, m), v in found.items() if v == "survived"
    ]
    assert not survivors, "\n".join(survivors)
    counts = Counter(found.values())
    direct = [v for (name, _), v in found.items() if name.split(", ")[-1][:2] in ("K_", "C_", "De")]
    assert direct.count("simulation") > 0.8 * len(direct)
    assert counts["equivalent"] < 0.05 * len(found)

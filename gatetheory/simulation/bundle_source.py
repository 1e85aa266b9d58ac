"""Write the law of a bundle as one NumPy function, specialised to a unit.

At a few hundred units a step costs as much in calls as in arithmetic, so that the function is
written out: results go straight into preallocated arrays, tanh is shared between a signal and its
slope, and a law that is linear treats states and tangent vectors in one call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy
from sympy import Expr, Symbol, sech, tanh

from gatetheory.functions import differentiate, logistic
from gatetheory.simulation.bundle_groups import GroupSolver, solve_vectors
from gatetheory.simulation.lowering import define, numpy_names, numpy_text
from gatetheory.simulation.unit import Unit
from gatetheory.simulation.unit_solver import Group

Slopes = list[tuple[Symbol, Expr]]
Terms = list[tuple[str, Expr]]


@dataclass(frozen=True)
class Program:
    """The source of a bundle's law.

    Args:
        source: Python.
        leak: Constant rate a_f that was left out of the law of each field with dynamics.
        solvers: What solves for algebraic fields that have no formula, by name.
    """

    source: str
    leak: tuple[Expr, ...]
    solvers: Mapping[str, GroupSolver]

    def bind(self, buffers: Mapping[str, Any]) -> Callable[..., None]:
        """The function of (bundle, result, inputs, parameters) that works on given arrays.

        Args:
            buffers: Arrays by name: ``f`` algebraic field, ``l`` local field, ``w`` signal, each
                with its index, as states (B, N), with ``a`` before it as all rows (M, N), with
                ``d`` before it as vectors (B, k, N); ``ascratch`` and ``dscratch``; and functions
                ``product0`` … that turn a signal into local fields.
        """
        namespace = numpy_names() | {"solve_vectors": solve_vectors, **self.solvers, **buffers}
        exec(self.source, namespace)
        law: Callable[..., None] = namespace["law"]
        return law


@lru_cache(maxsize=64)
def compile_bundle(unit: Unit, tangents: bool, several: bool, split_leak: bool) -> Program:
    """Write the program.

    Args:
        unit: The unit.
        tangents: Whether there are tangent vectors.
        several: Whether there is more than one trajectory.
        split_leak: Whether to leave out constant rates ∂F_f/∂x_f of fields.
    """
    return _Writer(unit, tangents, several, split_leak).write()


class _Writer:
    """Collects lines of source."""

    def __init__(self, unit: Unit, tangents: bool, several: bool, split_leak: bool) -> None:
        model = unit.model
        self.unit, self.tangents, self.several = unit, tangents, several
        self.fields = [f.symbol for f in model.fields]
        self.local = [c.local_field for c in model.couplings]
        self.parameters = frozenset(model.symbols.values())
        tables: dict[str, Iterable[Symbol]] = {
            "f": self.fields,
            "l": self.local,
            "i": (i.symbol for i in model.inputs),
            "p": model.symbols.values(),
        }
        self.names = {
            s: Symbol(f"{kind}{j}", real=True)
            for kind, symbols in tables.items()
            for j, s in enumerate(symbols)
        }
        self.laws = [define(law, model.definitions) for law in unit.laws]
        self.lines: list[str] = []
        self.solvers: dict[str, GroupSolver] = {}
        self.arrays = {s.name for s in self.names.values() if s.name[0] != "p"}
        self.count = 0
        self.split_leak = split_leak

    def write(self) -> Program:
        unit = self.unit
        for stage in unit.stages:
            self._compute({f"w{s}": self._define(unit.signals[s]) for s in stage.signals})
            self.lines += [f"product{s}()" for s in stage.signals]
            for group in stage.groups:
                self._solve(group)
        leaks = {f: self._leak(f) if self.split_leak else sympy.S.Zero for f in unit.dynamic}
        self._compute({f"o{f}": self._without(leaks[f], f) for f in unit.dynamic})
        lines = [*self._names_read(), *self.lines]
        source = (
            "def law(at, out, inputs, parameters, time=0.0):\n    " + "\n    ".join(lines) + "\n"
        )
        return Program(source, tuple(leaks.values()), self.solvers)

    def _names_read(self) -> list[str]:
        """Lines that give names to what the body reads, and to nothing else."""
        body = set(re.findall(r"[a-z]+[0-9]+", "\n".join(self.lines)))
        found = []
        for i, f in enumerate(self.unit.dynamic):
            for view, prefix in (("state_of", ""), ("rows", "a"), ("vectors_of", "d")):
                for bundle, name in (("at", f"{prefix}f{f}"), ("out", f"{prefix}o{f}")):
                    if name in body:
                        found.append(f"{name} = {bundle}.{view}[{i}]")
        for kind, count in (("i", len(self.unit.model.inputs)), ("p", len(self.parameters))):
            source = "inputs" if kind == "i" else "parameters"
            found += [f"{kind}{j} = {source}[{j}]" for j in range(count) if f"{kind}{j}" in body]
        return found

    def _define(self, expression: Expr) -> Expr:
        return define(expression, self.unit.model.definitions)

    def _leak(self, f: int) -> Expr:
        slope = sympy.simplify(differentiate(self.laws[f], self.fields[f]))
        return slope if slope.free_symbols <= self.parameters else sympy.S.Zero

    def _without(self, leak: Expr, f: int) -> Expr:
        law = self.laws[f]
        return law if leak == 0 else sympy.expand_mul(law - leak * self.fields[f])

    def _solve(self, group: Group) -> None:
        """Algebraic fields: a formula where the law is linear in the one field, else Newton."""
        if len(group.fields) == 1:
            (f,) = group.fields
            x, law = self.fields[f], self.laws[f]
            slope = self._define(differentiate(law, x))
            if not slope.has(x):
                rest = sympy.expand_mul(law.xreplace({x: sympy.S.Zero}))
                formula = sympy.Add(*(-term / slope for term in sympy.Add.make_args(rest)))
                self._compute({f"f{f}": formula})
                return
        name = f"solver{len(self.solvers)}"
        self.solvers[name] = GroupSolver(group, len(self.fields))
        own = ", ".join(f"f{f}" for f in group.fields)
        local = ", ".join(f"l{a}" for a in range(len(self.local)))
        fields = ", ".join(f"f{f}" for f in range(len(self.fields)))
        self.lines.append(f"{name}(({own},), ({fields},), ({local},), inputs, parameters)")
        if self.tangents:
            self._solve_vectors(group)

    def _solve_vectors(self, group: Group) -> None:
        """Vectors of such fields: -A_gg⁻¹ (Σ A_gx δx + Σ L_ga δη_a)."""
        own = [self.fields[f] for f in group.fields]
        tables = [self._slopes(self.laws[f]) for f in group.fields]
        slopes = [dict(table).get(x, sympy.S.Zero) for table in tables for x in own]
        outer = [[(s, c) for s, c in table if s not in own] for table in tables]
        reduced = self._emit([*slopes, *(c for table in outer for _, c in table)], [])
        rest = iter(reduced[len(slopes) :])
        for f, table in zip(group.fields, outer, strict=True):  # the vectors' arrays hold the sums
            self._combine(f"df{f}", [(f"d{self.names[s]}", next(rest)) for s, _ in table])
        matrix = ", ".join(_text(c) for c in reduced[: len(slopes)])
        self.lines.append(
            f"solve_vectors(({matrix},), ({', '.join(f'df{f}' for f in group.fields)},))"
        )

    def _compute(self, targets: Mapping[str, Expr]) -> None:
        """Write each expression to its target, states and tangent vectors."""
        outputs: dict[str, Expr] = {}
        tables: dict[str, Slopes] = {}
        for target, expression in targets.items():
            slopes = self._slopes(expression)
            if self._is_linear(expression, slopes):
                terms = [(f"a{self.names[s]}", c.xreplace(self.names)) for s, c in slopes]
                self._combine(f"a{target}", terms)
            else:
                outputs[target], tables[target] = expression, slopes if self.tangents else []
        if not outputs:
            return
        coefficients = [c for slopes in tables.values() for _, c in slopes]
        reduced = self._emit([*outputs.values(), *coefficients], list(outputs))
        rest = iter(reduced[len(outputs) :])
        for target, slopes in tables.items():
            if self.tangents:
                self._combine(f"d{target}", [(f"d{self.names[s]}", next(rest)) for s, _ in slopes])

    def _slopes(self, expression: Expr) -> Slopes:
        found = [
            (s, self._define(differentiate(expression, s)))
            for s in (*self.fields, *self.local)
            if expression.has(s)
        ]
        return [(s, c) for s, c in found if c != 0]

    def _is_linear(self, expression: Expr, slopes: Slopes) -> bool:
        constant = all(c.free_symbols <= self.parameters for _, c in slopes)
        return constant and sympy.expand(expression - sum(c * s for s, c in slopes)) == 0

    def _emit(self, expressions: list[Expr], targets: list[str]) -> list[Expr]:
        """Common parts, then the first expressions into the targets; all of them, reduced."""
        renamed = [e.xreplace(self.names) for e in _share(expressions)]
        fresh = (Symbol(f"c{i}", real=True) for i in range(self.count, 10**9))
        common, reduced = sympy.cse(renamed, symbols=fresh, order="none")
        self.count += len(common)
        goals = {e: t for t, e in zip(targets, reduced, strict=False) if e.is_Symbol}
        done = set()
        for symbol, value in common:
            if {s.name for s in value.free_symbols} & self.arrays:
                self.arrays.add(symbol.name)
            target = goals.get(symbol) if symbol.name in self.arrays else None
            text = _text(value) if target is None else _into(value, target)
            self.lines.append(f"{symbol} = {text}")
            done.add(target)
        for target, expression in zip(targets, reduced, strict=False):
            if target not in done:
                self.lines.append(_into(expression, target))
        return list(reduced)

    def _combine(self, target: str, terms: Terms) -> None:
        """Target = Σ coefficient × source; sources with one coefficient up to a sign together."""
        groups: dict[Expr, list[tuple[int, str]]] = {}
        for source, coefficient in terms:
            if -coefficient in groups:
                groups[-coefficient].append((-1, source))
            else:
                groups.setdefault(coefficient, []).append((1, source))
        if not groups:
            self.lines.append(f"{target}.fill(0.0)")
        for i, (coefficient, members) in enumerate(groups.items()):
            into = f"{target[0]}scratch" if i else target
            self._sum(into, members, coefficient)
            if i:
                self.lines.append(f"add({target}, {into}, {target})")

    def _sum(self, into: str, members: list[tuple[int, str]], coefficient: Expr) -> None:
        if coefficient == -1:
            coefficient, members = sympy.S.One, [(-sign, source) for sign, source in members]
        members = sorted(members, key=lambda m: -m[0])
        sign, current = members[0]
        for other, source in members[1:]:
            call = "add" if other == sign else "subtract"
            self.lines.append(f"{call}({current}, {source}, {into})")
            current = into
        coefficient = sign * coefficient
        if coefficient != 1:
            factor = _text(coefficient)
            of_units = {s.name for s in coefficient.free_symbols} & self.arrays
            if into[0] == "d" and self.several and of_units:
                factor = f"expand_dims({factor}, -2)"
            self.lines.append(f"multiply({current}, {factor}, {into})")
        elif current != into:
            self.lines.append(f"copyto({into}, {current})")


def _into(value: Expr, target: str) -> str:
    """A call that writes a value to an array and returns it."""
    if isinstance(value, tanh | logistic):
        name = "tanh" if isinstance(value, tanh) else "expit"
        return f"{name}({_text(value.args[0])}, {target})"
    if value.is_Add or value.is_Mul:
        first, rest = value.as_two_terms()
        name = "add" if value.is_Add else "multiply"
        return f"{name}({_text(first)}, {_text(rest)}, {target})"
    return f"add({_text(value)}, 0.0, {target})"


def _share(expressions: list[Expr]) -> list[Expr]:
    """Write sech² by tanh and σ(-x) by σ(x), so that signals and slopes share the costly calls.

    Where they vanish the error is 1e-16 (1e-7 in single precision) of their largest values.
    """
    met: set[Expr] = set()

    def mirror(node: Expr) -> Expr:
        argument = node.args[0]
        if -argument in met:
            return 1 - logistic(-argument)
        met.add(argument)
        return node

    def square(node: Expr) -> Expr:
        return (1 - tanh(node.base.args[0]) ** 2) ** (node.exp / 2)

    return [
        e.replace(lambda n: isinstance(n, logistic), mirror).replace(
            lambda n: n.is_Pow and isinstance(n.base, sech) and n.exp.is_even, square
        )
        for e in expressions
    ]


def _text(expression: Expr) -> str:
    """NumPy source; the square of a name is a product, which is the faster call."""
    return re.sub(r"\b([a-z]\d+)\*\*2(?![\d.*])", r"(\1*\1)", numpy_text(expression))

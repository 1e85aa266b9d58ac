"""Every way to write a wrong model that we could think of, and what it is told."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import sympy
from sympy import (
    Expr,
    Function,
    Integral,
    Interval,
    Lambda,
    Rational,
    Symbol,
    cos,
    exp,
    log,
    sin,
    sqrt,
    tanh,
)

from gatetheory.errors import GatetheoryError, ModelError
from gatetheory.functions import Nonlinear, logistic
from gatetheory.model import (
    NONNEGATIVE,
    POSITIVE,
    REAL,
    ConstantInput,
    Coupling,
    Field,
    GaussianInput,
    Model,
    Nonlinearity,
    Parameter,
    TimeDependentInput,
    WhiteNoise,
    fields,
    local_field,
    next_value,
    zoo,
)

h, z, w = fields("h z w")
eta, eta_z = local_field("h"), local_field("z")
x = Symbol("x", real=True)
t = Symbol("t", real=True)
I_h, I_2 = fields("I_h I_2")
TANH = tanh(h)
p = Parameter("p", 1, REAL)
q = Parameter("q", 1, POSITIVE)
f = Nonlinearity("f", Lambda(x, tanh(x)))


def build(
    drift: Any = None,
    *,
    update: Any = None,
    signal: Any = TANH,
    variance: Any = 1,
    time_constant: Any = 1,
    others: tuple[Field, ...] = (),
    couplings: tuple[Coupling, ...] = (),
    parameters: Sequence[Parameter] = (p, q),
    **rest: Any,
) -> Model:
    """One field driven by one coupling, with one thing changed."""
    if update is None:
        first = Field(h, drift=-h + eta if drift is None else drift, time_constant=time_constant)
    else:
        first = Field(h, update=update)
        rest["time"] = "discrete"
    return Model(
        **{
            "name": "sample",
            "time": "continuous",
            "fields": (first, *others),
            "couplings": (Coupling(eta, signal, variance), *couplings),
            "parameters": parameters,
            **rest,
        }
    )


def test_the_unchanged_sample_is_a_model() -> None:
    model = build()
    assert [f.law for f in model.fields] == [eta - h]
    assert build(update=tanh(eta)).time == "discrete"


def noisy(law: Expr, *more: Any, **rest: Any) -> Model:
    return build(law, inputs=(WhiteNoise(I_h, q.symbol), *more), **rest)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    # -- shape
    "time": (lambda: build(time="Discrete"), r"time must be 'continuous' or 'discrete'"),
    "no name": (lambda: build(name=" "), r"a model needs a name"),
    "no field": (lambda: build(fields=()), r"model sample: declare at least one field"),
    "no coupling": (lambda: Model("m", "continuous", (Field(h, drift=-h),), ()), r"one coupling"),
    "a field alone": (lambda: build(fields=Field(h, drift=-h)), r"fields must be a tuple of Field"),
    "a symbol": (lambda: build(fields=(h,)), r"fields must be a tuple of Field, got \(h,\)"),
    "a word as input": (lambda: build(inputs=("noise",)), r"inputs must be a tuple of Constant"),
    "two laws": (
        lambda: Field(h, drift=-h, value=eta),
        r"field h: give exactly one .* drift, value",
    ),
    "no law": (lambda: Field(h), r"field h: give exactly one of drift, update or value, got none"),
    "update of a flow": (
        lambda: build(others=(Field(z, update=z),)),
        r"field z: an update belongs to discrete time; give a drift or a value",
    ),
    "drift of a map": (
        lambda: build(update=eta, others=(Field(z, drift=-z),)),
        r"field z: a drift belongs to continuous time; give an update or a value",
    ),
    "time constant of a value": (
        lambda: build(others=(Field(z, value=h, time_constant=2),)),
        r"field z: only a drift has a time_constant",
    ),
    # -- time constants and variances
    "time constant < 0": (lambda: build(time_constant=-1), r"field h: the time_constant -1 may be"),
    "time constant real": (
        lambda: build(time_constant=p.symbol),
        r"time_constant p may be negative; use a parameter of domain POSITIVE or NONNEGATIVE",
    ),
    "time constant a field": (
        lambda: build(time_constant=h),
        r"the time_constant h may be negative",
    ),
    "time constant a Float": (lambda: build(time_constant=0.5), r"time constant .* the Float 0\.5"),
    "variance < 0": (lambda: build(variance=Rational(-1)), r"coupling h is -1, which is negative"),
    "variance = 0": (lambda: build(variance=0), r"variance of coupling h is 0, .* remove it"),
    "variance real": (
        lambda: build(variance=p.symbol),
        r"is p, which is negative at p = -1; narrow",
    ),
    "variance sometimes < 0": (
        lambda: build(variance=1 - q.symbol),
        r"is 1 - q, which is negative at q = 2",
    ),
    "variance of a field": (lambda: build(variance=h**2), r"contains h, .* may contain p, q"),
    "variance a Float": (lambda: build(variance=0.5), r"variance of coupling h contains the Float"),
    "variance complex": (lambda: build(variance=1j), r"variance of coupling h"),
    "variance a text": (lambda: build(variance="1/2"), r"coupling h: the variance must be a SymPy"),
    # -- names
    "field twice": (lambda: build(others=(Field(h, drift=-h),)), r"'h' is declared twice; rename"),
    "coupling twice": (lambda: build(couplings=(Coupling(eta, h),)), r"'eta_h' is declared twice"),
    "parameter like a field": (
        lambda: build(parameters=(Parameter("h", 1),)),
        r"name 'h' is declared twice",
    ),
    "parameter twice": (lambda: build(parameters=(p, p)), r"name 'p' is declared twice"),
    "nonlinearity like a field": (
        lambda: build(nonlinearities=(Nonlinearity("h", Lambda(x, x)),)),
        r"name 'h' is declared twice",
    ),
    "keyword": (
        lambda: build(parameters=(Parameter("lambda", 1),)),
        r"name 'lambda' is a word of Python; rename it, lambda_ for example",
    ),
    "blank": (lambda: build(parameters=(Parameter("a b", 1),)), r"name 'a b' is not an identifier"),
    "Greek": (lambda: build(parameters=(Parameter("α", 1),)), r"name 'α' is not an identifier"),
    "the time": (lambda: build(others=(Field(t, drift=-t),)), r"'t' is reserved for the time"),
    "a constant": (
        lambda: build(parameters=(Parameter("pi", 1),)),
        r"'pi' has a meaning of its own",
    ),
    "a function": (
        lambda: build(nonlinearities=(Nonlinearity("tanh", Lambda(x, tanh(x))),)),
        r"name 'tanh' has a meaning of its own in formulas; rename it",
    ),
    "an order parameter": (
        lambda: build(parameters=(Parameter("Delta_h", 1),)),
        r"name 'Delta_h' is that of an order parameter",
    ),
    "local field's name": (
        lambda: build(-h + eta + Symbol("I", real=True), couplings=(Coupling(I_h, h),)),
        r"local field I_h must be named eta_<coupling>; make it with gatetheory.local_field",
    ),
    # -- symbols
    "field a text": (lambda: Field("h", drift=-h), r"symbol of a field must be a SymPy Symbol"),
    "coupling a text": (lambda: Coupling("eta_h", h), r"local field .* must be a SymPy Symbol"),
    "input a text": (lambda: ConstantInput("I", 1), r"symbol of an input must be a SymPy Symbol"),
    "complex field": (
        lambda: build(others=(Field(Symbol("u"), drift=-Symbol("u")),)),
        r"symbol u must be real; make it with gatetheory.fields",
    ),
    "complex local field": (
        lambda: build(
            couplings=(Coupling(Symbol("eta_z"), h),),
            others=(Field(z, drift=-z + Symbol("eta_z")),),
        ),
        r"symbol eta_z must be real",
    ),
    "complex input": (
        lambda: build(-h + eta + Symbol("u"), inputs=(ConstantInput(Symbol("u"), 1),)),
        r"symbol u must be real",
    ),
    "other assumptions": (
        lambda: build(-Symbol("q") * h + eta),
        r"law of field h contains a symbol q whose assumptions differ from the declared one",
    ),
    "undeclared symbol": (
        lambda: build(-h * Symbol("k", positive=True) + eta),
        r"law of field h contains k, which may not stand there; it may contain eta_h, h, p, q",
    ),
    "time in a law": (lambda: build(-h + eta + sin(t)), r"contains t, which may not stand there"),
    "local field in a signal": (
        lambda: build(signal=eta),
        r"the signal of coupling h contains eta_h",
    ),
    "input in a signal": (
        lambda: build(signal=I_h, inputs=(ConstantInput(I_h, 1),)),
        r"the signal of coupling h contains I_h",
    ),
    "field in an input": (
        lambda: build(-h + eta + I_h, inputs=(ConstantInput(I_h, h),)),
        r"the value of input I_h contains h, .* it may contain p, q",
    ),
    # -- what laws are made of
    "text": (lambda: build("-h + eta_h"), r"field h: the drift must be a SymPy expression or an"),
    "code": (lambda: Field(h, drift="__import__('os').getcwd()"), r"the drift must be a SymPy"),
    "nothing": (lambda: build(signal=None), r"coupling h: the signal must be a SymPy expression"),
    "truth": (lambda: build(True), r"the drift must be a SymPy expression .* got True"),
    "tuple": (lambda: build((h, eta)), r"field h: the drift must be one SymPy expression"),
    "equation": (lambda: build(sympy.Eq(h, eta)), r"the drift must be one SymPy expression"),
    "relation": (lambda: build(h < eta), r"the drift must be one SymPy expression"),
    "matrix": (lambda: build(sympy.Matrix([h, eta])), r"the drift must be one SymPy expression"),
    "matrix symbol": (
        lambda: build(sympy.MatrixSymbol("M", 2, 2)),
        r"the drift must be one SymPy expression",
    ),
    "lambda": (lambda: build(Lambda(x, x)), r"the law of field h contains Lambda"),
    "unknown function": (
        lambda: build(-h + Function("F")(h) + eta),
        r"contains F\(h\), which cannot be evaluated; declare a Nonlinearity",
    ),
    "integral": (
        lambda: build(-h + Integral(x * eta, (x, 0, 1))),
        r"contains Integral.* which cannot be evaluated",
    ),
    "derivative": (
        lambda: build(-h + eta + sympy.Derivative(tanh(h), h)),
        r"contains Derivative.* which cannot be evaluated",
    ),
    # -- numbers
    "Float in a law": (lambda: build(-0.5 * h + eta), r"law of field h contains the Float -0\.5"),
    "Float in a power": (lambda: build(-h * sqrt(1 + h**2) ** 1.5 + eta), r"contains the Float"),
    "Float in a signal": (
        lambda: build(signal=tanh(1.5 * h)),
        r"signal of coupling h contains the",
    ),
    "Float in an argument": (
        lambda: build(signal=f(0.5 * h), nonlinearities=(f,)),
        r"signal of coupling h contains the Float 0\.5.* write a sympy.Rational",
    ),
    "Float in a definition": (
        lambda: build(nonlinearities=(Nonlinearity("f", Lambda(x, 0.5 * x)),)),
        r"definition of nonlinearity f contains the Float",
    ),
    "Float in an input": (
        lambda: build(-h + eta + I_h, inputs=(ConstantInput(I_h, 0.5),)),
        r"the value of input I_h contains the Float",
    ),
    "Float in a mean": (
        lambda: build(-h + eta + I_h, inputs=(GaussianInput(I_h, 1, 0.5),)),
        r"the mean of input I_h contains the Float",
    ),
    "Float in a heterogeneity": (
        lambda: build(-h + eta + I_h, inputs=(GaussianInput(I_h, 0.5),)),
        r"the variance of input I_h contains the Float",
    ),
    "Float in a noise": (lambda: noisy(-h + eta + 0.5 * I_h), r"law of field h contains the Float"),
    "Float in an intensity": (
        lambda: build(-h + eta + I_h, inputs=(WhiteNoise(I_h, 0.1),)),
        r"the intensity of input I_h contains the Float",
    ),
    "Float in a time course": (
        lambda: build(-h + eta + I_h, inputs=(TimeDependentInput(I_h, Lambda(t, sin(0.5 * t))),)),
        r"the function of input I_h contains the Float",
    ),
    "complex": (lambda: build(-h + sympy.I * eta), r"law of field h is not real and finite"),
    "nan": (lambda: build(-h + eta + sympy.nan), r"law of field h is not real and finite: nan"),
    "infinity": (lambda: build(-h + eta, signal=sympy.oo), r"signal of coupling h is not real and"),
    "logarithm": (lambda: build(-h + eta + log(h)), r"log\(h\), which is not real and finite for"),
    "root": (
        lambda: build(-h + eta * sqrt(h)),
        r"sqrt\(h\), .* h must be positive but is not near",
    ),
    "imaginary root": (lambda: build(-h + eta * sqrt(-1 - h**2)), r"-h\*\*2 - 1 must be positive"),
    "pole": (
        lambda: build(-h + eta / h),
        r"1/h, .* h must be different from 0 but is not near h = 0",
    ),
    "pole beside 0": (lambda: build(-h + eta / (h**2 - 2)), r"h\*\*2 - 2 must be different from 0"),
    "pole of an explicit gate": (
        lambda: build(-h + eta / (1 - exp(h))),
        r"must be different from 0",
    ),
    "pole at a parameter": (
        lambda: build(-h / p.symbol + eta),
        r"1/p, which is not real .* p must be different from 0 but is not near p = 0",
    ),
    "pole of a definition": (
        lambda: build(-h + eta, signal=1 / f(h), nonlinearities=(f,)),
        r"signal of coupling h contains 1/tanh\(h\)",
    ),
    "signal 0": (lambda: build(signal=0), r"the signal of coupling h is 0; remove the coupling"),
    # -- nonlinearities
    "undeclared nonlinearity": (
        lambda: build(signal=f(h)),
        r"signal of coupling h uses the nonlinearity f, which is not declared; add it",
    ),
    "derivative of an undeclared one": (
        lambda: build(signal=Nonlinear("f", 1, h)),
        r"uses the nonlinearity f, which is not declared",
    ),
    "undeclared in a definition": (
        lambda: build(nonlinearities=(Nonlinearity("k", Lambda(x, f(x))),)),
        r"definition of nonlinearity k uses the nonlinearity f, which is not declared",
    ),
    "definitions in a loop": (
        lambda: build(
            nonlinearities=(
                Nonlinearity("f", Lambda(x, Nonlinear("k", 0, x))),
                Nonlinearity("k", Lambda(x, f(x) ** 2)),
            )
        ),
        r"definitions use each other in a loop \(f, k\); write one of them out",
    ),
    "definition of itself": (
        lambda: build(nonlinearities=(Nonlinearity("f", Lambda(x, f(2 * x))),)),
        r"definitions use each other in a loop \(f\)",
    ),
    "definition with a field": (
        lambda: build(nonlinearities=(Nonlinearity("f", Lambda(x, h * x)),)),
        r"definition of nonlinearity f contains h, .* it may contain p, q, x",
    ),
    "definition infinite": (
        lambda: build(nonlinearities=(Nonlinearity("f", Lambda(x, x + sympy.oo)),)),
        r"definition of nonlinearity f is not real and finite",
    ),
    "definition a function": (
        lambda: Nonlinearity("f", tanh),
        r"nonlinearity f: the definition must be a sympy.Lambda of one variable, got tanh",
    ),
    "definition of two": (
        lambda: Nonlinearity("f", Lambda((x, h), x * h)),
        r"must be a sympy.Lambda of one variable",
    ),
    "definition of a complex": (
        lambda: Nonlinearity("f", Lambda(Symbol("x"), tanh(Symbol("x")))),
        r"nonlinearity f: the definition: make its variable real, sympy.Symbol\('x', real=True\)",
    ),
    "nonlinearity of a text": (lambda: f("h"), r"argument of f must be a SymPy expression"),
    "nonlinearity without a name": (
        lambda: Nonlinearity(3, Lambda(x, x)),  # type: ignore[arg-type]
        r"the name of a nonlinearity must be text",
    ),
    # -- couplings and inputs that do nothing
    "unused coupling": (
        lambda: build(couplings=(Coupling(eta_z, tanh(h)),)),
        r"coupling z drives nothing: no law contains eta_z; use it in a law or remove",
    ),
    "undeclared coupling": (
        lambda: build(-h + eta + eta_z),
        r"law of field h contains eta_z, which may not stand there",
    ),
    "unused input": (lambda: build(inputs=(ConstantInput(I_h, 1),)), r"input I_h drives nothing"),
    "heterogeneity 0": (
        lambda: build(-h + eta + I_h, inputs=(GaussianInput(I_h, 0),)),
        r"variance of input I_h is 0, so it has no effect",
    ),
    "heterogeneity < 0": (
        lambda: build(-h + eta + I_h, inputs=(GaussianInput(I_h, -1),)),
        r"variance of input I_h is -1, which is negative",
    ),
    "intensity < 0": (
        lambda: build(-h + eta + I_h, inputs=(WhiteNoise(I_h, -1),)),
        r"intensity of input I_h is -1, which is negative",
    ),
    "time course an expression": (
        lambda: TimeDependentInput(I_h, sin(t)),
        r"input I_h: the function must be a sympy.Lambda of one variable",
    ),
    # -- noise
    "noise times a field": (lambda: noisy(-h + eta + h * I_h), r"noise I_h multiplies the state"),
    "noise squared": (lambda: noisy(-h + eta + I_h**2), r"only additive noise has a meaning"),
    "noise times a local field": (lambda: noisy(-h + eta * I_h), r"in the law of field h"),
    "noise times heterogeneity": (
        lambda: noisy(-h + eta + I_h * I_2, GaussianInput(I_2, 1)),
        r"white noise I_h multiplies the state",
    ),
    "noise inside a function": (lambda: noisy(-h + eta + tanh(I_h)), r"multiplies the state"),
    "noise of a value": (
        lambda: noisy(-h + eta + z, others=(Field(z, value=tanh(h) + I_h),)),
        r"white noise I_h enters the algebraic field z; give the field a time constant",
    ),
    # -- order of evaluation
    "next in a flow": (lambda: build(-h + eta + next_value(h)), r"only the update of a field may"),
    "next in a signal": (
        lambda: build(update=eta, signal=next_value(h)),
        r"signal of coupling h contains next\(h\); only the update of a field",
    ),
    "next in a value": (
        lambda: build(update=eta, others=(Field(z, value=next_value(h)),)),
        r"law of field z contains next\(h\); only the update of a field",
    ),
    "next of itself": (lambda: build(update=eta + next_value(h)), r"each other in a loop \(h\)"),
    "next in a loop": (
        lambda: build(update=eta + next_value(z) / 2, others=(Field(z, update=next_value(h) / 2),)),
        r"updated values read each other in a loop \(h, z\); give one of them",
    ),
    "next of a value": (
        lambda: build(update=eta + next_value(z), others=(Field(z, value=tanh(h)),)),
        r"field h reads next\(z\), but z has no update",
    ),
    "next of an expression": (
        lambda: build(update=eta + next_value(2 * h)),
        r"reads next\(2\*h\), but 2\*h has no update",
    ),
    "value of itself": (
        lambda: build(others=(Field(z, value=tanh(z) / 2),)),
        r"algebraic fields read each other in a loop \(z\)",
    ),
    "values in a loop": (
        lambda: build(others=(Field(z, value=w / 2), Field(w, value=h + z / 2))),
        r"algebraic fields read each other in a loop \(w, z\); give one of them dynamics",
    ),
    "value through the network": (
        lambda: build(others=(Field(z, value=eta_z),), couplings=(Coupling(eta_z, tanh(z) * h),)),
        r"algebraic fields read each other in a loop \(z\)",
    ),
    "no dynamics through the network": (
        lambda: build(signal=tanh(h), time_constant=0),
        r"algebraic fields read each other in a loop \(h\)",
    ),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_wrong_models_are_told_what_is_wrong(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ModelError, match=message) as refusal:
        make()
    assert isinstance(refusal.value, ValueError)
    assert isinstance(refusal.value, GatetheoryError)
    assert "Traceback" not in str(refusal.value)


ACCEPTED: dict[str, Callable[[], Model]] = {
    "lists": lambda: build(parameters=[p, q], inputs=[], nonlinearities=[]),
    "integer variance": lambda: build(variance=2),
    "squared variance": lambda: build(variance=p.symbol**2),
    "variance within its domain": lambda: build(
        variance=1 - Symbol("k", nonnegative=True),
        parameters=(Parameter("k", 0, Interval(0, 1)),),
    ),
    "variance that may vanish": lambda: build(
        variance=Symbol("k", nonnegative=True), parameters=(Parameter("k", 0, NONNEGATIVE),)
    ),
    "constant signal": lambda: build(signal=1),
    "unused parameter": lambda: build(parameters=(p, q, Parameter("k", 1))),
    "linear nonlinearity": lambda: build(
        signal=Nonlinear("k", 0, h), nonlinearities=(Nonlinearity("k", Lambda(x, x)),)
    ),
    "unused nonlinearity": lambda: build(nonlinearities=(f,)),
    "names of functions SymPy alone knows": lambda: build(
        parameters=tuple(Parameter(n, 1) for n in ("S", "N", "E", "beta", "gamma", "zeta", "Q"))
    ),
    "smooth functions": lambda: build(
        -h + eta + cos(h) + sympy.erf(h) + sympy.atan(h) + sympy.asinh(h) + exp(-(h**2)),
        signal=log(1 + exp(q.symbol * h)) / q.symbol,
    ),
    "kinks": lambda: build(-h + sympy.Max(0, eta) + abs(eta) + sqrt(h**2)),
    "jumps": lambda: build(-h + eta * sympy.Heaviside(h), signal=sympy.sign(h)),
    "cases": lambda: build(sympy.Piecewise((eta - h, h > 0), (-h, True)) + eta),
    "safe roots and poles": lambda: build(-h / sqrt(1 + h**2) + eta / (2 + tanh(h))),
    "safe pole of a definition": lambda: build(
        -h + eta / (2 + f(h)), signal=sqrt(2 + f(h)), nonlinearities=(f,)
    ),
    "pole outside the domain": lambda: build(-h / q.symbol + eta),
    "scaled noise": lambda: noisy(-h + eta + p.symbol * I_h),
    "one input for two fields": lambda: build(
        -h + eta + I_h,
        others=(Field(z, drift=-z + I_h),),
        inputs=(ConstantInput(I_h, p.symbol),),
    ),
    "drift without time constant": lambda: build(
        others=(Field(z, drift=-z + eta, time_constant=0),)
    ),
    "chain of values": lambda: build(others=(Field(z, value=w**2), Field(w, value=tanh(h)))),
    "next in a row": lambda: build(
        update=eta * next_value(z),
        others=(Field(z, update=next_value(w) / 2), Field(w, update=h)),
    ),
    "nested definitions": lambda: build(
        signal=Nonlinear("k", 0, f(h)),
        nonlinearities=(f, Nonlinearity("k", Lambda(x, f(x) ** 2))),
    ),
}


@pytest.mark.parametrize("make", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_unusual_models_are_accepted(make: Callable[[], Model]) -> None:
    assert isinstance(make().fields, tuple)


def test_an_explicit_sigmoid_becomes_logistic() -> None:
    k = Nonlinearity("k", Lambda(x, 1 / (1 + exp(-q.symbol * x))))
    model = build(-h / (1 + exp(-h)) + eta, signal=k(1 / (1 + exp(h))), nonlinearities=(k,))
    assert model.fields[0].law == -h * logistic(h) + eta
    assert model.couplings[0].signal == k(logistic(-h))
    assert model.definitions["k"](h) == logistic(q.symbol * h)


@pytest.mark.parametrize("name", zoo.MODELS)
def test_every_published_model_is_refused_without_any_one_of_its_parts(name: str) -> None:
    """Each coupling, nonlinearity and parameter is needed: nothing declared is ignored."""
    model = zoo.MODELS[name]()
    for kind in ("couplings", "nonlinearities", "parameters"):
        parts = getattr(model, kind)
        for part in parts:
            fewer: Any = {kind: tuple(other for other in parts if other is not part)}
            culprit = part.name if len(parts) > 1 or kind != "couplings" else "coupling"
            with pytest.raises(ModelError, match=culprit):
                replace(model, **fewer)

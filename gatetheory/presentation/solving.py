"""The verb ``solve`` of the command line."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from gatetheory.errors import ConvergenceError, DerivationError, ParameterError, PrecisionError
from gatetheory.model import Model
from gatetheory.pipeline import backend, derive, solve
from gatetheory.presentation import json_records as records
from gatetheory.presentation import time_records
from gatetheory.presentation.gradient_record import gradients_record
from gatetheory.presentation.progress import Bar, progress_bar
from gatetheory.presentation.settings import model_of, number_of, result_of, values_of
from gatetheory.presentation.text import solution_text
from gatetheory.solvers.correlation_records import Correlations
from gatetheory.solvers.records import Moments
from gatetheory.theory.derive import Theory

OK, STOPPED = 0, 3
SOLVABLE = ("fixed_points", "spectrum", "moments", "correlations", "lyapunov", "two_time",
            "gradients")  # fmt: skip
ANSWERED = ("ok", "no_solution", "no_chaotic_state")  # statuses that answer the question

_BELONGS = {
    "state": ("spectrum", "moments"),
    "branch": ("spectrum", "moments", "correlations", "lyapunov", "gradients"),
    "closure": ("correlations", "lyapunov", "two_time", "gradients"),
    "seed": ("correlations", "lyapunov", "two_time", "gradients"),
    "accuracy": ("correlations", "lyapunov", "gradients"),
    "duration": ("two_time",),
    "step": ("two_time",),
    "horizon": ("gradients",),
    "by": ("gradients",),
    "loss": ("gradients",),
    "running": ("gradients",),
    "fixed_point": ("gradients",),
}

Solved = tuple[records.Record, str]


def solve_verb(options: Namespace) -> int:
    """Solve a result and print it."""
    model = model_of(options.model)
    result = result_of(options.result, SOLVABLE, "solve")
    at = values_of("--set", options.settings)
    state = None if options.state is None else values_of("--state", options.state)
    _check_solve(options, result)
    model.bind(at)
    theory = derive(model)
    shown = not (options.quiet or options.json)
    try:
        with progress_bar("deriving", shown=shown, steps=3) as bar:
            record, text = _solutions(result)(theory, at, state, options, bar)
    except (ConvergenceError, PrecisionError) as error:
        return stopped(model, at, error, options)
    print(records.dumps(record) if options.json else text)
    return OK if record["status"] in ANSWERED else STOPPED


def _check_solve(options: Namespace, result: str) -> None:
    backend(options.digits)
    if options.state is not None and options.branch is not None:
        raise ParameterError("--state and --branch exclude each other: a synthetic state has none")
    for name, results in _BELONGS.items():
        if result not in results and getattr(options, name) is not None:
            option = name.replace("_", "-")
            raise ParameterError(f"--{option} belongs to {' and '.join(results)}")
    if options.closure != "sampled" and options.closure is not None:
        for name in ("seed", "accuracy"):
            if getattr(options, name) is not None:
                raise ParameterError(f"--{name} belongs to --closure sampled")


def _solutions(result: str) -> Callable[..., Solved]:
    return {
        "fixed_points": _fixed_points,
        "spectrum": _spectrum,
        "moments": _moments,
        "correlations": _correlations,
        "lyapunov": _lyapunov,
        "two_time": _two_time,
        "gradients": _gradients,
    }[result]


def _fixed_points(
    theory: Theory, at: dict[str, str], _: object, options: Namespace, bar: Bar
) -> Solved:
    problem = theory.fixed_points
    bar.step("fixed points")
    points = solve(problem, at, digits=options.digits)
    record = records.fixed_points_record(theory.model, points)
    return record, solution_text(theory.model, points, points.provenance)


def _spectrum(
    theory: Theory, at: dict[str, str], state: dict[str, str] | None, options: Namespace, bar: Bar
) -> Solved:
    condition = theory.spectrum if state is None else theory.synthetic_spectrum
    place = _place(options, state)
    bar.step("spectrum")
    spectrum = solve(condition, at, digits=options.digits, **place)
    bar.step("moments")
    moments, note = _moments_or_not(theory, at, state, options)
    branch = place.get("branch")
    record = records.spectrum_record(theory.model, spectrum, moments, note, branch)
    text = solution_text(theory.model, spectrum, spectrum.provenance)
    return record, f"{text}\n{note if moments is None else moments}"


def _moments_or_not(
    theory: Theory, at: dict[str, str], state: dict[str, str] | None, options: Namespace
) -> tuple[Moments | None, str]:
    """Moments beside a spectrum, or why there are none."""
    for f in theory.model.fields:
        if f.time_constant.xreplace(theory.model.bind(at)).is_zero:
            note = f"moments need dynamics for every field, but {f.time_constant} = 0"
            return None, f"{note} makes {f.name} algebraic"
    try:
        problem = theory.moments if state is None else theory.synthetic_moments
        return solve(problem, at, digits=options.digits, **_place(options, state)), ""
    except DerivationError as error:
        return None, str(error)


def _moments(
    theory: Theory, at: dict[str, str], state: dict[str, str] | None, options: Namespace, bar: Bar
) -> Solved:
    bar.step("moments")
    moments, note = _moments_or_not(theory, at, state, options)
    if moments is None:
        raise DerivationError(note)
    record = records.moments_record(theory.model, moments, _place(options, state).get("branch"))
    return record, solution_text(theory.model, moments, moments.provenance)


def _correlations(
    theory: Theory, at: dict[str, str], _: object, options: Namespace, bar: Bar
) -> Solved:
    bar.step("correlations")
    found = solve(theory.correlations, at, **_closure(theory, at, options))
    branch = -1 if options.branch is None else options.branch
    count = len(found) if isinstance(found, Correlations) else 1
    if count and not -count <= branch < count:
        raise ParameterError(f"there is no state {branch}: {count} found, counted from 0")
    record = time_records.correlations_record(theory.model, found, branch)
    return record, solution_text(theory.model, found, found.provenance)


def _lyapunov(
    theory: Theory, at: dict[str, str], _: object, options: Namespace, bar: Bar
) -> Solved:
    bar.step("Lyapunov exponent")
    chosen = _closure(theory, at, options)
    if options.branch is not None:
        chosen["branch"] = options.branch
    found = solve(theory.lyapunov, at, **chosen)
    record = time_records.lyapunov_record(theory.model, found)
    return record, solution_text(theory.model, found, found.provenance)


def _two_time(
    theory: Theory, at: dict[str, str], _: object, options: Namespace, bar: Bar
) -> Solved:
    usual = 1.0 if theory.model.time == "discrete" else 0.25
    times = (options.duration or 20.0, options.step or usual)
    bar.step("two times")
    problem = theory.two_time
    name, _ = problem.closure(problem.bind(at), options.closure)
    seed = {} if options.seed is None or name != "sampled" else {"seed": options.seed}
    found = solve(problem, at, times=times, closure=options.closure, **seed)
    record = time_records.two_time_record(theory.model, found)
    return record, solution_text(theory.model, found, found.provenance)


def _gradients(
    theory: Theory, at: dict[str, str], _: object, options: Namespace, bar: Bar
) -> Solved:
    bar.step("gradients")
    problem = theory.gradients
    name, _ = problem.state.closure(problem.bind(at), options.closure)
    chosen: dict[str, Any] = {"closure": options.closure, "digits": options.digits}
    for option in ("branch", "fixed_point", "loss", "running"):
        if getattr(options, option) is not None:
            chosen[option] = getattr(options, option)
    if name == "sampled":
        for option in ("seed", "accuracy"):
            if getattr(options, option) is not None:
                chosen[option] = getattr(options, option)
    by = "all" if options.by == ["all"] else options.by
    horizon = [number_of("--horizon", t) for t in options.horizon or ["10"]]
    found = solve(problem, at, horizon=horizon, by=by, **chosen)
    return gradients_record(theory.model, found), solution_text(
        theory.model, found, found.provenance
    )


def _closure(theory: Theory, at: dict[str, str], options: Namespace) -> dict[str, Any]:
    """The closure, and what belongs to sampling, as options of ``solve``."""
    state = theory.correlations
    name, _ = state.closure(state.bind(at), options.closure)
    chosen: dict[str, Any] = {"closure": options.closure, "digits": options.digits}
    if name == "sampled":
        for option in ("seed", "accuracy"):
            if getattr(options, option) is not None:
                chosen[option] = getattr(options, option)
    return chosen


def _place(options: Namespace, state: dict[str, str] | None) -> dict[str, Any]:
    """The fixed point or the synthetic state to solve at."""
    if state is not None:
        return {"state": state}
    return {"branch": -1 if options.branch is None else options.branch}


def stopped(
    model: Model, at: dict[str, str], error: ConvergenceError | PrecisionError, options: Namespace
) -> int:
    """A solver that stopped early: an object with a status, or, without --json, one line."""
    if not options.json:
        raise error
    status = "not_converged" if isinstance(error, ConvergenceError) else "precision_lost"
    parameters = {s.name: v for s, v in model.bind(at).items()}
    record = records.head(model, parameters, status)
    print(records.dumps(record | {"value": None, "residual": None, "advice": str(error)}))
    return STOPPED

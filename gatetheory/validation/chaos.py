"""Stationary correlations and the largest Lyapunov exponent beside networks that keep moving."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gatetheory.comparison import Comparison
from gatetheory.validation.chaotic_state import ChaoticState
from gatetheory.validation.estimates import limit, listed

Array = NDArray[np.float64]

MEANING = "networks in the stationary state"
RESTING = 0.5  # share of the largest networks that may come to rest where theory sees no rest
_CONSTANT = 1e-9  # scatter below this, relative, is rounding


def chaos_rows(state: ChaoticState) -> list[Comparison]:
    """Equal-time correlations, λ_max, and the share of networks that move.

    An expansion in 1/N holds for networks that are in the state described. Small ones come to rest
    or into a cycle instead, with a probability that falls exponentially in N; sizes at which one
    did are left out as a whole, since to leave out single networks would bias the mean.
    """
    if not state.sizes:
        return []
    used, left_out = usable_sizes(state)
    note = _note(state, used, left_out)
    rows = []
    for name, (value, error) in state.values.items():
        if name not in state.correlation_runs[state.sizes[0]].names:
            continue
        by_size = {n: list(samples_at(state, n, name)) for n in state.sizes}
        rows.append(_row(name, value, error, by_size, used, note))
    exponent = state.lyapunov
    if exponent is not None and exponent.value is not None:
        by_size = {n: [s.largest for s in run.spectra] for n, run in state.lyapunov_runs.items()}
        error = (exponent.error or 0.0) if exponent.closure == "sampled" else 0.0
        rows.append(_row("lambda_max", exponent.value, error, by_size, used, note))
    if state.rest is False:
        rows.append(_moving(state))
    return rows


def usable_sizes(state: ChaoticState) -> tuple[tuple[int, ...], str]:
    """Sizes at which every network is in the state described, and why others are not.

    A network is not if it rests, or if it does not amplify perturbations while the theory does.
    """
    exponent = state.lyapunov
    chaotic = exponent is not None and exponent.value is not None and exponent.value > 0
    used, reasons = [], []
    for n in state.sizes:
        run = state.lyapunov_runs[n]
        died = set(run.died) | set(state.correlation_runs[n].died)
        regular = {k for k, s in enumerate(run.spectra) if chaotic and s.largest <= 0} - died
        if not died and not regular:
            used.append(n)
            continue
        words = [f"{len(died)} at rest"] if died else []
        words += [f"{len(regular)} not chaotic"] if regular else []
        reasons.append(f"N = {n}: {' and '.join(words)} of {len(run.spectra)}")
    return tuple(used), ", ".join(reasons)


def samples_at(state: ChaoticState, units: int, name: str, lag: int = 0) -> Array:
    """C at one lag of every network of a size, shape (networks,); a field's mean is taken off."""
    run = state.correlation_runs[units]
    found = run.samples(name)[:, lag]
    if name not in state.centred:
        return np.asarray(found)
    return np.asarray(found - [float(np.mean(c.means[name] ** 2)) for c in run.networks])


def _row(
    name: str, theory: float, error: float, by_size: dict[int, list[float]],
    used: tuple[int, ...], note: str,
) -> Comparison:  # fmt: skip
    largest = by_size[max(by_size)]
    if len(used) < 2:
        mean = float(np.mean(largest))
        return Comparison(name, MEANING, theory, mean, None, note, theory_error=error)
    value, stderr = limit({n: by_size[n] for n in used})
    exact = None
    if stderr <= _CONSTANT * max(abs(value), _CONSTANT):
        exact = 1e-6 * max(1.0, abs(theory)) + 4 * error
    return Comparison(name, MEANING, theory, value, stderr, note, exact, error)


def _moving(state: ChaoticState) -> Comparison:
    n = state.sizes[-1]
    died = set(state.lyapunov_runs[n].died)
    count = len(state.lyapunov_runs[n].spectra)
    return Comparison(
        "moving",
        MEANING,
        1.0,
        1 - len(died) / count,
        None,
        f"share of the networks of N = {n} that have not come to rest; theory has no stable "
        f"fixed point, and at least {1 - RESTING:.0%} must move",
        tolerance=RESTING,
    )


def _note(state: ChaoticState, used: tuple[int, ...], left_out: str) -> str:
    run = state.lyapunov_runs[state.sizes[-1]]
    unit = "steps" if run.spectra[0].method == "iterate" else "units of time"
    note = f"N = {listed(used or state.sizes)}, each run for {run.duration:g} {unit}"
    if left_out:
        note += f"; left out, too small or too close to the onset: {left_out}"
    if len(used) < 2:
        last = f"the means are of N = {state.sizes[-1]}"
        note += f"; not compared: fewer than two sizes to extrapolate from, {last}"
    drifting = [
        n
        for n in used
        if state.lyapunov_runs[n].stationary is False
        or state.correlation_runs[n].stationary is False
    ]
    if drifting:
        note += f"; halves of the runs differ at N = {listed(tuple(drifting))}: not yet stationary"
    return note

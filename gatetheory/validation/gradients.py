"""Second moments of gradients beside networks: rows of the table."""

from __future__ import annotations

import numpy as np

from gatetheory.comparison import Comparison
from gatetheory.validation.estimates import limit
from gatetheory.validation.gradient_state import COMPARED, GradientState

MOVING = "gradients in networks in the stationary state"
RESTING = "gradients at fixed points of networks"
NOTHING = 1e-12  # moments below this, or this part of the largest, vanish up to rounding
_CONSTANT = 1e-9  # scatter below this, relative, is rounding


def gradient_rows(state: GradientState) -> list[Comparison]:
    """Q_a(T) for every coupling and E[(dL/dθ)²] for some parameters, at two horizons.

    What vanishes in theory and in networks is left out, as there is nothing to compare.
    """
    found = state.theory
    if found is None or not state.samples:
        return []
    meaning = meaning_of(state)
    largest = max((float(v.max()) for v, _ in state.values.values()), default=0.0)
    least = NOTHING * max(largest, 1.0)
    rows = []
    for k in COMPARED:
        for name, (values, errors) in state.values.items():
            label = f"{name} at T = {found.horizons[k]:g}"
            theory, error = float(values[k]), float(errors[k]) if found.sampled else 0.0
            mean, stderr = networks(state, name, k)
            if max(abs(theory), abs(mean)) <= least:
                continue
            exact = None
            if stderr is not None and stderr <= _CONSTANT * abs(mean):
                exact = 1e-6 * abs(theory) + 4 * error
            rows.append(Comparison(label, meaning, theory, mean, stderr, state.note, exact, error))
    return rows


def meaning_of(state: GradientState) -> str:
    """Where gradients were taken, in words."""
    return MOVING if state.theory is not None and state.theory.state == "chaotic" else RESTING


def networks(state: GradientState, name: str, index: int) -> tuple[float, float | None]:
    """Mean and standard error, N → ∞; without an error, of the largest size, where too few."""
    if len(state.sizes) < 2:
        largest = state.samples[max(state.samples)]
        return float(np.mean(largest[name][:, index])), None
    return limit({n: list(state.samples[n][name][:, index]) for n in state.sizes})

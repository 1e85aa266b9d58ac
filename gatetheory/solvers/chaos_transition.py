"""Where the chaotic state appears or disappears along a parameter.

The quiet state's response says where it loses stability (the onsets; their exact values come from
the conditions of fixed points). Just inside the unstable side a chaotic state exists; its curve in
amplitude and parameter is followed back. If it arrives at the onset without turning, chaos begins
continuously; if it turns, at the turning point. Where the quiet state is stable, chaotic states
that are not connected to an onset in the range are looked for at a number of values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gatetheory.errors import ConvergenceError, DerivationError
from gatetheory.solvers.chaos_curve import Curve, Fold, folds, trace
from gatetheory.solvers.chaos_path import LagPath
from gatetheory.solvers.lag_newton import amplitude
from gatetheory.solvers.lag_problem import LagPoint
from gatetheory.solvers.lag_search import quiet_response, search
from gatetheory.solvers.transition_search import spread

PROBES = 12  # values at which separate chaotic states are looked for
_INSIDE = (0.03, 0.01, 0.1)  # steps from an onset into the unstable side, relative
_SIDE = 1e-3
_SAME = 1e-6
_QUIET = 1e-6
_WEAK = 1e-3  # responses of the quiet state below which nothing is looked for


@dataclass(frozen=True)
class Boundary:
    """An end of a chaotic branch.

    Args:
        value: The parameter.
        fold: The turning point; None at a continuous onset.
        outer: Whether no chaotic state exists on one side of it.
    """

    value: float
    fold: Fold | None
    outer: bool


@dataclass(frozen=True)
class ChaosRange:
    """What was found, ascending in the parameter.

    Args:
        boundaries: Ends of chaotic branches.
        searched: What was searched, in words.
    """

    boundaries: tuple[Boundary, ...]
    searched: str

    @property
    def first(self) -> Boundary | None:
        """The smallest value at which a chaotic state begins or ceases to exist.

        None where one exists on both sides of every boundary.
        """
        return next((b for b in self.boundaries if b.outer), None)


def find_chaos(path: LagPath, onsets: Sequence[float], window: tuple[float, float]) -> ChaosRange:
    """Ends of the chaotic state's existence between two values of the parameter.

    Args:
        path: The system along the parameter.
        onsets: Values at which a fixed point loses stability through a real mode.
        window: Range of the parameter.

    Raises:
        DerivationError: If white noise leaves no quiet state.
        ConvergenceError: If a chaotic state that has to exist was not found.
    """
    low, high = window
    if path.problem((low + high) / 2).is_noisy:
        raise DerivationError(
            "white noise keeps the state moving: there is no quiet state from which chaos could "
            "appear; look at where the Lyapunov exponent changes sign"
        )
    own = [p for p in onsets if low <= p <= high and _is_quiet_onset(path, p)]
    curves: list[Curve] = []
    for onset in own:
        curves += _from_onset(path, onset, own, window)
    failed = lost = 0
    probes = [float(p) for p in spread(low, high, PROBES)]
    for value in probes:
        if any(c.low <= value <= c.high for c in curves) or not _may_hide(path, value):
            continue
        states = _states(path, value)
        failed += states is None
        for start in states or ():
            try:
                curves.append(trace(path, start, value, window, own, upwards=True))
            except ConvergenceError:  # a symmetric point: the parameter does not move it
                lost += 1
    if lost and not curves:
        raise ConvergenceError("chaotic states were found, but none could be followed to its ends")
    text = (
        f"{path.along} from {low:.6g} to {high:.6g}: {len(own)} onset(s), {len(curves)} curve(s) "
        f"of chaotic states, and {len(probes)} values for states apart from them (where the quiet "
        f"state responds by {_WEAK:g} or more)"
    )
    if failed:
        text += f"; the search failed at {failed} of them"
    found = tuple(_boundaries(path, curves, own, window))
    return ChaosRange(found, text + _ends_of(path, curves, found))


def _ends_of(path: LagPath, curves: Sequence[Curve], found: Sequence[Boundary]) -> str:
    """What is to be said about curves that could not be followed to their end.

    Raises:
        ConvergenceError: If nothing else was found.
    """
    text = ""
    for curve in (c for c in curves if c.end == "lost"):
        place = f"{path.along} = {curve.points[0].value:.6g}"
        if not found:
            raise ConvergenceError(f"the curve of chaotic states was lost at {place}")
        text += f"; a curve of chaotic states was lost at {place}"
    leave = sum(c.end == "range" for c in curves)
    return text + (f"; {leave} of the curves leave(s) the range" if leave else "")


def _is_quiet_onset(path: LagPath, value: float) -> bool:
    """Whether it is the quiet state that loses stability there."""
    try:
        return abs(quiet_response(path.problem(value)) - 1) < _QUIET
    except ConvergenceError:
        return False


def _is_unstable(path: LagPath, value: float) -> bool:
    try:
        return quiet_response(path.problem(value)) > 1
    except ConvergenceError:
        return True  # no stationary state: nothing to look for


def _may_hide(path: LagPath, value: float) -> bool:
    """Whether a chaotic state beside a stable quiet state is to be looked for."""
    try:
        return _WEAK < quiet_response(path.problem(value)) <= 1
    except ConvergenceError:  # no stationary state: nothing to look for
        return False


def _states(path: LagPath, value: float) -> list[LagPoint] | None:
    """The chaotic state of largest amplitude, if there is one; None where the search fails."""
    try:
        problem = path.problem(value)
        points = search(problem).points
    except (ConvergenceError, DerivationError):
        return None
    return sorted(points, key=lambda p: amplitude(problem, p))[-1:]


def _from_onset(
    path: LagPath, onset: float, onsets: Sequence[float], window: tuple[float, float]
) -> list[Curve]:
    """The curve that arrives at an onset, from a state on the unstable side."""
    low, high = window
    scale = max(abs(onset), 0.1)
    curves = []
    for side in (1, -1):
        if not low <= onset + side * _SIDE * scale <= high:
            continue
        if not _is_unstable(path, onset + side * _SIDE * scale):
            continue
        for step in _INSIDE:
            value = onset + side * step * scale
            value = min(max(value, low), high)
            starts = _states(path, value)
            if starts:
                curve = trace(path, starts[0], value, window, onsets, upwards=False)
                if curve.end == "faint":  # a steep curve, which can end nowhere else
                    curve = replace(curve, onset=onset)
                curves.append(curve)
                break
        else:
            raise ConvergenceError(
                f"the quiet state loses stability at {path.along} = {onset:.12g}, but no chaotic "
                "state was found beside it; the state there may oscillate"
            )
    return curves


def _boundaries(
    path: LagPath, curves: Sequence[Curve], onsets: Sequence[float], window: tuple[float, float]
) -> list[Boundary]:
    low, high = window
    turns = [folds(path, curve) for curve in curves]
    ranges = [
        (
            min([curve.low, *(f.at.value for f in found)]),
            max([curve.high, *(f.at.value for f in found)]),
        )
        for curve, found in zip(curves, turns, strict=True)
    ]
    found: list[Boundary] = []
    for fold in (f for some in turns for f in some):
        if low <= fold.at.value <= high and not _known(found, fold.at.value):
            found.append(Boundary(fold.at.value, fold, _ends(path, ranges, fold.at.value)))
    for onset in (c.onset for c in curves):
        if onset is not None and not _known(found, onset):
            found.append(Boundary(onset, None, _ends(path, ranges, onset)))
    return sorted(found, key=lambda b: b.value)


def _ends(path: LagPath, ranges: Sequence[tuple[float, float]], value: float) -> bool:
    """Whether chaotic states exist on one side of a value and not on the other."""
    step = _SIDE * max(abs(value), 0.1)

    def exists(p: float) -> bool:
        return any(a <= p <= b for a, b in ranges) or _is_unstable(path, p)

    return exists(value - step) != exists(value + step)


def _known(found: Sequence[Boundary], value: float) -> bool:
    return any(abs(b.value - value) < _SAME * max(abs(value), 1e-3) for b in found)

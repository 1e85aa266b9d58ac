"""What the command line says, as values: models, results, parameters, numbers of networks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from gatetheory.errors import ParameterError
from gatetheory.model import Model, exact, zoo


def model_of(name: str) -> Model:
    """A model of the zoo.

    Raises:
        ParameterError: If there is none of that name.
    """
    if name not in zoo.MODELS:
        raise ParameterError(f"there is no model {name!r}; {nearest(name, zoo.MODELS)}")
    return zoo.MODELS[name]()


def result_of(name: str, known: Sequence[str], verb: str) -> str:
    """A result that a verb knows.

    Raises:
        ParameterError: If it does not; the nearest are named.
    """
    if name not in known:
        raise ParameterError(f"{verb} knows no result {name!r}; {nearest(name, known)}")
    return name


def values_of(option: str, words: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE`` words as names and texts of values.

    Raises:
        ParameterError: For a word of another form, or a name with two different values.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, text = (part.strip() for part in word.partition("="))
        if not (equals and name and text):
            raise ParameterError(f"{option} takes NAME=VALUE, got {word!r}")
        if name in found and _differ(found[name], text):
            raise ParameterError(f"{option} gives {name} two values, {found[name]} and {text}")
        found[name] = text
    return found


def count_of(option: str, number: int | None, least: int = 1) -> None:
    """Refuse a number of networks or units that makes no sense.

    Raises:
        ParameterError: If it is too small.
    """
    if number is not None and number < least:
        raise ParameterError(f"{option} must be at least {least}, got {number}")


def number_of(option: str, text: str) -> float:
    """A number that an option takes; decimals and fractions.

    Raises:
        ParameterError: If it is none.
    """
    try:
        return float(exact(text))
    except (ParameterError, TypeError) as error:
        raise ParameterError(f"{option} takes a number, got {text!r}") from error


def nearest(name: str, known: Iterable[str]) -> str:
    """A proposal for a mistyped name, or all there are."""
    names = list(known)
    near = get_close_matches(name, names, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"


def _differ(first: str, second: str) -> bool:
    if first == second:
        return False
    try:
        return bool(exact(first) != exact(second))
    except ParameterError:
        return True

"""Elements of a page; text is escaped, and only :class:`Html` is not."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from html import escape
from typing import Any

from sympy.printing.pretty.pretty_symbology import greek_unicode

LEAST = 1e-300  # errors below are those of subnormal numbers

_SYMBOL = re.compile(
    r"\b(?P<base>[A-Za-z]+)(?:\^(?P<up>[A-Za-z]))?_(?P<low>[A-Za-z]{1,3}|[0-9])\b(?P<square>²?)"
)
_POWER = re.compile(r"\)\^(\d)")
_EXPONENT = re.compile(r"\b(\d(?:\.\d+)?)e([-+]?\d+)\b")
_TIGHT = re.compile(r"\b([A-Z]) = (?=\d)")


class Html(str):
    """Markup that is put into a page as it is."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str) -> Html:
    """One element; ``class_`` stands for the attribute ``class``."""
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{named}>{join(children)}</{name}>")


def join(children: Iterable[str], separator: str = "") -> Html:
    """Children one after the other."""
    return Html(separator.join(c if isinstance(c, Html) else escape(c) for c in children))


def prose(text: str) -> Html:
    """Text in which names such as ``Delta_h`` or ``J^a_ij`` are set as mathematics."""

    def set_symbol(match: re.Match[str]) -> str:
        base, up, low = match["base"], match["up"], match["low"]
        if len(base) > 1 and base not in greek_unicode:
            return match[0]
        letter = f"<i>{greek_unicode.get(base, base)}</i>"
        raised = f"<sup>{up}</sup>" if up else ""
        lowered = f"<sub>{greek_unicode.get(low, low)}</sub>"
        return f'<span class="sym">{letter}{raised}{lowered}{match["square"]}</span>'

    def set_power(match: re.Match[str]) -> str:
        return ")" if match[1] == "1" else f")<sup>{match[1]}</sup>"

    shown = _TIGHT.sub("\\1\u00a0=\u00a0", escape(text, quote=False))
    shown = _EXPONENT.sub(lambda m: _times_ten(m[1], int(m[2])), shown)
    return Html(_SYMBOL.sub(set_symbol, _POWER.sub(set_power, shown)))


def number(value: Any, digits: int = 10) -> Html:
    """A number with so many significant digits."""
    if value is None or not math.isfinite(float(value)):
        return Html("–")
    shown = float(value)
    if shown == 0:
        return Html("0")
    exponent = math.floor(math.log10(abs(shown)))
    if -4 <= exponent < max(digits, 6):
        text = f"{shown:.{max(0, digits - 1 - exponent)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return Html(text.replace("-", "−"))
    mantissa, power = f"{shown:.{digits - 1}e}".split("e")
    return Html(_times_ten(mantissa.replace("-", "−"), int(power)))


def uncertain(value: Any, error: Any, digits: int = 12) -> Html:
    """A number above its error estimate; an error too small to matter is left out."""
    shown = element("span", number(value, digits))
    if error is None or float(error) < LEAST:
        return shown
    return join([shown, element("span", "± ", number(error, 1), class_="error")])


def _times_ten(mantissa: str, exponent: int) -> str:
    return f"{mantissa}·10<sup>{str(exponent).replace('-', '−')}</sup>"


def table(header: Iterable[str], rows: Iterable[Iterable[str]], *, kind: str = "") -> Html:
    """A table that scrolls sideways where it does not fit."""
    top = element("tr", *(element("th", h, scope="col") for h in header))
    body = (element("tr", *(_cell(k, cell) for k, cell in enumerate(row))) for row in rows)
    inner = element("table", element("thead", top), element("tbody", *body), class_=kind)
    return element("div", inner, class_="wide", tabindex="0", role="region", aria_label="table")


def _cell(position: int, content: str) -> Html:
    if position == 0:
        return element("th", content, scope="row")
    return element("td", content)


def listing(items: Iterable[str]) -> Html:
    """Names in a sentence: a, b and c."""
    names = list(items)
    if len(names) < 2:
        return join(names)
    return join([join(names[:-1], ", "), " and ", names[-1]])

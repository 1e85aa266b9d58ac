"""MathML as text: wrapping it, cleaning it, guessing how wide it is."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_ENTITY = re.compile(r"&(?!lt;|gt;|amp;|quot;)\w+;")
_NEGATIVE = re.compile(r"<mn>-([^<]*)</mn>")


def wrapped(inside: str, *, block: bool = True) -> str:
    """Children of a formula as a ``<math>`` element."""
    display = "block" if block else "inline"
    return f'<math xmlns="{NAMESPACE}" display="{display}">{inside}</math>'


def plain(text: str) -> str:
    """Elements without entities, and with true minus signs."""
    text = _ENTITY.sub(lambda match: unescape(match[0]), text).replace("\u2147", "e")
    text = text.replace("<mo>-</mo>", "<mo>−</mo>")
    return _NEGATIVE.sub(r"<mrow><mo>−</mo><mn>\1</mn></mrow>", text)


def width(node: Any) -> float:
    """Roughly how wide a formula is, in characters."""
    if node.nodeType == node.TEXT_NODE:
        return float(len(node.data.strip("\u2061\u2062")) if "&" not in node.data else 0)
    parts = [width(child) for child in node.childNodes]
    if node.tagName == "mfrac":
        return max(parts) + 0.5
    if node.tagName in ("msub", "msup", "msubsup"):
        return parts[0] + 0.7 * max(parts[1:])
    return sum(parts)

"""Which plain YAML scalars are not text: the YAML 1.2 core schema, a little stricter.

``on``, ``yes``, ``9:30:00`` and dates are text, and so is whatever begins with a zero that is
not the number 0 itself: ``000001``, ``0x1F`` and ``0o17`` are stock codes or names, never numbers.
"""

from __future__ import annotations

import math
import re

from actors.reading.nodes import MAX_NUMBER

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def resolve(text: str) -> bool | int | float | str | None:
    """The value of a plain scalar. ValueError with a sentence for numbers that JSON cannot carry."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return int(_short(text))
    if _FLOAT.fullmatch(text):
        return _finite(float(_short(text)))
    if _NOT_FINITE.fullmatch(text):
        return _finite(math.nan)
    return text


def _short(text: str) -> str:
    if len(text) > MAX_NUMBER:
        raise ValueError(f"a number may have {MAX_NUMBER} characters; quote it if it is text")
    return text


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("JSON knows no such number (infinite, or not a number); quote it if it is text")
    return number

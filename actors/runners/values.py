"""What an action may hand over: plain JSON values, bounded in size and depth.

Checked where the action stands, so that the error points at its own line, and copied, so that
neither side can change what the other holds.
"""

from __future__ import annotations

import json
import marshal
import math
from collections.abc import Iterator

from actors.errors import RequestError
from actors.model import Json

MAX_DEPTH = 100
_SHORT_TEXT = 1000


def plain(value: object, *, what: str, max_bytes: int) -> Json:
    """A copy of ``value`` in JSON's own types; tuples become lists.

    ``what`` names the value in errors; ``max_bytes`` bounds it as UTF-8 JSON. Raises
    ``RequestError`` that says what is wrong and where.
    """
    if value is None or value is True or value is False:
        return value
    if type(value) is str and len(value) < _SHORT_TEXT and value.isascii() and len(value) + 2 <= max_bytes:
        return value
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode())
        if size > max_bytes:
            raise RequestError(
                f"{what} takes {size:,} bytes as JSON and may take {max_bytes:,}; keep large data in a file "
                "and hand over its name"
            )
        if text.count("[") + text.count("{") > MAX_DEPTH and (fault := _fault(value)):
            raise RequestError(f"{what}{fault}")
        taken: Json = json.loads(text)
        same = bool(taken == value)
    except (TypeError, ValueError, RecursionError) as error:
        fault = _fault(value) or f" cannot be written as JSON ({type(error).__name__}: {str(error)[:200]})"
        raise RequestError(f"{what}{fault}") from None
    # Unequal when a tuple became a list, which is fine, or a key that is not text was made one, which is not.
    if not same and (fault := _fault(value)):
        raise RequestError(f"{what}{fault}")
    # A copy of what was given shares its keys with all others of its kind; what was read back does not.
    return own(value) if same and isinstance(value, dict | list) else taken


def own(value: Json) -> Json:
    """A deep copy of a JSON value, for an action to change as it likes."""
    if value is None or isinstance(value, str | int | float):
        return value
    try:
        return marshal.loads(marshal.dumps(value))
    except ValueError:  # a subclass of a plain type, such as an enum's member
        return json.loads(json.dumps(value))


def _fault(value: object) -> str:
    """The first place that is not JSON, as ``['rows'][3] is a set …``; empty if there is none."""
    line: list[tuple[object, str, int]] = [(value, "", 0)]
    while line:
        item, path, depth = line.pop()
        if depth > MAX_DEPTH:
            return f"{path[:80]}… is nested deeper than {MAX_DEPTH}, or contains itself; flatten it"
        if isinstance(item, dict | list | tuple):
            for key, inner in _parts(item):
                if isinstance(item, dict) and not isinstance(key, str):
                    return f"{path} has the key {_short(key)}; keys must be text"
                line.append((inner, f"{path}[{_short(key)}]", depth + 1))
        elif fault := _scalar_fault(item):
            return f"{path} {fault}"
    return ""


def _parts(item: dict[object, object] | list[object] | tuple[object, ...]) -> Iterator[tuple[object, object]]:
    return iter(item.items()) if isinstance(item, dict) else enumerate(item)


def _scalar_fault(item: object) -> str:
    if item is None or isinstance(item, bool):
        return ""
    if isinstance(item, str):
        return "" if item.isascii() or _encodes(item) else "is text with half a surrogate pair; it has no UTF-8 form"
    if isinstance(item, float):
        return "" if math.isfinite(item) else f"is {item}, which JSON does not have; use None"
    if isinstance(item, int):
        return "" if item.bit_length() < 10_000 else "is a number of more than 3,000 digits; hand it over as text"
    return f"is a {type(item).__name__}, not JSON; use text, numbers, booleans, None, lists, dicts with text keys"


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _short(key: object) -> str:
    return repr(key[:40]) if isinstance(key, str) else repr(key) if isinstance(key, int | float) else type(key).__name__

"""Values as aligned columns of plain text, for a terminal or a pipe."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from actors.printable import one_line

MAX_SHOWN = 200
"""Characters of one value."""


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the rows as lines with aligned columns, the names of the columns first."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *[[text_of(row.get(name)) for name in names] for row in rows]]
    widths = [max(width_of(line[place]) for line in cells) for place in range(len(names))]
    return [
        "  ".join(_padded(text, width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells
    ]


def facts(values: Mapping[str, Any]) -> list[str]:
    """Return one thing as lines: a name, and what it is."""
    width = max((width_of(name) for name in values), default=0)
    return [f"{_padded(name, width)}  {text_of(value)}" for name, value in values.items()]


def text_of(value: Any) -> str:
    """Return a value as one short line: text as it is, nothing as a dash, all else as JSON."""
    if value is None or value == "":
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = one_line(str(text))
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def width_of(text: str) -> int:
    """Return how many columns of a terminal the text takes; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - width_of(text))

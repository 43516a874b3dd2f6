"""Anything of the engine's as bounded plain JSON, for people to look at: never to be read back.

Long texts are cut, of long lists the first items are shown, what is too deep or too much is ``…``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from enum import Enum, IntEnum
from itertools import islice
from typing import Any

from actors.model import Json

CUT = "…"
_LONG = 2**63


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """How much is shown: of each collection, of each text, of levels, and of values in all."""

    items: int = 20
    chars: int = 500
    levels: int = 8
    values: int = 500


def sketch(value: Any, bounds: Bounds) -> Json:
    """What can be shown of it within the bounds."""
    return _Sketch(bounds).of(value, 0)


class _Sketch:
    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._left = bounds.values

    def of(self, value: Any, level: int) -> Json:
        self._left -= 1
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return value.name.lower() if isinstance(value, IntEnum) else self._text(str(value.value))
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int):
            return value if -_LONG < value < _LONG else CUT
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if level >= self._bounds.levels or self._left <= 0:
            return CUT
        return self._container(value, level + 1)

    def _container(self, value: Any, level: int) -> Json:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value)]
            return {name: self.of(getattr(value, name), level) for name in names}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return {name: self.of(getattr(value, name), level) for name in value._fields}
        if isinstance(value, Mapping):
            shown = {self._text(str(key)): self.of(item, level) for key, item in self._first(value.items())}
            return {**shown, CUT: f"{len(value) - len(shown)} more"} if len(shown) < len(value) else shown
        if isinstance(value, list | tuple | set | frozenset):
            listed = [self.of(item, level) for item in self._first(value)]
            return [*listed, f"{CUT} {len(value) - len(listed)} more"] if len(listed) < len(value) else listed
        return f"a {type(value).__name__}" if not isinstance(value, BaseException) else self._text(repr(value))

    def _first(self, items: Iterable[Any]) -> Iterable[Any]:
        """At most as many as may be shown, and none once there is too much in all."""
        for item in islice(items, self._bounds.items):
            if self._left <= 0:
                return
            yield item

    def _text(self, text: str) -> str:
        cut = text if len(text) <= self._bounds.chars else text[: self._bounds.chars] + CUT
        return cut if cut.isascii() else cut.encode(errors="replace").decode()

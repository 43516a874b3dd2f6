"""A Python value to nodes, so that a dict passes the same checks as a file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from actors.errors import Fault
from actors.reading.nodes import MAX_BYTES, MAX_DEPTH, MAX_NODES, Mark, Node, Path, Unreadable, clip, place, show


def read_value(value: object, faults: list[Fault]) -> Node:
    """The same value as nodes. Raises ``Unreadable`` beyond the bounds (a value that contains itself, too)."""
    return _Reader(faults).node(value, (), 1)


class _Reader:
    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults
        self._left = MAX_NODES
        self._characters = MAX_BYTES

    def node(self, value: object, path: Path, level: int) -> Node:
        """Calls itself at most ``MAX_DEPTH`` deep."""
        if level > MAX_DEPTH:
            raise Unreadable(Mark(), f"{show(path[:6])}: nested more than {MAX_DEPTH} levels deep")
        self._left -= 1
        if self._left < 0:
            raise Unreadable(Mark(), f"more than {MAX_NODES} values")
        if isinstance(value, Mapping):
            return self._mapping(value, path, level)
        if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
            nodes = [self.node(item, (*path, at), level + 1) for at, item in enumerate(value)]
            return Node(nodes, size=1 + sum(node.size for node in nodes))
        return Node(self._scalar(value, path))

    def _mapping(self, value: Mapping[object, object], path: Path, level: int) -> Node:
        fields: dict[str, Node] = {}
        for key, item in value.items():
            # An unquoted 600000 is a number in Python as it is in YAML; as a key it is text.
            if isinstance(key, bool) or not isinstance(key, str | int):
                self._fault(path, f"a key must be text, not {type(key).__name__}")
                continue
            text = self._text(str(key), path)
            if text in fields:
                self._fault((*path, text), f"'{clip(text)}' is given twice")
                continue
            fields[text] = self.node(item, (*path, text), level + 1)
        return Node(fields, size=1 + sum(node.size for node in fields.values()))

    def _scalar(self, value: object, path: Path) -> bool | int | float | str | None:
        if isinstance(value, str):
            return self._text(str(value), path)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            if value.bit_length() <= 128:
                return int(value)
            self._fault(path, "the number is too large")
        elif isinstance(value, float):
            if math.isfinite(value):
                return float(value)
            self._fault(path, "JSON knows no such number (infinite, or not a number)")
        else:
            self._fault(path, f"a {type(value).__name__} is nothing that JSON can carry")
        return None

    def _text(self, text: str, path: Path) -> str:
        self._characters -= len(text)
        if self._characters < 0:
            raise Unreadable(Mark(), f"more than {MAX_BYTES} characters of text")
        try:
            text.encode()
        except UnicodeEncodeError:
            self._fault(path, "half of a surrogate pair")
            return ""
        return text

    def _fault(self, path: Path, message: str) -> None:
        self._faults.append(place("", Mark(), path, message))

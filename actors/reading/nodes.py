"""What a definition file is read into: values that know their line and column.

Nothing here is recursive beyond ``MAX_DEPTH``, and a tree holds at most ``MAX_NODES`` values
when its aliases are written out, so that whoever walks it is bounded too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from actors.errors import Fault

if TYPE_CHECKING:
    from actors.model import Json

MAX_BYTES = 1_048_576
MAX_NODES = 50_000
MAX_DEPTH = 50
MAX_NUMBER = 40
"""Characters of a number."""

Path: TypeAlias = tuple[str | int, ...]


class Mark(NamedTuple):
    """A place in a file, both from 1; 0: unknown, for what did not come from a file."""

    line: int = 0
    column: int = 0


NOWHERE = Mark()


@dataclass(slots=True, eq=False)
class Node:
    """A scalar, a list of nodes, or a mapping by text."""

    value: bool | int | float | str | list[Node] | dict[str, Node] | None
    mark: Mark = NOWHERE
    keys: dict[str, Mark] = field(default_factory=dict)
    """Of a mapping: where each key stands."""
    size: int = 1
    """Values in it, itself included, as often as aliases repeat them."""
    depth: int = 1
    characters: int = 0
    """Of all texts in it, as often as aliases repeat them."""
    text_at: Mark | None = None
    """Where the first character of a text stands, if it is written on one line as it is."""

    def plain(self) -> Json:
        """The value without marks; no part of it is shared."""
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return self.value

    def mapping(self) -> Mapping[str, Node]:
        """Its fields; none if it is not a mapping."""
        return self.value if isinstance(self.value, dict) else {}

    def items(self) -> Sequence[Node]:
        """Its items; none if it is not a list."""
        return self.value if isinstance(self.value, list) else ()


class Unreadable(Exception):
    """The text cannot be read on; ``mark`` says where."""

    def __init__(self, mark: Mark, message: str) -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message


def show(path: Path) -> str:
    """A path as faults show it: ``workflows.trend.tasks[2].timeout``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{clip(step, 60)}" if text else clip(step, 60)
    return text


def clip(text: str, length: int = 80) -> str:
    """At most so many characters, none of them a control character."""
    if len(text) > length:
        text = text[: length - 1] + "…"
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)


def find(root: Node, path: Path) -> Node:
    """The node at the path, or the last one on the way to it."""
    node = root
    for step in path:
        below: Node | None = None
        if isinstance(step, str):
            below = node.mapping().get(step)
        elif step < len(node.items()):
            below = node.items()[step]
        if below is None:
            return node
        node = below
    return node


def place(file: str, mark: Mark, path: Path, message: str) -> Fault:
    """A fault at a mark."""
    return Fault(file, mark.line, mark.column, show(path), message)

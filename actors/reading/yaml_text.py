"""YAML to nodes, from the parser's event stream.

Only events are taken from PyYAML, never its constructors: bounds are counted as the events
come, so that neither nested brackets nor aliases nor merge keys can cost more than the file
is worth, and libyaml's recursive composer, which 100,000 brackets kill, is never entered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from actors.errors import Fault
from actors.reading.nodes import MAX_BYTES, MAX_DEPTH, MAX_NODES, Mark, Node, Path, Unreadable, clip, place
from actors.reading.scalars import resolve


def read_yaml(text: str, file: str, faults: list[Fault]) -> Node | None:
    """The one document in the text; faults that do not prevent reading on are added.

    None for a text without a document. Raises ``Unreadable``.
    """
    try:
        return _Builder(text, file, faults).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
        raise Unreadable(where, f"not YAML: {_reason(error, text)}") from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        where = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise Unreadable(where, "not YAML: it holds a control character") from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        # Odd escapes and directives leave PyYAML as whatever its conversions raise.
        raise Unreadable(Mark(1, 1), f"not YAML: {clip(str(error))}") from error


def _reason(error: yaml.MarkedYAMLError, text: str) -> str:
    problem = error.problem or error.context or "it cannot be read"
    mark = error.problem_mark
    if mark is not None and "cannot start any token" in problem:
        line = text.split("\n")[mark.line]
        sign = line[mark.column : mark.column + 1]
        return "a tab; indent with spaces" if sign == "\t" else f"'{sign}' cannot begin a value; put the text in quotes"
    if "did not find expected" in problem and error.context:
        return f"{problem} {error.context}"
    return problem


class _Builder:
    """Reads one event after another; ``_node`` calls itself at most ``MAX_DEPTH`` deep."""

    def __init__(self, text: str, file: str, faults: list[Fault]) -> None:
        self._lines = text.split("\n")
        self._file = file
        self._faults = faults
        self._anchors: dict[str, Node | None] = {}
        """None while the anchored node is still being read."""
        self._nodes_left = MAX_NODES
        self._characters_left = MAX_BYTES
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=loader))

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._fault(event, (), "a second document; put it into a file of its own")
                    break
                root = self._node(next(self._events), (), 1)
        return root

    def _node(self, event: Any, path: Path, level: int) -> Node:
        mark = _mark(event)
        if level > MAX_DEPTH:
            raise Unreadable(mark, f"nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, level)
        anchor = event.anchor
        if anchor is not None:
            self._anchors[anchor] = None
        self._refuse_tag(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(mark, path, level)
        elif isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(mark, path, level)
        else:
            node = self._scalar(event, path)
            self._spend(1, node.characters, mark)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _alias(self, event: Any, level: int) -> Node:
        name = str(event.anchor)
        mark = _mark(event)
        node = self._anchors.get(name)
        if node is None:
            problem = "stands inside what it repeats" if name in self._anchors else "repeats nothing that came before"
            raise Unreadable(mark, f"the alias '*{clip(name)}' {problem}")
        self._spend(node.size, node.characters, mark)
        if level + node.depth - 1 > MAX_DEPTH:
            raise Unreadable(mark, f"nested more than {MAX_DEPTH} levels deep")
        return node

    def _spend(self, nodes: int, characters: int, mark: Mark) -> None:
        self._nodes_left -= nodes
        self._characters_left -= characters
        if self._nodes_left < 0:
            raise Unreadable(mark, f"more than {MAX_NODES} values, aliases written out")
        if self._characters_left < 0:
            raise Unreadable(mark, f"more than {MAX_BYTES} characters, aliases written out")

    def _sequence(self, mark: Mark, path: Path, level: int) -> Node:
        self._spend(1, 0, mark)
        nodes: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            nodes.append(self._node(event, (*path, len(nodes)), level + 1))
        return _collection(nodes, nodes, mark)

    def _mapping(self, mark: Mark, path: Path, level: int) -> Node:
        self._spend(1, 0, mark)
        fields: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path, level)
            value = self._node(next(self._events), (*path, key if key is not None else "?"), level + 1)
            if key is None:
                continue
            if key in fields:
                message = f"'{clip(key)}' is given twice; first on line {keys[key].line}"
                self._fault(event, (*path, key), message)
                continue
            fields[key], keys[key] = value, _mark(event)
        return _collection(fields, list(fields.values()), mark, keys)

    def _key(self, event: Any, path: Path, level: int) -> str | None:
        """The key's text as it is written; None for a key that was refused."""
        if not isinstance(event, yaml.ScalarEvent):
            self._fault(event, path, "a key must be text")
            self._node(event, path, level + 1)
            return None
        self._refuse_tag(event, path)
        text = _sound(event)
        self._spend(1, len(text), _mark(event))
        if event.anchor is not None:
            self._anchors[event.anchor] = Node(text, _mark(event), characters=len(text))
        if event.implicit[0] and text == "<<":
            self._fault(event, path, "merge keys ('<<') are not read; write the fields out")
            return None
        if event.implicit[0] and text == "":
            self._fault(event, path, "a key is missing before ':'")
            return None
        return text

    def _scalar(self, event: Any, path: Path) -> Node:
        mark = _mark(event)
        text = _sound(event)
        # implicit[0]: neither quoted nor a block, so that it may be something other than text.
        if not event.implicit[0] or event.tag is not None:
            return Node(text, mark, characters=len(text), text_at=self._text_at(event, 1))
        try:
            return Node(resolve(text), mark, characters=len(text), text_at=self._text_at(event, 0))
        except ValueError as error:
            self._fault(event, path, str(error))
            return Node(text, mark, characters=len(text))

    def _text_at(self, event: Any, quote: int) -> Mark | None:
        line, column = event.start_mark.line, event.start_mark.column + quote
        if line < len(self._lines) and self._lines[line].startswith(event.value, column):
            return Mark(line + 1, column + 1)
        return None

    def _refuse_tag(self, event: Any, path: Path) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            self._fault(event, path, f"tags ('{clip(tag)}') are not read; quote the value if it is text")

    def _fault(self, event: Any, path: Path, message: str) -> None:
        self._faults.append(place(self._file, _mark(event), path, message))


def _collection(
    value: list[Node] | dict[str, Node], nodes: list[Node], mark: Mark, keys: dict[str, Mark] | None = None
) -> Node:
    size = 1 + sum(node.size for node in nodes) + len(keys or ())
    depth = 1 + max((node.depth for node in nodes), default=0)
    characters = sum(node.characters for node in nodes) + sum(map(len, keys or ()))
    return Node(value, mark, keys or {}, size, depth, characters)


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _sound(event: Any) -> str:
    """The scalar's text; escapes may spell half characters that no encoding can carry."""
    text = str(event.value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unreadable(_mark(event), "half of a surrogate pair; write the character itself") from None
    return text

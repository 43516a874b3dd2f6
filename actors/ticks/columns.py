"""Which column of a tick file is what: the short YAML block beside a definitions folder.

    time: time                                    # HH:MM:SS (Shanghai), a date with time, or epoch seconds
    entity: {column: symbol, strip: [SZ, SH]}     # SZ000001 is the entity 000001
    type: DATA_READY
    data:
      price: {column: price, type: number}        # a line whose price is not a number is malformed
      side: side
    position: tape                                # data.tape says where in the file the tick stands

Every line may be left out; ``data`` left out takes every column under its own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from actors.errors import DefinitionError, Fault
from actors.model import EventType, Json
from actors.reading.faults import Faults, Source
from actors.reading.files import read_file
from actors.reading.nodes import Mark, Node, clip
from actors.reading.nodes import Path as NodePath

FILE_NAME = "replay.yaml"
_FIELDS = ("time", "entity", "type", "data", "position", "encoding")
_ENCODINGS = ("utf-8", "gbk")


class Kind(StrEnum):
    """What a column's values must be. ``any``: a number if it looks like one; 000001 does not."""

    ANY = "any"
    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind = Kind.ANY


@dataclass(frozen=True, slots=True)
class Columns:
    """How the lines of a tick file become events."""

    time: str = "time"
    entity: str = "symbol"
    strip: tuple[str, ...] = ()
    """Prefixes of the entity column that are not part of the id; the first that fits is taken off."""
    type: str = str(EventType.DATA_READY)
    data: Mapping[str, Column] | None = None
    """By field of the event's data; None: every column under its own name."""
    position: str | None = None
    """The field of the event's data that says where the tick stands: its file, line and end in bytes."""
    encoding: str = "utf-8"

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that the file must have."""
        named = [column.name for column in (self.data or {}).values()]
        return tuple(dict.fromkeys((self.time, self.entity, *named)))


def columns_of(folder: str | Path) -> Columns:
    """What the folder's ``replay.yaml`` says; the defaults if it has none. Raises ``DefinitionError``."""
    path = Path(folder) / FILE_NAME
    return read_columns(path) if path.exists() else Columns()


def read_columns(path: str | Path) -> Columns:
    """Read the block from a file. Raises ``DefinitionError`` with all that is wrong in it."""
    found: list[Fault] = []
    root = read_file(Path(path), str(path), found)
    faults = Faults()
    faults.extend(found)
    columns = check_columns(Source(str(path), root, faults)) if root is not None else Columns()
    if len(faults):
        raise DefinitionError(faults.sorted())
    return columns


def check_columns(source: Source) -> Columns:
    """Read the block; what is wrong is reported to the source, and left at its default."""
    return _Block(source).read()


def columns_schema() -> dict[str, Json]:
    """The JSON Schema of the block, for editors."""
    text = {"type": "string", "minLength": 1}
    column = {
        "type": "object",
        "properties": {"column": text, "type": {"enum": [str(kind) for kind in Kind], "default": str(Kind.ANY)}},
        "additionalProperties": False,
    }
    entity = {"column": text, "strip": {"type": "array", "items": text}}
    properties: dict[str, Json] = {
        "time": text | {"description": "The column with HH:MM:SS (Shanghai), a date with time, or epoch seconds."},
        "entity": {
            "description": "The column with the entity's id; prefixes in strip are taken off.",
            "anyOf": [text, {"type": "object", "properties": entity, "additionalProperties": False}],
        },
        "type": text | {"description": "The events' type.", "default": str(EventType.DATA_READY)},
        "data": {
            "description": "Fields of the event's data, each from a column; by default every column.",
            "type": "object",
            "additionalProperties": {"anyOf": [text, column]},
        },
        "position": text | {"description": "The field of the event's data that says where in the file it stands."},
        "encoding": {"enum": list(_ENCODINGS), "default": _ENCODINGS[0]},
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


class _Block:
    """The checks, each with its place; what is wrong is left at its default and reported."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._fields = source.root.mapping()

    def read(self) -> Columns:
        if not isinstance(self._source.root.value, dict):
            self._source.fault((), f"must be a mapping; its fields are {', '.join(_FIELDS)}")
            return Columns()
        self._known(self._source.root, (), _FIELDS)
        default = Columns()
        entity, strip = self._entity()
        return Columns(
            time=self._text("time") or default.time,
            entity=entity or default.entity,
            strip=strip,
            type=self._text("type") or default.type,
            data=self._data(),
            position=self._position(),
            encoding=self._choice("encoding", _ENCODINGS) or default.encoding,
        )

    def _entity(self) -> tuple[str | None, tuple[str, ...]]:
        node = self._fields.get("entity")
        if node is None or not isinstance(node.value, dict):
            return self._text("entity"), ()
        self._known(node, ("entity",), ("column", "strip"))
        prefixes = node.mapping().get("strip", Node([]))
        strip = tuple(item.value for item in prefixes.items() if isinstance(item.value, str) and item.value)
        if not isinstance(prefixes.value, list) or len(strip) != len(prefixes.items()):
            self._source.fault(("entity", "strip"), "must be a list of texts, such as [SZ, SH]")
        return self._text("entity", "column"), strip

    def _data(self) -> Mapping[str, Column] | None:
        node = self._fields.get("data")
        if node is None or node.value is None:
            return None
        if not isinstance(node.value, dict):
            self._source.fault(("data",), "must be a mapping of the event's fields to columns, such as price: close")
            return None
        return {name: self._column(name, below) for name, below in node.value.items()}

    def _column(self, name: str, node: Node) -> Column:
        if not isinstance(node.value, dict):
            return Column(self._text("data", name) or name)
        self._known(node, ("data", name), ("column", "type"))
        column = self._text("data", name, "column") or name
        return Column(column, Kind(self._choice_at(("data", name, "type"), tuple(Kind)) or Kind.ANY))

    def _position(self) -> str | None:
        name = self._text("position")
        data = self._fields.get("data")
        if name is not None and data is not None and name in data.mapping():
            self._source.fault(("position",), f"'{clip(name)}' is a field of data already")
        return name

    def _choice(self, name: str, choices: tuple[str, ...]) -> str | None:
        return self._choice_at((name,), choices)

    def _choice_at(self, path: NodePath, choices: tuple[str, ...]) -> str | None:
        text = self._text(*path)
        if text is None or text in choices:
            return text
        hint = self._source.faults.suggest(text, choices)
        self._source.fault(path, f"must be one of {', '.join(choices)}, not '{clip(text, 40)}'{hint}")
        return None

    def _text(self, *path: str | int) -> str | None:
        """The text at the path; None if there is nothing."""
        node: Node | None = self._source.root
        for step in path:
            node = node.mapping().get(str(step)) if node is not None else None
        if node is None or node.value is None:
            return None
        if isinstance(node.value, str) and node.value:
            return node.value
        self._source.fault(path, "must be a text; put it in quotes")
        return None

    def _known(self, node: Node, path: NodePath, names: tuple[str, ...]) -> None:
        for name in node.mapping():
            if name not in names:
                hint = self._source.faults.suggest(name, names) or f"; known are {', '.join(names)}"
                self._source.at(node.keys.get(name, Mark()), (*path, name), f"unknown field '{clip(name)}'{hint}")

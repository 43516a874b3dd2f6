"""What a command prints: data on standard output in the form that was asked for, messages on standard error.

The keys of ``json``, ``jsonl`` and ``yaml`` are the control API's and an interface; a table shows
the columns that people look for first, and may change.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from actors.printable import one_line
from actors.tables import facts, table, text_of

Say = Callable[[str], None]
Row = Mapping[str, Any]


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Style:
    """What the options of every command ask for."""

    format: Format = Format.TABLE
    plain: bool = False
    """No colours, also at a terminal."""
    quiet: bool = False
    """No messages."""


class Output:
    """``say`` takes text for standard output, ``complain`` for standard error."""

    def __init__(self, say: Say, complain: Say, style: Style) -> None:
        self._say = say
        self._complain = complain
        self.style = style

    @property
    def for_people(self) -> bool:
        return self.style.format is Format.TABLE

    def rows(
        self, items: Sequence[Row], shown: Callable[[Row], Row] | None = None, *, name: str = "id", empty: str = ""
    ) -> None:
        """Print a list. ``shown`` picks a table's columns, ``name`` is the key that names an item."""
        match self.style.format:
            case Format.TABLE if not items:
                self.message(empty)
            case Format.TABLE:
                self._table([item if shown is None else shown(item) for item in items])
            case Format.JSON:
                self._json(list(items), indent=2)
            case Format.JSONL:
                for item in items:
                    self._json(item)
            case Format.YAML:
                self._yaml(list(items))
            case Format.NAME:
                for item in items:
                    self._say(text_of(item.get(name)))

    def one(self, item: Row, shown: Callable[[Row], Row] | None = None, *, name: str = "id") -> None:
        """Print one thing: as a table, a line for each of its parts."""
        match self.style.format:
            case Format.TABLE:
                for line in facts(item if shown is None else shown(item)):
                    self._say(line)
            case Format.JSON:
                self._json(item, indent=2)
            case Format.JSONL:
                self._json(item)
            case Format.YAML:
                self._yaml(item)
            case Format.NAME:
                self._say(text_of(item.get(name)))

    def done(self, item: Row, sentence: str, *, name: str = "id") -> None:
        """Say what was done: a message to people, data to programs."""
        if self.for_people:
            self.message(sentence)
        else:
            self.one(item, name=name)

    def told(self, item: Row, line: str | None, *, name: str = "id") -> None:
        """Print one of a stream of things, each on a line of its own; None: there is no line for people."""
        match self.style.format:
            case Format.TABLE:
                if line is not None:
                    self._say(one_line(line))
            case Format.JSON | Format.JSONL:
                self._json(item)
            case Format.YAML:
                self._say("---")
                self._yaml(item)
            case Format.NAME:
                self._say(text_of(item.get(name)))

    def text(self, text: str) -> None:
        """Print a line of data as it is."""
        self._say(text)

    def message(self, text: str) -> None:
        """Tell people something beside the data."""
        if text and not self.style.quiet:
            self._complain(one_line(text))

    def _table(self, rows: Sequence[Row]) -> None:
        lines = table(rows)
        if not self.style.plain and sys.stdout.isatty() and _colours():
            from actors.commands.colours import coloured

            lines = coloured(rows)
        for line in lines:
            self._say(line)

    def _json(self, value: Any, *, indent: int | None = None) -> None:
        # An escape of the terminal's own making would be no JSON, so what its encoding lacks is escaped here.
        text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
        self._say(text if _encodable(text) else json.dumps(value, indent=indent, default=str))

    def _yaml(self, value: Any) -> None:
        import yaml

        value = json.loads(json.dumps(value, default=str))
        text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=120)
        self._say((text if _encodable(text) else yaml.safe_dump(value, sort_keys=False, width=120)).rstrip("\n"))


def _colours() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _encodable(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
